// Two workers of a pool against one, and how long an invalidation takes until all have seen it.
import { FULL_ID } from "../../src/engine/identity.ts";
import { EnginePool } from "../../src/engine/pool/pool.ts";
import { wordAt } from "../../src/engine/pool/words.ts";
import { POOL } from "../../src/spec/abi-pool.ts";
import { REQUEST } from "../../src/spec/abi-records.ts";
import { CMDQ_CONS, CMDQ_PROD } from "../../src/spec/register.ts";
import { sync, tlbiNhVa } from "../../src/tables/command.ts";
import { significant } from "../../src/view/number.ts";
import { atLeast, atMost, type Effort, type Question, type Row, share } from "../question.ts";
import { pairedRounds } from "../rounds.ts";
import { mapSpread, ratioOf, spreadOf } from "../stats.ts";
import { batchPass } from "../world/batch.ts";
import { type Case, COLD_TABLES, RESIDENT_REQUESTS, resident, sparse } from "../world/cases.ts";
import type { Ring } from "../world/ring.ts";
import { enable, QUEUE_ENTRIES } from "../world/world.ts";
import { ControlLoop } from "./control.ts";

/** Requests of a timed ring: it takes long enough for the threads to find a core each. */
const REQUESTS = 1 << 23;
/** Steps of the loop beside it: about as long as a pass of cached requests takes. */
const CONTROL_STEPS = 1 << 25;
const SAMPLES_PER_ROUND = 500;
const COMMAND_BYTES = 16;
const PAGES = 1024;
const ASID = 6;
const IOVA = 2 ** 32;

/** Passes of cold requests, none of which the caches of two workers would still hold. */
const COLD_PASSES = 8;

const MEASURES: readonly ((effort: Effort) => Case)[] = [
  residentPages,
  (effort) => sparse(COLD_PASSES, share(effort, COLD_TABLES), true),
];

function residentPages(effort: Effort): Case {
  return resident(PAGES, false, "fast", share(effort, RESIDENT_REQUESTS), true);
}

/** An enabled pool over the machine of a case. */
async function poolOf({ world }: Case, workers: number): Promise<EnginePool> {
  const pool = await EnginePool.create(world.memory, world.map, { id: FULL_ID, workers });
  enable(pool.smmu.engine, world.layout);
  return pool;
}

/** The requests of a case over and over, with answers of their own. */
function manyOf({ world, rings }: Case, effort: Effort): Ring {
  const many = world.ring(share(effort, REQUESTS));
  const end = many.requests + many.count * REQUEST.bytes;
  for (let to = many.requests, i = 0; to < end; i++) {
    const from = rings[i % rings.length];
    const bytes = Math.min(from.count * REQUEST.bytes, end - to);
    world.memory.bytes(to, bytes).set(world.memory.bytes(from.requests, bytes));
    to += bytes;
  }
  return many;
}

const placeOf = ({ requests, answers, count }: Ring) => ({
  requestsLin: requests,
  answersLin: answers,
  capacity: count,
});

/** One ring; gives nanoseconds per request. */
async function pass(pool: EnginePool, ring: Ring): Promise<number> {
  const start = process.hrtime.bigint();
  await pool.translate(placeOf(ring));
  return Number(process.hrtime.bigint() - start) / ring.count;
}

/** Fails unless every pool gives the answers of one engine. */
async function proveEqual(c: Case, ring: Ring, pools: readonly EnginePool[]): Promise<void> {
  batchPass(await c.world.engine("fast"), ring);
  const expected = ring.checksum();
  for (const pool of pools) {
    ring.clear();
    await pass(pool, ring);
    const ours = ring.checksum();
    if (ours !== expected) {
      throw new Error(`${c.name}, ${pool.workers} workers: the answers differ`);
    }
  }
}

const millions = (ns: readonly number[]): string => significant(1000 / spreadOf(ns).median);

