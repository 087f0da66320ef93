// Stage 1 through stage 2: structures, tables and the final IPA; the whole translation of one input (IHI0070 3.4).

import { neededPermission } from "./access";
import {
  combineShareability,
  combineType,
  effectiveShareability,
  mergeHints,
  stage2IsDevice,
  streamShareability,
  streamType,
} from "./attributes";
import { insertStage2, lookupStage2, nestedLookupAllowed } from "./cache";
import { PERM_PR } from "./descriptor";
import {
  clearFault,
  faultType,
  raiseStage1Fault,
  reportFault,
  reportFaultAddress,
  reportFaultAlways,
} from "./fault";
import { hasQuirk, iasBits } from "./features";
import { ones } from "./geometry";
import { configIpsBits, configS2fwb, configS2ptw, configStage } from "./layout/abi";
import { CLASS_IN, CLASS_TT, F_ADDR_SIZE, F_WALK_EABT } from "./layout/event";
import { Q_BYPASS_UNBOUNDED, Q_HIT_WRITE_ONLY, Q_S2_FLAG_LOST, Q_TABLE_IPA } from "./layout/quirks";
import {
  s1Address,
  s1Attr,
  s1Bits,
  s1Perms,
  s1Sh,
  s2Address,
  s2Attr,
  s2Bits,
  s2Perms,
  s2Sh,
  setOutput,
} from "./mapping";
import { walkStage1 } from "./stage1";
import { walkStage2 } from "./stage2";

export const STAGE_BYPASS: u32 = 0;
export const STAGE_1: u32 = 1;
export const STAGE_2: u32 = 2;
export const STAGE_NESTED: u32 = 3;
export const STAGE_ABORT: u32 = 4;

/** Whether a cached stage 2 mapping allows a read by the SMMU itself. */
function structureReadable(p: usize): bool {
  if (!(s2Perms & PERM_PR)) return false;
  return !configS2ptw(p) || !stage2IsDevice(s2Attr, configS2fwb(p) != 0);
}

/**
 * PA of a structure that stage 1 reads: a CD, L1CD or descriptor at `ipa`. On a fault gives 0 with
 * the fault raised.
 */
export function translateStructure(p: usize, ipa: u64, fetchClass: u32): u64 {
  clearFault();
  // 1. A cached stage 2 mapping.
  if (lookupStage2(p, ipa) && structureReadable(p)) return s2Address;
  // 2. QEMU checks the IPA against the stage 1 output size, as a stage 1 fault.
  if (hasQuirk(Q_BYPASS_UNBOUNDED) && ipa & ~ones(configIpsBits(p))) {
    raiseStage1Fault(F_ADDR_SIZE, fetchClass);
    return 0;
  }
  // 3. The walk.
  if (walkStage2(p, ipa, PERM_PR, fetchClass)) return 0;
  insertStage2(p, ipa);
  return s2Address;
}

/** PA of the next stage 1 table as QEMU translates it: at once, losing part of the fault. */
export function translateTable(p: usize, table: u64): u64 {
  const pa = translateStructure(p, table, CLASS_TT);
  if (faultType == 0 || !hasQuirk(Q_S2_FLAG_LOST)) return pa;
  reportFault(faultType == F_WALK_EABT ? 0 : 1, false, CLASS_TT);
  if (hasQuirk(Q_TABLE_IPA)) reportFaultAddress(table);
  return 0;
}

/** Stage 2 of the final IPA; a cached mapping counts when it permits the access. */
function translateFinal(p: usize, ipa: u64, need: u32): u32 {
  if (nestedLookupAllowed() && lookupStage2(p, ipa) && s2Perms & need) return 0;
  const fault = walkStage2(p, ipa, need, CLASS_IN);
  if (fault == 0 && nestedLookupAllowed()) insertStage2(p, ipa);
  return fault;
}

/** Output of stage 2 on top of the input attributes `attr` and `sh`. */
function setCombined(p: usize, perms: u32, bits: u32, attr: u32, sh: u32, stage: u32): void {
  const type = combineType(attr, s2Attr, configS2fwb(p) != 0);
  const wide = combineShareability(effectiveShareability(attr, sh), s2Sh);
  setOutput(s2Address, bits, perms, type, effectiveShareability(type, wide), stage);
}

/** Output of a stage-2-only mapping that was found in a cache. */
export function finishStage2(p: usize): void {
  setCombined(p, s2Perms, s2Bits, streamType(p), streamShareability(p), STAGE_2);
}

/** Walks the stages of `p` for one input. 0 with the output set, or the event number. */
export function walkInput(p: usize, iova: u64, access: u32): u32 {
  clearFault();
  const stage = configStage(p);
  const need = neededPermission(access);
  // 1. Stage 2 alone: the input is an IPA, bounded by IAS.
  if (stage == STAGE_2) {
    const limit = hasQuirk(Q_BYPASS_UNBOUNDED) ? configIpsBits(p) : iasBits;
    if (iova & ~ones(limit)) {
      raiseStage1Fault(F_ADDR_SIZE, CLASS_IN);
      if (!hasQuirk(Q_BYPASS_UNBOUNDED)) reportFaultAlways();
      return faultType;
    }
    if (walkStage2(p, iova, need, CLASS_IN)) return faultType;
    finishStage2(p);
    return 0;
  }
  // 2. Stage 1.
  if (walkStage1(p, iova, access)) return faultType;
  const attr = mergeHints(p, s1Attr);
  const sh = effectiveShareability(attr, s1Sh);
  if (stage == STAGE_1) {
    setOutput(s1Address, s1Bits, s1Perms, attr, sh, STAGE_1);
    return 0;
  }
  // 3. Stage 2 of the result.
  if (translateFinal(p, s1Address, need)) return faultType;
  const perms = hasQuirk(Q_HIT_WRITE_ONLY) ? s1Perms : s1Perms & s2Perms;
  setCombined(p, perms, min(s1Bits, s2Bits), attr, sh, STAGE_NESTED);
  return 0;
}
