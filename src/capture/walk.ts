// Walks one address in a guest's memory image, bringing in the pages that the walk asks for.

import { FULL_ID, type IdRegisters } from "../engine/identity.ts";
import { AddressMap, HostMemory } from "../engine/memory.ts";
import { Smmu } from "../engine/smmu.ts";
import type { Compat, Explanation, Step, TranslateRequest } from "../engine/types.ts";
import { CR0, STRTAB_BASE, STRTAB_BASE_CFG } from "../spec/register.ts";
import { packFields } from "../spec/word.ts";
import type { MemoryImage } from "./image.ts";
import type { SmmuState } from "./manifest.ts";
import { idRegisters, registerWords } from "./registers.ts";
import { readStream } from "./streams.ts";
import { resolve } from "./tables.ts";

/** A walk's outcome: the engine's, with steps that know what the image does not hold. */
export interface WalkReport extends Explanation {
  steps: WalkStep[];
  /** The first address that was needed and is not in the image; undefined when all were. */
  missing: bigint | undefined;
}

/** A step; `unknown` when the image does not hold the address. */
export interface WalkStep extends Step {
  unknown: boolean;
}

/** More pages than this belong to no walk. */
const PAGES_MAX = 4096;
/** Linux uses 2-level tables with SPLIT 8 for StreamIDs of 16 bits. */
const DEFAULT_LOG2SIZE = 16;

/** An SMMU over an image that need not fit into linear memory. */
export class ImageWalker {
  readonly #image: MemoryImage;
  readonly #map: AddressMap;
  readonly #smmu: Smmu;

  private constructor(image: MemoryImage, map: AddressMap, smmu: Smmu) {
    this.#image = image;
    this.#map = map;
    this.#smmu = smmu;
  }

  /** A walker for an SMMU in this state; without ID registers it has every feature. */
  static async create(image: MemoryImage, state: SmmuState, compat: Compat): Promise<ImageWalker> {
    const host = HostMemory.create();
    const map = new AddressMap(host);
    const known = state.regs.has("IDR0");
    const id: Partial<IdRegisters> | undefined = known
      ? idRegisters(state.regs)
      : compat === "arch"
        ? FULL_ID
        : undefined;
    const cache = compat === "qemu" ? "qemu" : "none";
    const smmu = await Smmu.create(host, map, { compat, cache, id });
    smmu.restoreRegisters(registerWords(state.regs));
    return new ImageWalker(image, map, smmu);
  }

  /** The word at `pa`, or undefined when the image does not hold it. */
  readonly read = (pa: bigint): bigint | undefined =>
    this.#image.pageIn(this.#map, pa) ? this.#map.readU64(pa) : undefined;

  /** Walks one request. */
  walk(request: TranslateRequest): WalkReport {
    for (let i = 0; i < PAGES_MAX; i++) {
      this.#smmu.flushCaches();
      const answer = this.#smmu.explain(request);
      const absent = this.#absent(request.sid, answer.steps);
      if (absent !== undefined && this.#image.pageIn(this.#map, absent)) continue;
      const steps = answer.steps.map((s) => ({
        ...s,
        unknown: s.unbacked,
        verdict: s.unbacked ? "not in the capture: counts as an external abort" : s.verdict,
      }));
      return { ...answer, steps, missing: absent };
    }
    throw new RangeError("the walk has no end");
  }

  /** The address that nothing backs; a CD's step has its IPA when nested. */
  #absent(sid: number, steps: Step[]): bigint | undefined {
    const step = steps.find((s) => s.unbacked);
    if (step?.what !== "cd" && step?.what !== "l1cd") return step?.address;
    const ste = steps.find((s) => s.what === "ste");
    const stage2 = ste && readStream(sid, ste.address, this.read)?.stage2;
    return stage2 ? resolve(stage2, step.address, this.read) : step.address;
  }
}

/** The state of an SMMU of which only the stream table's place is known. */
export function stateFromStreamTable(
  base: bigint,
  options: { log2size?: number; split?: number } = {},
): SmmuState {
  const [strtab] = packFields(STRTAB_BASE, { ADDR: base });
  const [cfg] = packFields(STRTAB_BASE_CFG, {
    LOG2SIZE: options.log2size ?? DEFAULT_LOG2SIZE,
    SPLIT: options.split ?? 0,
    FMT: options.split === undefined ? 0 : 1,
  });
  const [cr0] = packFields(CR0, { SMMUEN: 1 });
  const regs = new Map([
    ["STRTAB_BASE", strtab],
    ["STRTAB_BASE_CFG", cfg],
    ["CR0", cr0],
    ["CR0ACK", cr0],
  ]);
  return { base: 0n, regs };
}
