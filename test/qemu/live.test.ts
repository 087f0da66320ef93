// The live suite: the same bodies run against a real QEMU and against our front end.
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DOORBELL, SMMU } from "../../src/conform/board.ts";
import { compareCase } from "../../src/conform/compare.ts";
import { BATCH, GoldenMachine } from "../../src/conform/golden.ts";
import { parseGoldenCase } from "../../src/conform/golden-case.ts";
import { type DmaAnswer, hex, type Op, type Program } from "../../src/conform/program.ts";
import { runProgram } from "../../src/conform/run.ts";
import { LAYOUT } from "./devices.ts";
import { describeDifference, type Recorder, search } from "./differential.ts";
import { qemuCommand, qemuFacts, qemuVersion, startOurs, startQemu } from "./emulators.ts";
import { GoldenQemu, randomCases } from "./golden.ts";
import {
  EDU,
  FIRST_LPI,
  ItsQueue,
  invalidateAll,
  itsSync,
  MSI_ADDRESS,
  mapc,
  mapd,
  mapMsi,
  mapti,
  message,
  msiSequence,
  observe,
  pendingLpis,
  raise,
  sequenceRequests,
  setConfig,
  setUpMsi,
} from "./msi.ts";
import type { Qtest } from "./qtest.ts";
import { KINDS } from "./spec.ts";

/** A run uses the day's seed unless one is given; the number is printed for repeating it. */
const SEED = Number(process.env.VSMMU_SEED ?? 20260821);
const PROGRAMS = Number(process.env.VSMMU_PROGRAMS ?? 80);
const BATCHES = Number(process.env.VSMMU_BATCHES ?? 64);

let qemu: Qtest;
let ours: Qtest;

beforeAll(async () => {
  const { dma } = qemuFacts();
  const who = dma === "all" ? "iommu-testdev, edu and e1000" : "e1000, which this QEMU has alone,";
  console.log(`${qemuVersion()}, seed ${SEED}; ${who} do DMA`);
  [qemu, ours] = await Promise.all([startQemu(), startOurs()]);
});

afterAll(async () => {
  await qemu?.stop();
  expect(await ours?.stop()).toBe(0);
});

/** What the programs below have met, in a few words each. */
const met = new Set<string>();

/** Notes what an e1000's ring did: descriptors, buffers, status; faults of each. */
function noteRing({ icr, trace, prod }: DmaAnswer, oks: number): void {
  const wrote = BigInt(icr as string) % 2n === 1n;
  if (oks > 0) met.add("descriptor");
  if (oks === 0 && prod !== "0x0") met.add("descriptor fault");
  if (wrote && oks > 1) met.add("status");
  if (oks > 2) met.add("buffer");
  if (oks > 0 && trace.filter((l) => l.startsWith("look")).length > oks) met.add("buffer fault");
}

/** Notes what a program did on QEMU: kinds of look-ups, reads, faults, queue states. */
const note: Recorder = (program, record) => {
  let changed = false;
  program.ops.forEach((op, i) => {
    const answer = record.answers[i];
    if (op.op === "mem" && BigInt(op.at) < LAYOUT.data) changed = true;
    if (op.op === "get" && BigInt(op.at) === 0x60n && BigInt(answer as string) % 2n === 1n) {
      met.add("command error");
    }
    if (answer === null || typeof answer === "string") return;
    const oks = answer.trace.filter((line) => line.startsWith("ok ")).length;
    if (op.op === "dma" && !op.write && oks > 0) met.add("read");
    if (op.op === "transmit") noteRing(answer, oks);
    for (const line of answer.trace) {
      const [what, ...rest] = line.split(" ");
      if (what === "cfg") met.add(line);
      else if (what === "look") met.add(`look ${rest[3]}`);
      else if (what === "pte" || what === "ok")
        met.add(`${what} stage ${rest.at(what === "ok" ? 2 : 0)}`);
      else met.add(what);
      if (what === "look" && rest[3] === "hit" && changed) met.add("hit after an edit");
    }
  });
  for (let at = 2; at + 2 <= record.events.length; at += 64) {
    met.add(`event ${record.events.slice(at, at + 2)}`);
  }
  if (program.kind === "overflow" && record.answers.includes("0x4")) met.add("queue overflow");
};

describe("random programs", () => {
  test.each(KINDS)("%s", async (kind) => {
    const options = { seed: SEED, runs: PROGRAMS, recorder: note };
    const result = await search(kind, options, qemu, ours);
    expect(result.difference && describeDifference(result.difference)).toBeUndefined();
    expect(result.programs).toBe(PROGRAMS);
    expect(result.cases).toBeGreaterThan(PROGRAMS);
  });
});

