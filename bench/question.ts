// What a benchmark answers: rows of ratios and sizes, each with the target that it must meet.
import type { Spread } from "./stats.ts";

/** A bound on a row's median. */
export interface Target {
  readonly relation: "<=" | ">=";
  readonly value: number;
}

/** One answer. */
export interface Row {
  /** What was done: "4 KiB pages, 1024 resident". */
  readonly name: string;
  /** What the value is: "clang -O3 one by one / engine batch". */
  readonly meaning: string;
  /** undefined when it could not be measured; `missing` says why. */
  readonly value: Spread | undefined;
  readonly unit: "x" | "ns" | "us" | "ms" | "KB" | "M/s" | "reads";
  readonly target?: Target;
  readonly missing?: string;
  /** What stands beside the value: nanoseconds of both sides, fetch counts. */
  readonly note?: string;
}

/** How much is to be done. */
export interface Effort {
  /** Paired rounds of every case. */
  readonly rounds: number;
}

/** One question: a file of this folder. */
export interface Question {
  readonly name: string;
  readonly title: string;
  run(effort: Effort): Promise<Row[]>;
}

/** Whether a row meets its target; rows without one always do. */
export function meets(row: Row): boolean {
  if (!row.target) return true;
  if (!row.value) return false;
  const { median } = row.value;
  return row.target.relation === "<=" ? median <= row.target.value : median >= row.target.value;
}

export const atMost = (value: number): Target => ({ relation: "<=", value });
export const atLeast = (value: number): Target => ({ relation: ">=", value });

/** A count or a size, which has no spread. */
export const exactly = (value: number): Spread => ({ median: value, low: value, high: value });

/** "a 12.3 ns, b 4.5 ns" from nanoseconds by name. */
export function noteTimes(times: Readonly<Record<string, readonly number[]>>): string {
  return Object.entries(times)
    .map(([name, values]) => `${name} ${short(medianOf(values))} ns`)
    .join(", ");
}

/** Three significant digits. */
export function short(value: number): string {
  return value >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
