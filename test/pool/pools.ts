// Pools for tests, each closed at the end of its test.
import { FULL_ID } from "../../src/engine/identity.ts";
import { AddressMap, HostMemory } from "../../src/engine/memory.ts";
import { EnginePool, type EnginePoolOptions } from "../../src/engine/pool/pool.ts";
import { wordAt } from "../../src/engine/pool/words.ts";
import { POOL, POOL_WORKER } from "../../src/spec/abi-pool.ts";
import { RAM, RAM_BYTES, Rig, type RigOptions } from "../engine/rig.ts";

const open: EnginePool[] = [];

/** Closes every pool that was opened here. */
export async function closePools(): Promise<void> {
  await Promise.all(open.splice(0).map((pool) => pool.close()));
}

/** A pool over a memory of its own, with the RAM of a rig. */
export async function openPool(options: EnginePoolOptions = {}): Promise<EnginePool> {
  const memory = HostMemory.create({ shared: true });
  const map = new AddressMap(memory);
  map.mapRam(RAM, RAM_BYTES);
  const pool = await EnginePool.create(memory, map, { id: FULL_ID, ...options });
  open.push(pool);
  return pool;
}

/** A pool and the rig around its primary, enabled. */
export async function openRig(
  options: EnginePoolOptions & RigOptions = {},
): Promise<{ pool: EnginePool; rig: Rig }> {
  const pool = await openPool(options);
  const rig = Rig.of(pool.smmu, options);
  rig.enable();
  return { pool, rig };
}

/** The words that the threads of a pool share, as they are now. */
export class Watch {
  readonly #words: Int32Array;

  constructor(readonly pool: EnginePool) {
    this.#words = new Int32Array(pool.smmu.memory.memory.buffer);
  }

  /** Number of a word of POOL in linear memory. */
  word(name: "head" | "next" | "pending" | "take"): number {
    return wordAt(POOL, this.pool.places.pool, name);
  }

  read(name: "head" | "next" | "pending" | "take"): number {
    return Atomics.load(this.#words, this.word(name)) >>> 0;
  }

  workerWord(worker: number, name: "acknowledged" | "running"): number {
    return wordAt(POOL_WORKER, this.pool.places.workers[worker], name);
  }

  readWorker(worker: number, name: "acknowledged" | "running"): number {
    return Atomics.load(this.#words, this.workerWord(worker, name)) >>> 0;
  }

  /** Whether a job is under way. */
  get busy(): boolean {
    return this.read("pending") > 0;
  }
}

/** Lets what was asked for begin. */
export const turn = (): Promise<void> => new Promise((done) => setImmediate(done));
