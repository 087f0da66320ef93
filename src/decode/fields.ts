// Reads declared fields out of words, and shows every bit that is set: named, reserved or unknown.
import { type Field, readField } from "../spec/index.ts";
import type { FieldValue } from "./types.ts";

/** Words of a structure; an undefined word was not in the input. */
export type Words = readonly (bigint | undefined)[];

/** Are all the words that hold this field there? */
function isReadable(field: Pick<Field, "hi" | "lo">, words: Words): boolean {
  for (let at = Math.floor(field.lo / 64); at <= Math.floor(field.hi / 64); at++)
    if (words[at] === undefined) return false;
  return true;
}

/** The first `count` words; trailing ones that are missing are cut off. */
export function foundWords(words: Words, count: number): Words {
  let last = Math.min(words.length, count);
  while (last > 0 && words[last - 1] === undefined) last--;
  return Array.from({ length: last }, (_, i) => words[i]);
}

/** Are all `count` words there? */
export const isComplete = (words: Words, count: number): boolean =>
  foundWords(words, count).filter((w) => w !== undefined).length === count;

const filled = (words: Words): bigint[] => Array.from(words, (w) => w ?? 0n);

/** Own words for particular values, tried before the field's general meaning. */
export type Notes = Readonly<Record<string, Readonly<Record<number, string>>>>;

function meaningOf(field: Field, value: bigint, notes: Notes): string | undefined {
  const number = Number(value);
  const text = notes[field.name]?.[number] ?? field.enumeration?.meanings[number] ?? field.meaning;
  return text === "" ? undefined : text;
}

function kindOf(field: Field): FieldValue["kind"] {
  if (field.kind === "res0") return "reserved";
  if (field.kind === "impdef" || field.kind === "ignored") return field.kind;
  return field.kind === "unverified" ? "unknown" : "field";
}

/** Reserved bits that are set, run by run: "[96]", "[108]" rather than the range around them. */
function setRuns(field: Field, words: readonly bigint[]): FieldValue[] {
  const runs: FieldValue[] = [];
  for (let bit = field.lo; bit <= field.hi; bit++) {
    if (!isSet(words, bit)) continue;
    let hi = bit;
    while (hi < field.hi && (hi + 1) % 64 !== 0 && isSet(words, hi + 1)) hi++;
    runs.push({
      name: "RES0",
      hi,
      lo: bit,
      value: (1n << BigInt(hi - bit + 1)) - 1n,
      meaning: "set, though the architecture reserves it",
      kind: "reserved",
      from: "words",
    });
    bit = hi;
  }
  return runs;
}

const isSet = (words: readonly bigint[], bit: number): boolean =>
  (((words[Math.floor(bit / 64)] ?? 0n) >> BigInt(bit % 64)) & 1n) === 1n;

/** The part of a range that lies in words that are there. */
function presentParts(field: Field, words: Words): Field[] {
  const parts: Field[] = [];
  for (let at = Math.floor(field.lo / 64); at <= Math.floor(field.hi / 64); at++) {
    if (words[at] === undefined) continue;
    const lo = Math.max(field.lo, at * 64);
    const hi = Math.min(field.hi, at * 64 + 63);
    parts.push({ ...field, lo, hi, width: hi - lo + 1 });
  }
  return parts;
}

function valuesOf(field: Field, words: Words, notes: Notes): FieldValue[] {
  const kind = kindOf(field);
  const raw = filled(words);
  if (kind === "reserved") return presentParts(field, words).flatMap((f) => setRuns(f, raw));
  if (kind !== "field" && field.width > 64)
    return presentParts(field, words).flatMap((f) => valuesOf(f, words, notes));
  return Array.from({ length: field.count }, (_, index) => {
    const shift = index * field.stride;
    const place = { hi: field.hi + shift, lo: field.lo + shift };
    if (!isReadable(place, words)) return [];
    const value = readField(field, raw, index);
    if (kind !== "field" && value === 0n) return [];
    return [oneValue(field, place, index, value, notes)];
  }).flat();
}

function oneValue(
  field: Field,
  place: { hi: number; lo: number },
  index: number,
  value: bigint,
  notes: Notes,
): FieldValue {
  const encoding = field.values?.[Number(value)];
  const meaning = meaningOf(field, value, notes);
  const name = /^(?:IMPDEF|IGNORED|ignored|unverified)\[/.test(field.name)
    ? field.name.slice(0, field.name.indexOf("[")).toUpperCase()
    : field.name;
  return {
    name: field.count > 1 ? `${name}<${index}>` : name,
    ...place,
    value,
    ...(encoding === undefined ? {} : { encoding }),
    ...(meaning === undefined ? {} : { meaning }),
    kind: kindOf(field),
    from: "words",
  };
}

/**
 * Every field of a layout whose words are there, from bit 0 upwards, and every reserved bit that is
 * set. Repeated fields give one value each, named "S2POI<3>".
 */
export function fieldValues(
  layout: { readonly fields: readonly Field[] },
  words: Words,
  notes: Notes = {},
): FieldValue[] {
  return layout.fields.flatMap((field) => valuesOf(field, words, notes));
}

/** Value of a named field, or undefined when it is not there. */
export function valueIn(fields: readonly FieldValue[], name: string): bigint | undefined {
  return fields.find((f) => f.name === name)?.value;
}

/** Lower-case hexadecimal without padding: 0x0, 0x2a. */
export const hexOf = (value: bigint | number): string => `0x${value.toString(16)}`;
