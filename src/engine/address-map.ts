// Address maps: which physical addresses an engine sees, and where they lie in linear memory.
import type { HostMemory } from "./host-memory.ts";

const PAGE = 4096;
/** The region tree: 2^18 roots of 1 GiB, then 512 blocks of 2 MiB, then 512 pages of 4 KiB. */
const ROOT_ENTRIES = 1 << 18;
const NODE_ENTRIES = 512;
const PAGES_PER_BLOCK = 512;
const PAGES_PER_ROOT = PAGES_PER_BLOCK * NODE_ENTRIES;
const ENTRY_PRESENT = 1;
const ENTRY_LEAF = 2;
const ENTRY_READONLY = 4;
const ENTRY_FLAGS = PAGE - 1;

/** RAM, or a window that reads one constant byte and drops stores (flash, unassigned MMIO). */
export type RegionKind = "ram" | "zero" | "ones";

/** A mapped range of an address map. Addresses and sizes in bytes. */
export interface Region {
  base: bigint;
  bytes: bigint;
  /** Linear address of its first byte. */
  lin: number;
  kind: RegionKind;
}

/** What an engine needs to know of a map: the tree, and one range that it tries first. */
export interface MapRoot {
  root: number;
  base: bigint;
  bytes: bigint;
  lin: number;
}

/**
 * The physical addresses (GPA or HPA, below 2^48) that one engine sees, at 4 KiB granularity. An
 * access outside every region is an external abort. Several engines may share a map.
 */
export class AddressMap {
  readonly memory: HostMemory;
  readonly #root: number;
  readonly #regions: Region[] = [];
  readonly #listeners: ((root: MapRoot) => void)[] = [];
  #first: Region | undefined;
  #constants = new Map<RegionKind, number>();
  /** Nodes that several slots of the tree share; they are copied before they change. */
  #sharedNodes = new Set<number>();

  constructor(memory: HostMemory) {
    this.memory = memory;
    this.#root = memory.alloc(ROOT_ENTRIES * 4, PAGE);
  }

  /**
   * Maps `bytes` of RAM at `base`, allocating them unless `lin` says where they are. All three are
   * multiples of 4096. Gives the linear address. Earlier mappings of the range are replaced.
   */
  mapRam(base: bigint, bytes: bigint | number, lin?: number): number {
    const size = Number(bytes);
    this.#check(base, size, lin ?? 0);
    const at = lin ?? this.memory.alloc(size, PAGE);
    this.#replace(base, size);
    this.#setPages(base, size, at, ENTRY_PRESENT, PAGE);
    this.#note({ base, bytes: BigInt(size), lin: at, kind: "ram" });
    return at;
  }

  /** Maps a window that reads as zero and drops stores. */
  mapZero(base: bigint, bytes: bigint | number): void {
    this.#mapConstant(base, Number(bytes), "zero", 0);
  }

  /** Maps a window that reads as all ones and drops stores. */
  mapOnes(base: bigint, bytes: bigint | number): void {
    this.#mapConstant(base, Number(bytes), "ones", 0xff);
  }

  /** Removes the mappings of a range. */
  unmap(base: bigint, bytes: bigint | number): void {
    const size = Number(bytes);
    this.#check(base, size, 0);
    this.#clearPages(Number(base >> 12n), size / PAGE);
    this.#carve(base, base + BigInt(size));
    this.#tell();
  }

  /** Linear address behind `pa`, or -1. */
  lin(pa: bigint): number {
    if (pa < 0n || pa >> 48n) return -1;
    const page = this.linOfPage(Number(pa >> 12n));
    return page < 0 ? -1 : page + Number(pa & 0xfffn);
  }

  /** Linear address of page number `page` (PA / 4096), or -1. */
  linOfPage(page: number): number {
    const entry = this.#entry(page);
    return entry & ENTRY_PRESENT ? (entry & ~ENTRY_FLAGS) >>> 0 : -1;
  }

  /** Whether stores to `pa` are kept. */
  isWritable(pa: bigint): boolean {
    const entry = pa >> 48n ? 0 : this.#entry(Number(pa >> 12n));
    return (entry & (ENTRY_PRESENT | ENTRY_READONLY)) === ENTRY_PRESENT;
  }

