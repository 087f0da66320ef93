// Renamed context ids: (world, VMID, ASID) to a 20-bit tag, so that a whole-context TLBI costs one
// store (IHI0070 3.17).
import { ones } from "./geometry";
import { contextidHigh, contextidLow, withTlbtagCtxHigh, withTlbtagCtxLow } from "./layout/words";
import { INTERN, TLB, VMID_GENERATIONS } from "./state";

/** Kinds of context. Stage 2 entries have no ASID, NS-EL2 ones neither ASID nor VMID. */
export const CONTEXT_EL1: u32 = 0;
export const CONTEXT_EL2: u32 = 1;
export const CONTEXT_EL2_E2H: u32 = 2;
export const CONTEXT_STAGE2: u32 = 3;

/** IOTLB geometry, owned here because running out of ids empties it. */
export const TLB_SETS: u32 = 4096;
export const TLB_LINE: usize = 64;

const SLOTS: u32 = 4096;
const SLOTS_USED_MAX: u32 = 3072;
const SLOT_BYTES: usize = 24;
/** Slot: key u64, TLB_TAG u64, generation u32, log2 of the largest block cut in pieces u32. */
const SLOT_TAG: usize = 8;
const SLOT_GENERATION: usize = 16;
const SLOT_CUT: usize = 20;
/** Slots in use, in the order in which they were taken: a u32 each. */
const ORDER_OFFSET: usize = <usize>SLOTS * SLOT_BYTES;
const KEY_PRESENT: u64 = 1 << 63;
const KEY_ASID: u64 = 16;
const KEY_KIND: u64 = 32;
const KEY_ASIDS: u64 = 0xffff << KEY_ASID;
/** Multiplicative hash (2^64 / golden ratio); the top 12 bits choose a slot. */
const HASH: u64 = (0x9e3779b9 << 32) | 0x7f4a7c15;
const HASH_SHIFT: u64 = 52;
/** Ids have 20 bits; the last few are kept for one configuration, and the very last is nobody's. */
const CONTEXTS_RESERVED: u32 = (1 << 20) - 16;
const CONTEXT_NONE: u32 = (1 << 20) - 1;
const VMIDS: u32 = 1 << 16;

/** Counters that make every context of a scope stale at once. */
let el1Generation: u32 = 0;
let el2Generation: u32 = 0;
let stage2Generation: u32 = 0;
/** Contexts that have had an id since the last flush. */
export let slotsUsed: u32 = 0;
let lastContext: u32 = 0;
/** Moves whenever a context id may have changed; configurations compare it before a lookup. */
export let contextEpoch: u32 = 1;
/** Sizes in the IOTLB of inputs through stage 1, and of IPAs: sets of (log2 - 11). */
export let inputSizes: u32 = 0;
export let stage2Sizes: u32 = 0;
/** Whether an entry with nG=0 was inserted since the last flush. */
export let tlbHasGlobal: bool = false;

/** @inline */
export function noteInputSize(bit: u32): void {
  inputSizes |= bit;
}

/** @inline */
export function noteStage2Size(bit: u32): void {
  stage2Sizes |= bit;
}

/** @inline */
export function noteTlbGlobal(): void {
  tlbHasGlobal = true;
}

/** Empties the IOTLB and forgets every context id; without an id there is nothing to empty. */
export function flushContexts(): void {
  if (lastContext == 0) return;
  memory.fill(TLB, 0, <usize>TLB_SETS * TLB_LINE);
  memory.fill(INTERN, 0, <usize>SLOTS * SLOT_BYTES);
  slotsUsed = 0;
  lastContext = 0;
  inputSizes = 0;
  stage2Sizes = 0;
  tlbHasGlobal = false;
  contextEpoch++;
}

/** @inline */
function generationSlot(kind: u32, vmid: u32): usize {
  const index = kind == CONTEXT_STAGE2 ? vmid + VMIDS : vmid;
  return VMID_GENERATIONS + ((<usize>index) << 2);
}

/** @inline */
function generationOf(kind: u32, vmid: u32): u32 {
  if (kind == CONTEXT_EL2 || kind == CONTEXT_EL2_E2H) return el2Generation;
  const scope = kind == CONTEXT_STAGE2 ? stage2Generation : el1Generation;
  return scope + load<u32>(generationSlot(kind, vmid));
}

/** @inline */
function keyOf(kind: u32, vmid: u32, asid: u32): u64 {
  return KEY_PRESENT | ((<u64>kind) << KEY_KIND) | ((<u64>asid) << KEY_ASID) | <u64>vmid;
}

/** @inline */
function slotAt(index: u32): usize {
  return INTERN + <usize>index * SLOT_BYTES;
}

