// bench/history.jsonl: what is written is read back, and what is not a run is refused.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Entry,
  HISTORY,
  parseEntry,
  readHistory,
  record,
} from "../../bench/report/history.ts";
import { thisCommit, thisMachine } from "../../bench/report/machine.ts";
import { entryOf, ROWS } from "./rows.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "vsmmu-bench-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const ENTRY = entryOf(...Object.values(ROWS));

test("runs are appended line by line and read back in order", () => {
  const file = join(folder, "history.jsonl");
  expect(readHistory(file)).toEqual([]);
  record(ENTRY, file);
  record({ ...ENTRY, rounds: 3 }, file);
  expect(readFileSync(file, "utf8").split("\n").length).toBe(3);
  expect(readHistory(file)).toEqual([ENTRY, { ...ENTRY, rounds: 3 }]);
});

test("values keep four digits, and a row without one has none", () => {
  const [, , , free, none] = ENTRY.rows;
  expect(free).toMatchObject({ median: 12.35, ok: true, target: null });
  expect(none).toMatchObject({ median: null, low: null, high: null, ok: false });
});

test.each<[string, (e: Record<string, unknown>) => unknown]>([
  ['bad "date"', (e) => ({ ...e, date: "yesterday" })],
  ['bad "commit"', (e) => ({ ...e, commit: "main" })],
  ['bad "rounds"', (e) => ({ ...e, rounds: -1 })],
  ['bad "rows"', (e) => ({ ...e, rows: [] })],
  ['unknown member "host"', (e) => ({ ...e, host: "here" })],
  ['machine has a bad "cpu"', (e) => ({ ...e, machine: { ...(e.machine as object), cpu: 5 } })],
  ["machine is no object", (e) => ({ ...e, machine: undefined }) as unknown],
  ['row 1 has a bad "unit"', (e) => ({ ...e, rows: [{ ...ENTRY.rows[0], unit: "furlong" }] })],
  ['row 1 has a bad "target"', (e) => ({ ...e, rows: [{ ...ENTRY.rows[0], target: "0.75" }] })],
  ["cached-engine-c twice", (e) => ({ ...e, rows: [ENTRY.rows[0], ENTRY.rows[0]] })],
])("a line with %s is refused", (text, change) => {
  const bad = change(JSON.parse(JSON.stringify(ENTRY)));
  expect(() => parseEntry(JSON.stringify(bad))).toThrow(
    text.startsWith("machine is") ? 'bad "machine"' : text,
  );
  expect(() => record(bad as Entry, join(folder, "refused.jsonl"))).toThrow();
  expect(readHistory(join(folder, "refused.jsonl"))).toEqual([]);
});

test("every line of the history in this checkout is a run, oldest first", () => {
  const dates = readHistory(HISTORY).map((e) => e.date);
  expect(dates.length).toBeGreaterThan(0);
  expect([...dates].sort()).toEqual(dates);
});

test("this machine and this checkout can be recorded", () => {
  const entry = { ...ENTRY, machine: thisMachine(), commit: thisCommit() ?? ENTRY.commit };
  expect(parseEntry(JSON.stringify(entry))).toEqual(entry);
});
