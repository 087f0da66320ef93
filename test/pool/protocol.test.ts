// Invalidations and register writes while workers translate: what a completed one promises.
//
// VSMMU_ROUNDS sets how many changes each test makes.
import { afterEach, describe, expect, test, vi } from "vitest";
import type { BatchRing } from "../../src/engine/batch.ts";
import type { EnginePool } from "../../src/engine/pool/pool.ts";
import { ANSWER } from "../../src/spec/abi-records.ts";
import { R, type Rig, SMMUEN } from "../engine/rig.ts";
import {
  invalidate,
  nested,
  OLD,
  PAGE,
  type Space,
  stage1,
  stage2,
  tlbi,
} from "../engine/streams.ts";
import { closePools, openRig, turn, Watch } from "./pools.ts";

const ROUNDS = Number(process.env.VSMMU_ROUNDS ?? 1000);
const VA = 0x4000_0000n;
const REQUESTS = 1 << 17;
const WORDS = ANSWER.bytes / 4;
/** Words of an answer: the low half of its address, and of its meta. */
const ADDRESS = 0;
const META = 2;
const STATUSES = 256;
/** Address bits of a descriptor. */
const POINTER = 0xffff_ffff_f000n;

afterEach(async () => {
  vi.restoreAllMocks();
  await closePools();
});

/** A ring of requests for one page. */
function ringOf(pool: EnginePool, sid: number): BatchRing {
  const ring = pool.ring(REQUESTS);
  for (let i = 0; i < REQUESTS; i++) ring.set(i, { sid, iova: VA + BigInt((i * 8) % 4096) });
  return ring;
}

/** When a change was complete: requests from `next` on were not taken yet, [from, next) cleared. */
interface Mark {
  round: number;
  from: number;
  next: number;
}

/** One job, and the changes made while it is under way. */
class Flight {
  readonly marks: Mark[] = [];
  readonly #watch: Watch;

  constructor(
    readonly pool: EnginePool,
    readonly ring: BatchRing,
  ) {
    this.#watch = new Watch(pool);
  }

