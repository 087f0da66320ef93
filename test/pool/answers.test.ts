// A pool against one engine: the same answers, the same records in the same order.
import { afterAll, expect, test } from "vitest";
import type { BatchRing } from "../../src/engine/batch.ts";
import { AddressMap, HostMemory } from "../../src/engine/memory.ts";
import { EnginePool, type EnginePoolOptions } from "../../src/engine/pool/pool.ts";
import { Smmu } from "../../src/engine/smmu.ts";
import type { TranslateRequest } from "../../src/engine/types.ts";
import { type GeneratedCase, randomCase } from "../property/generate.ts";
import { RAM_RANGES } from "../property/layout.ts";
import { registerPairs } from "../property/machine.ts";
import { drawNear } from "../property/requests.ts";
import { Draw, Prng } from "../property/source.ts";

/** VSMMU_CASES sets the number of machines, VSMMU_SEED the first seed. */
const CASES = Number(process.env.VSMMU_CASES ?? 400);
const FIRST = Number(process.env.VSMMU_SEED ?? 1);
/** More than one part of a job for each worker. */
const CAPACITY = 1024;
const EVENTQ_LOG2 = 12n;
const EVENTQ_BYTES = 32 << 12;
const EVENTQ_ENTRIES = 4096;
const QUEUES = [0x7ff0_0000n, 0x7ff8_0000n] as const;
const EVENTQ_PROD = 0x100a8;
const EVENTQ_CONS = 0x100ac;
const WRAP = 2 * EVENTQ_ENTRIES;

const pools: EnginePool[] = [];
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.close()));
});

/** One engine and a pool over one memory, each with an event queue of its own. */
class Pair {
  readonly smmus: readonly [Smmu, Smmu];
  private readonly rings: readonly [BatchRing, BatchRing];
  private written: bigint[] = [];

  private constructor(
    readonly map: AddressMap,
    single: Smmu,
    readonly pool: EnginePool,
  ) {
    this.smmus = [single, pool.smmu];
    this.rings = [single.ring(CAPACITY), pool.ring(CAPACITY)];
  }

  static async create(options: EnginePoolOptions): Promise<Pair> {
    const memory = HostMemory.create({ shared: true });
    const map = new AddressMap(memory);
    for (const { base, bytes } of RAM_RANGES) map.mapRam(base, bytes);
    for (const base of QUEUES) map.mapRam(base, EVENTQ_BYTES);
    const cache = options.compat === "qemu" ? "none" : options.cache;
    const single = await Smmu.create(memory, map, { ...options, cache });
    const pool = await EnginePool.create(memory, map, options);
    pools.push(pool);
    return new Pair(map, single, pool);
  }

  load(c: GeneratedCase): void {
    for (const at of this.written) this.map.writeU64(at, 0n);
    this.written = c.memory.map(([at]) => at);
    for (const [at, word] of c.memory) this.map.writeU64(at, word);
    this.smmus.forEach((smmu, i) => {
      smmu.reset();
      smmu.restoreRegisters(registerPairs(c.registers, QUEUES[i] | EVENTQ_LOG2));
    });
  }

  /** Answers and new records of the one engine, then of the pool. */
  async run(requests: readonly TranslateRequest[]): Promise<[string, string]> {
    for (const ring of this.rings) {
      requests.forEach((request, k) => {
        ring.set(k, request);
      });
    }
    this.rings[0].run(requests.length);
    await this.pool.translate(this.rings[1], requests.length);
    return [this.take(0, requests.length), this.take(1, requests.length)];
  }

  private take(i: number, count: number): string {
    const smmu = this.smmus[i];
    const answers = smmu.memory.bytes(this.rings[i].answersLin, count * 16);
    const prod = Number(smmu.readRegister(EVENTQ_PROD));
    const records: string[] = [];
    for (
      let at = Number(smmu.readRegister(EVENTQ_CONS));
      at !== prod % WRAP;
      at = (at + 1) % WRAP
    ) {
      const record = this.map.readBytes(QUEUES[i] + BigInt((at % EVENTQ_ENTRIES) * 32), 32);
      records.push(Buffer.from(record ?? []).toString("hex"));
    }
    smmu.writeRegister(EVENTQ_CONS, prod);
    return [Buffer.from(answers).toString("hex"), prod, ...records].join("\n");
  }
}

test.each([
  ["arch, fast caches", {}, {}],
  ["arch, no caches", { cache: "none" }, { mixedEndian: true }],
  ["arch, merging", { mergeEvents: true }, {}],
  ["qemu, no caches", { compat: "qemu" }, { target: "qemu" }],
] as const)("%s: answers and records are those of one engine", async (_, options, shape) => {
  const pair = await Pair.create(options);
  let parts = 0;
  for (let seed = FIRST; seed < FIRST + CASES; seed++) {
    const c = randomCase(seed, shape);
    if (c.requests.length === 0) continue;
    const draw = new Draw(new Prng(seed));
    const count = draw.between(1, CAPACITY);
    pair.load(c);
    const [single, pool] = await pair.run(
      Array.from({ length: count }, () => drawNear(draw, c.requests)),
    );
    if (single !== pool) expect.fail(`seed ${seed}: one engine and a pool differ`);
    // Cached entries and configurations answer the second time.
    const again = await pair.run(Array.from({ length: count }, () => drawNear(draw, c.requests)));
    if (again[0] !== again[1]) expect.fail(`seed ${seed}, again: one engine and a pool differ`);
    parts += Math.ceil(count / 128);
  }
  expect(parts).toBeGreaterThan(CASES);
});