describe.each(qemuFacts().stagesAlone)(
  "random programs on an SMMU with stage %s alone",
  (stage) => {
    let reference: Qtest;
    let subject: Qtest;
    beforeAll(async () => {
      [reference, subject] = await Promise.all([startQemu(stage), startOurs(stage)]);
    });
    afterAll(async () => {
      await reference?.stop();
      await subject?.stop();
    });

    test.each(KINDS)("%s", async (kind) => {
      const options = { seed: SEED + Number(stage), runs: Math.ceil(PROGRAMS / 4) };
      const result = await search(kind, options, reference, subject);
      expect(result.difference && describeDifference(result.difference)).toBeUndefined();
      expect(result.programs).toBe(options.runs);
    });
  },
);

test("the programs met every kind of look-up, stage, fault and queue state", () => {
  const wanted = ["cfg hit", "cfg miss", "look hit", "look miss", "hit after an edit", "l1std"];
  wanted.push("ste", "cd", "ins", "bypass", "abort", "disabled", "command error");
  if (qemuFacts().dma === "all") wanted.push("read");
  wanted.push("descriptor", "descriptor fault", "status", "buffer", "buffer fault");
  wanted.push("queue overflow", "pte stage 1", "pte stage 2", "pte stage 3");
  for (const stage of [1, 2, 3]) wanted.push(`ok stage ${stage}`);
  for (const type of ["02", "04", "0a", "10", "11", "12", "13"]) wanted.push(`event ${type}`);
  expect(wanted.filter((what) => !met.has(what))).toEqual([]);
});

/** Configurations in batches of 64, which iommu-testdev makes possible. */
async function batches(): Promise<void> {
  const golden = await GoldenQemu.start(qemuCommand());
  const engine = await GoldenMachine.create("qemu");
  const kinds = new Set<string>();
  for (let batch = 0; batch < BATCHES; batch++) {
    const lines = await golden.run(randomCases(SEED + batch));
    const cases = lines.map(parseGoldenCase);
    const answers = engine.run(cases);
    const found = cases.flatMap((c, i) => compareCase(i + 1, c, answers[i], "qemu") ?? []);
    expect(found).toEqual([]);
    for (const c of cases) kinds.add(c.t ? `${c.t.kind}${c.t.stage ?? ""}` : (c.ev[0] ?? "silent"));
  }
  await golden.stop();
  expect(kinds.size).toBeGreaterThan(BATCH / 4);
  for (const kind of ["success1", "success2", "success3", "bypass", "abort"]) {
    expect(kinds).toContain(kind);
  }
}

test("many random configurations", async () => {
  if (qemuFacts().dma === "all") await batches();
  else {
    const options = { seed: SEED + 64, runs: BATCHES * 4 };
    const result = await search("walk", options, qemu, ours);
    expect(result.difference && describeDifference(result.difference)).toBeUndefined();
    expect(result.cases).toBeGreaterThan(BATCHES * BATCH);
  }
});

const noMemory = (ops: Op[]): Program => ({
  kind: "registers",
  memory: [],
  ops,
  eventq: { base: "0x42100000", bytes: 64 },
});

/** Reads of every register of both pages with both sizes. */
const READS: Op[] = [0, 0x10000].flatMap((page) => [
  ...Array.from({ length: 0x80 }, (_, i): Op => ({ op: "get", at: hex(page + i * 4), size: 4 })),
  ...Array.from({ length: 0x40 }, (_, i): Op => ({ op: "get", at: hex(page + i * 8), size: 8 })),
]);

test("every register reads back what QEMU's does, after any write", async () => {
  const tail = Array.from(
    { length: 16 },
    (_, i): Op => ({ op: "get", at: hex(0xfc0 + i * 4), size: 4 }),
  );
  const programs = [noMemory([...READS, ...tail])];
  for (const value of [0xffffffffn, 0xa5a5a5a4n, 0x12345678n]) {
    // CR0 and CMDQ_PROD start work on queues that are not there; the programs above cover them.
    for (const at of Array.from({ length: 0x80 }, (_, i) => i * 4)) {
      if (at === 0x20 || at === 0x98) continue;
      const write: Op = { op: "reg", at: hex(at), value: hex(value), size: 4 };
      if (value !== 0xffffffffn && at % 0x20 !== 0) continue;
      programs.push(noMemory([write, ...READS.slice(0, 0xc0)]));
    }
  }
  for (const at of [0x68, 0x80, 0x90, 0xa0, 0xb0, 0xc0]) {
    const write: Op = { op: "reg", at: hex(at), value: "0xdeadbeefa5a5a5a0", size: 8 };
    programs.push(noMemory([write, ...READS.slice(0, 0xc0)]));
  }
  for (const program of programs) {
    const expected = await runProgram(qemu, program);
    const got = await runProgram(ours, program);
    expect(got.answers, JSON.stringify(program.ops[0])).toEqual(expected.answers);
  }
});

