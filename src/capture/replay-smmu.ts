// One engine of a replay: raw calls without objects, its answer and its trace.

import { Smmu, type SmmuOptions } from "../engine/smmu.ts";
import type { Compat } from "../engine/types.ts";
import { offsetOf } from "../spec/abi.ts";
import { RESULT } from "../spec/abi-records.ts";
import { ANSWER_META, REQUEST_FLAGS } from "../spec/abi-words.ts";
import { EVENT } from "../spec/event.ts";
import { CMDQ_CONS, CMDQ_PROD, GERROR, GERRORN, IDR5 } from "../spec/register.ts";
import { getField, packFields, readHalves, wordsOf } from "../spec/word.ts";
import type { Int } from "./json.ts";
import type { SmmuState } from "./manifest.ts";
import { idRegisters, registerWords } from "./registers.ts";
import type { ReplayMemory } from "./replay-memory.ts";
import { TraceView } from "./trace-view.ts";

/** Attributes of one access; all default to false. */
export interface Access {
  write?: boolean;
  privileged?: boolean;
  instruction?: boolean;
}

const RECORD_BYTES = 32;
const OUTCOMES = ANSWER_META.field.status.values ?? {};
const flag = (name: "write" | "privileged" | "instruction") =>
  Number(packFields(REQUEST_FLAGS, { [name]: 1 })[0]);
const FLAGS = {
  write: flag("write"),
  privileged: flag("privileged"),
  instruction: flag("instruction"),
};
const AT = { pa: offsetOf(RESULT, "pa"), meta: offsetOf(RESULT, "meta") };
const READ_WRITE = 3;
const OAS_BITS = [32, 36, 40, 42, 44, 48, 52, 56];

/** The answer to the last translation, read from the engine's records on demand. */
export class EngineAnswer {
  /** "ok", "bypass", "abort", "event", "silent" or "razwi". */
  outcome = "abort";
  readonly #smmu: Smmu;

  constructor(smmu: Smmu) {
    this.#smmu = smmu;
  }

  /** Read and write permission of the entry (1, 2). */
  get perm(): number {
    return this.#field("perm") & READ_WRITE;
  }

  get stage(): number {
    return this.#field("stage");
  }

  pa(): bigint {
    return this.#smmu.memory.readU64(this.#smmu.resultLin + AT.pa);
  }

