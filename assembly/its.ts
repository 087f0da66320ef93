// GICv3 ITS: an instance, its two frames and redistributors, its messages (IHI0069 5, 12.19).

import { resolveEvent } from "./its-command";
import { kvmDeliver, kvmDeliverCached, syncPendingTable } from "./its-kvm";
import { kvmTyper, resetKvmRegisters, setKvmRegister, writeKvmRegister } from "./its-kvm-register";
import { restoreTables, saveTables } from "./its-kvm-save";
import { flushTranslationCache, resetStore, storeBytes } from "./its-kvm-store";
import {
  baserIndex,
  isBaser,
  memoryTyper,
  readControlFrame,
  resetMemoryRegisters,
  writeMemoryRegister,
} from "./its-register";
import {
  closeDelivery,
  ENTRY,
  EVENT,
  ITS,
  isKvm,
  NONE,
  openDelivery,
  placeIts,
  redist,
} from "./its-state";
import { collectionTarget } from "./its-table";
import {
  gicrctlrEnableLPIs,
  ITS_BLOCK_BYTES,
  ITS_FLAG_KVM,
  ITS_LIMIT_REDISTS,
  ITS_MESSAGE_BYTES,
  ITS_STATUS_DISABLED,
  ITS_STATUS_OK,
  itsCtlr,
  itseventIntid,
  itsmessageDeviceId,
  itsmessageEventId,
  itsRedists,
  redistCtlr,
  setItsBaser,
  setItsCbaser,
  setItsCreadr,
  setItsCtlr,
  setItsCwriter,
  setItsFlags,
  setItsmessageIntid,
  setItsmessageStatus,
  setItsQuirks,
  setItsRedists,
  setItsStore,
  setItsTyper,
  setRedistCtlr,
  setRedistPendbaser,
  setRedistPropbaser,
  setRedistTyper,
} from "./layout/abi-its";
import {
  gicrpendbaserPTZ,
  gitsctlrEnabled,
  qemuiteIntid,
  REG_GITS_CBASER,
  REG_GITS_CREADR,
  REG_GITS_CTLR,
  REG_GITS_CWRITER,
  REG_GITS_TRANSLATER,
} from "./layout/its";
import { changeLpi } from "./lpi";

/** Each of the two frames: control, then translation. */
const FRAME_BYTES: u32 = 0x10000;
const FRAMES: u32 = 2;
const HALF_WORD_BYTES: u32 = 2;
const WORD_BYTES: u32 = 4;

/** Bytes that an instance needs for its block. */
export function itsBlockBytes(): u32 {
  return <u32>ITS_BLOCK_BYTES;
}

/** Bytes that the KVM model needs beside it, with room for `events` mapped events. */
export function itsStoreBytes(events: u32): u32 {
  return storeBytes(events);
}

/**
 * Makes this instance an ITS after reset. `block` has `itsBlockBytes()` bytes; `flags` are
 * ITS_FLAG;
 * `store` has `itsStoreBytes(events)` bytes in the KVM model and is not used in the other.
 */
export function itsInit(block: usize, flags: u32, quirks: u64, store: u32, events: u32): void {
  memory.fill(block, 0, ITS_BLOCK_BYTES);
  placeIts(block);
  setItsFlags(ITS, flags);
  setItsQuirks(ITS, quirks);
  if (flags & ITS_FLAG_KVM) {
    setItsStore(ITS, store);
    resetStore(events);
    setItsTyper(ITS, kvmTyper());
    resetKvmRegisters();
  } else {
    setItsTyper(ITS, memoryTyper());
    resetMemoryRegisters();
  }
}

/** Programs a redistributor. Switching LPIs on in the KVM model reads its pending table. */
export function itsRedistributor(
  index: u32,
  typer: u64,
  propbaser: u64,
  pendbaser: u64,
  ctlr: u32,
): void {
  if (index >= ITS_LIMIT_REDISTS) return;
  const at = redist(index);
  const were = gicrctlrEnableLPIs(redistCtlr(at)) != 0;
  const are = gicrctlrEnableLPIs(ctlr) != 0;
  setRedistTyper(at, typer);
  setRedistPropbaser(at, propbaser);
  setRedistPendbaser(at, pendbaser);
  setRedistCtlr(at, ctlr);
  setItsRedists(ITS, max(itsRedists(ITS), index + 1));
  if (!isKvm()) return;
  if (!were && are && !gicrpendbaserPTZ(pendbaser)) syncPendingTable(index);
  if (were && !are) flushTranslationCache();
}

