// The command queue: fetch, legality, effect, errors (IHI0070 4).

import { invalidateStream, invalidateStreams } from "./config";
import { CONTEXT_EL1 } from "./contextid";
import {
  atsPresent,
  cmdqLog2Max,
  hasQuirk,
  hypPresent,
  mpamPresent,
  msiPresent,
  priPresent,
  sevPresent,
  stage1Present,
  stage2Present,
  stallModel,
} from "./features";
import { loadPair } from "./guest";
import {
  globalErrorActive,
  raiseGlobalError,
  sendMsi,
  signalCommandSync,
  signalEvent,
} from "./interrupt";
import {
  invalidateAllVmids,
  invalidateAsid,
  invalidateEl2,
  invalidateVmid,
  invalidateVmidStage1,
} from "./invalidate";
import { MSI_SOURCE_CMD_SYNC, TRACE_KIND_COMMAND } from "./layout/abi";
import {
  CERROR_ABT,
  CERROR_ILL,
  CERROR_NONE,
  CMD_ATC_INV,
  CMD_BYTES,
  CMD_CFGI_CD_ALL,
  CMD_CFGI_STE,
  CMD_CFGI_STE_RANGE,
  CMD_CFGI_VMS_PIDM,
  CMD_PREFETCH_ADDR,
  CMD_PREFETCH_CONFIG,
  CMD_PRI_RESP,
  CMD_RESUME,
  CMD_STALL_TERM,
  CMD_SYNC,
  CMD_TLBI_EL2_ALL,
  CMD_TLBI_EL2_ASID,
  CMD_TLBI_EL2_VAA,
  CMD_TLBI_EL3_ALL,
  CMD_TLBI_EL3_VA,
  CMD_TLBI_NH_ALL,
  CMD_TLBI_NH_ASID,
  CMD_TLBI_NH_VA,
  CMD_TLBI_NH_VAA,
  CMD_TLBI_NSNH_ALL,
  CMD_TLBI_S2_IPA,
  CMD_TLBI_S12_VMALL,
  cmdCFGI_Range,
  cmdOpcode,
  cmdPRI_RESP_Resp,
  cmdSSec,
  cmdStreamID,
  cmdSYNC_CS,
  cmdSYNC_MSIAddress,
  cmdSYNC_MSIData,
  cmdTLBI_ASID,
  cmdTLBI_VMID,
  SYNC_CS_IRQ,
  SYNC_CS_SEV,
} from "./layout/command";
import { Q_SILENT_COMMANDS, Q_SYNC_CS3 } from "./layout/quirks";
import {
  cr0CMDQEN,
  REG_CMDQ_BASE,
  REG_CMDQ_CONS,
  REG_CMDQ_PROD,
  REG_CR0,
  withCmdqconsERR,
  withGerrorCMDQ_ERR,
} from "./layout/register";
import { queueAddress, queueEmpty, queueIndex, queueLog2, queueNext, queueWrap } from "./queue";
import { reg32, reg64, setReg32 } from "./regfile";
import { COMMAND } from "./state";
import { beginInvalidations, el2World, executeByAddress, ignoredTag, vmidWildcard } from "./tlbi";
import { trace, tracing } from "./trace";

/** No CERROR code: the command is a CMD_SYNC that its owner holds back. */
const HELD: u32 = 0x3f;
const PRI_RESP_RESERVED: u32 = 3;
const CS_RESERVED: u32 = 3;
/** CMD_CFGI_STE_RANGE covers 2^(Range+1) StreamIDs. */
const RANGE_BIAS: u32 = 1;

/** Whether register writes consume commands at once; a race explorer steps them instead. */
let autoConsume: bool = true;
/** Commands completed since the counters were reset. */
export let commandsDone: u32 = 0;

export function setAutoConsume(on: bool): void {
  autoConsume = on;
}

export function resetCommandCounters(): void {
  commandsDone = 0;
}

/** Consumes what a register write made available, unless commands are stepped. */
export function consumeCommands(): void {
  if (autoConsume) stepCommands(~(<u32>0), false);
}

