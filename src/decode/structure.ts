// Stream table entries, context descriptors and their level-1 descriptors (IHI0070 5).
import { CD, L1CD, L1STD, PRIQ, STE, type Struct } from "../spec/index.ts";
import { fieldValues, foundWords, hexOf, valueIn, type Words } from "./fields.ts";
import { addressBits, featuresOf } from "./idr.ts";
import { type Entry, type Judgement, judge, type Rule } from "./legal.ts";
import { CD_RULES, cdGranule } from "./legal-cd.ts";
import { STE_RULES } from "./legal-ste.ts";
import type { DecodeOptions, FieldValue, StructureName, StructureRecord } from "./types.ts";
import { judgeVste } from "./vste.ts";

const LAYOUTS: Readonly<Record<Exclude<StructureName, "VMS">, Struct>> = {
  STE,
  CD,
  L1STD,
  L1CD,
  PRIQ,
};

/** How many 64-bit words a structure has. */
export const wordsIn = (structure: Exclude<StructureName, "VMS">): number =>
  LAYOUTS[structure].bits / 64;

/** Where a structure came from, and what is known around it. */
export interface StructureContext {
  readonly owner?: string;
  readonly ssid?: number;
  /** The STE that leads to a CD. */
  readonly ste?: Words;
  readonly options?: DecodeOptions;
}

function entryOf(fields: readonly FieldValue[], context: StructureContext): Entry {
  const get = (name: string): bigint | undefined => valueIn(fields, name);
  const num = (name: string): number | undefined => {
    const value = get(name);
    return value === undefined ? undefined : Number(value);
  };
  const ste = context.ste === undefined ? undefined : fieldValues(STE, context.ste);
  const entry = { get, num, features: featuresOf(context.options?.idr) };
  return ste === undefined ? entry : { ...entry, ste: (name) => valueIn(ste, name) };
}

const show = (entry: Entry, name: string): string => {
  const value = entry.get(name);
  return value === undefined ? "?" : hexOf(value);
};

function substreamText(e: Entry): string {
  const max = e.num("S1CDMax") ?? 0;
  if (max === 0) return "one CD, no substreams";
  const format = ["linear", "2-level with 4KB leaves", "2-level with 64KB leaves"][
    e.num("S1Fmt") ?? 0
  ];
  const dss = ["abort (F_STREAM_DISABLED)", "bypass stage 1", "use CD 0"][e.num("S1DSS") ?? 0];
  return `2^${max} CDs, ${format ?? "linear"}; without a SubstreamID: ${dss ?? "abort"}`;
}

function stage2Text(e: Entry): string {
  const size = e.num("S2T0SZ");
  if (size === undefined) return "stage 2 (its words are missing)";
  const tg = ["4KB", "64KB", "16KB", "reserved"][e.num("S2TG") ?? 3];
  const ps = addressBits(e.num("S2PS") ?? 0);
  return (
    `stage 2 tables at ${show(e, "S2TTB")}, VMID ${show(e, "S2VMID")}, ${tg} ` +
    `granule, ${64 - size}-bit input, ${ps}-bit output`
  );
}

function steSummary(e: Entry): string {
  if (e.num("V") === undefined) return "word 0 is missing, so nothing can be said";
  if (e.num("V") === 0)
    return "Invalid: any transaction of this stream gives C_BAD_STE and is aborted.";
  const config = e.num("Config") ?? 0;
  if (config < 4) return "Aborts every transaction of this stream, without an event.";
  if (config === 4) return "Bypass: addresses of this stream are used untranslated.";
  const s1 = `stage 1 by the CD at ${show(e, "S1ContextPtr")} (${substreamText(e)})`;
  if (config === 5) return `Translates: ${s1}; no stage 2.`;
  if (config === 6) return `Translates: ${stage2Text(e)}; no stage 1.`;
  return `Translates twice: ${s1}, whose address is an IPA; then ${stage2Text(e)}.`;
}

function halfText(e: Entry, half: 0 | 1): string {
  if (e.num(`EPD${half}`) === 1) return `TTB${half} off`;
  const size = e.num(`T${half}SZ`);
  const granule = cdGranule(half, e.num(`TG${half}`) ?? 0);
  if (size === undefined || e.get(`TTB${half}`) === undefined) return `TTB${half} not shown`;
  return (
    `TTB${half} at ${show(e, `TTB${half}`)}, ${64 - size}-bit input, ${granule ?? "reserved"} ` +
    "granule"
  );
}