describe("MSI, SMMU, ITS, LPI", () => {
  const queue = () => new ItsQueue();
  const mapped = () => [
    mapd(EDU, 0x45030000n, 3),
    mapc(0, 0),
    mapti(EDU, 5, FIRST_LPI + 7, 0),
    itsSync(),
  ];

  /** Runs the same requests on both; gives what both then show. */
  async function both(requests: string[]) {
    const seen = [];
    for (const machine of [qemu, ours]) {
      await setUpMsi(machine);
      const answers = await machine.send(requests);
      seen.push({ answers, ...(await observe(machine)) });
    }
    expect(seen[1]).toEqual(seen[0]);
    return seen[0] as unknown as Record<string, string>;
  }

  test("a mapped message sets the LPI's pending bit", async () => {
    const seen = await both([...queue().push(mapped()), ...raise()]);
    expect(pendingLpis(seen)).toEqual([FIRST_LPI + 7]);
    expect(seen.events).toBe("");
  });

  test("an unmapped IOVA is F_TRANSLATION and no LPI", async () => {
    const seen = await both([mapMsi(0n), ...queue().push(mapped()), ...raise()]);
    expect(pendingLpis(seen)).toEqual([]);
    expect(seen.events.slice(0, 2)).toBe("10");
  });

  test("a stale translation still rings; after invalidation the data lands in RAM", async () => {
    const moved = [mapMsi(0x50000000n), ...raise()];
    const stale = await both([...queue().push(mapped()), ...raise(), ...moved]);
    expect(pendingLpis(stale)).toEqual([FIRST_LPI + 7]);
    const fresh = [...raise(), mapMsi(0x50000000n), ...invalidateAll(0)];
    const other = queue();
    const seen = await both([
      ...other.push(mapped()),
      ...fresh,
      ...message(MSI_ADDRESS, 6),
      ...raise(),
      "readl 0x50000040",
      "writel 0x50000040 0x0",
    ]);
    expect((seen.answers as unknown as string[]).at(-2)).toBe("0x0000000000000006");
    expect(pendingLpis(seen)).toEqual([FIRST_LPI + 7]);
  });

  test("a bypassed function rings the doorbell's own address; an aborted one nothing", async () => {
    const bypass = [setConfig(4), ...message(DOORBELL, 5), ...queue().push(mapped()), ...raise()];
    expect(pendingLpis(await both(bypass))).toEqual([FIRST_LPI + 7]);
    const abort = [setConfig(0), ...message(DOORBELL, 5), ...queue().push(mapped()), ...raise()];
    expect(pendingLpis(await both(abort))).toEqual([]);
  });

  test("random commands, messages and mappings leave the same tables", async () => {
    let runs = 0;
    const property = fc.asyncProperty(msiSequence, async (steps) => {
      runs++;
      await both(sequenceRequests(steps));
    });
    await fc.assert(property, { seed: SEED, numRuns: PROGRAMS });
    expect(runs).toBeGreaterThanOrEqual(PROGRAMS);
  });
});

describe("two configurations end QEMU; the engine answers them", () => {
  const STE = 0x44000000 + 8 * 4 * 64;
  const word = (at: number, value: bigint): Op => ({ op: "mem", at: hex(at), value: hex(value) });
  const setUp: Op[] = [
    { op: "reg", at: "0x28", value: "0xd75", size: 4 },
    { op: "reg", at: "0x90", value: "0x42000008", size: 8 },
    { op: "reg", at: "0xa0", value: "0x42100008", size: 8 },
    { op: "reg", at: "0x88", value: "0x8", size: 4 },
    { op: "reg", at: "0x80", value: "0x44000000", size: 8 },
    { op: "reg", at: "0x20", value: "0xd", size: 4 },
  ];
  const dma: Op = { op: "transmit", sid: 8 * 4, iova: "0x1000", entries: 8, head: 0, tail: 1 };
  const program = (ops: Op[]): Program => noMemory([...setUp, ...ops, dma]);
  const cd = 0x10n | (3n << 30n) | (1n << 41n) | (3n << 45n) | (1n << 48n);

  test.each([
    ["CD.IPS = 6", [word(STE, 0x4220000bn), word(0x42200000, cd | (6n << 32n))], ""],
    ["CD.IPS = 7", [word(STE, 0x4220000bn), word(0x42200000, cd | (7n << 32n))], ""],
    ["STE.S2AA64 = 0", [word(STE, 0xdn), word(STE + 16, (20n << 32n) | (1n << 38n))], "0x04"],
  ])("%s", async (_name, ops, event) => {
    const victim = await startQemu();
    await expect(runProgram(victim, program(ops))).rejects.toThrow("code should not be reached");
    await victim.stop();
    const record = await runProgram(ours, program(ops));
    const last = record.answers.at(-1) as { trace: string[] };
    expect(last.trace).toContain(`ste ${hex(STE)}`);
    expect(record.events.slice(0, 4)).toBe(event === "" ? "0x10" : event);
    expect(await ours.value(`readl ${hex(SMMU)}`)).toBe(0x0d44101bn);
  });
});
