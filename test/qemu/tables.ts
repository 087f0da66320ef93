// Builds translation tables, stream table entries and context descriptors as raw words.
// The positions are written down here once more, apart from the product's own layout tables.

/** Words of memory by address. */
export type Words = Map<bigint, bigint>;

const mask = (bits: number) => (1n << BigInt(bits)) - 1n;

/** Puts a value into bits [hi:lo] of an entry given as an array of 64-bit words. */
export function put(words: bigint[], hi: number, lo: number, value: bigint | number): void {
  const i = lo >> 6;
  const field = mask(hi - lo + 1) << BigInt(lo & 63);
  words[i] = (words[i] & ~field) | ((BigInt(value) << BigInt(lo & 63)) & field);
}

/** Reads bits [hi:lo] of an entry. */
export function take(words: bigint[], hi: number, lo: number): bigint {
  return (words[lo >> 6] >> BigInt(lo & 63)) & mask(hi - lo + 1);
}

/** Address bits that one entry of a level resolves, granule given as its log2. */
export const levelShift = (granule: number, level: number) => granule + (3 - level) * (granule - 3);

/** First level of a walk that resolves `bits` address bits without concatenation. */
export function startLevel(granule: number, bits: number): number {
  return 4 - Math.ceil((bits - granule) / (granule - 3));
}

/** Hands out aligned pieces of one region. */
export class Region {
  #next: bigint;
  constructor(base: bigint) {
    this.#next = base;
  }
  take(bytes: bigint): bigint {
    const align = bytes < 64n ? 64n : bytes;
    this.#next = (this.#next + align - 1n) & -align;
    const at = this.#next;
    this.#next += bytes;
    return at;
  }
}

/** The tables of one stage. Words hold physical addresses; descriptors hold `toInput` of them. */
export class Tables {
  readonly words: Words = new Map();
  /** Addresses of leaf descriptors in the order of their making. */
  readonly leaves: bigint[] = [];
  /** Pages (of the granule's size) that hold tables. */
  readonly pages = new Set<bigint>();
  readonly root: bigint;
  readonly #region: Region;
  readonly #granule: number;
  readonly #bits: number;
  readonly #start: number;
  readonly #toInput: (pa: bigint) => bigint;

  constructor(
    region: Region,
    granule: number,
    bits: number,
    start: number,
    toInput: (pa: bigint) => bigint = (pa) => pa,
  ) {
    this.#region = region;
    this.#granule = granule;
    this.#bits = bits;
    this.#start = start;
    this.#toInput = toInput;
    const entries = Math.max(bits - levelShift(granule, start), 0);
    this.root = region.take(8n << BigInt(entries));
    this.#own(this.root);
  }

  #own(table: bigint): void {
    this.pages.add(table >> 12n);
  }

  /** Maps the block or page of `level` around `address`, unless something is there already. */
  map(address: bigint, level: number, leaf: bigint): void {
    let table = this.root;
    const input = address & mask(this.#bits);
    for (let l = this.#start; l <= level; l++) {
      const shift = BigInt(levelShift(this.#granule, l));
      const width = l === this.#start ? 63 : this.#granule - 3;
      const slot = table + 8n * ((input >> shift) & mask(width));
      this.#own(slot);
      const found = this.words.get(slot) ?? 0n;
      if (l === level) {
        if (found === 0n) {
          this.words.set(slot, leaf | (level === 3 ? 3n : 1n));
          this.leaves.push(slot);
        }
        return;
      }
      if (found === 0n) {
        const next = this.#region.take(1n << BigInt(this.#granule));
        this.words.set(slot, this.#toInput(next) | 3n);
        table = next;
        this.#own(next);
      } else if ((found & 3n) === 3n) {
        const low = mask(48) & ~mask(this.#granule);
        table = (found & low) - (this.#toInput(0n) & mask(48));
      } else {
        return;
      }
    }
  }
}

/** Upper and lower attribute bits of a leaf, from small numbers. */
export function leafAttributes(a: {
  ap: number;
  af: boolean;
  index: number;
  sh: number;
  ng: boolean;
  xn: number;
  contiguous: boolean;
}): bigint {
  return (
    (BigInt(a.xn) << 53n) |
    (a.contiguous ? 1n << 52n : 0n) |
    (a.ng ? 1n << 11n : 0n) |
    (a.af ? 1n << 10n : 0n) |
    (BigInt(a.sh) << 8n) |
    (BigInt(a.ap) << 6n) |
    (BigInt(a.index) << 2n)
  );
}

/** The next data page, block or page, of a leaf at `level` that leads to `pa`. */
export function outputOf(pa: bigint, granule: number, level: number): bigint {
  return pa & ~mask(levelShift(granule, level));
}
