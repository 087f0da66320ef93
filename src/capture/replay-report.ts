// What a replay found: counts by kind and the first mismatches with their lines.

/** How many items were checked and how many of them agreed. */
export interface Tally {
  checked: number;
  matched: number;
}

/** One disagreement. */
export interface Mismatch {
  /** What kind of ground truth it is about. */
  kind: TallyName;
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
  /** Milliseconds that the recorded run took. */
  runMs: number;
}

const KEPT_MISMATCHES = 20;

/** Collects a report while the replay runs. */
export class ReportBuilder {
  readonly report: ReplayReport;

  constructor(capture: string, compat: "arch" | "qemu") {
    const tally = (): Tally => ({ checked: 0, matched: 0 });
    this.report = {
      capture,
      compat,
      maps: tally(),
      translations: tally(),
      commands: tally(),
      events: tally(),
      its: tally(),
      msi: tally(),
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

  /** Counts an item that does not agree. */
  mismatch(m: Mismatch): void {
    this.report[m.kind].checked++;
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