  readU32(pa: bigint): number | undefined {
    const lin = this.lin(pa);
    return lin < 0 ? undefined : this.memory.readU32(lin);
  }

  /** The 64 bits at `pa` (8-byte aligned), undefined outside every region. */
  readU64(pa: bigint): bigint | undefined {
    const lin = this.lin(pa);
    return lin < 0 ? undefined : this.memory.readU64(lin);
  }

  writeU32(pa: bigint, value: number): boolean {
    const lin = this.lin(pa);
    if (lin < 0) return false;
    if (this.isWritable(pa)) this.memory.writeU32(lin, value);
    return true;
  }

  /** Stores 64 bits at `pa` (8-byte aligned); false outside every region. */
  writeU64(pa: bigint, value: bigint): boolean {
    const lin = this.lin(pa);
    if (lin < 0) return false;
    if (this.isWritable(pa)) this.memory.writeU64(lin, value);
    return true;
  }

  /** A copy of `length` bytes, undefined when any of them is outside every region. */
  readBytes(pa: bigint, length: number): Uint8Array | undefined {
    const out = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const lin = this.lin(pa + BigInt(done));
      if (lin < 0) return undefined;
      const n = Math.min(length - done, PAGE - (lin % PAGE));
      out.set(this.memory.bytes(lin, n), done);
      done += n;
    }
    return out;
  }

  /** Stores bytes; false (and nothing stored from there on) where no region is. */
  writeBytes(pa: bigint, data: Uint8Array): boolean {
    for (let done = 0; done < data.length; ) {
      const at = pa + BigInt(done);
      const lin = this.lin(at);
      if (lin < 0) return false;
      const n = Math.min(data.length - done, PAGE - (lin % PAGE));
      if (this.isWritable(at)) this.memory.bytes(lin, n).set(data.subarray(done, done + n));
      done += n;
    }
    return true;
  }

  /** Regions in the order of mapping; neighbours that grew together are one. */
  regions(): readonly Region[] {
    return this.#regions;
  }

  /** Tells `listener` now and at every change where the tree and the first range are. */
  attach(listener: (root: MapRoot) => void): void {
    this.#listeners.push(listener);
    listener(this.#mapRoot());
  }

  #mapRoot(): MapRoot {
    const first = this.#first;
    if (!first) return { root: this.#root, base: 0n, bytes: 0n, lin: 0 };
    return { root: this.#root, base: first.base, bytes: first.bytes, lin: first.lin };
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(this.#mapRoot());
  }

  #check(base: bigint, size: number, lin: number): void {
    if (base < 0n || base % 4096n || size % PAGE || lin % PAGE || size <= 0) {
      throw new RangeError(
        `region 0x${base.toString(16)}+0x${size.toString(16)}: base, size and place must be ` +
          "multiples of 4096",
      );
    }
    if (base + BigInt(size) > 1n << 48n) {
      throw new RangeError(`region 0x${base.toString(16)} reaches beyond 48 bits`);
    }
  }

  #mapConstant(base: bigint, size: number, kind: RegionKind, fill: number): void {
    this.#check(base, size, 0);
    let page = this.#constants.get(kind);
    if (page === undefined) {
      page = this.memory.alloc(PAGE, PAGE);
      this.memory.bytes(page, PAGE).fill(fill);
      this.#constants.set(kind, page);
    }
    this.#replace(base, size);
    const flags = ENTRY_PRESENT | ENTRY_READONLY;
    const first = Number(base >> 12n);
    const last = first + size / PAGE;
    const wholeFirst = Math.ceil(first / PAGES_PER_ROOT) * PAGES_PER_ROOT;
    const wholeLast = Math.floor(last / PAGES_PER_ROOT) * PAGES_PER_ROOT;
    if (wholeFirst >= wholeLast) this.#setPages(base, size, page, flags, 0);
    else {
      const pages = (from: number, to: number) =>
        this.#setPages(BigInt(from) * BigInt(PAGE), (to - from) * PAGE, page, flags, 0);
      pages(first, wholeFirst);
      this.#setConstantRoots(wholeFirst, wholeLast, page | flags);
      pages(wholeLast, last);
    }
    this.#note({ base, bytes: BigInt(size), lin: page, kind });
  }

  /** Fills whole gigabytes with one page: their slots share two nodes. */
  #setConstantRoots(first: number, last: number, entry: number): void {
    const filled = (value: number): number => {
      const node = this.memory.alloc(PAGE, PAGE);
      for (let i = 0; i < NODE_ENTRIES; i++) this.memory.writeU32(node + i * 4, value >>> 0);
      this.#sharedNodes.add(node);
      return node;
    };
    const blocks = filled(filled(entry) | ENTRY_PRESENT);
    for (let page = first; page < last; page += PAGES_PER_ROOT) {
      this.memory.writeU32(this.#root + (page / PAGES_PER_ROOT) * 4, blocks | ENTRY_PRESENT);
    }
  }

  /** The node of a slot that is about to change: a copy of its own when it was shared. */
  #ownNode(slot: number): number {
    const node = (this.memory.readU32(slot) & ~ENTRY_FLAGS) >>> 0;
    if (!this.#sharedNodes.has(node)) return node;
    const copy = this.memory.alloc(PAGE, PAGE);
    this.memory.bytes(copy, NODE_ENTRIES * 4).set(this.memory.bytes(node, NODE_ENTRIES * 4));
    this.memory.writeU32(slot, (copy | ENTRY_PRESENT) >>> 0);
    return copy;
  }

  /** Takes a range that is about to be mapped out of earlier regions, if anything is there. */
  #replace(base: bigint, size: number): void {
    const first = Number(base >> 12n);
    if (this.#isMapped(first, first + size / PAGE)) this.#carve(base, base + BigInt(size));
  }

  #isMapped(first: number, end: number): boolean {
    for (let page = first, next: number; page < end; page = next) {
      next = nextMultiple(page, PAGES_PER_ROOT);
      const root = this.memory.readU32(this.#root + Math.floor(page / PAGES_PER_ROOT) * 4);
      if (!(root & ENTRY_PRESENT)) continue;
      next = page + 1;
      if (this.#entry(page) & ENTRY_PRESENT) return true;
    }
    return false;
  }

  /** Takes a range out of the regions that it touches. */
  #carve(base: bigint, end: bigint): void {
    const first = this.#first;
    if (first && base < first.base + first.bytes && end > first.base) this.#first = undefined;
    const kept = this.#regions.flatMap((r) => without(r, base, end));
    this.#regions.splice(0, this.#regions.length, ...kept);
  }

  /** Remembers a region and lets the largest RAM range be tried first. */
  #note(region: Region): void {
    const last = this.#regions.at(-1);
    const adjoins =
      last !== undefined &&
      last.kind === "ram" &&
      region.kind === "ram" &&
      last.base + last.bytes === region.base &&
      last.lin + Number(last.bytes) === region.lin;
    const entry = adjoins ? last : region;
    if (adjoins) last.bytes += region.bytes;
    else this.#regions.push(region);
    if (entry.kind === "ram" && (!this.#first || entry.bytes >= this.#first.bytes)) {
      this.#first = entry;
    }
    this.#tell();
  }

  #entry(page: number): number {
    const view = this.memory.view();
    const root = Math.floor(page / PAGES_PER_ROOT);
    let entry = view.getUint32(this.#root + root * 4, true);
    if (!(entry & ENTRY_PRESENT)) return 0;
    const block = Math.floor(page / PAGES_PER_BLOCK) % NODE_ENTRIES;
    entry = view.getUint32(((entry & ~ENTRY_FLAGS) >>> 0) + block * 4, true);
    if (!(entry & ENTRY_PRESENT) || entry & ENTRY_LEAF) {
      return entry & ENTRY_LEAF ? entry + (page % PAGES_PER_BLOCK) * PAGE : 0;
    }
    return view.getUint32(((entry & ~ENTRY_FLAGS) >>> 0) + (page % PAGES_PER_BLOCK) * 4, true);
  }

  #setPages(base: bigint, size: number, lin: number, flags: number, step: number): void {
    const first = Number(base >> 12n);
    const pages = size / PAGE;
    for (let i = 0; i < pages; ) {
      const page = first + i;
      const wholeBlock = page % PAGES_PER_BLOCK === 0 && pages - i >= PAGES_PER_BLOCK && step > 0;
      if (wholeBlock) {
        this.#setBlock(page, lin + i * step, flags);
        i += PAGES_PER_BLOCK;
      } else {
        const entry = ((lin + i * step) | flags) >>> 0;
        this.memory.writeU32(this.#pageNode(page) + (page % PAGES_PER_BLOCK) * 4, entry);
        i += 1;
      }
    }
  }

  /** Empties whole gigabytes and blocks by their slots, the rest page by page. */
  #clearPages(first: number, pages: number): void {
    const end = first + pages;
    for (let page = first, next: number; page < end; page = next) {
      next = Math.min(end, nextMultiple(page, PAGES_PER_ROOT));
      const root = this.#root + Math.floor(page / PAGES_PER_ROOT) * 4;
      if (next - page === PAGES_PER_ROOT) this.memory.writeU32(root, 0);
      if (!(this.memory.readU32(root) & ENTRY_PRESENT)) continue;
      next = Math.min(end, nextMultiple(page, PAGES_PER_BLOCK));
      const block = this.#blockSlot(page);
      if (next - page === PAGES_PER_BLOCK) this.memory.writeU32(block, 0);
      if (!(this.memory.readU32(block) & ENTRY_PRESENT)) continue;
      next = page + 1;
      this.memory.writeU32(this.#pageNode(page) + (page % PAGES_PER_BLOCK) * 4, 0);
    }
  }

  #setBlock(page: number, lin: number, flags: number): void {
    const at = this.#blockSlot(page);
    this.memory.writeU32(at, (lin | flags | ENTRY_LEAF) >>> 0);
  }

  /** Address of the 2 MiB slot of a page, creating its node. */
  #blockSlot(page: number): number {
    const slot = this.#root + Math.floor(page / PAGES_PER_ROOT) * 4;
    let entry = this.memory.readU32(slot);
    if (!(entry & ENTRY_PRESENT)) {
      entry = this.memory.alloc(PAGE, PAGE) | ENTRY_PRESENT;
      this.memory.writeU32(slot, entry);
    }
    return this.#ownNode(slot) + (Math.floor(page / PAGES_PER_BLOCK) % NODE_ENTRIES) * 4;
  }

  /** Address of the 4 KiB node of a page, splitting a 2 MiB entry when needed. */
  #pageNode(page: number): number {
    const slot = this.#blockSlot(page);
    const entry = this.memory.readU32(slot);
    if (entry & ENTRY_PRESENT && !(entry & ENTRY_LEAF)) return this.#ownNode(slot);
    const node = this.memory.alloc(PAGE, PAGE);
    if (entry & ENTRY_LEAF) {
      const flags = entry & ENTRY_FLAGS & ~ENTRY_LEAF;
      const lin = (entry & ~ENTRY_FLAGS) >>> 0;
      for (let i = 0; i < NODE_ENTRIES; i++) {
        this.memory.writeU32(node + i * 4, ((lin + i * PAGE) | flags) >>> 0);
      }
    }
    this.memory.writeU32(slot, (node | ENTRY_PRESENT) >>> 0);
    return node;
  }
}

const nextMultiple = (page: number, of: number): number => (Math.floor(page / of) + 1) * of;

/** What is left of a region outside [base, end). */
function without(r: Region, base: bigint, end: bigint): Region[] {
  const rEnd = r.base + r.bytes;
  if (end <= r.base || base >= rEnd) return [r];
  const left: Region[] = [];
  if (base > r.base) left.push({ ...r, bytes: base - r.base });
  if (end < rEnd) {
    const skip = r.kind === "ram" ? Number(end - r.base) : 0;
    left.push({ ...r, base: end, bytes: rEnd - end, lin: r.lin + skip });
  }
  return left;
}
