// Renamed context ids: (world, VMID, ASID) to a 20-bit tag, so that a whole-context TLBI costs one
// store (IHI0070 3.17).
import { ones } from "./geometry";
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
/** Slot: key u64, generation u32, context id u32, flags u32. */
const SLOT_GENERATION: usize = 8;
const SLOT_CONTEXT: usize = 12;
const SLOT_FLAGS: usize = 16;
const KEY_PRESENT: u64 = 1 << 63;
const KEY_ASID: u64 = 16;
const KEY_KIND: u64 = 32;
/** Multiplicative hash (2^64 / golden ratio); the top 12 bits choose a slot. */
const HASH: u64 = (0x9e3779b9 << 32) | 0x7f4a7c15;
const HASH_SHIFT: u64 = 52;
/** Ids have 20 bits; the last few are kept for one configuration. */
const CONTEXTS_RESERVED: u32 = (1 << 20) - 16;
const VMIDS: u32 = 1 << 16;

/** Counters that make every context of a scope stale at once. */
let el1Generation: u32 = 0;
let el2Generation: u32 = 0;
let stage2Generation: u32 = 0;
let slotsUsed: u32 = 0;
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

/** Empties the IOTLB and forgets every context id. */
export function flushContexts(): void {
  memory.fill(TLB, 0, <usize>TLB_SETS * TLB_LINE);
  memory.fill(INTERN, 0, <usize>SLOTS * SLOT_BYTES);
  slotsUsed = 0;
  lastContext = 0;
  inputSizes = 0;
  stage2Sizes = 0;
  tlbHasGlobal = false;
  contextEpoch++;
}

function generationSlot(kind: u32, vmid: u32): usize {
  const index = kind == CONTEXT_STAGE2 ? vmid + VMIDS : vmid;
  return VMID_GENERATIONS + ((<usize>index) << 2);
}

function generationOf(kind: u32, vmid: u32): u32 {
  if (kind == CONTEXT_EL2 || kind == CONTEXT_EL2_E2H) return el2Generation;
  const scope = kind == CONTEXT_STAGE2 ? stage2Generation : el1Generation;
  return scope + load<u32>(generationSlot(kind, vmid));
}

/** Slot of a context, or 0 when it has none and `create` is false. */
function slotOf(kind: u32, vmid: u32, asid: u32, create: bool): usize {
  const key = KEY_PRESENT | ((<u64>kind) << KEY_KIND) | ((<u64>asid) << KEY_ASID) | <u64>vmid;
  let index = <u32>((key * HASH) >> HASH_SHIFT);
  for (let probes: u32 = 0; probes < SLOTS; probes++) {
    const slot = INTERN + <usize>index * SLOT_BYTES;
    const present = load<u64>(slot);
    if (present == key) return slot;
    if (present == 0) {
      if (!create) return 0;
      slotsUsed++;
      store<u64>(slot, key);
      return slot;
    }
    index = (index + 1) & (SLOTS - 1);
  }
  return 0;
}

/** Gives a slot a fresh id: everything cached under the old one is unreachable. */
function renameSlot(slot: usize, generation: u32): u32 {
  lastContext++;
  store<u32>(slot, generation, SLOT_GENERATION);
  store<u32>(slot, lastContext, SLOT_CONTEXT);
  store<u32>(slot, 0, SLOT_FLAGS);
  return lastContext;
}

/** Makes room for a few new ids; call before taking ids that must live together. */
export function reserveContexts(): void {
  if (slotsUsed > SLOTS_USED_MAX || lastContext > CONTEXTS_RESERVED) flushContexts();
}

/** Current id of a context; a new one when its generation passed. */
export function contextId(kind: u32, vmid: u32, asid: u32): u32 {
  const generation = generationOf(kind, vmid);
  const slot = slotOf(kind, vmid, asid, true);
  const id = load<u32>(slot, SLOT_CONTEXT);
  if (id != 0 && load<u32>(slot, SLOT_GENERATION) == generation) return id;
  return renameSlot(slot, generation);
}

/** Id of a context that may have entries, or 0. */
export function liveContext(kind: u32, vmid: u32, asid: u32): u32 {
  const slot = slotOf(kind, vmid, asid, false);
  if (slot == 0 || load<u32>(slot, SLOT_GENERATION) != generationOf(kind, vmid)) return 0;
  return load<u32>(slot, SLOT_CONTEXT);
}

/** Whether a stage 1 block of the context was cached in smaller pieces. */
export function contextFractured(kind: u32, vmid: u32, asid: u32): bool {
  const slot = slotOf(kind, vmid, asid, false);
  return slot != 0 && load<u32>(slot, SLOT_FLAGS) != 0;
}

export function markFractured(kind: u32, vmid: u32, asid: u32): void {
  const slot = slotOf(kind, vmid, asid, false);
  if (slot != 0) store<u32>(slot, 1, SLOT_FLAGS);
}

/** Drops all entries of one context. */
export function renameContext(kind: u32, vmid: u32, asid: u32): void {
  const slot = slotOf(kind, vmid, asid, false);
  if (slot == 0) return;
  store<u32>(slot, 0, SLOT_CONTEXT);
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
