// Random page table descriptors: leaves of both stages, table bits, and descriptors gone wrong.

import type { Ram } from "./layout.ts";
import type { Draw } from "./source.ts";

/** Bits of a table descriptor besides its address: mostly none, else anything that is ignored. */
export function drawTableBits(draw: Draw, stage: 1 | 2): () => bigint {
  return () => {
    if (!draw.chance(25)) return 0n;
    const hierarchical = stage === 1 && draw.chance(40) ? BigInt(draw.below(16)) << 59n : 0n;
    const ignored = draw.chance(50) ? (BigInt(draw.below(128)) << 52n) | 0x7fcn : 0n;
    return hierarchical | ignored;
  };
}

/** A leaf level that the granule allows, mostly the last. */
export function drawLeafLevel(draw: Draw, granule: number, startLevel: number): number {
  const level = draw.weighted([
    [60, 3],
    [28, 2],
    [8, 1],
    [2, 0],
  ]);
  const highest = draw.chance(6) ? 0 : granule === 12 ? 1 : 2;
  return Math.max(level, highest, startLevel);
}

function leafType(level: number): bigint {
  return level === 3 ? 3n : 1n;
}

/** A stage 2 leaf for one of the SMMU's own structures, or for the final output. */
export function drawStage2Leaf(draw: Draw, level: number, output: number, own: boolean): bigint {
  const s2ap = draw.chance(own ? 3 : 20) ? draw.below(4) : 3;
  const memAttr = draw.chance(own ? 12 : 60) ? draw.below(16) : 0xf;
  const af = draw.chance(own ? 2 : 7) ? 0 : 1;
  const xn = draw.chance(own ? 10 : 30) ? draw.below(4) : 0;
  let word = BigInt(output) | leafType(level);
  word |= BigInt((memAttr << 2) | (s2ap << 6) | (draw.below(4) << 8) | (af << 10));
  word |= BigInt(xn) << 53n;
  if (draw.chance(20)) word |= 1n << 52n;
  if (draw.chance(10)) word |= BigInt(draw.below(256)) << 55n;
  return word;
}

/** A stage 1 leaf with random attributes and permissions. */
export function drawStage1Leaf(draw: Draw, level: number, output: number): bigint {
  const ap = draw.chance(45) ? draw.below(4) : 1;
  const af = draw.chance(5) ? 0 : 1;
  let word = BigInt(output) | leafType(level);
  word |= BigInt((draw.below(8) << 2) | (ap << 6) | (draw.below(4) << 8) | (af << 10));
  word |= BigInt(draw.below(2) << 11);
  if (draw.chance(35)) word |= BigInt(draw.below(4)) << 53n;
  if (draw.chance(20)) word |= 1n << 52n;
  if (draw.chance(10)) word |= BigInt(draw.below(256)) << 55n;
  return word;
}

/** A descriptor gone wrong. */
export function spoilDescriptor(draw: Draw, old: bigint, address: number): bigint {
  const addressMask = 0xffff_ffff_f000n;
  switch (draw.below(9)) {
    case 0:
      return 0n;
    case 1:
      return old & ~1n;
    case 2:
      return old & ~(1n << 10n);
    case 3:
      return (old & ~addressMask) | (BigInt(draw.u32()) << 16n);
    case 4:
      // Its own table again: a loop, as far as the levels go.
      return (BigInt(address) & addressMask) | 3n;
    case 5:
      return old ^ 2n;
    case 6:
      return old ^ (BigInt(draw.between(1, 3)) << 6n);
    case 7:
      return old ^ (1n << BigInt(draw.below(64)));
    default:
      return draw.u64();
  }
}

/** The words of every big-endian table descriptor turned round. */
export function turnRound(ram: Ram, bigEndian: { 1: boolean; 2: boolean }): void {
  for (const w of ram.written) {
    if (w.stage === 0 || !bigEndian[w.stage]) continue;
    let out = 0n;
    const word = ram.words.get(w.address) ?? 0n;
    for (let i = 0n; i < 8n; i++) out = (out << 8n) | ((word >> (8n * i)) & 0xffn);
    ram.set(w.address, out);
  }
}
