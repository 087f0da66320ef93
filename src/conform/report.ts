// What a conformance run found: counts by kind, and the first differences with both answers.

/** Differences that a report keeps. */
export const MISMATCHES_MAX = 20;

/** One case that came out differently. */
export interface Mismatch {
  /** 1-based line of the file. */
  line: number;
  kind: string;
  /** What differs, in words: "pa", "event records", "step 12". */
  differs: string[];
  /** What was asked: the StreamID and address, or the step of a program. */
  request: unknown;
  expected: unknown;
  got: unknown;
}

/** Counts of one kind of case. */
export interface Tally {
  cases: number;
  matched: number;
}

/** The outcome for one file. */
export interface ConformReport {
  file: string;
  cases: number;
  matched: number;
  byKind: Record<string, Tally>;
  /** The first of them. */
  mismatches: Mismatch[];
}

/** Collects a report. */
export class ReportBuilder {
  readonly #report: ConformReport;

  constructor(file: string) {
    this.#report = { file, cases: 0, matched: 0, byKind: {}, mismatches: [] };
  }

  /** Counts a case; `mismatch` is undefined when both answers agree. */
  add(kind: string, mismatch: Mismatch | undefined): void {
    const report = this.#report;
    report.byKind[kind] ??= { cases: 0, matched: 0 };
    const tally = report.byKind[kind];
    report.cases++;
    tally.cases++;
    if (mismatch === undefined) {
      report.matched++;
      tally.matched++;
    } else if (report.mismatches.length < MISMATCHES_MAX) report.mismatches.push(mismatch);
  }

  /** Cases so far. */
  get cases(): number {
    return this.#report.cases;
  }

  /** The report, kinds in alphabetical order. */
  finish(): ConformReport {
    const byKind = Object.fromEntries(
      Object.entries(this.#report.byKind).sort(([a], [b]) => (a < b ? -1 : 1)),
    );
    return { ...this.#report, byKind };
  }
}
