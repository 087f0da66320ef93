// What a benchmark answers: rows of ratios and sizes, each with the target that it must meet.
import { significant } from "../src/view/number.ts";
import { type Spread, spreadOf } from "./stats.ts";

/** A bound on a row's median. */
export interface Target {
  readonly relation: "<=" | ">=";
  readonly value: number;
}

/** Units of values: ratios, times, sizes, rates, counts. */
export const UNITS = ["x", "ns", "us", "ms", "KB", "M/s", "reads"] as const;

/** One answer. */
export interface Row {
  /** What was done: "4 KiB pages, 1024 resident". */
  readonly name: string;
  /** What the value is: "clang -O3 one by one / engine batch". */
  readonly meaning: string;
  /** Its name in the history, within its question; default: made of name and meaning. */
  readonly key?: string;
  /** undefined when it could not be measured; `missing` says why. */
  readonly value: Spread | undefined;
  readonly unit: (typeof UNITS)[number];
  readonly target?: Target;
  readonly missing?: string;
  /** What stands beside the value: nanoseconds of both sides, fetch counts. */
  readonly note?: string;
}

/** How much is to be done. */
export interface Effort {
  /** Paired rounds of every case. */
  readonly rounds: number;
  /** Share of the usual requests and repetitions, for tests; default 1. */
  readonly scale?: number;
  /** Told which case begins. */
  readonly note?: (text: string) => void;
}

/** One question: a file of this folder. */
export interface Question {
  readonly name: string;
  readonly title: string;
  run(effort: Effort): Promise<Row[]>;
}

/** The share of `count` that an effort asks for; `least` is the fewest that make sense. */
export function share(effort: Effort, count: number, least = 1): number {
  return Math.max(least, Math.round(count * (effort.scale ?? 1)));
}

/** Whether a row meets its target; rows without one always do. */
export function meets(row: Pick<Row, "value" | "target">): boolean {
  if (!row.target) return true;
  if (!row.value) return false;
  const { median } = row.value;
  return row.target.relation === "<=" ? median <= row.target.value : median >= row.target.value;
}

/** The row's name in the history: "hit/stage-1-1024-pages-cached-engine-clang". */
export function keyOf(question: string, row: Row): string {
  const words = row.key ?? `${row.name} ${row.meaning}`;
  const slug = words.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return `${question}/${slug.replace(/^-|-$/g, "")}`;
}

export const atMost = (value: number): Target => ({ relation: "<=", value });
export const atLeast = (value: number): Target => ({ relation: ">=", value });

/** "<= 0.75", or nothing. */
export const targetText = (target: Target | undefined): string =>
  target ? `${target.relation} ${target.value}` : "";

/** A count or a size, which has no spread. */
export const exactly = (value: number): Spread => ({ median: value, low: value, high: value });

/** A rate in M/s from nanoseconds per operation by round. */
export const rateOf = (ns: readonly number[]): Spread => spreadOf(ns.map((t) => 1000 / t));

/** "a 12.3 ns, b 4.5 ns" from nanoseconds by name. */
export function noteTimes(times: Readonly<Record<string, readonly number[]>>): string {
  return Object.entries(times)
    .map(([name, values]) => `${name} ${significant(spreadOf(values).median)} ns`)
    .join(", ");
}
