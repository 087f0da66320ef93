// Checks the engine against a file of recorded answers, line by line.
import { InputError } from "../capture/errors.ts";
import type { Compat } from "../engine/types.ts";
import { compareCase, compareProgram, kindOf } from "./compare.ts";
import { BATCH, GoldenMachine } from "./golden.ts";
import { type GoldenCase, parseGoldenCase } from "./golden-case.ts";
import { LocalTarget } from "./local.ts";
import type { RecordedProgram } from "./program.ts";
import { type ConformReport, ReportBuilder } from "./report.ts";
import { runProgram } from "./run.ts";

/** How a file is checked. */
export interface CheckOptions {
  compat: Compat;
  /** Told now and then how far the check is, 0 to 1, and how many cases are done. */
  progress?(fraction: number, cases: number): void;
}

/** A line that cannot be read: which one, and why. */
const badLine = (file: string, line: number, error: unknown): InputError =>
  new InputError(file, error instanceof Error ? error.message : String(error), { line });

/** Golden cases: batches share one machine, whose caches live through a batch. */
class GoldenChecker {
  readonly #report: ReportBuilder;
  readonly #compat: Compat;
  #machine: GoldenMachine | undefined;
  #batch: GoldenCase[] = [];

  constructor(report: ReportBuilder, compat: Compat) {
    this.#report = report;
    this.#compat = compat;
  }

  async add(text: string, line: number): Promise<void> {
    this.#batch.push(parseGoldenCase(text));
    if (this.#batch.length === BATCH) await this.flush(line);
  }

  /** Runs what is waiting; `line` is the last one's number. */
  async flush(line: number): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    if (batch.length === 0) return;
    this.#machine ??= await GoldenMachine.create(this.#compat);
    const answers = this.#machine.run(batch);
    for (const [i, expected] of batch.entries()) {
      const at = line - batch.length + 1 + i;
      const mismatch = compareCase(at, expected, answers[i], this.#compat);
      this.#report.add(kindOf(expected), mismatch);
    }
  }
}

/** Recorded programs: each starts from reset. */
class ProgramChecker {
  readonly #report: ReportBuilder;
  readonly #compat: Compat;
  #target: LocalTarget | undefined;

  constructor(report: ReportBuilder, compat: Compat) {
    this.#report = report;
    this.#compat = compat;
  }

  async add(text: string, line: number): Promise<void> {
    const recorded = JSON.parse(text) as RecordedProgram;
    this.#target ??= await LocalTarget.create(this.#compat);
    const got = await runProgram(this.#target, recorded.program);
    this.#report.add(recorded.program.kind, compareProgram(line, recorded, got));
  }
}

/**
 * Checks every line of a file: golden cases (their order matters) or recorded programs.
 * @throws InputError naming the line that cannot be read
 */
export async function checkLines(
  file: string,
  text: string,
  options: CheckOptions,
): Promise<ConformReport> {
  const report = new ReportBuilder(file);
  const golden = new GoldenChecker(report, options.compat);
  const programs = new ProgramChecker(report, options.compat);
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  if (lines.length === 0) throw new InputError(file, "there is no case in it");
  for (const [i, line] of lines.entries()) {
    try {
      await (line.startsWith('{"program"') ? programs : golden).add(line, i + 1);
    } catch (error) {
      throw badLine(file, i + 1, error);
    }
    options.progress?.((i + 1) / lines.length, report.cases);
  }
  await golden.flush(lines.length);
  return report.finish();
}
