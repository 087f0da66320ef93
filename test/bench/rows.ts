// Made-up rows and runs for the benchmarks' own tests.

import { atLeast, atMost, type Row } from "../../bench/question.ts";
import type { AnsweredRow, Entry } from "../../bench/report/history.ts";
import { answered } from "../../bench/report/history.ts";
import type { MachineInfo } from "../../bench/report/machine.ts";

export const MACHINE: MachineInfo = {
  cpu: "A <fast> & quiet processor",
  cores: 2,
  memoryGib: 8,
  os: "Linux 6.1 x64",
  node: "20.19.0",
  v8: "11.3",
  clang: "clang version 19",
  gcc: null,
};

const spread = (median: number) => ({ median, low: median * 0.9, high: median * 1.1 });
const row = (name: string, over: Partial<Row>): Row => ({
  name,
  meaning: "engine / C",
  value: undefined,
  unit: "x",
  ...over,
});

/** One row of each kind. */
export const ROWS: Readonly<Record<"ok" | "missed" | "slow" | "free" | "none" | "reads", Row>> = {
  ok: row("cached", { value: spread(0.5), target: atMost(0.75) }),
  missed: row("a < b & c", { value: spread(0.9), target: atMost(0.75), note: "engine 9 ns" }),
  slow: row("commands", { value: spread(40), unit: "M/s", target: atLeast(80) }),
  free: row("start", { value: spread(12.345678), unit: "ms" }),
  none: row("cold", { target: atLeast(4), missing: "neither clang nor gcc is there" }),
  reads: row("reads", { value: spread(3), unit: "reads", target: atMost(0) }),
};

export const answers = (...rows: Row[]): AnsweredRow[] => answered({ name: "made-up" }, rows);

/** A run of these rows. */
export const entryOf = (...rows: Row[]): Entry => ({
  date: "2026-01-02T03:04:05Z",
  commit: `${"0123456789".repeat(4)}-dirty`,
  machine: MACHINE,
  rounds: 15,
  seconds: 200,
  rows: answers(...rows),
});