  paIs(expected: Int): boolean {
    const view = this.#smmu.memory.view();
    const at = this.#smmu.resultLin + AT.pa;
    if (typeof expected === "bigint") return view.getBigUint64(at, true) === expected;
    return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true) === expected;
  }

  /** The event's name: "F_TRANSLATION". */
  eventName(): string {
    const type = this.#field("eventType");
    return EVENT.caseOf(type)?.name ?? `0x${type.toString(16)}`;
  }

  /** The event record, 32 bytes in hexadecimal; empty when there is no event. */
  record(): string {
    if (this.outcome !== "event") return "";
    return Array.from(this.#record(), (b) => b.toString(16).padStart(2, "0")).join("");
  }

  /** Whether the event is about stage 2, and its IPA. */
  isStage2(): boolean {
    return getField(EVENT, wordsOf(this.#record()), "S2") === 1n;
  }

  ipa(): bigint {
    return getField(EVENT, wordsOf(this.#record()), "IPA");
  }

  #field(name: keyof typeof ANSWER_META.field): number {
    const view = this.#smmu.memory.view();
    const at = this.#smmu.resultLin + AT.meta;
    const [low, high] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    return readHalves(ANSWER_META.field[name], low, high);
  }

  #record(): Uint8Array {
    return this.#smmu.memory.bytes(this.#smmu.eventLin, RECORD_BYTES);
  }
}

/** An engine with its trace on. */
export class ReplaySmmu {
  readonly smmu: Smmu;
  readonly compat: Compat;
  readonly answer: EngineAnswer;
  readonly trace: TraceView;
  /** Output address size in bits (IDR5.OAS). */
  readonly oasBits: number;

  /** Linear address of the register file, by page 0 offset. */
  readonly #registers: number;

  private constructor(smmu: Smmu, state: SmmuState) {
    this.smmu = smmu;
    this.#registers = smmu.engine.place(0);
    this.compat = smmu.compat;
    this.answer = new EngineAnswer(smmu);
    this.trace = new TraceView(smmu.memory.memory, smmu.traceLin);
    const idr5 = state.regs.get("IDR5") ?? 0n;
    this.oasBits = OAS_BITS[Number(getField(IDR5, [idr5], "OAS"))];
    smmu.trace(true);
  }

  /** An engine at reset that identifies itself as the captured SMMU did. */
  static async create(
    memory: ReplayMemory,
    state: SmmuState,
    options: SmmuOptions,
  ): Promise<ReplaySmmu> {
    const id = idRegisters(state.regs);
    const smmu = await Smmu.create(memory.map.memory, memory.map, { ...options, id });
    return new ReplaySmmu(smmu, state);
  }

  /** Puts it into the state of the stop. */
  restore(state: SmmuState): void {
    this.smmu.restoreRegisters(registerWords(state.regs));
  }

  read(offset: number, size: 4 | 8): bigint {
    return this.smmu.readRegister(offset, size);
  }

  write(offset: number, value: bigint, size: 4 | 8): void {
    this.smmu.writeRegister(offset, value, size);
    this.trace.refresh();
  }

  /** Empties the caches. */
  forget(): void {
    this.smmu.flushCaches();
  }

  /** One translation; the result is in `answer` and `trace`. */
  translate(sid: number, iova: Int, access: Access = {}): void {
    let flags = access.write ? FLAGS.write : 0;
    if (access.privileged) flags |= FLAGS.privileged;
    if (access.instruction) flags |= FLAGS.instruction;
    const status = this.smmu.translateRaw(sid, flags, BigInt(iova));
    this.answer.outcome = (OUTCOMES[status] ?? "abort").toLowerCase();
    this.trace.refresh();
  }

  /** Trace records of the last translation or register write. */
  traceCount(): number {
    return this.smmu.traceCount();
  }

  /** Lets the engine see commands up to `prod`. */
  produceCommands(prod: number): void {
    this.write(CMDQ_PROD.offset, BigInt(prod), 4);
  }

  /** A 32-bit register of page 0, as it is stored. */
  stored(offset: number): number {
    return this.smmu.memory.view().getUint32(this.#registers + offset, true);
  }

  /** CMDQ_CONS.ERR while a command error is active. */
  commandError(): number | undefined {
    const active = this.stored(GERROR.offset) ^ this.stored(GERRORN.offset);
    if (active === 0 || getField(GERROR, [BigInt(active >>> 0)], "CMDQ_ERR") === 0n) {
      return undefined;
    }
    return Number(getField(CMDQ_CONS, [BigInt(this.stored(CMDQ_CONS.offset))], "ERR"));
  }

  /** Whether a RANGE record is an `ri` row: VMID, ASID, address, TG, pages, TTL, leaf, stage. */
  rangePieceIs(i: number, row: readonly Int[]): boolean {
    const { trace: t } = this;
    if (row[0] !== t.vmid(i) || row[1] !== t.asid(i) || row[3] !== t.aux(i)) return false;
    if (row[5] !== t.level(i) || row[6] !== t.flags(i) || row[7] !== t.stage(i)) return false;
    return t.addressIs(i, row[2]) && t.valueIs(i, row[4]);
  }

  /** A RANGE record in the order of the `ri` columns. */
  rangePiece(i: number): string[] {
    const { trace: t } = this;
    const ttl = t.level(i);
    const row = [t.vmid(i), t.asid(i), t.address(i), t.aux(i), t.value(i), ttl, t.flags(i)];
    return [...row, t.stage(i)].map(String);
  }
}
