// The only door to guest memory: bounds by the region tree, single-copy atomic loads, counting.

/** Shift and entries of the region tree: 1 GiB roots, then 2 MiB blocks, then 4 KiB pages. */
const ROOT_SHIFT: u64 = 30;
const ROOT_ENTRIES: u64 = 1 << 18;
const BLOCK_SHIFT: u32 = 21;
const PAGE_SHIFT: u32 = 12;
const INDEX_MASK: u32 = 511;
const PAGE_MASK: u32 = 0xfff;
const BLOCK_MASK: u32 = 0x1fffff;

/** Low bits of a tree entry. Places in linear memory are 4 KiB aligned, so they never collide. */
const ENTRY_PRESENT: u32 = 1;
const ENTRY_LEAF: u32 = 2;
const ENTRY_READONLY: u32 = 4;

/** Linear address of the region tree's root; 0 while no map is attached. */
let regionRoot: u32 = 0;
/** One contiguous region that is tried first: most guests have one RAM block. */
let ramBase: u64 = 0;
let ramBytes: u64 = 0;
let ramLin: u32 = 0;

/**
 * Set when a load or store falls outside every region: an external abort. Cleared by the caller.
 */
export let guestFault: bool = false;
/** Loads of guest memory since the last reset, of any size. */
export let guestReads: u32 = 0;
/** Stores to guest memory since the last reset, of any size. */
export let guestWrites: u32 = 0;

export function clearGuestFault(): void {
  guestFault = false;
}

export function resetGuestCounters(): void {
  guestReads = 0;
  guestWrites = 0;
}

/** Attaches the region tree built by the owner of the address map. */
export function attachRegions(root: u32, base: u64, bytes: u64, lin: u32): void {
  regionRoot = root;
  ramBase = base;
  ramBytes = bytes;
  ramLin = lin;
}

/** The tree entry that covers `pa` with its place, or 0. Bits 2:0 of the result are flags. */
function regionEntry(pa: u64): u32 {
  if (regionRoot == 0 || pa >> ROOT_SHIFT >= ROOT_ENTRIES) return 0;
  const low = <u32>pa;
  let entry = load<u32>(regionRoot + ((<u32>(pa >> ROOT_SHIFT)) << 2));
  if (!(entry & ENTRY_PRESENT)) return 0;
  const block = (low >> BLOCK_SHIFT) & INDEX_MASK;
  entry = load<u32>((entry & ~PAGE_MASK) + (block << 2));
  if (!(entry & ENTRY_PRESENT)) return 0;
  if (entry & ENTRY_LEAF) {
    return (entry & PAGE_MASK) | ((entry & ~PAGE_MASK) + (low & BLOCK_MASK & ~PAGE_MASK));
  }
  const page = (low >> PAGE_SHIFT) & INDEX_MASK;
  entry = load<u32>((entry & ~PAGE_MASK) + (page << 2));
  return entry & ENTRY_PRESENT ? entry : 0;
}

/** Linear address for a load of one naturally aligned word, or 0 when nothing backs `pa`. */
export function linOfLoad(pa: u64): u32 {
  const offset = pa - ramBase;
  if (offset < ramBytes) return ramLin + <u32>offset;
  const entry = regionEntry(pa);
  return entry ? (entry & ~PAGE_MASK) + (<u32>pa & PAGE_MASK) : 0;
}

function load8Raw(pa: u64): u64 {
  const lin = linOfLoad(pa);
  if (lin == 0) {
    guestFault = true;
    return 0;
  }
  return <u64>load<u8>(lin);
}

/** A misaligned word, byte by byte: only hostile tables and quirks produce one. */
function loadMisaligned(pa: u64, bytes: u32): u64 {
  let value: u64 = 0;
  for (let i: u32 = 0; i < bytes; i++) value |= load8Raw(pa + <u64>i) << ((<u64>i) << 3);
  return guestFault ? 0 : value;
}

