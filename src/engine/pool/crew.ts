// The threads of a pool: started, given one job after another, and ended.
import { setMember } from "../../spec/abi.ts";
import { POOL, POOL_STATE, POOL_WORKER } from "../../spec/abi-pool.ts";
import { codeOf } from "../../spec/field.ts";
import type { HostMemory } from "../memory.ts";
import type { PoolLog } from "./log.ts";
import type { Thread } from "./messages.ts";
import { startThread } from "./threads.ts";
import { wordAt } from "./words.ts";
import { workerSource } from "./worker-source.ts";

const PAGE = 4096;
const FAILED = codeOf(POOL_STATE, "FAILED");

/** What the workers are to do. Linear addresses; `take` requests are taken at once. */
export interface Job {
  readonly requests: number;
  readonly answers: number;
  readonly count: number;
  readonly take: number;
  readonly faulted: number;
}

/** Somebody who waits for the workers. */
interface Waiter {
  done(): void;
  fail(error: Error): void;
}

/** All workers of a pool. */
export class Crew {
  readonly #memory: HostMemory;
  readonly #log: PoolLog;
  readonly #threads: Thread[] = [];
  #waiter: Waiter | undefined;
  #starting = 0;
  #job = 0;
  #failure: Error | undefined;
  #ended = false;

  private constructor(memory: HostMemory, log: PoolLog) {
    this.#memory = memory;
    this.#log = log;
    log.onFailure = (worker, reason) => this.#fail(worker, reason);
  }

  /** Starts one thread for each worker of the log; returns when all have made their engines. */
  static async start(
    memory: HostMemory,
    log: PoolLog,
    module: WebAssembly.Module,
    stateBytes: number,
  ): Promise<Crew> {
    const crew = new Crew(memory, log);
    const { pool, workers, log: entries } = log.places;
    try {
      const source = await workerSource();
      for (const [i, worker] of workers.entries()) {
        const state = memory.alloc(stateBytes, PAGE);
        const thread = await crew.#startThread(source, i);
        thread.post({ module, memory: memory.memory, pool, worker, log: entries, state });
      }
      await crew.#until(() => {
        crew.#starting += workers.length;
        if (crew.#starting === 0) crew.#waiter?.done();
      });
    } catch (error) {
      await crew.end();
      throw error;
    }
    return crew;
  }

  async #startThread(source: string, worker: number): Promise<Thread> {
    const thread = await startThread(source, `vsmmu worker ${worker}`, {
      reported: (report) => {
        if (report.what === "failed") this.#fail(worker, report.reason);
        else if (report.what === "ready") this.#ready();
        else if (report.job === this.#job) this.#waiter?.done();
      },
      failed: (reason) => this.#fail(worker, reason),
    });
    this.#threads.push(thread);
    return thread;
  }

  /** Counts down: some may be ready before anybody waits for all. */
  #ready(): void {
    this.#starting--;
    if (this.#starting === 0) this.#waiter?.done();
  }

  /** Does `begin` and waits until the workers have answered it. */
  async #until(begin: () => void): Promise<void> {
    if (this.#failure) throw this.#failure;
    for (const thread of this.#threads) thread.hold(true);
    try {
      await new Promise<void>((done, fail) => {
        this.#waiter = { done, fail };
        begin();
      });
    } finally {
      this.#waiter = undefined;
      for (const thread of this.#threads) thread.hold(false);
    }
  }

  /** Lets all workers do a job together. Rejects when one of them fails or the pool is closed. */
  async do(job: Job): Promise<void> {
    await this.#until(() => {
      const { places } = this.#log;
      this.#job = (this.#job + 1) >>> 0;
      const words = { ...job, job: this.#job, next: 0, pending: places.workers.length };
      for (const [name, value] of Object.entries(words)) {
        setMember(POOL, this.#memory.view(), places.pool, name as keyof typeof words, value);
      }
      this.#log.ring();
    });
  }

  /** Remembers the first failure; whoever waits is told, and whoever comes later. */
  #fail(worker: number, reason: string): Error {
    if (this.#ended) return this.#failure ?? new Error("the pool is closed");
    const at = wordAt(POOL_WORKER, this.#log.places.workers[worker], "state");
    Atomics.store(this.#log.words, at, FAILED);
    this.#failure ??= new Error(`worker ${worker} of the pool: ${reason}`);
    this.#waiter?.fail(this.#failure);
    return this.#failure;
  }

  /** Ends all threads. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = new Error("the pool is closed");
    this.#waiter?.fail(this.#failure);
    this.#log.end();
    await Promise.all(this.#threads.map((thread) => thread.end()));
  }
}