async function scaling(c: Case, effort: Effort): Promise<Row> {
  const pools = await Promise.all([poolOf(c, 1), poolOf(c, 2)]);
  const loops = [new ControlLoop(1), new ControlLoop(2)];
  try {
    const ring = manyOf(c, effort);
    await proveEqual(c, ring, pools);
    const contestant = <N extends string>(name: N, run: () => Promise<number>) => {
      return { name, pass: run };
    };
    const times = await pairedRounds(
      [
        contestant("one", () => pass(pools[0], ring)),
        contestant("two", () => pass(pools[1], ring)),
        contestant("loop", () => loops[0].pass(share(effort, CONTROL_STEPS))),
        contestant("loops", () => loops[1].pass(share(effort, CONTROL_STEPS))),
      ],
      effort.rounds,
    );
    const control = ratioOf(times.loop, times.loops);
    return {
      name: c.name,
      meaning: "one worker / two workers",
      value: ratioOf(times.one, times.two),
      unit: "x",
      target: atLeast(1.85),
      note:
        `a loop that only calculates ${significant(control.median)} x, ` +
        `one ${millions(times.one)} M/s, two ${millions(times.two)} M/s`,
    };
  } finally {
    await Promise.all([...pools.map((pool) => pool.close()), ...loops.map((loop) => loop.end())]);
  }
}

/** Sends TLBI and CMD_SYNC again and again while the one worker of a pool translates. */
class Invalidator {
  readonly #pool: EnginePool;
  readonly #case: Case;
  readonly #words: Int32Array;
  readonly #next: number;
  #prod = 0;

  constructor(c: Case, pool: EnginePool) {
    this.#case = c;
    this.#pool = pool;
    this.#words = new Int32Array(c.world.memory.memory.buffer);
    this.#next = wordAt(POOL, pool.places.pool, "next");
  }

  /** Nanoseconds of `count` invalidations, all of them while the worker was translating `ring`. */
  async run(ring: Ring, count: number): Promise<number[]> {
    const samples: number[] = [];
    const isBusy = (): boolean => {
      const next = Atomics.load(this.#words, this.#next);
      return next > 0 && next < ring.count;
    };
    while (samples.length < count) {
      const done = this.#pool.translate(placeOf(ring));
      await new Promise((resolve) => setImmediate(resolve));
      while (Atomics.load(this.#words, this.#next) === 0);
      while (samples.length < count) {
        const ns = this.#invalidate(samples.length % PAGES);
        if (!isBusy()) break;
        samples.push(ns);
      }
      await done;
    }
    return samples;
  }

  /** From the doorbell to the return, when CONS has passed the CMD_SYNC. */
  #invalidate(page: number): number {
    const { smmu } = this.#pool;
    const commands = [tlbiNhVa(ASID, BigInt(IOVA + page * 4096)), sync()];
    for (const command of commands) {
      const at = this.#case.world.commandQueue + (this.#prod % QUEUE_ENTRIES) * COMMAND_BYTES;
      this.#case.world.memory.bytes(this.#case.world.lin(at), COMMAND_BYTES).set(command);
      this.#prod = (this.#prod + 1) % (2 * QUEUE_ENTRIES);
    }
    const prod = BigInt(this.#prod);
    const start = process.hrtime.bigint();
    smmu.writeRegister(CMDQ_PROD.offset, prod);
    const ns = Number(process.hrtime.bigint() - start);
    if (smmu.readRegister(CMDQ_CONS.offset) !== prod) throw new Error("the queue stands still");
    return ns;
  }
}

async function latency(effort: Effort): Promise<Row> {
  const c = residentPages(effort);
  const pool = await poolOf(c, 1);
  try {
    const ring = manyOf(c, effort);
    const invalidator = new Invalidator(c, pool);
    const count = share(effort, SAMPLES_PER_ROUND);
    await invalidator.run(ring, count);
    const samples = await invalidator.run(ring, count * effort.rounds);
    return {
      name: "TLBI and CMD_SYNC while one worker translates",
      meaning: "until it has acknowledged",
      value: mapSpread(spreadOf(samples), (ns) => ns / 1000),
      unit: "us",
      target: atMost(2),
      note: `${samples.length} invalidations`,
    };
  } finally {
    await pool.close();
  }
}

/** Answers: what a second worker brings, and how soon all workers know of an invalidation. */
export const workers: Question = {
  name: "workers",
  title: "Workers of a pool: two beside one, and invalidations under way",
  async run(effort: Effort): Promise<Row[]> {
    const rows: Row[] = [];
    for (const make of MEASURES) {
      const c = make(effort);
      effort.note?.(c.name);
      rows.push(await scaling(c, effort));
    }
    effort.note?.("invalidations");
    return [...rows, await latency(effort)];
  },
};
