// The command queue, and every command of the ITS whose tables live in guest memory (IHI0069 5.3).

import { clearGuestFault, guestFault, load64 } from "./guest";
import { kvmCommand } from "./its-kvm-command";
import {
  COMMAND,
  closeOutcome,
  ENTRY,
  EVENT,
  hasItsQuirk,
  ITS,
  isKvm,
  openOutcome,
  redistCount,
} from "./its-state";
import {
  clearEntry,
  collectionInRange,
  collectionTarget,
  deviceEvents,
  deviceInRange,
  readCollection,
  readDevice,
  readEvent,
  writeCollection,
  writeDevice,
  writeEvent,
} from "./its-table";
import {
  ITS_STATUS_COLLECTION_FAULT,
  ITS_STATUS_COLLECTION_OOR,
  ITS_STATUS_COMMAND_FAULT,
  ITS_STATUS_COMMAND_UNKNOWN,
  ITS_STATUS_DEVICE_FAULT,
  ITS_STATUS_DEVICE_OOR,
  ITS_STATUS_DEVICE_UNMAPPED,
  ITS_STATUS_EVENT_OOR,
  ITS_STATUS_EVENT_VIRTUAL,
  ITS_STATUS_INTID_OOR,
  ITS_STATUS_ITT_FAULT,
  ITS_STATUS_ITTSIZE_OOR,
  ITS_STATUS_OK,
  ITS_STATUS_RDBASE_OOR,
  itsCbaser,
  itsCreadr,
  itsCtlr,
  itsCwriter,
  itsTyper,
  setItsCreadr,
  setItseventDeviceId,
  setItseventEventId,
  setItseventIcid,
  setItseventIntid,
  setItseventOpcode,
  setItseventRdbase,
} from "./layout/abi-its";
import {
  gitscbaserPhysical_Address,
  gitscbaserSize,
  gitscbaserValid,
  gitscreadrOffset,
  gitscreadrStalled,
  gitsctlrEnabled,
  gitscwriterOffset,
  gitstyperID_bits,
  INTTYPE_PHYSICAL,
  ITS_CLEAR,
  ITS_CMD_BYTES,
  ITS_DISCARD,
  ITS_INT,
  ITS_INV,
  ITS_INVALL,
  ITS_MAPC,
  ITS_MAPD,
  ITS_MAPI,
  ITS_MAPTI,
  ITS_MOVALL,
  ITS_MOVI,
  ITS_SYNC,
  itscmdDeviceID,
  itscmdEventID,
  itscmdICID,
  itscmdMAPD_ITT_addr,
  itscmdMAPD_Size,
  itscmdMOVALL_RDbase2,
  itscmdOpcode,
  itscmdPINTID,
  itscmdRDbase,
  itscmdV,
  qemuiteDoorbell,
  qemuiteIcid,
  qemuiteIntid,
  qemuiteInttype,
  qemuiteVpeid,
  setQemuiteDoorbell,
  setQemuiteIcid,
  setQemuiteIntid,
  setQemuiteInttype,
  setQemuiteValid,
  setQemuiteVpeid,
  withGitscreadrOffset,
  withGitscreadrStalled,
  withQemucteRdbase,
  withQemucteValid,
  withQemudteItt_addr,
  withQemudteSize,
  withQemudteValid,
} from "./layout/its";
import {
  Q_ITS_CBASER_4K,
  Q_ITS_CTE_FAULT_PASSES,
  Q_ITS_INVALL_ANY,
  Q_ITS_MAPD_SIZE_ANY,
  Q_ITS_RDBASE_16,
} from "./layout/quirks";
import { changeLpi, INTID_BITS, LPI_FIRST, moveAllPending, movePending, readConfig } from "./lpi";

const QUEUE_PAGE_BYTES: u64 = 4096;
const QUEUE_ALIGNMENT: u64 = 1 << 16;
/** INTID of an ITE's doorbell field when there is none. */
const NO_DOORBELL: u32 = 1023;

/** Bytes that GITS_CBASER.Size asks for. */
export function queueSpan(): u64 {
  return <u64>(gitscbaserSize(itsCbaser(ITS)) + 1) * QUEUE_PAGE_BYTES;
}

/** Bytes of the command queue; 0 while GITS_CBASER is not valid. */
function queueBytes(): u64 {
  return gitscbaserValid(itsCbaser(ITS)) ? queueSpan() : 0;
}

/** Copies one command out of the queue. False when it cannot be read. */
function fetchCommand(offset: u64): bool {
  const base = gitscbaserPhysical_Address(itsCbaser(ITS));
  const aligned = hasItsQuirk(Q_ITS_CBASER_4K) ? base : base & ~(QUEUE_ALIGNMENT - 1);
  const at = aligned + offset;
  clearGuestFault();
  for (let word: usize = 0; word < ITS_CMD_BYTES; word += sizeof<u64>()) {
    store<u64>(COMMAND + word, load64(at + <u64>word));
  }
  return !guestFault;
}

