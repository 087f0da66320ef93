// Fills hint templates with the values of a record.
import texts from "./hint-texts.json" with { type: "json" };
import type { HintTemplate } from "./hint-texts.ts";
import type { Hint } from "./types.ts";

/** Rule ids of all hints. */
export type HintId = keyof typeof texts;

/** Values for the placeholders of a template. */
export type HintValues = Readonly<Record<string, string | number>>;

/** A hint from its template. An unfilled placeholder reads as "?". */
export function hintOf(id: HintId, values: HintValues = {}): Hint {
  const { part, confidence, text } = texts[id] as HintTemplate;
  const filled = text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? "?"));
  const sentence = filled.charAt(0).toUpperCase() + filled.slice(1);
  return { id, part, confidence, text: sentence };
}

/** "19:16, 12": runs of bits that are set, highest first. */
export function bitRanges(value: bigint): string {
  const ranges: string[] = [];
  for (let bit = value.toString(2).length - 1; bit >= 0; bit--) {
    if (((value >> BigInt(bit)) & 1n) === 0n) continue;
    const hi = bit;
    while (bit > 0 && ((value >> BigInt(bit - 1)) & 1n) === 1n) bit--;
    ranges.push(hi === bit ? `${hi}` : `${hi}:${bit}`);
  }
  return ranges.join(", ");
}

/** "01:10.0" of a 16-bit RequesterID. */
export function bdfOf(rid: number): string {
  const two = (n: number): string => n.toString(16).padStart(2, "0");
  return `${two(Math.floor(rid / 256) % 256)}:${two(Math.floor(rid / 8) % 32)}.${rid % 8}`;
}

/** Bits needed to write a number. */
export const bitLength = (value: number | bigint): number =>
  value === 0 || value === 0n ? 1 : value.toString(2).length;
