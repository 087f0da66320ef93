// What the decoder returns: one typed record for every thing it found in a text.

/** One field of a decoded structure. A field whose word is missing from the input is absent. */
export interface FieldValue {
  /** The specification's name: "CLASS", "S1ContextPtr"; "RES0" for reserved bits that are set. */
  readonly name: string;
  /** Position over the whole structure, as the specification prints it. */
  readonly hi: number;
  readonly lo: number;
  /** The value; an address field is in place, so it is the address itself. */
  readonly value: bigint;
  /** Name of the encoding, when it has one. */
  readonly encoding?: string;
  /** What the field, or this value of it, means. */
  readonly meaning?: string;
  /**
   * "reserved": bits the architecture wants zero; "ignored": without effect whatever they hold;
   * "unknown": in use by fields whose exact position no readable source gives.
   */
  readonly kind: "field" | "reserved" | "ignored" | "impdef" | "unknown";
  /** Where the value was read: the raw words, or a line in which the kernel had decoded it. */
  readonly from: "words" | "text";
}

/** How sure a hint is. "certain" follows from the record alone; the others are experience. */
export type Confidence = "certain" | "high" | "medium" | "low";

/** Which of the three paragraphs of the output a hint belongs to. */
export type HintPart = "meaning" | "cause" | "next";

/** One piece of advice, with the rule that gave it. */
export interface Hint {
  /** Stable rule id, such as "msi-doorbell". */
  readonly id: string;
  readonly part: HintPart;
  readonly confidence: Confidence;
  readonly text: string;
}

/** What every record has. */
export interface RecordBase {
  /** Name of the input, when several were given. */
  readonly input?: string;
  /** Number of the line where it begins (from 1), when it came from a text. */
  readonly line?: number;
  /** The SMMU that printed it, as the text names it. */
  readonly device?: string;
  /** Time stamp of that line in seconds since boot. */
  readonly time?: number;
  readonly fields: readonly FieldValue[];
  readonly hints: readonly Hint[];
  /** Oddities of the input: missing words, numbers that disagree. */
  readonly notes: readonly string[];
  /** Does the record say that something went wrong? */
  readonly fault: boolean;
}

/** One descriptor read that a QEMU trace shows before a fault. */
export interface WalkRead {
  readonly stage: number;
  readonly level: number;
  readonly address?: bigint;
  readonly value: bigint;
}

/** A record of the Event queue. */
export interface EventRecord extends RecordBase {
  readonly kind: "event";
  /** "F_TRANSLATION", "IMPDEF_0xe3", or "RESERVED_0x55" for a number that means nothing. */
  readonly event: string;
  readonly id: number;
  /** The words found; short, or with undefined ones, when the text had lost some. */
  readonly words: readonly (bigint | undefined)[];
  readonly complete: boolean;
  readonly source: "words" | "text" | "trace";
  readonly sid?: number;
  /** Present when SSV says so (and always for C_BAD_SUBSTREAMID). */
  readonly ssid?: number;
  readonly iova?: bigint;
  /** Present for stage 2 faults only: otherwise the bits mean nothing. */
  readonly ipa?: bigint;
  readonly fetchAddr?: bigint;
  readonly direction?: "read" | "write";
  readonly privileged?: boolean;
  readonly instruction?: boolean;
  readonly stage?: 1 | 2;
  readonly class?: "CD" | "TT" | "IN" | "RESERVED";
  readonly stall?: boolean;
  /** Name of the device behind the stream, from the kernel's own text. */
  readonly client?: string;
  readonly walk?: readonly WalkRead[];
}

/** A command, alone or as printed after a command queue error. */
export interface CommandRecord extends RecordBase {
  readonly kind: "command";
  /** "CMD_TLBI_NH_VA", or "RESERVED_0xff". */
  readonly command: string;
  readonly opcode: number;
  readonly words: readonly (bigint | undefined)[];
  readonly complete: boolean;
}

/** Structures in memory that `decode` knows. */
export type StructureName = "STE" | "CD" | "L1STD" | "L1CD" | "VMS" | "PRIQ";

/** One rule that makes an entry ILLEGAL, or one that could not be judged. */
export interface Verdict {
  readonly rule: string;
  readonly text: string;
}

/** A configuration structure. */
export interface StructureRecord extends RecordBase {
  readonly kind: "structure";
  readonly structure: StructureName;
  /** The device whose entry it is, when the dump names one. */
  readonly owner?: string;
  readonly ssid?: number;
  readonly words: readonly (bigint | undefined)[];
  readonly complete: boolean;
  /** One sentence: what the SMMU does with this entry. */
  readonly summary: string;
  readonly legality?: "legal" | "illegal" | "invalid" | "undecided";
  /** The rules broken, in the order in which the architecture tests them. */
  readonly illegal: readonly Verdict[];
  /** Rules that need ID registers or words that were not given. */
  readonly undecided: readonly Verdict[];
  /** Would Linux accept it as the vSTE of a nested domain? STEs only. */
  readonly vste?: VsteVerdict;
}

