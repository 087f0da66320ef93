// A conformance report as text: counts by kind, then the first differences.

import type { ConformReport } from "../conform/report.ts";
import { count, plural, significant } from "./number.ts";
import type { Paint } from "./paint.ts";
import { formatTable } from "./table.ts";

/** One line of JSON with addresses in hexadecimal. */
const compact = (value: unknown): string =>
  JSON.stringify(value, (_key, v) => (typeof v === "bigint" ? `0x${v.toString(16)}` : v));

/** Lines for people. */
export function formatConform(
  report: ConformReport,
  options: { paint: Paint; width: number; compat: string; seconds: number },
): string[] {
  const { paint, width, compat, seconds } = options;
  const rows = Object.entries(report.byKind).map(([kind, { cases, matched }]) => {
    const good = cases === matched;
    const text = good ? "all match" : `${count(matched)} match`;
    const style: "good" | "bad" = good ? "good" : "bad";
    return [kind, count(cases), { text, style }];
  });
  const columns = [
    { title: "recorded answer" },
    { title: "cases", align: "right" as const },
    { title: "result" },
  ];
  const wrong = report.cases - report.matched;
  const verdict =
    wrong === 0
      ? paint("good", `${count(report.cases)} of ${count(report.cases)} match`)
      : paint("bad", `${plural(wrong, "mismatch", "mismatches")} in ${count(report.cases)} cases`);
  return [
    `${paint("head", report.file)}  ${paint("dim", `${compat} rules`)}`,
    "",
    ...formatTable(columns, rows, { paint, width }),
    "",
    ...report.mismatches.flatMap((m) => [
      `  ${paint("bad", `line ${m.line}`)}  ${m.kind}: ` +
        `${m.differs.join(", ")}  ${compact(m.request)}`,
      `    ${paint("dim", "expected")}  ${compact(m.expected)}`,
      `    ${paint("dim", "got")}       ${compact(m.got)}`,
    ]),
    ...(wrong > report.mismatches.length
      ? [`  … and ${count(wrong - report.mismatches.length)} more`]
      : []),
    `${verdict} in ${significant(seconds)} s.`,
  ];
}
