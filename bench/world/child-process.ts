// Fresh processes that are measured as wholes: Node children of this program, and the command line.
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import type { HostMemory } from "../../src/engine/memory.ts";
import { ROOT } from "../root.ts";
import type { MachineLayout } from "./world.ts";

/** What a fresh process measured of the engine's start, in nanoseconds. */
export interface StartTimes {
  readonly compile: number;
  readonly instantiate: number;
}

/** What a fresh process is to translate: linear memory comes in through its standard input. */
export interface Job {
  readonly memoryBytes: number;
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

const CHILD = "bench-child.js";
const CHUNK = 1 << 22;

const programPath = (name: string): string => join(ROOT, "dist", name);

/** Runs a program of dist/ in a new Node to its end. Throws with its messages when it fails. */
export function runNode(program: string, ...args: string[]): { stdout: string; wallNs: number } {
  const start = process.hrtime.bigint();
  const { status, stdout, stderr } = spawnSync(process.execPath, [programPath(program), ...args], {
    encoding: "utf8",
  });
  const wallNs = Number(process.hrtime.bigint() - start);
  if (status !== 0) throw new Error(`${program} ${args[0]} failed:\n${stderr}`);
  return { stdout, wallNs };
}

/** The engine's start in a fresh process. */
export const startTimes = (): StartTimes => JSON.parse(runNode(CHILD, "startup").stdout);

/** A job in a fresh process: its result, and nanoseconds from before its start to its end. */
export async function runJob(
  job: Job,
  memory: HostMemory,
): Promise<JobResult & { wallNs: number }> {
  const start = process.hrtime.bigint();
  const child = spawn(process.execPath, [programPath(CHILD), "translate", JSON.stringify(job)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.on("data", (part) => {
    out += part;
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  for (let at = 0; at < job.memoryBytes; at += CHUNK) {
    const chunk = memory.bytes(at, Math.min(CHUNK, job.memoryBytes - at));
    await new Promise<void>((resolve, reject) => {
      child.stdin.write(chunk, (error) => (error ? reject(error) : resolve()));
    });
  }
  child.stdin.end();
  const status = await ended;
  const wallNs = Number(process.hrtime.bigint() - start);
  if (status !== 0) throw new Error(`${CHILD} ended with ${status}`);
  return { ...(JSON.parse(out) as JobResult), wallNs };
}
