// Builds one device of a random program: STE, context descriptor, tables of both stages.
import type { DeviceSpec, PageSpec } from "./spec.ts";
import type { Words } from "./tables.ts";
import { leafAttributes, levelShift, outputOf, put, Region, startLevel, Tables } from "./tables.ts";

/** Where devices keep their CDs, tables and data. */
export interface Layout {
  cds: bigint;
  tables: bigint;
  tablesPerDevice: bigint;
  data: bigint;
}

export const LAYOUT: Layout = {
  cds: 0x42200000n,
  tables: 0x48000000n,
  tablesPerDevice: 0x1000000n,
  data: 0x50000000n,
};

/** A device with its entries as words and the places that may be changed later. */
export interface Device {
  sid: number;
  asid: number;
  vmid: number;
  ste: bigint[];
  steAddress: bigint;
  cd: bigint[];
  cdAddress: bigint;
  leaves: bigint[];
  s1Words: bigint[];
  s2Words: bigint[];
  /** Of each mapping: the 4 KiB of input, of intermediate and of output address; its size - 1. */
  pages: { iova: bigint; ipa: bigint; pa: bigint; mask: bigint }[];
}

/** STE.Config: neither stage translates. */
const BYPASS = 4;

const mask = (bits: number) => (1n << BigInt(bits)) - 1n;
const bit = (flags: number, at: number) => (flags >> at) & 1;
/** True once in 2^n: when the n bits from `at` are all set. */
const odds = (flags: number, at: number, n: number) =>
  ((flags >> at) & ((1 << n) - 1)) === (1 << n) - 1;

/** TG0, TG1 and S2TG encodings of a granule's log2. */
const TG0: Record<number, number> = { 12: 0, 14: 2, 16: 1 };
const TG1: Record<number, number> = { 12: 2, 14: 1, 16: 3 };

/** The blocks that a granule allows, widened to what is worth trying. */
function leafLevel(granule: number, wanted: number, start: number): number {
  const smallest = Math.max(granule === 12 ? 1 : 2, start);
  return Math.min(3, Math.max(wanted, wanted === 0 ? start : smallest));
}

function physical(page: PageSpec, data: bigint): bigint {
  if (!page.outside) return data + BigInt(page.data) * 0x1000n;
  return (page.data & 1 ? 0x60000000n : 0x300000000000n) + BigInt(page.data) * 0x1000n;
}

function stage1Leaf(a: number): bigint {
  return leafAttributes({
    ap: bit(a, 0) | (odds(a, 1, 2) ? 2 : 0),
    af: !odds(a, 3, 3),
    index: (a >> 6) & 7,
    sh: (a >> 9) & 3,
    ng: bit(a, 11) === 1,
    xn: (a >> 12) & 3,
    contiguous: odds(a, 13, 3),
  });
}

function stage2Leaf(a: number): bigint {
  let ap = 3;
  if (odds(a, 0, 3)) ap = 1;
  else if (odds(a, 3, 4)) ap = bit(a, 0) * 2;
  return leafAttributes({
    ap,
    af: !odds(a, 7, 3),
    index: (a >> 8) & 15,
    sh: (a >> 12) & 3,
    ng: false,
    xn: bit(a, 15),
    contiguous: false,
  });
}

/** First level of stage 2 and its SL0: sometimes concatenated, seldom plainly wrong. */
function stage2Start(spec: DeviceSpec["s2"]): { start: number; sl0: number } {
  let start = Math.max(startLevel(spec.granule, spec.bits), 0);
  const concatenated = spec.bits - levelShift(spec.granule, start + 1) - (spec.granule - 3);
  if (spec.start >= 16 && start < 3 && concatenated <= 4) start++;
  const top = spec.granule === 12 ? 2 : 3;
  let sl0 = Math.min(Math.max(top - start, 0), 3);
  if (spec.start === 31) sl0 = (sl0 + 1) & 3;
  return { start, sl0 };
}

function steOf(spec: DeviceSpec, cdAddress: bigint, s2Root: bigint, sl0: number): bigint[] {
  const ste = [0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n];
  const f = spec.s2.flags;
  put(ste, 0, 0, 1);
  put(ste, 3, 1, spec.config);
  if (spec.config & 1) ste[0] |= cdAddress;
  if ((spec.config & 6) !== 6) return ste;
  put(ste, 143, 128, spec.vmid);
  put(ste, 165, 160, 64 - spec.s2.bits);
  put(ste, 167, 166, sl0);
  put(ste, 175, 174, TG0[spec.s2.granule]);
  put(ste, 178, 176, spec.s2.ps);
  put(ste, 179, 179, 1);
  put(ste, 180, 180, odds(f, 0, 6) ? 1 : 0);
  put(ste, 181, 181, bit(f, 6));
  put(ste, 182, 182, odds(f, 7, 4) ? 1 : 0);
  put(ste, 184, 183, odds(f, 7, 5) ? 3 : 0);
  put(ste, 185, 185, odds(f, 8, 5) ? 1 : 0);
  put(ste, 186, 186, odds(f, 13, 2) ? 0 : 1);
  ste[3] = s2Root;
  return ste;
}

