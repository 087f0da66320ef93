// README's performance section is what the last recorded run makes. UPDATE_DOCS=1 writes it.
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readHistory } from "../../bench/report/history.ts";
import { performanceSection, withPerformance } from "../../bench/report/readme.ts";
import { entryOf, ROWS } from "./rows.ts";

const README = new URL("../../README.md", import.meta.url);

test("README.md has the section that the last line of the history makes", () => {
  const last = readHistory().at(-1);
  if (last === undefined) throw new Error("the history is empty");
  const fresh = withPerformance(readFileSync(README, "utf8"), last);
  if (process.env.UPDATE_DOCS === "1") writeFileSync(README, fresh);
  expect(readFileSync(README, "utf8")).toBe(fresh);
});

test("names what was missed and what was not compared, and counts what was met", () => {
  const section = performanceSection(entryOf(...Object.values(ROWS)));
  expect(section).toContain("1 of 5 targets are met");
  expect(section).toContain("| a < b & c | engine / C | 0.9 x (0.81 to 0.99) | ≤ 0.75 | **no** |");
  expect(section).toContain("| cold | engine / C | not compared | ≥ 4 |  |");
  expect(section).not.toContain("| start |");
});

test("says openly what the figures mean", () => {
  const section = performanceSection(entryOf(ROWS.ok));
  expect(section).toContain("about correctness, not speed");
  expect(section).toContain("0.1 to 0.9 ms");
  expect(section).toContain("one machine");
});

test("a README without the markers is refused", () => {
  expect(() => withPerformance("# no place", entryOf(ROWS.ok))).toThrow("performance:begin");
});
