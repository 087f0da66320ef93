// Random machines whose tables change under warm caches: what may be old, and what must be new.
//
// VSMMU_CASES sets the number of machines of each test, VSMMU_SEED the first seed.
import { expect, test } from "vitest";
import type { OracleAnswer } from "../oracle/model.ts";
import { translateOracle } from "../oracle/oracle.ts";
import { QemuSmmu } from "../oracle/qemu-cache.ts";
import { describeDifference, memoryOf, predictor, sameAnswer } from "./compare.ts";
import { type GeneratedCase, randomCase } from "./generate.ts";
import {
  alignedPieces,
  drawEdit,
  drawInvalidation,
  invalidateEverything,
  seenTags,
} from "./sequence.ts";
import { Draw, Prng } from "./source.ts";
import { type Comparable, ofOracle, Subject } from "./subject.ts";

const CASES = Number(process.env.VSMMU_CASES ?? 3000);
const FIRST = Number(process.env.VSMMU_SEED ?? 1);
const STEPS = 12;
/** A nested translation reads one word at most this often: each stage 1 read walks stage 2. */
const READS_MAX = 8;
const MINUTES = 60_000;

/** Changes one word for the engine and for the oracle. */
function edit(subject: Subject, words: Map<bigint, bigint>, at: bigint, value: bigint): void {
  subject.map.writeU64(at, value);
  words.set(at, value);
}

/** Puts memory back as the case has it, so that the next case finds it as `load` left it. */
function undo(subject: Subject, c: GeneratedCase): void {
  for (const [at, value] of c.memory) subject.map.writeU64(at, value);
}

test(
  "qemu caches: every answer of a program of edits and invalidations",
  async () => {
    const subject = await Subject.create("qemu", "qemu");
    let stale = 0;
    for (let seed = FIRST; seed < FIRST + CASES; seed++) {
      const c = randomCase(seed, { target: "qemu" });
      if (c.memory.length === 0) continue;
      const draw = new Draw(new Prng(seed + 0x1000_0000));
      const words = new Map(c.memory);
      const memory = memoryOf(c, words);
      const oracle = new QemuSmmu(memory, c.registers);
      subject.load(c);
      for (let step = 0; step < STEPS; step++) {
        const kind = draw.below(4);
        if (kind === 0) {
          const { address, value } = drawEdit(draw, words);
          edit(subject, words, address, value);
        } else if (kind === 1) {
          const invalidation = drawInvalidation(draw, c, seenTags(oracle));
          subject.command(invalidation.bytes);
          invalidation.apply(oracle);
        }
        const request = draw.below(c.requests.length);
        const expected = ofOracle(oracle.translate(c.requests[request]), "qemu");
        const got = subject.run(c.requests[request]);
        if (!sameAnswer(expected, got)) {
          const what = { request, subject: `step ${step}`, expected, got };
          expect.fail(describeDifference(seed, c, what));
        }
        const fresh = translateOracle(memory, c.registers, c.requests[request], "qemu");
        if (!sameAnswer(expected, ofOracle(fresh, "qemu"))) stale++;
      }
      undo(subject, c);
    }
    expect(stale).toBeGreaterThan(CASES / 20);
  },
  2 * MINUTES,
);

/** Whether a translation read its STE or CD with the word at `at` in it. */
function isOfConfiguration(a: OracleAnswer, at: bigint): boolean {
  return a.reads.some(({ what, address }) => {
    return (what === "ste" || what === "cd") && at >= address && at < address + 64n;
  });
}

/**
 * Whether an answer comes from a mixture: caches serve the old word to some reads of a translation
 * while the others find the new one. Tried with every point of change, in both orders. Stage 2
 * entries of an old STE mix with a new STE in ways that this does not try: they pass.
 */
function isMixture(c: GeneratedCase, request: number, at: bigint, value: bigint, got: Comparable) {
  const words = new Map(c.memory);
  const before = predictor(c, "arch", words)(c.requests[request]);
  if (isOfConfiguration(before, at)) return true;
  const old = words.get(at) ?? 0n;
  const plain = memoryOf(c, words);
  for (let change = 1; change < READS_MAX; change++) {
    for (const [first, then] of [
      [old, value],
      [value, old],
    ]) {
      let reads = 0;
      const read64 = (pa: bigint): bigint | undefined => {
        if (pa !== at) return plain.read64(pa);
        return reads++ < change ? first : then;
      };
      const mixed = translateOracle({ read64 }, c.registers, c.requests[request], "arch");
      if (sameAnswer(ofOracle(mixed, "arch"), got)) return true;
    }
  }
  return false;
}

test(
  "fast caches: old or new until everything is invalidated, then new",
  async () => {
    const subject = await Subject.create("arch", "fast");
    const counts = { old: 0, new: 0 };
    for (let seed = FIRST; seed < FIRST + CASES; seed++) {
      const c = randomCase(seed, { mixedEndian: true });
      if (c.memory.length === 0) continue;
      const draw = new Draw(new Prng(seed + 0x2000_0000));
      const words = new Map(c.memory);
      subject.load(c);
      for (const request of c.requests) subject.run(request);
      const before = c.requests.map(predictor(c, "arch"));
      const { address, value } = drawEdit(draw, words);
      edit(subject, words, address, value);
      const after = c.requests.map(predictor(c, "arch", words));
      for (const invalidated of [false, true]) {
        if (invalidated) subject.command(...invalidateEverything(c.registers.idr0));
        c.requests.forEach((wanted, request) => {
          const got = subject.run(wanted);
          const expected = ofOracle(after[request], "arch");
          const isNew = sameAnswer(expected, got);
          const isOld = sameAnswer(ofOracle(before[request], "arch"), got);
          const mayBeOld = !invalidated && (isOld || isMixture(c, request, address, value, got));
          if (!isNew && !mayBeOld) {
            const what = { request, subject: `invalidated ${invalidated}`, expected, got };
            expect.fail(describeDifference(seed, c, what));
          }
          if (isOld !== isNew) counts[isNew ? "new" : "old"]++;
        });
      }
      undo(subject, c);
    }
    // Both happen: entries are kept, and everything is dropped.
    expect(counts.old).toBeGreaterThan(CASES / 10);
    expect(counts.new).toBeGreaterThan(CASES / 10);
  },
  2 * MINUTES,
);

test("ranges split into aligned powers of two", () => {
  expect(alignedPieces(0x3000n, 0x5000n)).toEqual([
    [0x3000n, 0x1000n],
    [0x4000n, 0x4000n],
  ]);
  expect(alignedPieces(0n, 0x3000n)).toEqual([
    [0n, 0x2000n],
    [0x2000n, 0x1000n],
  ]);
});
