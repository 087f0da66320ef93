// `npm run bench`: asks the questions, prints tables, draws the picture, checks and records.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { InputError } from "../src/capture/errors.ts";
import { type Command, type Context, EXIT, UsageError } from "../src/cli/command.ts";
import { flagOption, integerOption, nearest, textOption } from "../src/cli/parse.ts";
import { toJson } from "../src/view/json.ts";
import { painter } from "../src/view/paint.ts";
import { type Progress, progressBar } from "../src/view/progress.ts";
import type { Question } from "./question.ts";
import { failuresOf } from "./report/check.ts";
import { type AnsweredRow, answered, type Entry, record } from "./report/history.ts";
import { thisCommit, thisMachine } from "./report/machine.ts";
import { plotOf } from "./report/plot.ts";
import { tableOf } from "./report/table.ts";
import { ROOT } from "./root.ts";
import { watchRounds } from "./rounds.ts";

const ROUNDS = 15;
const ROUNDS_MAX = 1000;
const PICTURE = join(ROOT, ".vsmmu", "bench.svg");

/** The command over a list of questions. */
export function benchCommand(questions: readonly Question[]): Command {
  return {
    name: "bench",
    summary: "measure, and compare with native C, paired round by paired round",
    usage: "[QUESTION...] [--rounds N] [--check] [--record] [--svg FILE]",
    description:
      "Prints a table for each question, and draws how much of each target was taken. Values are " +
      "medians with quartiles of paired rounds in this one run. A case whose contestants compute " +
      "the same first proves that their answers are equal. Without a C compiler the cases that " +
      "need one say so.\n\n" +
      "Exit codes: 0 measured (with --check: every target met), 1 with --check when a target was " +
      "missed or a row could not be compared, 2 usage, 3 the picture could not be written, 70 a " +
      "defect.",
    options: {
      rounds: { type: "string", value: "N", help: `paired rounds of every case (${ROUNDS})` },
      check: { type: "boolean", help: "name every target that was missed or not compared; exit 1" },
      record: { type: "boolean", help: "append this run to bench/history.jsonl (full runs only)" },
      svg: { type: "string", value: "FILE", help: "where the picture goes (.vsmmu/bench.svg)" },
      list: { type: "boolean", help: "list the questions" },
    },
    positionals: [
      { name: "QUESTION", help: "a name from --list; default all", optional: true, variadic: true },
    ],
    examples: [
      ["npm run bench", "every question, in minutes"],
      ["npm run bench -- doorbell its --rounds 3", "two questions, quickly"],
      ["npm run bench -- --check", "fails when a target is missed"],
      [
        "npm run bench -- --record",
        "a line for bench/history.jsonl, from which the README is made",
      ],
    ],
    run: (context) => run(context, questions),
  };
}

function chosen(names: readonly string[], questions: readonly Question[]): readonly Question[] {
  for (const name of names) {
    const all = questions.map((q) => q.name);
    if (all.includes(name)) continue;
    const near = nearest(name, all);
    const hint = near ? `did you mean ${near}?` : `there are: ${all.join(", ")}`;
    throw new UsageError(`no question "${name}"; ${hint}`);
  }
  return questions.filter((q) => names.length === 0 || names.includes(q.name));
}

function roundsOf(context: Context): number {
  const rounds = Number(integerOption(context.args, "rounds", 32) ?? ROUNDS);
  if (rounds < 1 || rounds > ROUNDS_MAX) {
    throw new UsageError(`--rounds must be 1 to ${ROUNDS_MAX}, not ${rounds}`);
  }
  return rounds;
}

/** A bar on the terminal: which case runs, and how many of its rounds are done. */
class Meter {
  readonly #context: Context;
  #label = "";
  #bar: Progress;

  constructor(context: Context) {
    this.#context = context;
    this.#bar = this.#begin("");
    watchRounds((done, total) => this.#bar.update(done / total, done));
  }

  #begin(label: string): Progress {
    const { errRaw, errWidth } = this.#context;
    this.#label = label;
    const bar = progressBar(
      { write: errRaw, width: errWidth, now: () => performance.now() },
      label,
      "rounds",
    );
    if (label !== "") bar.update(0, 0);
    return bar;
  }

  /** Shows that something new begins. */
  case(label: string): void {
    if (label === this.#label) return;
    this.#bar.end();
    this.#bar = this.#begin(label);
  }

  end(): void {
    this.#bar.end();
    this.#label = "";
  }
}

async function ask(context: Context, questions: readonly Question[], rounds: number) {
  const json = flagOption(context.args, "json");
  const rows: AnsweredRow[] = [];
  const meter = new Meter(context);
  for (const question of questions) {
    meter.case(question.name);
    const note = (text: string) => meter.case(`${question.name}: ${text}`);
    const found = await question.run({ rounds, note }).finally(() => meter.end());
    rows.push(...answered(question, found));
    if (json) continue;
    const view = { paint: painter(context.color), width: context.width };
    context.out([...tableOf(question.title, found, view), ""].join("\n"));
  }
  return rows;
}

function draw(context: Context, entry: Entry): void {
  const file = textOption(context.args, "svg") ?? PICTURE;
  const { cpu, cores, node } = entry.machine;
  const subtitle = `${entry.date}, ${cpu}, ${cores} cores, Node ${node}, ${entry.rounds} rounds`;
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, plotOf(entry.rows, subtitle));
  } catch (error) {
    throw new InputError(file, (error as Error).message);
  }
  context.err(`picture: ${file}`);
}

/** Says what failed; gives the exit code. */
function judge(context: Context, rows: readonly AnsweredRow[]): number {
  const failures = failuresOf(rows);
  const targets = rows.filter((row) => row.target !== null).length;
  for (const { text } of failures) context.err(text);
  context.err(
    failures.length === 0
      ? `all ${targets} targets are met`
      : `${failures.length} of ${rows.length} rows missed their target or were not compared`,
  );
  return failures.length === 0 ? EXIT.ok : EXIT.found;
}

async function run(context: Context, questions: readonly Question[]): Promise<number> {
  const { args } = context;
  if (flagOption(args, "list")) {
    context.out(questions.map((q) => `${q.name.padEnd(12)}${q.title}`).join("\n"));
    return EXIT.ok;
  }
  const asked = chosen(args.positionals, questions);
  const rounds = roundsOf(context);
  const recording = flagOption(args, "record");
  if (recording && asked.length < questions.length) {
    throw new UsageError("--record is for runs of every question");
  }
  const commit = thisCommit();
  if (recording && commit === undefined) throw new UsageError("--record needs a git checkout");
  const start = performance.now();
  const rows = await ask(context, asked, rounds);
  const entry: Entry = {
    date: new Date().toISOString().replace(/\.\d+/, ""),
    commit: commit ?? "unknown",
    machine: thisMachine(),
    rounds,
    seconds: Math.round((performance.now() - start) / 1000),
    rows,
  };
  if (flagOption(args, "json")) context.out(toJson(entry));
  if (recording) record(entry);
  draw(context, entry);
  return flagOption(args, "check") ? judge(context, rows) : EXIT.ok;
}
