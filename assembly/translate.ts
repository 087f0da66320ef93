// One transaction from StreamID and address to an output or an event (IHI0070 3.3, 3.12, 8.1 of the
// fact base).

import { effectiveAccess, grantedPermissions } from "./access";
import {
  effectiveShareability,
  inputShareability,
  inputType,
  streamShareability,
  streamType,
} from "./attributes";
import { insertInput, LOOKUP_FAULT, LOOKUP_HIT, lookupInput } from "./cache";
import { configuration } from "./config";
import { PERM_ALL } from "./descriptor";
import {
  beginEvent,
  recordEvent,
  setCdFetchAddress,
  setFaultFields,
  setFetchAddress,
} from "./event";
import {
  clearFault,
  faultAsRead,
  faultClass,
  faultFetch,
  faultIpa,
  faultS2,
  faultStage,
  faultType,
  raiseStage1Fault,
  reportFaultAlways,
} from "./fault";
import { hasQuirk, iasBits, oasBits, termModel } from "./features";
import { ones } from "./geometry";
import {
  configAbortS1,
  configMerge,
  configRecordS1,
  configRecordS2,
  configSkipsStage1,
  configStage,
  STAGE_ABORT,
  STAGE_BYPASS,
} from "./layout/abi";
import {
  C_BAD_STREAMID,
  C_BAD_SUBSTREAMID,
  CLASS_IN,
  CLASS_TT,
  F_ADDR_SIZE,
  F_CD_FETCH,
  F_PERMISSION,
  F_STE_FETCH,
  F_STREAM_DISABLED,
  F_WALK_EABT,
  setEventSubstreamID,
  setEventTTRnW,
} from "./layout/event";
import {
  Q_BYPASS_UNBOUNDED,
  Q_CD_AT_CTXPTR,
  Q_NO_PRIVILEGE,
  Q_RECINVSID_IGNORED,
} from "./layout/quirks";
import {
  cr0SMMUEN,
  cr2RECINVSID,
  gbpaABORT,
  gbpaALLOCCFG,
  gbpaMemAttr,
  gbpaMTCFG,
  gbpaSHCFG,
  REG_CR0,
  REG_CR2,
  REG_GBPA,
} from "./layout/register";
import {
  ANSWER_META_status_ABORT,
  ANSWER_META_status_BYPASS,
  ANSWER_META_status_EVENT,
  ANSWER_META_status_OK,
  ANSWER_META_status_RAZWI,
  ANSWER_META_status_SILENT,
  requestflagsInstruction,
  requestflagsPrivileged,
  requestflagsSsid,
  requestflagsSsv,
  requestflagsWrite,
  withRequestflagsSsv,
} from "./layout/words";
import { outPerms, setOutput } from "./mapping";
import { walkInput } from "./nest";
import { reg32 } from "./regfile";
import { CONFIG_SCRATCH, EVENT } from "./state";

/** A bypass maps everything one to one: the size reported is a 4 KiB page. */
const BYPASS_BITS: u32 = 12;

/** Whether the last translation's record was written or merged. */
export let recorded: bool = false;
/** Status of the last translation (ANSWER_META_status_*). */
export let lastStatus: u32 = 0;
/** Read, write, execute (1, 2, 4) granted by the last translation. */
export let lastPerm: u32 = 0;

/** SMMUEN=0: GBPA aborts or passes everything (6.3.16). */
function translateDisabled(iova: u64): u32 {
  const gbpa = reg32(REG_GBPA);
  const outside = (iova & ~ones(oasBits)) != 0 && !hasQuirk(Q_BYPASS_UNBOUNDED);
  if (gbpaABORT(gbpa) || outside) return ANSWER_META_status_ABORT;
  const attr = inputType(gbpaMTCFG(gbpa), gbpaMemAttr(gbpa), gbpaALLOCCFG(gbpa));
  const sh = effectiveShareability(attr, inputShareability(gbpaSHCFG(gbpa)));
  setOutput(iova, BYPASS_BITS, PERM_ALL, attr, sh, STAGE_BYPASS);
  return ANSWER_META_status_BYPASS;
}

/** Config bypass, or stage 1 skipped with no stage 2: bounded by OAS or IAS (3.4). */
function translateBypass(p: usize, iova: u64): u32 {
  const limit = configSkipsStage1(p) ? iasBits : oasBits;
  if (!hasQuirk(Q_BYPASS_UNBOUNDED) && iova & ~ones(limit)) {
    raiseStage1Fault(F_ADDR_SIZE, CLASS_IN);
    reportFaultAlways();
    return ANSWER_META_status_EVENT;
  }
  const attr = streamType(p);
  const sh = effectiveShareability(attr, streamShareability(p));
  setOutput(iova, BYPASS_BITS, PERM_ALL, attr, sh, STAGE_BYPASS);
  return ANSWER_META_status_BYPASS;
}

