// Batched translation in WebAssembly against the same engine in native C, one request after
// another.

import { batchPass } from "./batch.ts";
import { type Case, cold, mixedStreams, resident } from "./cases.ts";
import { buildTwin, type Compiler, findCompiler } from "./native/build.ts";
import { Image, Native } from "./native/process.ts";
import { atLeast, atMost, type Effort, noteTimes, type Question, type Row } from "./question.ts";
import { pairedRounds } from "./rounds.ts";
import { ratioOf } from "./stats.ts";

/** How the answer is told: the engine's share of C's time, or how many times as long C takes. */
type Measure = { case: Case; atMost: number } | { case: Case; atLeast: number };

/** One case after another: each is a machine of many megabytes. */
const MEASURES: (() => Measure)[] = [
  () => ({ case: resident(256, false), atMost: 0.75 }),
  () => ({ case: resident(1024, true), atMost: 0.75 }),
  () => ({ case: mixedStreams(), atMost: 1 }),
  () => ({ case: resident(1024, true, "walk"), atMost: 1.2 }),
  () => ({ case: cold(64, 32768, false, false), atLeast: 4.5 }),
  () => ({ case: cold(4096, 65536, true, false), atLeast: 7 }),
  () => ({ case: cold(64, 32768, false, true), atLeast: 4.5 }),
];

/** The engine in C over a copy of the case's memory. */
async function nativeOf(c: Case, program: string, stateAt: number): Promise<Native> {
  const native = new Native(program);
  const image = new Image(c.world.memory);
  await native.load(image);
  image.remove();
  const abi = native.abi();
  c.world.start(abi, stateAt, c.policy);
  await abi.settled();
  return native;
}

/** Fails unless the engine, its uncached walk and the C twin give the same answers. */
async function proveEqual(c: Case, pass: () => unknown, native: Native): Promise<void> {
  const uncached = await c.world.engine("none");
  batchPass(uncached, c.ring);
  const expected = c.ring.checksum();
  c.ring.clear();
  pass();
  const ours = c.ring.checksum();
  await native.clear(c.ring);
  await native.pass("translateSerially", c.ring);
  const theirs = await native.checksum(c.ring);
  if (ours !== expected || theirs !== expected) {
    throw new Error(`${c.name}: the answers differ (${expected}, ${ours}, ${theirs})`);
  }
}

async function rowOf(measure: Measure, compiler: Compiler, effort: Effort): Promise<Row> {
  const c = measure.case;
  const twinState = await c.world.stateAt();
  const engine = await c.world.engine(c.policy);
  const native = await nativeOf(c, await buildTwin(compiler), twinState);
  try {
    await proveEqual(c, () => batchPass(engine, c.ring), native);
    const ours = {
      name: "engine" as const,
      prepare: () => {
        if (c.cold) engine.flushCaches();
      },
      pass: () => batchPass(engine, c.ring),
    };
    const theirs = {
      name: "C" as const,
      prepare: async () => {
        if (c.cold) await native.ask("call", "flushCaches");
      },
      pass: () => native.pass("translateSerially", c.ring),
    };
    const times = await pairedRounds([ours, theirs], effort.rounds);
    const share = "atMost" in measure;
    return {
      name: nameOf(c),
      meaning: share ? `engine / ${compiler.kind}` : `${compiler.kind} / engine`,
      value: share ? ratioOf(times.engine, times.C) : ratioOf(times.C, times.engine),
      unit: "x",
      target: share ? atMost(measure.atMost) : atLeast(measure.atLeast),
      note: noteTimes(times),
    };
  } finally {
    native.end();
  }
}

function nameOf(c: Case): string {
  if (c.cold) return `${c.name}, cold`;
  return c.policy === "walk" ? `${c.name}, walked each time` : `${c.name}, cached`;
}

/** Answers: how long batches take beside the engine in C, which `bench/native` translates. */
export const walks: Question = {
  name: "walks",
  title: "A batch of translations: WebAssembly versus the same engine in C, one by one",
  async run(effort: Effort): Promise<Row[]> {
    const compiler = findCompiler("clang") ?? findCompiler("gcc");
    const rows: Row[] = [];
    for (const make of MEASURES) {
      if (compiler) rows.push(await rowOf(make(), compiler, effort));
    }
    if (compiler) return rows;
    const missing = "neither clang nor gcc is there";
    return [{ name: "all", meaning: "engine / C", value: undefined, unit: "x", missing }];
  },
};
