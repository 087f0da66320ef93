// A native contestant: its process, spoken to line by line.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { HostMemory } from "../../src/engine/memory.ts";
import { ANSWER } from "../../src/spec/abi-records.ts";
import type { Ring } from "../world/ring.ts";
import type { Abi } from "../world/world.ts";

const CALL_REQUESTS = 4096;
const CHUNK = 1 << 22;
const ENDED = "a native contestant ended early";

/** Pages of the machine behind linear memory; a Wasm engine has small ones. */
export type Pages = "small" | "huge";

/** Who waits for a line. */
interface Waiting {
  resolve(line: string): void;
  reject(error: Error): void;
}

/** Where a ring lies in linear memory. */
type Batch = Pick<Ring, "requests" | "answers" | "count">;

/** A running server. */
export class Native {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: Waiting[] = [];
  #ended = false;

  constructor(program: string) {
    this.#child = spawn(program);
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      this.#waiting.shift()?.resolve(line);
    });
    const end = () => {
      this.#ended = true;
      for (const { reject } of this.#waiting.splice(0)) reject(new Error(ENDED));
    };
    this.#child.on("exit", end);
    this.#child.stdin.on("error", end);
  }

  /** Sends one command; gives the line that answers it. */
  ask(...words: (string | number | bigint)[]): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(new Error(ENDED));
        return;
      }
      this.#waiting.push({ resolve, reject });
      this.#child.stdin.write(`${words.join(" ")}\n`);
    });
  }

  /** Gives the contestant a copy of linear memory. */
  async load(memory: HostMemory, pages: Pages = "small"): Promise<void> {
    const bytes = memory.memory.buffer.byteLength;
    const loaded = this.ask("load", bytes, pages);
    for (let at = 0; at < bytes; at += CHUNK) {
      const chunk = memory.bytes(at, Math.min(CHUNK, bytes - at));
      await new Promise<void>((resolve, reject) => {
        this.#child.stdin.write(chunk, (error) => (error ? reject(error) : resolve()));
      });
    }
    if ((await loaded) !== "0") throw new Error("a native contestant could not take its memory");
  }

  /** The ABI: calls are sent in order, and `settled` waits for the last. */
  abi(): Abi & { settled(): Promise<unknown> } {
    let last: Promise<unknown> = Promise.resolve();
    const call =
      (name: string) =>
      (...args: (number | bigint)[]): undefined => {
        last = this.ask("call", name, ...args.map((a) => BigInt.asUintN(64, BigInt(a))));
      };
    return {
      init: call("init"),
      restore: call("restore"),
      configure: call("configure"),
      attach: call("attach"),
      mmioWrite: call("mmioWrite"),
      flushCaches: call("flushCaches"),
      translateBatch: call("translateBatch"),
      settled: () => last,
    };
  }

  /** One timed pass of a ring; gives nanoseconds per request. */
  async pass(name: string, ring: Batch): Promise<number> {
    const { requests, answers, count } = ring;
    const ns = Number(await this.ask("pass", name, requests, answers, count, CALL_REQUESTS));
    if (!(ns >= 0)) throw new Error(`the native contestant has no ${name}`);
    return ns / count;
  }

  /** Checksum of a ring's answers, as `Ring.checksum` computes it. */
  async checksum(ring: Batch): Promise<number> {
    return Number(await this.ask("sum", ring.answers, ring.count * ANSWER.bytes));
  }

  async clear(ring: Batch): Promise<void> {
    await this.ask("clear", ring.answers, ring.count * ANSWER.bytes);
  }

  /** Lets the process end; resolves when it has. */
  end(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    this.#child.stdin.end();
    return ended;
  }
}
