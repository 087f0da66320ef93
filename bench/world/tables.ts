// Four-level tables with a 4 KiB granule, built fast enough for hundreds of megabytes (DDI0487
// D8.3).
import { S1LEAF, S1TABLE, S2LEAF } from "../../src/spec/descriptor.ts";
import { packFields } from "../../src/spec/word.ts";
import type { World } from "./world.ts";

const TWO_32 = 2 ** 32;
const TABLE_BYTES = 4096;
const ENTRIES = 512;
/** Bytes that one descriptor of levels 0 to 3 maps. */
const SPAN = [2 ** 39, 2 ** 30, 2 ** 21, 2 ** 12];
const LAST_LEVEL = 3;

/** A table tree of one stage. Addresses are plain numbers. */
export class Tables {
  readonly root: number;
  readonly #world: World;
  readonly #table: number;
  readonly #leaf: number;
  readonly #block: number;
  /** Tables by the entry that points to them. */
  readonly #made = new Map<number, number>();
  /** What a table's address is in the tables themselves: its IPA when it is behind stage 2. */
  readonly #seenAs: (pa: number) => number;

  constructor(world: World, stage: 1 | 2, seenAs: (pa: number) => number = (pa) => pa) {
    this.#world = world;
    this.#seenAs = seenAs;
    this.#table = Number(packFields(S1TABLE, { valid: 1, type: 1 })[0]);
    const leaf =
      stage === 1
        ? packFields(S1LEAF, { valid: 1, type: 1, AF: 1, "AP[1]": 1, SH: 3, nG: 1 })
        : packFields(S2LEAF, {
            valid: 1,
            type: 1,
            AF: 1,
            "S2AP[0]": 1,
            "S2AP[1]": 1,
            SH: 3,
            MemAttr: 15,
          });
    this.#leaf = Number(leaf[0]);
    this.#block = this.#leaf - Number(packFields(S1LEAF, { type: 1 })[0]);
    this.root = world.alloc(TABLE_BYTES);
  }

  /** Maps one page (or, at level 2, one 2 MiB block). */
  map(input: number, output: number, level = LAST_LEVEL): void {
    let table = this.root;
    for (let l = 0; l < level; l++) table = this.#next(this.#entry(table, input, l));
    const bits = level === LAST_LEVEL ? this.#leaf : this.#block;
    this.#write(this.#entry(table, input, level), output, bits);
  }

  /** A last table whose 512 pages follow each other from `output` on; nothing points to it yet. */
  leaf(output: number): number {
    const table = this.#world.alloc(TABLE_BYTES);
    const words = this.#wordsOf(table);
    for (let i = 0; i < ENTRIES; i++) {
      const page = output + i * SPAN[LAST_LEVEL];
      words[i * 2] = (page % TWO_32) + this.#leaf;
      words[i * 2 + 1] = Math.floor(page / TWO_32);
    }
    return table;
  }

  /** Maps the 2 MiB around an input by a last table. */
  link(input: number, leaf: number): void {
    this.#write(this.#entry(this.#above(input), input, 2), this.#seenAs(leaf), this.#table);
  }

  /** Maps the 1 GiB around an input by last tables, of which each may stand in many places. */
  linkAll(input: number, leafOf: (index: number) => number): void {
    const words = this.#wordsOf(this.#above(input));
    for (let i = 0; i < ENTRIES; i++) {
      const leaf = this.#seenAs(leafOf(i));
      words[i * 2] = (leaf % TWO_32) + this.#table;
      words[i * 2 + 1] = Math.floor(leaf / TWO_32);
    }
  }

  /** The table of level 2 around an input. */
  #above(input: number): number {
    let table = this.root;
    for (let l = 0; l < 2; l++) table = this.#next(this.#entry(table, input, l));
    return table;
  }

  #wordsOf(table: number): Uint32Array {
    return new Uint32Array(this.#world.memory.memory.buffer, this.#world.lin(table), ENTRIES * 2);
  }

  #entry(table: number, input: number, level: number): number {
    return table + (Math.floor(input / SPAN[level]) % ENTRIES) * 8;
  }

  /** The next table, made when it is missing. */
  #next(entry: number): number {
    const known = this.#made.get(entry);
    if (known !== undefined) return known;
    const table = this.#world.alloc(TABLE_BYTES);
    this.#made.set(entry, table);
    this.#write(entry, this.#seenAs(table), this.#table);
    return table;
  }

  #write(entry: number, address: number, bits: number): void {
    const at = this.#world.lin(entry);
    this.#world.memory.writeU32(at, ((address % TWO_32) + bits) >>> 0);
    this.#world.memory.writeU32(at + 4, Math.floor(address / TWO_32));
  }
}
