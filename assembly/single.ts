// Single translations: a RESULT record for the caller.

import { PERM_PX } from "./descriptor";
import { eventIndex } from "./event";
import { faultType } from "./fault";
import { ones } from "./geometry";
import { guestReads } from "./guest";
import {
  configStage,
  setResultEventIndex,
  setResultEventType,
  setResultFetches,
  setResultIova,
  setResultMemAttr,
  setResultPa,
  setResultPageBits,
  setResultPerm,
  setResultRecorded,
  setResultShareability,
  setResultStage,
  setResultStatus,
} from "./layout/abi";
import {
  ANSWER_META_status_OK,
  permsPrivileged,
  permsUnprivileged,
  tlbdataAttr,
  tlbdataPa,
  tlbdataPerms,
  tlbdataSh,
  tlbdataSize,
} from "./layout/words";
import { outAddress, outAttr, outBits, outSh, outStage } from "./mapping";
import { quickConfig, quickMapping, quickNeed } from "./quick";
import { RESULT } from "./state";
import { SIZE_BIAS } from "./tlb";
import { lastPerm, recorded, translate } from "./translate";

/** Fills RESULT; what only faults have is 0. @inline */
function leave(pa: u64, bits: u32, perm: u32, stage: u32, attr: u32, sh: u32): void {
  const r = RESULT;
  setResultPa(r, pa);
  setResultPageBits(r, bits);
  setResultPerm(r, perm);
  setResultStage(r, stage);
  setResultMemAttr(r, attr);
  setResultShareability(r, sh);
}

/** The RESULT of a cached mapping. */
function leaveCached(data: u64, iova: u64): u32 {
  const bits = tlbdataSize(data) + SIZE_BIAS;
  const perms = tlbdataPerms(data);
  const granted = quickNeed > PERM_PX ? permsUnprivileged(perms) : permsPrivileged(perms);
  const pa = tlbdataPa(data) | (iova & ones(bits));
  leave(pa, bits, granted, configStage(quickConfig), tlbdataAttr(data), tlbdataSh(data));
  return ANSWER_META_status_OK;
}

/** Translates and leaves a RESULT record for the caller. */
export function translateSingle(sid: u32, flags: u32, iova: u64): u32 {
  setResultIova(RESULT, iova);
  setResultEventType(RESULT, 0);
  setResultRecorded(RESULT, 0);
  setResultEventIndex(RESULT, 0);
  setResultFetches(RESULT, 0);
  const data = quickMapping(sid, flags, iova);
  if (data) {
    setResultStatus(RESULT, ANSWER_META_status_OK);
    return leaveCached(data, iova);
  }
  const reads = guestReads;
  const status = translate(sid, flags, iova);
  leave(outAddress, outBits, lastPerm, outStage, outAttr, outSh);
  setResultStatus(RESULT, status);
  setResultEventType(RESULT, faultType);
  setResultRecorded(RESULT, u32(recorded));
  setResultEventIndex(RESULT, eventIndex);
  setResultFetches(RESULT, guestReads - reads);
  return status;
}
