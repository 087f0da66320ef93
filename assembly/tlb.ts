// The fast IOTLB: 64-byte lines of four tags and four entries under renamed context ids (IHI0070
// 3.17).

import { noteTlbGlobal, noteTlbSize, TLB_LINE, TLB_SETS, tlbSizes } from "./contextid";
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
  withTlbtagCtx,
  withTlbtagVpn,
} from "./layout/words";
import { TLB } from "./state";

/** log2 of the smallest page; sizes are stored less this one plus 1. */
const PAGE_BITS: u32 = 12;
const PAGE_BITS_64: u64 = 12;
const SIZE_BIAS: u32 = 11;
/** Larger blocks are cached in pieces of this size. */
const SIZE_BITS_MAX: u32 = 42;
const VA_BITS: u64 = 56;
const WAYS: u32 = 4;
const DATA: usize = 32;
const HASH: u32 = 0x9e3779b1;
const HASH_SHIFT: u32 = 16;
const FOLD: u64 = 15;
/** Pages of a range that are dropped one by one; longer ranges drop the context. */
export const RANGE_PAGES_MAX: u64 = 64;

/** The entry found by the last lookup. */
export let tlbHit: u64 = 0;

function lineOf(vpn: u64, ctx: u32): usize {
  const folded = <u32>vpn ^ <u32>(vpn >> FOLD);
  const set = (folded ^ ((ctx * HASH) >> HASH_SHIFT)) & (TLB_SETS - 1);
  return TLB + <usize>set * TLB_LINE;
}

/** Input address bits 55:12 without those below the entry's size. */
function pageOf(va: u64, bits: u32): u64 {
  const page = (va & ones(<u32>VA_BITS)) >> PAGE_BITS_64;
  return page & ~ones(bits - PAGE_BITS);
}

function tagOf(vpn: u64, ctx: u32): u64 {
  return withTlbtagVpn(withTlbtagCtx(0, ctx), vpn);
}

/** Entry of a line under `tag`, or 0: one compare of two tags at a time. */
function probe(line: usize, tag: u64): u64 {
  const wanted = i64x2.splat(tag);
  const low = i64x2.eq(v128.load(line), wanted);
  const high = i64x2.eq(v128.load(line, 16), wanted);
  const mask = i64x2.bitmask(low) | (i64x2.bitmask(high) << 2);
  if (mask == 0) return 0;
  return load<u64>(line + ((<usize>ctz(mask)) << 3), DATA);
}

/** Looks `va` up under every page size present; the entry is left in `tlbHit`. */
export function tlbLookup(ctx: u32, va: u64): bool {
  // Bits 63:56 are not in the tag: they must repeat bit 55.
  const top = <u64>(<i64>(va << (64 - VA_BITS)) >> (64 - VA_BITS));
  if (top != va) return false;
  let sizes = tlbSizes;
  while (sizes) {
    const size = <u32>ctz(sizes);
    const vpn = pageOf(va, size + SIZE_BIAS);
    const data = probe(lineOf(vpn >> <u64>(size + SIZE_BIAS - PAGE_BITS), ctx), tagOf(vpn, ctx));
    if (data != 0 && tlbdataSize(data) == size) {
      tlbHit = data;
      return true;
    }
    sizes &= sizes - 1;
  }
  return false;
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

/** Caches a translation of `bits` size; larger blocks are cut to the largest size. */
export function tlbInsert(
  ctx: u32,
  va: u64,
  pa: u64,
  bits: u32,
  perms: u32,
  attr: u32,
  sh: u32,
  global: bool,
  fractured: bool,
): void {
  const cut = min(bits, SIZE_BITS_MAX);
  const size = cut - SIZE_BIAS;
  noteTlbSize(1 << size);
  if (global) noteTlbGlobal();
  let data = withTlbdataPa(0, pa & ~ones(cut));
  data = withTlbdataSize(withTlbdataPerms(data, perms), size);
  data = withTlbdataSh(withTlbdataAttr(data, attr), sh);
  data = withTlbdataFractured(withTlbdataGlobal(data, u32(global)), u32(fractured));
  const vpn = pageOf(va, cut);
  const tag = tagOf(vpn, ctx);
  const line = lineOf(vpn >> <u64>(cut - PAGE_BITS), ctx);
  // The first empty or equal way takes it, else the oldest leaves: ways shift towards the end.
  let way: u32 = 0;
  for (; way < WAYS - 1; way++) {
    const present = load<u64>(line + ((<usize>way) << 3));
    if (present == 0 || present == tag) break;
  }
  for (; way > 0; way--) {
    const to = line + ((<usize>way) << 3);
    store<u64>(to, load<u64>(to - 8));
    store<u64>(to, load<u64>(to - 8, DATA), DATA);
  }
  store<u64>(line, tag);
  store<u64>(line, data, DATA);
}

function clearTag(line: usize, tag: u64): void {
  for (let way: u32 = 0; way < WAYS; way++) {
    const at = line + ((<usize>way) << 3);
    if (load<u64>(at) == tag) store<u64>(at, 0);
  }
}

/** Drops the entries of `ctx` that contain `va`, of every size. */
export function tlbInvalidate(ctx: u32, va: u64): void {
  let sizes = tlbSizes;
  while (sizes) {
    const bits = <u32>ctz(sizes) + SIZE_BIAS;
    const vpn = pageOf(va, bits);
    clearTag(lineOf(vpn >> <u64>(bits - PAGE_BITS), ctx), tagOf(vpn, ctx));
    sizes &= sizes - 1;
  }
}
