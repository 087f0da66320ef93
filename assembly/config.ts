// The configuration cache: decoded STE and CD by StreamID and SubstreamID (IHI0070 3.21.3).

import { cachePolicy } from "./cache";
import { bindContexts, decodeConfiguration, substreamKey } from "./configure";
import { contextEpoch } from "./contextid";
import { ones } from "./geometry";
import {
  CACHE_NONE,
  CACHE_QEMU,
  CONFIG_BYTES,
  configEpoch,
  configPresent,
  configSid,
  configSubstream,
  setConfigEpoch,
  setConfigPresent,
  TRACE_FLAG_HIT,
  TRACE_KIND_CONFIG_LOOKUP,
} from "./layout/abi";
import { requestflagsSsid, requestflagsSsv } from "./layout/words";
import { prepareForLanes } from "./shape";
import { CONFIG_CACHE, CONFIG_SCRATCH } from "./state";
import { trace, tracing } from "./trace";

const ENTRIES: u32 = 1024;
const ENTRY_BYTES: usize = 256;
/** The fast policy keeps sets of four substreams under a hash of the StreamID. */
const WAYS: u32 = 4;
/** QEMU never drops a device's configuration: probe on, and give up only when nearly full. */
const QEMU_ENTRIES_MAX: u32 = 900;
const HASH: u32 = 0x9e3779b1;
const SET_SHIFT: u32 = 24;
const ENTRY_SHIFT: u32 = 22;
/** Ranges of StreamIDs longer than this empty the cache. */
const RANGE_BITS_MAX: u32 = 6;
const SID_BITS: u32 = 32;

/** States of an entry. A removed one keeps QEMU's probe chains intact. */
const EMPTY: u32 = 0;
const PRESENT: u32 = 1;
const REMOVED: u32 = 2;

/** Configurations that were put into the cache since it was emptied. */
let entriesUsed: u32 = 0;
/** Configurations decoded from memory since the counters were reset. */
export let configDecodes: u32 = 0;

export function resetConfigCounters(): void {
  configDecodes = 0;
}

function entryAt(index: u32): usize {
  return CONFIG_CACHE + <usize>index * ENTRY_BYTES;
}

function holds(p: usize, sid: u32, substream: u32): bool {
  return configPresent(p) == PRESENT && configSid(p) == sid && configSubstream(p) == substream;
}

/** First entry of the set of a StreamID. */
function setOf(sid: u32): u32 {
  return ((sid * HASH) >> SET_SHIFT) * WAYS;
}

function findFast(sid: u32, substream: u32): usize {
  const first = setOf(sid);
  for (let way: u32 = 0; way < WAYS; way++) {
    const p = entryAt(first + way);
    if (holds(p, sid, substream)) return p;
  }
  return 0;
}

function findQemu(sid: u32, substream: u32): usize {
  let index = (sid * HASH) >> ENTRY_SHIFT;
  for (let probes: u32 = 0; probes < ENTRIES; probes++) {
    const p = entryAt(index);
    if (configPresent(p) == EMPTY) return 0;
    if (holds(p, sid, substream)) return p;
    index = (index + 1) & (ENTRIES - 1);
  }
  return 0;
}

function find(sid: u32, substream: u32): usize {
  if (cachePolicy == CACHE_NONE) return 0;
  return cachePolicy == CACHE_QEMU ? findQemu(sid, substream) : findFast(sid, substream);
}

/** Where a new configuration goes: a free way, else the oldest of the set. */
function placeFast(sid: u32): usize {
  const first = setOf(sid);
  for (let way: u32 = 0; way < WAYS; way++) {
    if (configPresent(entryAt(first + way)) != PRESENT) return entryAt(first + way);
  }
  memory.copy(entryAt(first), entryAt(first + 1), ENTRY_BYTES * <usize>(WAYS - 1));
  return entryAt(first + WAYS - 1);
}

function placeQemu(sid: u32): usize {
  if (entriesUsed >= QEMU_ENTRIES_MAX) flushConfigurations();
  let index = (sid * HASH) >> ENTRY_SHIFT;
  while (configPresent(entryAt(index)) == PRESENT) index = (index + 1) & (ENTRIES - 1);
  return entryAt(index);
}

