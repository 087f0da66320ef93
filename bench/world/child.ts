// A fresh process of its own for one measurement: what it costs from the start of Node.
//   startup       compiles and instantiates the engine; prints nanoseconds as JSON
//   translate JOB takes linear memory from its standard input and translates; prints the checksum
//                 and its processor time as JSON
import { readSync } from "node:fs";
import { instantiate, loadModule } from "../../src/engine/module.ts";
import { engineBytes } from "../../src/engine/wasm-source.ts";
import { ANSWER } from "../../src/spec/abi-records.ts";
import { batchPass } from "./batch.ts";
import type { Job, JobResult, StartTimes } from "./child-process.ts";
import { checksumOf } from "./ring.ts";
import { startEngine } from "./world.ts";

const WASM_PAGE = 65536;
const STDIN = 0;

async function timed<T>(work: () => Promise<T>): Promise<[value: T, ns: number]> {
  const start = process.hrtime.bigint();
  const value = await work();
  return [value, Number(process.hrtime.bigint() - start)];
}

/** What a process that uses the engine waits for before its first translation. */
async function startup(): Promise<StartTimes> {
  const bytes = await engineBytes(false);
  const memory = new WebAssembly.Memory({ initial: 1 });
  const [module, compile] = await timed(() => WebAssembly.compile(bytes));
  const [, instance] = await timed(() => WebAssembly.instantiate(module, { env: { memory } }));
  return { compile, instantiate: instance };
}

function fill(memory: Uint8Array): void {
  for (let at = 0; at < memory.length; ) {
    const got = readSync(STDIN, memory, at, memory.length - at, null);
    if (got <= 0) throw new Error("the standard input is too short");
    at += got;
  }
}

async function translate(job: Job): Promise<JobResult> {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(job.memoryBytes / WASM_PAGE) });
  const module = loadModule(false);
  fill(new Uint8Array(memory.buffer, 0, job.memoryBytes));
  const engine = await instantiate(memory, await module);
  startEngine(engine, job.stateAt, "fast", job.layout);
  const { requests, answers, count } = job;
  for (let i = 0; i < job.passes; i++) {
    engine.flushCaches();
    batchPass(engine, { requests, answers, count });
  }
  const checksum = checksumOf(memory.buffer, answers, count * ANSWER.bytes);
  const { user, system } = process.cpuUsage();
  return { checksum, cpuNs: (user + system) * 1000 };
}

const [mode, job] = process.argv.slice(2);
const result = mode === "translate" ? await translate(JSON.parse(job)) : await startup();
process.stdout.write(`${JSON.stringify(result)}\n`);