/** True when the queue stops at a command with this outcome. KVM's never stops. */
function stalls(opcode: u32, status: u32): bool {
  if (isKvm()) return false;
  if (status == ITS_STATUS_COLLECTION_FAULT && hasItsQuirk(Q_ITS_CTE_FAULT_PASSES)) {
    return opcode != ITS_INT && opcode != ITS_CLEAR && opcode != ITS_DISCARD;
  }
  return (
    status == ITS_STATUS_COMMAND_FAULT ||
    status == ITS_STATUS_DEVICE_FAULT ||
    status == ITS_STATUS_ITT_FAULT ||
    status == ITS_STATUS_COLLECTION_FAULT
  );
}

/** Executes the command at a byte offset of the queue. False when it stalls. */
function executeAt(offset: u64): bool {
  openOutcome(<u32>(offset / ITS_CMD_BYTES));
  if (!fetchCommand(offset)) {
    closeOutcome(ITS_STATUS_COMMAND_FAULT);
    return !stalls(0, ITS_STATUS_COMMAND_FAULT);
  }
  const opcode = itscmdOpcode(COMMAND);
  setItseventOpcode(EVENT, opcode);
  const status = isKvm() ? kvmCommand(opcode) : execute(opcode);
  closeOutcome(status);
  return !stalls(opcode, status);
}

/**
 * Executes commands until the queue is empty or stalls. Both offsets lie within the queue, so no
 * more commands run than it holds.
 */
export function processCommands(): void {
  if (!gitsctlrEnabled(itsCtlr(ITS))) return;
  const bytes = queueBytes();
  const end = gitscwriterOffset(itsCwriter(ITS));
  let at = gitscreadrOffset(itsCreadr(ITS));
  if (end >= bytes || at >= bytes) return;
  while (at != end) {
    if (!executeAt(at)) {
      setItsCreadr(ITS, withGitscreadrStalled(itsCreadr(ITS), 1));
      return;
    }
    at = (at + ITS_CMD_BYTES) % bytes;
    setItsCreadr(ITS, withGitscreadrOffset(itsCreadr(ITS), at));
  }
}

/** True when the queue waits for software to restart it. */
export function isStalled(): bool {
  return gitscreadrStalled(itsCreadr(ITS)) != 0;
}

function execute(opcode: u32): u32 {
  if (opcode == ITS_SYNC) return ITS_STATUS_OK;
  if (opcode == ITS_MAPD) return mapDevice();
  if (opcode == ITS_MAPC) return mapCollection();
  if (opcode == ITS_MAPTI || opcode == ITS_MAPI) return mapEvent(opcode);
  if (opcode == ITS_MOVI) return moveEvent();
  if (opcode == ITS_MOVALL) return moveAll();
  if (opcode == ITS_INVALL) return invalidateAll();
  if (opcode == ITS_INT) return changeEvent(true, false);
  if (opcode == ITS_CLEAR) return changeEvent(false, false);
  if (opcode == ITS_DISCARD) return changeEvent(false, true);
  if (opcode == ITS_INV) return invalidate();
  return ITS_STATUS_COMMAND_UNKNOWN;
}

function mapDevice(): u32 {
  const deviceId = itscmdDeviceID(COMMAND);
  const size = itscmdMAPD_Size(COMMAND);
  const valid = itscmdV(COMMAND);
  setItseventDeviceId(EVENT, deviceId);
  if (!deviceInRange(deviceId)) return ITS_STATUS_DEVICE_OOR;
  const sizeMatters = valid != 0 || hasItsQuirk(Q_ITS_MAPD_SIZE_ANY);
  if (sizeMatters && size > gitstyperID_bits(itsTyper(ITS))) return ITS_STATUS_ITTSIZE_OOR;
  if (!valid) return writeDevice(deviceId, 0);
  const entry = withQemudteSize(withQemudteValid(0, 1), size);
  return writeDevice(deviceId, withQemudteItt_addr(entry, itscmdMAPD_ITT_addr(COMMAND)));
}

function mapCollection(): u32 {
  const icid = itscmdICID(COMMAND);
  const valid = itscmdV(COMMAND);
  const rdbase = itscmdRDbase(COMMAND);
  const target = hasItsQuirk(Q_ITS_RDBASE_16) ? <u64>(<u16>rdbase) : rdbase;
  setItseventIcid(EVENT, icid);
  if (!collectionInRange(icid)) return ITS_STATUS_COLLECTION_OOR;
  if (!valid) return writeCollection(icid, 0);
  setItseventRdbase(EVENT, <u32>target);
  if (target >= <u64>redistCount()) return ITS_STATUS_RDBASE_OOR;
  return writeCollection(icid, withQemucteRdbase(withQemucteValid(0, 1), <u32>target));
}

