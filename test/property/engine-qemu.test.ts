// The engine against the oracle in `qemu` mode: 100,000 random machines, with and without caches.
//
// VSMMU_CASES sets the number of machines, VSMMU_SEED the first seed.
import fc from "fast-check";
import { expect, test } from "vitest";
import { QemuSmmu } from "../oracle/qemu-cache.ts";
import {
  describeDifference,
  firstDifference,
  memoryOf,
  type Predict,
  predictor,
  subjectsOf,
} from "./compare.ts";
import { arbitraryCase, type GeneratedCase, randomCase } from "./generate.ts";

const CASES = Number(process.env.VSMMU_CASES ?? 100_000);
const FIRST = Number(process.env.VSMMU_SEED ?? 1);
/** One in so many machines also runs with QEMU's caches, each request twice. */
const CACHED_EVERY = 4;
const MINUTES = 60_000;
const OPTIONS = { target: "qemu" } as const;

/** QEMU's answers with its caches. */
function cachedPredictor(c: GeneratedCase): Predict {
  const smmu = new QemuSmmu(memoryOf(c), c.registers);
  return (request) => smmu.translate(request);
}

test(`${CASES} machines without caches, some with QEMU's`, { timeout: 5 * MINUTES }, async () => {
  const plain = await subjectsOf("qemu", ["none"]);
  const cached = await subjectsOf("qemu", ["qemu"]);
  for (let seed = FIRST; seed < FIRST + CASES; seed++) {
    const c = randomCase(seed, OPTIONS);
    let found = firstDifference(c, plain, predictor(c, "qemu"));
    if (!found && seed % CACHED_EVERY === 0) {
      found = firstDifference(c, cached, cachedPredictor(c), 2);
    }
    if (found) expect.fail(describeDifference(seed, c, found));
  }
});

test("machines that shrink", async () => {
  const plain = await subjectsOf("qemu", ["none"]);
  const cached = await subjectsOf("qemu", ["qemu"]);
  fc.assert(
    fc.property(arbitraryCase(OPTIONS), (c) => {
      const found =
        firstDifference(c, plain, predictor(c, "qemu")) ??
        firstDifference(c, cached, cachedPredictor(c), 2);
      if (found) throw new Error(describeDifference(0, c, found));
    }),
    { numRuns: 1000, seed: FIRST },
  );
});

test("a wrong answer of the cached oracle is noticed", async () => {
  const cached = await subjectsOf("qemu", ["qemu"]);
  let noticed = 0;
  for (let seed = FIRST; seed < FIRST + 200; seed++) {
    const c = randomCase(seed, OPTIONS);
    const predict = cachedPredictor(c);
    let answers = 0;
    const wrong: Predict = (request) => {
      const a = predict(request);
      return ++answers > c.requests.length && a.pa !== undefined ? { ...a, pa: a.pa ^ 8n } : a;
    };
    if (firstDifference(c, cached, wrong, 2)) noticed++;
  }
  expect(noticed).toBeGreaterThan(50);
});
