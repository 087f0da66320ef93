// The fast IOTLB: 64-byte lines of four tags and four entries under renamed context ids (IHI0070
// 3.17).

import {
  inputSizes,
  noteInputSize,
  noteStage2Size,
  noteTlbGlobal,
  stage2Sizes,
  TLB_LINE,
} from "./contextid";
import { ones } from "./geometry";
import {
  contextidHigh,
  contextidLow,
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
  withTlbtagCtxHigh,
  withTlbtagCtxLow,
  withTlbtagVa,
} from "./layout/words";
import { TLB } from "./state";

/** Sizes are stored as log2 less this. */
export const SIZE_BIAS: u32 = 11;
/** Larger blocks are cached in pieces of this size. */
const SIZE_BITS_MAX: u32 = 42;
const VA_BITS: u64 = 56;
const LAST_WAY: usize = 3;
const DATA: usize = 32;
/** Multiplicative hash (2^64 / golden ratio); the top 12 bits choose one of TLB_SETS lines. */
const HASH: u64 = (0x9e3779b9 << 32) | 0x7f4a7c15;
const HASH_SHIFT: u64 = 52;
/** Pages of a range that are dropped one by one; longer ranges drop the context. */
export const RANGE_PAGES_MAX: u64 = 64;

/** The entry found by the last lookup. */
export let tlbHit: u64 = 0;

/** Tag of a context, without an address. */
export function contextTag(ctx: u32): u64 {
  return withTlbtagCtxHigh(withTlbtagCtxLow(0, contextidLow(ctx)), contextidHigh(ctx));
}

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

/** Drops the entries under the context of `tag` that contain `va`, of every size. */
export function tlbInvalidate(tag: u64, va: u64, stage2: bool): void {
  let sizes = stage2 ? stage2Sizes : inputSizes;
  while (sizes) {
    remove(tagOf(tag, va, <u32>ctz(sizes) + SIZE_BIAS));
    sizes &= sizes - 1;
  }
}
