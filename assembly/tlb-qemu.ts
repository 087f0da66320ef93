// QEMU's IOTLB: 256 entries flushed whole when full, exact keys, every level probed (quirk 40).

import { commandTgOf, levelShift, ones, strideBits } from "./geometry";
import {
  configAsid,
  configEpd0,
  configEpd1,
  configGranule0,
  configGranule1,
  configS2granule,
  configS2tsz,
  configStage,
  configTbi0,
  configTsz0,
  configTsz1,
  configVmid,
  STAGE_NESTED,
  TRACE_FLAG_HIT,
  TRACE_KIND_IOTLB_INSERT,
  TRACE_KIND_IOTLB_LOOKUP,
} from "./layout/abi";
import { IOTLB } from "./state";
import { trace, tracing } from "./trace";

const ENTRIES_MAX: u32 = 256;
const BUCKETS: u32 = 512;
const ENTRY_BYTES: usize = 48;
const LAST_LEVEL: i32 = 3;
const HASH: u64 = (0x9e3779b9 << 32) | 0x7f4a7c15;
const HASH_SHIFT: u64 = 55;

/**
 * Entry: next u32, bits u8, tg u8, level u8, perms u8, parent u8, attr u8, sh u8, asid, vmid, iova,
 * pa, last address of the page.
 */
const E_NEXT: usize = 0;
const E_BITS: usize = 4;
const E_TG: usize = 5;
const E_LEVEL: usize = 6;
const E_PERMS: usize = 7;
const E_PARENT: usize = 8;
const E_ATTR: usize = 9;
const E_SH: usize = 10;
const E_ASID: usize = 12;
const E_VMID: usize = 16;
const E_IOVA: usize = 24;
const E_PA: usize = 32;
const E_LAST: usize = 40;
const ENTRIES_OFFSET: usize = <usize>BUCKETS * 4;

let used: u32 = 0;
let freeList: u32 = 0;
/** Entry found by the last lookup, 0 if none. */
export let qemuEntry: usize = 0;

/** Empties the table. */
export function qemuFlush(): void {
  memory.fill(IOTLB, 0, ENTRIES_OFFSET + <usize>ENTRIES_MAX * ENTRY_BYTES);
  used = 0;
  freeList = 0;
  for (let i: u32 = 0; i < ENTRIES_MAX; i++) {
    const at = IOTLB + ENTRIES_OFFSET + <usize>i * ENTRY_BYTES;
    store<u32>(at, freeList, E_NEXT);
    freeList = <u32>at;
  }
}

function bucketOf(asid: i32, vmid: i32, iova: u64, tg: u32, level: u32): usize {
  const key = iova ^ ((<u64>asid) << 48) ^ ((<u64>vmid) << 32) ^ ((<u64>tg) << 4) ^ <u64>level;
  return IOTLB + ((<usize>((key * HASH) >> HASH_SHIFT)) << 2);
}

function matches(e: usize, asid: i32, vmid: i32, iova: u64, tg: u32, level: u32): bool {
  return (
    load<u64>(e, E_IOVA) == iova &&
    load<i32>(e, E_ASID) == asid &&
    load<i32>(e, E_VMID) == vmid &&
    <u32>load<u8>(e, E_TG) == tg &&
    <u32>load<u8>(e, E_LEVEL) == level
  );
}

function find(asid: i32, vmid: i32, iova: u64, tg: u32, level: u32): usize {
  let e = <usize>load<u32>(bucketOf(asid, vmid, iova, tg, level));
  while (e != 0 && !matches(e, asid, vmid, iova, tg, level)) e = <usize>load<u32>(e, E_NEXT);
  return e;
}

/** Probes every level that a walk with this granule and size would visit. */
function findAllLevels(asid: i32, vmid: i32, iova: u64, granule: u32, tsz: u32): usize {
  const stride = strideBits(granule);
  const first = 4 - <i32>((64 - tsz - 4) / stride);
  for (let level = first; level <= LAST_LEVEL; level++) {
    if (level < 0) return 0;
    const page = iova & ~ones(levelShift(granule, level));
    const e = find(asid, vmid, page, commandTgOf(granule), <u32>level);
    if (e != 0) return e;
  }
  return 0;
}

/** Half that QEMU selects: 0, 1, or 2 when the address is in the gap between both. */
function selectHalf(p: usize, iova: u64): u32 {
  const tbi: u64 = configTbi0(p) ? 8 : 0;
  const top = <u64>(<i64>(iova << tbi) >> tbi);
  if (!configEpd0(p) && ((iova << tbi) >> tbi) >> <u64>(64 - configTsz0(p)) == 0) return 0;
  if (!configEpd1(p) && ~top >> <u64>(64 - configTsz1(p)) == 0) return 1;
  if (configEpd0(p)) return 0;
  return configEpd1(p) ? 1 : 2;
}

function note(asid: i32, vmid: i32, iova: u64): void {
  const flags = qemuEntry != 0 ? TRACE_FLAG_HIT : 0;
  if (tracing) trace(TRACE_KIND_IOTLB_LOOKUP, 0, 0, flags, asid, vmid, 0, iova, 0);
}

/** Looks the IPA of a structure up among the stage-2-only entries. */
export function qemuLookupStage2(p: usize, ipa: u64): bool {
  const vmid = configVmid(p);
  qemuEntry = findAllLevels(-1, vmid, ipa, configS2granule(p), configS2tsz(p));
  note(-1, vmid, ipa);
  return qemuEntry != 0;
}

