// Random but mostly sensible STEs and CDs, and the stream and CD tables that hold them.

import type { Ram } from "./layout.ts";
import type { Machine } from "./machine.ts";
import type { Draw } from "./source.ts";

/** Sets bits [hi:lo] (absolute, within one 64-bit word) of a structure. */
export function put(words: bigint[], hi: number, lo: number, value: bigint | number): void {
  const shift = BigInt(lo & 63);
  const mask = BigInt.asUintN(hi - lo + 1, -1n);
  const at = lo >> 6;
  words[at] = (words[at] & ~(mask << shift)) | ((BigInt(value) & mask) << shift);
}

/** A structure of eight zero words. */
export function blank(): bigint[] {
  return [0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n];
}

/** Now and then flips a few bits of a structure. */
export function spoilStructure(draw: Draw, words: bigint[], percent: number): void {
  if (!draw.chance(percent)) return;
  for (let n = draw.between(1, 3); n > 0; n--) {
    // Most meaning is in the first four words.
    const word = draw.chance(20) ? draw.below(8) : draw.below(4);
    words[word] ^= 1n << BigInt(draw.below(64));
  }
}

/** Granule as STE.S2TG and CD.TG0 encode it. */
export function tg0(granule: number): number {
  return granule === 12 ? 0 : granule === 16 ? 1 : 2;
}

/** Granule as CD.TG1 encodes it. */
export function tg1(granule: number): number {
  return granule === 12 ? 2 : granule === 16 ? 3 : 1;
}

/** Shape of a stage 2: all four values fit each other. */
export interface Stage2Shape {
  granule: number;
  tsz: number;
  sl0: number;
  startLevel: number;
  outputBits: number;
}

const SIZES: readonly number[] = [32, 36, 40, 42, 44, 48];

/** Draws a legal stage 2 shape of at least 32 input bits. */
export function drawStage2Shape(draw: Draw, m: Machine, ramBits: number): Stage2Shape {
  const granule = draw.pick(m.granules);
  const stride = granule - 3;
  const tsz = 64 - draw.between(Math.min(32, m.oas), m.oas);
  // Start levels whose first index has 1 to stride+4 bits.
  const levels: number[] = [];
  for (let level = 0; level <= 3; level++) {
    const indexBits = 64 - tsz - (granule + (3 - level) * stride);
    const sl0 = sl0Of(granule, level, m.stt);
    if (indexBits >= 1 && indexBits <= stride + 4 && sl0 !== undefined) levels.push(level);
  }
  const startLevel = draw.pick(levels);
  const size = draw.chance(15) ? draw.below(6) : 5;
  const least = draw.chance(10) ? 32 : ramBits;
  const outputBits = Math.min(Math.max(SIZES[size], least), m.oas);
  return { granule, tsz, sl0: sl0Of(granule, startLevel, m.stt)!, startLevel, outputBits };
}

function sl0Of(granule: number, level: number, stt: boolean): number | undefined {
  if (granule === 12) return level === 3 ? (stt ? 3 : undefined) : 2 - level;
  return level === 0 ? undefined : 3 - level;
}

/** Fills the fields that attributes, permissions and ignored bits come from. */
export function fillSteCommon(draw: Draw, ste: bigint[]): void {
  if (draw.chance(40)) {
    put(ste, 99, 96, draw.below(16));
    put(ste, 100, 100, draw.below(2));
    put(ste, 104, 101, draw.below(16));
  }
  put(ste, 109, 108, draw.pick([1, 0, 2, 3]));
  if (draw.chance(30)) {
    put(ste, 113, 112, draw.below(4));
    put(ste, 115, 114, draw.below(4));
  }
  if (draw.chance(30)) {
    put(ste, 71, 66, draw.below(64));
    put(ste, 87, 76, draw.below(0x1000));
    put(ste, 111, 110, draw.below(4));
    for (let i = 4; i < 8; i++) ste[i] = draw.u64();
    put(ste, 383, 332, 0);
  }
}

/** Fills the stage 2 half of an STE. */
export function fillSteStage2(
  draw: Draw,
  m: Machine,
  ste: bigint[],
  shape: Stage2Shape,
  ttb: number,
): { bigEndian: boolean } {
  put(ste, 165, 160, shape.tsz);
  put(ste, 167, 166, shape.sl0);
  put(ste, 173, 168, draw.below(64));
  put(ste, 175, 174, tg0(shape.granule));
  const size = SIZES.indexOf(shape.outputBits);
  put(ste, 178, 176, shape.outputBits === m.oas ? draw.between(size, 7) : size);
  put(ste, 179, 179, 1);
  const bigEndian = m.mixedEndian && draw.chance(50);
  put(ste, 180, 180, bigEndian ? 1 : 0);
  put(ste, 181, 181, draw.chance(20) ? 1 : 0);
  put(ste, 182, 182, draw.chance(20) ? 1 : 0);
  put(ste, 186, 186, draw.chance(15) ? 0 : 1);
  put(ste, 89, 89, draw.chance(40) ? 1 : 0);
  const low = draw.chance(10) ? draw.below(4) * 16 : 0;
  ste[3] |= BigInt(ttb + low);
  return { bigEndian };
}