/** Answer to "would Linux accept this vSTE?". */
export interface VsteVerdict {
  readonly accepted: boolean;
  /** -EIO and the reason, when refused. */
  readonly errno?: "EIO";
  readonly problems: readonly Verdict[];
  /** What Linux would build: "abort", "bypass" or "nested stage 1". */
  readonly outcome?: string;
}

/** One reading of a translation table descriptor. */
export interface DescriptorReading {
  readonly stage: 1 | 2;
  readonly granule: "4K" | "16K" | "64K";
  readonly level: number;
  readonly type: "invalid" | "table" | "block" | "page" | "reserved";
  /** Next table, or output address. */
  readonly address?: bigint;
  /** Bytes mapped by a block or page. */
  readonly size?: bigint;
  readonly permissions?: string;
  readonly fields: readonly FieldValue[];
}

/** A translation table descriptor with every reading that fits what was asked. */
export interface DescriptorRecord extends RecordBase {
  readonly kind: "descriptor";
  readonly value: bigint;
  readonly readings: readonly DescriptorReading[];
}

/** One register of a dump, or one access in a trace. */
export interface RegisterRecord extends RecordBase {
  readonly kind: "register";
  readonly register: string;
  readonly offset?: number;
  readonly value: bigint;
  readonly access?: "read" | "write";
}

/** A feature that a boot line or a register dump shows. */
export interface Feature {
  readonly name: string;
  readonly value: string;
  readonly meaning: string;
}

/** The driver's boot line with its feature mask, or a register dump's ID registers. */
export interface FeaturesRecord extends RecordBase {
  readonly kind: "features";
  readonly source: "boot" | "registers";
  readonly mask?: number;
  readonly oas?: number;
  readonly ias?: number;
  readonly features: readonly Feature[];
}

/** A queue or global error that the driver printed. */
export interface ErrorRecord extends RecordBase {
  readonly kind: "cmd-sync-timeout" | "cmdq-error" | "gerror" | "queue-overflow" | "page-request";
  readonly text: string;
}

/** A line of the driver worth a remark. */
export interface LogRecord extends RecordBase {
  readonly kind: "log" | "suppressed";
  readonly text: string;
  /** Events not printed, for "suppressed". */
  readonly count?: number;
}

/** A fault of an SMMUv2: recognised so that nobody reads it with the wrong manual. */
export interface Smmuv2Record extends RecordBase {
  readonly kind: "smmuv2";
  readonly text: string;
  readonly iova?: bigint;
}

export type DecodedRecord =
  | EventRecord
  | CommandRecord
  | StructureRecord
  | DescriptorRecord
  | RegisterRecord
  | FeaturesRecord
  | ErrorRecord
  | LogRecord
  | Smmuv2Record;

/** Records of one kind at one place, counted. */
export interface Storm {
  readonly event: string;
  readonly sid?: number;
  readonly direction?: "read" | "write";
  /** Lowest and highest address, when the events have one. */
  readonly iovaMin?: bigint;
  readonly iovaMax?: bigint;
  readonly count: number;
  /** Distinct addresses among them. */
  readonly addresses: number;
  readonly firstLine?: number;
  readonly lastLine?: number;
  readonly seconds?: number;
  readonly hints: readonly Hint[];
}

/** Everything found in one input. */
export interface DecodeResult {
  readonly records: readonly DecodedRecord[];
  readonly storms: readonly Storm[];
  /** Events the kernel did not print, by its "callbacks suppressed" lines. */
  readonly suppressed: number;
  /** Counts of trace lines that carry no fault. */
  readonly trace: Readonly<Record<string, number>>;
  /** Was anything recognised at all? */
  readonly understood: boolean;
  /** Did any record report a fault? */
  readonly faults: number;
}

/** What the caller knows beside the text. */
export interface DecodeOptions {
  /** Known doorbell addresses (GITS_TRANSLATER, MSI_SETSPI_NS) to compare faults with. */
  readonly doorbells?: readonly bigint[];
  /** ID registers of the SMMU by name: judges entries by what it implements. */
  readonly idr?: Readonly<Record<string, number>>;
  /** Offset added to a RequesterID to make a StreamID, as `iommu-map` or IORT gives it. */
  readonly sidBase?: number;
  /** Base address of a register dump. */
  readonly base?: bigint;
  readonly stage?: 1 | 2;
  readonly level?: number;
  readonly granule?: "4K" | "16K" | "64K";
}
