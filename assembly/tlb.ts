// The fast IOTLB: 64-byte lines of four tags and four entries under renamed context ids (IHI0070
// 3.17).

import {
  inputSizes,
  noteInputSize,
  noteStage2Size,
  noteTlbGlobal,
  stage2Sizes,
  TLB_LINE,
  TLB_SETS,
} from "./contextid";
import { ones } from "./geometry";
import {
  tlbdataAttr,
  tlbdataPa,
  tlbdataPerms,
  tlbdataSh,
  tlbdataSize,
  withTlbdataAttr,
  withTlbdataFractured,
  withTlbdataGlobal,
  withTlbdataPa,
  withTlbdataPerms,
  withTlbdataSh,
  withTlbdataSize,
  withTlbtagVa,
} from "./layout/words";
import { TLB } from "./state";

/** Sizes are stored as log2 less this. */
export const SIZE_BIAS: u32 = 11;
/** Larger blocks are cached in pieces of this size. */
const SIZE_BITS_MAX: u32 = 42;
const VA_BITS: u64 = 56;
/** The last address that tags can hold. */
export const VA_LAST: u64 = (1 << VA_BITS) - 1;
const LAST_WAY: usize = 3;
const TOP_BIT: u64 = 1 << 63;
/** Bits that can hold a range; a longer one drops its context. */
const SCAN_BITS: u32 = 51;
const DATA: usize = 32;
/** Multiplicative hash (2^64 / golden ratio); the top 12 bits choose one of TLB_SETS lines. */
const HASH: u64 = (0x9e3779b9 << 32) | 0x7f4a7c15;
const HASH_SHIFT: u64 = 52;
/** Places of a range that are looked at one by one; for longer ranges the table is scanned. */
const PROBES_MAX: u64 = 256;
/** Scans that one register write may cost; later ranges drop their contexts. */
const SCANS_MAX: u32 = 32;

/** The entry found by the last lookup. */
export let tlbHit: u64 = 0;
let scans: u32 = 0;

/** @inline */
function lineOf(tag: u64): usize {
  return TLB + <usize>((tag * HASH) >> HASH_SHIFT) * TLB_LINE;
}

/** Tag of the 2^bits bytes around `va` in the context of `tag`. */
function tagOf(tag: u64, va: u64, bits: u32): u64 {
  return withTlbtagVa(tag, va & ~ones(bits));
}

/** Ways of a line under `tag`, one bit each: one compare of two tags at a time. @inline */
function waysOf(line: usize, tag: u64): i32 {
  const wanted = i64x2.splat(tag);
  const low = i64x2.eq(v128.load(line), wanted);
  const high = i64x2.eq(v128.load(line, 16), wanted);
  return i64x2.bitmask(low) | (i64x2.bitmask(high) << 2);
}

/** Entry under `tag`, or 0. @inline */
function probe(tag: u64): u64 {
  const line = lineOf(tag);
  const ways = waysOf(line, tag);
  return ways ? load<u64>(line + ((<usize>ctz(ways)) << 3), DATA) : 0;
}

/** Whether an address can be in the tags: bits 63:56 repeat bit 55. @inline */
export function isCanonical(va: u64): bool {
  return <u64>(<i64>(va << (64 - VA_BITS)) >> (64 - VA_BITS)) == va;
}

/** Entry of a canonical `va` under the context of `tag`, in any of `sizes`; 0 if none. @inline */
export function findIn(tag: u64, va: u64, sizes: u32): u64 {
  while (sizes) {
    const size = <u32>ctz(sizes);
    const bits = <u64>(size + SIZE_BIAS);
    const data = probe(withTlbtagVa(tag, (va >> bits) << bits));
    if (data != 0 && tlbdataSize(data) == size) return data;
    sizes &= sizes - 1;
  }
  return 0;
}

/** The same where the code need not be at hand. */
export function tlbFind(tag: u64, va: u64, sizes: u32): u64 {
  return findIn(tag, va, sizes);
}

/** Address bits that tags of entries of a size (log2 - SIZE_BIAS) have. */
export function sizeMask(size: u32): u64 {
  return withTlbtagVa(0, ~ones(size + SIZE_BIAS));
}

/** Address bits below an entry of a size. */
export function sizeOffsets(size: u32): u64 {
  return ones(size + SIZE_BIAS);
}

/** Entry of `va` of one size under the context of `tag`, or 0; `mask` is the size's. @inline */
export function probeSize(tag: u64, va: u64, mask: u64, size: u32): u64 {
  const data = probe(tag | (va & mask));
  return tlbdataSize(data) == size ? data : 0;
}

/** Looks up an input, or an IPA among the stage 2 entries; the entry is left in `tlbHit`. */
export function tlbLookup(tag: u64, va: u64, stage2: bool): bool {
  if (!isCanonical(va)) return false;
  const data = tlbFind(tag, va, stage2 ? stage2Sizes : inputSizes);
  if (data) tlbHit = data;
  return data != 0;
}

/** log2 of an entry's size. */
export function hitBits(): u32 {
  return tlbdataSize(tlbHit) + SIZE_BIAS;
}

export function hitPerms(): u32 {
  return tlbdataPerms(tlbHit);
}

export function hitAttr(): u32 {
  return tlbdataAttr(tlbHit);
}

export function hitSh(): u32 {
  return tlbdataSh(tlbHit);
}

