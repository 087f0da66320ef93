// The two cache policies behind one interface: lookup, insert (IHI0070 3.17; invalidate is
// invalidate.ts).

import { neededPermission } from "./access";
import { finishStage2 } from "./combine";
import { noteCut } from "./contextid";
import { PERM_PW } from "./descriptor";
import { raiseStage1Fault, raiseStage2Fault } from "./fault";
import { effectiveVa, halfOf } from "./half";
import {
  CACHE_FAST,
  CACHE_QEMU,
  configAsid,
  configCached,
  configStage,
  configTag,
  configTagS2,
  configVmid,
  configWorld,
  STAGE_NESTED,
  STAGE_S2,
  TRACE_FLAG_HIT,
  TRACE_KIND_IOTLB_INSERT,
  TRACE_KIND_IOTLB_LOOKUP,
} from "./layout/abi";
import { CLASS_IN, F_PERMISSION } from "./layout/event";
import { requestflagsWrite } from "./layout/words";
import {
  outAddress,
  outAttr,
  outBits,
  outPerms,
  outSh,
  s1Bits,
  s1Global,
  s1Granule,
  s1Level,
  s1Perms,
  s2Address,
  s2Attr,
  s2Bits,
  s2Granule,
  s2Level,
  s2Perms,
  s2Sh,
  setOutput,
  setStage2Mapping,
} from "./mapping";
import {
  hitAddress,
  hitAttr,
  hitBits,
  hitPerms,
  hitSh,
  markTlbData,
  tlbData,
  tlbInsert,
  tlbLookup,
} from "./tlb";
import {
  qemuAddress,
  qemuAttr,
  qemuBits,
  qemuInsert,
  qemuLookupInput,
  qemuLookupStage2,
  qemuParentPerms,
  qemuPerms,
  qemuSh,
} from "./tlb-qemu";
import { trace, tracing } from "./trace";

export const LOOKUP_MISS: u32 = 0;
export const LOOKUP_HIT: u32 = 1;
/** The entry refuses the access, and the fault is raised. */
export const LOOKUP_FAULT: u32 = 2;

/**
 * CACHE_NONE, CACHE_FAST (renamed contexts, 4-way lines), CACHE_QEMU, or CACHE_WALK (configurations
 * alone).
 */
export let cachePolicy: u32 = 1;
/** Input lookups that hit, and all of them, since the counters were reset. */
export let cacheHits: u32 = 0;
export let cacheLookups: u32 = 0;

export function setCachePolicy(policy: u32): void {
  cachePolicy = policy;
}

export function resetCacheCounters(): void {
  cacheHits = 0;
  cacheLookups = 0;
}

/** QEMU walks the final IPA of a nested translation without looking it up. */
export function nestedLookupAllowed(): bool {
  return cachePolicy == CACHE_FAST;
}

/** Whether translations are cached at all. */
export function translationsCached(): bool {
  return cachePolicy == CACHE_FAST || cachePolicy == CACHE_QEMU;
}

/** Counts input lookups that a batch made. */
export function countLookups(lookups: u32, hits: u32): void {
  cacheLookups += lookups;
  cacheHits += hits;
}

function noteLookup(p: usize, stage: u32, address: u64, hit: bool): void {
  if (!tracing) return;
  const asid = stage == STAGE_S2 ? -1 : configAsid(p);
  trace(
    TRACE_KIND_IOTLB_LOOKUP,
    stage,
    0,
    hit ? TRACE_FLAG_HIT : 0,
    asid,
    configVmid(p),
    0,
    address,
    0,
  );
}

function noteInsert(p: usize, stage: u32, address: u64, bits: u32, pa: u64): void {
  if (!tracing) return;
  const asid = stage == STAGE_S2 ? -1 : configAsid(p);
  trace(TRACE_KIND_IOTLB_INSERT, stage, 0, 0, asid, configVmid(p), bits, address, pa);
}

/**
 * Looks up an IPA that the SMMU or a nested translation reads through; sets the stage 2 mapping.
 */
export function lookupStage2(p: usize, ipa: u64): bool {
  if (!translationsCached()) return false;
  if (cachePolicy == CACHE_QEMU) {
    if (!qemuLookupStage2(p, ipa)) return false;
    setStage2Mapping(qemuAddress(ipa), qemuBits(), qemuPerms(), qemuAttr(), qemuSh());
    return true;
  }
  const hit = tlbLookup(configTagS2(p), ipa, true);
  noteLookup(p, STAGE_S2, ipa, hit);
  if (hit) setStage2Mapping(hitAddress(ipa), hitBits(), hitPerms(), hitAttr(), hitSh());
  return hit;
}

