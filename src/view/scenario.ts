// A performed scenario as text: every step, what it came to, and what was expected instead.
import type { CaseResult, Outcome, ScenarioResult, StepResult } from "../scenario/types.ts";
import { count, hex } from "./number.ts";
import type { Paint } from "./paint.ts";
import { wrap } from "./table.ts";

const LINE_WIDTH = 100;

/** Lines for people. */
export function formatScenario(
  result: ScenarioResult,
  options: { readonly paint: Paint; readonly width: number },
): string[] {
  const { paint } = options;
  const width = options.width || LINE_WIDTH;
  const verdict = result.ok
    ? paint("good", "Every step came to what was expected.")
    : paint("bad", "Some steps came to something else.");
  return [
    paint("head", result.scenario),
    ...wrap(result.summary, width, 2),
    ...result.cases.flatMap((one) => ["", ...formatCase(one, paint, width)]),
    "",
    verdict,
  ];
}

function formatCase(one: CaseResult, paint: Paint, width: number): string[] {
  const machine = describe(one.machine as Outcome);
  const { commands, streamTable, tables } = one.vmmReads;
  return [
    `${paint("name", one.name)}${machine ? `  ${paint("dim", machine)}` : ""}`,
    ...one.steps.flatMap((step) => formatStep(step, paint, width)),
    paint(
      "dim",
      `  The VMM read guest memory for ${count(commands)} command words, ` +
        `${count(streamTable)} words of the stream table, ${count(tables)} of tables and CDs.`,
    ),
  ];
}

function formatStep(step: StepResult, paint: Paint, width: number): string[] {
  const bad = step.wrong.length > 0;
  const mark = bad ? paint("bad", "×") : paint("good", "·");
  const outcome = describe(step.outcome);
  const head = `  ${mark} ${paint("name", step.action)} ${describe(step.what)}`.trimEnd();
  const arrow = outcome ? `  ${paint("dim", "→")} ${outcome}` : "";
  const line = `${head}${arrow}`;
  return [
    ...wrapIndented(line, width),
    ...(step.note ? wrap(step.note, width - 6, 0).map((l) => `      ${paint("dim", l)}`) : []),
    ...step.wrong.map(
      ({ member, expected, got }) =>
        `      ${paint("bad", member)}: expected ${describe(expected)}, got ${describe(got)}`,
    ),
  ];
}

const wrapIndented = (line: string, width: number): string[] => {
  const [first, ...rest] = wrap(line, width, 0);
  return [`  ${first.trimStart()}`, ...rest.map((l) => `      ${l}`)];
};

/** A value on one line: addresses in hexadecimal, names without quotes. */
function describe(value: unknown): string {
  if (typeof value === "bigint") return hex(value);
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map(describe).join("; ");
  if (value === null) return "none";
  if (typeof value !== "object") return String(value);
  return Object.entries(value as Outcome)
    .filter(([, v]) => v !== undefined && v !== null)
    .map(([name, v]) => `${name} ${describe(v)}`)
    .join(", ");
}
