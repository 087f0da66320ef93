// `vsmmu conform`: checks the engine against files of answers that a real QEMU gave.

import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { InputError, reasonOf } from "../capture/errors.ts";
import { gunzip } from "../capture/files.ts";
import { checkLines } from "../conform/check.ts";
import type { ConformReport } from "../conform/report.ts";
import { formatConform } from "../view/conform.ts";
import { toJson } from "../view/json.ts";
import { painter } from "../view/paint.ts";
import { progressBar } from "../view/progress.ts";
import { type Command, type Context, EXIT } from "./command.ts";
import { choiceOption, flagOption } from "./parse.ts";

export const command: Command = {
  name: "conform",
  summary: "check the engine against answers that a real QEMU gave",
  usage: "FILE... [--compat qemu|arch]",
  description:
    "Each line of a FILE (JSON lines, gzip allowed; - is the standard input) is a device's " +
    "configuration, tables and DMA with QEMU's answer, or a recorded program: register writes, " +
    "commands, edits and DMA with every answer. Compared are addresses, permissions, stages, " +
    "outcomes, every event record bit for bit and, with QEMU's rules, every IOTLB insert.\n\n" +
    "Exits with 1 when anything differs.",
  options: {
    compat: { type: "string", value: "RULES", help: "qemu (default, exact) or arch" },
  },
  positionals: [{ name: "FILE", help: "a golden file or recorded programs", variadic: true }],
  examples: [
    ["vsmmu conform golden.jsonl.gz", "counts by kind, and the first differences"],
    ["vsmmu conform golden.jsonl.gz --json", "for programs"],
  ],
  run,
};

async function run(c: Context): Promise<number> {
  const compat = choiceOption(c.args, "compat", ["qemu", "arch"] as const, "qemu");
  const json = flagOption(c.args, "json");
  const reports: ConformReport[] = [];
  for (const [i, file] of c.args.positionals.entries()) {
    const text = await readText(c, file);
    const sink = { write: c.errRaw, width: c.errWidth, now: () => performance.now() };
    const bar = progressBar(sink, `conform ${basename(file)}`, "cases");
    const start = performance.now();
    const report = await checkLines(file, text, {
      compat,
      progress: (fraction, cases) => bar.update(fraction, cases),
    }).finally(() => bar.end());
    reports.push(report);
    if (json) continue;
    const seconds = (performance.now() - start) / 1000;
    const view = { paint: painter(c.color), width: c.width, compat, seconds };
    c.out([...(i > 0 ? [""] : []), ...formatConform(report, view)].join("\n"));
  }
  if (json) c.out(toJson(reports.length === 1 ? reports[0] : reports));
  return reports.some((r) => r.matched < r.cases) ? EXIT.found : EXIT.ok;
}

async function readText(c: Context, file: string): Promise<string> {
  const bytes = file === "-" ? await c.stdin() : await readFile(file).catch(unreadable(file));
  const text = await gunzip(bytes, file);
  return new TextDecoder().decode(text);
}

const unreadable =
  (file: string) =>
  (error: Error & { code?: string }): never => {
    const fix = error.code === "EISDIR" ? "name the files of recorded answers in it" : undefined;
    throw new InputError(file, reasonOf(error), {}, fix);
  };
