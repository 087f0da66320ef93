// Builds VMSAv8-64 translation tables of either stage (DDI0487 D8.2, IHI0070 3.4).
import { S1LEAF, S1TABLE, S2LEAF, S2TABLE } from "../spec/descriptor.ts";
import { getField, packFields } from "../spec/word.ts";
import type { TableMemory } from "./memory.ts";

/** log2 of a granule: 4 KiB, 16 KiB, 64 KiB. */
export type GranuleShift = 12 | 14 | 16;

/** Level whose descriptors map pages. */
const LAST_LEVEL = 3;

/** Most stage 2 start tables that may be concatenated, as log2. */
const CONCATENATED_LOG2_MAX = 4;

/** Shape of a table. */
export interface Geometry {
  readonly stage: 1 | 2;
  readonly granule: GranuleShift;
  /** Bits of the input address. */
  readonly inputBits: number;
}

/** Values of the leaf fields other than the address, by field name. */
export type LeafFields = Readonly<Record<string, number | bigint>>;

/** One mapping found by `lookup`. */
export interface Leaf {
  readonly level: number;
  /** Where the descriptor is. */
  readonly at: bigint;
  readonly descriptor: bigint;
}

/** log2 of the bytes that one descriptor of a level maps. */
export const levelShift = (granule: GranuleShift, level: number): number =>
  granule + (LAST_LEVEL - level) * (granule - 3);

/**
 * Start level and log2 of the entries of the start table. Stage 2 starts one level lower where 16
 * or fewer concatenated tables reach.
 */
export function startOf({ stage, granule, inputBits }: Geometry): {
  level: number;
  indexBits: number;
} {
  const stride = granule - 3;
  let level = LAST_LEVEL - (Math.ceil((inputBits - granule) / stride) - 1);
  let indexBits = inputBits - levelShift(granule, level);
  if (stage === 2 && level < LAST_LEVEL && indexBits <= CONCATENATED_LOG2_MAX) {
    level++;
    indexBits += stride;
  }
  return { level, indexBits };
}

/** Lowest level at which a granule has blocks. */
const firstBlockLevel = (granule: GranuleShift): number => (granule === 12 ? 1 : 2);

const isTable = (descriptor: bigint): boolean => getField(S1TABLE, [descriptor], "type") === 1n;

const isValid = (descriptor: bigint): boolean => getField(S1TABLE, [descriptor], "valid") === 1n;

/** A translation table in memory that grows as ranges are mapped. */
export class PageTable {
  /** Base of the start table: TTB0, TTB1 or S2TTB. */
  readonly root: bigint;
  readonly startLevel: number;
  private readonly indexBits: number;

  constructor(
    readonly memory: TableMemory,
    readonly geometry: Geometry,
  ) {
    const start = startOf(geometry);
    this.startLevel = start.level;
    this.indexBits = start.indexBits;
    this.root = memory.allocate(this.rootBytes);
  }

  private get rootBytes(): number {
    return Math.max(64, 8 * 2 ** this.indexBits);
  }

  private get tableBytes(): number {
    return 2 ** this.geometry.granule;
  }

  /**
   * Maps a range with the largest blocks that fit. Addresses and length are multiples of the
   * granule; mappings and tables in the way are replaced.
   */
  map(input: bigint, output: bigint, bytes: bigint, fields: LeafFields): void {
    for (let done = 0n; done < bytes; ) {
      const level = this.blockLevel(input + done, output + done, bytes - done);
      const at = this.descriptorAt(input + done, level);
      this.memory.write64(at, this.leaf(level, output + done, fields));
      done += 1n << BigInt(levelShift(this.geometry.granule, level));
    }
  }

  /** Removes every mapping that starts inside the range; tables stay. */
  unmap(input: bigint, bytes: bigint): void {
    for (let at = input; at < input + bytes; ) {
      const found = this.lookup(at);
      const size = 1n << BigInt(levelShift(this.geometry.granule, found.level));
      if (isValid(found.descriptor)) this.memory.write64(found.at, 0n);
      at = (at / size + 1n) * size;
    }
  }

  /** The descriptor that decides about an address: a leaf, or the first invalid one. */
  lookup(input: bigint): Leaf {
    let table = this.root;
    for (let level = this.startLevel; ; level++) {
      const at = table + this.index(input, level) * 8n;
      const descriptor = this.memory.read64(at);
      const last = level === LAST_LEVEL || !isValid(descriptor) || !isTable(descriptor);
      if (last) return { level, at, descriptor };
      table = getField(S1TABLE, [descriptor], "NLTA");
    }
  }

  /** Gives all tables back. */
  destroy(): void {
    this.releaseTable(this.root, this.startLevel, this.rootBytes);
  }

  private releaseTable(table: bigint, level: number, bytes: number): void {
    if (level < LAST_LEVEL)
      for (let i = 0; i < bytes / 8; i++) {
        const descriptor = this.memory.read64(table + BigInt(i * 8));
        if (isValid(descriptor) && isTable(descriptor))
          this.releaseTable(getField(S1TABLE, [descriptor], "NLTA"), level + 1, this.tableBytes);
      }
    this.memory.release(table, bytes);
  }

  private blockLevel(input: bigint, output: bigint, bytes: bigint): number {
    const { granule } = this.geometry;
    for (let level = Math.max(this.startLevel, firstBlockLevel(granule)); ; level++) {
      const size = 1n << BigInt(levelShift(granule, level));
      if (level === LAST_LEVEL) return level;
      if (input % size === 0n && output % size === 0n && bytes >= size) return level;
    }
  }

  private index(input: bigint, level: number): bigint {
    const shift = BigInt(levelShift(this.geometry.granule, level));
    const bits = level === this.startLevel ? this.indexBits : this.geometry.granule - 3;
    return (input >> shift) % (1n << BigInt(bits));
  }

  /** Address of the descriptor of a level for an input, with the tables above it made if needed. */
  private descriptorAt(input: bigint, target: number): bigint {
    let table = this.root;
    for (let level = this.startLevel; ; level++) {
      const at = table + this.index(input, level) * 8n;
      if (level === target) return at;
      const descriptor = this.memory.read64(at);
      if (isValid(descriptor) && isTable(descriptor)) {
        table = getField(S1TABLE, [descriptor], "NLTA");
        continue;
      }
      table = this.memory.allocate(this.tableBytes);
      const layout = this.geometry.stage === 1 ? S1TABLE : S2TABLE;
      this.memory.write64(at, packFields(layout, { valid: 1, type: 1, NLTA: table })[0]);
    }
  }

  private leaf(level: number, output: bigint, fields: LeafFields): bigint {
    const layout = this.geometry.stage === 1 ? S1LEAF : S2LEAF;
    const type = level === LAST_LEVEL ? 1 : 0;
    return packFields(layout as typeof S1LEAF, { valid: 1, type, OA: output, AF: 1, ...fields })[0];
  }
}
