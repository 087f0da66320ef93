// Commands of KVM's in-kernel ITS: what each maps, moves or refuses (Linux 7.2 vgic-its.c).

import { store64 } from "./guest";
import {
  checkCollectionId,
  checkDeviceId,
  entryAddress,
  kvmDeliver,
  openEvent,
  refreshConfig,
  takeLpi,
  unmapped,
} from "./its-kvm";
import {
  addDevice,
  addEvent,
  collectionExists,
  dropLpi,
  eventHasCollection,
  eventsUsed,
  flushTranslationCache,
  freeCollection,
  isCollectionMapped,
  isDeviceMapped,
  isEventCollectionMapped,
  isEventLive,
  isLpiPending,
  kvmCollection,
  kvmDevice,
  kvmEvent,
  kvmLpi,
  lpiTarget,
  makeCollection,
  NO_LPI_TARGET,
  removeDevice,
  removeEvent,
  setEventCollection,
} from "./its-kvm-store";
import { COMMAND, EVENT, NONE, redistCount } from "./its-state";
import {
  ITS_STATUS_ALREADY_MAPPED,
  ITS_STATUS_COLLECTION_UNMAPPED,
  ITS_STATUS_COMMAND_UNKNOWN,
  ITS_STATUS_DEVICE_FAULT,
  ITS_STATUS_DEVICE_UNMAPPED,
  ITS_STATUS_EVENT_OOR,
  ITS_STATUS_INTID_OOR,
  ITS_STATUS_ITT_FAULT,
  ITS_STATUS_ITTSIZE_OOR,
  ITS_STATUS_NO_MEMORY,
  ITS_STATUS_OK,
  ITS_STATUS_RDBASE_OOR,
  kvmcollectionTarget,
  kvmdeviceEventBits,
  kvmdeviceItt,
  kvmeventDeviceId,
  kvmeventEventId,
  kvmeventIcid,
  kvmeventIntid,
  setItseventConfig,
  setItseventDeviceId,
  setItseventIcid,
  setItseventIntid,
  setItseventRdbase,
  setItseventWasPending,
  setKvmcollectionTarget,
  setKvmlpiPending,
  setKvmlpiTarget,
} from "./layout/abi-its";
import {
  ITS_CLEAR,
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
  itscmdPINTID,
  itscmdRDbase,
  itscmdV,
  KVM_ITE_BYTES,
} from "./layout/its";
import { intidLimit, LPI_FIRST } from "./lpi";

const EVENT_BITS_MAX: u32 = 16;

function mapDevice(): u32 {
  const deviceId = itscmdDeviceID(COMMAND);
  const bits = itscmdMAPD_Size(COMMAND) + 1;
  const valid = itscmdV(COMMAND) != 0;
  setItseventDeviceId(EVENT, deviceId);
  const status = checkDeviceId(deviceId);
  if (status != ITS_STATUS_OK) return status;
  if (valid && bits > EVENT_BITS_MAX) return ITS_STATUS_ITTSIZE_OOR;
  const entry = entryAddress;
  removeDevice(deviceId);
  if (!valid) return store64(entry, 0) ? ITS_STATUS_OK : ITS_STATUS_DEVICE_FAULT;
  addDevice(deviceId, itscmdMAPD_ITT_addr(COMMAND), bits);
  return ITS_STATUS_OK;
}

/** Gives every LPI of a collection the collection's target. */
function retarget(icid: u32, target: u32): void {
  for (let number: u32 = 1; number <= eventsUsed(); number++) {
    const event = kvmEvent(number);
    if (!isEventLive(number) || kvmeventIcid(event) != icid || !eventHasCollection(event)) continue;
    setKvmlpiTarget(kvmLpi(kvmeventIntid(event)), target);
  }
}

function mapCollection(): u32 {
  const icid = itscmdICID(COMMAND);
  const target = <u32>itscmdRDbase(COMMAND);
  setItseventIcid(EVENT, icid);
  setItseventRdbase(EVENT, target);
  if (target >= redistCount()) return ITS_STATUS_RDBASE_OOR;
  if (!itscmdV(COMMAND)) {
    freeCollection(icid);
    flushTranslationCache();
    return ITS_STATUS_OK;
  }
  if (collectionExists(icid)) {
    setKvmcollectionTarget(kvmCollection(icid), target);
    retarget(icid, target);
    return ITS_STATUS_OK;
  }
  const status = checkCollectionId(icid);
  if (status != ITS_STATUS_OK) return status;
  makeCollection(icid);
  setKvmcollectionTarget(kvmCollection(icid), target);
  return ITS_STATUS_OK;
}

