// The machines that are timed: streams, tables and requests, built in one linear memory.
import { FULL_ID } from "../../src/engine/identity.ts";
import { AddressMap, HostMemory, type MapRoot } from "../../src/engine/memory.ts";
import { type EngineExports, instantiate, loadModule } from "../../src/engine/module.ts";
import { CD } from "../../src/spec/cd.ts";
import {
  CMDQ_BASE,
  CR0,
  EVENTQ_BASE,
  STRTAB_BASE,
  STRTAB_BASE_CFG,
} from "../../src/spec/register.ts";
import { STE } from "../../src/spec/ste.ts";
import { packFields } from "../../src/spec/word.ts";
import { Ring } from "./ring.ts";

/** Guest memory starts here. */
const RAM_BASE = 0x8000_0000;
const PAGE = 4096;
const STREAMS_LOG2 = 8;
const QUEUE_LOG2 = 12;
/** Entries of the command queue and of the event queue. */
export const QUEUE_ENTRIES = 2 ** QUEUE_LOG2;
const POLICY = { none: 0, fast: 1, walk: 3 } as const;
/** CR0: SMMUEN, EVENTQEN, CMDQEN. */
const CR0_ALL = 0xd;
/** Normal write-back memory in every attribute index. */
const MAIR_WB = 0xffff_ffff;

/** Which caches an instance uses. */
export type Policy = keyof typeof POLICY;

/** What the ABI of an engine offers to its owner; the native twins have it too. */
export type Abi = Pick<
  EngineExports,
  "init" | "restore" | "configure" | "attach" | "mmioWrite" | "flushCaches" | "translateBatch"
>;

/** A stream's configuration. Addresses are those the SMMU sees. */
export interface Stream {
  readonly sid: number;
  readonly asid?: number;
  readonly vmid?: number;
  /** Root of the stage 1 tables (48-bit input, 4 KiB granule). */
  readonly stage1?: number;
  /** Root of the stage 2 tables (48-bit input, 4 KiB granule). */
  readonly stage2?: number;
  /** Where the CD lies when it is behind stage 2. */
  readonly cdIpa?: (pa: number) => number;
}

/** Where an SMMU finds its machine: the map's tree, its RAM, and what registers point to. */
export interface MachineLayout {
  readonly root: number;
  readonly base: number;
  readonly bytes: number;
  readonly lin: number;
  readonly streamTable: number;
  readonly commandQueue: number;
  readonly eventQueue: number;
}

/** Programs the registers of an SMMU and enables it. */
export function enable(abi: Pick<Abi, "mmioWrite">, layout: MachineLayout): void {
  const wide = (offset: number, value: number) => abi.mmioWrite(offset, 8, BigInt(value));
  wide(STRTAB_BASE.offset, layout.streamTable);
  abi.mmioWrite(STRTAB_BASE_CFG.offset, 4, BigInt(STREAMS_LOG2));
  wide(CMDQ_BASE.offset, layout.commandQueue + QUEUE_LOG2);
  wide(EVENTQ_BASE.offset, layout.eventQueue + QUEUE_LOG2);
  abi.mmioWrite(CR0.offset, 4, BigInt(CR0_ALL));
}

/** Brings an engine with its state at `at` to life over a machine. */
export function startEngine(abi: Abi, at: number, policy: Policy, layout: MachineLayout): void {
  abi.init(at);
  const id = FULL_ID;
  [id.idr0, id.idr1, id.idr2, id.idr3, id.idr4, id.idr5, id.iidr, id.aidr].forEach((v, i) => {
    abi.restore(i * 4, v);
  });
  abi.configure(0n, POLICY[policy], 0);
  const { root, base, bytes, lin } = layout;
  abi.attach(root, BigInt(base), BigInt(bytes), lin);
  enable(abi, layout);
}

/** One machine. Guest physical addresses are plain numbers. */
export class World {
  readonly memory: HostMemory;
  readonly map: AddressMap;
  readonly streamTable: number;
  readonly commandQueue: number;
  readonly eventQueue: number;
  readonly ramLin: number;
  #next = RAM_BASE;
  #root: MapRoot | undefined;

