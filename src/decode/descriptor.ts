// Translation table descriptors: a 64-bit word at a stage, granule and level (DDI0487 D8.3).
import { S1LEAF, S1TABLE, S2LEAF, S2TABLE } from "../spec/index.ts";
import { fieldValues, hexOf, type Notes, valueIn } from "./fields.ts";
import type { DecodeOptions, DescriptorReading, DescriptorRecord, FieldValue } from "./types.ts";

type Granule = DescriptorReading["granule"];

const SHIFT: Readonly<Record<Granule, number>> = { "4K": 12, "16K": 14, "64K": 16 };

/** Levels at which a block exists without 52-bit addressing. */
const BLOCK_LEVELS: Readonly<Record<Granule, readonly number[]>> = {
  "4K": [1, 2],
  "16K": [2],
  "64K": [2],
};

const NOTES: Notes = {
  "AP[1]": { 0: "no unprivileged access", 1: "unprivileged access allowed" },
  "AP[2]": { 0: "read and write", 1: "read only" },
  "S2AP[0]": { 0: "reads fault", 1: "reads allowed" },
  "S2AP[1]": { 0: "writes fault", 1: "writes allowed" },
  AF: { 0: "not accessed yet: use faults with F_ACCESS unless hardware may set it", 1: "accessed" },
  nG: { 0: "global: kept whatever the ASID", 1: "belongs to one ASID" },
  UXN: { 0: "unprivileged may execute", 1: "unprivileged may not execute" },
  PXN: { 0: "privileged may execute", 1: "privileged may not execute" },
};

/** Bytes that one entry of a level maps. */
function entryBytes(granule: Granule, level: number): bigint {
  const shift = SHIFT[granule] + (3 - level) * (SHIFT[granule] - 3);
  return 1n << BigInt(shift);
}

function typeOf(value: bigint, granule: Granule, level: number): DescriptorReading["type"] {
  if ((value & 1n) === 0n) return "invalid";
  const high = (value & 2n) !== 0n;
  if (level === 3) return high ? "page" : "reserved";
  if (high) return "table";
  return BLOCK_LEVELS[granule].includes(level) ? "block" : "reserved";
}

const bit = (fields: readonly FieldValue[], name: string): boolean => valueIn(fields, name) === 1n;

function stage1Permissions(fields: readonly FieldValue[]): string {
  const write = bit(fields, "AP[2]") ? "read-only" : "read-write";
  const unprivileged = bit(fields, "AP[1]") ? write : "no access";
  const exec = `${bit(fields, "PXN") ? "no" : "yes"}/${bit(fields, "UXN") ? "no" : "yes"}`;
  return (
    `privileged ${write}, unprivileged ${unprivileged}, execute ` +
    `(privileged/unprivileged) ${exec}`
  );
}

function stage2Permissions(fields: readonly FieldValue[]): string {
  const read = bit(fields, "S2AP[0]");
  const write = bit(fields, "S2AP[1]");
  const access = read ? (write ? "read-write" : "read-only") : write ? "write-only" : "no access";
  return `${access}, XN ${valueIn(fields, "XN") ?? 0n}`;
}

function readingOf(
  value: bigint,
  stage: 1 | 2,
  granule: Granule,
  level: number,
): DescriptorReading {
  const type = typeOf(value, granule, level);
  const base = { stage, granule, level, type };
  if (type === "invalid" || type === "reserved") return { ...base, fields: [] };
  if (type === "table") {
    const union = stage === 1 ? S1TABLE : S2TABLE;
    const fields = fieldValues(union.cases[granule], [value], NOTES);
    return { ...base, address: valueIn(fields, "NLTA") ?? 0n, fields };
  }
  const union = stage === 1 ? S1LEAF : S2LEAF;
  const key = type === "page" ? `${granule}_PAGE` : `${granule}_L${level}`;
  const fields = fieldValues(union.cases[key as keyof typeof union.cases], [value], NOTES);
  return {
    ...base,
    address: valueIn(fields, "OA") ?? 0n,
    size: entryBytes(granule, level),
    permissions: stage === 1 ? stage1Permissions(fields) : stage2Permissions(fields),
    fields,
  };
}

/** "table at 0x…", "page of 0x1000 bytes at 0x…: …": one reading in words. */
export function readingText(r: DescriptorReading): string {
  if (r.type === "invalid") return "invalid: use gives F_TRANSLATION, the other bits mean nothing";
  if (r.type === "reserved")
    return "reserved encoding, treated as invalid: use gives F_TRANSLATION";
  const address = hexOf(r.address ?? 0n);
  if (r.type === "table") return `table of level ${r.level + 1} at ${address}`;
  return `${r.type} of ${hexOf(r.size ?? 0n)} bytes at ${address}: ${r.permissions}`;
}

/** Levels that tell the possible readings apart, when none is given. */
function levelsFor(value: bigint, granule: Granule): readonly number[] {
  if ((value & 1n) === 0n) return [3];
  return (value & 2n) !== 0n ? [2, 3] : BLOCK_LEVELS[granule];
}

/**
 * Decodes a descriptor. Stage 1 and the 4 KB granule are assumed where the options do not say
 * otherwise; without a level every kind it can be is shown (table or page, or the block sizes).
 */
export function decodeDescriptor(value: bigint, options: DecodeOptions = {}): DescriptorRecord {
  const stage = options.stage ?? 1;
  const granule = options.granule ?? "4K";
  const levels = options.level === undefined ? levelsFor(value, granule) : [options.level];
  const readings = levels.map((level) => readingOf(value, stage, granule, level));
  const assumed = [
    options.stage === undefined ? "stage 1" : undefined,
    options.granule === undefined ? "4K granule" : undefined,
  ].filter((t) => t !== undefined);
  const notes = assumed.length === 0 ? [] : [`assumed: ${assumed.join(", ")}`];
  if (options.level === undefined && readings.length > 1)
    notes.push("the level is not given, so every reading is shown");
  return {
    kind: "descriptor",
    value,
    readings,
    fields: readings[0].fields,
    hints: [],
    notes,
    fault: false,
  };
}