/** Where the STE of a StreamID goes, and the registers that lead there. */
export function placeStreamTable(draw: Draw, ram: Ram, m: Machine, ste: bigint[]): number {
  const { registers } = m;
  if (!m.twoLevelStreams || draw.chance(40)) {
    const log2 = Math.min(draw.between(0, 9), m.sidBits + 2);
    const sid = draw.below(2 ** Math.min(log2, m.sidBits));
    const base = ram.reserve(2 ** (log2 + 6));
    ram.setStructure(base + sid * 64, ste);
    registers.strtabBase = BigInt(base + (draw.chance(5) ? draw.below(8) * 64 : 0));
    if (draw.chance(3)) registers.strtabBase = draw.u64() & 0x40ff_ffff_ffff_ffc0n;
    registers.strtabBaseCfg = log2 | (draw.below(32) << 6);
    if (!m.twoLevelStreams) registers.strtabBaseCfg |= draw.below(4) << 16;
    return sid;
  }
  const splitField = draw.chance(5) ? draw.below(32) : draw.pick([8, 6, 10]);
  const split = splitField === 8 || splitField === 10 ? splitField : 6;
  const log2 = Math.min(draw.between(split, 18), m.sidBits + 2);
  const sid = draw.below(2 ** Math.min(log2, m.sidBits));
  const index = sid % 2 ** split;
  let span = 1;
  while (2 ** (span - 1) <= index) span++;
  span = draw.between(span, split + 1);
  const l2 = ram.reserve(2 ** (span - 1) * 64);
  const l1 = ram.reserve(Math.max(64, 2 ** Math.max(0, log2 - split) * 8));
  ram.setStructure(l2 + index * 64, ste);
  if (draw.chance(4)) span = draw.below(32);
  const pointer = draw.chance(3) ? draw.u64() & ~0x3fn : BigInt(l2);
  ram.set(l1 + Math.floor(sid / 2 ** split) * 8, pointer | BigInt(span));
  registers.strtabBase = draw.chance(2) ? draw.u64() & 0x40ff_ffff_ffff_ffc0n : BigInt(l1);
  registers.strtabBaseCfg = log2 | (splitField << 6) | (1 << 16);
  return sid;
}

/** How the CDs of a stream are laid out. */
export interface ContextPlan {
  /** log2 of the number of CDs. */
  cdMax: number;
  format: number;
  /** The CD that the main request uses. */
  index: number;
  /** SubstreamID of the main request. */
  ssid: number | undefined;
  dss: number;
}

/** Draws CD tables that the machine supports. */
export function planContexts(draw: Draw, m: Machine): ContextPlan {
  const single = { cdMax: 0, format: draw.below(4), index: 0, ssid: undefined, dss: draw.below(4) };
  if (m.ssidBits === 0 || draw.chance(40)) return single;
  const format = m.twoLevelCds ? draw.pick([0, 1, 2, 3]) : draw.pick([0, 3]);
  const limit = format === 1 || format === 2 ? 14 : 8;
  const cdMax = draw.between(1, Math.min(m.ssidBits, limit));
  const dss = draw.pick([2, 0, 1, 3]);
  const withSsid = draw.chance(70);
  if (!withSsid) return { cdMax, format, index: 0, ssid: undefined, dss };
  let index = draw.below(2 ** cdMax);
  if (index === 0 && dss === 2 && !draw.chance(10)) index = 1;
  return { cdMax, format, index, ssid: index, dss };
}

/** Places the CD (and its L1CD) and returns what STE.S1ContextPtr must hold. */
export function placeContexts(
  draw: Draw,
  ram: Ram,
  plan: ContextPlan,
  cd: bigint[],
  expose: (pa: number, bytes: number, offset: number) => number,
): number {
  const { cdMax, format, index } = plan;
  if (cdMax !== 0 && (format === 1 || format === 2)) {
    const leafBits = format === 1 ? 6 : 10;
    const leafBytes = 2 ** (leafBits + 6);
    const leaf = ram.reserve(leafBytes);
    const inLeaf = (index % 2 ** leafBits) * 64;
    ram.setStructure(leaf + inLeaf, cd);
    const l1Bytes = Math.max(64, 2 ** Math.max(0, cdMax - leafBits) * 8);
    const l1 = ram.reserve(l1Bytes);
    const at = Math.floor(index / 2 ** leafBits) * 8;
    const pointer = BigInt(expose(leaf, leafBytes, inLeaf));
    const valid = draw.chance(4) ? 0n : 1n;
    ram.set(l1 + at, pointer | valid | (draw.chance(10) ? 0xffen : 0n));
    return expose(l1, l1Bytes, at);
  }
  const bytes = 2 ** (6 + cdMax);
  const table = ram.reserve(bytes);
  ram.setStructure(table + index * 64, cd);
  return expose(table, bytes, index * 64);
}