function mapEvent(opcode: u32): u32 {
  const deviceId = itscmdDeviceID(COMMAND);
  const eventId = itscmdEventID(COMMAND);
  const intid = opcode == ITS_MAPI ? eventId : itscmdPINTID(COMMAND);
  const icid = itscmdICID(COMMAND);
  setItseventDeviceId(EVENT, deviceId);
  setItseventEventId(EVENT, eventId);
  setItseventIntid(EVENT, intid);
  setItseventIcid(EVENT, icid);
  const device = readDevice(deviceId);
  if (device != ITS_STATUS_OK && device < ITS_STATUS_DEVICE_UNMAPPED) return device;
  if (!collectionInRange(icid)) return ITS_STATUS_COLLECTION_OOR;
  if (device != ITS_STATUS_OK) return device;
  if (<u64>eventId >= deviceEvents) return ITS_STATUS_EVENT_OOR;
  if (intid < LPI_FIRST || intid >= (<u32>1) << INTID_BITS) return ITS_STATUS_INTID_OOR;
  setEntry(intid, icid, 0, NO_DOORBELL);
  return writeEvent(eventId);
}

/** Makes ENTRY a physical LPI's; bits that no field holds become 0. */
function setEntry(intid: u32, icid: u32, vpeid: u32, doorbell: u32): void {
  clearEntry();
  setQemuiteValid(ENTRY, 1);
  setQemuiteInttype(ENTRY, INTTYPE_PHYSICAL);
  setQemuiteIntid(ENTRY, intid);
  setQemuiteIcid(ENTRY, icid);
  setQemuiteVpeid(ENTRY, vpeid);
  setQemuiteDoorbell(ENTRY, doorbell);
}

/** Finds the LPI, collection and redistributor of (DeviceID, EventID) and records them. */
export function resolveEvent(deviceId: u32, eventId: u32): u32 {
  setItseventDeviceId(EVENT, deviceId);
  setItseventEventId(EVENT, eventId);
  const found = readEvent(deviceId, eventId);
  if (found != ITS_STATUS_OK) return found;
  if (qemuiteInttype(ENTRY) != INTTYPE_PHYSICAL) return ITS_STATUS_EVENT_VIRTUAL;
  const icid = qemuiteIcid(ENTRY);
  setItseventIntid(EVENT, qemuiteIntid(ENTRY));
  setItseventIcid(EVENT, icid);
  const status = readCollection(icid);
  if (status == ITS_STATUS_OK) setItseventRdbase(EVENT, collectionTarget);
  return status;
}

/** INT, CLEAR and DISCARD: changes the pending state; DISCARD removes the mapping too. */
function changeEvent(pending: bool, discard: bool): u32 {
  const eventId = itscmdEventID(COMMAND);
  const found = resolveEvent(itscmdDeviceID(COMMAND), eventId);
  if (found != ITS_STATUS_OK) return found;
  const status = changeLpi(collectionTarget, qemuiteIntid(ENTRY), pending);
  if (!discard) return status;
  clearEntry();
  return writeEvent(eventId);
}

function moveEvent(): u32 {
  const eventId = itscmdEventID(COMMAND);
  const icid = itscmdICID(COMMAND);
  const found = resolveEvent(itscmdDeviceID(COMMAND), eventId);
  setItseventIcid(EVENT, icid);
  if (found != ITS_STATUS_OK) return found;
  const from = collectionTarget;
  const status = readCollection(icid);
  if (status != ITS_STATUS_OK) return status;
  setItseventRdbase(EVENT, collectionTarget);
  if (from != collectionTarget) movePending(from, collectionTarget, qemuiteIntid(ENTRY));
  setEntry(qemuiteIntid(ENTRY), icid, qemuiteVpeid(ENTRY), qemuiteDoorbell(ENTRY));
  return writeEvent(eventId);
}

function moveAll(): u32 {
  const from = itscmdRDbase(COMMAND);
  const to = itscmdMOVALL_RDbase2(COMMAND);
  const count = <u64>redistCount();
  if (from >= count || to >= count) return ITS_STATUS_RDBASE_OOR;
  setItseventRdbase(EVENT, <u32>to);
  return from == to ? ITS_STATUS_OK : moveAllPending(<u32>from, <u32>to);
}

/**
 * No configuration is cached, so there is nothing to drop: the byte is read to tell what counts.
 */
function invalidate(): u32 {
  const found = resolveEvent(itscmdDeviceID(COMMAND), itscmdEventID(COMMAND));
  if (found != ITS_STATUS_OK) return found;
  const intid = qemuiteIntid(ENTRY);
  if (intid >= LPI_FIRST) readConfig(collectionTarget, intid);
  return ITS_STATUS_OK;
}

function invalidateAll(): u32 {
  const icid = itscmdICID(COMMAND);
  setItseventIcid(EVENT, icid);
  if (hasItsQuirk(Q_ITS_INVALL_ANY)) return ITS_STATUS_OK;
  const status = readCollection(icid);
  if (status == ITS_STATUS_OK) setItseventRdbase(EVENT, collectionTarget);
  return status;
}
