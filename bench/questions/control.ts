// A loop that only calculates, on one or more threads: how far this machine lets anything scale.
import { Worker } from "node:worker_threads";

/** Each thread waits for the bell, does its share of the steps, and says so. */
const SCRIPT = `
const { parentPort } = require("node:worker_threads");
parentPort.once("message", (words) => {
  for (let heard = 0; ; ) {
    Atomics.wait(words, 0, heard);
    heard = Atomics.load(words, 0);
    let state = heard | 1;
    for (let left = Atomics.load(words, 1); left > 0; left--) {
      state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    }
    if (Atomics.sub(words, 2, 1) === 1) parentPort.postMessage(state);
  }
});`;

/** Threads that share one loop, as the workers of a pool share a ring. */
export class ControlLoop {
  readonly #words = new Int32Array(new SharedArrayBuffer(12));
  readonly #threads: Worker[];
  #done: () => void = () => {};

  constructor(threads: number) {
    this.#threads = Array.from({ length: threads }, () => {
      const worker = new Worker(SCRIPT, { eval: true });
      worker.on("message", () => this.#done());
      worker.postMessage(this.#words);
      return worker;
    });
  }

  /** Lets the threads do `steps` together; gives nanoseconds per step. */
  async pass(steps: number): Promise<number> {
    const done = new Promise<void>((resolve) => {
      this.#done = resolve;
    });
    const start = process.hrtime.bigint();
    this.#words[1] = Math.ceil(steps / this.#threads.length);
    this.#words[2] = this.#threads.length;
    Atomics.add(this.#words, 0, 1);
    Atomics.notify(this.#words, 0);
    await done;
    return Number(process.hrtime.bigint() - start) / steps;
  }

  async end(): Promise<void> {
    await Promise.all(this.#threads.map((worker) => worker.terminate()));
  }
}
