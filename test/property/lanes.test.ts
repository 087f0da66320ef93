// Interleaved batches against the serial path: the same answers, records in order, and counters.
import { expect, test } from "vitest";
import { AddressMap, HostMemory } from "../../src/engine/memory.ts";
import { Smmu } from "../../src/engine/smmu.ts";
import type { TranslateRequest } from "../../src/engine/types.ts";
import { type GeneratedCase, randomCase } from "./generate.ts";
import { RAM_RANGES } from "./layout.ts";
import { registerPairs } from "./machine.ts";
import { drawNear } from "./requests.ts";
import { Draw, Prng } from "./source.ts";

const CASES = 4000;
const CAPACITY = 256;
const EVENTQ_LOG2 = 12n;
const EVENTQ_BYTES = 32 << 12;
const QUEUES = [0x7ff0_0000n, 0x7ff8_0000n] as const;
const EVENTQ_PROD = 0x100a8;

/** Two engines over one memory; tracing keeps the second one from interleaving. */
async function createPair() {
  const memory = HostMemory.create();
  const map = new AddressMap(memory);
  for (const { base, bytes } of RAM_RANGES) map.mapRam(base, bytes);
  for (const base of QUEUES) map.mapRam(base, EVENTQ_BYTES);
  const engines = [await Smmu.create(memory, map), await Smmu.create(memory, map)];
  engines[1].trace(true);
  const rings = engines.map((engine) => engine.ring(CAPACITY));
  let written: bigint[] = [];
  const load = (c: GeneratedCase): void => {
    for (const at of written) map.writeU64(at, 0n);
    written = c.memory.map(([at]) => at);
    for (const [at, word] of c.memory) map.writeU64(at, word);
    engines.forEach((engine, i) => {
      engine.reset();
      engine.restoreRegisters(registerPairs(c.registers, QUEUES[i] | EVENTQ_LOG2));
    });
  };
  const run = (requests: readonly TranslateRequest[]) =>
    engines.map((engine, i) => {
      requests.forEach((request, k) => {
        rings[i].set(k, request);
      });
      engine.resetCounters();
      rings[i].run(requests.length);
      const bytes = memory.bytes(rings[i].answersLin, requests.length * 16);
      const prod = Number(engine.readRegister(EVENTQ_PROD));
      const records = map.readBytes(QUEUES[i], EVENTQ_BYTES) ?? new Uint8Array();
      return {
        answers: Buffer.from(bytes).toString("hex"),
        prod,
        records: Buffer.from(records.subarray(0, (prod % 4096) * 32)).toString("hex"),
        counters: engine.counters,
      };
    });
  return { load, run };
}

async function compare(seeds: Iterable<number>): Promise<number> {
  const pair = await createPair();
  let requested = 0;
  for (const seed of seeds) {
    const c = randomCase(seed);
    if (c.requests.length === 0) continue;
    const draw = new Draw(new Prng(seed));
    pair.load(c);
    // The second ring finds what the first one cached.
    for (const caches of ["cold", "warm"]) {
      const requests = Array.from({ length: draw.between(1, CAPACITY) }, () =>
        drawNear(draw, c.requests),
      );
      const [lanes, serial] = pair.run(requests);
      expect(lanes, `seed ${seed}, ${caches}`).toEqual(serial);
      requested += requests.length;
    }
  }
  return requested;
}

test("answers, records and counters are those of the serial path", async () => {
  const seeds = Array.from({ length: CASES }, (_, i) => i + 1);
  expect(await compare(seeds)).toBeGreaterThan(CASES * 128);
});

// S1DSS bypasses stage 1 for requests without a SubstreamID; the others use ASID 0.
test("a stream that bypasses is not answered from the entries of ASID 0", async () => {
  expect(await compare([8282])).toBeGreaterThan(0);
});
