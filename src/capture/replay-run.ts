// Drives the engine through a recorded run, one operation at a time, and compares as it goes.

import { EVENT } from "../spec/event.ts";
import { EVENTQ_BASE, EVENTQ_PROD, STRTAB_BASE, STRTAB_BASE_CFG } from "../spec/register-queue.ts";
import { getField, wordsOf } from "../spec/word.ts";
import { bytesFromHex } from "./field.ts";
import { CommandChecker } from "./replay-commands.ts";
import { ConfigKeeper, type Templates } from "./replay-config.ts";
import type { FaultTests } from "./replay-faults.ts";
import type { ItsChecker } from "./replay-its.ts";
import type { ReplayMemory } from "./replay-memory.ts";
import type {
  CommandErrorOp,
  CommandOp,
  ReplayOp,
  StoreOp,
  TranslationOp,
  WriteOp,
} from "./replay-ops.ts";
import type { ReportBuilder } from "./replay-report.ts";
import type { ReplaySmmu } from "./replay-smmu.ts";
import { compareExact, compareOutcome } from "./replay-translate.ts";

/** What a run needs. */
export interface RunJob {
  /** Name of the list, for messages. */
  file: string;
  memory: ReplayMemory;
  smmus: ReplaySmmu[];
  its: ItsChecker | undefined;
  faults: FaultTests | undefined;
  templates: Templates;
  /** Index of the SMMU in front of a StreamID. */
  smmuOf(sid: number): number;
  report: ReportBuilder;
}

const EVENT_BYTES = 32;
const CMDQ_TRIGGERS = new Set([0x20, 0x64, 0x98]);
/** Page 0 offsets that the log uses for registers of page 1. */
const PAGE1_OFFSETS = new Set([0xa8, 0xac, 0xc8, 0xcc]);
const PAGE1 = 0x10000;
const WRITE_ONLY = 2;

/** The run's state: feed it every operation in order, then `end`. */
export class ReplayRun {
  readonly #job: RunJob;
  readonly #config: ConfigKeeper;
  #commands: CommandChecker[] = [];
  /** Whether memory is rebuilt from the list's own stores. */
  #ordered = false;
  /** Commands whose SMMU the next queue write will tell. */
  #unattributed: [CommandOp | CommandErrorOp, number][] = [];

  constructor(job: RunJob) {
    this.#job = job;
    this.#config = new ConfigKeeper(job.memory, job.templates);
    this.#makeCheckers();
  }

  /** Performs one operation. */
  step(op: ReplayOp, line: number): void {
    if (op.op !== "cmderr") for (const c of this.#commands) c.settle();
    if (op.op === "x") this.#translation(op, line);
    else if (op.op === "cmd" || op.op === "cmderr") this.#command(op, line);
    else if (op.op === "w") this.#write(op);
    else if (op.op === "its") this.#job.its?.command(op, line);
    else if (op.op === "msi") this.#job.its?.message(op, line);
    else this.#store(op);
  }

  /** Settles what still waits. */
  end(): void {
    this.#attribute(0);
    for (const c of this.#commands) c.end();
  }

  #makeCheckers(): void {
    const { memory, report, file, smmus } = this.#job;
    const options = { file, ordered: this.#ordered };
    this.#commands = smmus.map((s) => new CommandChecker(s, memory, report, options));
  }

  #command(op: CommandOp | CommandErrorOp, line: number): void {
    const single = this.#job.smmus.length === 1;
    if (!single && op.m === undefined) this.#unattributed.push([op, line]);
    else this.#feed(op.m ?? 0, op, line);
  }

  #feed(index: number, op: CommandOp | CommandErrorOp, line: number): void {
    const checker = this.#commands[index];
    if (op.op === "cmderr") checker?.error(op);
    else if (checker) checker.command(op, line);
    else this.#noSmmu("commands", op.name, index, line);
  }

  /** Gives the commands that waited for it to the SMMU whose queue was written. */
  #attribute(index: number): void {
    for (const [op, line] of this.#unattributed.splice(0)) this.#feed(index, op, line);
  }

