// bench/history.jsonl: one line for each full run that was asked to be recorded.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { keyOf, meets, type Question, type Row, type Target, UNITS } from "../question.ts";
import { ROOT } from "../root.ts";
import type { MachineInfo } from "./machine.ts";

export const HISTORY = join(ROOT, "bench", "history.jsonl");

/** Digits of a recorded value: more would only show the timer's grain. */
const DIGITS = 4;

/** One row of a run, as it is printed for programs and recorded. */
export interface AnsweredRow {
  readonly key: string;
  readonly question: string;
  readonly name: string;
  readonly meaning: string;
  readonly unit: Row["unit"];
  /** Median and quartiles; null when it could not be compared. */
  readonly median: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly target: Target | null;
  readonly ok: boolean;
  readonly missing?: string;
  readonly note?: string;
}

/** One run. */
export interface Entry {
  /** ISO 8601, to the second, UTC. */
  readonly date: string;
  readonly commit: string;
  readonly machine: MachineInfo;
  readonly rounds: number;
  readonly seconds: number;
  readonly rows: readonly AnsweredRow[];
}

const rounded = (value: number): number => Number(value.toPrecision(DIGITS));

/** A question's rows for programs. */
export function answered(question: Pick<Question, "name">, rows: readonly Row[]): AnsweredRow[] {
  return rows.map((row) => ({
    key: keyOf(question.name, row),
    question: question.name,
    name: row.name,
    meaning: row.meaning,
    unit: row.unit,
    median: row.value ? rounded(row.value.median) : null,
    low: row.value ? rounded(row.value.low) : null,
    high: row.value ? rounded(row.value.high) : null,
    target: row.target ?? null,
    ok: row.value !== undefined && meets(row),
    ...(row.missing === undefined ? {} : { missing: row.missing }),
    ...(row.note === undefined ? {} : { note: row.note }),
  }));
}

type Check = (value: unknown) => boolean;
const isText: Check = (v) => typeof v === "string" && v !== "";
const isTextOrNull: Check = (v) => v === null || isText(v);
const isNumber: Check = (v) => typeof v === "number" && Number.isFinite(v) && v >= 0;
const isNumberOrNull: Check = (v) => v === null || isNumber(v);
const isObject = (v: unknown): v is Record<string, unknown> => typeof v === "object" && v !== null;
const isTarget: Check = (v) =>
  v === null || (isObject(v) && ["<=", ">="].includes(String(v.relation)) && isNumber(v.value));
const isOptionalText: Check = (v) => v === undefined || isText(v);

const MACHINE: Readonly<Record<keyof MachineInfo, Check>> = {
  cpu: isText,
  cores: isNumber,
  memoryGib: isNumber,
  os: isText,
  node: isText,
  v8: isText,
  clang: isTextOrNull,
  gcc: isTextOrNull,
};
const ROW: Readonly<Record<keyof AnsweredRow, Check>> = {
  key: isText,
  question: isText,
  name: isText,
  meaning: isText,
  unit: (v) => (UNITS as readonly unknown[]).includes(v),
  median: isNumberOrNull,
  low: isNumberOrNull,
  high: isNumberOrNull,
  target: isTarget,
  ok: (v) => typeof v === "boolean",
  missing: isOptionalText,
  note: isOptionalText,
};
const ENTRY: Readonly<Record<keyof Entry, Check>> = {
  date: (v) => isText(v) && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(String(v)),
  commit: (v) => isText(v) && /^[0-9a-f]{40}(-dirty)?$/.test(String(v)),
  machine: (v) => isObject(v),
  rounds: isNumber,
  seconds: isNumber,
  rows: (v) => Array.isArray(v) && v.length > 0,
};

/** Throws unless `value` has the members of `shape` and no others. */
function demand(value: unknown, shape: Readonly<Record<string, Check>>, where: string): void {
  if (!isObject(value)) throw new Error(`${where} is no object`);
  for (const name of Object.keys(value)) {
    if (!(name in shape)) throw new Error(`${where} has an unknown member "${name}"`);
  }
  for (const [name, check] of Object.entries(shape)) {
    if (!check(value[name])) throw new Error(`${where} has a bad "${name}"`);
  }
}

/** Reads one line. Throws an Error that names what is wrong with it. */
export function parseEntry(line: string, where = "the line"): Entry {
  const entry = JSON.parse(line) as Entry;
  demand(entry, ENTRY, where);
  demand(entry.machine, MACHINE, `${where}: the machine`);
  for (const [i, row] of entry.rows.entries()) demand(row, ROW, `${where}: row ${i + 1}`);
  const keys = entry.rows.map((row) => row.key);
  const twice = keys.find((key, i) => keys.indexOf(key) !== i);
  if (twice !== undefined) throw new Error(`${where} has ${twice} twice`);
  return entry;
}

/** All recorded runs, oldest first. */
export function readHistory(file = HISTORY): Entry[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  return lines.map((line, i) => parseEntry(line, `history line ${i + 1}`));
}

/** Appends a run, checked as a reader checks it. */
export function record(entry: Entry, file = HISTORY): void {
  const line = JSON.stringify(entry);
  parseEntry(line, "the run");
  appendFileSync(file, `${line}\n`);
}