/** Looks a stage 1 or nested input up; nested also tries the stage 2 granule. */
export function qemuLookupInput(p: usize, iova: u64): bool {
  const half = selectHalf(p, iova);
  qemuEntry = 0;
  if (half == 2) return false;
  const asid = configAsid(p);
  const vmid = configVmid(p);
  // A disabled half has granule 0, which has no levels to probe, and size 0: QEMU looks all the
  // same.
  const granule = half ? configGranule1(p) : configGranule0(p);
  const tsz = half ? configTsz1(p) : configTsz0(p);
  qemuEntry = findAllLevels(asid, vmid, iova, granule, tsz);
  if (qemuEntry == 0 && configStage(p) == STAGE_NESTED && configS2granule(p) != granule) {
    qemuEntry = findAllLevels(asid, vmid, iova, configS2granule(p), tsz);
  }
  note(asid, vmid, iova);
  return qemuEntry != 0;
}

export function qemuBits(): u32 {
  return <u32>load<u8>(qemuEntry, E_BITS);
}

/** Permissions that stage 1 (or the only stage) gave, and those of its parent stage. */
export function qemuPerms(): u32 {
  return <u32>load<u8>(qemuEntry, E_PERMS);
}

export function qemuParentPerms(): u32 {
  return <u32>load<u8>(qemuEntry, E_PARENT);
}

export function qemuAttr(): u32 {
  return <u32>load<u8>(qemuEntry, E_ATTR);
}

export function qemuSh(): u32 {
  return <u32>load<u8>(qemuEntry, E_SH);
}

export function qemuAddress(iova: u64): u64 {
  return load<u64>(qemuEntry, E_PA) + (iova & ones(qemuBits()));
}

/** Describes the next entry: what every insert has beside its key. */
export function qemuInsert(
  asid: i32,
  vmid: i32,
  iova: u64,
  pa: u64,
  bits: u32,
  granule: u32,
  level: i32,
  perms: u32,
  parent: u32,
  attr: u32,
  sh: u32,
): void {
  if (used >= ENTRIES_MAX) qemuFlush();
  const page = iova & ~ones(bits);
  const tg = commandTgOf(granule);
  if (tracing) {
    trace(TRACE_KIND_IOTLB_INSERT, 0, level, 0, asid, vmid, tg, page, pa & ~ones(bits));
  }
  let e = find(asid, vmid, page, tg, <u32>level);
  if (e == 0) {
    e = <usize>freeList;
    freeList = load<u32>(e, E_NEXT);
    used++;
    const bucket = bucketOf(asid, vmid, page, tg, <u32>level);
    store<u32>(e, load<u32>(bucket), E_NEXT);
    store<u32>(bucket, <u32>e);
  }
  store<u8>(e, <u8>bits, E_BITS);
  store<u8>(e, <u8>tg, E_TG);
  store<u8>(e, <u8>level, E_LEVEL);
  store<u8>(e, <u8>perms, E_PERMS);
  store<u8>(e, <u8>parent, E_PARENT);
  store<u8>(e, <u8>attr, E_ATTR);
  store<u8>(e, <u8>sh, E_SH);
  store<i32>(e, asid, E_ASID);
  store<i32>(e, vmid, E_VMID);
  store<u64>(e, page, E_IOVA);
  store<u64>(e, page | ones(bits), E_LAST);
  store<u64>(e, pa & ~ones(bits), E_PA);
}

/** Which entries a removal hits. */
export const REMOVE_ASID_VMID: u32 = 0;
export const REMOVE_VMID: u32 = 1;
export const REMOVE_VMID_STAGE1: u32 = 2;
export const REMOVE_PAGES: u32 = 3;
export const REMOVE_IPA: u32 = 4;

/** Whether a command names an entry's tags; by address a negative tag is any. */
function isNamed(e: usize, kind: u32, asid: i32, vmid: i32): bool {
  const entryAsid = load<i32>(e, E_ASID);
  if (load<i32>(e, E_VMID) != vmid && (kind != REMOVE_PAGES || vmid >= 0)) return false;
  if (kind == REMOVE_VMID) return true;
  if (kind == REMOVE_IPA) return entryAsid < 0;
  if (kind == REMOVE_VMID_STAGE1) return entryAsid >= 0;
  return entryAsid == asid || (kind == REMOVE_PAGES && asid < 0);
}

/**
 * Removes the entries that are named and touch the addresses from `first` to `last`; the scan is
 * over at most 256.
 */
export function qemuRemove(kind: u32, asid: i32, vmid: i32, first: u64, last: u64): void {
  const end = IOTLB + ENTRIES_OFFSET + <usize>ENTRIES_MAX * ENTRY_BYTES;
  for (let e = IOTLB + ENTRIES_OFFSET; e < end && used != 0; e += ENTRY_BYTES) {
    if (load<u64>(e, E_IOVA) > last || load<u64>(e, E_LAST) < first) continue;
    if (load<u8>(e, E_BITS) != 0 && isNamed(e, kind, asid, vmid)) unlink(e);
  }
}

/** Takes an entry out of its bucket's chain and back to the free list; no bits marks it free. */
function unlink(e: usize): void {
  const iova = load<u64>(e, E_IOVA);
  const tg = <u32>load<u8>(e, E_TG);
  const level = <u32>load<u8>(e, E_LEVEL);
  let link = bucketOf(load<i32>(e, E_ASID), load<i32>(e, E_VMID), iova, tg, level);
  while (<usize>load<u32>(link) != e) link = <usize>load<u32>(link) + E_NEXT;
  store<u32>(link, load<u32>(e, E_NEXT));
  store<u32>(e, freeList, E_NEXT);
  store<u8>(e, 0, E_BITS);
  freeList = <u32>e;
  used--;
}

/** Removes the entry with exactly this key; false when there is none. */
export function qemuRemoveExact(asid: i32, vmid: i32, iova: u64, tg: u32, level: u32): bool {
  const e = find(asid, vmid, iova, tg, level);
  if (e == 0) return false;
  unlink(e);
  return true;
}