  #write(op: WriteOp): void {
    const index = op.m ?? 0;
    const smmu = this.#job.smmus[index];
    if (!smmu) return;
    if (CMDQ_TRIGGERS.has(op.a)) this.#attribute(index);
    const offset = PAGE1_OFFSETS.has(op.a) ? op.a + PAGE1 : op.a;
    smmu.write(offset, BigInt(op.v), op.s === 8 ? 8 : 4);
    this.#commands[index].afterWrite();
  }

  /** A line of an SMMU that the manifest does not have cannot be checked: it differs. */
  #noSmmu(kind: "commands" | "translations" | "events", what: string, index: number, line: number) {
    const { report, file } = this.#job;
    const got = "not in manifest.json";
    report.mismatch({ kind, file, line, what, expected: `SMMU ${index}`, got });
  }

  #translation(x: TranslationOp, line: number): void {
    const { report, file, faults, memory } = this.#job;
    const index = x.m ?? this.#job.smmuOf(x.sid);
    const smmu = this.#job.smmus[index];
    if (smmu === undefined) {
      const what = `sid 0x${x.sid.toString(16)}`;
      this.#noSmmu("translations", what, index, line);
      if (x.evr !== undefined) this.#noSmmu("events", what, index, line);
      return;
    }
    const strtab = () => ({
      base: smmu.read(STRTAB_BASE.offset, 8),
      cfg: smmu.read(STRTAB_BASE_CFG.offset, 4),
    });
    const write = faults?.before(x, strtab());
    if (this.#ordered) for (const [at, value] of x.pte ?? []) this.#known(Number(at), value);
    else for (const [at, value] of x.pte ?? []) memory.write(Number(at), value, true);
    // An ordered run knows its entries, but for those on pages that it never showed.
    const known = this.#ordered && x.ste !== undefined && memory.knows(Number(x.ste));
    if (!known) this.#config.prepare(x, { strtab, oasBits: smmu.oasBits });
    const record = x.evr === undefined ? undefined : recordOf(x.evr);
    if (record) this.#makeRoom(smmu);
    const iova = record && beforeInput(x) ? record.address : (x.iova ?? 0);
    smmu.translate(x.sid, iova, {
      write: write ?? record?.write ?? (x.perm === WRITE_ONLY && x.res === "ok"),
      privileged: record?.privileged ?? false,
      instruction: record?.instruction ?? false,
    });
    faults?.after();
    if (smmu.compat === "arch" && write !== undefined) return;
    const differs =
      smmu.compat === "qemu" ? compareExact(x, smmu, this.#ordered) : compareOutcome(x, smmu);
    if (differs) report.mismatch({ kind: "translations", file, line, what: whatOf(x), ...differs });
    else report.match("translations");
    if (x.evr === undefined) return;
    const got = smmu.answer.record();
    if (got === x.evr) report.match("events");
    else report.mismatch({ kind: "events", file, line, what: whatOf(x), expected: x.evr, got });
  }

  /** Memory of a descriptor in an ordered run: known from the stores, or outside RAM. */
  #known(at: number, value: number | bigint): void {
    const { memory } = this.#job;
    if (memory.isRam(at)) memory.ensure(at);
    else memory.write(at, value, true);
  }

  /** Makes the slot that the next event record goes to exist. */
  #makeRoom(smmu: ReplaySmmu): void {
    const base = [smmu.read(EVENTQ_BASE.offset, 8)];
    const size = 2 ** Number(getField(EVENTQ_BASE, base, "LOG2SIZE"));
    const prod = [smmu.read(EVENTQ_PROD.offset, 4)];
    const index = Number(getField(EVENTQ_PROD, prod, "WR")) % size;
    this.#job.memory.ensure(Number(getField(EVENTQ_BASE, base, "ADDR")) + EVENT_BYTES * index);
  }

  /** A store by the guest's CPUs, or a page that the SMMU starts or ceases to see. */
  #store(op: StoreOp): void {
    const { memory } = this.#job;
    if (!this.#ordered) {
      this.#ordered = true;
      memory.forgetImage();
      for (const c of this.#commands) c.end();
      this.#makeCheckers();
    }
    const at = Number(op.a);
    if (op.op === "pg") memory.clear(at);
    else if (op.op === "pgx") memory.remove(at);
    else memory.write(at - (at % 8), BigInt(op.v as string));
  }
}

/** What an event record says of the access. */
interface RecordedAccess {
  write: boolean;
  privileged: boolean;
  instruction: boolean;
  address: bigint;
}

const whatOf = (x: TranslationOp): string =>
  `sid 0x${x.sid.toString(16)} iova 0x${(x.iova ?? 0).toString(16)}`;

/**
 * Whether the request failed before its own address was looked up: translating the CD or a table
 * base. The line then has that address, and only the record has the request's.
 */
function beforeInput(x: TranslationOp): boolean {
  return x.cfg === 0 && x.lk !== undefined && x.cd !== undefined && x.lk.every((l) => l[0] === -1);
}

function recordOf(evr: string): RecordedAccess {
  const words = wordsOf(bytesFromHex(evr));
  const type = EVENT.caseOf(Number(getField(EVENT, words, "EventID")));
  const has = (name: "RnW" | "PnU" | "InD") =>
    type !== undefined && name in type.field && getField(EVENT, words, name) === 1n;
  const directed = type !== undefined && "RnW" in type.field;
  return {
    write: directed && !has("RnW"),
    privileged: has("PnU"),
    instruction: has("InD"),
    address: getField(EVENT, words, "InputAddr"),
  };
}
