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
import { clearGuestFault, guestFault, load64 } from "./guest";
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
  CMD_CFGI_CD,
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
  CMD_TLBI_EL2_VA,
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
import { queueAddress, queueEmpty, queueIndex, queueLog2, queueNext, queuePrevious } from "./queue";
import { reg32, reg64, setReg32 } from "./regfile";
import { COMMAND } from "./state";
import { el2World, executeTlbi, ignoredTag, vmidWildcard } from "./tlbi";
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
 * Consumes at most `limit` commands and gives their number (4.1.2). `hold` stops before a CMD_SYNC:
 * others have to acknowledge what came before it.
 */
export function stepCommands(limit: u32, hold: bool): u32 {
  const base = reg64(REG_CMDQ_BASE);
  const log2 = queueLog2(base, cmdqLog2Max);
  const entries = queueAddress(base, log2, <u32>CMD_BYTES);
  const error = withGerrorCMDQ_ERR(0, 1);
  let done: u32 = 0;
  while (done < limit && cr0CMDQEN(reg32(REG_CR0)) && !globalErrorActive(error)) {
    const cons = reg32(REG_CMDQ_CONS);
    if (queueEmpty(reg32(REG_CMDQ_PROD), cons, log2)) break;
    // 1. Fetch.
    const index = queueIndex(cons, log2);
    const code = fetchAndExecute(entries + <u64>index * <u64>CMD_BYTES, index, hold);
    if (code == HELD) break;
    // 2. An error stops the queue at the failing entry.
    if (code != CERROR_NONE) {
      setReg32(REG_CMDQ_CONS, withCmdqconsERR(cons, code));
      raiseGlobalError(error);
      break;
    }
    // 3. Consumed.
    setReg32(REG_CMDQ_CONS, queueNext(cons, log2));
    done++;
  }
  commandsDone += done;
  return done;
}

/**
 * The owner refuses the command that was consumed last, for a reason of its own: CONS goes back to
 * it and the queue stops with the CERROR code.
 */
export function rejectCommand(code: u32): void {
  const log2 = queueLog2(reg64(REG_CMDQ_BASE), cmdqLog2Max);
  const cons = queuePrevious(reg32(REG_CMDQ_CONS), log2);
  setReg32(REG_CMDQ_CONS, withCmdqconsERR(cons, code));
  raiseGlobalError(withGerrorCMDQ_ERR(0, 1));
  if (commandsDone) commandsDone--;
}

function fetchAndExecute(pa: u64, index: u32, hold: bool): u32 {
  clearGuestFault();
  store<u64>(COMMAND, load64(pa));
  store<u64>(COMMAND, load64(pa + 8), 8);
  if (guestFault) return CERROR_ABT;
  const opcode = cmdOpcode(COMMAND);
  if (tracing) trace(TRACE_KIND_COMMAND, 0, 0, 0, 0, 0, opcode, <u64>index, load<u64>(COMMAND));
  return hold && opcode == CMD_SYNC ? HELD : execute(COMMAND, opcode);
}

/** CERROR_ILL for a command of an absent feature; QEMU consumes some of them silently. */
function absent(silent: bool): u32 {
  return silent && hasQuirk(Q_SILENT_COMMANDS) ? CERROR_NONE : CERROR_ILL;
}

/** Executes one command; gives a CERROR code. */
export function execute(c: usize, opcode: u32): u32 {
  switch (opcode) {
    case CMD_PREFETCH_CONFIG:
    case CMD_PREFETCH_ADDR:
      return cmdSSec(c) && !hasQuirk(Q_SILENT_COMMANDS) ? CERROR_ILL : CERROR_NONE;
    case CMD_CFGI_STE:
    case CMD_CFGI_STE_RANGE:
    case CMD_CFGI_CD:
    case CMD_CFGI_CD_ALL:
      return executeCfgi(c, opcode);
    case CMD_CFGI_VMS_PIDM:
      if (!mpamPresent || hasQuirk(Q_SILENT_COMMANDS)) return CERROR_ILL;
      return cmdSSec(c) ? CERROR_ILL : CERROR_NONE;
    case CMD_ATC_INV:
      return atsPresent && !cmdSSec(c) ? CERROR_NONE : absent(true);
    case CMD_PRI_RESP:
      if (!priPresent || cmdSSec(c)) return absent(true);
      return cmdPRI_RESP_Resp(c) == PRI_RESP_RESERVED ? absent(true) : CERROR_NONE;
    case CMD_RESUME:
    case CMD_STALL_TERM:
      return stallModel != 1 && !cmdSSec(c) ? CERROR_NONE : absent(true);
    case CMD_SYNC:
      return executeSync(c);
    case CMD_TLBI_EL3_ALL:
    case CMD_TLBI_EL3_VA:
      return absent(true);
    case CMD_TLBI_EL2_ALL:
    case CMD_TLBI_EL2_ASID:
    case CMD_TLBI_EL2_VA:
    case CMD_TLBI_EL2_VAA:
      if (!stage1Present || !hypPresent) return absent(true);
      return executeEl2(c, opcode);
    default:
      return executeNs(c, opcode);
  }
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

/** Non-secure EL1 and stage 2 invalidations (4.4). */
function executeNs(c: usize, opcode: u32): u32 {
  const vmid = cmdTLBI_VMID(c);
  switch (opcode) {
    case CMD_TLBI_NSNH_ALL:
      invalidateAllVmids();
      return CERROR_NONE;
    case CMD_TLBI_NH_ALL:
      if (!stage1Present) return CERROR_ILL;
      if (vmidWildcard()) invalidateAllVmids();
      else if (!ignoredTag(c, false)) invalidateVmidStage1(vmid);
      return CERROR_NONE;
    case CMD_TLBI_NH_ASID:
      if (!stage1Present) return CERROR_ILL;
      if (vmidWildcard()) invalidateAllVmids();
      else if (!ignoredTag(c, true)) invalidateAsid(CONTEXT_EL1, vmid, cmdTLBI_ASID(c));
      return CERROR_NONE;
    case CMD_TLBI_S12_VMALL:
      if (!stage2Present) return CERROR_ILL;
      if (vmidWildcard()) invalidateAllVmids();
      else if (!ignoredTag(c, false)) invalidateVmid(vmid);
      return CERROR_NONE;
    case CMD_TLBI_NH_VA:
    case CMD_TLBI_NH_VAA:
      return stage1Present ? executeTlbi(c, opcode, CONTEXT_EL1) : CERROR_ILL;
    case CMD_TLBI_S2_IPA:
      return stage2Present ? executeTlbi(c, opcode, CONTEXT_EL1) : CERROR_ILL;
    default:
      return CERROR_ILL;
  }
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
  return executeTlbi(c, opcode, el2World());
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
