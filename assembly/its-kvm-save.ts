// Saves and restores KVM's private ITS tables in guest memory (table ABI revision 0, Linux 7.2).

import { clearGuestFault, guestFault, load64, store64 } from "./guest";
import { checkCollectionId, checkDeviceId, entryAddress, takeLpi } from "./its-kvm";
import {
  addDevice,
  addEvent,
  collectionExists,
  dropLpi,
  ID_COUNT,
  isCollectionMapped,
  isDeviceMapped,
  kvmCollection,
  kvmDevice,
  kvmEvent,
  makeCollection,
  NO_COLLECTION_TARGET,
  NO_LPI_TARGET,
  removeDevice,
} from "./its-kvm-store";
import { ITS, redistCount } from "./its-state";
import { tableAddress } from "./its-table";
import {
  ITS_STATUS_OK,
  itsBaser,
  kvmcollectionTarget,
  kvmdeviceEventBits,
  kvmdeviceFirst,
  kvmdeviceItt,
  kvmeventEventId,
  kvmeventIcid,
  kvmeventIntid,
  kvmeventNext,
  setKvmcollectionTarget,
} from "./layout/abi-its";
import {
  GITS_LVL1_ENTRY_SIZE,
  gitsbaserIndirect,
  gitsbaserSize,
  gitsbaserValid,
  KVM_CTE_BYTES,
  KVM_DTE_BYTES,
  KVM_ITE_BYTES,
  kvmcteIcid,
  kvmcteRdbase,
  kvmcteValid,
  kvmdteItt_addr,
  kvmdteNext,
  kvmdteSize,
  kvmdteValid,
  kvmiteIcid,
  kvmiteNext,
  kvmitePINTID,
  l1tableentryAddress,
  l1tableentryValid,
  withKvmcteIcid,
  withKvmcteRdbase,
  withKvmcteValid,
  withKvmdteItt_addr,
  withKvmdteNext,
  withKvmdteSize,
  withKvmdteValid,
  withKvmiteIcid,
  withKvmiteNext,
  withKvmitePINTID,
} from "./layout/its";
import { INTID_BITS, LPI_FIRST } from "./lpi";

/** Error numbers, negative as the kernel returns them (asm-generic/errno-base.h). */
const ENOMEM: i32 = -12;
const EFAULT: i32 = -14;
const EEXIST: i32 = -17;
const EINVAL: i32 = -22;

const BASER_DEVICE: u32 = 0;
const BASER_COLLECTION: u32 = 1;
const PAGE_BYTES: u64 = 1 << 16;
const EVENT_BITS_MAX: u32 = 16;
const DEVICE_OFFSET_MAX: u32 = (1 << 14) - 1;
const EVENT_OFFSET_MAX: u32 = (1 << 16) - 1;

function tableBytes(baser: u64): u64 {
  return <u64>(gitsbaserSize(baser) + 1) * PAGE_BYTES;
}

/** Entries that one restore still looks at: hostile tables end it instead of taking for ever. */
const SCAN_MAX: u32 = 1 << 24;
let scansLeft: u32 = 0;

/** Loads an entry during a restore. False when nothing backs it or the scan is used up. */
let scanned: u64 = 0;
function scan(at: u64): bool {
  if (scansLeft == 0) return false;
  scansLeft--;
  clearGuestFault();
  scanned = load64(at);
  return !guestFault;
}

function saveEvents(deviceId: u32): i32 {
  const table = kvmdeviceItt(kvmDevice(deviceId));
  let number = kvmdeviceFirst(kvmDevice(deviceId));
  while (number != 0) {
    const event = kvmEvent(number);
    const eventId = kvmeventEventId(event);
    const next = kvmeventNext(event);
    const step = next == 0 ? 0 : kvmeventEventId(kvmEvent(next)) - eventId;
    let entry = withKvmitePINTID(withKvmiteIcid(0, kvmeventIcid(event)), kvmeventIntid(event));
    entry = withKvmiteNext(entry, min(step, EVENT_OFFSET_MAX));
    if (!store64(table + <u64>eventId * KVM_ITE_BYTES, entry)) return EFAULT;
    number = next;
  }
  return 0;
}

/** The next mapped device from `from` on, or ID_COUNT. */
function nextDevice(from: u32): u32 {
  let deviceId = from;
  while (deviceId < ID_COUNT && !isDeviceMapped(deviceId)) deviceId++;
  return deviceId;
}

function saveDevices(): i32 {
  if (!gitsbaserValid(itsBaser(ITS, BASER_DEVICE))) return 0;
  let deviceId = nextDevice(0);
  while (deviceId < ID_COUNT) {
    if (checkDeviceId(deviceId) != ITS_STATUS_OK) return EINVAL;
    const at = entryAddress;
    const events = saveEvents(deviceId);
    if (events != 0) return events;
    const next = nextDevice(deviceId + 1);
    const step = next == ID_COUNT ? 0 : min(next - deviceId, DEVICE_OFFSET_MAX);
    const device = kvmDevice(deviceId);
    let entry = withKvmdteNext(withKvmdteValid(0, 1), step);
    entry = withKvmdteSize(entry, kvmdeviceEventBits(device) - 1);
    // The check has found memory there.
    store64(at, withKvmdteItt_addr(entry, kvmdeviceItt(device)));
    deviceId = next;
  }
  return 0;
}

