// Questions in processes of their own: what one leaves in memory, and how far the engine's code
// was compiled for it, changes the times of the next.
import { fork } from "node:child_process";
import { join } from "node:path";
import type { Effort, Question, Row } from "./question.ts";
import { ROOT } from "./root.ts";
import { tellRounds } from "./rounds.ts";

/** What the other process says: how far it is, and at the end the rows or what went wrong. */
export interface Message {
  readonly note?: string;
  readonly rounds?: readonly [done: number, total: number];
  readonly rows?: readonly Row[];
  readonly error?: string;
}

/** The program that answers one question: its name and the number of rounds are the arguments. */
const PROGRAM = join(ROOT, "dist", "bench-question.js");

function runApart(name: string, effort: Effort): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    const child = fork(PROGRAM, [name, String(effort.rounds)], { serialization: "advanced" });
    child.on("message", ({ note, rounds, rows, error }: Message) => {
      if (note !== undefined) effort.note?.(note);
      if (rounds) tellRounds(...rounds);
      if (rows) resolve([...rows]);
      if (error !== undefined) reject(new Error(`${name}: ${error}`));
    });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      reject(new Error(`${name}: its process ended early (${signal ?? `exit code ${code}`})`));
    });
  });
}

/** The same question, asked in a new process each time. */
export const apart = ({ name, title }: Question): Question => ({
  name,
  title,
  run: (effort) => runApart(name, effort),
});
