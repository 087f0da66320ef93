// The engine as the subject of the property tests: one case in, one comparable answer out.
import { AddressMap, HostMemory } from "../../src/engine/memory.ts";
import { Smmu } from "../../src/engine/smmu.ts";
import type { CachePolicy, Compat, Translation } from "../../src/engine/types.ts";
import type { OracleAnswer } from "../oracle/oracle.ts";
import type { GeneratedCase, GeneratedRequest } from "./generate.ts";
import { RAM_RANGES } from "./layout.ts";

/** What both sides must agree on. */
export interface Comparable {
  status: string;
  pa?: string;
  pageBits?: number;
  perm?: number;
  memAttr?: number;
  sh?: number;
  stage?: number;
  recorded: boolean;
  record?: string;
}

const REG = {
  CR0: 0x20,
  CR1: 0x28,
  CR2: 0x2c,
  GBPA: 0x44,
  STRTAB_BASE: 0x80,
  STRTAB_BASE_CFG: 0x88,
  CMDQ_BASE: 0x90,
  CMDQ_PROD: 0x98,
  CMDQ_CONS: 0x9c,
  EVENTQ_BASE: 0xa0,
  EVENTQ_PROD: 0x100a8,
  EVENTQ_CONS: 0x100ac,
};
/** Where the cases' event queue lies: outside everything that they touch. */
const EVENTQ_AT = 0x7fff_0000n;
/** Entries of the event queue as log2: one translation at a time needs few. */
const EVENTQ_LOG2 = 4;
const EVENT_BYTES = 32;
/** The cases' command queue: 32 entries in the page after the event queue's. */
const CMDQ_AT = EVENTQ_AT + 0x1000n;
const CMDQ_LOG2 = 5n;
const COMMAND_BYTES = 16;

