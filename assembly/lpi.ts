// LPIs at a redistributor: configuration byte and pending bit in guest memory (IHI0069 5.1).

import { clearGuestFault, guestFault, load8, load64, store8, store64 } from "./guest";
import { EVENT, hasItsQuirk, redist } from "./its-state";
import {
  gicrctlrEnableLPIs,
  ITS_STATUS_CONFIG_FAULT,
  ITS_STATUS_INTID_OOR,
  ITS_STATUS_LPI_DISABLED,
  ITS_STATUS_LPIS_DISABLED,
  ITS_STATUS_OK,
  ITS_STATUS_PENDING_FAULT,
  itseventWasPending,
  redistCtlr,
  redistPendbaser,
  redistPropbaser,
  setItseventConfig,
  setItseventWasPending,
} from "./layout/abi-its";
import {
  gicrpendbaserPhysical_Address,
  gicrpropbaserIDbits,
  gicrpropbaserPhysical_Address,
  lpiconfigEnable,
} from "./layout/its";
import { Q_ITS_MOVI_UNBOUNDED } from "./layout/quirks";

/** The first LPI; lower INTIDs are SGIs, PPIs and SPIs. */
export const LPI_FIRST: u32 = 8192;
/** INTID bits of the whole GIC: 16 in both models. */
export const INTID_BITS: u32 = 16;

const BITS_PER_BYTE: u32 = 8;
const BITS_PER_WORD: u32 = 64;

export function lpisEnabled(rd: u32): bool {
  return gicrctlrEnableLPIs(redistCtlr(redist(rd))) != 0;
}

/** INTIDs below this have a pending bit and, from 8192 on, a configuration byte. */
export function intidLimit(rd: u32): u32 {
  const bits = gicrpropbaserIDbits(redistPropbaser(redist(rd))) + 1;
  return 1 << min(bits, INTID_BITS);
}

function pendingTable(rd: u32): u64 {
  return gicrpendbaserPhysical_Address(redistPendbaser(redist(rd)));
}

/** Sets or clears a pending bit, and records whether it was set. */
export function writePending(rd: u32, intid: u32, pending: bool): u32 {
  const at = pendingTable(rd) + <u64>(intid / BITS_PER_BYTE);
  const bit: u32 = 1 << (intid % BITS_PER_BYTE);
  clearGuestFault();
  const byte = load8(at);
  if (guestFault) return ITS_STATUS_PENDING_FAULT;
  const was = (byte & bit) != 0;
  setItseventWasPending(EVENT, was ? 1 : 0);
  if (was == pending) return ITS_STATUS_OK;
  return store8(at, byte ^ bit) ? ITS_STATUS_OK : ITS_STATUS_PENDING_FAULT;
}

/** Whether the pending bit is set; `guestFault` tells when it cannot be read. */
export function readPending(rd: u32, intid: u32): bool {
  clearGuestFault();
  const byte = load8(pendingTable(rd) + <u64>(intid / BITS_PER_BYTE));
  return ((byte >> (intid % BITS_PER_BYTE)) & 1) != 0;
}

/** Reads the configuration byte into the record of the event; the LPI must be in range. */
export function readConfig(rd: u32, intid: u32): u32 {
  const table = gicrpropbaserPhysical_Address(redistPropbaser(redist(rd)));
  clearGuestFault();
  const config = load8(table + <u64>(intid - LPI_FIRST));
  if (guestFault) return ITS_STATUS_CONFIG_FAULT;
  setItseventConfig(EVENT, config);
  return lpiconfigEnable(config) ? ITS_STATUS_OK : ITS_STATUS_LPI_DISABLED;
}

/** Makes an LPI pending or not pending at a redistributor that accepts it. */
export function changeLpi(rd: u32, intid: u32, pending: bool): u32 {
  if (!lpisEnabled(rd)) return ITS_STATUS_LPIS_DISABLED;
  if (intid < LPI_FIRST || intid >= intidLimit(rd)) return ITS_STATUS_INTID_OOR;
  const status = writePending(rd, intid, pending);
  if (status != ITS_STATUS_OK || !pending) return status;
  return readConfig(rd, intid);
}

/**
 * Moves one LPI's pending state to another redistributor; nothing happens unless both take LPIs.
 */
export function movePending(from: u32, to: u32, intid: u32): u32 {
  if (!lpisEnabled(from) || !lpisEnabled(to)) return ITS_STATUS_OK;
  const limit = min(intidLimit(from), intidLimit(to));
  const beyond = hasItsQuirk(Q_ITS_MOVI_UNBOUNDED) ? intid / BITS_PER_BYTE : intid;
  if (beyond >= limit) return ITS_STATUS_OK;
  const status = writePending(from, intid, false);
  if (status != ITS_STATUS_OK || itseventWasPending(EVENT) == 0) return status;
  const moved = writePending(to, intid, true);
  setItseventWasPending(EVENT, 1);
  return moved;
}

/** Moves every pending LPI, a word of the tables at a time; both redistributors must take LPIs. */
export function moveAllPending(from: u32, to: u32): u32 {
  if (!lpisEnabled(from) || !lpisEnabled(to)) return ITS_STATUS_OK;
  const limit = min(intidLimit(from), intidLimit(to));
  const source = pendingTable(from);
  const target = pendingTable(to);
  clearGuestFault();
  for (let intid = LPI_FIRST; intid < limit; intid += BITS_PER_WORD) {
    const offset = <u64>(intid / BITS_PER_BYTE);
    const bits = load64(source + offset);
    if (guestFault) return ITS_STATUS_PENDING_FAULT;
    if (bits == 0) continue;
    const there = load64(target + offset);
    if (guestFault) return ITS_STATUS_PENDING_FAULT;
    // Both words are there.
    store64(source + offset, 0);
    store64(target + offset, there | bits);
  }
  return ITS_STATUS_OK;
}