/** Loads 64 bits with one atomic access; sets `guestFault` and gives 0 outside every region. */
export function load64(pa: u64): u64 {
  guestReads++;
  if (<u32>pa & 7) return loadMisaligned(pa, 8);
  const lin = linOfLoad(pa);
  if (lin == 0) {
    guestFault = true;
    return 0;
  }
  return atomic.load<u64>(lin);
}

/** Offset in the region that is tried first, for `isNear` and `peekNear`. @inline */
export function nearOffset(pa: u64): u64 {
  return pa - ramBase;
}

/** Whether an offset lies in that region. @inline */
export function isNear(offset: u64): bool {
  return offset < ramBytes;
}

/** Loads the descriptor there; like `peek64`. @inline */
export function peekNear(offset: u64): u64 {
  return atomic.load<u64>(ramLin + <u32>offset);
}

/**
 * Loads a descriptor at a multiple of 8; 0, which is never valid, where nothing backs it. Nothing
 * is counted: `countLoads` does that for the lanes that end well, and others load again, alone.
 */
export function peek64(pa: u64): u64 {
  const lin = linOfLoad(pa);
  return lin ? atomic.load<u64>(lin) : 0;
}

/** Counts loads of `peek64` and `peekNear`. @inline */
export function countLoads(count: u32): void {
  guestReads += count;
}

/** Copies two words from a multiple of 16, each with one atomic load; false where nothing is. */
export function loadPair(pa: u64, to: usize): bool {
  guestReads += 2;
  const offset = pa - ramBase;
  const lin = offset < ramBytes ? ramLin + <u32>offset : linOfLoad(pa);
  if (lin == 0) return false;
  store<u64>(to, atomic.load<u64>(lin));
  store<u64>(to, atomic.load<u64>(lin, 8), 8);
  return true;
}

/** Loads 32 bits; sets `guestFault` outside every region. */
export function load32(pa: u64): u32 {
  guestReads++;
  if (<u32>pa & 3) return <u32>loadMisaligned(pa, 4);
  const lin = linOfLoad(pa);
  if (lin == 0) {
    guestFault = true;
    return 0;
  }
  return atomic.load<u32>(lin);
}

/** Loads 8 bits; sets `guestFault` outside every region. */
export function load8(pa: u64): u32 {
  guestReads++;
  return <u32>load8Raw(pa);
}

/** Linear address for a store, 0 when nothing backs `pa`, 1 when the region swallows stores. */
function linOfStore(pa: u64): u32 {
  const offset = pa - ramBase;
  if (offset < ramBytes) return ramLin + <u32>offset;
  const entry = regionEntry(pa);
  if (entry == 0) return 0;
  if (entry & ENTRY_READONLY) return 1;
  return (entry & ~PAGE_MASK) + (<u32>pa & PAGE_MASK);
}

/** Stores 8 bits. False and `guestFault` when nothing backs the address. */
export function store8(pa: u64, value: u32): bool {
  guestWrites++;
  const lin = linOfStore(pa);
  if (lin == 0) {
    guestFault = true;
    return false;
  }
  if (lin != 1) store<u8>(lin, <u8>value);
  return true;
}

/** Stores 32 bits with one atomic access (byte by byte when misaligned). */
export function store32(pa: u64, value: u32): bool {
  if (<u32>pa & 3) {
    for (let i: u32 = 0; i < 4; i++) if (!store8(pa + <u64>i, value >> (i << 3))) return false;
    return true;
  }
  guestWrites++;
  const lin = linOfStore(pa);
  if (lin == 0) {
    guestFault = true;
    return false;
  }
  if (lin != 1) atomic.store<u32>(lin, value);
  return true;
}

/** Stores 64 bits with one atomic access (byte by byte when misaligned). */
export function store64(pa: u64, value: u64): bool {
  if (<u32>pa & 7) {
    return store32(pa, <u32>value) && store32(pa + 4, <u32>(value >> 32));
  }
  guestWrites++;
  const lin = linOfStore(pa);
  if (lin == 0) {
    guestFault = true;
    return false;
  }
  if (lin != 1) atomic.store<u64>(lin, value);
  return true;
}
