// Where an ITS instance keeps its state, and the record of the delivery or command under way.

import { guestReads } from "./guest";
import {
  ITS_BLOCK_command,
  ITS_BLOCK_entry,
  ITS_BLOCK_outcomes,
  ITS_BLOCK_redists,
  ITS_BLOCK_result,
  ITS_BLOCK_state,
  ITS_EVENT_BYTES,
  ITS_FLAG_KVM,
  ITS_LIMIT_OUTCOMES,
  itsFlags,
  itsOutcomes,
  itsQuirks,
  itsRedists,
  REDIST_BYTES,
  setItseventCached,
  setItseventDeviceId,
  setItseventEventId,
  setItseventFetches,
  setItseventIndex,
  setItseventOpcode,
  setItseventStatus,
  setItseventWasPending,
  setItsOutcomes,
} from "./layout/abi-its";

/** A member of an ITS_EVENT that does not apply. */
export const NONE: u32 = u32.MAX_VALUE;

/** The ITS record of this instance. */
export let ITS: usize = 0;
/** Private copies of the command and of the table entry being decoded. */
export let COMMAND: usize = 0;
export let ENTRY: usize = 0;
/** The ITS_EVENT that is being filled: the last delivery, or a slot of the ring of outcomes. */
export let EVENT: usize = 0;

let readsBefore: u32 = 0;

/** Places every part of the state inside the block at `at`. */
export function placeIts(at: usize): void {
  ITS = at + ITS_BLOCK_state;
  COMMAND = at + ITS_BLOCK_command;
  ENTRY = at + ITS_BLOCK_entry;
  EVENT = ITS + ITS_BLOCK_result;
}

/** True for the in-kernel ITS of KVM. */
export function isKvm(): bool {
  return hasFlag(ITS_FLAG_KVM);
}

export function hasFlag(flag: u32): bool {
  return (itsFlags(ITS) & flag) != 0;
}

export function hasItsQuirk(q: u32): bool {
  return ((itsQuirks(ITS) >> <u64>q) & 1) != 0;
}

/** REDIST record of a redistributor; the number must be below `redistCount`. */
export function redist(index: u32): usize {
  return ITS + ITS_BLOCK_redists + <usize>index * REDIST_BYTES;
}

export function redistCount(): u32 {
  return itsRedists(ITS);
}

/** Starts the ITS_EVENT at `at`. */
function openRecord(at: usize): void {
  EVENT = at;
  for (let end = at + ITS_EVENT_BYTES; at < end; at += sizeof<u64>()) store<u64>(at, ~(<u64>0));
  setItseventOpcode(EVENT, 0);
  setItseventWasPending(EVENT, 0);
  setItseventCached(EVENT, 0);
  readsBefore = guestReads;
}

/** Starts the record of a message. */
export function openDelivery(deviceId: u32, eventId: u32): void {
  openRecord(ITS + ITS_BLOCK_result);
  setItseventDeviceId(EVENT, deviceId);
  setItseventEventId(EVENT, eventId);
}

/** Starts the record of the command in queue entry `index`. */
export function openOutcome(index: u32): void {
  const slot = itsOutcomes(ITS) % ITS_LIMIT_OUTCOMES;
  openRecord(ITS + ITS_BLOCK_outcomes + <usize>slot * ITS_EVENT_BYTES);
  setItseventIndex(EVENT, index);
}

/** Ends the record of a message with its status, which it returns. */
export function closeDelivery(status: u32): u32 {
  setItseventStatus(EVENT, status);
  setItseventFetches(EVENT, guestReads - readsBefore);
  return status;
}

/** Ends the record of a command and counts it. */
export function closeOutcome(status: u32): void {
  closeDelivery(status);
  setItsOutcomes(ITS, itsOutcomes(ITS) + 1);
}
