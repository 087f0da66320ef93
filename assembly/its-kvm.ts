// Messages through KVM's in-kernel ITS, whose live state is private (Linux 7.2 vgic-its.c).

import { clearGuestFault, guestFault, linOfLoad, load64 } from "./guest";
import {
  dropLpi,
  eventCollectionTarget,
  eventsUsed,
  findEvent,
  freeCollection,
  generation,
  holdLpi,
  ID_COUNT,
  isDeviceMapped,
  isEventCollectionMapped,
  isEventLive,
  kvmDevice,
  kvmEvent,
  kvmLpi,
  lpiExists,
  lpiTarget,
  NO_LPI_TARGET,
  removeDevice,
} from "./its-kvm-store";
import { EVENT, ITS, NONE, redistCount } from "./its-state";
import { tableAddress } from "./its-table";
import {
  ITS_STATUS_COLLECTION_OOR,
  ITS_STATUS_COLLECTION_UNMAPPED,
  ITS_STATUS_CONFIG_FAULT,
  ITS_STATUS_DEVICE_OOR,
  ITS_STATUS_DEVICE_UNMAPPED,
  ITS_STATUS_DISABLED,
  ITS_STATUS_EVENT_OOR,
  ITS_STATUS_EVENT_UNMAPPED,
  ITS_STATUS_LPI_DISABLED,
  ITS_STATUS_LPIS_DISABLED,
  ITS_STATUS_OK,
  ITS_STATUS_RDBASE_OOR,
  itsBaser,
  itsCtlr,
  itseventConfig,
  itseventWasPending,
  kvmdeviceEventBits,
  kvmeventCached,
  kvmeventIcid,
  kvmeventIntid,
  kvmlpiConfig,
  kvmlpiPending,
  kvmlpiTarget,
  setItseventCached,
  setItseventConfig,
  setItseventDeviceId,
  setItseventEventId,
  setItseventIcid,
  setItseventIntid,
  setItseventRdbase,
  setItseventWasPending,
  setKvmeventCached,
  setKvmlpiConfig,
  setKvmlpiPending,
} from "./layout/abi-its";
import {
  GITS_LVL1_ENTRY_SIZE,
  gitsbaserIndirect,
  gitsbaserSize,
  gitsctlrEnabled,
  KVM_DTE_BYTES,
  l1tableentryAddress,
  l1tableentryValid,
  lpiconfigEnable,
} from "./layout/its";
import { lpisEnabled, readConfig, readPending, writePending } from "./lpi";

const BASER_DEVICE: u32 = 0;
const BASER_COLLECTION: u32 = 1;
const PAGE_BYTES: u64 = 1 << 16;
const EVENT_ID_BITS: u32 = 16;

/** Address of the table entry that `checkId` found. */
export let entryAddress: u64 = 0;

/**
 * Whether a table has room for an ID, and whether guest memory backs the entry. KVM looks at the
 * table for this alone. Results are those of `*_OOR` and its followers, from `base` on.
 */
export function checkId(baser: u64, id: u32, entryBytes: u64, base: u32): u32 {
  if (id >= ID_COUNT) return base;
  const bytes = <u64>(gitsbaserSize(baser) + 1) * PAGE_BYTES;
  const table = tableAddress(baser);
  entryAddress = table + <u64>id * entryBytes;
  if (!gitsbaserIndirect(baser)) {
    if (<u64>id >= bytes / entryBytes) return base;
    return linOfLoad(entryAddress) != 0 ? ITS_STATUS_OK : base + 2;
  }
  const perPage = PAGE_BYTES / entryBytes;
  const index = <u64>id / perPage;
  if (index >= bytes / GITS_LVL1_ENTRY_SIZE) return base;
  clearGuestFault();
  const word = load64(table + index * GITS_LVL1_ENTRY_SIZE);
  if (guestFault) return base + 2;
  if (!l1tableentryValid(word)) return base + 1;
  const page = l1tableentryAddress(word) & ~(PAGE_BYTES - 1);
  entryAddress = page + (<u64>id % perPage) * entryBytes;
  return linOfLoad(entryAddress) != 0 ? ITS_STATUS_OK : base + 2;
}

export function checkDeviceId(deviceId: u32): u32 {
  return checkId(itsBaser(ITS, BASER_DEVICE), deviceId, KVM_DTE_BYTES, ITS_STATUS_DEVICE_OOR);
}

export function checkCollectionId(icid: u32): u32 {
  return checkId(itsBaser(ITS, BASER_COLLECTION), icid, KVM_DTE_BYTES, ITS_STATUS_COLLECTION_OOR);
}

