// The shape of a layout: fields, structures, unions of encodings, registers (IHI0070 1.3).

/**
 * What the bits of a field are. `ignored` bits have no effect whatever they hold; `unverified`
 * marks bits used by fields whose exact position no readable source gives.
 */
export type FieldKind = "bits" | "address" | "res0" | "ignored" | "impdef" | "unverified";

/** Names of encodings: value to name. A name is the field's own word, usable as an identifier. */
export type Values = Readonly<Record<number, string>>;

/** A set of encodings that several fields share, or that belongs to no single field. */
export interface Enumeration {
  readonly is: "enumeration";
  readonly name: string;
  readonly values: Values;
  readonly meanings: Readonly<Record<number, string>>;
}

/** What is said about a field beside its position. */
export interface FieldOptions {
  /** One line in plain words. */
  readonly meaning?: string;
  /** The feature without which the field is RES0; "ign:" starts when it is ignored. */
  readonly gate?: string;
  /** First architecture revision that has the field or its full width. */
  readonly since?: string;
  /** Section of the specification, when it is not the structure's own. */
  readonly section?: string;
  /** For registers whose fields differ: who may write it. */
  readonly access?: string;
  /** Reset value, when the register does not have one for all fields. */
  readonly reset?: string;
  /** Address fields that are not in place: the address bit that their lowest bit holds. */
  readonly low?: number;
  /** A second reading of bits that other fields hold; no encoding lists it. */
  readonly view?: boolean;
  /** Repeated fields: how many, and how many bits apart. */
  readonly count?: number;
  readonly stride?: number;
}

/** A declared field before it has a name. */
export interface FieldDraft extends FieldOptions {
  readonly kind: FieldKind;
  readonly hi: number;
  readonly lo: number;
  readonly values?: Values;
  readonly enumeration?: Enumeration;
}

/** One field. `hi` and `lo` count over the whole structure, as the specification prints them. */
export interface Field {
  readonly name: string;
  readonly kind: FieldKind;
  readonly hi: number;
  readonly lo: number;
  readonly width: number;
  readonly meaning: string;
  readonly section: string;
  readonly gate: string | undefined;
  readonly since: string | undefined;
  readonly access: string | undefined;
  readonly reset: string | undefined;
  readonly values: Values | undefined;
  readonly enumeration: Enumeration | undefined;
  /** Address bit held by `lo`; equals `lo % 64` unless the field keeps the address shifted. */
  readonly low: number;
  readonly count: number;
  readonly stride: number;
}

export type Fields = Readonly<Record<string, FieldDraft>>;

/** A structure in memory, or one encoding of it; every bit belongs to exactly one field. */
export interface Struct<N extends string = string> {
  readonly is: "struct" | "case" | "register";
  readonly name: string;
  readonly bits: number;
  readonly bytes: number;
  readonly section: string;
  readonly meaning: string;
  readonly gate: string | undefined;
  /** All fields from bit 0 upwards, reserved ranges included. */
  readonly fields: readonly Field[];
  /** Named fields by name. */
  readonly field: Readonly<Record<N, Field>>;
}

/** One encoding of a union: which fields exist when the selector has this value. */
export interface Case extends Struct {
  readonly is: "case";
  /** Selector value (opcode, event number); undefined when conditions outside the entry choose. */
  readonly value: number | undefined;
}

/** A structure whose encodings share bits. `field` holds every named field of every encoding. */
export interface Union<N extends string = string, C extends string = string> {
  readonly is: "union";
  readonly name: string;
  readonly bits: number;
  readonly bytes: number;
  readonly section: string;
  readonly meaning: string;
  /** Every named field once, in the order of their lowest bit; they overlap. */
  readonly fields: readonly Field[];
  readonly field: Readonly<Record<N, Field>>;
  readonly cases: Readonly<Record<C, Case>>;
  /** The encoding selected by an opcode or event number. */
  caseOf(value: number): Case | undefined;
}

/** A memory-mapped register. */
export interface Register<N extends string = string> extends Struct<N> {
  readonly is: "register";
  /** Pages that the offset counts in: "SMMU" for pages 0 and 1, else a page of its own. */
  readonly frame: string;
  /** Byte offset from the base of its frame; of element 0 when `count` is above 1. */
  readonly offset: number;
  readonly count: number;
  readonly stride: number;
  readonly access: string;
  readonly reset: string;
  /** Condition under which a write takes effect; undefined means always. */
  readonly guard: string | undefined;
  /** Alternative readings of the same bits, each a complete cover. */
  readonly cases: Readonly<Record<string, Case>>;
}