  /** A machine with `bytes` of RAM. */
  constructor(
    readonly bytes: number,
    shared = false,
  ) {
    this.memory = HostMemory.create({ shared });
    this.map = new AddressMap(this.memory);
    const size = Math.ceil(bytes / PAGE) * PAGE;
    this.ramLin = this.map.mapRam(BigInt(RAM_BASE), size);
    this.map.attach((root) => {
      this.#root = root;
    });
    this.streamTable = this.alloc(STE.bytes << STREAMS_LOG2);
    this.commandQueue = this.alloc(16 << QUEUE_LOG2);
    this.eventQueue = this.alloc(32 << QUEUE_LOG2);
  }

  /** First guest address, and the first that is not in use yet. */
  get base(): number {
    return RAM_BASE;
  }

  get top(): number {
    return this.#next;
  }

  /** Zeroed guest memory, aligned to its size. */
  alloc(bytes: number): number {
    const size = Math.max(bytes, PAGE);
    const at = Math.ceil(this.#next / size) * size;
    this.#next = at + size;
    if (this.#next > RAM_BASE + this.bytes) throw new RangeError("the machine is too small");
    return at;
  }

  /** Linear address of a guest physical one. */
  lin(pa: number): number {
    return this.ramLin + (pa - RAM_BASE);
  }

  write64(pa: number, value: bigint): void {
    this.memory.writeU64(this.lin(pa), value);
  }

  #writeWords(pa: number, words: readonly bigint[]): void {
    words.forEach((word, i) => {
      this.write64(pa + i * 8, word);
    });
  }

  /** Installs a stream's STE and, with stage 1, its CD. */
  addStream(s: Stream): void {
    const stages = (s.stage1 === undefined ? 0 : 1) + (s.stage2 === undefined ? 0 : 2);
    const ste = packFields(STE, { V: 1, Config: 4 + stages, S2VMID: s.vmid ?? 0, SHCFG: 1 });
    const second = {
      S2T0SZ: 16,
      S2SL0: 2,
      S2PS: 5,
      S2AA64: 1,
      S2R: 1,
      S2TTB: BigInt(s.stage2 ?? 0),
    };
    const at = s.stage1 === undefined ? 0 : this.#addContext(s, s.stage1);
    const first = { S1ContextPtr: BigInt(at), S1Fmt: 0 };
    const words = packFields(STE, { ...(stages & 1 ? first : {}), ...(stages & 2 ? second : {}) });
    this.#writeWords(
      this.streamTable + s.sid * STE.bytes,
      ste.map((word, i) => word | words[i]),
    );
  }

  /** A CD whose TTB0 is `root`; gives the address that the STE has to carry. */
  #addContext(s: Stream, root: number): number {
    const at = this.alloc(CD.bytes);
    const words = packFields(CD, {
      V: 1,
      AA64: 1,
      R: 1,
      A: 1,
      EPD1: 1,
      T0SZ: 16,
      IPS: 5,
      ASID: s.asid ?? 1,
      TTB0: BigInt(root),
      MAIR0: MAIR_WB,
      MAIR1: MAIR_WB,
    });
    this.#writeWords(at, words);
    return s.cdIpa ? s.cdIpa(at) : at;
  }

  /** Linear memory for an instance's state. */
  async stateAt(): Promise<number> {
    const probe = await instantiate(this.memory.memory, await loadModule(this.memory.shared));
    return this.memory.alloc(probe.stateBytes(), PAGE);
  }

  /** Where an SMMU finds this machine. */
  get layout(): MachineLayout {
    const { root, base, bytes, lin } = this.#root as MapRoot;
    const { streamTable, commandQueue, eventQueue } = this;
    const ram = { root, base: Number(base), bytes: Number(bytes), lin };
    return { ...ram, streamTable, commandQueue, eventQueue };
  }

  /** Brings an engine with its state at `at` to life: the same calls for Wasm and native ones. */
  start(abi: Abi, at: number, policy: Policy): void {
    startEngine(abi, at, policy, this.layout);
  }

  /** A new Wasm instance over this machine. */
  async engine(policy: Policy): Promise<EngineExports> {
    const module = await loadModule(this.memory.shared);
    const engine = await instantiate(this.memory.memory, module);
    this.start(engine, this.memory.alloc(engine.stateBytes(), PAGE), policy);
    return engine;
  }

  /** Room for `count` requests and answers. */
  ring(count: number): Ring {
    return new Ring(this.memory, count);
  }
}
