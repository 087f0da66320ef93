// Question: what do whole processes cost, their start included?
import { spawnSync } from "node:child_process";
import { buildTwin, type Compiler, findCompiler } from "../native/build.ts";
import { Native } from "../native/process.ts";
import type { Effort, Question, Row } from "../question.ts";
import { share } from "../question.ts";
import { pairedRounds } from "../rounds.ts";
import { ratioOf, spreadOf } from "../stats.ts";
import { sparse } from "../world/cases.ts";
import { type Job, runJob, runNode } from "../world/child-process.ts";
import type { World } from "../world/world.ts";

const TABLES = 4096;
/** Rings of a sparse case until every line of its tables was touched once. */
const RINGS = 128;
const PASSES = 4;
const NS_PER_MS = 1e6;
/** Rounds at most: a process takes half a second. */
const ROUNDS_MAX = 9;

/** The same job by the engine in C, in a process that starts and ends within the time. */
async function runNative(program: string, job: Job, world: World) {
  const start = process.hrtime.bigint();
  const native = new Native(program);
  await native.load(world.memory);
  const abi = native.abi();
  world.start(abi, job.stateAt, "fast");
  await abi.settled();
  for (let i = 0; i < job.passes; i++) {
    await native.ask("call", "flushCaches");
    await native.pass("translateSerially", job);
  }
  const checksum = await native.checksum(job);
  const cpuNs = Number(await native.ask("cpu"));
  await native.end();
  return { checksum, cpuNs, wallNs: Number(process.hrtime.bigint() - start) };
}

/** Cold translations from the start of a process to its end: Node with the engine, and C. */
async function translationRows(compiler: Compiler, effort: Effort): Promise<Row[]> {
  effort.note?.("cold translations in a process of their own");
  const { world, rings } = sparse(RINGS, share(effort, TABLES));
  const program = await buildTwin(compiler);
  const stateAt = await world.stateAt();
  const [{ requests, answers }] = rings;
  const count = RINGS * rings[0].count;
  const job: Job = {
    memoryBytes: world.memory.memory.buffer.byteLength,
    stateAt,
    layout: world.layout,
    requests,
    answers,
    count,
    passes: share(effort, PASSES),
  };
  const cpu: Record<string, number[]> = { engine: [], C: [] };
  const sums = new Set<number>();
  const by = <N extends "engine" | "C">(
    name: N,
    run: () => Promise<{ checksum: number; cpuNs: number; wallNs: number }>,
  ) => ({
    name,
    pass: async () => {
      const { checksum, cpuNs, wallNs } = await run();
      cpu[name].push(cpuNs);
      if (sums.add(checksum).size > 1) throw new Error(`the answers differ (${[...sums]})`);
      return wallNs;
    },
  });
  const contestants = [
    by("engine", () => runJob(job, world.memory)),
    by("C", () => runNative(program, job, world)),
  ];
  const rounds = Math.min(effort.rounds, ROUNDS_MAX);
  const wall = await pairedRounds(contestants, rounds, 1);
  const name = `${(count * job.passes).toLocaleString("en")} cold translations, sparse tables`;
  const note = (times: Readonly<Record<string, readonly number[]>>) =>
    Object.entries(times)
      .map(([who, ns]) => `${who} ${Math.round(spreadOf(ns).median / NS_PER_MS)} ms`)
      .join(", ");
  // The first turn of each was the warm-up.
  const [ours, theirs] = [cpu.engine.slice(1), cpu.C.slice(1)];
  const meaning = (what: string) => `Node with the engine / ${compiler.kind} one by one, ${what}`;
  return [
    {
      name,
      meaning: meaning("wall"),
      value: ratioOf(wall.engine, wall.C),
      unit: "x",
      note: note(wall),
    },
    { name, meaning: meaning("CPU"), value: ratioOf(ours, theirs), unit: "x", note: note(cpu) },
  ];
}

/** Programs from start to end. */
async function startRows(effort: Effort): Promise<Row[]> {
  effort.note?.("the command line's start");
  const bare = () => {
    const start = process.hrtime.bigint();
    spawnSync(process.execPath, ["-e", "0"]);
    return Number(process.hrtime.bigint() - start);
  };
  const rounds = Math.min(effort.rounds, ROUNDS_MAX);
  const programs = {
    "node alone": bare,
    "vsmmu --version": () => runNode("cli.js", "--version").wallNs,
    "vsmmu run (a captured guest's vectors, both ways)": () => runNode("cli.js", "run").wallNs,
  };
  const contestants = Object.entries(programs).map(([name, pass]) => ({ name, pass }));
  const times = await pairedRounds(contestants, rounds, 1);
  return Object.entries(times).map(([name, ns]) => ({
    name,
    meaning: "start to end",
    value: spreadOf(ns.map((t) => t / NS_PER_MS)),
    unit: "ms",
  }));
}

/** Answers: what a user waits for. */
export const processes: Question = {
  name: "process",
  title: "Whole processes, from start to end",
  async run(effort: Effort): Promise<Row[]> {
    const compiler = findCompiler("clang") ?? findCompiler("gcc");
    const missing: Row = {
      name: "cold translations",
      meaning: "Node with the engine / C one by one",
      value: undefined,
      unit: "x",
      missing: "neither clang nor gcc is there",
    };
    const rows = compiler ? await translationRows(compiler, effort) : [missing];
    return [...rows, ...(await startRows(effort))];
  },
};
