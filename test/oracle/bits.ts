// Bit extraction on 64-bit words held as BigInt, and the small tables that all chapters share.

const MASKS: readonly bigint[] = Array.from({ length: 65 }, (_, n) => (1n << BigInt(n)) - 1n);

/** The low `n` bits set, n at most 64. */
export function mask(n: number): bigint {
  return MASKS[n];
}

/** Bits [hi:lo] of a word, moved down to bit 0, as a BigInt. */
export function bigField(word: bigint, hi: number, lo: number): bigint {
  return (word >> BigInt(lo)) & mask(hi - lo + 1);
}

/** Bits [hi:lo] of a word, moved down to bit 0; at most 32 bits wide. */
export function field(word: bigint, hi: number, lo: number): number {
  return Number(bigField(word, hi, lo));
}

/** One bit of a word. */
export function bit(word: bigint, n: number): boolean {
  return ((word >> BigInt(n)) & 1n) === 1n;
}

/** Bits [hi:lo] of a word left where they are: an address field gives its address. */
export function inPlace(word: bigint, hi: number, lo: number): bigint {
  return word & (mask(hi + 1) ^ mask(lo));
}

/** The address with its low `n` bits cleared. */
export function alignDown(address: bigint, n: number): bigint {
  return (address >> BigInt(n)) << BigInt(n);
}

/** True when the address needs more than `n` bits. */
export function exceeds(address: bigint, n: number): boolean {
  return address >> BigInt(n) !== 0n;
}

/** Field [hi:lo] of a structure of 64-bit words, by absolute bit numbers; within one word. */
export function structField(words: readonly bigint[], hi: number, lo: number): number {
  return field(words[lo >> 6], hi & 63, lo & 63);
}

/** One bit of a structure of 64-bit words, by absolute bit number. */
export function structBit(words: readonly bigint[], n: number): boolean {
  return bit(words[n >> 6], n & 63);
}

/** A 64-bit word with its eight bytes in the opposite order. */
export function swapBytes(word: bigint): bigint {
  let out = 0n;
  for (let i = 0; i < 8; i++) out = (out << 8n) | ((word >> BigInt(8 * i)) & 0xffn);
  return out;
}

/** Size encodings of IDR5.OAS, CD.IPS and STE.S2PS in bits (IHI0070 5.2, 5.4, 6.3.6). */
export const SIZE_BITS: readonly number[] = [32, 36, 40, 42, 44, 48, 52, 56];

/** Granule encodings of STE.S2TG and CD.TG0 as log2 of bytes; 0 is reserved. */
export const TG0_BITS: readonly number[] = [12, 16, 14, 0];

/** Granule encodings of CD.TG1 as log2 of bytes; 0 is reserved. */
export const TG1_BITS: readonly number[] = [0, 14, 12, 16];

/** Event numbers (IHI0070 7.3). */
export const EVENT = {
  C_BAD_STREAMID: 0x02,
  F_STE_FETCH: 0x03,
  C_BAD_STE: 0x04,
  F_STREAM_DISABLED: 0x06,
  C_BAD_SUBSTREAMID: 0x08,
  F_CD_FETCH: 0x09,
  C_BAD_CD: 0x0a,
  F_WALK_EABT: 0x0b,
  F_TRANSLATION: 0x10,
  F_ADDR_SIZE: 0x11,
  F_ACCESS: 0x12,
  F_PERMISSION: 0x13,
} as const;

/** CLASS of a fault: fetching a CD, a stage 1 table walk, or the input address (7.3). */
export const CLASS = { CD: 0, TT: 1, IN: 2 } as const;
export type FaultClass = 0 | 1 | 2;
