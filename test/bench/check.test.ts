// Verdicts of `npm run bench -- --check`: what fails, how it is named, and the exit codes.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { benchCommand } from "../../bench/command.ts";
import type { Question, Row } from "../../bench/question.ts";
import { failuresOf } from "../../bench/report/check.ts";
import { parseEntry } from "../../bench/report/history.ts";
import { runCommand } from "../../src/cli/main.ts";
import { answers, ROWS } from "./rows.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "vsmmu-bench-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the command over questions with made-up answers. */
async function bench(rows: readonly Row[], ...argv: string[]) {
  const asked: number[] = [];
  const question = (name: string): Question => ({
    name,
    title: `About ${name}`,
    run: async (effort) => {
      asked.push(effort.rounds);
      effort.note?.("a case");
      return [...rows];
    },
  });
  let [out, err] = ["", ""];
  const code = await runCommand(
    benchCommand([question("first"), question("second")]),
    ["--svg", join(folder, "picture.svg"), ...argv],
    {
      argv: [],
      env: {},
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (err += text) },
      stdin: async () => new Uint8Array(),
    },
    "npm run bench --",
  );
  return { code, out, err, asked };
}

describe("failures", () => {
  test("a met target and a row without one are none", () => {
    expect(failuresOf(answers(ROWS.ok, ROWS.free))).toEqual([]);
  });

  test("a missed target is named with its value and by how much it was missed", () => {
    const [high, low] = failuresOf(answers(ROWS.missed, ROWS.slow));
    expect(high.kind).toBe("missed");
    expect(high.text).toBe(
      "made-up: a < b & c (engine / C): 0.9 x, target <= 0.75, missed by 20 %",
    );
    expect(low.text).toContain("40 M/s, target >= 80, missed by 50 %");
  });

  test("a target of zero is missed by the value", () => {
    expect(failuresOf(answers(ROWS.reads))[0].text).toContain("target <= 0, missed by 3");
  });

  test("what could not be compared fails and says why", () => {
    const { target: _target, ...bare } = ROWS.none;
    const found = failuresOf(answers(ROWS.none, { ...bare, name: "no target" }));
    expect(found.map((f) => f.kind)).toEqual(["not compared", "not compared"]);
    expect(found[0].text).toContain("not compared: neither clang nor gcc is there");
  });
});

describe("exit codes", () => {
  test("0 without --check, whatever was missed", async () => {
    expect((await bench([ROWS.missed, ROWS.none])).code).toBe(0);
  });

  test("0 with --check when every target is met", async () => {
    const { code, err } = await bench([ROWS.ok, ROWS.free], "--check");
    expect(code).toBe(0);
    expect(err).toContain("all 2 targets are met");
  });

  test.each([
    ["missed", "missed by 20 %"],
    ["none", "not compared: neither clang nor gcc is there"],
  ] as const)("1 with --check for a row that is %s", async (kind, text) => {
    const { code, err } = await bench([ROWS.ok, ROWS[kind]], "--check");
    expect(code).toBe(1);
    expect(err).toContain(text);
    expect(err).toContain("2 of 4 rows");
  });

  test("2 for what is not understood, before anything is measured", async () => {
    for (const [argv, text] of [
      [["secnod"], 'no question "secnod"; did you mean second?'],
      [["xyzzy"], "there are: first, second"],
      [["--chekc"], "unknown option --chekc; did you mean --check?"],
      [["--rounds", "0"], "--rounds must be 1 to 1000, not 0"],
      [["--rounds", "many"], "--rounds wants a number"],
      [["first", "--record"], "--record is for runs of every question"],
    ] as const) {
      const { code, err, asked } = await bench([ROWS.ok], ...argv);
      expect({ code, asked }).toEqual({ code: 2, asked: [] });
      expect(err).toContain(text);
    }
  });
});

test("3 when the picture cannot be written, after the tables", async () => {
  const { code, out, err } = await bench([ROWS.ok], "--svg", folder);
  expect(code).toBe(3);
  expect(out).toContain("About second");
  expect(err).toContain(folder);
});

describe("output", () => {
  test("a table for each question that was asked, with notes and reasons", async () => {
    const { out, asked } = await bench(
      [ROWS.ok, ROWS.missed, ROWS.none],
      "second",
      "--rounds",
      "3",
    );
    expect(asked).toEqual([3]);
    expect(out).toContain("About second");
    expect(out).not.toContain("About first");
    expect(out).toMatch(/cached +engine \/ C +0\.5 x \(0\.45-0\.55\) +<= 0\.75 +ok/);
    expect(out).toMatch(/MISSED\n +engine 9 ns/);
    expect(out).toMatch(/cold .*not compared .*none\n +neither clang nor gcc is there/);
  });

  test("--list names the questions and measures nothing", async () => {
    const { out, asked, code } = await bench([ROWS.ok], "--list");
    expect({ asked, code }).toEqual({ asked: [], code: 0 });
    expect(out).toMatch(/^first +About first\nsecond +About second\n$/);
  });

  test("--help has examples and exit codes", async () => {
    const { out, code } = await bench([ROWS.ok], "--help");
    expect(code).toBe(0);
    expect(out).toContain("npm run bench -- --check");
    expect(out.replace(/\s+/g, " ")).toContain("1 with --check when a target was missed");
  });

  test("--json is one document that the history's reader takes", async () => {
    const { out } = await bench([ROWS.ok, ROWS.none], "--json");
    const entry = parseEntry(JSON.stringify(JSON.parse(out)));
    expect(entry.rows.map((r) => r.key)).toEqual([
      "first/cached-engine-c",
      "first/cold-engine-c",
      "second/cached-engine-c",
      "second/cold-engine-c",
    ]);
  });

  test("the picture is written where --svg says", async () => {
    await bench([ROWS.ok]);
    expect(readFileSync(join(folder, "picture.svg"), "utf8")).toMatch(/^<svg /);
  });
});