/** Whether the fault is to be recorded: R or S2R for translation-related ones (3.12.2, 7.3). */
function recordDue(p: usize): bool {
  if (faultType == C_BAD_STREAMID) {
    return cr2RECINVSID(reg32(REG_CR2)) != 0 || hasQuirk(Q_RECINVSID_IGNORED);
  }
  if (faultStage == 1) return configRecordS1(p) != 0;
  return faultStage == 2 ? configRecordS2(p) != 0 : true;
}

/** Whether records of this type have SSV and SubstreamID (7.3.7, 7.3.9). */
function carriesSubstream(type: u32): bool {
  return type != F_STREAM_DISABLED && type != C_BAD_SUBSTREAMID;
}

/** Builds the record of the fault (7.3). */
function buildEvent(sid: u32, flags: u32, access: u32, iova: u64): void {
  const ssv = requestflagsSsv(flags) != 0;
  beginEvent(faultType, sid, ssv && carriesSubstream(faultType), requestflagsSsid(flags));
  // C_BAD_SUBSTREAMID has a SubstreamID and no SSV.
  if (faultType == C_BAD_SUBSTREAMID && ssv) setEventSubstreamID(EVENT, requestflagsSsid(flags));
  if (faultType == F_STE_FETCH) {
    setFetchAddress(faultFetch);
  } else if (faultType == F_CD_FETCH) {
    setCdFetchAddress(faultFetch);
  } else if (faultType >= F_WALK_EABT) {
    const blind = hasQuirk(Q_NO_PRIVILEGE);
    const pnu = !blind && requestflagsPrivileged(access) != 0;
    const ind = !blind && requestflagsInstruction(access) != 0;
    const rnw = faultAsRead || !requestflagsWrite(access);
    setFaultFields(iova, pnu, ind, rnw, faultS2, faultClass, faultIpa);
    if (faultType == F_WALK_EABT) setFetchAddress(faultFetch);
    if (faultType == F_PERMISSION && faultS2 && faultClass == CLASS_TT && !blind) {
      setEventTTRnW(EVENT, 1);
    }
  }
}

/** Ends a faulting transaction: record, and abort or RAZ/WI (3.12.2). */
function finishFault(p: usize, sid: u32, flags: u32, access: u32, iova: u64): u32 {
  buildEvent(sid, flags, access, iova);
  const due = recordDue(p);
  if (due) recorded = recordEvent(configMerge(p) != 0);
  if (faultStage == 1 && !configAbortS1(p) && termModel == 0) return ANSWER_META_status_RAZWI;
  return due ? ANSWER_META_status_EVENT : ANSWER_META_status_SILENT;
}

/** Stages, caches and faults of a stream that translates. */
function translateStages(p: usize, access: u32, iova: u64): u32 {
  const found = lookupInput(p, iova, access);
  if (found == LOOKUP_HIT) return ANSWER_META_status_OK;
  if (found == LOOKUP_FAULT || walkInput(p, iova, access)) return ANSWER_META_status_EVENT;
  insertInput(p, iova);
  return ANSWER_META_status_OK;
}

/**
 * Translates one transaction. `requested` are REQUEST_FLAGS. Gives ANSWER_META_status_*; the output
 * is in mapping.ts, a fault in fault.ts and its record in EVENT.
 */
export function translate(sid: u32, requested: u32, iova: u64): u32 {
  // QEMU's emulated devices present no SubstreamIDs.
  const flags = hasQuirk(Q_CD_AT_CTXPTR) ? withRequestflagsSsv(requested, 0) : requested;
  clearFault();
  recorded = false;
  lastPerm = 0;
  setOutput(0, 0, 0, 0, 0, 0);
  // 1. Disabled.
  if (!cr0SMMUEN(reg32(REG_CR0))) {
    lastStatus = translateDisabled(iova);
    if (lastStatus == ANSWER_META_status_BYPASS) lastPerm = grantedPermissions(PERM_ALL, flags);
    return lastStatus;
  }
  // 2. Configuration; what was decoded before a fault is in CONFIG_SCRATCH.
  const cached = configuration(sid, requestflagsSsv(flags) != 0, requestflagsSsid(flags));
  const p = cached ? cached : CONFIG_SCRATCH;
  const access = effectiveAccess(p, flags);
  let status = ANSWER_META_status_EVENT;
  if (cached) {
    const stage = configStage(p);
    // 3. Abort, bypass, or translation.
    if (stage == STAGE_ABORT) {
      lastStatus = ANSWER_META_status_ABORT;
      return lastStatus;
    }
    status = stage == STAGE_BYPASS ? translateBypass(p, iova) : translateStages(p, access, iova);
  }
  if (status == ANSWER_META_status_EVENT) status = finishFault(p, sid, flags, access, iova);
  else lastPerm = grantedPermissions(outPerms, access);
  lastStatus = status;
  return status;
}
