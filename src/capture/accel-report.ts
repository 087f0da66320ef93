// The part of a replay's report that is about the VMM of an accelerated guest.
import { emptyTally, type Tally } from "./tally.ts";

/** The kinds of ground truth of an accelerated run, in the order of the report. */
export const ACCEL_TALLIES = [
  "calls",
  "attaches",
  "installs",
  "invalidations",
  "hostQueue",
  "fixups",
  "walks",
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

/** Fix-ups of a VMM that translates by itself. */
export interface FallbackFixups {
  fixups: number;
  vectors: number;
  /** Fix-ups whose translation walked, and whose translation hit the IOTLB. */
  walks: number;
  hits: number;
}

/** What a replay found about the VMM. */
export interface AccelReport extends Record<AccelTallyName, Tally> {
  /** Absent for a VMM that walks. */
  vmmReads?: AccelReads;
  /** Absent for a VMM that does not. */
  fallback?: FallbackFixups;
}

/** A report in which nothing was checked yet. */
export function emptyAccelReport(): AccelReport {
  const tallies = ACCEL_TALLIES.map((name) => [name, emptyTally()]);
  return Object.fromEntries(tallies) as Record<AccelTallyName, Tally>;
}