const hex = (bytes: Uint8Array): string =>
  [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");

/** The oracle's answer in the common form. */
export function ofOracle(a: OracleAnswer, mode: Compat): Comparable {
  const out: Comparable = { status: a.status, recorded: a.recorded };
  if (a.status === "ok") {
    out.pa = a.pa?.toString(16);
    out.pageBits = a.pageBits;
    out.perm = mode === "qemu" ? (a.perm ?? 0) & 3 : a.perm;
    out.stage = a.stage;
  } else if (a.status === "bypass") {
    out.pa = a.pa?.toString(16);
  }
  if (mode === "arch" && (a.status === "ok" || a.status === "bypass")) {
    out.memAttr = a.memattr;
    out.sh = a.sh;
  }
  if (a.recorded && a.record) out.record = hex(a.record);
  return out;
}

/** The engine's answer in the common form. */
export function ofEngine(t: Translation, mode: Compat): Comparable {
  const recorded = t.event?.recorded ?? false;
  // The oracle calls a fault silent whenever nothing reached the queue.
  const status = t.status === "event" && !recorded ? "silent" : t.status;
  const out: Comparable = { status, recorded };
  if (t.status === "ok") {
    out.pa = t.pa?.toString(16);
    out.pageBits = (t.size ?? 1n).toString(2).length - 1;
    out.perm = mode === "qemu" ? (t.perm ?? 0) & 3 : t.perm;
    out.stage = t.stage;
  } else if (t.status === "bypass") {
    out.pa = t.pa?.toString(16);
  }
  if (mode === "arch" && (t.status === "ok" || t.status === "bypass")) {
    out.memAttr = t.attributes?.memAttr;
    out.sh = t.attributes?.shareability;
  }
  if (recorded && t.event) out.record = hex(t.event.record);
  return out;
}

/** An engine that is loaded with one case after another. */
export class Subject {
  readonly smmu: Smmu;
  readonly map: AddressMap;
  readonly mode: Compat;
  readonly #eventqLog2: number;
  #written: bigint[] = [];

  private constructor(smmu: Smmu, map: AddressMap, mode: Compat, eventqLog2: number) {
    this.smmu = smmu;
    this.map = map;
    this.mode = mode;
    this.#eventqLog2 = eventqLog2;
  }

  /** `eventqLog2` is at most 7: the queue has one page. */
  static async create(
    mode: Compat,
    cache: CachePolicy,
    eventqLog2 = EVENTQ_LOG2,
  ): Promise<Subject> {
    const map = Subject.mapOf(HostMemory.create());
    return Subject.of(await Smmu.create(map.memory, map, { compat: mode, cache }), eventqLog2);
  }

  /** A map of `memory` with the RAM of all cases. */
  static mapOf(memory: HostMemory): AddressMap {
    const map = new AddressMap(memory);
    for (const { base, bytes } of RAM_RANGES) map.mapRam(base, bytes);
    map.mapRam(EVENTQ_AT, 0x2000);
    return map;
  }

  /** An SMMU over a map of `mapOf` as the subject. */
  static of(smmu: Smmu, eventqLog2 = EVENTQ_LOG2): Subject {
    return new Subject(smmu, smmu.map, smmu.compat, eventqLog2);
  }

  /** Puts a case's memory and registers in place and empties the caches. */
  load(c: GeneratedCase): void {
    for (const at of this.#written) this.map.writeU64(at, 0n);
    this.#written = c.memory.map(([at]) => at);
    for (const [at, word] of c.memory) this.map.writeU64(at, word);
    const r = c.registers;
    this.smmu.reset();
    const ids = [r.idr0, r.idr1, r.idr2, r.idr3, r.idr4, r.idr5];
    this.smmu.restoreRegisters([
      ...ids.map((value, i) => [i * 4, value] as const),
      [0x1c, r.aidr],
      [REG.CR1, r.cr1 ?? 0],
      [REG.CR2, r.cr2],
      [REG.GBPA, r.gbpa],
      [REG.STRTAB_BASE, Number(BigInt.asUintN(32, r.strtabBase))],
      [REG.STRTAB_BASE + 4, Number(r.strtabBase >> 32n)],
      [REG.STRTAB_BASE_CFG, r.strtabBaseCfg],
      [REG.EVENTQ_BASE, Number(EVENTQ_AT) + this.#eventqLog2],
      [REG.EVENTQ_BASE + 4, 0],
      [REG.CMDQ_BASE, Number(CMDQ_AT | CMDQ_LOG2)],
      [REG.CMDQ_BASE + 4, 0],
      [REG.CR0, r.cr0],
    ]);
  }

  /** Puts commands on the queue, one after the other; RangeError when one is not consumed. */
  command(...commands: Uint8Array[]): void {
    const wrap = 2 ** (Number(CMDQ_LOG2) + 1);
    for (const bytes of commands) {
      const prod = Number(this.smmu.readRegister(REG.CMDQ_PROD));
      const index = prod % (wrap / 2);
      this.map.writeBytes(CMDQ_AT + BigInt(index * COMMAND_BYTES), bytes);
      const next = (prod + 1) % wrap;
      this.smmu.writeRegister(REG.CMDQ_PROD, next);
      const cons = Number(this.smmu.readRegister(REG.CMDQ_CONS));
      if (cons !== next) {
        throw new RangeError(
          `command 0x${hex(bytes)} stops the queue: CONS 0x${cons.toString(16)}`,
        );
      }
    }
  }

  /** Makes one request; the event queue is emptied after it. */
  run(request: GeneratedRequest): Comparable {
    return ofEngine(this.translate(request), this.mode);
  }

  /** The same, with the engine's whole answer. */
  translate(request: GeneratedRequest): Translation {
    const t = this.smmu.translate(request);
    const prod = Number(this.smmu.readRegister(REG.EVENTQ_PROD));
    this.smmu.writeRegister(REG.EVENTQ_CONS, prod);
    return t;
  }

  /** Bytes of an entry of the event queue. */
  record(index: number): Uint8Array {
    const at = EVENTQ_AT + BigInt(index * EVENT_BYTES);
    return this.map.readBytes(at, EVENT_BYTES) ?? new Uint8Array();
  }
}
