// A replay's outcome as text: counts by kind, then the first mismatches with their lines.

import { ACCEL_TALLIES, type AccelReport, type AccelTallyName } from "../capture/accel-report.ts";
import type { ReplayReport } from "../capture/replay-report.ts";
import { TALLIES } from "../capture/replay-report.ts";
import type { Tally } from "../capture/tally.ts";
import { count, plural, significant } from "./number.ts";
import type { Paint } from "./paint.ts";
import { formatTable, wrap } from "./table.ts";

/** What the tallies about the VMM are called. */
const ACCEL_NAMES: Readonly<Record<AccelTallyName, string>> = {
  calls: "calls",
  attaches: "attaches",
  installs: "installed STEs",
  invalidations: "invalidations",
  hostQueue: "host queue",
  fixups: "route fix-ups",
  walks: "translations",
  routes: "routes",
  vectors: "vectors",
  events: "events",
  registers: "registers",
};

function tallyRow(name: string, { checked, matched }: Tally) {
  const good = checked === matched;
  const text = checked === 0 ? "none recorded" : good ? "all match" : `${count(matched)} match`;
  const style = checked === 0 ? "dim" : good ? "good" : "bad";
  return [name, count(checked), { text, style: style as "dim" | "good" | "bad" }];
}

/** What an accelerated VMM read of guest memory. */
function readsLines(accel: AccelReport | undefined): string[] {
  if (accel?.vmmReads === undefined) return [];
  const { commands, streamTable, tables } = accel.vmmReads;
  return [
    `The VMM read guest memory ${count(commands)} times for commands, ${count(streamTable)} ` +
      `times for the stream table at CFGI_STE, ${count(tables)} times for page tables and CDs.`,
  ];
}

/** Lines for people. */
export function formatReplay(
  report: ReplayReport,
  options: { paint: Paint; width: number; guest: string; seconds: number },
): string[] {
  const { paint, width, guest, seconds } = options;
  const { accel } = report;
  const rows = [
    ...TALLIES.map((name) => tallyRow(name, report[name])),
    ...(accel ? ACCEL_TALLIES : [])
      .filter((name) => accel?.[name].checked)
      .map((name) => tallyRow(`VMM ${ACCEL_NAMES[name]}`, (accel as AccelReport)[name])),
  ];
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
    ...readsLines(report.accel),
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