/** Output address of `va` through the entry found. */
export function hitAddress(va: u64): u64 {
  return tlbdataPa(tlbHit) | (va & ones(hitBits()));
}

/**
 * Puts an entry in front of its line, whose oldest one leaves. True when the same entry was there
 * already: a lane beside this one found it too.
 * @inline
 */
function put(tag: u64, data: u64): bool {
  const line = lineOf(tag);
  const ways = waysOf(line, tag);
  if (ways) {
    const at = line + ((<usize>ctz(ways)) << 3);
    const same = load<u64>(at, DATA) == data;
    store<u64>(at, data, DATA);
    return same;
  }
  const tags = v128.load(line);
  const entries = v128.load(line, DATA);
  v128.store(line, v128.shuffle<u64>(tags, v128.load(line, 16), 1, 2), 16);
  v128.store(line, v128.shuffle<u64>(i64x2.splat(tag), tags, 0, 2));
  v128.store(line, v128.shuffle<u64>(entries, v128.load(line, DATA + 16), 1, 2), DATA + 16);
  v128.store(line, v128.shuffle<u64>(i64x2.splat(data), entries, 0, 2), DATA);
  return false;
}

/**
 * Caches TLB_DATA of the page at `page`, whose size the caller notes. True when the same entry was
 * there already.
 * @inline
 */
export function tlbPut(tag: u64, page: u64, data: u64): bool {
  return put(tag | withTlbtagVa(0, page), data);
}

/** Caches a mapping of `va`, an IPA or an input. True when the same entry was there already. */
export function tlbInsert(tag: u64, va: u64, data: u64, stage2: bool): bool {
  const size = tlbdataSize(data);
  if (stage2) noteStage2Size(1 << size);
  else noteInputSize(1 << size);
  return put(tagOf(tag, va, size + SIZE_BIAS), data);
}

/** Entry of a mapping of 2^bits bytes; blocks that are too large are cut. */
export function tlbData(pa: u64, bits: u32, perms: u32, attr: u32, sh: u32): u64 {
  const cut = min(bits, SIZE_BITS_MAX);
  const data = withTlbdataPa(0, pa & ~ones(cut));
  const sized = withTlbdataSize(withTlbdataPerms(data, perms), cut - SIZE_BIAS);
  return withTlbdataSh(withTlbdataAttr(sized, attr), sh);
}

/** Adds what a stage 1 leaf and its cutting by stage 2 say. */
export function markTlbData(data: u64, global: bool, fractured: bool): u64 {
  if (global) noteTlbGlobal();
  return withTlbdataFractured(withTlbdataGlobal(data, u32(global)), u32(fractured));
}

/** Removes the entry under `tag`; later ones move up, so that holes stay at the end. */
function remove(tag: u64): void {
  const line = lineOf(tag);
  const ways = waysOf(line, tag);
  if (ways == 0) return;
  let at = line + ((<usize>ctz(ways)) << 3);
  for (; at < line + (LAST_WAY << 3); at += 8) {
    store<u64>(at, load<u64>(at + 8));
    store<u64>(at, load<u64>(at + 8, DATA), DATA);
  }
  store<u64>(at, 0);
}

/** A run of commands begins. */
export function beginScans(): void {
  scans = 0;
}

/** Two tags without those in the context and the range that `scan` describes. @inline */
function keepOthers(tags: v128, base: v128, limit: v128): v128 {
  const offset = i64x2.sub(tags, base);
  const folded = v128.or(offset, i64x2.shl(offset, SCAN_BITS));
  return v128.andnot(tags, i64x2.gt_s(limit, folded));
}

/**
 * Drops the entries under the context of `tag` that start between `first` and `last`, less than
 * 2^SCAN_BITS apart. Such a tag less the one of `first` is at most last - first, and its low bits,
 * which are of the context, are 0: shifted up, they would make it larger. The comparison is signed,
 * so both sides have their top bit inverted. Every line is written, for that is faster than to ask.
 */
function scan(tag: u64, first: u64, last: u64): void {
  const base = i64x2.splat(withTlbtagVa(tag, first) ^ TOP_BIT);
  const limit = i64x2.splat(((last - first) ^ TOP_BIT) + 1);
  let line = TLB + <usize>TLB_SETS * TLB_LINE;
  do {
    line -= TLB_LINE;
    v128.store(line, keepOthers(v128.load(line), base, limit));
    v128.store(line, keepOthers(v128.load(line, 16), base, limit), 16);
  } while (line > TLB);
}

/**
 * Drops the entries of any of `sizes` under the context of `tag` that touch the addresses from
 * `first` to `last`. False when that would take too long, and nothing was done.
 */
export function tlbRemove(tag: u64, first: u64, last: u64, sizes: u32): bool {
  const smallest = <u64>(<u32>ctz(sizes) + SIZE_BIAS);
  const scanned = (last - first) >> smallest >= PROBES_MAX;
  if (scanned) {
    if (scans == SCANS_MAX || (last - first) >> <u64>SCAN_BITS) return false;
    scans++;
    scan(tag, first, last);
  }
  // One by one, or after a scan those alone that start before the range.
  while (sizes) {
    const bits = <u64>(<u32>ctz(sizes) + SIZE_BIAS);
    const end = scanned ? first >> bits : last >> bits;
    for (let at = first >> bits; at <= end; at++) remove(tag | withTlbtagVa(0, at << bits));
    sizes &= sizes - 1;
  }
  return true;
}
