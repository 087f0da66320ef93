// `npm run bench [-- QUESTION...]`: the benchmarks' entry.
import { runCommand } from "../src/cli/main.ts";
import { thisProcess } from "../src/cli/this-process.ts";
import { apart } from "./apart.ts";
import { benchCommand } from "./command.ts";
import { QUESTIONS } from "./questions/index.ts";

const surroundings = thisProcess();
process.exitCode = await runCommand(
  benchCommand(QUESTIONS.map(apart)),
  surroundings.argv,
  surroundings,
  "npm run bench --",
);
