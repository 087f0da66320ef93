// The part of a replay's report that is about the VMM of an accelerated guest.
import type { Tally } from "./replay-report.ts";

/** The kinds of ground truth of an accelerated run, in the order of the report. */
export const ACCEL_TALLIES = [
  "calls",
  "attaches",
  "installs",
  "invalidations",
  "hostQueue",
  "fixups",
  "routes",
  "vectors",
  "events",
  "registers",
] as const;

export type AccelTallyName = (typeof ACCEL_TALLIES)[number];

/** Loads of guest memory that the VMM made during the run, by their reason. */
export interface AccelReads {
  commands: number;
  streamTable: number;
  /** Page tables and CDs. */
  tables: number;
}

/** What a replay found about the VMM. */
export interface AccelReport extends Record<AccelTallyName, Tally> {
  vmmReads: AccelReads;
}

/** A report in which nothing was checked yet. */
export function emptyAccelReport(): AccelReport {
  const tallies = ACCEL_TALLIES.map((name) => [name, { checked: 0, matched: 0 }]);
  return {
    ...(Object.fromEntries(tallies) as Record<AccelTallyName, Tally>),
    vmmReads: { commands: 0, streamTable: 0, tables: 0 },
  };
}
