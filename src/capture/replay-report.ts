// What a replay found: counts by kind and the first mismatches with their lines.

import { type AccelReport, type AccelTallyName, emptyAccelReport } from "./accel-report.ts";
import { emptyTally, type Tally } from "./tally.ts";

/** One disagreement. */
export interface Mismatch {
  /** What kind of ground truth it is about. */
  kind: TallyName | `accel.${AccelTallyName}`;
  /** File of the capture. */
  file: string;
  /** 1-based line of `file`; null when the item is not a line (a leaf that no line lists). */
  line: number | null;
  /** What the item is, in a few words. */
  what: string;
  expected: string;
  got: string;
}

/** The kinds of ground truth, in the order of the report. */
export const TALLIES = ["maps", "translations", "commands", "events", "its", "msi"] as const;

/** One kind of ground truth. */
export type TallyName = (typeof TALLIES)[number];

/** The outcome of a replay. */
export interface ReplayReport extends Record<TallyName, Tally> {
  capture: string;
  compat: "arch" | "qemu";
  /** The first mismatches, in the order in which they were found. */
  mismatches: Mismatch[];
  /** Mismatches in all. */
  mismatchCount: number;
  /** Things worth knowing that are no mismatches. */
  notes: string[];
  /**
   * "checked": its record was replayed. "not recorded": there was a VMM, but the capture does not
   * hold what it did. "none": nothing says that there was one.
   */
  vmm: "checked" | "not recorded" | "none";
  /** About the VMM; absent when the capture has no record of one. */
  accel?: AccelReport;
  /** Milliseconds that the recorded run took. */
  runMs: number;
}

const KEPT_MISMATCHES = 20;

/** Collects a report while the replay runs. */
export class ReportBuilder {
  readonly report: ReplayReport;

  constructor(capture: string, compat: "arch" | "qemu") {
    this.report = {
      capture,
      compat,
      maps: emptyTally(),
      translations: emptyTally(),
      commands: emptyTally(),
      events: emptyTally(),
      its: emptyTally(),
      msi: emptyTally(),
      vmm: "none",
      mismatches: [],
      mismatchCount: 0,
      notes: [],
      runMs: 0,
    };
  }

  /** Counts an item that agrees. */
  match(kind: TallyName): void {
    this.report[kind].checked++;
    this.report[kind].matched++;
  }

  /** The part about the VMM, made when first asked for. */
  get accel(): AccelReport {
    this.report.accel ??= emptyAccelReport();
    return this.report.accel;
  }

  /** Counts an item about the VMM; `differs` says how it does not agree. */
  checkAccel(
    kind: AccelTallyName,
    place: Pick<Mismatch, "file" | "line" | "what">,
    differs: Pick<Mismatch, "expected" | "got"> | undefined,
  ): void {
    const tally = this.accel[kind];
    tally.checked++;
    if (differs === undefined) tally.matched++;
    else this.complain({ kind: `accel.${kind}`, ...place, ...differs });
  }

  /** Counts an item that does not agree. */
  mismatch(m: Mismatch): void {
    const kind = TALLIES.find((name) => name === m.kind);
    if (kind !== undefined) this.report[kind].checked++;
    this.complain(m);
  }

  /** Records a disagreement that is not an item of the ground truth (an extra leaf). */
  complain(m: Mismatch): void {
    this.report.mismatchCount++;
    if (this.report.mismatches.length < KEPT_MISMATCHES) this.report.mismatches.push(m);
  }

  /** Adds a note once. */
  note(text: string): void {
    if (!this.report.notes.includes(text)) this.report.notes.push(text);
  }
}
