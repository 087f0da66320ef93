// TLBI commands under both cache policies (IHI0070 4.4, 3.17).

import { cachePolicy } from "./cache";
import {
  CONTEXT_EL1,
  CONTEXT_EL2,
  CONTEXT_EL2_E2H,
  CONTEXT_STAGE2,
  flushContexts,
  inputSizes,
  liveSlot,
  liveSlotOf,
  renameKind,
  renameSlot,
  renameVmid,
  slotCut,
  slotsUsed,
  slotTag,
  stage2Sizes,
  tlbHasGlobal,
} from "./contextid";
import { stage2Present } from "./features";
import { GRANULE_4K, granuleOfCommandTg, ones } from "./geometry";
import { CACHE_FAST, CACHE_QEMU, TRACE_KIND_RANGE } from "./layout/abi";
import { tlbRemove } from "./tlb";
import {
  qemuFlush,
  qemuRemove,
  qemuRemoveExact,
  REMOVE_ASID_VMID,
  REMOVE_IPA,
  REMOVE_PAGES,
  REMOVE_VMID,
  REMOVE_VMID_STAGE1,
} from "./tlb-qemu";
import { trace, tracing } from "./trace";

const ANY: i32 = -1;
/** The last address there is. */
const EVERYTHING: u64 = ~(<u64>0);
const STAGE_1: u32 = 1;
const STAGE_2: u32 = 2;
/** All ASIDs of a VMID are gone through while contexts times pages are not more than this. */
const PLACES_MAX: u64 = 256;

/** Drops everything that is cached, whatever it is. */
export function flushTranslations(): void {
  flushContexts();
  qemuFlush();
}

/** VMID that entries of QEMU's table carry for a command's VMID. */
function qemuVmid(vmid: u32): i32 {
  return stage2Present ? <i32>vmid : ANY;
}

/** Stage 1 and combined entries of a VMID; without stage 2, everything. */
export function invalidateVmidStage1(vmid: u32): void {
  if (cachePolicy == CACHE_QEMU) {
    if (stage2Present) qemuRemove(REMOVE_VMID_STAGE1, ANY, <i32>vmid, 0, EVERYTHING);
    else qemuFlush();
    return;
  }
  renameVmid(CONTEXT_EL1, stage2Present ? vmid : 0);
}

/** Stage 1, stage 2 and combined entries of a VMID. */
export function invalidateVmid(vmid: u32): void {
  if (cachePolicy == CACHE_QEMU) {
    qemuRemove(REMOVE_VMID, ANY, <i32>vmid, 0, EVERYTHING);
    return;
  }
  renameVmid(CONTEXT_EL1, vmid);
  renameVmid(CONTEXT_STAGE2, vmid);
}

/** Every VMID's entries: NSNH_ALL, or a command with a VMID wildcard. */
export function invalidateAllVmids(): void {
  if (cachePolicy == CACHE_QEMU) {
    qemuFlush();
    return;
  }
  renameKind(CONTEXT_EL1);
  renameKind(CONTEXT_STAGE2);
}

/** Entries of both NS-EL2 worlds. */
export function invalidateEl2(): void {
  if (cachePolicy == CACHE_FAST) renameKind(CONTEXT_EL2);
}

/** Non-global entries of an ASID. */
export function invalidateAsid(world: u32, vmid: u32, asid: u32): void {
  if (cachePolicy == CACHE_QEMU) {
    if (world == CONTEXT_EL1)
      qemuRemove(REMOVE_ASID_VMID, <i32>asid, qemuVmid(vmid), 0, EVERYTHING);
    return;
  }
  const slot = liveSlot(world, stage2Present && world == CONTEXT_EL1 ? vmid : 0, asid);
  if (slot) renameSlot(slot);
}

/**
 * Drops what the context in a slot holds of the addresses from `first` to `last`. Pieces of one
 * stage 1 block may lie anywhere in it: the range grows to the blocks that it touches.
 * @inline
 */
