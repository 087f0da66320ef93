// Private tables of KVM's ITS: devices, collections, LPIs, mapped events (Linux 7.2 vgic-its.c).

import { ITS } from "./its-state";
import {
  itsStore,
  KVM_COLLECTION_BYTES,
  KVM_DEVICE_BYTES,
  KVM_EVENT_BYTES,
  KVM_LPI_BYTES,
  KVM_STORE_BYTES,
  kvmcollectionGeneration,
  kvmcollectionTarget,
  kvmdeviceEventBits,
  kvmdeviceFirst,
  kvmeventDeviceId,
  kvmeventEventId,
  kvmeventGeneration,
  kvmeventIcid,
  kvmeventIntid,
  kvmeventLive,
  kvmeventNext,
  kvmlpiPending,
  kvmlpiRefs,
  kvmlpiTarget,
  kvmstoreCapacity,
  kvmstoreFree,
  kvmstoreGeneration,
  kvmstoreUsed,
  setKvmcollectionGeneration,
  setKvmcollectionTarget,
  setKvmdeviceEventBits,
  setKvmdeviceFirst,
  setKvmdeviceItt,
  setKvmeventCached,
  setKvmeventDeviceId,
  setKvmeventEventId,
  setKvmeventGeneration,
  setKvmeventIcid,
  setKvmeventIntid,
  setKvmeventLive,
  setKvmeventNext,
  setKvmlpiConfig,
  setKvmlpiPending,
  setKvmlpiRefs,
  setKvmlpiTarget,
  setKvmstoreCapacity,
  setKvmstoreFree,
  setKvmstoreGeneration,
  setKvmstoreUsed,
} from "./layout/abi-its";

/** DeviceIDs, ICIDs and INTIDs all have 16 bits in this model. */
export const ID_COUNT: u32 = 1 << 16;
/** Target of a collection before MAPC, and of an LPI whose collection has none. */
export const NO_COLLECTION_TARGET: u32 = u32.MAX_VALUE;
export const NO_LPI_TARGET: u32 = 0xffff;

/** Bytes of the private tables with room for `capacity` mapped events. */
export function storeBytes(capacity: u32): u32 {
  return <u32>eventsOffset() + capacity * <u32>KVM_EVENT_BYTES;
}

function eventsOffset(): usize {
  const perId = KVM_DEVICE_BYTES + KVM_COLLECTION_BYTES + KVM_LPI_BYTES;
  return KVM_STORE_BYTES + <usize>ID_COUNT * perId;
}

function storeAt(): usize {
  return <usize>itsStore(ITS);
}

/** Empties the tables; the memory need not be zero. */
export function resetStore(capacity: u32): void {
  memory.fill(storeAt(), 0, eventsOffset());
  setKvmstoreCapacity(storeAt(), capacity);
  setKvmstoreGeneration(storeAt(), 1);
}

export function kvmDevice(deviceId: u32): usize {
  return storeAt() + KVM_STORE_BYTES + <usize>deviceId * KVM_DEVICE_BYTES;
}

export function kvmCollection(icid: u32): usize {
  const table = KVM_STORE_BYTES + <usize>ID_COUNT * KVM_DEVICE_BYTES;
  return storeAt() + table + <usize>icid * KVM_COLLECTION_BYTES;
}

export function kvmLpi(intid: u32): usize {
  const table = KVM_STORE_BYTES + <usize>ID_COUNT * (KVM_DEVICE_BYTES + KVM_COLLECTION_BYTES);
  return storeAt() + table + <usize>intid * KVM_LPI_BYTES;
}

/** Event `number` - 1 of the pool. */
export function kvmEvent(number: u32): usize {
  return storeAt() + eventsOffset() + <usize>(number - 1) * KVM_EVENT_BYTES;
}

/** Events up to this number may be live. */
export function eventsUsed(): u32 {
  return kvmstoreUsed(storeAt());
}

export function generation(): u32 {
  return kvmstoreGeneration(storeAt());
}

/** Forgets every cached translation. */
export function flushTranslationCache(): void {
  setKvmstoreGeneration(storeAt(), generation() + 1);
}

export function isDeviceMapped(deviceId: u32): bool {
  return deviceId < ID_COUNT && kvmdeviceEventBits(kvmDevice(deviceId)) != 0;
}

/** Number of the event, or 0. Walks the device's list, which is empty while it is not mapped. */
export function findEvent(deviceId: u32, eventId: u32): u32 {
  if (deviceId >= ID_COUNT) return 0;
  const pool = kvmEvent(0);
  let number = kvmdeviceFirst(kvmDevice(deviceId));
  while (number != 0) {
    const event = pool + <usize>number * KVM_EVENT_BYTES;
    if (kvmeventEventId(event) == eventId) break;
    number = kvmeventNext(event);
  }
  return number;
}

/** A collection exists from its first use by MAPTI or MAPC until MAPC with V=0. */
export function collectionExists(icid: u32): bool {
  return kvmcollectionGeneration(kvmCollection(icid)) % 2 == 1;
}

/** Makes a collection that has no target yet. */
export function makeCollection(icid: u32): void {
  const at = kvmCollection(icid);
  setKvmcollectionGeneration(at, kvmcollectionGeneration(at) + 1);
  setKvmcollectionTarget(at, NO_COLLECTION_TARGET);
}

/** Removes a collection; its events lose it for good, even if the number is used again. */
export function freeCollection(icid: u32): void {
  const at = kvmCollection(icid);
  if (collectionExists(icid)) setKvmcollectionGeneration(at, kvmcollectionGeneration(at) + 1);
}

