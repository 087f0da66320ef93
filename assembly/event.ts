// Event records: building one, and writing it to the event queue (IHI0070 7.3, 7.4).

import { eventqLog2Max, hasQuirk, oasBits } from "./features";
import { ones } from "./geometry";
import { clearGuestFault, store64 } from "./guest";
import { globalErrorActive, raiseGlobalError, signalEventQueue } from "./interrupt";
import {
  C_BAD_STE,
  C_BAD_STREAMID,
  EVENT_BYTES,
  eventEventID,
  F_STE_FETCH,
  F_UUT,
  F_WALK_EABT,
  setEventCLASS,
  setEventEventID,
  setEventFetchAddr,
  setEventInD,
  setEventInputAddr,
  setEventIPA,
  setEventPnU,
  setEventRnW,
  setEventS2,
  setEventSSV,
  setEventStreamID,
  setEventSubstreamID,
} from "./layout/event";
import {
  Q_CD_FETCH_ADDR,
  Q_EVENTQ_FULL_ABT,
  Q_EVENTQ_IRQ_EVERY,
  Q_IPA_FULL,
} from "./layout/quirks";
import {
  cr0EVENTQEN,
  eventqconsOVACKFLG,
  eventqprodOVFLG,
  REG_CR0,
  REG_EVENTQ_BASE,
  REG_EVENTQ_CONS,
  REG_EVENTQ_PROD,
  withEventqprodOVFLG,
  withGerrorEVENTQ_ABT_ERR,
} from "./layout/register";
import {
  queueAddress,
  queueEmpty,
  queueFull,
  queueIndex,
  queueLog2,
  queueNext,
  queueWrap,
} from "./queue";
import { reg32, reg64, setReg32 } from "./regfile";
import { EVENT, LAST_EVENT } from "./state";

/** Address bits that merging ignores. */
const MERGE_ADDRESS_BITS: u32 = 12;
const INPUT_ADDRESS_WORD: usize = 16;

/** Whether records that differ only in the page offset may be merged into one. */
let merging: bool = false;
/** Whether LAST_EVENT holds the newest record of the queue. */
let lastValid: bool = false;
/** Entry number of the last record written. */
export let eventIndex: u32 = 0;

export function setEventMerging(on: bool): void {
  merging = on;
}

/** Forgets the last record: the queue was moved or reset. */
export function forgetLastEvent(): void {
  lastValid = false;
}

/** Starts a record of event `type` for a transaction. */
export function beginEvent(type: u32, sid: u32, ssv: bool, ssid: u32): void {
  memory.fill(EVENT, 0, EVENT_BYTES);
  setEventEventID(EVENT, type);
  setEventStreamID(EVENT, sid);
  if (ssv) {
    setEventSSV(EVENT, 1);
    setEventSubstreamID(EVENT, ssid);
  }
}

/** Adds FetchAddr: F_STE_FETCH, F_CD_FETCH and F_WALK_EABT. Bits above OAS are RES0. */
export function setFetchAddress(pa: u64): void {
  if (hasQuirk(Q_IPA_FULL)) store<u64>(EVENT, pa, EVENT_BYTES - 8);
  else setEventFetchAddr(EVENT, pa & ones(oasBits));
}

/** F_CD_FETCH as QEMU writes it: the address stands where InputAddr is. */
export function setCdFetchAddress(pa: u64): void {
  if (hasQuirk(Q_CD_FETCH_ADDR)) setEventInputAddr(EVENT, pa);
  else setFetchAddress(pa);
}

/** Adds the fields of a translation-related fault. `ipa` is 0 for stage 1. */
export function setFaultFields(
  iova: u64,
  pnu: bool,
  ind: bool,
  rnw: bool,
  s2: bool,
  faultClass: u32,
  ipa: u64,
): void {
  setEventInputAddr(EVENT, iova);
  setEventPnU(EVENT, u32(pnu));
  setEventInD(EVENT, u32(ind));
  setEventRnW(EVENT, u32(rnw));
  setEventS2(EVENT, u32(s2));
  setEventCLASS(EVENT, faultClass);
  if (hasQuirk(Q_IPA_FULL)) store<u64>(EVENT, ipa, EVENT_BYTES - 8);
  else setEventIPA(EVENT, ipa & ones(oasBits));
}

