// The native contestants of the benchmarks: the translated engine answers what the engine answers,
// and the one that is shaped like QEMU's model what it claims to know.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildTwin, type Compiler, findCompiler } from "../../bench/native/build.ts";
import { Native } from "../../bench/native/process.ts";
import { batchPass } from "../../bench/world/batch.ts";
import { resident } from "../../bench/world/cases.ts";
import type { Ring } from "../../bench/world/ring.ts";
import type { Policy, World } from "../../bench/world/world.ts";
import { ANSWER_META } from "../../src/spec/abi-words.ts";
import { setField } from "../../src/spec/word.ts";
import { randomMachine } from "./machines.ts";

const MACHINES = 12;
/** Kinds of accesses: all of them, and unprivileged data reads and writes. */
const ALL_FLAGS = 7;
const DATA_FLAGS = 1;
/** A compile of the engine may take this long on a busy machine. */
const BUILD_MS = 300_000;

let program = "";
const running: Native[] = [];

/** A process with a copy of a machine. */
async function nativeOf(world: World): Promise<Native> {
  const native = new Native(program);
  running.push(native);
  await native.load(world.memory);
  return native;
}

/** Starts the translated engine anew, runs one batch call, gives the checksum of the answers. */
async function twinSum(native: Native, world: World, at: number, policy: Policy, call: string) {
  return async (ring: Ring): Promise<number> => {
    const abi = native.abi();
    world.start(abi, at, policy);
    await abi.settled();
    await native.clear(ring);
    await native.pass(call, ring);
    return native.checksum(ring);
  };
}

function wasmSum(engine: Parameters<typeof batchPass>[0], ring: Ring): number {
  ring.clear();
  batchPass(engine, ring);
  return ring.checksum();
}

/** Takes the places of event records out of the answers. */
function forgetRecords({ memory, answers, count }: Ring): void {
  for (let i = 0; i < count; i++) {
    const at = answers + i * 16 + 8;
    const meta = [memory.readU64(at)];
    memory.writeU64(at, setField(ANSWER_META, meta, "eventIndex", 0)[0]);
  }
}

beforeAll(async () => {
  const compiler = findCompiler("clang") ?? findCompiler("gcc");
  expect(compiler, "the benchmarks' native contestants need clang or gcc").toBeDefined();
  program = await buildTwin(compiler as Compiler);
}, BUILD_MS);

afterAll(() => {
  for (const native of running) native.end();
});

describe("the translated engine", () => {
  for (const policy of ["none", "fast", "walk"] as const) {
    test(`answers as the engine does, with the places of records: ${policy}`, async () => {
      for (let seed = 1; seed <= MACHINES; seed++) {
        const { world, ring } = randomMachine(seed, ALL_FLAGS);
        const at = await world.stateAt();
        const engine = await world.engine(policy);
        const native = await nativeOf(world);
        const right = wasmSum(engine, ring);
        const batch = await twinSum(native, world, at, policy, "translateBatch");
        expect(await batch(ring), `machine ${seed}`).toBe(right);
        native.end();
      }
    });
  }

  test("answers the same one by one when nothing is cached", async () => {
    for (let seed = 1; seed <= MACHINES; seed++) {
      const { world, ring } = randomMachine(seed, ALL_FLAGS);
      const at = await world.stateAt();
      const engine = await world.engine("none");
      const native = await nativeOf(world);
      const serial = await twinSum(native, world, at, "none", "translateSerially");
      expect(await serial(ring), `machine ${seed}`).toBe(wasmSum(engine, ring));
      native.end();
    }
  });
});

describe("the QEMU-shaped model", () => {
  /** The model over a copy of a machine. */
  async function modelOf(world: World): Promise<Native> {
    const native = await nativeOf(world);
    const { streamTable, base, bytes, ramLin } = world;
    await native.ask("call", "qemuAttach", streamTable, base, bytes, ramLin);
    return native;
  }

  test("answers unprivileged data accesses as the engine does, but for records", async () => {
    for (let seed = 1; seed <= MACHINES; seed++) {
      const { world, ring } = randomMachine(seed, DATA_FLAGS);
      const engine = await world.engine("none");
      const native = await modelOf(world);
      wasmSum(engine, ring);
      forgetRecords(ring);
      const right = ring.checksum();
      for (const pass of ["cold", "cached"]) {
        await native.clear(ring);
        await native.pass("qemuTranslate", ring);
        expect(await native.checksum(ring), `machine ${seed}, ${pass}`).toBe(right);
      }
      native.end();
    }
  });

  test("answers more pages than it can hold, again and again", async () => {
    for (const nested of [false, true]) {
      const { world, rings } = resident(1024, nested);
      const right = wasmSum(await world.engine("none"), rings[0]);
      const native = await modelOf(world);
      for (let pass = 0; pass < 3; pass++) {
        await native.clear(rings[0]);
        await native.pass("qemuTranslate", rings[0]);
        expect(await native.checksum(rings[0])).toBe(right);
      }
      await native.ask("call", "qemuFlush");
      await native.clear(rings[0]);
      await native.pass("qemuTranslate", rings[0]);
      expect(await native.checksum(rings[0])).toBe(right);
      native.end();
    }
  });
});

describe("a native contestant", () => {
  test("refuses batch calls that it does not have, and reports its end", async () => {
    const { world, rings } = resident(4, false);
    const native = await nativeOf(world);
    await expect(native.pass("noSuchCall", rings[0])).rejects.toThrow("no noSuchCall");
    expect(await native.ask("call", "noSuchCall")).toBe("no function");
    native.end();
    await expect(
      (async () => {
        for (;;) await native.checksum(rings[0]);
      })(),
    ).rejects.toThrow("ended early");
  });
});