/** A read of either frame. The translation frame reads as 0. */
export function itsMmioRead(offset: u32, size: u32): u64 {
  if (size == 0 || offset >= FRAME_BYTES) return 0;
  return readControlFrame(offset, size);
}

/**
 * A write to either frame. A processor's write to GITS_TRANSLATER has DeviceID 0; KVM does not
 * emulate that register.
 */
export function itsMmioWrite(offset: u32, size: u32, value: u64): void {
  if (size == 0 || offset >= FRAME_BYTES * FRAMES || offset % size != 0) return;
  if (offset >= FRAME_BYTES) {
    if (offset != REG_GITS_TRANSLATER || isKvm()) return;
    if (size == WORD_BYTES) itsDeliver(0, <u32>value);
    if (size == HALF_WORD_BYTES) itsDeliver(0, <u32>(<u16>value));
    return;
  }
  if (size != WORD_BYTES && size != 2 * WORD_BYTES) return;
  if (isKvm()) writeKvmRegister(offset, size, value);
  else writeMemoryRegister(offset, size, value);
}

/**
 * Sets a register as a restore does. In the memory-table model the value is taken as it is and no
 * command runs; in the KVM model it is userspace's write. 0, or a negative error number.
 */
export function itsLoadRegister(offset: u32, value: u64): i32 {
  if (isKvm()) return setKvmRegister(offset, value);
  if (offset == REG_GITS_CTLR) setItsCtlr(ITS, <u32>value);
  else if (offset == REG_GITS_CBASER) setItsCbaser(ITS, value);
  else if (offset == REG_GITS_CWRITER) setItsCwriter(ITS, value);
  else if (offset == REG_GITS_CREADR) setItsCreadr(ITS, value);
  else if (isBaser(offset)) setItsBaser(ITS, baserIndex(offset), value);
  return 0;
}

function deliver(deviceId: u32, eventId: u32): u32 {
  if (!gitsctlrEnabled(itsCtlr(ITS))) return ITS_STATUS_DISABLED;
  const found = resolveEvent(deviceId, eventId);
  if (found != ITS_STATUS_OK) return found;
  return changeLpi(collectionTarget, qemuiteIntid(ENTRY), true);
}

/** A message of a device. The status of ITS_STATUS; the block's result record has the rest. */
export function itsDeliver(deviceId: u32, eventId: u32): u32 {
  openDelivery(deviceId, eventId);
  return closeDelivery(isKvm() ? kvmDeliver(deviceId, eventId) : deliver(deviceId, eventId));
}

/** The same from KVM's translation cache alone; all ones when it misses. */
export function itsDeliverCached(deviceId: u32, eventId: u32): u32 {
  if (!isKvm()) return NONE;
  openDelivery(deviceId, eventId);
  const status = kvmDeliverCached(deviceId, eventId);
  return status == NONE ? NONE : closeDelivery(status);
}

/**
 * Delivers `count` ITS_MESSAGE records in order, from KVM's translation cache where that answers,
 * and leaves each one's status and LPI in it.
 */
export function itsDeliverBatch(messages: usize, count: u32): void {
  const end = messages + <usize>count * ITS_MESSAGE_BYTES;
  for (let m = messages; m < end; m += ITS_MESSAGE_BYTES) {
    const deviceId = itsmessageDeviceId(m);
    const eventId = itsmessageEventId(m);
    let status = itsDeliverCached(deviceId, eventId);
    if (status == NONE) status = itsDeliver(deviceId, eventId);
    setItsmessageStatus(m, status);
    setItsmessageIntid(m, itseventIntid(EVENT));
  }
}

/** KVM model: writes the private tables to guest memory. 0, or a negative error number. */
export function itsSaveTables(): i32 {
  return isKvm() ? saveTables() : 0;
}

/** KVM model: reads the private tables from guest memory. 0, or a negative error number. */
export function itsRestoreTables(): i32 {
  return isKvm() ? restoreTables() : 0;
}