/** Caches the stage 2 mapping of `ipa`. */
export function insertStage2(p: usize, ipa: u64): void {
  if (!translationsCached()) return;
  if (cachePolicy == CACHE_QEMU) {
    qemuInsert(
      -1,
      configVmid(p),
      ipa,
      s2Address,
      s2Bits,
      s2Granule,
      s2Level,
      s2Perms,
      s2Perms,
      s2Attr,
      s2Sh,
    );
    return;
  }
  noteInsert(p, STAGE_S2, ipa, s2Bits, s2Address);
  tlbInsert(configTagS2(p), ipa, tlbData(s2Address, s2Bits, s2Perms, s2Attr, s2Sh), true);
}

/** A hit in QEMU's table: write permission alone is checked, and the stage guessed. */
function finishQemuHit(p: usize, iova: u64, access: u32): u32 {
  const both = qemuPerms() & qemuParentPerms();
  if (requestflagsWrite(access) && !(both & PERM_PW)) {
    if (qemuPerms() & PERM_PW) raiseStage2Fault(F_PERMISSION, CLASS_IN, 0);
    else raiseStage1Fault(F_PERMISSION, CLASS_IN);
    return LOOKUP_FAULT;
  }
  if (configStage(p) == STAGE_S2) {
    setStage2Mapping(qemuAddress(iova), qemuBits(), qemuPerms(), qemuAttr(), qemuSh());
    finishStage2(p);
  } else {
    setOutput(qemuAddress(iova), qemuBits(), qemuPerms(), qemuAttr(), qemuSh(), configStage(p));
  }
  return LOOKUP_HIT;
}

function lookupQemu(p: usize, iova: u64, access: u32): u32 {
  const found = configStage(p) == STAGE_S2 ? qemuLookupStage2(p, iova) : qemuLookupInput(p, iova);
  return found ? finishQemuHit(p, iova, access) : LOOKUP_MISS;
}

/** Input address as the fast table is keyed: with TBI the top byte does not count. */
function keyOf(p: usize, iova: u64): u64 {
  return configStage(p) == STAGE_S2 ? iova : effectiveVa(p, iova, halfOf(p, iova));
}

function lookupFast(p: usize, iova: u64, access: u32): u32 {
  const va = keyOf(p, iova);
  const hit = tlbLookup(configTag(p), va, configStage(p) == STAGE_S2);
  noteLookup(p, configStage(p), iova, hit);
  // An entry that does not permit the access is walked again: it may have changed.
  if (!hit || !(hitPerms() & neededPermission(access))) return LOOKUP_MISS;
  if (configStage(p) == STAGE_S2) {
    setStage2Mapping(hitAddress(va), hitBits(), hitPerms(), hitAttr(), hitSh());
    finishStage2(p);
  } else {
    setOutput(hitAddress(va), hitBits(), hitPerms(), hitAttr(), hitSh(), configStage(p));
  }
  return LOOKUP_HIT;
}

/** Looks an input up; on a hit the output is set, on LOOKUP_FAULT the fault is raised. */
export function lookupInput(p: usize, iova: u64, access: u32): u32 {
  if (!translationsCached() || !configCached(p)) return LOOKUP_MISS;
  cacheLookups++;
  const found =
    cachePolicy == CACHE_QEMU ? lookupQemu(p, iova, access) : lookupFast(p, iova, access);
  if (found == LOOKUP_HIT) cacheHits++;
  return found;
}

/** QEMU's entry of a nested translation: the smaller stage gives granule and level. */
function insertQemu(p: usize, iova: u64): void {
  const stage = configStage(p);
  if (stage == STAGE_S2) {
    insertStage2(p, iova);
    return;
  }
  const bySecond = stage == STAGE_NESTED && s2Bits < s1Bits;
  qemuInsert(
    configAsid(p),
    configVmid(p),
    iova,
    outAddress,
    outBits,
    bySecond ? s2Granule : s1Granule,
    bySecond ? s2Level : s1Level,
    s1Perms,
    stage == STAGE_NESTED ? s2Perms : s1Perms,
    outAttr,
    outSh,
  );
}

/** Caches the translation that was just walked. */
export function insertInput(p: usize, iova: u64): void {
  if (!translationsCached() || !configCached(p)) return;
  if (cachePolicy == CACHE_QEMU) {
    insertQemu(p, iova);
    return;
  }
  const stage = configStage(p);
  if (stage == STAGE_S2) {
    noteInsert(p, stage, iova, s2Bits, s2Address);
    tlbInsert(configTag(p), iova, tlbData(s2Address, s2Bits, s2Perms, s2Attr, s2Sh), true);
    return;
  }
  const fractured = stage == STAGE_NESTED && s2Bits < s1Bits;
  if (fractured) noteCut(configWorld(p), <u32>configVmid(p), <u32>configAsid(p), s1Bits);
  noteInsert(p, stage, iova, outBits, outAddress);
  const data = tlbData(outAddress, outBits, outPerms, outAttr, outSh);
  tlbInsert(configTag(p), keyOf(p, iova), markTlbData(data, s1Global, fractured), false);
}
