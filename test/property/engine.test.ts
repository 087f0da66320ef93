// The engine against the oracle in `arch` mode: 100,000 random machines, shrinking, sanity.
//
// VSMMU_CASES sets the number of machines, VSMMU_SEED the first seed.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { OracleAnswer } from "../oracle/model.ts";
import { describeDifference, firstDifference, predictor, subjectsOf } from "./compare.ts";
import { arbitraryCase, randomCase } from "./generate.ts";

const CASES = Number(process.env.VSMMU_CASES ?? 100_000);
const FIRST = Number(process.env.VSMMU_SEED ?? 1);
const MINUTES = 60_000;
const OPTIONS = { mixedEndian: true };

test(`${CASES} machines without caches, and with the fast ones`, {
  timeout: 5 * MINUTES,
}, async () => {
  const subjects = await subjectsOf("arch", ["none", "fast"]);
  for (let seed = FIRST; seed < FIRST + CASES; seed++) {
    const c = randomCase(seed, OPTIONS);
    const found = firstDifference(c, subjects, predictor(c, "arch"));
    if (found) expect.fail(describeDifference(seed, c, found));
  }
});

test("repeated requests hit the fast caches and are answered the same", async () => {
  const subjects = await subjectsOf("arch", ["fast"]);
  const { smmu } = Object.values(subjects)[0];
  let hits = 0;
  for (let seed = FIRST; seed < FIRST + 4000; seed++) {
    const c = randomCase(seed, OPTIONS);
    const found = firstDifference(c, subjects, predictor(c, "arch"), 2);
    if (found) expect.fail(describeDifference(seed, c, found));
    hits += smmu.counters.hits;
  }
  expect(hits).toBeGreaterThan(2000);
});

test("machines that shrink", async () => {
  const subjects = await subjectsOf("arch", ["fast"]);
  fc.assert(
    fc.property(arbitraryCase(OPTIONS), (c) => {
      const found = firstDifference(c, subjects, predictor(c, "arch"));
      if (found) throw new Error(describeDifference(0, c, found));
    }),
    { numRuns: 1500, seed: FIRST },
  );
});

/** The oracle with one thing changed, by the part of the answer that is then wrong. */
const WRONG: Record<string, (a: OracleAnswer) => OracleAnswer> = {
  status: (a) => (a.status === "event" ? { ...a, status: "silent" } : a),
  pa: (a) => (a.pa === undefined ? a : { ...a, pa: a.pa ^ 1n }),
  pageBits: (a) => (a.pageBits === undefined ? a : { ...a, pageBits: a.pageBits ^ 1 }),
  perm: (a) => (a.perm === undefined ? a : { ...a, perm: a.perm ^ 4 }),
  stage: (a) => (a.stage === undefined ? a : { ...a, stage: a.stage === 1 ? 2 : 1 }),
  memattr: (a) => (a.memattr === undefined ? a : { ...a, memattr: a.memattr ^ 1 }),
  sh: (a) => (a.sh === undefined ? a : { ...a, sh: a.sh ^ 2 }),
  recorded: (a) => ({ ...a, recorded: !a.recorded }),
  record: (a) => {
    if (!a.recorded || a.record === undefined) return a;
    return { ...a, record: a.record.map((byte, i) => (i === 31 ? byte ^ 0x80 : byte)) };
  },
};

test.each(Object.entries(WRONG))("a wrong bit in the oracle's %s is noticed", async (_, change) => {
  const subjects = await subjectsOf("arch", ["none"]);
  let noticed = 0;
  for (let seed = FIRST; seed < FIRST + 400; seed++) {
    const c = randomCase(seed, OPTIONS);
    const predict = predictor(c, "arch");
    if (firstDifference(c, subjects, (request) => change(predict(request)))) noticed++;
  }
  expect(noticed).toBeGreaterThan(20);
});