function cdOf(spec: DeviceSpec, root: bigint): bigint[] {
  const cd = [0n, 0n, 0n, 0xffn, 0n, 0n, 0n, 0n];
  if (!(spec.config & 1)) return cd;
  const { s1 } = spec;
  const f = s1.flags;
  put(cd, 5, 0, s1.high ? 16 : 64 - s1.bits);
  put(cd, 7, 6, s1.high ? 0 : TG0[s1.granule]);
  put(cd, 14, 14, s1.high && !odds(f, 0, 3) ? 1 : 0);
  put(cd, 15, 15, odds(f, 1, 7) ? 1 : 0);
  put(cd, 21, 16, s1.high ? 64 - s1.bits : 16);
  put(cd, 23, 22, s1.high ? TG1[s1.granule] : 2);
  put(cd, 30, 30, s1.high || odds(f, 0, 3) ? 0 : 1);
  put(cd, 31, 31, 1);
  put(cd, 34, 32, s1.ips);
  put(cd, 35, 35, bit(f, 2));
  put(cd, 36, 36, bit(f, 3));
  put(cd, 38, 38, odds(f, 4, 2) ? 1 : 0);
  put(cd, 39, 39, odds(f, 6, 2) ? 1 : 0);
  put(cd, 41, 41, odds(f, 2, 7) ? 0 : 1);
  put(cd, 44, 44, odds(f, 8, 6) ? 1 : 0);
  put(cd, 45, 45, odds(f, 9, 2) ? 0 : 1);
  put(cd, 46, 46, odds(f, 3, 6) ? 0 : 1);
  put(cd, 63, 48, spec.asid);
  const base = [0n];
  put(base, 1, 1, bit(f, 12));
  put(base, 2, 2, bit(f, 13));
  const unused = bit(f, 14) ? root : 0n;
  cd[1] = (s1.high ? unused : root) | base[0];
  cd[2] = (s1.high ? root : unused) | base[0];
  return cd;
}

/** Builds device number `index` in memory of its own and adds its tables to `words`. */
export function buildDevice(
  spec: DeviceSpec,
  index: number,
  sid: number,
  words: Words,
  layout = LAYOUT,
): Device {
  const region = new Region(layout.tables + BigInt(index) * layout.tablesPerDevice);
  const nested = spec.config === 7;
  const delta = nested ? BigInt(spec.delta) << 16n : 0n;
  const cdAddress = layout.cds + BigInt(index) * 64n;
  const { start, sl0 } = stage2Start(spec.s2);
  const s2 = new Tables(region, spec.s2.granule, spec.s2.bits, start);
  const s1Start = startLevel(spec.s1.granule, spec.s1.bits);
  const s1 = new Tables(region, spec.s1.granule, spec.s1.bits, s1Start, (pa) => pa + delta);
  const pages = spec.pages.map((page) => {
    const pa = physical(page, layout.data);
    const stage1 = (spec.config & 1) === 1;
    const { granule, bits, high } = stage1 ? spec.s1 : { ...spec.s2, high: false };
    const level = leafLevel(granule, page.level, stage1 ? s1Start : start);
    const size = BigInt(levelShift(granule, level));
    let iova = spec.base & mask(bits) & ~mask(Number(size));
    iova += BigInt(page.step) << size;
    iova = (iova & mask(bits)) | (pa & mask(Number(size)));
    if (high) iova |= mask(64) & ~mask(bits);
    // A bypass that is to reach the data, not just anything.
    if (spec.config === BYPASS && bit(page.attributes, 0)) iova = pa;
    const ipa = stage1 ? pa + delta : iova;
    if (stage1) s1.map(iova, level, outputOf(ipa, granule, level) | stage1Leaf(page.attributes));
    const s2Level = leafLevel(spec.s2.granule, stage1 ? page.s2Level : page.level, start);
    const s2Output = outputOf(pa, spec.s2.granule, s2Level);
    if (spec.config & 2) s2.map(ipa, s2Level, s2Output | stage2Leaf(page.s2Attributes));
    return { iova: iova & ~0xfffn, ipa, pa, mask: mask(Number(size)) };
  });
  if (nested) {
    for (const at of [...[...s1.pages].map((p) => p << 12n), cdAddress]) {
      const output = outputOf(at, spec.s2.granule, 3);
      s2.map(at + delta, 3, output | stage2Leaf(spec.s2.flags & 0x3800));
    }
  }
  const ste = steOf(spec, nested ? cdAddress + delta : cdAddress, s2.root, sl0);
  const cd = cdOf(spec, s1.root + delta);
  for (const [at, value] of [...s1.words, ...s2.words]) words.set(at, value);
  return {
    sid,
    asid: spec.asid,
    vmid: spec.vmid,
    ste,
    steAddress: 0n,
    cd,
    cdAddress,
    leaves: [...s1.leaves, ...s2.leaves],
    s1Words: [...s1.words.keys()],
    s2Words: [...s2.words.keys()],
    pages,
  };
}
