// Reading and writing declared fields in 64-bit words, for TypeScript users (IHI0070 1.3).
import { type Case, type Field, position, type Struct, type Union } from "./field.ts";

/** What `decodeAll` says about one field. */
export interface DecodedField {
  readonly field: Field;
  /** Index of the element of a repeated field, else 0. */
  readonly index: number;
  /** The field's value; an address comes back in place. */
  readonly value: bigint;
  /** Name of the encoding, if it has one. */
  readonly encoding: string | undefined;
}

/** Anything with named fields: a structure, an encoding of one, a union, or a register. */
export type Layout<N extends string = string> = Pick<
  Struct<N>,
  "name" | "bits" | "bytes" | "fields" | "field"
>;

const maskOf = (width: number): bigint => (1n << BigInt(width)) - 1n;

const lowBitOf = (field: Field, index: number): number => field.lo + index * field.stride;

/** The raw number in a field (element `index` of a repeated one); addresses are in place. */
export function readField(field: Field, words: readonly bigint[], index = 0): bigint {
  let value = 0n;
  for (let at = lowBitOf(field, index), done = 0; done < field.width; ) {
    const take = Math.min(field.width - done, 64 - (at % 64));
    const word = words[Math.floor(at / 64)] ?? 0n;
    value |= ((word >> BigInt(at % 64)) & maskOf(take)) << BigInt(done);
    done += take;
    at += take;
  }
  return field.kind === "address" ? value << BigInt(field.low) : value;
}

/** A number in a field of at most 30 bits, from the halves of its 64-bit word. */
export function readHalves(field: Field, low: number, high: number): number {
  const half = field.lo < 32 ? low : high;
  return (half >>> (field.lo % 32)) & ((1 << field.width) - 1);
}

/** Replaces a field in `words`, in place. Bits that the field cannot hold are dropped. */
export function writeField(field: Field, words: bigint[], value: bigint, index = 0): void {
  let rest = field.kind === "address" ? value >> BigInt(field.low) : value;
  for (let at = lowBitOf(field, index), done = 0; done < field.width; ) {
    const take = Math.min(field.width - done, 64 - (at % 64));
    const word = Math.floor(at / 64);
    const shift = BigInt(at % 64);
    words[word] =
      ((words[word] ?? 0n) & ~(maskOf(take) << shift)) | ((rest & maskOf(take)) << shift);
    rest >>= BigInt(take);
    done += take;
    at += take;
  }
}

function fieldOf(layout: { readonly name: string; readonly field: object }, name: string): Field {
  const field = (layout.field as Readonly<Record<string, Field>>)[name];
  if (field === undefined) throw new RangeError(`${layout.name} has no field ${name}`);
  return field;
}

/** Value of the named field. Throws a RangeError on a name that the layout does not have. */
export function getField<N extends string>(
  layout: { readonly name: string; readonly field: Readonly<Record<N, Field>> },
  words: readonly bigint[],
  name: N,
  index = 0,
): bigint {
  return readField(fieldOf(layout, name), words, index);
}

/** Sets the named field in `words`, in place, and returns them. RangeError on an unknown name. */
export function setField<N extends string>(
  layout: { readonly name: string; readonly field: Readonly<Record<N, Field>> },
  words: bigint[],
  name: N,
  value: bigint | number,
  index = 0,
): bigint[] {
  writeField(fieldOf(layout, name), words, BigInt(value), index);
  return words;
}

/** Words of a structure built from field values; fields not given are 0. */
export function packFields<N extends string>(
  layout: {
    readonly name: string;
    readonly bits: number;
    readonly field: Readonly<Record<N, Field>>;
  },
  values: Readonly<Partial<Record<N, bigint | number>>>,
): bigint[] {
  const words = new Array<bigint>(Math.ceil(layout.bits / 64)).fill(0n);
  for (const [name, value] of Object.entries(values) as [N, bigint | number | undefined][])
    if (value !== undefined) setField(layout, words, name, value);
  return words;
}

const isReserved = (field: Field): boolean => field.kind === "res0";

const isNamed = (field: Field): boolean => field.kind === "bits" || field.kind === "address";

/** Every named field of the layout with its value, from bit 0 upwards. */
export function decodeAll(
  layout: Pick<Layout, "fields">,
  words: readonly bigint[],
): DecodedField[] {
  return layout.fields.filter(isNamed).flatMap((field) =>
    Array.from({ length: field.count }, (_, index) => {
      const value = readField(field, words, index);
      return { field, index, value, encoding: field.values?.[Number(value)] };
    }),
  );
}

/** The encoding of a union that a selector value picks, or the union itself when it picks none. */
export function layoutOf(entry: Union, selector: number): Pick<Layout, "name" | "fields"> {
  const found: Case | undefined = entry.caseOf(selector);
  return found ?? entry;
}

/** Reserved ranges of the layout in which a bit is set: "[107:105]" and the value found there. */
export function reservedSet(
  layout: Pick<Layout, "fields">,
  words: readonly bigint[],
): { readonly position: string; readonly value: bigint }[] {
  return layout.fields
    .filter(isReserved)
    .map((field) => ({ position: position(field), value: readField(field, words) }))
    .filter((r) => r.value !== 0n);
}

/** Little-endian 64-bit words of a byte string; a short last word is zero-extended. */
export function wordsOf(bytes: Uint8Array): bigint[] {
  const words: bigint[] = [];
  for (let i = 0; i < bytes.length; i++) {
    const word = i >> 3;
    words[word] = (words[word] ?? 0n) | (BigInt(bytes[i]) << BigInt((i & 7) * 8));
  }
  return words;
}

/** The first `length` bytes of little-endian words. */
export function bytesOf(words: readonly bigint[], length = words.length * 8): Uint8Array {
  return Uint8Array.from({ length }, (_, i) =>
    Number(((words[i >> 3] ?? 0n) >> BigInt((i & 7) * 8)) & 0xffn),
  );
}
