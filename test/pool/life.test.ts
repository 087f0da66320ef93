// The life of a pool: what it refuses, long logs, failures, and its end.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AddressMap, HostMemory } from "../../src/engine/memory.ts";
import { EnginePool, type EnginePoolOptions } from "../../src/engine/pool/pool.ts";
import { LOG_ENTRIES } from "../../src/spec/abi-pool.ts";
import { command } from "../../src/tables/command.ts";
import { R, SMMUEN } from "../engine/rig.ts";
import { invalidate, look, OLD, PAGE, stage1, tlbi } from "../engine/streams.ts";
import { closePools, openPool, openRig, turn, Watch } from "./pools.ts";

const VA = 0x4000_0000n;
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Threads that this file's pools start. */
const threads: Worker[] = [];
const note = (worker: Worker): number => threads.push(worker);
const ended = (worker: Worker): boolean => worker.threadId === -1;

beforeEach(() => {
  process.on("worker", note);
});

afterEach(async () => {
  await closePools();
  process.off("worker", note);
  expect(threads.every(ended)).toBe(true);
  threads.splice(0);
});

describe("a pool refuses", () => {
  test("memory that is not shared", async () => {
    const memory = HostMemory.create();
    const map = new AddressMap(memory);
    await expect(EnginePool.create(memory, map)).rejects.toThrow("HostMemory.create({ shared");
  });

  test.each([
    [{ workers: 0 }, "0 workers"],
    [{ workers: 1.5 }, "1.5 workers"],
    [{ cache: "qemu" }, "no caches of kind qemu"],
  ])("%o", async (options, message) => {
    await expect(openPool(options as EnginePoolOptions)).rejects.toThrow(message);
  });

  test("more requests than a ring has", async () => {
    const pool = await openPool();
    const ring = pool.ring(4);
    for (const count of [-1, 5]) expect(() => pool.translate(ring, count)).toThrow(RangeError);
    await pool.translate(ring, 0);
  });
});

test("a module that does not fit is told, and leaves no thread", async () => {
  // (module (import "env" "memory" (memory 1)))
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const wrong = [...header, 2, 15, 1, 3, 0x65, 0x6e, 0x76, 6, ...Buffer.from("memory"), 2, 0, 1];
  const module = await WebAssembly.compile(Uint8Array.from(wrong));
  await expect(openPool({ module })).rejects.toThrow(WebAssembly.LinkError);
});

test.each([1, 3])("%i workers share a ring of any size", async (workers) => {
  const { pool, rig } = await openRig({ workers });
  stage1(rig, { sid: 1, asid: 5 }).map(VA, 16n * PAGE);
  const ring = pool.ring(5000);
  for (let i = 0; i < 5000; i++) ring.set(i, { sid: 1, iova: VA + BigInt(i * 8) });
  for (const count of [1, 127, 128, 129, 1000, 5000]) {
    rig.memory.bytes(ring.answersLin, 5000 * 16).fill(0);
    await pool.translate(ring, count);
    for (let i = 0; i < count; i++) expect(ring.get(i).pa).toBe(OLD + VA + BigInt(i * 8));
    if (count < 5000) expect(ring.get(count).pa).toBe(0n);
  }
  expect(pool.smmu.counters.lookups).toBe(1 + 127 + 128 + 129 + 1000 + 5000);
  pool.smmu.resetCounters();
  expect(pool.smmu.counters).toMatchObject({ lookups: 0, hits: 0, guestReads: 0 });
});

test("translations that are asked for at once wait for each other", async () => {
  const { pool, rig } = await openRig();
  stage1(rig, { sid: 1, asid: 5 }).map(VA);
  const rings = Array.from({ length: 8 }, () => pool.ring(300));
  for (const [k, ring] of rings.entries()) {
    for (let i = 0; i < 300; i++) ring.set(i, { sid: 1, iova: VA + BigInt(k) });
  }
  await Promise.all(rings.map((ring) => pool.translate(ring)));
  for (const [k, ring] of rings.entries()) expect(ring.get(299).pa).toBe(OLD + VA + BigInt(k));
});

