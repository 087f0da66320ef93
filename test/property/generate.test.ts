// The generator reaches what it is for: every event, stage, class, granule and status, by measure.

import fc from "fast-check";
import { expect, test } from "vitest";
import type { OracleAnswer } from "../oracle/model.ts";
import { translateOracle } from "../oracle/oracle.ts";
import { arbitraryCase, type GeneratedCase, randomCase } from "./generate.ts";

type Target = "arch" | "qemu";
const CASES = 4000;

function read64Of(c: GeneratedCase): (pa: bigint) => bigint | undefined {
  const words = new Map(c.memory);
  const backed = (pa: bigint) => {
    return c.ramRanges.some(({ base, bytes }) => pa >= base && pa < base + bytes);
  };
  return (pa) => (backed(pa) ? (words.get(pa) ?? 0n) : undefined);
}

function answersOf(c: GeneratedCase, target: Target): OracleAnswer[] {
  const memory = { read64: read64Of(c) };
  return c.requests.map((request) => translateOracle(memory, c.registers, request, target));
}

const CLASSES = ["CD", "TT", "IN", "?"];

/** What an answer counts as: an event with stage and class, or a status with its stages. */
function labelsOf(a: OracleAnswer): string[] {
  const labels = [`status ${a.status}`];
  if (a.status === "ok") labels.push(`stage ${a.stage}`, `size ${a.pageBits}`);
  if (a.record === undefined) return labels;
  const event = `event ${a.record[0].toString(16).padStart(2, "0")}`;
  labels.push(event);
  if (a.record[0] >= 0x0b) {
    labels.push(`${event} S${1 + (a.record[12] >> 7)} ${CLASSES[a.record[13] & 3]}`);
  }
  return labels;
}

/** Counts labels over many cases; the first request of a case tells how far the case reaches. */
function measure(target: Target): { counts: Map<string, number>; reached: number } {
  const counts = new Map<string, number>();
  let reached = 0;
  for (let seed = 0; seed < CASES; seed++) {
    const answers = answersOf(randomCase(seed, { target }), target);
    for (const label of answers.flatMap(labelsOf)) counts.set(label, (counts.get(label) ?? 0) + 1);
    const first = answers[0];
    if (first.status === "ok" || (first.record?.[0] ?? 0) >= 0x0b) reached++;
  }
  return { counts, reached };
}

const EVENTS = ["02", "03", "04", "09", "0a", "0b", "10", "11", "12", "13"].map(
  (e) => `event ${e}`,
);
const STAGES = ["stage 1", "stage 2", "stage 3"];
const SIZES = ["12", "21", "30", "14", "25", "16", "29"].map((bits) => `size ${bits}`);
const FAULTS = ["10", "11", "12", "13"].flatMap((event) => {
  return ["S1 IN", "S2 CD", "S2 TT", "S2 IN"].map((where) => `event ${event} ${where}`);
});

const EXPECTED: Record<Target, string[]> = {
  arch: [
    ...[...EVENTS, ...STAGES, ...SIZES, ...FAULTS, "event 06", "event 08"],
    ...["event 0b S1 TT", "event 0b S2 CD", "event 0b S2 TT", "event 0b S2 IN"],
    ...["ok", "bypass", "abort", "event", "silent", "razwi"].map((s) => `status ${s}`),
  ],
  qemu: [
    ...[...EVENTS, ...STAGES, ...SIZES, "size 39", "event 10 S1 TT", "event 12 S1 TT"],
    ...["event 10 S2 CD", "event 10 S2 IN", "event 10 S2 TT", "event 0b S2 IN"],
    ...["ok", "bypass", "abort", "event", "silent"].map((s) => `status ${s}`),
  ],
};

test.each(["arch", "qemu"] as const)("%s cases cover every outcome", (target) => {
  const { counts, reached } = measure(target);
  const missing = EXPECTED[target].filter((label) => !counts.has(label));
  expect(missing, [...counts].sort().join("\n")).toEqual([]);
  expect(reached / CASES).toBeGreaterThan(0.6);
  for (const stage of STAGES) expect(counts.get(stage)).toBeGreaterThan(CASES / 25);
});

test("the same seed gives the same case, and other seeds others", () => {
  const text = (seed: number) => {
    return JSON.stringify(randomCase(seed), (_, v) => (typeof v === "bigint" ? `${v}n` : v));
  };
  expect(text(7)).toBe(text(7));
  expect(new Set([...Array(50).keys()].map(text)).size).toBe(50);
});

test("cases are well formed", () => {
  for (let seed = 0; seed < 500; seed++) {
    const c = randomCase(seed, { mixedEndian: true });
    expect(c.requests.length).toBeGreaterThan(0);
    expect(new Set(c.memory.map(([pa]) => pa)).size).toBe(c.memory.length);
    for (const [pa, word] of c.memory) {
      expect(pa % 8n).toBe(0n);
      expect(c.ramRanges.some((r) => pa >= r.base && pa < r.base + r.bytes)).toBe(true);
      expect(word > 0n && word < 1n << 64n).toBe(true);
    }
    for (const value of Object.values(c.registers)) expect(value).toBeGreaterThanOrEqual(0);
    for (const { iova, ssid, sid } of c.requests) {
      expect(iova >= 0n && iova < 1n << 64n).toBe(true);
      expect(sid >= 0 && sid < 2 ** 32).toBe(true);
      expect((ssid ?? 0) < 2 ** 20).toBe(true);
    }
  }
});

test("whatever the memory holds, an answer is consistent", () => {
  fc.assert(
    fc.property(arbitraryCase({ mixedEndian: true }), (c) => {
      for (const a of answersOf(c, "arch")) {
        const faulted = ["event", "silent", "razwi"].includes(a.status);
        expect(a.record !== undefined).toBe(faulted);
        if (a.status === "event") expect(a.recorded).toBe(true);
        if (a.status === "silent") expect(a.recorded).toBe(false);
        expect(a.pa !== undefined).toBe(a.status === "ok" || a.status === "bypass");
        if (a.status === "ok") expect(a.pa! < 1n << 48n && a.perm! > 0).toBe(true);
        if (a.sh !== undefined) expect([0, 2, 3]).toContain(a.sh);
        expect(a.reads.length).toBeLessThan(40);
      }
    }),
    { numRuns: 300, seed: 1 },
  );
});

test("a counterexample shrinks to a plainer machine", () => {
  const nested = fc.check(
    fc.property(arbitraryCase(), (c) => answersOf(c, "arch").every((a) => a.stage !== 3)),
    { numRuns: 2000, seed: 1 },
  );
  expect(nested.failed).toBe(true);
  const smallest = nested.counterexample![0];
  expect(smallest.memory.length).toBeLessThan(40);
  expect(smallest.requests.length).toBeLessThan(3);
});
