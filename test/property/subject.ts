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
  CMDQ_PROD: 0x98,
  EVENTQ_BASE: 0xa0,
  EVENTQ_PROD: 0x100a8,
  EVENTQ_CONS: 0x100ac,
};
/** Where the cases' event queue lies: outside everything that they touch. */
const EVENTQ_AT = 0x7fff_0000n;
const EVENTQ_LOG2 = 4n;

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
  #written: bigint[] = [];

  private constructor(smmu: Smmu, map: AddressMap, mode: Compat) {
    this.smmu = smmu;
    this.map = map;
    this.mode = mode;
  }

  static async create(mode: Compat, cache: CachePolicy): Promise<Subject> {
    const memory = HostMemory.create();
    const map = new AddressMap(memory);
    for (const { base, bytes } of RAM_RANGES) map.mapRam(base, bytes);
    map.mapRam(EVENTQ_AT, 4096);
    const smmu = await Smmu.create(memory, map, { compat: mode, cache });
    return new Subject(smmu, map, mode);
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
      [REG.EVENTQ_BASE, Number(EVENTQ_AT | EVENTQ_LOG2)],
      [REG.EVENTQ_BASE + 4, 0],
      [REG.CR0, r.cr0],
    ]);
  }

  /** Makes one request; the event queue is emptied after it. */
  run(request: GeneratedRequest): Comparable {
    const t = this.smmu.translate(request);
    const prod = Number(this.smmu.readRegister(REG.EVENTQ_PROD));
    this.smmu.writeRegister(REG.EVENTQ_CONS, prod);
    return ofEngine(t, this.mode);
  }
}
