// Physical memory under construction: RAM to place structures in, and page tables of one stage.

import type { Draw } from "./source.ts";

/** A range of physical memory that answers; everything else aborts. */
export interface RamRange {
  base: bigint;
  bytes: bigint;
}

const RAM_BYTES = 0x0080_0000;

/** Where a machine may keep its structures: the base, and the bits its addresses need. */
const RAM_BASES: readonly { base: number; bits: number }[] = [
  { base: 0x4000_0000, bits: 32 },
  { base: 0x9_4000_0000, bits: 36 },
  { base: 0x9abc_0000_0000, bits: 48 },
];

/** The RAM of every generated machine: 8 MiB at a 31-bit, a 36-bit and a 48-bit address. */
export const RAM_RANGES: readonly RamRange[] = RAM_BASES.map(({ base }) => {
  return { base: BigInt(base), bytes: BigInt(RAM_BYTES) };
});

/** What a written word is, so that it can be spoiled later. */
export interface Written {
  address: number;
  kind: "table" | "leaf" | "structure";
  stage: 0 | 1 | 2;
  granule: number;
}

/** Words of RAM, and a place to put more. */
export class Ram {
  readonly words = new Map<number, bigint>();
  readonly written: Written[] = [];
  /** Bits that the address of every structure fits in. */
  readonly bits: number;
  private readonly base: number;
  private cursor: number;

  /** `oas`: no structure lies beyond this many bits, if that can be had. */
  constructor(draw: Draw, oas: number) {
    const reachable = RAM_BASES.filter(({ bits }) => bits <= oas);
    const { base, bits } = draw.chance(30) ? draw.pick(reachable) : RAM_BASES[0];
    this.base = base;
    this.bits = bits;
    this.cursor = base + draw.below(256) * 0x1000;
  }

  /** Reserves bytes (a power of two) aligned to themselves, at least to `align`. */
  reserve(bytes: number, align = bytes): number {
    const unit = Math.max(bytes, align);
    const base = Math.ceil(this.cursor / unit) * unit;
    if (base + bytes > this.base + RAM_BYTES) return this.base;
    this.cursor = base + bytes;
    return base;
  }

  /** Writes one word. */
  set(address: number, word: bigint): void {
    this.words.set(address, word);
  }

  /** Writes a structure of 64-bit words. */
  setStructure(address: number, words: readonly bigint[]): void {
    for (let i = 0; i < words.length; i++) this.set(address + 8 * i, words[i]);
  }

  /** Writes one descriptor and remembers it. */
  descriptor(w: Written, word: bigint): void {
    this.set(w.address, word);
    this.written.push(w);
  }
}

/** log2 of the bytes that one entry of a level maps. */
export function levelShift(granule: number, level: number): number {
  return granule + (3 - level) * (granule - 3);
}

/** Sees a table through the other stage: its address there, given the entry that will be read. */
export type Expose = (pa: number, bytes: number, offset: number) => number;

/** Bits of the table descriptor besides its address. */
export type TableBits = () => bigint;

/** The translation tables of one stage, grown as mappings are added. */
export class Tables {
  readonly stage: 1 | 2;
  readonly granule: number;
  readonly startLevel: number;
  readonly inputBits: number;
  /** Physical address of the first table. */
  readonly root: number;
  readonly rootBytes: number;
  private readonly ram: Ram;
  private readonly expose: Expose;
  private readonly tableBits: TableBits;
  /** Placed tables and leaves, by "level/prefix". A leaf is stored as -1. */
  private readonly known = new Map<string, number>();

  constructor(
    ram: Ram,
    shape: { stage: 1 | 2; granule: number; startLevel: number; inputBits: number },
    expose: Expose,
    tableBits: TableBits,
  ) {
    this.ram = ram;
    this.stage = shape.stage;
    this.granule = shape.granule;
    this.startLevel = shape.startLevel;
    this.inputBits = shape.inputBits;
    this.expose = expose;
    this.tableBits = tableBits;
    const indexBits = this.inputBits - levelShift(this.granule, this.startLevel);
    this.rootBytes = 2 ** Math.max(4, indexBits + 3);
    this.root = ram.reserve(this.rootBytes);
  }

  /** Address of the first table as the walker of this stage must be told. */
  rootAddress(): number {
    return this.expose(this.root, this.rootBytes, 0);
  }

  /** Byte offset of the entry for an address in its table. */
  private offset(address: bigint, level: number): number {
    const bits =
      level === this.startLevel
        ? this.inputBits - levelShift(this.granule, level)
        : this.granule - 3;
    const shifted = address >> BigInt(levelShift(this.granule, level));
    return Number(BigInt.asUintN(bits, shifted)) * 8;
  }

  /**
   * Adds a leaf for an address at a level, or below it where a table is in the way; intermediate
   * tables appear as needed. Nothing happens where a leaf is in the way.
   */
  map(address: bigint, level: number, leaf: (level: number) => bigint): void {
    let table = this.root;
    let bytes = this.rootBytes;
    for (let at = this.startLevel; at <= 3; at++) {
      const offset = this.offset(address, at);
      this.expose(table, bytes, offset);
      const slot = table + offset;
      const name = `${at}/${address >> BigInt(levelShift(this.granule, at))}`;
      const next = this.known.get(name);
      if (next === -1) return;
      if (at >= level && next === undefined) {
        this.known.set(name, -1);
        this.ram.descriptor(this.entry(slot, "leaf"), leaf(at));
        return;
      }
      bytes = 2 ** this.granule;
      table = next ?? this.addTable(name, slot, bytes);
    }
  }

  /** Places an empty table and links it from the entry at `slot`. */
  private addTable(name: string, slot: number, bytes: number): number {
    const table = this.ram.reserve(bytes);
    this.known.set(name, table);
    const word = BigInt(this.expose(table, bytes, 0)) | this.tableBits() | 3n;
    this.ram.descriptor(this.entry(slot, "table"), word);
    return table;
  }

  private entry(address: number, kind: "table" | "leaf"): Written {
    return { address, kind, stage: this.stage, granule: this.granule };
  }
}
