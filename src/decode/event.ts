// Event records: from words, from the kernel's text lines, or from a QEMU trace (IHI0070 7.3).
import { type Case, CLASS, EVENT } from "../spec/index.ts";
import {
  fieldValues,
  foundWords,
  hexOf,
  isComplete,
  type Notes,
  valueIn,
  type Words,
} from "./fields.ts";
import type { EventText, TraceFault } from "./scan.ts";
import type { Collected } from "./text/assemble.ts";
import type { EventNumbers } from "./text/patterns.ts";
import type { EventRecord, FieldValue } from "./types.ts";

const NOTES: Notes = {
  SSV: { 0: "the transaction had no SubstreamID", 1: "the SubstreamID is valid" },
  Stall: { 0: "terminated, not stalled", 1: "stalled: waits for CMD_RESUME" },
  PnU: { 0: "unprivileged", 1: "privileged" },
  InD: { 0: "data", 1: "instruction" },
  RnW: { 0: "the access was a write", 1: "the access was a read" },
  S2: { 0: "stage 1 faulted", 1: "stage 2 faulted" },
  CLASS: {
    0: "a context descriptor fetch caused the fault",
    1: "a stage 1 table fetch caused the fault",
    2: "the input address caused the fault",
    3: "reserved encoding",
  },
  TTRnW: { 0: "the descriptor was being updated", 1: "the descriptor was being read" },
};

const NAMES = new Map(Object.values(EVENT.cases).map((c) => [c.name, c]));

/**
 * "F_TRANSLATION"; "IMPDEF_0xe3" and "RESERVED_0x55" for numbers that the architecture does not
 * name.
 */
export function eventNameOf(id: number): string {
  if (id >= 0xe0 && id <= 0xef) return `IMPDEF_${hexOf(id)}`;
  return EVENT.caseOf(id)?.name ?? `RESERVED_${hexOf(id)}`;
}

/** Number of a named event, or undefined. */
const eventIdOf = (name: string): number | undefined => NAMES.get(name)?.value;

/** The layout of an event; only the number for those that have no published one. */
function layoutFor(id: number): Pick<Case, "fields" | "meaning"> {
  const known = EVENT.caseOf(id);
  if (known !== undefined && id < 0xe0) return known;
  const rest = EVENT.cases.IMPDEF_EVENT0.fields.filter((f) => f.name !== "EventID");
  return { fields: [EVENT.field.EventID, ...rest], meaning: "no published layout" };
}

/** Names the event in its number, and says when the IPA bits mean nothing. */
function annotated(id: number, fields: readonly FieldValue[]): FieldValue[] {
  const stage1 = valueIn(fields, "S2") === 0n;
  return fields.map((f) => {
    if (f.name === "EventID")
      return { ...f, encoding: eventNameOf(id), meaning: layoutFor(id).meaning };
    if (f.name === "IPA" && stage1)
      return { ...f, meaning: "means nothing: stage 1 faulted, so no IPA is reported" };
    return f;
  });
}

/** What every consumer wants to know, taken from the fields that are there. */
function facts(id: number, fields: readonly FieldValue[]): Partial<EventRecord> {
  const get = (name: string): bigint | undefined => valueIn(fields, name);
  const bool = (name: string): boolean | undefined => {
    const value = get(name);
    return value === undefined ? undefined : value === 1n;
  };
  const ssid = get("SubstreamID");
  const hasSsid = id === 0x08 || get("SSV") === 1n;
  const s2 = bool("S2");
  const read = bool("RnW");
  const cls = get("CLASS");
  return defined({
    sid: number(get("StreamID")),
    ssid: hasSsid ? number(ssid) : undefined,
    iova: get("InputAddr") ?? get("F_BAD_ATS_TREQ.InputAddr"),
    ipa: s2 === true ? get("IPA") : undefined,
    fetchAddr: get("FetchAddr"),
    direction: read === undefined ? undefined : read ? "read" : "write",
    privileged: bool("PnU"),
    instruction: bool("InD"),
    stage: s2 === undefined ? undefined : s2 ? 2 : 1,
    class: cls === undefined ? undefined : className(Number(cls)),
    stall: bool("Stall"),
  });
}

