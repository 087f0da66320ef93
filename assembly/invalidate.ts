// TLBI commands under both cache policies (IHI0070 4.4, 3.17).

import { cachePolicy } from "./cache";
import {
  CONTEXT_EL1,
  CONTEXT_EL2,
  CONTEXT_STAGE2,
  contextFractured,
  flushContexts,
  liveContext,
  renameContext,
  renameKind,
  renameVmid,
  tlbHasGlobal,
} from "./contextid";
import { stage2Present } from "./features";
import { GRANULE_4K, granuleOfCommandTg, ones } from "./geometry";
import { CACHE_FAST, CACHE_QEMU, TRACE_KIND_RANGE } from "./layout/abi";
import { contextTag, RANGE_PAGES_MAX, tlbInvalidate } from "./tlb";
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
const STAGE_1: u32 = 1;
const STAGE_2: u32 = 2;

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
    if (stage2Present) qemuRemove(REMOVE_VMID_STAGE1, ANY, <i32>vmid, 0, 0);
    else qemuFlush();
    return;
  }
  renameVmid(CONTEXT_EL1, stage2Present ? vmid : 0);
}

/** Stage 1, stage 2 and combined entries of a VMID. */
export function invalidateVmid(vmid: u32): void {
  if (cachePolicy == CACHE_QEMU) {
    qemuRemove(REMOVE_VMID, ANY, <i32>vmid, 0, 0);
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
    if (world == CONTEXT_EL1) qemuRemove(REMOVE_ASID_VMID, <i32>asid, qemuVmid(vmid), 0, 0);
    return;
  }
  renameContext(world, stage2Present && world == CONTEXT_EL1 ? vmid : 0, asid);
}

/** Pages of one command: `pages` of 2^granuleBits bytes from `address`. */
function invalidatePages(kind: u32, vmid: u32, asid: u32, at: u64, tg: u32, pages: u64): void {
  const ctx = liveContext(kind, vmid, asid);
  if (ctx == 0) return;
  // Pieces of one stage 1 block lie anywhere in it: drop the context.
  if (pages > RANGE_PAGES_MAX || contextFractured(kind, vmid, asid)) {
    renameContext(kind, vmid, asid);
    return;
  }
  const tag = contextTag(ctx);
  const granule = tg ? granuleOfCommandTg(tg) : GRANULE_4K;
  for (let page: u64 = 0; page < pages; page++) {
    tlbInvalidate(tag, at + (page << (<u64>granule)), kind == CONTEXT_STAGE2);
  }
}

/** TLBI by VA and ASID in a world. A global entry may sit under any ASID. */
export function invalidateVa(world: u32, vmid: u32, asid: u32, at: u64, tg: u32, pages: u64): void {
  if (tlbHasGlobal && world != CONTEXT_EL2) {
    invalidateVaAnyAsid(world, vmid);
    return;
  }
  const tag = stage2Present && world == CONTEXT_EL1 ? vmid : 0;
  invalidatePages(world, tag, world == CONTEXT_EL2 ? 0 : asid, at, tg, pages);
}

/** TLBI by VA for all ASIDs: the ASIDs of a VMID are not listed, so all its entries go. */
export function invalidateVaAnyAsid(world: u32, vmid: u32): void {
  if (world == CONTEXT_EL1) renameVmid(CONTEXT_EL1, stage2Present ? vmid : 0);
  else renameKind(world);
}

/** TLBI by IPA: stage-2-only entries. */
export function invalidateIpa(vmid: u32, at: u64, tg: u32, pages: u64): void {
  invalidatePages(CONTEXT_STAGE2, vmid, 0, at, tg, pages);
}

/** One aligned power-of-two piece of a range, as QEMU executes it. */
function invalidatePiece(
  stage: u32,
  asid: i32,
  vmid: i32,
  at: u64,
  tg: u32,
  pages: u64,
  ttl: u32,
  leaf: u32,
): void {
  if (tracing) trace(TRACE_KIND_RANGE, stage, <i32>ttl, leaf, asid, vmid, tg, at, pages);
  const exact = ttl != 0 && pages == 1 && (stage == STAGE_2 || asid >= 0);
  if (exact && qemuRemoveExact(asid, vmid, at, tg, ttl)) return;
  const granule = tg ? granuleOfCommandTg(tg) : GRANULE_4K;
  const mask = (pages << (<u64>granule)) - 1;
  qemuRemove(stage == STAGE_1 ? REMOVE_PAGES : REMOVE_IPA, asid, vmid, at, mask);
}

/** Largest aligned power-of-two block at `at` that ends at or before `end`, as a mask. */
function alignedMask(at: u64, end: u64): u64 {
  let bits: u32 = at == 0 ? 64 : <u32>ctz(at);
  const span = end - at;
  while (bits > 0 && ones(bits) > span) bits--;
  return ones(bits);
}

/** QEMU's range invalidation: split into aligned powers of two, each traced and executed. */
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
  if (tg == 0) {
    invalidatePiece(stage, asid, vmid, address, tg, 1, ttl, leaf);
    return;
  }
  const granule = granuleOfCommandTg(tg);
  let at = address;
  const end = at + (pages << (<u64>granule)) - 1;
  while (at != end + 1) {
    const mask = alignedMask(at, end);
    invalidatePiece(stage, asid, vmid, at, tg, (mask + 1) >> <u64>granule, ttl, leaf);
    at += mask + 1;
  }
}
