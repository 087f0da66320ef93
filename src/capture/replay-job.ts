// What every section of a replay gets.

import type { Compat } from "../engine/types.ts";
import type { Capture } from "./capture.ts";
import type { ReportBuilder } from "./replay-report.ts";

/** One section of a replay; each adds to the same report. */
export interface ReplaySection {
  name: string;
  run(job: ReplayJob): Promise<void>;
}

/** What every section gets. */
export interface ReplayJob {
  capture: Capture;
  compat: Compat;
  report: ReportBuilder;
  progress(fraction: number, lines: number): void;
}