const className = (value: number): EventRecord["class"] =>
  (CLASS.values[value] as EventRecord["class"]) ?? "RESERVED";

const number = (value: bigint | undefined): number | undefined =>
  value === undefined ? undefined : Number(value);

/** The object without its undefined members. */
export function defined<T extends object>(object: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(object).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}

/** Decodes the words of one event record. Words may be missing; what they held is then absent. */
export function decodeEvent(words: Words): EventRecord {
  const first = words[0];
  const id = first === undefined ? -1 : Number(first & 0xffn);
  const fields = id < 0 ? [] : annotated(id, fieldValues(layoutFor(id), words.slice(0, 4), NOTES));
  return {
    kind: "event",
    event: id < 0 ? "UNKNOWN" : eventNameOf(id),
    id,
    words: foundWords(words, 4),
    complete: isComplete(words, 4),
    source: "words",
    ...facts(id, fields),
    fields,
    hints: [],
    notes: [],
    fault: true,
  };
}

function textField(name: string, value: bigint): FieldValue[] {
  const field = EVENT.field[name as keyof typeof EVENT.field];
  const encoding = field.values?.[Number(value)];
  const meaning = NOTES[name]?.[Number(value)] ?? field.meaning;
  const { hi, lo } = field;
  return [
    {
      name,
      hi,
      lo,
      value,
      ...(encoding ? { encoding } : {}),
      meaning,
      kind: "field",
      from: "text",
    },
  ];
}

const bit = (value: boolean): bigint => (value ? 1n : 0n);

/** Fields that the kernel's own decoding gives; they exist in the event of that name. */
function textFields(id: number, text: EventText): FieldValue[] {
  const { numbers, flags } = text;
  const has = EVENT.caseOf(id)?.field ?? {};
  const list: [string, bigint | undefined][] = [
    ["EventID", id < 0 ? undefined : BigInt(id)],
    ["SubstreamID", numbers.ssid === undefined ? undefined : BigInt(numbers.ssid)],
    ["StreamID", numbers.sid === undefined ? undefined : BigInt(numbers.sid)],
    ["InputAddr", numbers.iova],
    ["IPA", flags?.stage === 2 ? numbers.ipa : undefined],
    ["FetchAddr", numbers.fetchAddr],
  ];
  if (flags !== undefined)
    list.push(
      ["STAG", BigInt(flags.stag)],
      ["Stall", bit(flags.stall)],
      ["PnU", bit(flags.privileged)],
      ["InD", bit(flags.instruction)],
      ["RnW", bit(flags.read)],
      ["S2", bit(flags.stage === 2)],
      ["CLASS", flags.class && { CD: 0n, TT: 1n, IN: 2n, RESERVED: 3n }[flags.class]],
      ["TTRnW", flags.ttRead === undefined ? undefined : bit(flags.ttRead)],
    );
  return list
    .filter(([name, value]) => value !== undefined && name in has)
    .flatMap(([name, value]) => textField(name, value as bigint))
    .sort((a, b) => a.lo - b.lo);
}

/** An event of which only the kernel's text is left. */
function eventOfText(text: EventText): EventRecord {
  const id = eventIdOf(text.event) ?? -1;
  const fields = annotated(id, textFields(id, text));
  return {
    kind: "event",
    event: text.event,
    id,
    words: [],
    complete: false,
    source: "text",
    ...facts(id, fields),
    ...defined({ sid: text.numbers.sid, ssid: text.numbers.ssid || undefined }),
    client: text.client,
    fields,
    hints: [],
    notes: [],
    fault: true,
  };
}

const DISAGREE: readonly (keyof EventNumbers & keyof EventRecord)[] = ["sid", "iova", "fetchAddr"];