/** Same record but for the page offset of InputAddr (7.3.1). */
function matchesLast(): bool {
  for (let offset: usize = 0; offset < EVENT_BYTES; offset += 8) {
    let difference = load<u64>(EVENT + offset) ^ load<u64>(LAST_EVENT + offset);
    if (offset == INPUT_ADDRESS_WORD && eventEventID(EVENT) >= F_WALK_EABT) {
      difference &= ~ones(MERGE_ADDRESS_BITS);
    }
    if (difference) return false;
  }
  return true;
}

/** Events that may merge whatever STE.MEV says. */
function mergesAlways(type: u32): bool {
  return type == F_UUT || type == C_BAD_STREAMID || type == F_STE_FETCH || type == C_BAD_STE;
}

/** A non-stall record that finds the queue full: overflow, or QEMU's abort error. */
function dropRecord(prod: u32, cons: u32): void {
  if (hasQuirk(Q_EVENTQ_FULL_ABT)) {
    raiseGlobalError(withGerrorEVENTQ_ABT_ERR(0, 1));
    return;
  }
  const flag = eventqprodOVFLG(prod);
  if (flag == eventqconsOVACKFLG(cons)) {
    setReg32(REG_EVENTQ_PROD, withEventqprodOVFLG(prod, flag ^ 1));
  }
}

/** Writes the 32 bytes of EVENT to `pa`; false on an external abort. */
function writeRecord(pa: u64): bool {
  clearGuestFault();
  for (let offset: usize = 0; offset < EVENT_BYTES; offset += 8) {
    if (!store64(pa + <u64>offset, load<u64>(EVENT + offset))) {
      clearGuestFault();
      return false;
    }
  }
  return true;
}

/**
 * Writes EVENT to the queue (7.4). `merge` is STE.MEV. False when the record was not written or
 * merged: queue disabled, in error, or full.
 */
export function recordEvent(merge: bool): bool {
  // 1. Writable only while enabled and without an unacknowledged abort.
  if (!cr0EVENTQEN(reg32(REG_CR0))) return false;
  const aborted = withGerrorEVENTQ_ABT_ERR(0, 1);
  if (!hasQuirk(Q_EVENTQ_FULL_ABT) && globalErrorActive(aborted)) return false;
  const base = reg64(REG_EVENTQ_BASE);
  const log2 = queueLog2(base, eventqLog2Max);
  const prod = reg32(REG_EVENTQ_PROD);
  const cons = reg32(REG_EVENTQ_CONS);
  const wrap = queueWrap(log2);
  const empty = queueEmpty(prod, cons, wrap);
  // 2. A record like the newest unread one may be merged with it.
  if (merging && lastValid && !empty && (merge || mergesAlways(eventEventID(EVENT)))) {
    if (matchesLast()) return true;
  }
  // 3. A full queue loses the record.
  if (queueFull(prod, cons, wrap)) {
    dropRecord(prod, cons);
    return false;
  }
  // 4. The record becomes visible before PROD moves.
  const index = queueIndex(prod, wrap);
  const pa = queueAddress(base, log2, <u32>EVENT_BYTES) + <u64>index * <u64>EVENT_BYTES;
  if (!writeRecord(pa)) {
    raiseGlobalError(aborted);
    return false;
  }
  setReg32(REG_EVENTQ_PROD, queueNext(prod, wrap, 1));
  memory.copy(LAST_EVENT, EVENT, EVENT_BYTES);
  lastValid = true;
  eventIndex = index;
  // 5. An edge when the queue was empty.
  if (empty || hasQuirk(Q_EVENTQ_IRQ_EVERY)) signalEventQueue();
  return true;
}
