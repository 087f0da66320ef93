// Conformance vectors for other implementations: generated from a seed, or recorded elsewhere.
import { entryVectors, eventVectors } from "./entries.ts";
import { Random } from "./random.ts";
import recorded from "./recorded.json" with { type: "json" };
import { commandErrorVectors, invalidationVectors, translationVectors } from "./runs.ts";
import type { Provenance, Vector, VectorKind, VectorSet } from "./types.ts";

export { cHeader } from "./c-header.ts";
export { answerSteps } from "./run.ts";
export type * from "./types.ts";
export { VECTOR_KINDS } from "./types.ts";

/** Which vectors are wanted. */
export interface VectorOptions {
  /** Default: all kinds. */
  kind?: VectorKind;
  /** Default: every origin. */
  provenance?: Provenance;
  /** Of the generated vectors; the same seed gives the same vectors. Default 1. */
  seed?: number;
  /** Generated vectors of each sort. Default 16. */
  count?: number;
}

const GENERATORS: Record<VectorKind, (random: Random, count: number) => Promise<Vector[]>> = {
  entry: async (random, count) => entryVectors(random, count),
  event: async (random, count) => eventVectors(random, count),
  translation: translationVectors,
  invalidation: invalidationVectors,
  "command-error": commandErrorVectors,
};

/** Vectors that were recorded on QEMU, on a Linux guest and from hardware. */
export const recordedVectors = (): Vector[] => recorded as unknown as Vector[];

/** The vectors that the options ask for: generated ones first, then recorded ones. */
export async function vectors(options: VectorOptions = {}): Promise<VectorSet> {
  const { seed = 1, count = 16, kind, provenance } = options;
  const found: Vector[] = [];
  for (const [name, generate] of Object.entries(GENERATORS)) {
    const wanted = (kind ?? name) === name && (provenance ?? "arch") === "arch";
    if (wanted) found.push(...(await generate(new Random(seed), count)));
  }
  for (const vector of recordedVectors()) {
    const matches = (kind ?? vector.kind) === vector.kind;
    if (matches && (provenance ?? vector.provenance) === vector.provenance) found.push(vector);
  }
  return { schema: "vsmmu-vectors", version: 1, seed, vectors: found };
}
