// Requests, answers and steps of the engine as TypeScript users see them.

/** Which behaviour: the architecture's, or QEMU 11.1's. */
export type Compat = "arch" | "qemu";

/** Which caches: none, the fast ones, or QEMU's (256 entries, flushed whole when full). */
export type CachePolicy = "none" | "fast" | "qemu";

/** One transaction. */
export interface TranslateRequest {
  /** StreamID. */
  sid: number;
  /** SubstreamID; without it SSV is 0. */
  ssid?: number;
  /** 64-bit input address. */
  iova: bigint;
  /** Write access (RnW=0). Default false. */
  write?: boolean;
  /** Privileged access (PnU=1). Default true. */
  privileged?: boolean;
  /** Instruction access (InD=1); reads only. Default false. */
  instruction?: boolean;
}

/**
 * What came of a transaction. `event`: aborted, and its record was due. `silent`: aborted by a
 * fault whose record CD.R, S2R or RECINVSID suppresses. `abort`: STE.Config or GBPA said so.
 * `razwi`: faulted with CD.A=0, so reads return zero and writes are dropped.
 */
export type TranslateStatus = "ok" | "bypass" | "abort" | "event" | "silent" | "razwi";

/** A fault's event. */
export interface FaultEvent {
  /** Event number (7.3), and its name. */
  type: number;
  name: string;
  /** The 32-byte record. */
  record: Uint8Array;
  /** Whether the record went to the event queue (or was merged there). */
  recorded: boolean;
}

/** Memory attributes of an output. */
export interface Attributes {
  /** MAIR-style byte: Device types below 0x10, else outer and inner nibble. */
  memAttr: number;
  /** 0 non-shareable, 2 outer, 3 inner shareable. */
  shareability: number;
}

/** The answer to a TranslateRequest. */
export interface Translation {
  status: TranslateStatus;
  /** Output address; present for `ok` and `bypass`. */
  pa?: bigint;
  /** Bytes of the mapping that was used. */
  size?: bigint;
  /** 1 read, 2 write, 4 execute, for the privilege of the request. */
  perm?: number;
  /** Stages that translated: 0 none, 1, 2, or 3 for both. */
  stage?: number;
  attributes?: Attributes;
  event?: FaultEvent;
  /** Loads of guest memory that this translation made. */
  fetches: number;
}

/** What a step of an explained translation did. */
export type StepWhat =
  | "config-lookup"
  | "l1std"
  | "ste"
  | "l1cd"
  | "cd"
  | "iotlb-lookup"
  | "iotlb-insert"
  | "pte"
  | "tt"
  | "range"
  | "command";

/** One step: a look-up, a fetch or an insertion, in order. */
export interface Step {
  what: StepWhat;
  /** Stage of a descriptor: 1 or 2; else 0. */
  stage: number;
  /** Level of a descriptor; else 0. */
  level: number;
  /** Address looked up or fetched. */
  address: bigint;
  /** The word fetched (word 0 of an STE or CD), or what was inserted. */
  value: bigint;
  /** Look-ups: whether they hit. */
  hit: boolean;
  /** Nothing backs the address: an external abort. */
  unbacked: boolean;
  asid: number;
  vmid: number;
  aux: number;
  /** What the word means, in a few words. */
  verdict: string;
}

/** A translation with its steps. */
export interface Explanation extends Translation {
  steps: Step[];
}

/** An MSI that the SMMU wrote and no RAM took. */
export interface SmmuMsi {
  address: bigint;
  data: number;
  source: "eventq" | "gerror" | "cmd-sync";
}

/** Interrupt edges since they were last taken. */
export interface Interrupts {
  eventq: boolean;
  priq: boolean;
  cmdSync: boolean;
  gerror: boolean;
  sev: boolean;
  msis: SmmuMsi[];
}

/** Counts since they were last reset. */
export interface Counters {
  guestReads: number;
  guestWrites: number;
  lookups: number;
  hits: number;
  configDecodes: number;
  commands: number;
}