/**
 * The configuration of a stream and substream, from the cache or decoded. 0 when it is faulty, with
 * the fault raised; faulty configurations are not cached.
 */
export function configuration(sid: u32, ssv: bool, ssid: u32): usize {
  const substream = substreamKey(ssv, ssid);
  const cached = find(sid, substream);
  if (tracing) trace(TRACE_KIND_CONFIG_LOOKUP, 0, 0, cached ? TRACE_FLAG_HIT : 0, 0, 0, sid, 0, 0);
  if (cached) {
    if (configEpoch(cached) != contextEpoch) bindContexts(cached);
    return cached;
  }
  configDecodes++;
  if (decodeConfiguration(CONFIG_SCRATCH, sid, ssv, ssid)) return 0;
  if (cachePolicy == CACHE_NONE) return CONFIG_SCRATCH;
  if (cachePolicy != CACHE_QEMU) prepareForLanes(CONFIG_SCRATCH);
  const p = cachePolicy == CACHE_QEMU ? placeQemu(sid) : placeFast(sid);
  memory.copy(p, CONFIG_SCRATCH, CONFIG_BYTES);
  setConfigPresent(p, PRESENT);
  entriesUsed++;
  return p;
}

/** Where a stream's only configuration lies. Whether it is there, its members tell. @inline */
export function likelyConfiguration(sid: u32): usize {
  return CONFIG_CACHE + <usize>((sid * HASH) >> SET_SHIFT) * (ENTRY_BYTES * <usize>WAYS);
}

/**
 * The configuration of a request if it is at hand, bound to the contexts in force; else 0. Binding
 * may move every context, so it waits until `mayBind`.
 */
export function boundConfiguration(sid: u32, flags: u32, mayBind: bool): usize {
  const p = findFast(sid, substreamKey(requestflagsSsv(flags) != 0, requestflagsSsid(flags)));
  if (p == 0 || configEpoch(p) == contextEpoch) return p;
  if (!mayBind) return 0;
  bindContexts(p);
  return p;
}

/** Empties the cache, if anything was put into it since it was last emptied. */
export function flushConfigurations(): void {
  if (entriesUsed == 0) return;
  memory.fill(CONFIG_CACHE, 0, <usize>ENTRIES * ENTRY_BYTES);
  entriesUsed = 0;
}

function removeSid(sid: u32): void {
  if (entriesUsed == 0) return;
  if (cachePolicy == CACHE_QEMU) {
    // All substreams lie between the place of the StreamID and the next empty entry.
    let index = (sid * HASH) >> ENTRY_SHIFT;
    for (let p = entryAt(index); configPresent(p) != EMPTY; p = entryAt(index)) {
      if (configSid(p) == sid) setConfigPresent(p, REMOVED);
      index = (index + 1) & (ENTRIES - 1);
    }
    return;
  }
  const first = setOf(sid);
  for (let way: u32 = 0; way < WAYS; way++) {
    const p = entryAt(first + way);
    if (configSid(p) != sid) continue;
    setConfigPresent(p, EMPTY);
    setConfigEpoch(p, 0);
  }
}

/** Removes every entry whose StreamID equals `sid` outside `mask`. */
function removeQemu(sid: u32, mask: u64): void {
  for (let index: u32 = 0; index < ENTRIES; index++) {
    const p = entryAt(index);
    if (configPresent(p) == PRESENT && ((configSid(p) ^ sid) & ~(<u32>mask)) == 0) {
      setConfigPresent(p, REMOVED);
    }
  }
}

/** CFGI_STE, CFGI_CD, CFGI_CD_ALL: everything known of one stream (an allowed excess for CDs). */
export function invalidateStream(sid: u32): void {
  removeSid(sid);
}

/** CFGI_STE_RANGE: the aligned 2^bits StreamIDs around `sid`. */
export function invalidateStreams(sid: u32, bits: u32): void {
  if (bits >= SID_BITS) {
    flushConfigurations();
  } else if (cachePolicy == CACHE_QEMU) {
    removeQemu(sid, ones(bits));
  } else if (bits > RANGE_BITS_MAX) {
    flushConfigurations();
  } else {
    const first = sid & ~(<u32>ones(bits));
    for (let i: u32 = 0; i <= <u32>ones(bits); i++) removeSid(first + i);
  }
}
