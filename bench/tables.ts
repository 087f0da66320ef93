// Four-level tables with a 4 KiB granule, built fast enough for hundreds of megabytes (DDI0487
// D8.3).
import { S1LEAF, S1TABLE, S2LEAF } from "../src/spec/descriptor.ts";
import { packFields } from "../src/spec/word.ts";
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
