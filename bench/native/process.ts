// A native contestant: its process, spoken to line by line.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { HostMemory } from "../../src/engine/memory.ts";
import { ANSWER } from "../../src/spec/abi-records.ts";
import type { Ring } from "../ring.ts";
import type { Abi } from "../world.ts";

const CALL_REQUESTS = 4096;
const CHUNK = 1 << 26;

/** Linear memory written to a file, for every native contestant of a case. */
export class Image {
  readonly path: string;
  readonly bytes: number;
  readonly #folder: string;

  constructor(memory: HostMemory) {
    this.#folder = mkdtempSync(join(tmpdir(), "vsmmu-bench-"));
    this.path = join(this.#folder, "image");
    const { buffer } = memory.memory;
    this.bytes = buffer.byteLength;
    const file = openSync(this.path, "w");
    for (let at = 0; at < this.bytes; at += CHUNK) {
      writeSync(file, new Uint8Array(buffer, at, Math.min(CHUNK, this.bytes - at)));
    }
    closeSync(file);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

/** A running server. */
export class Native {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: ((line: string) => void)[] = [];

  constructor(program: string) {
    this.#child = spawn(program);
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      this.#waiting.shift()?.(line);
    });
  }

  /** Sends one command; gives the line that answers it. */
  ask(...words: (string | number | bigint)[]): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#child.exitCode !== null) {
        reject(new Error("a native contestant ended early"));
        return;
      }
      this.#waiting.push(resolve);

      this.#child.stdin.write(`${words.join(" ")}\n`);
    });
  }

  async load(image: Image): Promise<void> {
    if ((await this.ask("map", image.path, image.bytes)) !== "0") {
      throw new Error("a native contestant could not map its memory");
    }
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
  async pass(name: string, ring: Ring): Promise<number> {
    const { requests, answers, count } = ring;
    const ns = Number(await this.ask("pass", name, requests, answers, count, CALL_REQUESTS));
    if (!(ns >= 0)) throw new Error(`the native contestant has no ${name}`);
    return ns / count;
  }

  /** Checksum of a ring's answers, as `Ring.checksum` computes it. */
  async checksum(ring: Ring): Promise<number> {
    return Number(await this.ask("sum", ring.answers, ring.count * ANSWER.bytes));
  }

  async clear(ring: Ring): Promise<void> {
    await this.ask("clear", ring.answers, ring.count * ANSWER.bytes);
  }

  end(): void {
    this.#child.stdin.end();
  }
}
