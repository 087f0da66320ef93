// Reads a guest's tables as plain data: geometry, one address, every leaf (DDI0487 D8.2).

/** Reads an aligned 64-bit word; undefined when memory at that address is unknown. */
export type ReadWord = (pa: bigint) => bigint | undefined;

/** Where one stage's tables start and how they divide the address. */
export interface StageTables {
  readonly stage: 1 | 2;
  /** Address of the start table; an IPA for stage 1 of a nested stream. */
  readonly base: bigint;
  /** log2 of the granule: 12, 14 or 16. */
  readonly granuleBits: number;
  /** Significant input address bits. */
  readonly inputBits: number;
  readonly startLevel: number;
  /** What the input bits above `inputBits` are: 0, or all ones for the upper half. */
  readonly high: bigint;
}

/** A block or page descriptor. */
export interface Leaf {
  readonly level: number;
  /** First input address that it maps. */
  readonly va: bigint;
  /** Output address of `va`. */
  readonly out: bigint;
  /** Bytes that it maps. */
  readonly bytes: bigint;
  readonly pte: bigint;
  /** Physical address of the descriptor. */
  readonly pteAddress: bigint;
}

/** Reached by nobody: enumerating more descriptors than this is refused. */
const DESCRIPTORS_MAX = 64_000_000;
const CONCATENATED_BITS_MAX = 4;
const ADDRESS_BITS = 48n;

/** Start level of stage 1: 4 - ceil((inputBits - g) / (g - 3)). */
export function startLevelOf(inputBits: number, granuleBits: number): number {
  return 4 - Math.ceil((inputBits - granuleBits) / (granuleBits - 3));
}

/** log2 of the bytes that one descriptor of `level` maps. */
export function levelShift(level: number, granuleBits: number): number {
  return granuleBits + (granuleBits - 3) * (3 - level);
}

/** What a descriptor is at its level. */
export function descriptorKind(pte: bigint, level: number): "invalid" | "table" | "leaf" {
  if ((pte & 1n) === 0n) return "invalid";
  const bit1 = (pte & 2n) !== 0n;
  if (level === 3) return bit1 ? "leaf" : "invalid";
  return bit1 ? "table" : "leaf";
}

/** Bits [47:low] of a descriptor. */
export function descriptorAddress(pte: bigint, low: number): bigint {
  return (BigInt.asUintN(Number(ADDRESS_BITS), pte) >> BigInt(low)) << BigInt(low);
}

/** AP[2:1] of stage 1, or S2AP of stage 2. */
export function accessBits(pte: bigint): number {
  return Number((pte >> 6n) & 3n);
}

/** The access flag. */
export function accessFlag(pte: bigint): boolean {
  return (pte & 0x400n) !== 0n;
}

/**
 * The leaf that maps `va`, or undefined: invalid descriptor, address out of range, unknown memory.
 * @param locate turns a table address into a physical one (stage 2 of a nested stream)
 */
export function findLeaf(
  tables: StageTables,
  va: bigint,
  read: ReadWord,
  locate: (address: bigint) => bigint | undefined = (a) => a,
): Leaf | undefined {
  const input = BigInt.asUintN(tables.inputBits, va);
  if ((va >> BigInt(tables.inputBits)) << BigInt(tables.inputBits) !== tables.high)
    return undefined;
  let table = startBase(tables);
  for (let level = tables.startLevel; level <= 3; level++) {
    const shift = levelShift(level, tables.granuleBits);
    const index = indexAt(tables, input, level, shift);
    const pteAddress = locate(table + 8n * index);
    const pte = pteAddress === undefined ? undefined : read(pteAddress);
    if (pteAddress === undefined || pte === undefined) return undefined;
    const kind = descriptorKind(pte, level);
    if (kind === "invalid") return undefined;
    if (kind === "table") {
      table = descriptorAddress(pte, tables.granuleBits);
      continue;
    }
    const bytes = 1n << BigInt(shift);
    const out = descriptorAddress(pte, shift);
    return { level, va: va & ~(bytes - 1n), out, bytes, pte, pteAddress };
  }
  return undefined;
}

/** The physical address of `address` through `tables`, or undefined. */
export function resolve(tables: StageTables, address: bigint, read: ReadWord): bigint | undefined {
  const leaf = findLeaf(tables, address, read);
  return leaf && leaf.out + (address & (leaf.bytes - 1n));
}

/**
 * Every leaf in order of its input address; tables in unknown memory are skipped.
 * @throws RangeError after `DESCRIPTORS_MAX` descriptors (tables that point at themselves)
 */
export function* leaves(
  tables: StageTables,
  read: ReadWord,
  locate: (address: bigint) => bigint | undefined = (a) => a,
): Generator<Leaf> {
  const budget = { left: DESCRIPTORS_MAX };
  const bits = Math.max(0, tables.inputBits - levelShift(tables.startLevel, tables.granuleBits));
  const limit = tables.granuleBits - 3 + CONCATENATED_BITS_MAX;
  yield* tableLeaves(
    { tables, read, locate, budget },
    startBase(tables),
    tables.startLevel,
    tables.high,
    1 << Math.min(bits, limit),
  );
}

interface Search {
  tables: StageTables;
  read: ReadWord;
  locate: (address: bigint) => bigint | undefined;
  budget: { left: number };
}

function* tableLeaves(
  s: Search,
  table: bigint,
  level: number,
  va: bigint,
  entries: number,
): Generator<Leaf> {
  const { granuleBits } = s.tables;
  const shift = BigInt(levelShift(level, granuleBits));
  let page: bigint | undefined;
  for (let i = 0; i < entries; i++) {
    const address = table + 8n * BigInt(i);
    if (i === 0 || (address & 0xfffn) === 0n) page = s.locate(address - (address & 0xfffn));
    if (page === undefined) continue;
    const pteAddress = page + (address & 0xfffn);
    const pte = s.read(pteAddress);
    if (--s.budget.left < 0) throw new RangeError("the tables have no end");
    if (pte === undefined || (pte & 1n) === 0n) continue;
    const kind = descriptorKind(pte, level);
    const first = BigInt.asUintN(64, va + (BigInt(i) << shift));
    if (kind === "table") {
      const next = descriptorAddress(pte, granuleBits);
      yield* tableLeaves(s, next, level + 1, first, 1 << (granuleBits - 3));
    } else if (kind === "leaf") {
      const out = descriptorAddress(pte, Number(shift));
      yield { level, va: first, out, bytes: 1n << shift, pte, pteAddress };
    }
  }
}

/** The start table's address; bits below its size are taken as 0. */
function startBase(tables: StageTables): bigint {
  const bits = tables.inputBits - levelShift(tables.startLevel, tables.granuleBits);
  const align = BigInt(Math.max(3, bits + 3));
  return (tables.base >> align) << align;
}

function indexAt(tables: StageTables, input: bigint, level: number, shift: number): bigint {
  const index = input >> BigInt(shift);
  if (level === tables.startLevel) return index;
  return BigInt.asUintN(tables.granuleBits - 3, index);
}
