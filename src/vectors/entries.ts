// Vectors of structures and event records: random bits, and the fields that they hold.
import { CD } from "../spec/cd.ts";
import { CMD } from "../spec/command.ts";
import { EVENT } from "../spec/event.ts";
import type { Case, Struct } from "../spec/field.ts";
import { L1STD, STE } from "../spec/ste.ts";
import { decodeAll, writeField } from "../spec/word.ts";
import type { Random } from "./random.ts";
import type { EntryVector, EventVector, Hex } from "./types.ts";

const hex = (value: bigint): Hex => `0x${value.toString(16)}`;

type Layout = Pick<Struct, "fields">;

/** Every named field of a layout with its value; elements of a repeated one are numbered. */
export function fieldsOf(layout: Layout, words: readonly bigint[]): Record<string, Hex> {
  const entries = decodeAll(layout, words).map(({ field, index, value }): [string, Hex] => [
    field.count > 1 ? `${field.name}[${index}]` : field.name,
    hex(value),
  ]);
  return Object.fromEntries(entries);
}

/** Random words in which reserved bits are zero. */
function randomWords(layout: Layout, bits: number, random: Random): bigint[] {
  const words = Array.from({ length: bits / 64 }, () => random.word());
  for (const field of layout.fields) if (field.kind === "res0") writeField(field, words, 0n);
  return words;
}

function entry(id: string, layout: Struct, random: Random): EntryVector {
  const words = randomWords(layout, layout.bits, random);
  return {
    id,
    kind: "entry",
    provenance: "arch",
    given: { structure: layout.name, words: words.map(hex) },
    expect: { fields: fieldsOf(layout, words) },
  };
}

/** The encodings of a union that a number in bits 7:0 selects. */
const encodingsOf = (cases: Readonly<Record<string, Case>>): Case[] =>
  Object.values<Case>(cases).filter((c) => c.value !== undefined);

/** Words of one encoding of a union: its number, random fields. */
function encoded(encoding: Case, bits: number, random: Random): bigint[] {
  const words = randomWords(encoding, bits, random);
  words[0] = words[0] - (words[0] % 256n) + BigInt(encoding.value ?? 0);
  return words;
}

/** `count` entries of each structure, and as many commands. */
export function entryVectors(random: Random, count: number): EntryVector[] {
  const structures = [STE, CD, L1STD].flatMap((layout) =>
    Array.from({ length: count }, (_, i) => entry(`${layout.name}-${i}`, layout, random)),
  );
  const commands = Array.from({ length: count }, (_, i): EntryVector => {
    const encoding = random.pick(encodingsOf(CMD.cases));
    const words = encoded(encoding, CMD.bits, random);
    return {
      id: `CMD-${i}`,
      kind: "entry",
      provenance: "arch",
      given: { structure: `CMD_${encoding.name}`, words: words.map(hex) },
      expect: { fields: fieldsOf(encoding, words) },
    };
  });
  return [...structures, ...commands];
}

/** What a record says; undefined for an event number that the specification does not have. */
export function eventVector(
  id: string,
  words: readonly bigint[],
  origin: Pick<EventVector, "provenance" | "source">,
): EventVector | undefined {
  const type = Number(words[0] % 256n);
  const encoding = EVENT.caseOf(type);
  if (encoding === undefined || words.length !== 4) return undefined;
  return {
    id,
    kind: "event",
    ...origin,
    given: { record: words.map(hex) },
    expect: { type, name: encoding.name, fields: fieldsOf(encoding, words) },
  };
}

/** `count` random records of events that the specification has. */
export function eventVectors(random: Random, count: number): EventVector[] {
  return Array.from({ length: count }, (_, i) => {
    const words = encoded(random.pick(encodingsOf(EVENT.cases)), EVENT.bits, random);
    return eventVector(`EVENT-${i}`, words, { provenance: "arch" }) as EventVector;
  });
}
