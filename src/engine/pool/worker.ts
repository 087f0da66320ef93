// A worker of a pool: an engine with caches of its own, that follows the log between two calls.
//
// The build makes one script of this file, for threads of Node and of a page alike.
import { getNarrow, getWide, offsetOf } from "../../spec/abi.ts";
import {
  LOG_ENTRIES,
  LOG_ENTRY,
  LOG_KIND,
  POOL,
  POOL_GROUP,
  POOL_STATE,
  POOL_WORKER,
} from "../../spec/abi-pool.ts";
import { ANSWER, PLACE, REQUEST } from "../../spec/abi-records.ts";
import { codeOf } from "../../spec/field.ts";
import type { EngineExports } from "../module.ts";
import type { Report, Start } from "./messages.ts";
import { wordAt } from "./words.ts";

const [READY, FAILED] = [codeOf(POOL_STATE, "READY"), codeOf(POOL_STATE, "FAILED")];
const COMMAND = codeOf(LOG_KIND, "COMMAND");
const BODY = offsetOf(LOG_ENTRY, "low");
const COMMAND_WORDS = 4;

type Job = "job" | "requests" | "answers" | "count" | "take" | "faulted";

/** The operands of a log entry. */
interface Operands {
  first: number;
  second: number;
  low: bigint;
  high: bigint;
}

/** What the entries do that are no commands. */
const APPLY: Readonly<Record<string, (engine: EngineExports, o: Operands) => void>> = {
  RESTORE: (engine, { first, second }) => engine.restore(first, second),
  ATTACH: (engine, { first, second, low, high }) => engine.attach(first, low, high, second),
  CONFIGURE: (engine, { first, low }) => engine.configure(low, first, 0),
  FLUSH: (engine) => engine.flushCaches(),
  RESET: (engine) => engine.reset(),
};

class PoolWorker {
  readonly #start: Start;
  readonly #engine: EngineExports;
  readonly #report: (report: Report) => void;
  /** Linear memory as words; renewed when a job lies beyond it. */
  #words: Int32Array;
  #applied = 0;
  #job = 0;
  readonly #head: number;
  readonly #next: number;
  readonly #acknowledged: number;
  readonly #running: number;
  readonly #state: number;
  /** First word of the record of the last fault: an event's number is never 0. */
  readonly #event: number;
  readonly #command: number;

  constructor(start: Start, engine: EngineExports, report: (report: Report) => void) {
    this.#start = start;
    this.#engine = engine;
    this.#report = report;
    this.#words = new Int32Array(start.memory.buffer);
    this.#head = wordAt(POOL, start.pool, "head");
    this.#next = wordAt(POOL, start.pool, "next");
    this.#acknowledged = wordAt(POOL_WORKER, start.worker, "acknowledged");
    this.#running = wordAt(POOL_WORKER, start.worker, "running");
    this.#state = wordAt(POOL_WORKER, start.worker, "state");
    engine.init(start.state);
    this.#event = engine.place(codeOf(PLACE, "EVENT")) / 4;
    this.#command = engine.place(codeOf(PLACE, "COMMAND")) / 4;
  }

