// Device, collection and translation tables in guest memory, in QEMU's formats (IHI0069 5.2).

import { clearGuestFault, guestFault, load32, load64, store32, store64 } from "./guest";
import { ENTRY, hasItsQuirk, ITS, redistCount } from "./its-state";
import {
  ITS_STATUS_COLLECTION_FAULT,
  ITS_STATUS_COLLECTION_OOR,
  ITS_STATUS_COLLECTION_UNMAPPED,
  ITS_STATUS_DEVICE_FAULT,
  ITS_STATUS_DEVICE_OOR,
  ITS_STATUS_DEVICE_UNMAPPED,
  ITS_STATUS_EVENT_OOR,
  ITS_STATUS_EVENT_UNMAPPED,
  ITS_STATUS_ITT_FAULT,
  ITS_STATUS_OK,
  ITS_STATUS_RDBASE_OOR,
  itsBaser,
  itsTyper,
  qemul1eAddress,
} from "./layout/abi-its";
import {
  GITS_LVL1_ENTRY_SIZE,
  gitsbaserEntry_Size,
  gitsbaserIndirect,
  gitsbaserPage_Size,
  gitsbaserPhysical_Address,
  gitsbaserPhysical_Address_64K_hi,
  gitsbaserPhysical_Address_64K_lo,
  gitsbaserSize,
  gitsbaserValid,
  gitstyperCIDbits,
  gitstyperCIL,
  gitstyperDevbits,
  l1tableentryAddress,
  l1tableentryValid,
  PageSize_4K,
  PageSize_16K,
  QEMU_ITE_BYTES,
  qemucteRdbase,
  qemucteValid,
  qemudteItt_addr,
  qemudteSize,
  qemudteValid,
  qemuiteValid,
} from "./layout/its";
import { Q_ITS_L2_UNMASKED, Q_ITS_TABLE_32BIT } from "./layout/quirks";

const BASER_DEVICE: u32 = 0;
const BASER_COLLECTION: u32 = 1;
const BYTES_4K: u64 = 1 << 12;
const BYTES_16K: u64 = 1 << 14;
const BYTES_64K: u64 = 1 << 16;
const COLLECTION_BITS: u32 = 16;
/** Where the second, shorter word of a translation entry starts. */
const ITE_HIGH: usize = 8;

/** Results of `locate`, in the order of the statuses *_OOR, *_L2_INVALID, *_FAULT. */
const LOCATED: u32 = 0;
const OUT_OF_RANGE: u32 = 1;
const LEVEL2_INVALID: u32 = 2;
const FAULTED: u32 = 3;

/** Address of the entry that `locate` found. */
let entryAddress: u64 = 0;
/** The device that `readDevice` found. */
export let deviceItt: u64 = 0;
export let deviceEvents: u64 = 0;
/** The redistributor that `readCollection` found. */
export let collectionTarget: u32 = 0;

/** Bytes of one page of a table. */
export function pageBytes(baser: u64): u64 {
  const size = gitsbaserPage_Size(baser);
  if (size == PageSize_4K) return BYTES_4K;
  return size == PageSize_16K ? BYTES_16K : BYTES_64K;
}

/** Guest-physical address of a table; 64 KB pages keep bits 51:48 of it in bits 15:12. */
export function tableAddress(baser: u64): u64 {
  if (pageBytes(baser) != BYTES_64K) return gitsbaserPhysical_Address(baser);
  return gitsbaserPhysical_Address_64K_lo(baser) | gitsbaserPhysical_Address_64K_hi(baser);
}

/** How many IDs the table has room for; none when it is not valid. */
function tableIds(baser: u64, idBits: u32): u64 {
  if (!gitsbaserValid(baser)) return 0;
  const page = pageBytes(baser);
  const bytes = <u64>(gitsbaserSize(baser) + 1) * page;
  const entry = <u64>(gitsbaserEntry_Size(baser) + 1);
  let ids = bytes / entry;
  if (gitsbaserIndirect(baser)) {
    ids = (bytes / GITS_LVL1_ENTRY_SIZE) * (page / entry);
    if (hasItsQuirk(Q_ITS_TABLE_32BIT)) ids = <u64>(<u32>ids);
  }
  return min(ids, (<u64>1) << idBits);
}

/** Finds the entry of an ID in a flat or two-level table and leaves its address. */
function locate(baser: u64, idBits: u32, id: u32): u32 {
  if (<u64>id >= tableIds(baser, idBits)) return OUT_OF_RANGE;
  const base = tableAddress(baser);
  const entry = <u64>(gitsbaserEntry_Size(baser) + 1);
  if (!gitsbaserIndirect(baser)) {
    entryAddress = base + <u64>id * entry;
    return LOCATED;
  }
  const page = pageBytes(baser);
  clearGuestFault();
  const index = <u64>id / (page / GITS_LVL1_ENTRY_SIZE);
  const word = load64(base + index * GITS_LVL1_ENTRY_SIZE);
  if (guestFault) return FAULTED;
  if (!l1tableentryValid(word)) return LEVEL2_INVALID;
  const table = hasItsQuirk(Q_ITS_L2_UNMASKED)
    ? qemul1eAddress(word)
    : l1tableentryAddress(word) & ~(page - 1);
  entryAddress = table + (<u64>id % (page / entry)) * entry;
  return LOCATED;
}