function faultText(e: Entry): string {
  if (e.num("S") === 1) return "faults stall the transaction";
  const record = e.num("R") === 1 ? "and are recorded" : "and are not recorded";
  return e.num("A") === 1 ? `faults abort ${record}` : `faults read as zero ${record}`;
}

function cdSummary(e: Entry): string {
  if (e.num("V") === undefined) return "word 0 is missing, so nothing can be said";
  if (e.num("V") === 0)
    return "Invalid: use of this CD gives C_BAD_CD and the transaction is aborted.";
  const ips = addressBits(e.num("IPS") ?? 0);
  return (
    `ASID ${show(e, "ASID")}: ${halfText(e, 0)}; ${halfText(e, 1)}; ${ips}-bit ` +
    `output; ${faultText(e)}.`
  );
}

function l1stdSummary(e: Entry): string {
  const span = e.num("Span") ?? 0;
  if (span === 0) return "No second-level table: its StreamIDs give C_BAD_STREAMID.";
  if (span > 11)
    return `Span ${span} is reserved and behaves as 0: its StreamIDs give C_BAD_STREAMID.`;
  return `Second-level table of 2^${span - 1} = ${2 ** (span - 1)} STEs at ${show(e, "L2Ptr")}.`;
}

function l1cdSummary(e: Entry): string {
  return e.num("V") === 1
    ? `Table of CDs at ${show(e, "L2Ptr")}.`
    : "No table of CDs: its SubstreamIDs give C_BAD_SUBSTREAMID.";
}

const SUMMARIES: Readonly<Record<string, (e: Entry) => string>> = {
  STE: steSummary,
  CD: cdSummary,
  L1STD: l1stdSummary,
  L1CD: l1cdSummary,
  PRIQ: (e) =>
    `Page request of stream ${show(e, "StreamID")}, group ${show(e, "PRGIndex")}, ` +
    `address ${show(e, "PageAddress")}.`,
};

const NOTHING: Judgement = { illegal: [], undecided: [] };

function judgementOf(structure: StructureName, entry: Entry): Judgement {
  const rules: readonly Rule[] | undefined =
    structure === "STE" ? STE_RULES : structure === "CD" ? CD_RULES : undefined;
  if (rules === undefined || entry.num("V") !== 1) return NOTHING;
  return structure === "STE" && (entry.num("Config") ?? 0) < 4 ? NOTHING : judge(rules, entry);
}

function legalityOf(
  structure: StructureName,
  entry: Entry,
  { illegal, undecided }: Judgement,
): StructureRecord["legality"] {
  if (structure !== "STE" && structure !== "CD") return undefined;
  const valid = entry.num("V");
  if (valid === undefined) return "undecided";
  if (valid === 0) return "invalid";
  if (illegal.length > 0) return "illegal";
  return undecided.length > 0 ? "undecided" : "legal";
}

/**
 * Decodes a configuration structure. Missing words leave their fields out. Legality is judged for a
 * Non-secure SMMU, by the ID registers in the options; without them the rules that need one are
 * listed
 * as undecided.
 */
export function decodeStructure(
  structure: Exclude<StructureName, "VMS">,
  words: Words,
  context: StructureContext = {},
): StructureRecord {
  const count = wordsIn(structure);
  const fields = fieldValues(LAYOUTS[structure], words.slice(0, count));
  const entry = entryOf(fields, context);
  const judgement = judgementOf(structure, entry);
  const legality = legalityOf(structure, entry, judgement);
  const present = words.slice(0, count).filter((w) => w !== undefined).length;
  const vste = structure === "STE" ? judgeVste(words) : undefined;
  return {
    kind: "structure",
    structure,
    ...(context.owner === undefined ? {} : { owner: context.owner }),
    ...(context.ssid === undefined ? {} : { ssid: context.ssid }),
    words: foundWords(words, count),
    complete: present === count,
    summary: SUMMARIES[structure](entry),
    ...(legality === undefined ? {} : { legality }),
    ...judgement,
    ...(vste === undefined ? {} : { vste }),
    fields,
    hints: [],
    notes:
      present === count
        ? []
        : [`${present} of ${count} words are given; fields of the others are not shown`],
    fault: legality === "illegal",
  };
}
