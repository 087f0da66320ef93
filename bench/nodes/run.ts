// `npm run bench:nodes`: the same questions on other Node versions, which come as npm packages.
import { runCommand } from "../../src/cli/main.ts";
import { thisProcess } from "../../src/cli/this-process.ts";
import { nodesCommand } from "./nodes-command.ts";

const surroundings = thisProcess();
process.exitCode = await runCommand(
  nodesCommand,
  surroundings.argv,
  surroundings,
  "npm run bench:nodes --",
);
