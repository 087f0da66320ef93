// Questions in processes of their own: their rows come back, their failures are named.
import { expect, test } from "vitest";
import { apart } from "../../bench/apart.ts";
import type { Question } from "../../bench/question.ts";
import { QUESTIONS } from "../../bench/questions/index.ts";
import { watchRounds } from "../../bench/rounds.ts";

const named = (name: string): Question => ({ name, title: "", run: async () => [] });

test("rows, notes and rounds of another process", async () => {
  const notes: string[] = [];
  const rounds: number[][] = [];
  watchRounds((...told) => rounds.push(told));
  const question = apart(QUESTIONS.find((q) => q.name === "its") as Question);
  const rows = await question.run({ rounds: 1, note: (text) => notes.push(text) });
  watchRounds(() => {});
  expect(rows.map((row) => row.unit)).toContain("M/s");
  expect(rows.every((row) => row.value !== undefined && row.value.median > 0)).toBe(true);
  expect(rounds).toContainEqual([1, 1]);
  expect(notes.length).toBeGreaterThan(0);
});

test("a question that does not exist there", async () => {
  await expect(apart(named("nothing")).run({ rounds: 1 })).rejects.toThrow(
    "nothing: no such question",
  );
});
