// Runs the cases of a golden file: batches of 64 devices whose answers a real QEMU gave.
import { AddressMap, HostMemory } from "../engine/memory.ts";
import { Smmu } from "../engine/smmu.ts";
import type { Compat, Step, TranslateRequest, Translation } from "../engine/types.ts";
import { dmaPieces } from "../qtest/dma.ts";
import { mapVirt } from "../qtest/memory-map.ts";
import {
  CMDQ_BASE,
  CMDQ_CONS,
  CMDQ_PROD,
  CR0,
  CR1,
  CR2,
  EVENTQ_BASE,
  EVENTQ_CONS,
  EVENTQ_PROD,
  STRTAB_BASE,
  STRTAB_BASE_CFG,
} from "../spec/register.ts";
import type { GoldenCase, Inserted, Outcome } from "./golden-case.ts";
import { toHex } from "./program.ts";

/** Cases of one batch. */
export const BATCH = 64;
const RAM_BYTES = 0x20000000;
const STRTAB = 0x40100000n;
const CMDQ = 0x40200000n;
const CMDQ_LOG2 = 10;
const EVENTQ = 0x40240000n;
const EVENTQ_LOG2 = 12;
const STE_BYTES = 64n;
const RECORD_BYTES = 32;
/** What iommu-testdev stores. */
const PATTERN = new Uint8Array([0x78, 0x56, 0x34, 0x12]);
/** CFGI_ALL, TLBI_NSNH_ALL, CMD_SYNC: both words of each. */
const INVALIDATE: readonly (readonly [bigint, bigint])[] = [
  [0x04n, 31n],
  [0x30n, 0n],
  [0x46n, 0n],
];

/** What the engine did with one case, in the file's form. */
export interface GoldenAnswer {
  t: Outcome | null;
  ev: string[];
}

/** A machine set up as the file's README says; it lives through all batches. */
export class GoldenMachine {
  readonly #smmu: Smmu;
  readonly #map: AddressMap;
  /** Commands ever queued, and event records ever seen, modulo twice the queue. */
  #prod = 0;
  #events = 0;
  /** Words that the last batch wrote through `mem`. */
  #written: bigint[] = [];

  private constructor(smmu: Smmu, map: AddressMap) {
    this.#smmu = smmu;
    this.#map = map;
  }

  /** Builds the machine and programs its SMMU. */
  static async create(compat: Compat): Promise<GoldenMachine> {
    const memory = HostMemory.create();
    const map = new AddressMap(memory);
    mapVirt(map, RAM_BYTES);
    const smmu = await Smmu.create(memory, map, { compat });
    const write = (register: { offset: number }, value: bigint | number, size: 4 | 8 = 4) =>
      smmu.writeRegister(register.offset, value, size);
    write(CR0, 0);
    write(CR1, 0xd75);
    write(CR2, 2);
    write(CMDQ_BASE, CMDQ + BigInt(CMDQ_LOG2), 8);
    write(EVENTQ_BASE, EVENTQ + BigInt(EVENTQ_LOG2), 8);
    for (const register of [CMDQ_PROD, CMDQ_CONS, EVENTQ_PROD, EVENTQ_CONS]) write(register, 0);
    write(STRTAB_BASE_CFG, 8);
    write(STRTAB_BASE, STRTAB, 8);
    write(CR0, 0xd);
    return new GoldenMachine(smmu, map);
  }

  /** Writes one batch to memory, invalidates, and runs its cases in order. */
  run(cases: readonly GoldenCase[]): GoldenAnswer[] {
    this.#load(cases);
    this.#invalidate();
    let inserts: Inserted[] = [];
    const answers = cases.map((c) => {
      const { steps, last } = this.#dma(c);
      for (const step of steps) if (step.what === "iotlb-insert") inserts.push(inserted(step));
      const t = outcome(last, inserts);
      if (t) inserts = [];
      return { t, ev: this.#takeEvents() };
    });
    this.#smmu.writeRegister(EVENTQ_CONS.offset, this.#events);
    return answers;
  }

  #load(cases: readonly GoldenCase[]): void {
    for (const at of this.#written) this.#map.writeU64(at, 0n);
    this.#written = [];
    for (const c of cases) {
      this.#map.writeBytes(STRTAB + BigInt(c.sid) * STE_BYTES, c.ste);
      this.#map.writeBytes(c.cdA, c.cd);
      for (const [at, value] of c.mem) {
        this.#map.writeU64(at, value);
        this.#written.push(at);
      }
    }
  }

  #invalidate(): void {
    const entries = 2 ** CMDQ_LOG2;
    for (const [low, high] of INVALIDATE) {
      const at = CMDQ + BigInt((this.#prod % entries) * 16);
      this.#map.writeU64(at, low);
      this.#map.writeU64(at + 8n, high);
      this.#prod = (this.#prod + 1) % (2 * entries);
    }
    this.#smmu.writeRegister(CMDQ_PROD.offset, this.#prod);
  }

  /** One 4-byte write; `last` is the translation of its last piece. */
  #dma(c: GoldenCase): { steps: Step[]; last: Translation } {
    const steps: Step[] = [];
    let last: Translation = { status: "abort", fetches: 0 };
    const translate = (request: TranslateRequest): Translation => {
      const explained = this.#smmu.explain(request);
      steps.push(...explained.steps);
      last = explained;
      return explained;
    };
    const access = { sid: c.sid, iova: c.iova, bytes: PATTERN.length, write: c.w === 1 };
    let done = 0;
    const direct = (pa: bigint) => (this.#map.isWritable(pa) ? BigInt(access.bytes) : 0n);
    for (const piece of dmaPieces(access, direct, translate, this.#smmu.compat)) {
      const data = PATTERN.subarray(done, done + piece.bytes);
      if (piece.pa !== undefined && access.write) this.#map.writeBytes(piece.pa, data);
      done += piece.bytes;
    }
    return { steps, last };
  }

  #takeEvents(): string[] {
    const prod = Number(this.#smmu.readRegister(EVENTQ_PROD.offset));
    const entries = 2 ** EVENTQ_LOG2;
    const records: string[] = [];
    for (; this.#events !== prod; this.#events = (this.#events + 1) % (2 * entries)) {
      const at = EVENTQ + BigInt((this.#events % entries) * RECORD_BYTES);
      records.push(toHex(this.#map.readBytes(at, RECORD_BYTES) as Uint8Array));
    }
    return records;
  }
}

/** An IOTLB insert in the file's form. */
function inserted(step: Step): Inserted {
  return [step.asid, step.vmid, step.address, step.aux, step.level];
}

/** The `t` of a case: null when a fault or nothing came of it. */
function outcome(result: Translation, tlb: Inserted[]): Outcome | null {
  if (result.status === "bypass") return { kind: "bypass", tlb };
  if (result.status === "abort") return { kind: "abort", tlb };
  if (result.status !== "ok") return null;
  const { pa, perm, stage } = result;
  return { kind: "success", pa, perm: (perm ?? 0) % 4, stage, tlb };
}
