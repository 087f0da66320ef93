// A hostile guest and a careless owner while workers translate: none of them fails or hangs.
//
// VSMMU_STORMS sets the number of storms, VSMMU_SEED the first seed.
import { afterAll, beforeAll, expect, test } from "vitest";
import { HostMemory } from "../../src/engine/memory.ts";
import { EnginePool } from "../../src/engine/pool/pool.ts";
import { changeMap, RING_CAPACITY, storm } from "../engine/storm.ts";
import { describeDifference, firstDifference, predictor } from "../property/compare.ts";
import { type GeneratedCase, randomCase } from "../property/generate.ts";
import { Draw, Prng } from "../property/source.ts";
import { Subject } from "../property/subject.ts";
import { turn } from "./pools.ts";

const STORMS = Number(process.env.VSMMU_STORMS ?? 60);
const FIRST = Number(process.env.VSMMU_SEED ?? 1);
const ACTIONS = 200;
const PARTS = 4;
const REQUESTS = 4096;

let pool: EnginePool;
let subject: Subject;

beforeAll(async () => {
  const map = Subject.mapOf(HostMemory.create({ shared: true }));
  pool = await EnginePool.create(map.memory, map);
  subject = Subject.of(pool.smmu);
});
afterAll(() => pool.close());

/** A ring of the requests of a case, again and again. */
function fill(ring: ReturnType<EnginePool["ring"]>, c: GeneratedCase): void {
  for (let i = 0; i < ring.capacity; i++) ring.set(i, c.requests[i % c.requests.length]);
}

/** RAM all zero, where it was at the start, and the SMMU reset. */
function calm(homes: readonly { base: bigint; bytes: bigint; lin: number }[]): void {
  for (const { base, bytes, lin } of homes) {
    pool.smmu.memory.bytes(lin, Number(bytes)).fill(0);
    pool.smmu.map.mapRam(base, bytes, lin);
  }
  pool.smmu.reset();
  pool.smmu.autoConsume(true);
  pool.smmu.trace(false);
}

test("storms while workers translate, and a new pool after each", {
  timeout: 600_000,
}, async () => {
  const { smmu } = pool;
  const homes = smmu.map.regions().map((region) => ({ ...region }));
  const pages = homes.flatMap(({ base, bytes }) =>
    [0n, 1n, 7n, bytes / 4096n - 1n].map((page) => base + page * 4096n),
  );
  const many = pool.ring(REQUESTS);
  const ring = pool.ring(RING_CAPACITY);
  let commands = 0;
  for (let seed = FIRST; seed < FIRST + STORMS; seed++) {
    const draw = new Draw(new Prng(seed));
    const field = { subject, ring, pages, case: randomCase(draw.u32()) };
    if (field.case.requests.length === 0) continue;
    subject.load(field.case);
    fill(many, field.case);
    const done = pool.translate(many);
    await turn();
    for (let part = 0; part < PARTS; part++) {
      storm(draw, field, ACTIONS / PARTS);
      changeMap(draw, field);
    }
    await done;
    commands += smmu.counters.commands;
    calm(homes);
    const after = randomCase(seed);
    const found = firstDifference(after, { pool: subject }, predictor(after, "arch"));
    if (found) expect.fail(describeDifference(seed, after, found));
    if (after.requests.length === 0) continue;
    fill(many, after);
    await pool.translate(many);
    after.requests.forEach((request, i) => {
      const wanted = smmu.translate(request);
      for (const at of [i, i + Math.floor(2000 / after.requests.length) * after.requests.length]) {
        const { status, pa } = many.get(at);
        expect([seed, status, status === "ok" ? pa : 0n]).toEqual([
          seed,
          wanted.status,
          wanted.status === "ok" ? wanted.pa : 0n,
        ]);
      }
    });
  }
  expect(commands / STORMS).toBeGreaterThan(5);
});
