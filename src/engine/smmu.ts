// One SMMUv3: an instance of the engine over a linear memory, seen through an address map.
import { getNarrow, getWide, offsetOf } from "../spec/abi.ts";
import { CACHE, MSI_SOURCE, MSI_WRITE, PENDING, PLACE, RESULT } from "../spec/abi-records.ts";
import { ANSWER_META } from "../spec/abi-words.ts";
import { CMD } from "../spec/command.ts";
import { EVENT } from "../spec/event.ts";
import { codeOf } from "../spec/field.ts";
import { quirkWord } from "../spec/quirks.ts";
import { STE } from "../spec/ste.ts";
import { readHalves, wordsOf } from "../spec/word.ts";
import { BatchRing } from "./batch.ts";
import { readSteps } from "./explain.ts";
import { type IdRegisters, QEMU_ID } from "./identity.ts";
import type { AddressMap, HostMemory } from "./memory.ts";
import { type EngineExports, instantiate, loadModule } from "./module.ts";
import { requestFlags } from "./request.ts";
import type {
  CachePolicy,
  Compat,
  Counters,
  Explanation,
  FaultEvent,
  Interrupts,
  SmmuMsi,
  TranslateRequest,
  TranslateStatus,
  Translation,
} from "./types.ts";

const RECORD_BYTES = 32;
const SIZES = Array.from({ length: 64 }, (_, bits) => 1n << BigInt(bits));
/** Where the RESULT's ANSWER_META lies. */
const META = offsetOf(RESULT, "meta");
const PAGE = 4096;
/** `place` of the command that was fetched last, and of the copy of an STE. */
const COMMAND = codeOf(PLACE, "COMMAND");
const STE_COPY = codeOf(PLACE, "STE");
const STATUS = Object.values(ANSWER_META.field.status.values ?? {}).map((name) =>
  name.toLowerCase(),
) as TranslateStatus[];
const ID_OFFSETS: readonly [keyof IdRegisters, number][] = [
  ["idr0", 0x00],
  ["idr1", 0x04],
  ["idr2", 0x08],
  ["idr3", 0x0c],
  ["idr4", 0x10],
  ["idr5", 0x14],
  ["iidr", 0x18],
  ["aidr", 0x1c],
];

const POLICY: Readonly<Record<CachePolicy, number>> = {
  none: codeOf(CACHE, "NONE"),
  fast: codeOf(CACHE, "FAST"),
  qemu: codeOf(CACHE, "QEMU"),
};
/** How an SMMU is made. */
export interface SmmuOptions {
  /** Default "arch". */
  compat?: Compat;
  /** Quirk bits (src/spec/quirks.ts); default those of `compat`. */
  quirks?: bigint;
  /** Default: QEMU's caches in `qemu`, else the fast ones. */
  cache?: CachePolicy;
  /** Differences from QEMU's nested model. */
  id?: Partial<IdRegisters>;
  /** Whether event records that differ only in the page offset are merged (7.3.1). */
  mergeEvents?: boolean;
  /** A compiled module, to share it between instances. */
  module?: WebAssembly.Module;
}

/** An SMMUv3. Addresses are those of `map`; register offsets lie within its 128 KiB. */
export class Smmu {
  readonly memory: HostMemory;
  readonly map: AddressMap;
  readonly compat: Compat;
  /** Linear address of the RESULT record, for callers that avoid objects. */
  readonly resultLin: number;
  /** Linear address of the first TRACE record. */
  readonly traceLin: number;
  /** Linear address of the event record of the last fault. */
  readonly eventLin: number;
  readonly #engine: EngineExports;
  /** The engine's function, found once: its exports are a slow object. */
  readonly #translate: EngineExports["translate"];
  readonly #msiLin: number;
  #tracing = false;

  private constructor(
    memory: HostMemory,
    map: AddressMap,
    compat: Compat,
    engine: EngineExports,
    at: number,
  ) {
    this.memory = memory;
    this.map = map;
    this.compat = compat;
    this.#engine = engine;
    this.#translate = engine.translate;
    engine.init(at);
    this.resultLin = engine.place(codeOf(PLACE, "RESULT"));
    this.traceLin = engine.place(codeOf(PLACE, "TRACE"));
    this.eventLin = engine.place(codeOf(PLACE, "EVENT"));
    this.#msiLin = engine.place(codeOf(PLACE, "MSI"));
  }