/**
 * Consumes at most `limit` commands and gives their number (4.1.2). No command moves PROD, CMDQEN
 * or the error: they are looked at once, and CONS is left where the queue stops. `hold` stops it
 * before a CMD_SYNC: others have to acknowledge what came before.
 */
export function stepCommands(limit: u32, hold: bool): u32 {
  const error = withGerrorCMDQ_ERR(0, 1);
  if (!cr0CMDQEN(reg32(REG_CR0)) || globalErrorActive(error)) return 0;
  const base = reg64(REG_CMDQ_BASE);
  const log2 = queueLog2(base, cmdqLog2Max);
  const entries = queueAddress(base, log2, <u32>CMD_BYTES);
  const wrap = queueWrap(log2);
  const prod = reg32(REG_CMDQ_PROD);
  let cons = reg32(REG_CMDQ_CONS);
  let done: u32 = 0;
  beginInvalidations();
  while (done < limit && !queueEmpty(prod, cons, wrap)) {
    // 1. Fetch.
    const index = queueIndex(cons, wrap);
    const code = fetchAndExecute(entries + <u64>index * <u64>CMD_BYTES, index, hold);
    if (code == HELD) break;
    // 2. An error stops the queue at the failing entry.
    if (code != CERROR_NONE) {
      cons = withCmdqconsERR(cons, code);
      raiseGlobalError(error);
      break;
    }
    // 3. Consumed.
    cons = queueNext(cons, wrap, 1);
    done++;
  }
  setReg32(REG_CMDQ_CONS, cons);
  commandsDone += done;
  return done;
}

/**
 * The owner refuses the command that was consumed last, for a reason of its own: CONS goes back to
 * it and the queue stops with the CERROR code.
 */
export function rejectCommand(code: u32): void {
  const wrap = queueWrap(queueLog2(reg64(REG_CMDQ_BASE), cmdqLog2Max));
  const cons = queueNext(reg32(REG_CMDQ_CONS), wrap, ~(<u32>0));
  setReg32(REG_CMDQ_CONS, withCmdqconsERR(cons, code));
  raiseGlobalError(withGerrorCMDQ_ERR(0, 1));
  if (commandsDone) commandsDone--;
}

/** @inline */
function fetchAndExecute(pa: u64, index: u32, hold: bool): u32 {
  if (!loadPair(pa, COMMAND)) return CERROR_ABT;
  const opcode = cmdOpcode(COMMAND);
  if (tracing) trace(TRACE_KIND_COMMAND, 0, 0, 0, 0, 0, opcode, <u64>index, load<u64>(COMMAND));
  return hold && opcode == CMD_SYNC ? HELD : execute(COMMAND, opcode);
}

/** CERROR_ILL for a command of an absent feature; QEMU consumes some of them silently. */
function absent(): u32 {
  return hasQuirk(Q_SILENT_COMMANDS) ? CERROR_NONE : CERROR_ILL;
}

/** Executes the command that another queue fetched into COMMAND; gives a CERROR code. */
export function executeForeign(): u32 {
  beginInvalidations();
  return execute(COMMAND, cmdOpcode(COMMAND));
}

/** Executes one command; gives a CERROR code. */
function execute(c: usize, opcode: u32): u32 {
  if (opcode == CMD_SYNC) return executeSync(c);
  if (opcode >= CMD_TLBI_NH_ALL && opcode <= CMD_TLBI_NSNH_ALL) return executeTlbi(c, opcode);
  if (opcode >= CMD_CFGI_STE && opcode <= CMD_CFGI_CD_ALL) return executeCfgi(c, opcode);
  if (opcode == CMD_CFGI_VMS_PIDM) {
    const legal = mpamPresent && !cmdSSec(c) && !hasQuirk(Q_SILENT_COMMANDS);
    return legal ? CERROR_NONE : CERROR_ILL;
  }
  return executeHint(c, opcode);
}

