// Fills hint templates with the values of a record.
import { HINT_TEXTS, type HintId, type HintTemplate } from "./hint-texts.ts";
import type { Hint } from "./types.ts";

/** Values for the placeholders of a template. */
export type HintValues = Readonly<Record<string, string | number>>;

/** A hint from its template. An unfilled placeholder reads as "?". */
export function hintOf(id: HintId, values: HintValues = {}): Hint {
  const { part, confidence, text }: HintTemplate = HINT_TEXTS[id];
  const filled = text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? "?"));
  const sentence = filled.charAt(0).toUpperCase() + filled.slice(1);
  return { id, part, confidence, text: sentence };
}

/** "16, 17 and 19": bit numbers of a value. */
export function bitList(value: bigint): string {
  const bits: string[] = [];
  for (let bit = 0; value >> BigInt(bit) !== 0n; bit++)
    if (((value >> BigInt(bit)) & 1n) === 1n) bits.push(`${bit}`);
  if (bits.length < 2) return bits.join("");
  return `${bits.slice(0, -1).join(", ")} and ${bits[bits.length - 1]}`;
}

/** "01:10.0" of a 16-bit RequesterID. */
export function bdfOf(rid: number): string {
  const two = (n: number): string => n.toString(16).padStart(2, "0");
  return `${two(Math.floor(rid / 256) % 256)}:${two(Math.floor(rid / 8) % 32)}.${rid % 8}`;
}

/** Bits needed to write a number. */
export const bitLength = (value: number | bigint): number =>
  value === 0 || value === 0n ? 1 : value.toString(2).length;