  /** Makes an SMMU at reset. */
  static async create(
    memory: HostMemory,
    map: AddressMap,
    options: SmmuOptions = {},
  ): Promise<Smmu> {
    const module = options.module ?? (await loadModule(memory.shared));
    return Smmu.over(await instantiate(memory.memory, module), memory, map, options);
  }

  /** Makes an SMMU at reset of a fresh engine over `memory`. */
  static over(
    engine: EngineExports,
    memory: HostMemory,
    map: AddressMap,
    options: SmmuOptions = {},
  ): Smmu {
    const compat = options.compat ?? "arch";
    const at = memory.alloc(engine.stateBytes(), PAGE);
    const smmu = new Smmu(memory, map, compat, engine, at);
    smmu.#identify({ ...QEMU_ID, ...options.id });
    const cache = options.cache ?? (compat === "qemu" ? "qemu" : "fast");
    const quirks = options.quirks ?? quirkWord(compat);
    engine.configure(quirks, POLICY[cache], options.mergeEvents ? 1 : 0);
    map.attach(({ root, base, bytes, lin }) => engine.attach(root, base, bytes, lin));
    return smmu;
  }

  /** The raw ABI, for tools that run many operations. */
  get engine(): EngineExports {
    return this.#engine;
  }

  #identify(id: IdRegisters): void {
    for (const [name, offset] of ID_OFFSETS) this.#engine.restore(offset, id[name]);
  }

  /** Back to power-on state; the ID registers stay. */
  reset(): void {
    this.#engine.reset();
  }

  /** Empties the IOTLB and the configuration cache (never needed for correctness). */
  flushCaches(): void {
    this.#engine.flushCaches();
  }

  /** Reads a register of `size` bytes (4 or 8). */
  readRegister(offset: number, size: 4 | 8 = 4): bigint {
    return BigInt.asUintN(64, this.#engine.mmioRead(offset, size));
  }

  /** Writes a register; commands that it makes available are executed at once. */
  writeRegister(offset: number, value: bigint | number, size: 4 | 8 = 4): void {
    this.#engine.mmioWrite(offset, size, BigInt.asUintN(64, BigInt(value)));
  }

  /**
   * Puts a stopped machine's register values back: [offset, 32-bit value] pairs, without guards or
   * effects. The caches are emptied.
   */
  restoreRegisters(entries: Iterable<readonly [number, number]>): void {
    for (const [offset, value] of entries) this.#engine.restore(offset, value);
    this.#engine.flushCaches();
  }

  /** Translates one transaction. */
  translate(request: TranslateRequest): Translation {
    this.#translate(request.sid, requestFlags(request), request.iova);
    return this.#result();
  }

  /** Translates and leaves everything in the RESULT record: the status number comes back. */
  translateRaw(sid: number, flags: number, iova: bigint): number {
    return this.#translate(sid, flags, iova);
  }

  /** Translates one transaction and tells every look-up and fetch in order. */
  explain(request: TranslateRequest): Explanation {
    const before = this.#tracing;
    this.trace(true);
    const result = this.translate(request);
    const steps = readSteps(this.memory, this.traceLin, this.traceCount());
    this.trace(before);
    return { ...result, steps };
  }

  /** A ring of requests and answers in linear memory, for many translations at a time. */
  ring(capacity: number): BatchRing {
    return new BatchRing(this, capacity);
  }

  /** Whether operations leave TRACE records. */
  trace(on: boolean): void {
    this.#tracing = on;
    this.#engine.traceOn(on ? 1 : 0);
  }

  /** TRACE records of the last operation. */
  traceCount(): number {
    return this.#engine.traceLength();
  }

  /** Whether register writes execute commands; when not, `stepCommands` does. */
  autoConsume(on: boolean): void {
    this.#engine.autoConsume(on ? 1 : 0);
  }

  /** Executes at most `limit` queued commands and gives their number. */
  stepCommands(limit = 1): number {
    return this.#engine.step(limit);
  }

  /** Bytes of the command that the last step executed or stopped at. */
  lastCommand(): Uint8Array {
    return this.memory.bytes(this.#engine.place(COMMAND), CMD.bytes).slice();
  }

  /** Refuses the command that `stepCommands` consumed last: its queue stops there with a CERROR. */
  rejectCommand(cerror: number): void {
    this.#engine.reject(cerror);
  }

  /** Executes a command that came through another queue; gives its CERROR code, 0 for none. */
  executeCommand(command: Uint8Array): number {
    this.memory.bytes(this.#engine.place(COMMAND), CMD.bytes).set(command);
    return this.#engine.executeCommand();
  }

  /**
   * The words of a stream's STE as guest memory has them now, or the number of the fault's event.
   */
  findSte(sid: number): bigint[] | number {
    const event = this.#engine.findSte(sid);
    if (event !== 0) return event;
    return wordsOf(this.memory.bytes(this.#engine.place(STE_COPY), STE.bytes));
  }

  /** Appends a 32-byte record to the event queue; false when it was lost. */
  appendEvent(record: Uint8Array): boolean {
    this.memory.bytes(this.eventLin, RECORD_BYTES).set(record.subarray(0, RECORD_BYTES));
    return this.#engine.appendEvent() !== 0;
  }

  /** Interrupt edges and undelivered MSIs since the last call. */
  takeInterrupts(): Interrupts {
    const word = this.#engine.pending();
    const has = (name: string): boolean => (word & codeOf(PENDING, name)) !== 0;
    return {
      eventq: has("EVENTQ"),
      priq: has("PRIQ"),
      cmdSync: has("CMD_SYNC"),
      gerror: has("GERROR"),
      sev: has("SEV"),
      msis: this.#takeMsis(),
    };
  }

  /** Reports an MSI of `takeInterrupts` that nothing took: its GERROR bit rises. */
  abortMsi(msi: SmmuMsi): void {
    const name = msi.source.toUpperCase().replace("-", "_");
    this.#engine.msiAborted(codeOf(MSI_SOURCE, name));
  }

  #takeMsis(): SmmuMsi[] {
    const view = this.memory.view();
    const msis: SmmuMsi[] = [];
    for (let i = 0; i < this.#engine.msis(); i++) {
      const at = this.#msiLin + i * MSI_WRITE.bytes;
      const source = MSI_SOURCE.values[getNarrow(MSI_WRITE, view, at, "source")] ?? "EVENTQ";
      msis.push({
        address: getWide(MSI_WRITE, view, at, "address"),
        data: getNarrow(MSI_WRITE, view, at, "data"),
        source: source.toLowerCase().replace("_", "-") as SmmuMsi["source"],
      });
    }
    this.#engine.clearMsis();
    return msis;
  }

  /** Counts since the last `resetCounters`. */
  get counters(): Counters {
    const [guestReads, guestWrites, lookups, hits, configDecodes, commands] = [
      0, 1, 2, 3, 4, 5,
    ].map((which) => this.#engine.counter(which) >>> 0);
    return { guestReads, guestWrites, lookups, hits, configDecodes, commands };
  }

  resetCounters(): void {
    this.#engine.resetCounters();
  }

  #result(): Translation {
    const view = this.memory.view();
    const low = view.getUint32(this.resultLin + META, true);
    const high = view.getUint32(this.resultLin + META + 4, true);
    const { field } = ANSWER_META;
    const status = STATUS[readHalves(field.status, low, high)] ?? "abort";
    const fetches = getNarrow(RESULT, view, this.resultLin, "fetches");
    const translation: Translation = { status, fetches };
    if (status === "ok" || status === "bypass") {
      translation.pa = getWide(RESULT, view, this.resultLin, "pa");
      translation.size = SIZES[readHalves(field.pageBits, low, high)];
      translation.perm = readHalves(field.perm, low, high);
      translation.stage = readHalves(field.stage, low, high);
      translation.attributes = {
        memAttr: readHalves(field.memAttr, low, high),
        shareability: readHalves(field.sh, low, high),
      };
    }
    const type = readHalves(field.eventType, low, high);
    const recorded = getNarrow(RESULT, view, this.resultLin, "recorded");
    if (type !== 0) translation.event = this.#event(type, recorded !== 0);
    return translation;
  }

  #event(type: number, recorded: boolean): FaultEvent {
    const record = this.memory.bytes(this.eventLin, RECORD_BYTES).slice();
    return { type, name: EVENT.caseOf(type)?.name ?? `0x${type.toString(16)}`, record, recorded };
  }
}