/** Adds the kernel's text to a decoded record: what words are missing, and what disagrees. */
function withText(record: EventRecord, text: EventText): EventRecord {
  const other = eventOfText(text);
  const notes = [...record.notes];
  if (other.event !== record.event && other.id >= 0)
    notes.push(`the words say ${record.event}, the kernel's text ${other.event}`);
  for (const name of DISAGREE) {
    const mine = record[name];
    const theirs = text.numbers[name];
    if (mine !== undefined && theirs !== undefined && BigInt(mine) !== BigInt(theirs))
      notes.push(
        `${name} is ${hexOf(mine)} in the words and ${hexOf(theirs)} in the kernel's text`,
      );
  }
  const base = { ...record, notes, client: text.client };
  if (other.event !== record.event || record.complete) return base;
  const names = new Set(record.fields.map((f) => f.name));
  const added = other.fields.filter((f) => !names.has(f.name));
  if (added.length > 0) notes.push("fields of missing words are taken from the kernel's text");
  const fields = [...record.fields, ...added].sort((a, b) => a.lo - b.lo);
  return { ...base, ...facts(record.id, fields), fields };
}

function missingNote(words: Words, wanted: number): string[] {
  const absent = Array.from({ length: wanted }, (_, i) => i).filter((i) => words[i] === undefined);
  if (absent.length === 0) return [];
  const which = absent.length === wanted ? "no word" : `no word ${absent.join(", ")}`;
  return [`the text has ${which} of this record; fields in it are not shown`];
}

/**
 * The header announced another event than word 0 holds: then the words cannot be trusted to be in
 * place.
 */
function misplaced(collected: Collected): boolean {
  const word = collected.words[0];
  return (
    collected.announced !== undefined &&
    word !== undefined &&
    Number(word & 0xffn) !== collected.announced &&
    collected.words.filter((w) => w !== undefined).length < 4
  );
}

function ofHeaderOnly(collected: Collected): EventRecord {
  const id = collected.announced as number;
  const found = collected.words.filter((w): w is bigint => w !== undefined);
  const notes = missingNote([], 4);
  if (found.length > 0)
    notes.unshift(
      `the first word found does not hold event ${hexOf(id)}, so word 0 is missing ` +
        `and the others cannot be placed: ${found.map(hexOf).join(" ")}`,
    );
  return {
    kind: "event",
    event: eventNameOf(id),
    id,
    words: [],
    complete: false,
    source: "words",
    fields: [],
    hints: [],
    notes,
    fault: true,
  };
}

/**
 * Decodes an event found in a text: its words if there are any, its text lines if there are any.
 */
export function eventOfItem(item: { collected?: Collected; text?: EventText }): EventRecord {
  const { collected, text } = item;
  if (collected === undefined) return eventOfText(text as EventText);
  const { words, announced } = collected;
  const placed =
    words.some((w) => w !== undefined) && !misplaced(collected) && words[0] !== undefined;
  let record = placed
    ? { ...decodeEvent(words), notes: missingNote(words, 4) }
    : ofHeaderOnly({ ...collected, announced: announced ?? 0 });
  if (placed && announced !== undefined && announced !== record.id)
    record = {
      ...record,
      notes: [
        ...record.notes,
        `the header says event ${hexOf(announced)}, word 0 says ${hexOf(record.id)}`,
      ],
    };
  return text === undefined ? record : withText(record, text);
}

/** A fault that a QEMU trace reports. */
export function eventOfTrace(fault: TraceFault): EventRecord | undefined {
  if (fault.event === undefined) return undefined;
  const id = eventIdOf(fault.event) ?? -1;
  const has = EVENT.caseOf(id)?.field ?? {};
  const list: [string, bigint | undefined][] = [
    ["EventID", id < 0 ? undefined : BigInt(id)],
    ["StreamID", fault.sid === undefined ? undefined : BigInt(fault.sid)],
    ["InputAddr", fault.iova],
  ];
  const fields = list
    .filter(([name, value]) => value !== undefined && name in has)
    .flatMap(([name, value]) => textField(name, value as bigint));
  return {
    kind: "event",
    event: fault.event,
    id,
    words: [],
    complete: false,
    source: "trace",
    ...facts(id, fields),
    ...defined({ iova: fault.iova }),
    ...(fault.walk.length > 0 ? { walk: fault.walk } : {}),
    fields,
    hints: [],
    notes: [],
    fault: true,
  };
}
