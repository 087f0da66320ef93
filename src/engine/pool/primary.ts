// The engine that owns a pool's registers and queues: what changes it is logged for the workers,
// and a CMD_SYNC is taken when they have acknowledged what came before it (IHI0070 4.7.3).
import { LOG_KIND } from "../../spec/abi-pool.ts";
import { PLACE } from "../../spec/abi-records.ts";
import { CMD } from "../../spec/command.ts";
import { codeOf } from "../../spec/field.ts";
import {
  AIDR,
  CMDQ_CONS,
  CMDQ_PROD,
  CR0,
  CR1,
  CR2,
  GBPA,
  IDR0,
  IDR1,
  IDR2,
  IDR3,
  IDR4,
  IDR5,
  IIDR,
  STRTAB_BASE,
  STRTAB_BASE_CFG,
} from "../../spec/register.ts";
import { packFields } from "../../spec/word.ts";
import type { HostMemory } from "../memory.ts";
import type { EngineExports } from "../module.ts";
import type { PoolLog } from "./log.ts";

const RESTORE = codeOf(LOG_KIND, "RESTORE");
const ATTACH = codeOf(LOG_KIND, "ATTACH");
const CONFIGURE = codeOf(LOG_KIND, "CONFIGURE");
const FLUSH = codeOf(LOG_KIND, "FLUSH");
const RESET = codeOf(LOG_KIND, "RESET");

/** Registers that a translation depends on, 32 bits each. */
const SHARED = [
  ...[IDR0, IDR1, IDR2, IDR3, IDR4, IDR5, IIDR, AIDR].map((r) => r.offset),
  ...[CR0, CR1, CR2, GBPA].map((r) => r.offset),
  ...[STRTAB_BASE.offset, STRTAB_BASE.offset + 4, STRTAB_BASE_CFG.offset],
];
/** What workers do not see of CR0: the queues are the primary's. */
const QUEUES = Number(packFields(CR0, { EVENTQEN: 1, CMDQEN: 1, PRIQEN: 1 })[0]);
const SYNC = CMD.cases.CMD_SYNC.value;
const ALL = 2 ** 32 - 1;

/** Logs what happens to one engine. Its `exports` stand where the engine's own would. */
export class Primary {
  readonly exports: EngineExports;
  readonly #memory: HostMemory;
  readonly #engine: EngineExports;
  readonly #log: PoolLog;
  readonly #known = new Int32Array(SHARED.length);
  /** The words of linear memory as far as the engine's state reaches, and where its parts are. */
  #words = new Int32Array();
  #bytes = new Uint8Array();
  #registers = 0;
  #command = 0;
  #auto = true;

  constructor(memory: HostMemory, engine: EngineExports, log: PoolLog) {
    this.#memory = memory;
    this.#engine = engine;
    this.#log = log;
    this.exports = { ...engine, ...this.#changes(), ...this.#queue(), ...this.#counts() };
  }

  /** Calls that change how every instance translates. */
  #changes(): Partial<EngineExports> {
    const [engine, log] = [this.#engine, this.#log];
    const after = (work: () => void): void => {
      work();
      log.settle();
    };
    return {
      init: (at) => {
        engine.init(at);
        engine.autoConsume(0);
        this.#words = new Int32Array(this.#memory.memory.buffer);
        this.#bytes = new Uint8Array(this.#words.buffer);
        this.#registers = engine.place(codeOf(PLACE, "REGISTERS")) / 4;
        this.#command = engine.place(codeOf(PLACE, "COMMAND")) / 4;
        this.#remember();
      },
      reset: () =>
        after(() => {
          engine.reset();
          log.append(RESET);
          this.#remember();
        }),
      flushCaches: () =>
        after(() => {
          engine.flushCaches();
          log.append(FLUSH);
        }),
      configure: (quirks, policy, merge) =>
        after(() => {
          engine.configure(quirks, policy, merge);
          log.append(CONFIGURE, policy, 0, quirks);
        }),
      attach: (root, base, bytes, lin) =>
        after(() => {
          engine.attach(root, base, bytes, lin);
          log.append(ATTACH, root, lin, base, bytes);
        }),
      restore: (offset, value) =>
        after(() => {
          engine.restore(offset, value);
          this.#share();
        }),
      mmioWrite: (offset, size, value) =>
        after(() => {
          engine.mmioWrite(offset, size, value);
          this.#share();
          if (this.#auto) this.#consume(ALL, false);
        }),
    };
  }

  /** Calls that execute commands. */
  #queue(): Partial<EngineExports> {
    return {
      autoConsume: (on) => {
        this.#auto = on !== 0;
      },
      step: (limit, hold) => this.#consume(limit, hold === 1),
      executeCommand: () => {
        if (this.#isSync()) this.#log.settle();
        const error = this.#engine.executeCommand();
        if (error === 0) this.#forward();
        return error;
      },
    };
  }

  #counts(): Partial<EngineExports> {
    return {
      counter: (which) => (this.#engine.counter(which) + this.#log.counter(which)) | 0,
      resetCounters: () => {
        this.#engine.resetCounters();
        this.#log.resetCounters();
      },
    };
  }

  /** Remembers what workers have in their registers: after a reset it is what is here. */
  #remember(): void {
    SHARED.forEach((offset, i) => {
      this.#known[i] = this.#register(offset);
    });
  }

  #register(offset: number): number {
    return this.#words[this.#registers + offset / 4];
  }

  /** Logs the registers that have changed. */
  #share(): void {
    for (let i = 0; i < SHARED.length; i++) {
      const value = this.#register(SHARED[i]);
      if (value === this.#known[i]) continue;
      this.#known[i] = value;
      this.#log.append(RESTORE, SHARED[i], SHARED[i] === CR0.offset ? value & ~QUEUES : value);
    }
  }

  /**
   * Consumes up to `limit` commands. Before a CMD_SYNC the queue stands still until the workers
   * have done everything before it.
   */
  #consume(limit: number, hold: boolean): number {
    const engine = this.#engine;
    let done = 0;
    for (; done < limit; done++) {
      if (this.#register(CMDQ_PROD.offset) === this.#register(CMDQ_CONS.offset)) break;
      if (engine.step(1, 1) === 0) {
        // The queue has stopped, is empty beside an error code, or is at a CMD_SYNC.
        if (hold) break;
        this.#log.settle();
        if (engine.step(1, 0) === 0) break;
      }
      this.#forward();
    }
    return done;
  }

  /** Whether the command at hand is a CMD_SYNC: the opcode is its first byte. */
  #isSync(): boolean {
    return this.#bytes[this.#command * 4] === SYNC;
  }

  /** Logs the command that was just executed. */
  #forward(): void {
    if (!this.#isSync()) this.#log.appendCommand(this.#words, this.#command);
  }
}
