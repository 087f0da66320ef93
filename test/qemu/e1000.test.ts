// e1000 on both sides: the registers, DMA to memory and to devices, and what the SMMU makes of it.
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  configAddress,
  e1000State,
  e1000Transmit,
  type Master,
  setUpBoard,
} from "../../src/conform/board.ts";
import type { DmaAnswer } from "../../src/conform/program.ts";
import { runProgram } from "../../src/conform/run.ts";
import { E1000, EDU, LEAF, LEAF2, S1, S2, type World, WRITER, world } from "../quirks/world.ts";
import { startOurs, startQemu } from "./emulators.ts";
import type { Qtest } from "./qtest.ts";
import { put } from "./tables.ts";

const SEED = Number(process.env.VSMMU_SEED ?? 20260821);
const RUNS = Number(process.env.VSMMU_PROGRAMS ?? 80);
const PAGE = 0x50000000n;
/** A place that programs keep clear of. */
const SCRATCH = 0x5ff00000n;

let qemu: Qtest;
let ours: Qtest;
beforeAll(async () => {
  [qemu, ours] = await Promise.all([startQemu(), startOurs()]);
});
afterAll(async () => {
  await qemu?.stop();
  await ours?.stop();
});

const hex = (value: bigint | number) => `0x${value.toString(16)}`;

/** Runs the same requests on both machines, fresh out of reset; gives the answers of both. */
async function both(requests: (masters: Map<number, Master>) => string[]) {
  const answers: string[][] = [];
  for (const machine of [qemu, ours]) {
    await machine.reset();
    const masters = await setUpBoard(machine);
    answers.push(await machine.send(requests(new Map(masters.map((m) => [m.sid, m])))));
  }
  return answers;
}

describe("without an SMMU in the way", () => {
  test.each([
    ["e1000", E1000],
    ["edu", EDU],
    ["the function of StreamID 8", WRITER],
  ])("configuration space of %s reads the same, and what was written to it", async (_name, sid) => {
    const [expected, got] = await both(() => {
      const at = (i: number) => hex(configAddress(sid, i * 4));
      const words = Array.from({ length: 64 }, (_, i) => i);
      return [
        ...words.map((i) => `readl ${at(i)}`),
        ...words.map((i) => `writel ${at(i)} 0xffffffff`),
        ...words.map((i) => `readl ${at(i)}`),
      ];
    });
    expect(got).toEqual(expected);
    expect(expected[0]).not.toBe("0x00000000ffffffff");
  });

  /** CTRL, STATUS, ICR, ICS, IMS, IMC, TDBAL, TDBAH, TDLEN, TDH, TDT. */
  const REGISTERS = [0x0, 0x8, 0xc0, 0xc8, 0xd0, 0xd8, 0x3800, 0x3804, 0x3808, 0x3810, 0x3818];
  const access = fc.record({
    register: fc.constantFrom(...REGISTERS),
    at: fc.constantFrom(0, 0, 0, 1, 2, 3),
    size: fc.constantFrom("l", "l", "b", "w"),
    value: fc.noBias(fc.nat({ max: 0xffffffff })),
    write: fc.boolean(),
  });

  test("registers keep and give what QEMU's do, at any size and offset", async () => {
    let runs = 0;
    const property = fc.asyncProperty(fc.array(access, { minLength: 20 }), async (steps) => {
      const [expected, got] = await both((masters) => {
        const { bar } = masters.get(E1000)!;
        const lines = steps.map(({ register, at, size, value, write }) => {
          const address = hex(bar + BigInt(register + (size === "l" ? 0 : at - (at % 2))));
          return write ? `write${size} ${address} ${hex(value)}` : `read${size} ${address}`;
        });
        return [...lines, ...REGISTERS.map((r) => `readl ${hex(bar + BigInt(r))}`)];
      });
      expect(got).toEqual(expected);
      runs++;
    });
    await fc.assert(property, { seed: SEED, numRuns: RUNS });
    expect(runs).toBeGreaterThanOrEqual(RUNS);
  });

  test("rings and buffers in its own registers, in another's, in flash and nowhere", async () => {
    const places = (masters: Map<number, Master>) => [
      masters.get(E1000)!.bar + 0xc0n,
      masters.get(E1000 + 1)!.bar + 0xc0n,
      masters.get(E1000)!.bar + 0x3810n,
      masters.get(E1000 + 1)!.bar + 0x3800n,
      ...[0n, 0x03fffff0n, 0x07fffff0n, 0x5ffffff0n, 0x70000000n, 0x30000000n],
    ];
    const [expected, got] = await both((masters) =>
      places(masters).flatMap((place) => {
        const [first, second] = [masters.get(E1000)!, masters.get(E1000 + 1)!];
        return [
          `writel ${hex(second.bar + 0xc8n)} 0x80`,
          `writel ${hex(first.bar + 0xc8n)} 0x80`,
          ...e1000Transmit(first, { iova: place, entries: 8, head: 0, tail: 2 }),
          ...e1000State(first),
          ...e1000State(second),
          // The same place as the buffer of a descriptor in memory, which asks for its status.
          `writeq ${hex(SCRATCH)} ${hex(place)}`,
          `writeq ${hex(SCRATCH + 8n)} 0x9000020`,
          ...e1000Transmit(first, { iova: SCRATCH, entries: 8, head: 0, tail: 1 }),
          `read ${hex(SCRATCH)} 0x10`,
          ...e1000State(first),
          ...e1000State(second),
        ];
      }),
    );
    expect(got).toEqual(expected);
    expect(expected).toContain("0x0000000000000082");
  });
});