/** Slot of a context, or 0 when it has none and `create` is false. */
function slotOf(key: u64, create: bool): usize {
  let index = <u32>((key * HASH) >> HASH_SHIFT);
  for (let probes: u32 = 0; probes < SLOTS; probes++) {
    const slot = slotAt(index);
    const present = load<u64>(slot);
    if (present == key) return slot;
    if (present == 0) {
      if (!create) return 0;
      store<u32>(INTERN + ((<usize>slotsUsed) << 2), <u32>slot, ORDER_OFFSET);
      slotsUsed++;
      store<u64>(slot, key);
      return slot;
    }
    index = (index + 1) & (SLOTS - 1);
  }
  return 0;
}

/** Tag of a context id, without an address. */
function tagOf(id: u32): u64 {
  return withTlbtagCtxHigh(withTlbtagCtxLow(0, contextidLow(id)), contextidHigh(id));
}

/** A tag under which nothing is ever cached. */
export function nobodysTag(): u64 {
  return tagOf(CONTEXT_NONE);
}

/** Makes room for a few new ids; call before taking ids that must live together. */
export function reserveContexts(): void {
  if (slotsUsed > SLOTS_USED_MAX || lastContext > CONTEXTS_RESERVED) flushContexts();
}

/** Whether no invalidation passed over all contexts of a slot's VMID or world. @inline */
function isLive(slot: usize, kind: u32, vmid: u32): bool {
  return load<u32>(slot, SLOT_GENERATION) == generationOf(kind, vmid);
}

/** Tag of a context; a new one, that makes all entries unreachable, when its generation passed. */
export function contextTag(kind: u32, vmid: u32, asid: u32): u64 {
  const generation = generationOf(kind, vmid);
  const slot = slotOf(keyOf(kind, vmid, asid), true);
  const tag = slotTag(slot);
  if (tag != 0 && load<u32>(slot, SLOT_GENERATION) == generation) return tag;
  lastContext++;
  store<u32>(slot, generation, SLOT_GENERATION);
  store<u64>(slot, tagOf(lastContext), SLOT_TAG);
  store<u32>(slot, 0, SLOT_CUT);
  return slotTag(slot);
}

/** Slot of a context that may have entries, or 0. Most are where their hash says. */
export function liveSlot(kind: u32, vmid: u32, asid: u32): usize {
  const key = keyOf(kind, vmid, asid);
  let slot = slotAt(<u32>((key * HASH) >> HASH_SHIFT));
  if (load<u64>(slot) != key) slot = slotOf(key, false);
  return slot != 0 && isLive(slot, kind, vmid) ? slot : 0;
}

/** Slot number `n`, if it is of a VMID in a world and may have entries; else 0. */
export function liveSlotOf(n: u32, kind: u32, vmid: u32): usize {
  const slot = <usize>load<u32>(INTERN + ((<usize>n) << 2), ORDER_OFFSET);
  const same = (load<u64>(slot) & ~KEY_ASIDS) == keyOf(kind, vmid, 0);
  return same && isLive(slot, kind, vmid) ? slot : 0;
}

/** Tag of the context in a slot; 0 when it was renamed and not used since. @inline */
export function slotTag(slot: usize): u64 {
  return load<u64>(slot, SLOT_TAG);
}

/** log2 of the largest stage 1 block that was cached in pieces; 0 if there is none. @inline */
export function slotCut(slot: usize): u32 {
  return load<u32>(slot, SLOT_CUT);
}

/** Notes that a stage 1 block of 2^bits bytes is cached in smaller pieces. */
export function noteCut(kind: u32, vmid: u32, asid: u32, bits: u32): void {
  const slot = slotOf(keyOf(kind, vmid, asid), false);
  if (slot != 0) store<u32>(slot, max(bits, slotCut(slot)), SLOT_CUT);
}

/** Drops all entries of the context in a slot. */
export function renameSlot(slot: usize): void {
  store<u64>(slot, 0, SLOT_TAG);
  contextEpoch++;
}

/** Drops all stage 1 and combined entries (or stage 2 entries) of a VMID. */
export function renameVmid(kind: u32, vmid: u32): void {
  const slot = generationSlot(kind, vmid & <u32>ones(16));
  store<u32>(slot, load<u32>(slot) + 1);
  contextEpoch++;
}

/** Drops every entry of a kind: all VMIDs, or both NS-EL2 worlds. */
export function renameKind(kind: u32): void {
  if (kind == CONTEXT_STAGE2) stage2Generation++;
  else if (kind == CONTEXT_EL1) el1Generation++;
  else el2Generation++;
  contextEpoch++;
}