function dropRange(slot: usize, first: u64, last: u64, sizes: u32): void {
  const tag = slotTag(slot);
  if (tag == 0 || sizes == 0) return;
  const cut = slotCut(slot);
  if (cut) {
    first &= ~ones(cut);
    last |= ones(cut);
  }
  if (!tlbRemove(tag, first, last, sizes)) renameSlot(slot);
}

/** All ASIDs of a VMID: each in turn while they and the pages are few, else all entries go. */
function dropAnyAsid(world: u32, vmid: u32, first: u64, last: u64): void {
  if ((((last - first) >> GRANULE_4K) + 1) * slotsUsed > PLACES_MAX) {
    if (world == CONTEXT_EL1) renameVmid(CONTEXT_EL1, vmid);
    else renameKind(world);
    return;
  }
  for (let n: u32 = 0; n < slotsUsed; n++) {
    const slot = liveSlotOf(n, world, vmid);
    if (slot == 0) continue;
    if (slotCut(slot)) renameSlot(slot);
    else dropRange(slot, first, last, inputSizes);
  }
}

/**
 * TLBI by VA, or with CONTEXT_STAGE2 by IPA: entries that touch addresses from `first` to `last`. A
 * negative ASID is any, and a global entry may sit under any.
 */
export function invalidateRange(kind: u32, vmid: u32, asid: i32, first: u64, last: u64): void {
  const second = kind == CONTEXT_STAGE2;
  const tag = second || (stage2Present && kind == CONTEXT_EL1) ? vmid : 0;
  const tagged = kind == CONTEXT_EL1 || kind == CONTEXT_EL2_E2H;
  if (tagged && (asid < 0 || tlbHasGlobal)) {
    dropAnyAsid(kind, tag, first, last);
    return;
  }
  const slot = liveSlot(kind, tag, tagged ? asid : 0);
  if (slot) dropRange(slot, first, last, second ? stage2Sizes : inputSizes);
}

/** Drops entries of QEMU's table that touch the addresses from `first` to `last`. */
function dropQemu(stage: u32, asid: i32, vmid: i32, first: u64, last: u64): void {
  qemuRemove(stage == STAGE_1 ? REMOVE_PAGES : REMOVE_IPA, asid, vmid, first, last);
}

/**
 * QEMU's range invalidation: aligned powers of two, each traced. One page with a level may be found
 * under its exact key, and is then the only entry that goes. A piece of less than a page counts as
 * its first address, or from address 0 as everything. All others drop what they touch: those that
 * follow each other are executed together.
 */
export function qemuInvalidateRange(
  stage: u32,
  asid: i32,
  vmid: i32,
  address: u64,
  tg: u32,
  pages: u64,
  ttl: u32,
  leaf: u32,
): void {
  const granule = <u64>(tg ? granuleOfCommandTg(tg) : GRANULE_4K);
  const keyed = ttl != 0 && (stage == STAGE_2 || asid >= 0);
  let at = address;
  let from = at;
  const end = at + (pages << granule);
  while (at != end) {
    const mask = alignedMask(at, end);
    const count = (mask + 1) >> granule;
    if (tracing) trace(TRACE_KIND_RANGE, stage, <i32>ttl, leaf, asid, vmid, tg, at, count);
    const exact = keyed && count == 1 && qemuRemoveExact(asid, vmid, at, tg, ttl);
    const next = at + mask + 1;
    if (exact || count == 0 || next == 0) {
      if (next == 0 && !exact && count) dropQemu(stage, asid, vmid, from, EVERYTHING);
      else if (from != at) dropQemu(stage, asid, vmid, from, at - 1);
      if (count == 0) dropQemu(stage, asid, vmid, at, at ? at : EVERYTHING);
      from = next;
    }
    at = next;
  }
  if (from != at) dropQemu(stage, asid, vmid, from, at - 1);
}

/** Largest aligned power-of-two block at `at` that ends before `end`, as a mask. */
function alignedMask(at: u64, end: u64): u64 {
  const span = end - at;
  return ones(<u32>min(ctz(at), 63 - clz(span)));
}