/** Collections are stored one after the other; an entry that is not valid ends them. */
function saveCollections(): i32 {
  const baser = itsBaser(ITS, BASER_COLLECTION);
  if (!gitsbaserValid(baser)) return 0;
  const end = tableAddress(baser) + tableBytes(baser);
  let at = tableAddress(baser);
  for (let icid: u32 = 0; icid < ID_COUNT; icid++) {
    if (!collectionExists(icid)) continue;
    const target = kvmcollectionTarget(kvmCollection(icid));
    const entry = withKvmcteRdbase(withKvmcteIcid(0, icid), <u64>target);
    if (!store64(at, withKvmcteValid(entry, 1))) return EFAULT;
    at += KVM_CTE_BYTES;
  }
  return at == end || store64(at, 0) ? 0 : EFAULT;
}

/** Writes the private tables to guest memory. 0, or a negative error number. */
export function saveTables(): i32 {
  const devices = saveDevices();
  return devices != 0 ? devices : saveCollections();
}

/** 1 when a collection was restored, 0 at the end of the table, or an error. */
function restoreCollection(at: u64): i32 {
  if (!scan(at)) return EFAULT;
  const entry = scanned;
  if (!kvmcteValid(entry)) return 0;
  const icid = kvmcteIcid(entry);
  const target = <u32>kvmcteRdbase(entry);
  if (target != NO_COLLECTION_TARGET && target >= redistCount()) return EINVAL;
  if (collectionExists(icid)) return EEXIST;
  if (checkCollectionId(icid) != ITS_STATUS_OK) return EINVAL;
  makeCollection(icid);
  setKvmcollectionTarget(kvmCollection(icid), target);
  return 1;
}

function restoreCollections(): i32 {
  const baser = itsBaser(ITS, BASER_COLLECTION);
  if (!gitsbaserValid(baser)) return 0;
  const end = tableAddress(baser) + tableBytes(baser);
  let result = 1;
  for (let at = tableAddress(baser); at < end && result > 0; at += KVM_CTE_BYTES) {
    result = restoreCollection(at);
  }
  return min(result, 0);
}

/** Restores one event. How many EventIDs further the next is, 0 after the last, or an error. */
function restoreEvent(deviceId: u32, eventId: u32, entry: u64): i32 {
  const intid = kvmitePINTID(entry);
  if (intid == 0) return 1;
  const icid = kvmiteIcid(entry);
  const step = kvmiteNext(entry);
  const events = (<u64>1) << kvmdeviceEventBits(kvmDevice(deviceId));
  if (intid < LPI_FIRST || intid >> INTID_BITS != 0) return EINVAL;
  if (<u64>(eventId + step) >= events || !collectionExists(icid)) return EINVAL;
  const mapped = isCollectionMapped(icid);
  const target = mapped ? kvmcollectionTarget(kvmCollection(icid)) : NO_LPI_TARGET;
  if (takeLpi(intid, target) != ITS_STATUS_OK) return EFAULT;
  if (addEvent(deviceId, eventId, intid, icid) != 0) return <i32>step;
  dropLpi(intid);
  return ENOMEM;
}

function restoreEvents(deviceId: u32): i32 {
  const table = kvmdeviceItt(kvmDevice(deviceId));
  const events = (<u32>1) << kvmdeviceEventBits(kvmDevice(deviceId));
  let eventId: u32 = 0;
  while (eventId < events) {
    if (!scan(table + <u64>eventId * KVM_ITE_BYTES)) return EFAULT;
    const step = restoreEvent(deviceId, eventId, scanned);
    if (step <= 0) return step;
    eventId += <u32>step;
  }
  return 0;
}

/** Restores one device with its events. Results as those of `restoreEvent`. */
function restoreDevice(deviceId: u32, entry: u64): i32 {
  if (!kvmdteValid(entry)) return 1;
  const bits = kvmdteSize(entry) + 1;
  if (bits > EVENT_BITS_MAX) return EINVAL;
  removeDevice(deviceId);
  addDevice(deviceId, kvmdteItt_addr(entry), bits);
  const result = restoreEvents(deviceId);
  if (result == 0) return <i32>kvmdteNext(entry);
  removeDevice(deviceId);
  return result;
}

/** Scans one run of device entries. 1: the end of the run, 0: the last device, or an error. */
function scanDevices(table: u64, first: u32, end: u32): i32 {
  let deviceId = first;
  while (deviceId < end) {
    if (!scan(table + <u64>(deviceId - first) * KVM_DTE_BYTES)) return EFAULT;
    const step = restoreDevice(deviceId, scanned);
    if (step <= 0) return step;
    deviceId += <u32>step;
  }
  return 1;
}

function restoreDevices(): i32 {
  const baser = itsBaser(ITS, BASER_DEVICE);
  if (!gitsbaserValid(baser)) return 0;
  const table = tableAddress(baser);
  const entries = tableBytes(baser) / KVM_DTE_BYTES;
  if (!gitsbaserIndirect(baser)) {
    const result = scanDevices(table, 0, <u32>min(entries, <u64>ID_COUNT));
    return min(result, 0);
  }
  const perPage = <u32>(PAGE_BYTES / KVM_DTE_BYTES);
  const pages = <u32>min(entries, <u64>(ID_COUNT / perPage));
  for (let page: u32 = 0; page < pages; page++) {
    if (!scan(table + <u64>page * GITS_LVL1_ENTRY_SIZE)) return EFAULT;
    if (!l1tableentryValid(scanned)) continue;
    const level2 = l1tableentryAddress(scanned) & ~(PAGE_BYTES - 1);
    const result = scanDevices(level2, page * perPage, (page + 1) * perPage);
    if (result <= 0) return result;
  }
  return 0;
}

/** Reads the private tables from guest memory. 0, or a negative error number. */
export function restoreTables(): i32 {
  scansLeft = SCAN_MAX;
  const collections = restoreCollections();
  return collections != 0 ? collections : restoreDevices();
}