describe("the log", () => {
  test("is longer than its ring: sleeping workers are woken to read it", async () => {
    const { pool, rig } = await openRig({ cmdqLog2: 10 });
    const space = stage1(rig, { sid: 1, asid: 5 });
    space.map(VA);
    const ring = pool.ring(1024);
    for (let i = 0; i < 1024; i++) ring.set(i, { sid: 1, iova: VA });
    await pool.translate(ring);
    space.move(VA);
    const watch = new Watch(pool);
    const before = watch.read("head");
    const commands = Array.from({ length: 1000 }, (_, i) => tlbi("NH_ASID", { asid: i }));
    for (let i = 0; i < 10; i++) invalidate(rig, ...commands);
    expect(watch.read("head") - before).toBe(10_000);
    expect(before + 10_000 - watch.readWorker(0, "acknowledged")).toBeLessThanOrEqual(LOG_ENTRIES);
    await pool.translate(ring);
    for (let i = 0; i < 1024; i++) expect(ring.get(i).pa).toBe(2n * OLD + VA);
    expect(watch.readWorker(1, "acknowledged")).toBe(watch.read("head"));
  });

  test("overflows while workers translate, too", async () => {
    const { pool, rig } = await openRig({ cmdqLog2: 10 });
    stage1(rig, { sid: 1, asid: 5 }).map(VA);
    const ring = pool.ring(1 << 17);
    for (let i = 0; i < 1 << 17; i++) ring.set(i, { sid: 1, iova: VA });
    const commands = Array.from({ length: 1000 }, () => tlbi("NH_ASID", { asid: 5 }));
    const done = pool.translate(ring);
    await turn();
    for (let i = 0; i < 20; i++) rig.run(...commands);
    await done;
    expect(ring.get((1 << 17) - 1).pa).toBe(OLD + VA);
    invalidate(rig, ...commands);
  });

  test("has nothing of commands that fail, and the queue stops as ever", async () => {
    const { pool, rig } = await openRig();
    const head = new Watch(pool).read("head");
    rig.submit(tlbi("NH_ASID", { asid: 1 }), new Uint8Array(16).fill(0xff));
    expect(rig.queue()).toEqual({ cons: 1, error: 1, active: true });
    expect(new Watch(pool).read("head")).toBe(head + 1);
    rig.smmu.reset();
    rig.enable();
    invalidate(rig, tlbi("NSNH_ALL"));
  });

  test("has what is stepped, and what came through another queue", async () => {
    const { pool, rig } = await openRig({ workers: 1 });
    const space = stage1(rig, { sid: 1, asid: 5 });
    const ring = pool.ring(512);
    for (let i = 0; i < 512; i++) ring.set(i, { sid: 1, iova: VA });
    const outputs = async () => {
      await pool.translate(ring);
      return new Set(Array.from({ length: 512 }, (_, i) => ring.get(i).pa - VA));
    };
    space.map(VA);
    expect(await outputs()).toEqual(new Set([OLD]));
    space.move(VA);
    rig.smmu.autoConsume(false);
    rig.submit(tlbi("NH_ASID", { asid: 5 }));
    expect(await outputs()).toEqual(new Set([OLD]));
    expect(rig.smmu.stepCommands(8)).toBe(1);
    expect(await outputs()).toEqual(new Set([2n * OLD]));
    space.map(VA);
    expect(rig.smmu.executeCommand(tlbi("NH_ASID", { asid: 5 }))).toBe(0);
    expect(await outputs()).toEqual(new Set([OLD]));
    expect(look(rig, 1, VA)).toBe("old");
  });
});

describe("a worker that fails", () => {
  test("is named, by what was asked of it and by everything later", async () => {
    const { pool, rig } = await openRig();
    const ring = pool.ring(1024);
    // Requests beyond the end of linear memory: the engine traps.
    Object.assign(ring, { requestsLin: 0xffff_f000 });
    const named = /^worker [01] of the pool: .*memory access out of bounds/;
    await expect(pool.translate(ring)).rejects.toThrow(named);
    await expect(pool.translate(pool.ring(16))).rejects.toThrow(named);
    expect(() => rig.write(R.CR0, SMMUEN)).toThrow(named);
  });

  test("is named when its thread ends", async () => {
    const pool = await openPool();
    await threads.at(-1)?.terminate();
    await turn();
    await expect(pool.translate(pool.ring(16))).rejects.toThrow(
      "worker 1 of the pool: its thread has ended",
    );
  });

  test("is not waited for without end when it is silent", async () => {
    const { pool, rig } = await openRig({ timeoutMs: 500 });
    const watch = new Watch(pool);
    await pool.translate(pool.ring(16));
    await new Promise((done) => setTimeout(done, 50));
    // It sleeps, but seems to be translating.
    const words = new Int32Array(pool.smmu.memory.memory.buffer);
    Atomics.store(words, watch.workerWord(1, "running"), 1);
    const silent = "worker 1 of the pool: did not acknowledge within 500 ms";
    const MSIAddress = rig.allocate(64);
    const message = { "SYNC.CS": 1, "SYNC.MSIAddress": MSIAddress, "SYNC.MSIData": 7 };
    expect(() => rig.run(tlbi("NSNH_ALL"), command("CMD_SYNC", message))).toThrow(silent);
    // The CMD_SYNC has not been consumed, and nobody has seen its message.
    expect(rig.read64(MSIAddress)).toBe(0n);
    expect([rig.read(R.CMDQ_PROD), rig.queue().cons]).toEqual([2, 1]);
    await expect(pool.translate(pool.ring(16))).rejects.toThrow(silent);
  });

  test("is named when its thread ends in the middle of a job", async () => {
    const { pool } = await openRig();
    const done = pool.translate(pool.ring(1 << 20));
    const rejected = expect(done).rejects.toThrow(/^worker [01] of the pool: its thread has ended/);
    await turn();
    await Promise.all(threads.map((worker) => worker.terminate()));
    await rejected;
  });
});

describe("the end", () => {
  test("rejects what is under way, and the SMMU goes on alone", async () => {
    const { pool, rig } = await openRig();
    const space = stage1(rig, { sid: 1, asid: 5 });
    space.map(VA);
    const ring = pool.ring(1 << 16);
    const done = pool.translate(ring);
    const rejected = expect(done).rejects.toThrow("the pool is closed");
    await turn();
    await pool.close();
    await rejected;
    await pool.close();
    await expect(pool.translate(ring)).rejects.toThrow("the pool is closed");
    expect(look(rig, 1, VA)).toBe("old");
    space.move(VA);
    for (let i = 0; i < 5; i++) {
      invalidate(rig, ...Array.from({ length: 30 }, () => tlbi("NH_ASID", { asid: 5 })));
    }
    expect(look(rig, 1, VA)).toBe("new");
  });

  test("of a process does not wait for a pool that was forgotten", async () => {
    const program = `
      import { AddressMap, EnginePool, HostMemory } from "./dist/index.js";
      const memory = HostMemory.create({ shared: true });
      const pool = await EnginePool.create(memory, new AddressMap(memory));
      const ring = pool.ring(1000);
      await pool.translate(ring);
      console.log(ring.get(999).status);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], { cwd: ROOT });
    let printed = "";
    child.stdout.on("data", (data) => {
      printed += data;
    });
    const code = await new Promise((end) => child.on("close", end));
    expect([code, printed.trim()]).toEqual([0, "bypass"]);
  });
});