export function isCollectionMapped(icid: u32): bool {
  return collectionExists(icid) && kvmcollectionTarget(kvmCollection(icid)) != NO_COLLECTION_TARGET;
}

/** Whether the event still belongs to the collection that it was mapped to. */
export function eventHasCollection(event: usize): bool {
  return kvmeventGeneration(event) == kvmcollectionGeneration(kvmCollection(kvmeventIcid(event)));
}

/** Whether the event's collection has a target. */
export function isEventCollectionMapped(event: usize): bool {
  return eventHasCollection(event) && isCollectionMapped(kvmeventIcid(event));
}

/** Redistributor of the event's collection; the collection must be mapped. */
export function eventCollectionTarget(event: usize): u32 {
  return kvmcollectionTarget(kvmCollection(kvmeventIcid(event)));
}

export function setEventCollection(event: usize, icid: u32): void {
  setKvmeventIcid(event, icid);
  setKvmeventGeneration(event, kvmcollectionGeneration(kvmCollection(icid)));
}

/** Adds an event to a mapped device. 0 when there is no room. */
export function addEvent(deviceId: u32, eventId: u32, intid: u32, icid: u32): u32 {
  const store = storeAt();
  let number = kvmstoreFree(store);
  if (number != 0) setKvmstoreFree(store, kvmeventNext(kvmEvent(number)));
  else {
    if (kvmstoreUsed(store) == kvmstoreCapacity(store)) return 0;
    number = kvmstoreUsed(store) + 1;
    setKvmstoreUsed(store, number);
  }
  const event = kvmEvent(number);
  setKvmeventDeviceId(event, deviceId);
  setKvmeventEventId(event, eventId);
  setKvmeventIntid(event, intid);
  setKvmeventCached(event, 0);
  setKvmeventLive(event, 1);
  setEventCollection(event, icid);
  link(kvmDevice(deviceId), number);
  return number;
}

/** Puts an event into its device's list, which is kept in order of EventID. */
function link(device: usize, number: u32): void {
  const event = kvmEvent(number);
  const eventId = kvmeventEventId(event);
  let next = kvmdeviceFirst(device);
  let previous: u32 = 0;
  while (next != 0 && kvmeventEventId(kvmEvent(next)) < eventId) {
    previous = next;
    next = kvmeventNext(kvmEvent(next));
  }
  setKvmeventNext(event, next);
  if (previous == 0) setKvmdeviceFirst(device, number);
  else setKvmeventNext(kvmEvent(previous), number);
}

function freeEvent(number: u32): void {
  const store = storeAt();
  const event = kvmEvent(number);
  const lpi = kvmLpi(kvmeventIntid(event));
  setKvmlpiRefs(lpi, kvmlpiRefs(lpi) - 1);
  setKvmeventLive(event, 0);
  setKvmeventNext(event, kvmstoreFree(store));
  setKvmstoreFree(store, number);
}

/** Removes a live event from its device's list, and its LPI when nothing else maps to it. */
export function removeEvent(number: u32): void {
  const event = kvmEvent(number);
  const device = kvmDevice(kvmeventDeviceId(event));
  let previous = kvmdeviceFirst(device);
  if (previous == number) setKvmdeviceFirst(device, kvmeventNext(event));
  else {
    while (kvmeventNext(kvmEvent(previous)) != number) previous = kvmeventNext(kvmEvent(previous));
    setKvmeventNext(kvmEvent(previous), kvmeventNext(event));
  }
  freeEvent(number);
}

export function addDevice(deviceId: u32, itt: u64, eventBits: u32): void {
  const device = kvmDevice(deviceId);
  setKvmdeviceItt(device, itt);
  setKvmdeviceFirst(device, 0);
  setKvmdeviceEventBits(device, eventBits);
}

/** Unmaps a device with all its events. */
export function removeDevice(deviceId: u32): void {
  if (!isDeviceMapped(deviceId)) return;
  const device = kvmDevice(deviceId);
  let number = kvmdeviceFirst(device);
  while (number != 0) {
    const next = kvmeventNext(kvmEvent(number));
    freeEvent(number);
    number = next;
  }
  setKvmdeviceFirst(device, 0);
  setKvmdeviceEventBits(device, 0);
  flushTranslationCache();
}

export function lpiExists(intid: u32): bool {
  return kvmlpiRefs(kvmLpi(intid)) != 0;
}

/** Counts one more user of an LPI; a new one starts with this target, not pending, disabled. */
export function holdLpi(intid: u32, target: u32): void {
  const lpi = kvmLpi(intid);
  if (!lpiExists(intid)) {
    setKvmlpiTarget(lpi, target);
    setKvmlpiConfig(lpi, 0);
    setKvmlpiPending(lpi, 0);
  }
  setKvmlpiRefs(lpi, kvmlpiRefs(lpi) + 1);
}

/** Gives the LPI back without having mapped an event to it. */
export function dropLpi(intid: u32): void {
  const lpi = kvmLpi(intid);
  setKvmlpiRefs(lpi, kvmlpiRefs(lpi) - 1);
}

/** Target and pending state of an LPI as one call each, for readers. */
export function lpiTarget(intid: u32): u32 {
  return kvmlpiTarget(kvmLpi(intid));
}

export function isLpiPending(intid: u32): bool {
  return kvmlpiPending(kvmLpi(intid)) != 0;
}

/** Whether event `number` of the pool is in use. */
export function isEventLive(number: u32): bool {
  return kvmeventLive(kvmEvent(number)) != 0;
}
