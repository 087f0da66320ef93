// How a layout is declared: named fields that cover a structure or register once (IHI0070 1.3).
import type {
  Case,
  Enumeration,
  Field,
  FieldDraft,
  FieldKind,
  FieldOptions,
  Fields,
  Register,
  Struct,
  Union,
  Values,
} from "./layout.ts";

export type * from "./layout.ts";

type Options = FieldOptions | string;

const optionsOf = (o: Options | undefined): FieldOptions =>
  typeof o === "string" ? { meaning: o } : (o ?? {});

const isEnumeration = (v: Values | Enumeration): v is Enumeration => "meanings" in v;

/** Shared encodings; `meanings` explains those whose name does not. */
export function enumeration(
  name: string,
  values: Values,
  meanings: Readonly<Record<number, string>> = {},
): Enumeration {
  return { is: "enumeration", name, values, meanings };
}

/** Number of a named value. Throws a RangeError on a name that is not among them. */
export function codeOf(set: Pick<Enumeration, "name" | "values">, name: string): number {
  const found = Object.entries(set.values).find(([, n]) => n === name);
  if (found === undefined) throw new RangeError(`${set.name} has no value ${name}`);
  return Number(found[0]);
}

/** A field of bits [hi:lo]. */
export function bits(
  hi: number,
  lo: number,
  values?: Values | Enumeration,
  options?: Options,
): FieldDraft {
  const draft = { kind: "bits" as const, hi, lo, ...optionsOf(options) };
  if (values === undefined) return draft;
  return isEnumeration(values)
    ? { ...draft, values: values.values, enumeration: values }
    : { ...draft, values };
}

/** A one-bit field. */
export function flag(bit: number, options?: Options): FieldDraft {
  return bits(bit, bit, undefined, options);
}

/**
 * An address: bits [hi:lo] of the entry hold the same bits of the address, unless `low` is given.
 */
export function address(hi: number, lo: number, options?: Options): FieldDraft {
  return { kind: "address", hi, lo, ...optionsOf(options) };
}

/** `count` fields of equal width, the first at [hi:lo], each `stride` bits above the one before. */
export function repeated(
  hi: number,
  lo: number,
  count: number,
  stride: number,
  options?: Options,
): FieldDraft {
  return { kind: "bits", hi, lo, ...optionsOf(options), count, stride };
}

/** Reserved, written as zero. */
export const res0 = (hi: number, lo: number): FieldDraft => ({ kind: "res0", hi, lo });

/** Bits without effect: software may keep anything in them. */
export const ignored = (hi: number, lo: number): FieldDraft => ({ kind: "ignored", hi, lo });

/** IMPLEMENTATION DEFINED bits. */
export const impdef = (hi: number, lo: number, options?: Options): FieldDraft => ({
  kind: "impdef",
  hi,
  lo,
  ...optionsOf(options),
});

/** Bits in use by fields whose exact position could not be established. */
export const unverified = (hi: number, lo: number, meaning: string): FieldDraft => ({
  kind: "unverified",
  hi,
  lo,
  meaning,
});

const range = (hi: number, lo: number): string => (hi === lo ? `[${hi}]` : `[${hi}:${lo}]`);

/** Position of a field as the specification prints it: "[55:6]" or "[0]". */
export const position = (field: { readonly hi: number; readonly lo: number }): string =>
  range(field.hi, field.lo);

const topOf = (f: Field): number => f.hi + (f.count - 1) * f.stride;

const KIND_NAMES: Readonly<Record<FieldKind, string>> = {
  bits: "bits",
  address: "address",
  res0: "RES0",
  ignored: "ignored",
  impdef: "IMPDEF",
  unverified: "unverified",
};

const reservedName = (draft: FieldDraft): string => KIND_NAMES[draft.kind] + position(draft);

function named(key: string, draft: FieldDraft, section: string): Field {
  return {
    name: key.startsWith("_") ? reservedName(draft) : key,
    kind: draft.kind,
    hi: draft.hi,
    lo: draft.lo,
    width: draft.hi - draft.lo + 1,
    meaning: draft.meaning ?? "",
    section: draft.section ?? section,
    gate: draft.gate,
    since: draft.since,
    access: draft.access,
    reset: draft.reset,
    values: draft.values,
    enumeration: draft.enumeration,
    low: draft.low ?? draft.lo % 64,
    count: draft.count ?? 1,
    stride: draft.stride ?? 0,
  };
}

