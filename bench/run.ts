// `npm run bench [-- QUESTION...]`: measures, prints a table.
import { parseArgs } from "node:util";
import { question as cold } from "./cold.ts";
import { question as doorbell } from "./doorbell.ts";
import { question as hits } from "./hits.ts";
import type { Question } from "./question.ts";
import { tableOf } from "./table.ts";
import { question as walks } from "./walks.ts";

const QUESTIONS: readonly Question[] = [doorbell, hits, walks, cold];
const ROUNDS = 15;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { rounds: { type: "string" } },
  });
  const unknown = positionals.find((name) => !QUESTIONS.some((q) => q.name === name));
  if (unknown !== undefined) {
    const names = QUESTIONS.map((q) => q.name).join(", ");
    process.stderr.write(`no benchmark ${unknown}; there are: ${names}\n`);
    return 2;
  }
  const chosen = QUESTIONS.filter((q) => positionals.length === 0 || positionals.includes(q.name));
  const effort = { rounds: Number(values.rounds ?? ROUNDS) };
  for (const question of chosen) {
    const rows = await question.run(effort);
    process.stdout.write(`${tableOf(question.title, rows).join("\n")}\n`);
  }
  return 0;
}

process.exitCode = await main();