  /** Works until the thread is ended, or a failure. */
  run(): void {
    const bell = wordAt(POOL, this.#start.pool, "bell");
    try {
      this.#follow();
      Atomics.store(this.#words, this.#state, READY);
      this.#report({ what: "ready" });
      for (;;) {
        const heard = Atomics.load(this.#words, bell);
        this.#turn();
        Atomics.wait(this.#words, bell, heard);
      }
    } catch (error) {
      Atomics.store(this.#words, this.#state, FAILED);
      Atomics.store(this.#words, this.#running, 0);
      this.#report({ what: "failed", reason: String(error) });
    }
  }

  /**
   * Does what there is to do. `running` is set before the log is read: whoever logs an entry and
   * finds it clear knows that the entry will be read before the next translation.
   */
  #turn(): void {
    Atomics.store(this.#words, this.#running, 1);
    this.#follow();
    const job = this.#read("job");
    const isNew = job !== this.#job;
    this.#job = job;
    if (isNew) this.#translate();
    Atomics.store(this.#words, this.#running, 0);
    const pending = wordAt(POOL, this.#start.pool, "pending");
    if (isNew && Atomics.sub(this.#words, pending, 1) === 1) this.#report({ what: "done", job });
  }

  #read(name: Job): number {
    return Atomics.load(this.#words, wordAt(POOL, this.#start.pool, name)) >>> 0;
  }

  /** Takes parts of the job until none is left. */
  #translate(): void {
    const count = this.#read("count");
    const take = this.#read("take");
    for (;;) {
      const first = Atomics.add(this.#words, this.#next, take);
      if (first >= count) break;
      this.#translatePart(first, Math.min(first + take, count));
    }
    this.#publishCounters();
  }

  #translatePart(first: number, end: number): void {
    const [requests, answers] = [this.#read("requests"), this.#read("answers")];
    const faulted = this.#read("faulted") / 4;
    const words = this.#reaching(faulted + Math.ceil(end / POOL_GROUP));
    for (let at = first; at < end; at += POOL_GROUP) {
      if (Atomics.load(words, this.#head) !== this.#applied) this.#follow();
      words[this.#event] = 0;
      const count = Math.min(POOL_GROUP, end - at);
      this.#engine.translateBatch(
        requests + at * REQUEST.bytes,
        answers + at * ANSWER.bytes,
        count,
      );
      if (words[this.#event] !== 0) words[faulted + at / POOL_GROUP] = 1;
    }
  }

  /** The words of linear memory, at least so many of them. */
  #reaching(end: number): Int32Array {
    if (this.#words.length < end) {
      // Growing by nothing makes this thread notice what others added.
      this.#start.memory.grow(0);
      this.#words = new Int32Array(this.#start.memory.buffer);
    }
    return this.#words;
  }

  #publishCounters(): void {
    const { counters } = POOL_WORKER.members;
    for (let which = 0; which < counters.count; which++) {
      const at = wordAt(POOL_WORKER, this.#start.worker, "counters", which);
      Atomics.add(this.#words, at, this.#engine.counter(which));
    }
    this.#engine.resetCounters();
  }

  /** Applies what the log has, and acknowledges it. */
  #follow(): void {
    const words = this.#words;
    for (;;) {
      const head = Atomics.load(words, this.#head);
      if (head === this.#applied) return;
      while (this.#applied !== head) {
        this.#apply((this.#applied >>> 0) % LOG_ENTRIES);
        this.#applied = (this.#applied + 1) | 0;
      }
      Atomics.store(words, this.#acknowledged, this.#applied);
    }
  }

  #apply(index: number): void {
    const [words, engine] = [this.#words, this.#engine];
    const at = this.#start.log + index * LOG_ENTRY.bytes;
    if (words[at / 4] === COMMAND) {
      const body = (at + BODY) / 4;
      for (let i = 0; i < COMMAND_WORDS; i++) words[this.#command + i] = words[body + i];
      engine.executeCommand();
      return;
    }
    const view = new DataView(words.buffer);
    const kind = LOG_KIND.values[getNarrow(LOG_ENTRY, view, at, "kind")] ?? "";
    APPLY[kind](engine, {
      first: getNarrow(LOG_ENTRY, view, at, "first"),
      second: getNarrow(LOG_ENTRY, view, at, "second"),
      low: getWide(LOG_ENTRY, view, at, "low"),
      high: getWide(LOG_ENTRY, view, at, "high"),
    });
  }
}

/** The other end of the thread's port. */
interface Port {
  hear(listener: (start: Start) => void): void;
  report(report: Report): void;
}

/** What a page's worker finds in its global scope, and Node's does not. */
interface PageScope {
  postMessage?(message: unknown): void;
  onmessage: ((event: { data: Start }) => void) | null;
}

async function openPort(): Promise<Port> {
  const scope = globalThis as unknown as PageScope;
  if (scope.postMessage) {
    return {
      hear: (listener) => {
        scope.onmessage = ({ data }) => listener(data);
      },
      report: (report) => scope.postMessage?.(report),
    };
  }
  const { parentPort } = await import("node:worker_threads");
  return {
    hear: (listener) => parentPort?.once("message", listener),
    report: (report) => parentPort?.postMessage(report),
  };
}

async function work(start: Start, port: Port): Promise<void> {
  const { memory, module } = start;
  const instance = await WebAssembly.instantiate(module, { env: { memory } });
  const engine = instance.exports as unknown as EngineExports;
  new PoolWorker(start, engine, (report) => port.report(report)).run();
}

async function main(): Promise<void> {
  const port = await openPort();
  const fail = (error: unknown): void => port.report({ what: "failed", reason: String(error) });
  port.hear((start) => {
    work(start, port).catch(fail);
  });
}

void main();
