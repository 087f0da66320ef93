// Random machines for property tests: registers, memory, requests; plausible and hostile at once.

import fc from "fast-check";
import { Builder } from "./builder.ts";
import { turnRound } from "./descriptors.ts";
import { RAM_RANGES, type RamRange } from "./layout.ts";
import type { Machine, MachineRegisters, Options } from "./machine.ts";
import { drawRequests, type GeneratedRequest } from "./requests.ts";
import { Choices, Draw, Prng, type Source } from "./source.ts";
import {
  blank,
  type ContextPlan,
  fillSteCommon,
  placeContexts,
  placeStreamTable,
  planContexts,
  put,
  spoilStructure,
} from "./structures.ts";

export type { Options } from "./machine.ts";
export type { GeneratedRequest } from "./requests.ts";

/** One machine with the requests to make of it. */
export interface GeneratedCase {
  registers: MachineRegisters;
  /** Non-zero words of RAM by physical address; every other word of RAM is zero. */
  memory: [bigint, bigint][];
  /** What answers; every other physical address aborts. The same for all cases. */
  ramRanges: readonly RamRange[];
  requests: GeneratedRequest[];
}

function drawConfig(draw: Draw, m: Machine): number {
  const wish = draw.weighted([
    [36, 5],
    [22, 6],
    [36, 7],
    [3, 4],
    [2, 0],
    [1, draw.below(8)],
  ]);
  if (draw.chance(3)) return wish;
  const s1 = (wish & 1) !== 0 && wish >= 4;
  const s2 = (wish & 2) !== 0 && wish >= 4;
  if (s1 && !m.s1p) return 6;
  return s2 && !m.s2p ? 5 : wish;
}

/** Builds one case from a source of choices. */
export function buildCase(source: Source, options: Options = {}): GeneratedCase {
  const draw = new Draw(source);
  const builder = new Builder(draw, options);
  const { m, ram } = builder;
  const ste = blank();
  const config = drawConfig(draw, m);
  put(ste, 0, 0, draw.chance(1) ? 0 : 1);
  put(ste, 3, 1, config);
  fillSteCommon(draw, ste);
  const strw = m.hyp && config === 5 ? draw.pick([0, 0, 2]) : 0;
  put(ste, 95, 94, config === 5 && m.hyp ? strw : draw.below(4));
  put(ste, 143, 128, draw.below(m.vmid16 ? 0x10000 : 0x100));
  const world = strw === 2 ? (m.e2h ? "EL2-E2H" : "EL2") : "EL1";
  const bigEndian = { 1: false, 2: false };
  const stages = config >= 4 ? config & 3 : 0;
  if ((stages & 2) !== 0) bigEndian[2] = builder.startStage2(ste).bigEndian;
  let iova = draw.u64() >> BigInt(64 - Math.min(48, m.oas));
  let plan: ContextPlan | undefined;
  if ((stages & 1) !== 0) {
    plan = planContexts(draw, m);
    if (options.target === "qemu" && !draw.chance(3)) plan = { ...plan, cdMax: 0 };
    const cd = blank();
    const built = builder.buildStage1(cd, world);
    bigEndian[1] = built.bigEndian;
    iova = built.va;
    if (plan.dss === 1 && plan.cdMax > 0) builder.mapOutput(BigInt.asUintN(48, iova));
    spoilStructure(draw, cd, 10);
    if (options.target === "qemu") put(cd, 34, 32, Math.min(5, Number((cd[0] >> 32n) & 7n)));
    const pointer = placeContexts(draw, ram, plan, cd, builder.expose);
    ste[0] |= BigInt(pointer) | (BigInt(plan.cdMax) << 59n) | (BigInt(plan.format) << 4n);
    put(ste, 65, 64, plan.dss);
  } else if ((stages & 2) !== 0) {
    const s2bits = 64 - Number((ste[2] >> 32n) & 63n);
    iova = BigInt.asUintN(draw.chance(5) ? 64 : s2bits, iova);
    builder.mapOutput(iova);
  }
  builder.spoilDescriptors();
  turnRound(ram, bigEndian);
  spoilStructure(draw, ste, 10);
  if (options.target === "qemu") put(ste, 179, 179, 1);
  const sid = placeStreamTable(draw, ram, m, ste);
  const requests = drawRequests(draw, m, { sid, ssid: plan?.ssid, iova });
  const memory: [bigint, bigint][] = [];
  for (const [address, word] of ram.words) if (word !== 0n) memory.push([BigInt(address), word]);
  return { registers: m.registers, memory, ramRanges: RAM_RANGES, requests };
}

/** The same case for the same seed: the fast path for long runs. */
export function randomCase(seed: number, options: Options = {}): GeneratedCase {
  return buildCase(new Prng(seed), options);
}

/**
 * Cases for fast-check. A case is a list of choices, so that a counterexample shrinks: fewer or
 * smaller numbers make a plainer machine.
 */
export function arbitraryCase(options: Options = {}): fc.Arbitrary<GeneratedCase> {
  const choice = fc.nat({ max: 0xffffffff });
  return fc
    .array(choice, { minLength: 64, maxLength: 512, size: "max" })
    .map((list) => buildCase(new Choices(list), options));
}
