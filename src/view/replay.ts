// A replay's outcome as text: counts by kind, then the first mismatches with their lines.

import type { ReplayReport } from "../capture/replay-report.ts";
import { TALLIES } from "../capture/replay-report.ts";
import { count, plural, significant } from "./number.ts";
import type { Paint } from "./paint.ts";
import { formatTable, wrap } from "./table.ts";

/** Lines for people. */
export function formatReplay(
  report: ReplayReport,
  options: { paint: Paint; width: number; guest: string; seconds: number },
): string[] {
  const { paint, width, guest, seconds } = options;
  const rows = TALLIES.map((name) => {
    const { checked, matched } = report[name];
    const good = checked === matched;
    const text = checked === 0 ? "none recorded" : good ? "all match" : `${count(matched)} match`;
    const style = checked === 0 ? "dim" : good ? "good" : "bad";
    return [name, count(checked), { text, style: style as "dim" | "good" | "bad" }];
  });
  const columns = [{ title: "ground truth" }, { title: "checked", align: "right" as const }];
  const perSecond = report.translations.checked / (Math.max(report.runMs, 0.001) / 1000);
  const rate = perSecond > 0 ? ` (${count(perSecond)} translations/s)` : "";
  const wrong = report.mismatchCount;
  const verdict =
    wrong === 0
      ? paint("good", "No mismatch")
      : paint("bad", plural(wrong, "mismatch", "mismatches"));
  const title = [paint("head", report.capture), guest, paint("dim", `${report.compat} rules`)];
  return [
    title.filter(Boolean).join("  "),
    "",
    ...formatTable([...columns, { title: "result" }], rows, { paint, width }),
    "",
    ...report.notes.flatMap((note) => wrap(`Note: ${note}.`, width || 100, 2)),
    ...report.mismatches.flatMap((m) => {
      const where = m.line === null ? m.file : `${m.file}:${m.line}`;
      return [
        `  ${paint("bad", where)}  ${m.kind}  ${m.what}`,
        `    ${paint("dim", "expected")}  ${m.expected}`,
        `    ${paint("dim", "got")}       ${m.got}`,
      ];
    }),
    ...(wrong > report.mismatches.length
      ? [`  … and ${count(wrong - report.mismatches.length)} more`]
      : []),
    `${verdict} in ${significant(seconds)} s${rate}.`,
  ];
}
