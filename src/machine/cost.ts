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
  /** Structures and descriptors that a walk fetches, on average. */
  fetchesPerWalk: number | null;
}

const BATCHES = 9;
const BATCH_NS = 4e6;
const ROUNDS_MAX = 1 << 16;
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
  const { walk, direct } = bestTimes(machine, walked);
  return {
    walkNs: round(walk),
    directNs: round(direct),
    ratio: round(walk / direct),
    fetchesPerWalk: round(fetches.reduce((sum, n) => sum + n, 0) / fetches.length),
  };
}

/**
 * Nanoseconds of one fix-up on both paths: the best of several batches, taken in turn, so that
 * neither other programs nor a warmer cache favour one of them.
 */
function bestTimes(
  machine: Machine,
  vectors: { fn: PciFunction; vector: Vector }[],
): Record<DoorbellPath, number> {
  const once = () => {
    for (const { fn, vector } of vectors) {
      const { address, data } = vector.message;
      kvmArchFixupMsiRoute(msiRoute(0, address, data), address, fn, machine.fixup);
    }
  };
  const rounds = { walk: 1, direct: 1 };
  const best = { walk: Number.POSITIVE_INFINITY, direct: Number.POSITIVE_INFINITY };
  for (const path of ["walk", "direct"] as const) {
    machine.takePath(path);
    while (timeOf(once, rounds[path]) < BATCH_NS && rounds[path] < ROUNDS_MAX) rounds[path] *= 2;
  }
  for (let i = 0; i < BATCHES; i++) {
    for (const path of ["walk", "direct"] as const) {
      machine.takePath(path);
      const ns = timeOf(once, rounds[path]) / (rounds[path] * vectors.length);
      best[path] = Math.min(best[path], ns);
    }
  }
  machine.takePath("direct");
  return best;
}

function timeOf(once: () => void, rounds: number): number {
  const start = performance.now();
  for (let i = 0; i < rounds; i++) once();
  return (performance.now() - start) * 1e6;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
