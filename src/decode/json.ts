// The published JSON form of results: one versioned schema (schema.json), hexadecimal values.
import type { DecodedRecord, DecodeResult, Storm } from "./types.ts";

/** Version of the JSON form. A change that breaks a reader makes a new number. */
export const SCHEMA_VERSION = 1;

/** Name of the JSON form, in every document and line. */
export const SCHEMA_NAME = "vsmmu-decode";

/** A value that JSON can hold. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

/** Numbers that are identifiers or bit patterns; every other number is a count. */
const HEX_KEYS = new Set(["id", "sid", "ssid", "opcode", "mask", "offset"]);

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

function valueJson(key: string, value: unknown): Json | undefined {
  if (typeof value === "bigint") return hex(value);
  if (typeof value === "number") {
    if (!HEX_KEYS.has(key)) return value;
    return value < 0 ? undefined : hex(value);
  }
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (Array.isArray(value)) return value.map((v) => valueJson(key, v) ?? null);
  return typeof value === "object" && value !== null ? objectJson(value) : undefined;
}

function objectJson(value: object): { [key: string]: Json } {
  const json: { [key: string]: Json } = {};
  for (const [key, member] of Object.entries(value)) {
    const name = key === "encoding" ? "enum" : key;
    const converted = key === "id" && typeof member === "string" ? member : valueJson(key, member);
    if (converted !== undefined) json[name] = converted;
  }
  return json;
}

/**
 * One record as JSON: values in lower-case hexadecimal without padding, unknown things left out.
 */
export function recordJson(record: DecodedRecord): { readonly [key: string]: Json } {
  return objectJson(record);
}

/** One record as a JSON line of a stream. */
export function recordLine(record: DecodedRecord): string {
  return JSON.stringify({ schema: SCHEMA_NAME, version: SCHEMA_VERSION, ...recordJson(record) });
}

/** A whole result as one JSON document. */
export function resultJson(result: DecodeResult): { readonly [key: string]: Json } {
  return {
    schema: SCHEMA_NAME,
    version: SCHEMA_VERSION,
    understood: result.understood,
    faults: result.faults,
    suppressed: result.suppressed,
    records: result.records.map(recordJson),
    storms: result.storms.map((s: Storm) => objectJson(s)),
    trace: { ...result.trace },
  };
}