function mapEvent(opcode: u32): u32 {
  const deviceId = itscmdDeviceID(COMMAND);
  const eventId = itscmdEventID(COMMAND);
  const intid = opcode == ITS_MAPI ? eventId : itscmdPINTID(COMMAND);
  const icid = itscmdICID(COMMAND);
  const there = openEvent(deviceId, eventId);
  setItseventIntid(EVENT, intid);
  setItseventIcid(EVENT, icid);
  if (!isDeviceMapped(deviceId)) return ITS_STATUS_DEVICE_UNMAPPED;
  const events = (<u64>1) << kvmdeviceEventBits(kvmDevice(deviceId));
  if (<u64>eventId >= events) return ITS_STATUS_EVENT_OOR;
  if (intid < LPI_FIRST || intid >= intidLimit(0)) return ITS_STATUS_INTID_OOR;
  if (there != 0) return ITS_STATUS_ALREADY_MAPPED;
  const made = !collectionExists(icid);
  if (made) {
    const status = checkCollectionId(icid);
    if (status != ITS_STATUS_OK) return status;
    makeCollection(icid);
  }
  const mapped = isCollectionMapped(icid);
  const target = mapped ? kvmcollectionTarget(kvmCollection(icid)) : NO_LPI_TARGET;
  let status = takeLpi(intid, target);
  if (status == ITS_STATUS_OK && addEvent(deviceId, eventId, intid, icid) == 0) {
    dropLpi(intid);
    status = ITS_STATUS_NO_MEMORY;
  }
  if (status != ITS_STATUS_OK && made) freeCollection(icid);
  if (mapped) setItseventRdbase(EVENT, target);
  return status;
}

function moveEvent(): u32 {
  const icid = itscmdICID(COMMAND);
  const number = openEvent(itscmdDeviceID(COMMAND), itscmdEventID(COMMAND));
  setItseventIcid(EVENT, icid);
  if (number == 0) return unmapped(itscmdDeviceID(COMMAND), itscmdEventID(COMMAND));
  const event = kvmEvent(number);
  if (!isEventCollectionMapped(event) || !isCollectionMapped(icid)) {
    return ITS_STATUS_COLLECTION_UNMAPPED;
  }
  setEventCollection(event, icid);
  flushTranslationCache();
  const target = kvmcollectionTarget(kvmCollection(icid));
  setItseventRdbase(EVENT, target);
  setKvmlpiTarget(kvmLpi(kvmeventIntid(event)), target);
  return ITS_STATUS_OK;
}

function discardEvent(): u32 {
  const number = openEvent(itscmdDeviceID(COMMAND), itscmdEventID(COMMAND));
  if (number == 0) return unmapped(itscmdDeviceID(COMMAND), itscmdEventID(COMMAND));
  const event = kvmEvent(number);
  if (!isEventCollectionMapped(event)) return ITS_STATUS_COLLECTION_UNMAPPED;
  const table = kvmdeviceItt(kvmDevice(kvmeventDeviceId(event)));
  const entry = table + <u64>kvmeventEventId(event) * KVM_ITE_BYTES;
  flushTranslationCache();
  removeEvent(number);
  return store64(entry, 0) ? ITS_STATUS_OK : ITS_STATUS_ITT_FAULT;
}

/** CLEAR and INV: acts on the LPI of an event, whatever its collection is. */
function changeLpi(opcode: u32): u32 {
  const number = openEvent(itscmdDeviceID(COMMAND), itscmdEventID(COMMAND));
  if (number == 0) return unmapped(itscmdDeviceID(COMMAND), itscmdEventID(COMMAND));
  const intid = kvmeventIntid(kvmEvent(number));
  if (opcode == ITS_INV) return refreshConfig(intid);
  setItseventWasPending(EVENT, isLpiPending(intid) ? 1 : 0);
  setKvmlpiPending(kvmLpi(intid), 0);
  return ITS_STATUS_OK;
}

function invalidateAll(): u32 {
  const icid = itscmdICID(COMMAND);
  setItseventIcid(EVENT, icid);
  if (!isCollectionMapped(icid)) return ITS_STATUS_COLLECTION_UNMAPPED;
  const target = kvmcollectionTarget(kvmCollection(icid));
  setItseventRdbase(EVENT, target);
  for (let number: u32 = 1; number <= eventsUsed(); number++) {
    const intid = kvmeventIntid(kvmEvent(number));
    if (isEventLive(number) && lpiTarget(intid) == target) refreshConfig(intid);
  }
  setItseventConfig(EVENT, NONE);
  return ITS_STATUS_OK;
}

function moveAll(): u32 {
  const from = <u32>itscmdRDbase(COMMAND);
  const to = <u32>itscmdMOVALL_RDbase2(COMMAND);
  if (from >= redistCount() || to >= redistCount()) return ITS_STATUS_RDBASE_OOR;
  setItseventRdbase(EVENT, to);
  if (from == to) return ITS_STATUS_OK;
  for (let number: u32 = 1; number <= eventsUsed(); number++) {
    const intid = kvmeventIntid(kvmEvent(number));
    if (isEventLive(number) && lpiTarget(intid) == from) setKvmlpiTarget(kvmLpi(intid), to);
  }
  flushTranslationCache();
  return ITS_STATUS_OK;
}

/** Executes the command in COMMAND and returns its status. */
export function kvmCommand(opcode: u32): u32 {
  if (opcode == ITS_SYNC) return ITS_STATUS_OK;
  if (opcode == ITS_MAPD) return mapDevice();
  if (opcode == ITS_MAPC) return mapCollection();
  if (opcode == ITS_MAPTI || opcode == ITS_MAPI) return mapEvent(opcode);
  if (opcode == ITS_MOVI) return moveEvent();
  if (opcode == ITS_DISCARD) return discardEvent();
  if (opcode == ITS_CLEAR || opcode == ITS_INV) return changeLpi(opcode);
  if (opcode == ITS_INVALL) return invalidateAll();
  if (opcode == ITS_MOVALL) return moveAll();
  if (opcode == ITS_INT) return kvmDeliver(itscmdDeviceID(COMMAND), itscmdEventID(COMMAND));
  return ITS_STATUS_COMMAND_UNKNOWN;
}