function deviceBits(): u32 {
  return gitstyperDevbits(itsTyper(ITS)) + 1;
}

function locateDevice(deviceId: u32): u32 {
  return locate(itsBaser(ITS, BASER_DEVICE), deviceBits(), deviceId);
}

/** True when the device table has room for the DeviceID. */
export function deviceInRange(deviceId: u32): bool {
  return <u64>deviceId < tableIds(itsBaser(ITS, BASER_DEVICE), deviceBits());
}

function collectionBits(): u32 {
  const typer = itsTyper(ITS);
  return gitstyperCIL(typer) ? gitstyperCIDbits(typer) + 1 : COLLECTION_BITS;
}

function locateCollection(icid: u32): u32 {
  return locate(itsBaser(ITS, BASER_COLLECTION), collectionBits(), icid);
}

/** True when the collection table has room for the ICID. */
export function collectionInRange(icid: u32): bool {
  return <u64>icid < tableIds(itsBaser(ITS, BASER_COLLECTION), collectionBits());
}

/** Reads a device's entry: where its translation table is and how many events it has. */
export function readDevice(deviceId: u32): u32 {
  const found = locateDevice(deviceId);
  if (found != LOCATED) return ITS_STATUS_DEVICE_OOR + found - OUT_OF_RANGE;
  clearGuestFault();
  const entry = load64(entryAddress);
  if (guestFault) return ITS_STATUS_DEVICE_FAULT;
  if (!qemudteValid(entry)) return ITS_STATUS_DEVICE_UNMAPPED;
  deviceItt = qemudteItt_addr(entry);
  deviceEvents = (<u64>1) << (qemudteSize(entry) + 1);
  return ITS_STATUS_OK;
}

/** Writes a device's entry. A level 2 page that is not there swallows it: the status says so. */
export function writeDevice(deviceId: u32, entry: u64): u32 {
  const found = locateDevice(deviceId);
  if (found != LOCATED) return ITS_STATUS_DEVICE_OOR + found - OUT_OF_RANGE;
  return store64(entryAddress, entry) ? ITS_STATUS_OK : ITS_STATUS_DEVICE_FAULT;
}

/** Reads a collection's entry: the redistributor that it names. */
export function readCollection(icid: u32): u32 {
  const found = locateCollection(icid);
  if (found != LOCATED) return ITS_STATUS_COLLECTION_OOR + found - OUT_OF_RANGE;
  clearGuestFault();
  const entry = load64(entryAddress);
  if (guestFault) return ITS_STATUS_COLLECTION_FAULT;
  if (!qemucteValid(entry)) return ITS_STATUS_COLLECTION_UNMAPPED;
  collectionTarget = qemucteRdbase(entry);
  return collectionTarget < redistCount() ? ITS_STATUS_OK : ITS_STATUS_RDBASE_OOR;
}

/** Writes a collection's entry. A level 2 page that is not there swallows it. */
export function writeCollection(icid: u32, entry: u64): u32 {
  const found = locateCollection(icid);
  if (found != LOCATED) return ITS_STATUS_COLLECTION_OOR + found - OUT_OF_RANGE;
  return store64(entryAddress, entry) ? ITS_STATUS_OK : ITS_STATUS_COLLECTION_FAULT;
}

function eventAddress(eventId: u32): u64 {
  return deviceItt + <u64>eventId * QEMU_ITE_BYTES;
}

/** Reads the entry of (DeviceID, EventID) into ENTRY. */
export function readEvent(deviceId: u32, eventId: u32): u32 {
  const status = readDevice(deviceId);
  if (status != ITS_STATUS_OK) return status;
  if (<u64>eventId >= deviceEvents) return ITS_STATUS_EVENT_OOR;
  clearGuestFault();
  const at = eventAddress(eventId);
  store<u64>(ENTRY, load64(at));
  store<u32>(ENTRY, load32(at + ITE_HIGH), ITE_HIGH);
  if (guestFault) return ITS_STATUS_ITT_FAULT;
  return qemuiteValid(ENTRY) ? ITS_STATUS_OK : ITS_STATUS_EVENT_UNMAPPED;
}

/** Clears ENTRY before its fields are set. */
export function clearEntry(): void {
  memory.fill(ENTRY, 0, QEMU_ITE_BYTES);
}

/** Writes ENTRY as the entry of an event of the device that was read last. */
export function writeEvent(eventId: u32): u32 {
  const at = eventAddress(eventId);
  const low = store64(at, load<u64>(ENTRY));
  if (!low || !store32(at + ITE_HIGH, load<u32>(ENTRY, ITE_HIGH))) return ITS_STATUS_ITT_FAULT;
  return ITS_STATUS_OK;
}
