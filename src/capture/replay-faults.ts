// The fault tests of a capture: what each one stored in memory before its DMA, and its direction.

import { STRTAB_BASE, STRTAB_BASE_CFG } from "../spec/register-queue.ts";
import { getField } from "../spec/word.ts";
import { InputError } from "./errors.ts";
import { Field } from "./field.ts";
import { parseDocument } from "./manifest.ts";
import type { ReplayMemory } from "./replay-memory.ts";
import type { TranslationOp } from "./replay-ops.ts";

/** One test: pokes, one DMA, the records that it caused. */
interface FaultTest {
  name: string;
  sid: number;
  iova: bigint;
  write: boolean;
  /** Bytes of the DMA. */
  count: bigint;
  pokes: [number, Uint8Array][];
  events: string[];
}

/** Steps through the tests as their translations come by. */
export class FaultTests {
  readonly #tests: FaultTest[];
  readonly #memory: ReplayMemory;
  #next = 0;
  #current: FaultTest | undefined;
  /** Records of the current test that have not been seen yet. */
  #left: string[] = [];
  /** Words of the level 1 stream table to put back when the test is over. */
  #undo: [number, bigint][] = [];

  private constructor(tests: FaultTest[], memory: ReplayMemory) {
    this.#tests = tests;
    this.#memory = memory;
  }

  /** @throws InputError when the list is not what it should be */
  static parse(text: string, file: string, memory: ReplayMemory): FaultTests {
    const tests = new Field(file, parseDocument(text, file))
      .list()
      .filter((f) => f.optional("sid"))
      .map(readTest);
    for (const t of tests) {
      if (t.pokes.some(([at]) => at % 8 !== 0)) {
        throw new InputError(file, `test "${t.name}" pokes an address that is not 8-byte aligned`);
      }
    }
    return new FaultTests(tests, memory);
  }

  /**
   * Called before each translation: applies the pokes of a test that starts with it.
   * @returns the direction of the access when a test says it
   */
  before(x: TranslationOp, strtab: { base: bigint; cfg: bigint }): boolean | undefined {
    if (this.#belongs(x)) return this.#current?.write;
    const next = this.#tests[this.#next];
    if (!next || !startsWith(next, x)) return undefined;
    this.#restore();
    this.#next++;
    this.#current = next;
    this.#left = [...next.events];
    this.#poke(next, strtab);
    this.#take(x);
    return next.write;
  }

  /** Called after each translation: a test whose records have all come is over. */
  after(): void {
    if (this.#current && this.#current.events.length > 0 && this.#left.length === 0) {
      this.#current = undefined;
      this.#restore();
    }
  }

  #belongs(x: TranslationOp): boolean {
    const test = this.#current;
    if (!test || x.sid !== test.sid) return false;
    if (x.evr !== undefined) return this.#take(x);
    if (this.#startsNext(x)) return false;
    if (x.iova === undefined) return true;
    const offset = BigInt(x.iova) - test.iova;
    return offset >= 0n && offset < test.count;
  }

  #startsNext(x: TranslationOp): boolean {
    const next = this.#tests[this.#next];
    return next !== undefined && startsWith(next, x);
  }

  #take(x: TranslationOp): boolean {
    const at = x.evr === undefined ? -1 : this.#left.indexOf(x.evr);
    if (at >= 0) this.#left.splice(at, 1);
    return at >= 0;
  }

  #poke(test: FaultTest, strtab: { base: bigint; cfg: bigint }): void {
    const table = levelOneTable(strtab);
    for (const [at, bytes] of test.pokes) {
      for (let i = 0; i < bytes.length; i += 8) {
        const word = at + i;
        if (word < table.base || word >= table.end) continue;
        this.#undo.push([word, this.#memory.read(BigInt(word)) ?? 0n]);
      }
      this.#memory.writeBytes(at, bytes);
    }
  }

  #restore(): void {
    for (const [at, value] of this.#undo.reverse()) this.#memory.write(at, value);
    this.#undo = [];
  }
}

function readTest(f: Field): FaultTest {
  return {
    name: f.get("name").text(),
    sid: f.get("sid").u32(),
    iova: f.get("iova").u64(),
    write: f.get("write").value === true,
    count: f.optional("count")?.u64() ?? 1n,
    pokes: f.listOf("pokes").map((p) => {
      const [at, bytes] = p.list();
      return [Number(at.u64()), bytes.bytes()];
    }),
    events: f.listOf("events").map((e) => e.text()),
  };
}

function startsWith(test: FaultTest, x: TranslationOp): boolean {
  if (x.sid !== test.sid) return false;
  if (x.evr !== undefined) return test.events[0] === x.evr;
  return x.iova === undefined ? test.events.length === 0 : BigInt(x.iova) === test.iova;
}

/** Where the level 1 stream table lies; empty when the stream table is linear. */
function levelOneTable(strtab: { base: bigint; cfg: bigint }): { base: number; end: number } {
  const cfg = [strtab.cfg];
  if (getField(STRTAB_BASE_CFG, cfg, "FMT") !== 1n) return { base: 0, end: 0 };
  const base = Number(getField(STRTAB_BASE, [strtab.base], "ADDR"));
  const log2 = Number(getField(STRTAB_BASE_CFG, cfg, "LOG2SIZE"));
  const split = Number(getField(STRTAB_BASE_CFG, cfg, "SPLIT"));
  return { base, end: base + 8 * 2 ** Math.max(0, log2 - split) };
}