describe("behind the SMMU", () => {
  /** The records of a queue, 64 digits each. */
  const recordsOf = (events: string) => events.slice(2).match(/.{1,64}/g) ?? [];

  /** The last answer and the records, the same on both. */
  async function seen(w: World): Promise<{ last: DmaAnswer; records: string[]; data: unknown }> {
    const program = w.program("e1000");
    const expected = await runProgram(qemu, program);
    expect(await runProgram(ours, program)).toEqual(expected);
    const last = expected.answers.at(-1) as DmaAnswer;
    return { last, records: recordsOf(expected.events), data: expected.data };
  }

  const stage1 = (leaf: bigint) =>
    world()
      .ste(5, [], E1000)
      .cd()
      .page(S1, 0x1000n, PAGE | leaf);
  /** A descriptor in memory. */
  const descriptor = (w: World, address: bigint, fields: [number, number, number][]) => {
    const words = [address, 0n];
    for (const field of fields) put(words, ...field);
    return w.set(PAGE, words[0]).set(PAGE + 8n, words[1]);
  };
  const RS: [number, number, number] = [91, 91, 1];

  test("a descriptor that cannot be fetched leaves four records and is passed over", async () => {
    const { last, records } = await seen(stage1(LEAF).enable().transmit(0x2000n));
    const addresses = records.map((r) => r.slice(32, 34));
    expect(records.map((r) => r.slice(0, 2))).toEqual(["10", "10", "10", "10"]);
    expect(addresses).toEqual(["00", "04", "08", "0c"]);
    expect(last).toMatchObject({ prod: "0x4", icr: "0x2", tdh: "0x1" });
  });

  test("a status is written back through the same mapping", async () => {
    const w = descriptor(stage1(LEAF), 0n, [RS]);
    const { last, data } = await seen(w.enable().transmit(0x1000n));
    expect(last).toMatchObject({ prod: "0x0", icr: "0x3", tdh: "0x1" });
    expect(data).toEqual([[hex(PAGE), "00000000000000000000000801000000"]]);
  });

  test("a status that may not be written is F_PERMISSION of a write, once", async () => {
    const w = descriptor(stage1(LEAF | 0x80n), 0n, [RS]);
    const { last, records } = await seen(w.enable().transmit(0x1000n));
    expect(records).toHaveLength(1);
    expect(records[0].slice(0, 2)).toBe("13");
    expect(records[0].slice(32, 36)).toBe("0c10");
    expect(last).toMatchObject({ icr: "0x3", tdh: "0x1" });
  });

  test("a buffer that cannot be read faults in aligned pieces", async () => {
    const w = descriptor(stage1(LEAF), 0x3001n, [[79, 64, 8]]);
    const { records } = await seen(w.enable().transmit(0x1000n));
    expect(records.map((r) => r.slice(32, 34))).toEqual(["01", "02", "04", "08"]);
  });

  test.each([
    ["STE bypass", "bypass", true],
    ["the SMMU off", "disabled", false],
  ])("a buffer behind %s is read page by page", async (_name, line, on) => {
    const bypassed = (address: bigint, bytes: number) => {
      const w = descriptor(world().ste(4, [], E1000), address, [[79, 64, bytes], RS]);
      return seen((on ? w.enable() : w).transmit(PAGE));
    };
    const count = async (address: bigint, bytes: number) => {
      const { last } = await bypassed(address, bytes);
      return last.trace.filter((l) => l === line).length - 2;
    };
    expect(await count(PAGE, 4096)).toBe(1);
    expect(await count(PAGE, 5000)).toBe(2);
    expect(await count(PAGE + 0xffdn, 5)).toBe(2);
    expect(await count(PAGE + 0x800n, 20000)).toBe(6);
    // Flash to its end and on, RAM to its end and on: 4 bytes at a time where nothing is.
    expect(await count(0x03fff800n, 0x1000)).toBe(2);
    expect(await count(0x5ffff800n, 0x1000)).toBe(1 + 0x200);
    expect((await bypassed(PAGE, 0)).data).toEqual([
      [hex(PAGE), "00000050000000000000000801000000"],
    ]);
    expect(await qemu.readRam(PAGE, 16)).toEqual(Buffer.alloc(16));
  });

  test("lines of reads and writes that pass or end are QEMU's own", async () => {
    const lines: string[][] = [];
    for (const machine of [qemu, ours]) {
      const spy = vi.spyOn(machine, "takeTrace");
      for (const [config, on] of [
        [4, true],
        [0, true],
        [4, false],
      ] as const) {
        const w = world().ste(config, [], EDU);
        if (on) w.enable();
        for (const write of [true, false]) w.dma(PAGE, { sid: EDU, write });
        await runProgram(machine, w.program("trace"));
      }
      const taken = spy.mock.results.flatMap(({ value }) => value as string[]);
      spy.mockRestore();
      const passed = taken.filter((l) => /^smmuv3_translate_(bypass|abort|disable) /.test(l));
      // The memory region's number counts every region that QEMU has ever made.
      lines.push(passed.map((l) => l.replace(/(region-\d+)-\d+/, "$1")));
    }
    expect(lines[1]).toEqual(lines[0]);
    expect(lines[0].filter((l) => l.includes("abort on iova:0x50000000"))).toHaveLength(2);
  });

  test("behind stage 2 alone, and through both stages", async () => {
    const s2 = descriptor(
      world()
        .ste(6, [], E1000)
        .page(S2, 0x1000n, PAGE | LEAF2),
      0n,
      [RS],
    );
    expect((await seen(s2.enable().transmit(0x1000n))).last.icr).toBe("0x3");
    const nested = descriptor(
      world()
        .ste(7, [], E1000)
        .cd()
        .page(S1, 0x1000n, PAGE | LEAF)
        .identity()
        .block2(PAGE),
      0n,
      [RS],
    );
    const { last, records } = await seen(nested.enable().transmit(0x1000n).transmit(0x2000n));
    expect(records).toHaveLength(4);
    expect(last.prod).toBe("0x4");
  });
});