/** Why (DeviceID, EventID) is not mapped, in more detail than the kernel's one error number. */
export function unmapped(deviceId: u32, eventId: u32): u32 {
  if (!isDeviceMapped(deviceId)) return ITS_STATUS_DEVICE_UNMAPPED;
  const events = (<u64>1) << kvmdeviceEventBits(kvmDevice(deviceId));
  return <u64>eventId >= events ? ITS_STATUS_EVENT_OOR : ITS_STATUS_EVENT_UNMAPPED;
}

/** Records what an event is mapped to. */
function noteMapping(event: usize): void {
  setItseventIntid(EVENT, kvmeventIntid(event));
  setItseventIcid(EVENT, kvmeventIcid(event));
}

/** Records an event of a command and finds it: its number, or 0. */
export function openEvent(deviceId: u32, eventId: u32): u32 {
  setItseventDeviceId(EVENT, deviceId);
  setItseventEventId(EVENT, eventId);
  const number = findEvent(deviceId, eventId);
  if (number != 0) noteMapping(kvmEvent(number));
  return number;
}

/** Makes an LPI pending at its own target, which MOVALL may have moved away from its collection. */
function trigger(intid: u32): u32 {
  const lpi = kvmLpi(intid);
  const config = kvmlpiConfig(lpi);
  const target = kvmlpiTarget(lpi);
  setItseventRdbase(EVENT, target == NO_LPI_TARGET ? NONE : target);
  setItseventConfig(EVENT, config);
  setItseventWasPending(EVENT, kvmlpiPending(lpi));
  setKvmlpiPending(lpi, 1);
  return lpiconfigEnable(config) ? ITS_STATUS_OK : ITS_STATUS_LPI_DISABLED;
}

/** A message, looked up in full; the translation is cached when it succeeds. */
export function kvmDeliver(deviceId: u32, eventId: u32): u32 {
  const number = openEvent(deviceId, eventId);
  if (!gitsctlrEnabled(itsCtlr(ITS))) return ITS_STATUS_DISABLED;
  if (number == 0) return unmapped(deviceId, eventId);
  const event = kvmEvent(number);
  if (!isEventCollectionMapped(event)) return ITS_STATUS_COLLECTION_UNMAPPED;
  const target = eventCollectionTarget(event);
  setItseventRdbase(EVENT, target);
  if (target >= redistCount()) return ITS_STATUS_RDBASE_OOR;
  if (!lpisEnabled(target)) return ITS_STATUS_LPIS_DISABLED;
  setKvmeventCached(event, generation());
  return trigger(kvmeventIntid(event));
}

/**
 * A message answered from the translation cache, or NONE. The key is DeviceID << 16 | EventID, so
 * an EventID of more than 16 bits meets another event's entry.
 */
export function kvmDeliverCached(deviceId: u32, eventId: u32): u32 {
  const number = findEvent(deviceId | (eventId >> EVENT_ID_BITS), <u32>(<u16>eventId));
  const event = kvmEvent(number);
  if (number == 0 || kvmeventCached(event) != generation()) return NONE;
  noteMapping(event);
  setItseventCached(EVENT, 1);
  return trigger(kvmeventIntid(event));
}

/** Reads an LPI's configuration byte again. All redistributors share one table: the first one's. */
export function refreshConfig(intid: u32): u32 {
  const status = readConfig(0, intid);
  if (status == ITS_STATUS_CONFIG_FAULT) return status;
  setKvmlpiConfig(kvmLpi(intid), itseventConfig(EVENT));
  return ITS_STATUS_OK;
}

/** Counts a user of an LPI. A new LPI takes its configuration and pending state from memory. */
export function takeLpi(intid: u32, target: u32): u32 {
  const known = lpiExists(intid);
  holdLpi(intid, target);
  if (known) return ITS_STATUS_OK;
  let status = refreshConfig(intid);
  if (status == ITS_STATUS_OK && target != NO_LPI_TARGET) {
    status = writePending(target, intid, false);
    setKvmlpiPending(kvmLpi(intid), itseventWasPending(EVENT));
  }
  if (status != ITS_STATUS_OK) dropLpi(intid);
  return status;
}

/** A device table that stops being valid unmaps every device. */
export function unmapAllDevices(): void {
  for (let deviceId: u32 = 0; deviceId < ID_COUNT; deviceId++) removeDevice(deviceId);
}

/** A collection table that stops being valid removes every collection. */
export function freeAllCollections(): void {
  for (let icid: u32 = 0; icid < ID_COUNT; icid++) freeCollection(icid);
}

/** LPIs were switched on at a redistributor: takes the pending state of its LPIs from memory. */
export function syncPendingTable(rd: u32): void {
  for (let number: u32 = 1; number <= eventsUsed(); number++) {
    const intid = kvmeventIntid(kvmEvent(number));
    if (!isEventLive(number) || lpiTarget(intid) != rd) continue;
    const pending = readPending(rd, intid);
    if (guestFault) return;
    setKvmlpiPending(kvmLpi(intid), pending ? 1 : 0);
  }
}