function checkBounds(owner: string, size: number, f: Field): void {
  if (f.lo < 0 || f.hi < f.lo || topOf(f) >= size)
    throw new Error(`${owner}.${f.name} ${position(f)} does not fit in ${size} bits`);
  if (f.kind !== "bits" && f.kind !== "address") return;
  if (f.width > 64 || Math.floor(f.hi / 64) !== Math.floor(f.lo / 64))
    throw new Error(`${owner}.${f.name} ${position(f)} crosses a 64-bit word`);
}

/** Sorts the fields and throws when a bit of the structure belongs to none or to two of them. */
function covered(owner: string, size: number, fields: readonly Field[]): readonly Field[] {
  const sorted = [...fields].sort((a, b) => a.lo - b.lo);
  let next = 0;
  let below: Field | undefined;
  for (const f of sorted) {
    checkBounds(owner, size, f);
    if (f.lo < next)
      throw new Error(
        `${owner}: ${f.name} ${position(f)} overlaps ${below?.name} ${position(below as Field)}`,
      );
    if (f.lo > next) throw new Error(`${owner}: no field declares bits ${range(f.lo - 1, next)}`);
    next = topOf(f) + 1;
    below = f;
  }
  if (next !== size) throw new Error(`${owner}: no field declares bits ${range(size - 1, next)}`);
  return sorted;
}

