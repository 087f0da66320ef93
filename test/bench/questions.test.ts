// Every question answers on a tiny effort: contestants agree, rows are complete and named once.
import { describe, expect, test } from "vitest";
import { findCompiler } from "../../bench/native/build.ts";
import { QUESTIONS } from "../../bench/questions/index.ts";
import { answered } from "../../bench/report/history.ts";
import { watchRounds } from "../../bench/rounds.ts";

const EFFORT = { rounds: 1, scale: 1 / 64 };

test("questions have names of their own, for the command line", () => {
  const names = QUESTIONS.map((q) => q.name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z][a-z0-9-]*$/);
});

describe.each(QUESTIONS.map((q) => [q.name, q] as const))("%s", (_name, question) => {
  test("answers; contestants that compute the same agree, or it would throw", async () => {
    let rounds = 0;
    watchRounds((done) => {
      rounds += done;
    });
    const rows = answered(question, await question.run(EFFORT));
    watchRounds(() => {});
    expect(rounds).toBeGreaterThan(0);
    expect(rows.length).toBeGreaterThan(0);
    expect(new Set(rows.map((r) => r.key)).size).toBe(rows.length);
    for (const row of rows) {
      if (row.median === null) expect(row.missing).toMatch(/clang|gcc/);
      else expect(row.low! <= row.median && row.median <= row.high!, row.key).toBe(true);
    }
    const compiler = findCompiler("clang") ?? findCompiler("gcc");
    if (compiler) expect(rows.filter((r) => r.median === null)).toEqual([]);
  });
});
