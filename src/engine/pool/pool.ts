// Several engines that translate at the same time: caches of their own, one set of registers and
// queues, and one log of what changes them.
import { offsetOf } from "../../spec/abi.ts";
import { POOL_GROUP } from "../../spec/abi-pool.ts";
import { ANSWER, REQUEST } from "../../spec/abi-records.ts";
import { ANSWER_META } from "../../spec/abi-words.ts";
import { getField } from "../../spec/word.ts";
import type { BatchRing, RingPlace } from "../batch.ts";
import type { AddressMap, HostMemory } from "../memory.ts";
import { instantiate, loadModule } from "../module.ts";
import { Smmu, type SmmuOptions } from "../smmu.ts";
import type { CachePolicy } from "../types.ts";
import { Crew } from "./crew.ts";
import { PoolLog, type PoolPlaces } from "./log.ts";
import { Primary } from "./primary.ts";

const WORKERS = 2;
const TIMEOUT_MS = 10_000;
const CACHES: readonly CachePolicy[] = ["none", "fast"];
/** A worker takes a ring in about so many parts, of at most so many groups. */
const PARTS = 16;
const PART_GROUPS_MAX = 16;

/** How a pool is made. */
export interface EnginePoolOptions extends SmmuOptions {
  /**
   * Default: none in `qemu`, else the fast ones. QEMU's are refused: what they answer depends on
   * the order of all requests.
   */
  cache?: "none" | "fast";
  /** Threads. Default 2. */
  workers?: number;
  /** How long a translating worker may be silent before it counts as failed. Default 10,000 ms. */
  timeoutMs?: number;
}

/** Fails where memory cannot be shared, and says what to do about it. */
function refuseUnshared(memory: HostMemory): void {
  if (memory.shared && globalThis.crossOriginIsolated !== false) return;
  if (typeof SharedArrayBuffer === "undefined" || globalThis.crossOriginIsolated === false) {
    throw new Error(
      "EnginePool needs shared memory, which a page has only when it is cross-origin isolated: " +
        "serve it with Cross-Origin-Opener-Policy: same-origin and " +
        "Cross-Origin-Embedder-Policy: require-corp",
    );
  }
  throw new Error("EnginePool needs shared memory: HostMemory.create({ shared: true })");
}

/**
 * One SMMU with several translators. `smmu` has its registers and queues, and may be used as any
 * other at all times: a register write or a CMD_SYNC is complete for all workers when the call
 * returns. It throws an Error that names the worker when one has failed.
 */
export class EnginePool {
  readonly smmu: Smmu;
  readonly workers: number;
  /** Where the records that the threads share lie, for those who want to watch them. */
  readonly places: PoolPlaces;
  readonly #crew: Crew;
  /** The last translation that was asked for. */
  #last: Promise<unknown> = Promise.resolve();
  /** One word for each group of a ring. */
  #faulted = { lin: 0, groups: 0 };

  private constructor(smmu: Smmu, crew: Crew, places: PoolPlaces) {
    this.smmu = smmu;
    this.#crew = crew;
    this.places = places;
    this.workers = places.workers.length;
  }

  /**
   * Makes an SMMU at reset and its workers. `memory` must be shared. Throws a RangeError for
   * options that make no sense, an Error where memory cannot be shared or a thread does not start.
   */
  static async create(
    memory: HostMemory,
    map: AddressMap,
    options: EnginePoolOptions = {},
  ): Promise<EnginePool> {
    const { workers = WORKERS, timeoutMs = TIMEOUT_MS } = options;
    if (!Number.isInteger(workers) || workers < 1) throw new RangeError(`${workers} workers`);
    const cache = options.cache ?? (options.compat === "qemu" ? "none" : "fast");
    if (!CACHES.includes(cache)) throw new RangeError(`a pool has no caches of kind ${cache}`);
    refuseUnshared(memory);
    const module = options.module ?? (await loadModule(true));
    const engine = await instantiate(memory.memory, module);
    const log = new PoolLog(memory, workers, timeoutMs);
    const primary = new Primary(memory, engine, log);
    const smmu = Smmu.over(primary.exports, memory, map, { ...options, cache });
    const crew = await Crew.start(memory, log, module, engine.stateBytes());
    return new EnginePool(smmu, crew, log.places);
  }

  /** A ring for `translate`, or for `ring.run`, which the primary does alone. */
  ring(capacity: number): BatchRing {
    return this.smmu.ring(capacity);
  }

  /**
   * Translates requests 0 to `count` - 1 of a ring with all workers. The answers and the event
   * queue are those of one engine: what faults is translated once more by the primary, in the order
   * of the ring. Calls wait for each other. Throws a RangeError when the ring has not so many;
   * rejects when a worker fails or the pool is closed.
   */
  translate(ring: RingPlace, count = ring.capacity): Promise<void> {
    if (count < 0 || count > ring.capacity) {
      throw new RangeError(`${count} requests in a ring of ${ring.capacity}`);
    }
    const done = this.#last.then(() => this.#translate(ring, count));
    this.#last = done.catch(() => {});
    return done;
  }

  async #translate(ring: RingPlace, count: number): Promise<void> {
    const groups = Math.ceil(count / POOL_GROUP);
    const faulted = this.#clearFaulted(groups);
    const part = Math.ceil(groups / (PARTS * this.workers));
    await this.#crew.do({
      requests: ring.requestsLin,
      answers: ring.answersLin,
      count,
      take: Math.min(Math.max(part, 1), PART_GROUPS_MAX) * POOL_GROUP,
      faulted,
    });
    for (let group = 0; group < groups; group++) {
      if (this.smmu.memory.readU32(faulted + group * 4) === 0) continue;
      this.#repeatFaults(ring, group * POOL_GROUP, Math.min((group + 1) * POOL_GROUP, count));
    }
  }

  #clearFaulted(groups: number): number {
    const { memory } = this.smmu;
    if (groups > this.#faulted.groups) {
      const room = Math.max(groups, this.#faulted.groups * 2);
      this.#faulted = { lin: memory.alloc(room * 4), groups: room };
    }
    memory.bytes(this.#faulted.lin, groups * 4).fill(0);
    return this.#faulted.lin;
  }

  /** Translates the requests that faulted again, where their events can be recorded. */
  #repeatFaults(ring: RingPlace, first: number, end: number): void {
    const view = this.smmu.memory.view();
    for (let i = first; i < end; i++) {
      const answer = ring.answersLin + i * ANSWER.bytes;
      const meta = [view.getBigUint64(answer + offsetOf(ANSWER, "meta"), true)];
      if (getField(ANSWER_META, meta, "eventType") === 0n) continue;
      this.smmu.engine.translateBatch(ring.requestsLin + i * REQUEST.bytes, answer, 1);
    }
  }

  /** Ends the threads; what is under way is rejected. `smmu` goes on alone. */
  async close(): Promise<void> {
    await this.#crew.end();
    await this.#last;
  }
}