/** Ranges without a name of their own are called after their kind. */
const isNamed = (f: Field): boolean => !/^(RES0|IMPDEF|ignored|unverified)\[/.test(f.name);

const byName = (fields: readonly Field[]): Record<string, Field> =>
  Object.fromEntries(fields.filter(isNamed).map((f) => [f.name, f]));

/** About a structure as a whole. */
export interface StructOptions {
  readonly meaning?: string;
  readonly gate?: string;
}

/**
 * Declares a structure of `size` bits. Keys that start with "_" are reserved ranges.
 * Throws when a bit is declared twice or not at all.
 */
export function struct<const F extends Fields>(
  name: string,
  size: number,
  section: string,
  fields: F,
  options: StructOptions = {},
): Struct<Extract<keyof F, string>> {
  const list = Object.entries(fields).map(([key, draft]) => named(key, draft, section));
  const sorted = covered(name, size, list);
  return {
    is: "struct",
    name,
    bits: size,
    bytes: Math.ceil(size / 8),
    section,
    meaning: options.meaning ?? "",
    gate: options.gate,
    fields: sorted,
    field: byName(sorted) as Record<Extract<keyof F, string>, Field>,
  };
}

/** One encoding: field names of the union, reserved ranges, and fields that are narrower here. */
export interface CaseDraft<N extends string = string> {
  readonly value?: number;
  readonly meaning?: string;
  readonly gate?: string;
  readonly section?: string;
  readonly layout: readonly (N | FieldDraft | readonly [N, FieldDraft])[];
}

function caseFields(
  owner: string,
  section: string,
  all: Readonly<Record<string, Field>>,
  draft: CaseDraft,
): Field[] {
  return draft.layout.map((item) => {
    if (typeof item === "string") {
      const f = all[item];
      if (f === undefined) throw new Error(`${owner}: there is no field ${item}`);
      return f;
    }
    if (!Array.isArray(item)) return named("_", item as FieldDraft, section);
    const [name, narrow] = item as readonly [string, FieldDraft];
    const wide = all[name];
    if (wide === undefined || narrow.hi > wide.hi || narrow.lo < wide.lo)
      throw new Error(`${owner}: ${name} ${position(narrow)} lies outside the field of that name`);
    return {
      ...wide,
      ...named(name, { ...draftOf(wide), ...narrow }, section),
      low: narrow.lo % 64,
    };
  });
}

const draftOf = (f: Field): FieldDraft => ({
  ...f,
  values: f.values as Values,
  enumeration: f.enumeration as Enumeration,
});

function buildCases<N extends string, C extends string>(
  name: string,
  size: number,
  section: string,
  all: Readonly<Record<string, Field>>,
  cases: Readonly<Record<C, CaseDraft<N>>>,
): Record<C, Case> {
  const built = Object.entries<CaseDraft<N>>(cases).map(([key, draft]) => {
    const owner = `${name} (${key})`;
    const where = draft.section ?? section;
    const sorted = covered(owner, size, caseFields(owner, where, all, draft));
    const one: Case = {
      is: "case",
      name: key,
      bits: size,
      bytes: Math.ceil(size / 8),
      section: where,
      meaning: draft.meaning ?? "",
      gate: draft.gate,
      fields: sorted,
      field: byName(sorted),
      value: draft.value,
    };
    return [key, one];
  });
  return Object.fromEntries(built) as Record<C, Case>;
}

/**
 * Declares a structure whose encodings share bits: `fields` names every field of any encoding,
 * `cases` gives each encoding as a complete cover. Throws on a gap or overlap in any of them, and
 * on a field that no encoding uses.
 */
export function union<const F extends Fields, const C extends string>(
  name: string,
  size: number,
  section: string,
  fields: F,
  cases: Readonly<Record<C, CaseDraft<Extract<keyof F, string>>>>,
  options: StructOptions = {},
): Union<Extract<keyof F, string>, C> {
  const all: Record<string, Field> = {};
  for (const [key, draft] of Object.entries(fields)) {
    const f = named(key, draft, section);
    checkBounds(name, size, f);
    all[key] = f;
  }
  const built = buildCases(name, size, section, all, cases);
  const list = Object.values<Case>(built);
  for (const key of Object.keys(all))
    if (!fields[key].view && !list.some((c) => key in c.field))
      throw new Error(`${name}.${key} is in no encoding`);
  const byValue = new Map(list.filter((c) => c.value !== undefined).map((c) => [c.value, c]));
  return {
    is: "union",
    name,
    bits: size,
    bytes: size / 8,
    section,
    meaning: options.meaning ?? "",
    fields: Object.values(all).sort((a, b) => a.lo - b.lo),
    field: all as Record<Extract<keyof F, string>, Field>,
    cases: built,
    caseOf: (value) => byValue.get(value),
  };
}

/** About a register as a whole. */
export interface RegisterOptions<N extends string = string> extends StructOptions {
  readonly frame?: string;
  readonly access?: string;
  readonly reset?: string;
  readonly guard?: string;
  readonly count?: number;
  readonly stride?: number;
  /** Fields of a second reading of the same bits, and the readings that use them. */
  readonly alternative?: Fields;
  readonly cases?: Readonly<Record<string, CaseDraft<N>>>;
}

/**
 * Declares a register of 32 or 64 bits at a byte offset of its frame. The fields cover the register
 * once; other readings of the same bits (`alternative`, `cases`) are complete covers of their own.
 */
export function register<const F extends Fields>(
  name: string,
  offset: number,
  size: number,
  section: string,
  fields: F,
  options: RegisterOptions = {},
): Register<Extract<keyof F, string>> {
  const base = struct(name, size, section, fields, options);
  const extra = Object.entries(options.alternative ?? {}).map(([k, d]) => named(k, d, section));
  const all = { ...base.field, ...byName(extra) };
  return {
    ...base,
    is: "register",
    field: all as Record<Extract<keyof F, string>, Field>,
    frame: options.frame ?? "SMMU",
    offset,
    count: options.count ?? 1,
    stride: options.stride ?? 0,
    access: options.access ?? "RW",
    reset: options.reset ?? "",
    guard: options.guard,
    cases: buildCases(name, size, section, all, options.cases ?? {}),
  };
}

/** A register with the layout of another one, at another place and under other conditions. */
export function registerLike<N extends string>(
  of: Register<N>,
  name: string,
  offset: number,
  section: string,
  options: RegisterOptions = {},
): Register<N> {
  return { ...of, ...options, cases: of.cases, name, offset, section };
}
