// The README's performance section, made from the last line of bench/history.jsonl.
import { significant } from "../../src/view/number.ts";
import { targetText } from "../question.ts";
import type { AnsweredRow, Entry } from "./history.ts";

const BEGIN = "<!-- performance:begin -->";
const END = "<!-- performance:end -->";
const COMMIT_DIGITS = 12;

/** What a reader must know to make something of the figures. */
const MEANING = [
  "Ratios are of times taken in turns in this one run, on this one machine; another machine " +
    "gives others. Times and rates hold for this machine alone, and other programs ran beside it.",
  "The direct doorbell is about correctness, not speed: a VMM that does not read guest tables " +
    "cannot read them at the wrong moment. What it saves is small beside what follows, for " +
    "committing KVM's routes takes 0.1 to 0.9 ms, far more than any walk.",
  "The C is the engine itself, translated from AssemblyScript and built with `-O3 " +
    "-march=native`; nobody tuned it by hand. Each case first proves that all who compute the " +
    "same give the same answers. Cold means that the engine's caches are empty.",
];

/** Markdown's table would take a bar for the end of the cell. */
const cell = (text: string): string => text.replaceAll("|", "\\|");

function valueText(row: AnsweredRow): string {
  if (row.median === null || row.low === null || row.high === null) return "not compared";
  const text = `${significant(row.median)} ${row.unit}`;
  if (row.low === row.high) return text;
  return `${text} (${significant(row.low)} to ${significant(row.high)})`;
}

function lineOf(row: AnsweredRow): string {
  const target = targetText(row.target ?? undefined)
    .replace("<=", "≤")
    .replace(">=", "≥");
  const verdict = row.median === null ? "" : row.ok ? "yes" : "**no**";
  const cells = [row.question, cell(row.name), cell(row.meaning), valueText(row), target, verdict];
  return `| ${cells.join(" | ")} |`;
}

/** The section between the markers. */
export function performanceSection(entry: Entry): string {
  const { machine } = entry;
  const wanted = entry.rows.filter((row) => row.target !== null || row.median === null);
  const met = wanted.filter((row) => row.ok).length;
  const compiler = machine.clang ?? machine.gcc ?? "no C compiler";
  return [
    `Measured on ${entry.date.slice(0, 10)} at commit ${entry.commit.slice(0, COMMIT_DIGITS)} ` +
      `(${machine.cpu}, ${machine.cores} cores, ${machine.os}, Node ${machine.node}, ` +
      `${compiler}): medians of ${entry.rounds} paired rounds, with quartiles. ` +
      `${met} of ${wanted.length} targets are met.`,
    "",
    "| question | case | value is | median (quartiles) | target | met |",
    "|---|---|---|---|---|---|",
    ...wanted.map(lineOf),
    "",
    "What the figures mean:",
    "",
    ...MEANING.map((text) => `- ${text}`),
  ].join("\n");
}

/** The README with its performance section made anew. Throws when it has no place for one. */
export function withPerformance(readme: string, entry: Entry): string {
  const [before, rest] = readme.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`the README has no ${BEGIN} and ${END}`);
  return `${before}${BEGIN}\n\n${performanceSection(entry)}\n\n${END}${after}`;
}
