// The log of a pool: every change of the engine that its workers have to make too, in order.
import { offsetOf, setMember } from "../../spec/abi.ts";
import {
  LOG_ENTRIES,
  LOG_ENTRY,
  LOG_KIND,
  POOL,
  POOL_STATE,
  POOL_WORKER,
} from "../../spec/abi-pool.ts";
import { codeOf } from "../../spec/field.ts";
import type { HostMemory } from "../memory.ts";
import { pause } from "./pause.ts";
import { wordAt } from "./words.ts";

const LINE = 64;
const COUNTERS = POOL_WORKER.members.counters.count;
const FAILED = codeOf(POOL_STATE, "FAILED");
const COMMAND = codeOf(LOG_KIND, "COMMAND");
const COMMAND_WORDS = 4;
const KIND = offsetOf(LOG_ENTRY, "kind");
/** Where a command lies in its entry. */
const BODY = offsetOf(LOG_ENTRY, "low");

/** Where a pool's records lie. */
export interface PoolPlaces {
  /** POOL, and one POOL_WORKER for each worker: linear addresses. */
  readonly pool: number;
  readonly workers: readonly number[];
  /** LOG_ENTRIES entries. */
  readonly log: number;
}

/** The owner's end of the log: appends entries, and waits until workers have applied them. */
export class PoolLog {
  readonly places: PoolPlaces;
  /** What a worker that fails, or is silent for too long, does to the pool. */
  onFailure: (worker: number, reason: string) => Error = (_, reason) => new Error(reason);
  readonly #memory: HostMemory;
  readonly #timeoutMs: number;
  /** The words of linear memory as far as the pool's records reach. */
  readonly words: Int32Array;
  #head = 0;
  /** Entries that are known to be free. */
  #room = LOG_ENTRIES;
  #working = true;
  readonly #headWord: number;
  readonly #bell: number;
  readonly #slots: { acknowledged: number; running: number; state: number; counters: number }[];
  readonly #baseline: number[];

  /** Room for `workers` workers, who have `timeoutMs` to acknowledge an entry. */
  constructor(memory: HostMemory, workers: number, timeoutMs: number) {
    const pool = memory.alloc(POOL.bytes, LINE);
    const slots = Array.from({ length: workers }, () => memory.alloc(POOL_WORKER.bytes, LINE));
    this.places = { pool, workers: slots, log: memory.alloc(LOG_ENTRIES * LOG_ENTRY.bytes, LINE) };
    this.#memory = memory;
    this.#timeoutMs = timeoutMs;
    this.words = new Int32Array(memory.memory.buffer);
    this.#headWord = wordAt(POOL, pool, "head");
    this.#bell = wordAt(POOL, pool, "bell");
    this.#slots = slots.map((at) => ({
      acknowledged: wordAt(POOL_WORKER, at, "acknowledged"),
      running: wordAt(POOL_WORKER, at, "running"),
      state: wordAt(POOL_WORKER, at, "state"),
      counters: wordAt(POOL_WORKER, at, "counters"),
    }));
    this.#baseline = new Array(COUNTERS).fill(0);
  }

  /** Appends an entry of two numbers and two 64-bit words. */
  append(kind: number, first = 0, second = 0, low = 0n, high = 0n): void {
    const at = this.#reserve();
    const entry = { kind, first, second, low, high };
    for (const [name, value] of Object.entries(entry)) {
      setMember(LOG_ENTRY, this.#memory.view(), at, name as keyof typeof entry, value);
    }
    this.#publish();
  }

  /** Appends the command that begins at word `from` of `source`. */
  appendCommand(source: Int32Array, from: number): void {
    const at = this.#reserve();
    this.words[(at + KIND) / 4] = COMMAND;
    for (let i = 0; i < COMMAND_WORDS; i++) this.words[(at + BODY) / 4 + i] = source[from + i];
    this.#publish();
  }

  #reserve(): number {
    const index = (this.#head >>> 0) % LOG_ENTRIES;
    this.#makeRoom();
    return this.places.log + index * LOG_ENTRY.bytes;
  }

  #publish(): void {
    this.#head = (this.#head + 1) | 0;
    Atomics.store(this.words, this.#headWord, this.#head);
  }

  /** A full log waits for every worker; those that sleep are woken. */
  #makeRoom(): void {
    if (this.#room-- > 0 || !this.#working) return;
    this.#room = this.#roomNow();
    if (this.#room === 0) {
      this.ring();
      for (let worker = 0; worker < this.#slots.length; worker++) this.#await(worker, true);
      this.#room = LOG_ENTRIES;
    }
    this.#room--;
  }

  /** Entries that may be written before one is overwritten that some worker has not read. */
  #roomNow(): number {
    return this.#slots.reduce((room, { acknowledged }) => {
      const behind = (this.#head - Atomics.load(this.words, acknowledged)) | 0;
      return Math.min(room, LOG_ENTRIES - behind);
    }, LOG_ENTRIES);
  }

  /** Lets every worker look around. */
  ring(): void {
    Atomics.add(this.words, this.#bell, 1);
    Atomics.notify(this.words, this.#bell);
  }

  /**
   * Returns when every worker that is translating has applied all entries. One that is not will do
   * so before its next translation. Throws when a worker has failed or is silent for too long.
   */
  settle(): void {
    if (!this.#working) return;
    for (let worker = 0; worker < this.#slots.length; worker++) this.#await(worker, false);
  }

  #await(worker: number, asleep: boolean): void {
    const words = this.words;
    const { acknowledged, running, state } = this.#slots[worker];
    let since = 0;
    for (let turn = 0; ; turn++) {
      if (Atomics.load(words, state) === FAILED) {
        throw this.onFailure(worker, "has failed");
      }
      if (Atomics.load(words, acknowledged) === this.#head) return;
      if (!asleep && Atomics.load(words, running) === 0) return;
      if (!pause(turn)) continue;
      since ||= performance.now();
      if (performance.now() - since > this.#timeoutMs) {
        throw this.onFailure(worker, `did not acknowledge within ${this.#timeoutMs} ms`);
      }
    }
  }

  /** Waits for nobody from now on: there are no workers any more. */
  end(): void {
    this.#working = false;
  }

  /** Sum of a counter over all workers since `resetCounters`. */
  counter(which: number): number {
    return this.#total(which) - this.#baseline[which];
  }

  resetCounters(): void {
    for (let which = 0; which < COUNTERS; which++) this.#baseline[which] = this.#total(which);
  }

  #total(which: number): number {
    return this.#slots.reduce((sum, { counters }) => {
      return sum + (Atomics.load(this.words, counters + which) >>> 0);
    }, 0);
  }
}
