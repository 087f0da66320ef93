// Contests of the benchmarks: a row for each contestant, none for those that are missing, and no
// timing of wrong answers.
import { afterEach, expect, test } from "vitest";
import { atLeast, atMost } from "../../bench/question.ts";
import { contests, type Measure } from "../../bench/questions/contest.ts";
import { type Case, mixedStreams, resident } from "../../bench/world/cases.ts";
import { REQUEST_FLAGS } from "../../src/spec/abi-words.ts";
import { packFields } from "../../src/spec/word.ts";

const EFFORT = { rounds: 1 };
const path = process.env.PATH;

afterEach(() => {
  process.env.PATH = path;
});

/** A machine with few pages, and every contestant. */
const small = (make: () => Case): Measure => ({
  make,
  versus: [
    { rival: "serial", target: atMost(1) },
    { rival: "batch" },
    { rival: "huge" },
    { rival: "qemu", target: atLeast(2), note: "a note" },
    { rival: "bigint" },
    { rival: "uint32" },
  ],
});

/** Each turn of a contest takes requests of its own. */
function inParts(c: Case): Case {
  const [ring] = c.rings;
  return { ...c, cold: true, rings: [0, 1, 2, 3].map((i) => ring.part(i * 512, 512)) };
}

test("a contest gives a row for each contestant, in both directions of a ratio", async () => {
  const measures = [small(mixedStreams), small(() => inParts(resident(64, true)))];
  const rows = await contests(measures, EFFORT);
  expect(rows.length).toBe(12);
  for (const row of rows) {
    expect(row.missing).toBeUndefined();
    expect(row.value?.median).toBeGreaterThan(0);
  }
  expect(rows[0].meaning).toMatch(/^engine \/ \S+ one by one$/);
  expect(rows[3].meaning).toMatch(/^QEMU-shaped \S+ \/ engine$/);
  expect(rows[3].note).toMatch(/a note$/);
  expect(rows[3].target).toEqual(atLeast(2));
});

test("without a compiler the native rows say what is missing, others are measured", async () => {
  process.env.PATH = "";
  const rows = await contests([small(() => resident(16, false))], EFFORT);
  expect(rows.map((row) => row.value === undefined)).toEqual([
    true,
    true,
    true,
    true,
    false,
    false,
  ]);
  expect(rows[0].missing).toContain("clang");
  expect(rows[4].missing).toBeUndefined();
});

test("a contest with a wrong answer is refused before anything is timed", async () => {
  // The QEMU-shaped model takes a privileged access for an unprivileged one.
  const privileged = Number(packFields(REQUEST_FLAGS, { privileged: 1 })[0]);
  const make = () => {
    const c = resident(16, false);
    const [ring] = c.rings;
    const first = new Uint32Array(ring.memory.memory.buffer, ring.requests, 4);
    ring.set(0, first[2], first[0] + first[1] * 2 ** 32, privileged);
    return c;
  };
  await expect(contests([{ make, versus: [{ rival: "qemu" }] }], EFFORT)).rejects.toThrow(
    /stage 1, 16 pages, cached: qemu answers \d+, not \d+/,
  );
});
