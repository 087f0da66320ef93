// The owner's end of a pool's log, with workers that are only words: what is waited for, and how
// room is found.
import { expect, test } from "vitest";
import { HostMemory } from "../../src/engine/memory.ts";
import { PoolLog } from "../../src/engine/pool/log.ts";
import { wordAt } from "../../src/engine/pool/words.ts";
import { getNarrow, getWide } from "../../src/spec/abi.ts";
import {
  LOG_ENTRIES,
  LOG_ENTRY,
  LOG_KIND,
  POOL,
  POOL_STATE,
  POOL_WORKER,
} from "../../src/spec/abi-pool.ts";
import { codeOf } from "../../src/spec/field.ts";

const FLUSH = codeOf(LOG_KIND, "FLUSH");
const TIMEOUT_MS = 20;

function makeLog(workers = 2) {
  const memory = HostMemory.create({ shared: true, maximumPages: 64 });
  const log = new PoolLog(memory, workers, TIMEOUT_MS);
  log.onFailure = (worker, reason) => new Error(`${worker}: ${reason}`);
  const set = (worker: number, name: "acknowledged" | "running" | "state", value: number) =>
    Atomics.store(log.words, wordAt(POOL_WORKER, log.places.workers[worker], name), value);
  const pool = (name: "head" | "bell") => log.words[wordAt(POOL, log.places.pool, name)];
  return { memory, log, set, pool };
}

test("entries lie in order, and the head moves after each", () => {
  const { memory, log, pool } = makeLog();
  log.append(codeOf(LOG_KIND, "ATTACH"), 1, 2, 3n, 2n ** 63n);
  expect(pool("head")).toBe(1);
  log.appendCommand(new Int32Array([9, 0x11, 0x22, 0x33, 0x44]), 1);
  expect(pool("head")).toBe(2);
  const view = memory.view();
  const [first, second] = [0, 1].map((i) => log.places.log + i * LOG_ENTRY.bytes);
  expect(getNarrow(LOG_ENTRY, view, first, "second")).toBe(2);
  expect(getWide(LOG_ENTRY, view, first, "high")).toBe(2n ** 63n);
  expect(getNarrow(LOG_ENTRY, view, second, "kind")).toBe(codeOf(LOG_KIND, "COMMAND"));
  expect(getWide(LOG_ENTRY, view, second, "low")).toBe(0x22_0000_0011n);
  expect(getWide(LOG_ENTRY, view, second, "high")).toBe(0x44_0000_0033n);
});

test("a worker that sleeps is not waited for, one that runs is", () => {
  const { log, set } = makeLog();
  log.append(FLUSH);
  log.settle();
  set(1, "running", 1);
  expect(() => log.settle()).toThrow(`1: did not acknowledge within ${TIMEOUT_MS} ms`);
  set(1, "acknowledged", 1);
  log.settle();
  log.append(FLUSH);
  expect(() => log.settle()).toThrow("1: did not acknowledge");
});

test("a worker that has failed ends every wait", () => {
  const { log, set } = makeLog();
  set(0, "state", codeOf(POOL_STATE, "FAILED"));
  expect(() => log.settle()).toThrow("0: has failed");
  log.end();
  log.settle();
});

test("a full log rings, and overwrites nothing that some worker has not read", () => {
  const { memory, log, set, pool } = makeLog();
  for (let i = 0; i < LOG_ENTRIES; i++) log.append(FLUSH, i);
  expect(pool("bell")).toBe(0);
  set(0, "acknowledged", LOG_ENTRIES);
  set(1, "acknowledged", LOG_ENTRIES - 1);
  // Sleeping or not: its entry would be lost.
  log.append(FLUSH, LOG_ENTRIES - 1);
  expect(getNarrow(LOG_ENTRY, memory.view(), log.places.log, "first")).toBe(LOG_ENTRIES - 1);
  expect(() => {
    for (let i = 0; i < LOG_ENTRIES; i++) log.append(FLUSH);
  }).toThrow("0: did not acknowledge");
  expect(pool("bell")).toBe(1);
});

test("counters are sums over workers since the last reset", () => {
  const { log } = makeLog();
  const at = (worker: number) => wordAt(POOL_WORKER, log.places.workers[worker], "counters", 2);
  log.words[at(0)] = 5;
  log.words[at(1)] = -1;
  expect(log.counter(2)).toBe(2 ** 32 + 4);
  log.resetCounters();
  log.words[at(0)] = 12;
  expect(log.counter(2)).toBe(7);
});
