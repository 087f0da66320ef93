// `vsmmu replay`: checks the engine against everything that a capture recorded.

import { replayCapture } from "../capture/replay.ts";
import { type ReplayReport, TALLIES } from "../capture/replay-report.ts";
import { toJson } from "../view/json.ts";
import { painter } from "../view/paint.ts";
import { progressBar } from "../view/progress.ts";
import { formatReplay } from "../view/replay.ts";
import { type Command, type Context, EXIT } from "./command.ts";
import { choiceOption, flagOption } from "./parse.ts";
import { openNamed } from "./source.ts";

export const command: Command = {
  name: "replay",
  summary: "check the engine against everything that a capture recorded",
  usage: "CAPTURE [--compat arch|qemu]",
  description:
    "Drives the engine through the recorded run: every register write, command, translation, " +
    "event, ITS command and message, and compares each with the record; then every mapping and " +
    "vector of the stop. With QEMU's rules the cache look-ups, descriptor reads and inserts must " +
    "agree too.\n\n" +
    "Exits with 1 when anything differs.",
  options: {
    compat: { type: "string", value: "RULES", help: "qemu (default, exact) or arch" },
  },
  positionals: [{ name: "CAPTURE", help: "a capture's directory" }],
  examples: [
    ["vsmmu replay captures/s1-4k-lazy", "31,000 translations and all around them"],
    ["vsmmu replay captures/faults-4k --json", "for programs: counts and mismatches with lines"],
  ],
  run,
};

async function run(c: Context): Promise<number> {
  const compat = choiceOption(c.args, "compat", ["arch", "qemu"] as const, "qemu");
  const capture = await openNamed(c.args.positionals[0]);
  const sink = { write: c.errRaw, width: c.errWidth, now: () => performance.now() };
  const bar = progressBar(sink, `replay ${capture.name}`, "operations");
  const start = performance.now();
  const report = await replayCapture(capture, {
    compat,
    progress: (fraction, lines) => bar.update(fraction, lines),
  }).finally(() => bar.end());
  const seconds = (performance.now() - start) / 1000;
  if (flagOption(c.args, "json")) c.out(toJson(jsonReport(report)));
  else {
    const view = { paint: painter(c.color), width: c.width, guest: capture.guest, seconds };
    c.out(formatReplay(report, view).join("\n"));
  }
  return report.mismatchCount > 0 ? EXIT.found : EXIT.ok;
}

function jsonReport(report: ReplayReport) {
  return {
    capture: report.capture,
    ...Object.fromEntries(TALLIES.map((name) => [name, report[name]])),
    vmm: report.vmm,
    ...(report.accel ? { accel: report.accel } : {}),
    mismatches: report.mismatches,
    compat: report.compat,
    mismatchCount: report.mismatchCount,
    notes: report.notes,
  };
}