  /**
   * Starts a job and, while workers take requests of it, makes up to `limit` changes, numbered from
   * `first`. `change` returns when its change is complete: answers that come later must know of it.
   * Gives how many were made before the last request was taken.
   */
  async fly(first: number, limit: number, change: (round: number) => void): Promise<number> {
    const { pool, ring } = this;
    pool.smmu.memory.bytes(ring.answersLin, REQUESTS * ANSWER.bytes).fill(0);
    const done = pool.translate(ring);
    await turn();
    while (this.#watch.busy && this.#watch.read("next") === 0);
    let live = 0;
    while (live < limit && this.#watch.read("next") < REQUESTS) {
      change(first + this.marks.length);
      if (this.#mark(first + this.marks.length)) live++;
    }
    await done;
    return live;
  }

  /**
   * Clears what has just been answered: what stands there at the end was written after this. True
   * when there were requests that nobody had taken.
   */
  #mark(round: number): boolean {
    const next = Math.min(this.#watch.read("next"), REQUESTS);
    const from = Math.max(0, next - this.#watch.read("take") * this.pool.workers);
    // Word by word: bytes would tear what a worker writes at the same time.
    const { buffer } = this.pool.smmu.memory.memory;
    new Uint32Array(buffer, this.ring.answersLin, REQUESTS * WORDS).fill(
      0,
      from * WORDS,
      next * WORDS,
    );
    this.marks.push({ round, from, next });
    return next < REQUESTS;
  }

  /**
   * Answers that do not know of a change they must know of. `knows` tells whether a 32-bit word of
   * an answer, the address's or (`META`) the status's, knows of a round. A cleared word is 0.
   */
  stale(word: typeof ADDRESS | typeof META, knows: (value: number, round: number) => boolean) {
    const { buffer } = this.pool.smmu.memory.memory;
    const words = new Uint32Array(buffer, this.ring.answersLin, REQUESTS * WORDS);
    const marks = [...this.marks];
    let due: Mark | undefined;
    let stale = 0;
    for (let i = 0; i < REQUESTS; i++) {
      while (marks.length > 0 && marks[0].from <= i) due = marks.shift();
      const value = words[i * WORDS + word];
      if (value !== 0 && due !== undefined && !knows(value, due.round)) stale++;
    }
    return stale;
  }
}

/** Round `r` lets VA point to page `r` behind OLD; answers carry the round that they know. */
const knowsRound = (low: number, round: number): boolean => Math.floor(low / 4096) >= round;

/** One way to change where VA points, and the commands that make it known. */
interface Way {
  make(rig: Rig): { sid: number; point(round: number): void; commands: Uint8Array[] };
}

const point = (space: Space, input: bigint) => (round: number) =>
  space.map(input, PAGE, OLD + BigInt(round) * PAGE - BigInt.asUintN(36, input));

const WAYS: Record<string, Way> = {
  "stage 1, NH_VA": {
    make(rig) {
      const space = stage1(rig, { sid: 1, asid: 5 });
      return { sid: 1, point: point(space, VA), commands: [tlbi("NH_VA", { asid: 5, at: VA })] };
    },
  },
  "stage 1, NH_ASID": {
    make(rig) {
      const space = stage1(rig, { sid: 1, asid: 5 });
      return { sid: 1, point: point(space, VA), commands: [tlbi("NH_ASID", { asid: 5 })] };
    },
  },
  "stage 2, S2_IPA": {
    make(rig) {
      const space = stage2(rig, { sid: 2, vmid: 7 });
      const commands = [tlbi("S2_IPA", { vmid: 7, at: VA })];
      return { sid: 2, point: point(space, VA), commands };
    },
  },
  "nested, S2_IPA and NH_ALL": {
    make(rig) {
      const [first, second] = nested(rig, { sid: 3, vmid: 3, asid: 5 });
      const ipa = 0x20_0000_0000n;
      first.map(VA, PAGE, ipa - BigInt.asUintN(36, VA));
      const commands = [tlbi("S2_IPA", { vmid: 3, at: ipa }), tlbi("NH_ALL", { vmid: 3 })];
      return { sid: 3, point: point(second, ipa), commands };
    },
  },
};

/**
 * Makes changes under way until there were `rounds`; gives how many stale answers came. `begin` is
 * called once, what it gives before every change.
 */
async function changes(way: Way, rounds: number, begin?: (pool: EnginePool) => () => void) {
  const { pool, rig } = await openRig();
  const { sid, point: pointTo, commands } = way.make(rig);
  const ring = ringOf(pool, sid);
  pointTo(0);
  const before = begin?.(pool);
  let [round, made, stale] = [1, 0, 0];
  while (made < rounds) {
    const flight = new Flight(pool, ring);
    made += await flight.fly(round, rounds, (r) => {
      before?.();
      pointTo(r);
      invalidate(rig, ...commands);
    });
    round += flight.marks.length;
    stale += flight.stale(ADDRESS, knowsRound);
  }
  return stale;
}

/**
 * Breaks the protocol: the primary waits for nobody, and workers see the log one change too late.
 * Gives what lets them see the log as it is.
 */
function breakProtocol(pool: EnginePool): () => void {
  const watch = new Watch(pool);
  const running = pool.places.workers.map((_, i) => watch.workerWord(i, "running"));
  const { load, store } = Atomics;
  let late: (() => void) | undefined;
  vi.spyOn(Atomics, "load").mockImplementation(((words: Int32Array, at: number) =>
    running.includes(at) ? 0 : load(words, at)) as typeof Atomics.load);
  vi.spyOn(Atomics, "store").mockImplementation(((words: Int32Array, at: number, value: number) => {
    if (at !== watch.word("head")) return store(words, at, value);
    late = () => store(words, at, value);
    return value;
  }) as typeof Atomics.store);
  return () => late?.();
}

describe("after CMD_SYNC", () => {
  test.each(Object.entries(WAYS))("%s: no worker answers with the old mapping", async (_, way) => {
    expect(await changes(way, ROUNDS)).toBe(0);
  });

  test("a pool that does not wait for its workers is caught", async () => {
    expect(await changes(WAYS["stage 1, NH_ASID"], 200, breakProtocol)).toBeGreaterThan(0);
  });
});

/** Status numbers of answers. */
const [OK, BYPASS, ABORT] = [0, 1, 2];
const GBPA_UPDATE = 2 ** 31;
const GBPA_ABORT = 2 ** 20;
const FLIGHTS = ROUNDS / 25;

describe("after a register write", () => {
  test.each([
    ["SMMUEN=0 with GBPA.ABORT=0", BYPASS, 0],
    ["SMMUEN=0 with GBPA.ABORT=1", ABORT, GBPA_ABORT],
  ])("%s: every worker knows", async (_, wanted, abort) => {
    const { pool, rig } = await openRig();
    const space = stage1(rig, { sid: 1, asid: 5 });
    space.map(VA);
    rig.write(R.GBPA, GBPA_UPDATE + abort);
    const ring = ringOf(pool, 1);
    let [made, stale, enabled] = [0, 0, true];
    while (made < FLIGHTS) {
      const flight = new Flight(pool, ring);
      made += await flight.fly(0, 1, () => rig.write(R.CR0, enabled ? 0 : SMMUEN));
      const due = enabled ? wanted : OK;
      stale += flight.stale(META, (meta) => meta % STATUSES === due);
      if (flight.marks.length > 0) enabled = !enabled;
    }
    expect(stale).toBe(0);
    // What the last write said is what all later answers say.
    await pool.translate(ring);
    const said = new Set(Array.from({ length: 4096 }, (_, i) => ring.get(i * 16).status));
    expect(said).toEqual(new Set([enabled ? "ok" : wanted === BYPASS ? "bypass" : "abort"]));
  });

  test("GBPA.ABORT itself, while the SMMU is disabled", async () => {
    const { pool, rig } = await openRig();
    rig.write(R.CR0, 0);
    const ring = ringOf(pool, 1);
    let [made, stale, aborts] = [0, 0, true];
    while (made < FLIGHTS) {
      const value = GBPA_UPDATE + (aborts ? GBPA_ABORT : 0);
      const flight = new Flight(pool, ring);
      made += await flight.fly(0, 1, () => rig.write(R.GBPA, value));
      const due = aborts ? ABORT : BYPASS;
      stale += flight.stale(META, (meta) => meta % STATUSES === due);
      if (flight.marks.length > 0) aborts = !aborts;
    }
    expect(stale).toBe(0);
  });
});

test("after a change of the map, every walk goes through the new one", async () => {
  const { pool, rig } = await openRig({ cache: "none" });
  const space = stage1(rig, { sid: 1, asid: 5 });
  point(space, VA)(0);
  const ring = ringOf(pool, 1);
  // The last-level table's page is backed by one of two places, in turn.
  const next = (table: bigint, shift: bigint) =>
    rig.read64(table + ((VA >> shift) % 512n) * 8n) & POINTER;
  const table = next(next(space.table.root, 30n), 21n);
  const entry = rig.read64(table + ((VA >> 12n) % 512n) * 8n);
  const places = [0, 1].map(() => rig.memory.alloc(4096, 4096));
  let [round, made, stale] = [1, 0, 0];
  while (made < ROUNDS) {
    const flight = new Flight(pool, ring);
    made += await flight.fly(round, ROUNDS, (r) => {
      const lin = places[r % 2];
      const pointing = (entry & ~POINTER) | (OLD + BigInt(r) * PAGE);
      rig.memory.writeU64(lin + Number((VA >> 12n) % 512n) * 8, pointing);
      rig.map.mapRam(table, 4096, lin);
    });
    round += flight.marks.length;
    stale += flight.stale(ADDRESS, knowsRound);
  }
  expect(stale).toBe(0);
});
