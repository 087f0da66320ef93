// What a walk and a direct lookup of the doorbell cost, measured by repeating both.

import { kvmArchFixupMsiRoute } from "../kvm/fixup.ts";
import { msiRoute } from "../kvm/route.ts";
import type { PciFunction, Vector } from "../pci/function.ts";
import type { DoorbellPath, Machine } from "./machine.ts";
import type { RouteReport } from "./route.ts";

/** Costs of one route fix-up; all null when no vector is walked. */
export interface CostReport {
  /** Nanoseconds of a fix-up that walks. */
  walkNs: number | null;
  /** Nanoseconds of a fix-up that asks for the direct doorbell. */
  directNs: number | null;
  /** walkNs / directNs. */
  ratio: number | null;
  /** Loads of guest memory of a walk, on average. */
  fetchesPerWalk: number | null;
}

const BATCHES = 7;
const BATCH_NS = 4e6;
const NONE: CostReport = { walkNs: null, directNs: null, ratio: null, fetchesPerWalk: null };

/** Measures the fix-up of the vectors that a walk resolves. */
export function measureCost(
  machine: Machine,
  vectors: { fn: PciFunction; vector: Vector }[],
  routes: RouteReport[],
): CostReport {
  const walked = vectors.filter((_, i) => routes[i].walk?.gpa != null);
  if (walked.length === 0) return NONE;
  const fetches = routes.flatMap((r) => (r.walk?.gpa != null ? [r.walk.fetches] : []));
  const walkNs = perFixup(machine, walked, "walk");
  const directNs = perFixup(machine, walked, "direct");
  return {
    walkNs: round(walkNs),
    directNs: round(directNs),
    ratio: round(walkNs / directNs),
    fetchesPerWalk: round(fetches.reduce((sum, n) => sum + n, 0) / fetches.length),
  };
}

/** Median over batches of the nanoseconds of one fix-up. */
function perFixup(
  machine: Machine,
  vectors: { fn: PciFunction; vector: Vector }[],
  path: DoorbellPath,
): number {
  machine.takePath(path);
  const once = () => {
    for (const { fn, vector } of vectors) {
      const { address, data } = vector.message;
      kvmArchFixupMsiRoute(msiRoute(0, address, data), address, fn, machine.fixup);
    }
  };
  let rounds = 1;
  while (timeOf(once, rounds) < BATCH_NS && rounds < 1 << 16) rounds *= 2;
  const times = Array.from({ length: BATCHES }, () => timeOf(once, rounds));
  times.sort((a, b) => a - b);
  machine.takePath("direct");
  return times[BATCHES >> 1] / (rounds * vectors.length);
}

function timeOf(once: () => void, rounds: number): number {
  const start = performance.now();
  for (let i = 0; i < rounds; i++) once();
  return (performance.now() - start) * 1e6;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
