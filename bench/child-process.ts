// Fresh processes that are measured as wholes: Node children of this program, and the command line.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "./root.ts";
import type { MachineLayout } from "./world.ts";

/** What a fresh process measured of the engine's start, in nanoseconds. */
export interface StartTimes {
  readonly compile: number;
  readonly instantiate: number;
}

/** What a fresh process is to translate. */
export interface Job {
  readonly image: string;
  readonly imageBytes: number;
  readonly stateAt: number;
  readonly layout: MachineLayout;
  readonly requests: number;
  readonly answers: number;
  readonly count: number;
  /** How often all requests are translated with cold caches. */
  readonly passes: number;
}

/** What came of it. */
export interface JobResult {
  readonly checksum: number;
  /** Processor time of the process so far, start included. */
  readonly cpuNs: number;
}

/** Runs a program of dist/ in a new Node to its end. Throws with its messages when it fails. */
export function runNode(program: string, ...args: string[]): { stdout: string; wallNs: number } {
  const start = process.hrtime.bigint();
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(ROOT, "dist", program), ...args],
    { encoding: "utf8" },
  );
  const wallNs = Number(process.hrtime.bigint() - start);
  if (status !== 0) throw new Error(`${program} ${args[0]} failed:\n${stderr}`);
  return { stdout, wallNs };
}

const CHILD = "bench-child.js";

/** The engine's start in a fresh process. */
export const startTimes = (): StartTimes => JSON.parse(runNode(CHILD, "startup").stdout);

/** A job in a fresh process: its result, and nanoseconds from before its start to its end. */
export function runJob(job: Job): JobResult & { wallNs: number } {
  const { stdout, wallNs } = runNode(CHILD, "translate", JSON.stringify(job));
  return { ...(JSON.parse(stdout) as JobResult), wallNs };
}