/** Commands that have no effect here: prefetches, and those of what is never outstanding. */
function executeHint(c: usize, opcode: u32): u32 {
  let present: bool;
  switch (opcode) {
    case CMD_PREFETCH_CONFIG:
    case CMD_PREFETCH_ADDR:
      present = true;
      break;
    case CMD_ATC_INV:
      present = atsPresent;
      break;
    case CMD_PRI_RESP:
      present = priPresent && cmdPRI_RESP_Resp(c) != PRI_RESP_RESERVED;
      break;
    case CMD_RESUME:
    case CMD_STALL_TERM:
      present = stallModel != 1;
      break;
    default:
      return CERROR_ILL;
  }
  return present && !cmdSSec(c) ? CERROR_NONE : absent();
}

/** Configuration invalidations (4.3). */
function executeCfgi(c: usize, opcode: u32): u32 {
  if (cmdSSec(c)) return CERROR_ILL;
  const sid = cmdStreamID(c);
  if (opcode == CMD_CFGI_STE_RANGE) {
    invalidateStreams(sid, cmdCFGI_Range(c) + RANGE_BIAS);
    return CERROR_NONE;
  }
  if (opcode != CMD_CFGI_STE && !stage1Present) return CERROR_ILL;
  invalidateStream(sid);
  return CERROR_NONE;
}

/** TLB invalidations by world (4.4). EL3's are never there. @inline */
function executeTlbi(c: usize, opcode: u32): u32 {
  if (opcode == CMD_TLBI_EL3_ALL || opcode == CMD_TLBI_EL3_VA) return absent();
  if (opcode < CMD_TLBI_EL2_ALL || opcode > CMD_TLBI_EL2_VAA) return executeNs(c, opcode);
  return stage1Present && hypPresent ? executeEl2(c, opcode) : absent();
}

/** Non-secure EL1 and stage 2 invalidations (4.4). @inline */
function executeNs(c: usize, opcode: u32): u32 {
  // 1. Gates: NSNH_ALL is valid everywhere, others need their stage.
  const all = opcode == CMD_TLBI_NSNH_ALL;
  const byIpa = opcode == CMD_TLBI_S2_IPA;
  const second = byIpa || opcode == CMD_TLBI_S12_VMALL;
  if (!all && !second && opcode > CMD_TLBI_NH_VAA) return CERROR_ILL;
  if (!all && !(second ? stage2Present : stage1Present)) return CERROR_ILL;
  // 2. By address.
  if (byIpa || opcode == CMD_TLBI_NH_VA || opcode == CMD_TLBI_NH_VAA) {
    return executeByAddress(c, opcode, CONTEXT_EL1);
  }
  // 3. By tag.
  const vmid = cmdTLBI_VMID(c);
  const byAsid = opcode == CMD_TLBI_NH_ASID;
  if (all || vmidWildcard) invalidateAllVmids();
  else if (ignoredTag(c, byAsid)) return CERROR_NONE;
  else if (byAsid) invalidateAsid(CONTEXT_EL1, vmid, cmdTLBI_ASID(c));
  else if (second) invalidateVmid(vmid);
  else invalidateVmidStage1(vmid);
  return CERROR_NONE;
}

/** NS-EL2 invalidations: CR2.E2H chooses the world of all but EL2_ALL. */
function executeEl2(c: usize, opcode: u32): u32 {
  if (opcode == CMD_TLBI_EL2_ALL) {
    invalidateEl2();
    return CERROR_NONE;
  }
  if (opcode == CMD_TLBI_EL2_ASID) {
    if (!ignoredTag(c, true)) invalidateAsid(el2World(), 0, cmdTLBI_ASID(c));
    return CERROR_NONE;
  }
  return executeByAddress(c, opcode, el2World());
}

/** CMD_SYNC: everything before it is complete here, so only the signal remains (4.7.3). */
function executeSync(c: usize): u32 {
  const cs = cmdSYNC_CS(c);
  if (cs == CS_RESERVED && !hasQuirk(Q_SYNC_CS3)) return CERROR_ILL;
  if (cs & SYNC_CS_IRQ) {
    const address = cmdSYNC_MSIAddress(c);
    if (msiPresent && address != 0) sendMsi(address, cmdSYNC_MSIData(c), MSI_SOURCE_CMD_SYNC);
    signalCommandSync();
  } else if (cs == SYNC_CS_SEV && sevPresent) {
    signalEvent();
  }
  return CERROR_NONE;
}
