// Conformance vectors as JSON: what is given, what must come of it, and who says so.

/** A number: "0x" and hexadecimal digits. */
export type Hex = string;

/**
 * Whose answer it is. `arch`: the architecture as this engine implements it, held against an
 * independent oracle. `qemu-11.1`: a real QEMU answered. `linux capture`: recorded while a Linux
 * guest ran. `hardware record`: an event record that somebody's hardware wrote.
 */
export type Provenance = "arch" | "qemu-11.1" | "linux capture" | "hardware record";

/** The kinds of vector. */
export const VECTOR_KINDS = [
  "entry",
  "event",
  "translation",
  "invalidation",
  "command-error",
] as const;
export type VectorKind = (typeof VECTOR_KINDS)[number];

interface Common {
  /** Unique within a set, the same for the same seed. */
  id: string;
  provenance: Provenance;
  /** Where a recorded vector comes from. */
  source?: string;
}

/** An STE, CD, L1STD or command taken apart: fields by the specification's names. */
export interface EntryVector extends Common {
  kind: "entry";
  given: { structure: string; words: Hex[] };
  expect: { fields: Record<string, Hex> };
}

/** An event record taken apart. */
export interface EventVector extends Common {
  kind: "event";
  /** 32 bytes as four little-endian 64-bit words. */
  given: { record: Hex[] };
  expect: { type: number; name: string; fields: Record<string, Hex> };
}

/**
 * One step of a run:
 * - `write`, `read`: the guest accesses an SMMU register (offset within page 0 or page 1)
 * - `store`: the guest stores a 64-bit word
 * - `access`: a device accesses memory; privileged data, no SubstreamID
 */
export type Step =
  | { do: "write"; offset: Hex; value: Hex; bytes: 4 | 8 }
  | { do: "read"; offset: Hex; bytes: 4 | 8 }
  | { do: "store"; address: Hex; value: Hex }
  | { do: "access"; streamId: number; iova: Hex; bytes: number; write: boolean };

/**
 * What must come of a step. `write` and `store`: null. `read`: the value. `access`: the outcome;
 * `pa`, `perm` (1 read, 2 write) and `stage` (3: both) only of "ok"; the event records that it
 * adds, 32 bytes each, in hexadecimal.
 */
export type StepAnswer =
  | null
  | Hex
  | {
      outcome: "ok" | "bypass" | "abort" | "none";
      pa?: Hex;
      perm?: number;
      stage?: number;
      events: string[];
    };

/**
 * A run of an SMMU out of reset. `id` are the ID registers IDR0 to IDR5 by offset; RAM is 512 MiB
 * at 0x40000000, zero but for `memory`; nothing else is in the address map.
 */
export interface RunVector extends Common {
  kind: "translation" | "invalidation" | "command-error";
  given: { id: Record<Hex, Hex>; memory: [Hex, Hex][]; steps: Step[] };
  expect: { answers: StepAnswer[] };
}

export type Vector = EntryVector | EventVector | RunVector;

/** A set of vectors, as `vsmmu vectors` prints it. */
export interface VectorSet {
  schema: "vsmmu-vectors";
  version: 1;
  seed: number;
  vectors: Vector[];
}
