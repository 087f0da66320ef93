// Hostile input: nothing traps, hangs or leaves the mapped regions, and a reset engine is as new.
//
// VSMMU_STORMS sets the number of storms of each kind, VSMMU_SEED the first seed.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { CachePolicy, Compat } from "../../src/engine/types.ts";
import { ANSWER, REQUEST } from "../../src/spec/abi-records.ts";
import { describeDifference, firstDifference, predictor } from "../property/compare.ts";
import { randomCase } from "../property/generate.ts";
import { Choices, Draw, Prng } from "../property/source.ts";
import { Subject } from "../property/subject.ts";
import { changeMap, type Field, RING_CAPACITY, storm } from "./storm.ts";

const PAGE = 4096;
const STORMS = Number(process.env.VSMMU_STORMS ?? 120);
const FIRST = Number(process.env.VSMMU_SEED ?? 1);
const ACTIONS = 400;
const PARTS = 4;
const RENEWAL = 100;
const MODES: [Compat, CachePolicy][] = [
  ["arch", "fast"],
  ["arch", "none"],
  ["qemu", "qemu"],
  ["qemu", "fast"],
];
/** No single storm of some hundred actions may take longer. */
const MILLISECONDS_MAX = 5000;

interface Range {
  from: number;
  to: number;
}

/** An engine in a memory of which everything that it must not touch is known. */
class Arena {
  readonly subject: Subject;
  readonly field: Omit<Field, "case">;
  private readonly allowed: Range[];
  private readonly homes: { base: bigint; bytes: bigint; lin: number }[];
  private readonly extra: bigint[] = [];

  private constructor(subject: Subject) {
    const { smmu, map } = subject;
    this.subject = subject;
    const ring = smmu.ring(RING_CAPACITY);
    this.homes = map.regions().map(({ base, bytes, lin }) => ({ base, bytes, lin }));
    const state = smmu.engine.place(0);
    this.allowed = [
      ...this.homes.map(({ bytes, lin }) => ({ from: lin, to: lin + Number(bytes) })),
      { from: state, to: state + smmu.engine.stateBytes() },
      { from: ring.requestsLin, to: ring.requestsLin + RING_CAPACITY * REQUEST.bytes },
      { from: ring.answersLin, to: ring.answersLin + RING_CAPACITY * ANSWER.bytes },
    ];
    // Single pages between guards, and a few of the large ranges' own.
    for (let i = 0; i < 12; i++) this.extra.push(this.lonelyPage(BigInt(i)));
    const own = this.homes.flatMap(({ base, bytes }) =>
      [0n, 1n, 7n, bytes / 4096n - 1n].map((page) => base + page * 4096n),
    );
    this.field = { subject, ring, pages: [...this.extra, ...own] };
  }

  static async create(mode: Compat, cache: CachePolicy): Promise<Arena> {
    return new Arena(await Subject.create(mode, cache));
  }

  /** One page of RAM with a guard page on each side in linear memory. */
  private lonelyPage(i: bigint): bigint {
    const { map, smmu } = this.subject;
    const at = smmu.memory.alloc(3 * PAGE, PAGE);
    smmu.memory.bytes(at, 3 * PAGE).fill(0xa5);
    const pa = (i % 3n) * 0x10_0000_0000n + 0x8000_0000n + i * 0x2000n;
    map.mapRam(pa, PAGE, at + PAGE);
    this.allowed.push({ from: at + PAGE, to: at + 2 * PAGE });
    return pa;
  }

  /** Everything outside the allowed ranges: canaries, guards, other owners' memory. */
  private forbidden(): Range[] {
    const ranges: Range[] = [];
    let from = 0;
    for (const range of [...this.allowed].sort((a, b) => a.from - b.from)) {
      if (range.from > from) ranges.push({ from, to: range.from });
      from = Math.max(from, range.to);
    }
    return [...ranges, { from, to: this.subject.smmu.memory.memory.buffer.byteLength }];
  }

  /** Runs something that must leave all other memory alone; the map must not change in it. */
  watch(run: () => void): void {
    const { memory } = this.subject.smmu;
    const before = this.forbidden().map(({ from, to }) => memory.bytes(from, to - from).slice());
    run();
    this.forbidden().forEach(({ from, to }, i) => {
      const same = Buffer.compare(memory.bytes(from, to - from), before[i]) === 0;
      if (!same) throw new Error(`something was written between ${from} and ${to}`);
    });
  }

  /** The map as it was at the start, RAM all zero; the SMMU reset. */
  calm(): void {
    const { map, smmu } = this.subject;
    const { memory } = smmu;
    for (const pa of this.extra) map.unmap(pa, PAGE);
    for (const { base, bytes, lin } of this.homes) {
      memory.bytes(lin, Number(bytes)).fill(0);
      map.mapRam(base, bytes, lin);
    }
    smmu.reset();
    smmu.autoConsume(true);
    smmu.trace(false);
    smmu.takeInterrupts();
  }

  /** Maps the lonely pages again. */
  rouse(): void {
    const { map } = this.subject;
    const lonely = this.allowed.slice(-this.extra.length);
    this.extra.forEach((pa, i) => {
      map.mapRam(pa, PAGE, lonely[i].from);
    });
  }
}

/** A storm over a random machine, in parts between which the map changes. */
function blow(arena: Arena, draw: Draw, mode: Compat, length: number): void {
  const c = randomCase(draw.u32(), mode === "qemu" ? { target: "qemu" } : { mixedEndian: true });
  const field = { ...arena.field, case: c };
  arena.subject.load(c);
  for (let part = 0; part < PARTS; part++) {
    arena.watch(() => storm(draw, field, length / PARTS));
    for (let n = draw.below(4); n > 0; n--) changeMap(draw, field);
  }
}

test.each(MODES)(
  "%s, %s: storms, canaries, and a new engine after each reset",
  { timeout: 600_000 },
  async (mode, cache) => {
    let arena = await Arena.create(mode, cache);
    const options = mode === "qemu" ? ({ target: "qemu" } as const) : { mixedEndian: true };
    const totals = { guestReads: 0, guestWrites: 0, commands: 0, configDecodes: 0 };
    for (let seed = FIRST; seed < FIRST + STORMS; seed++) {
      // Maps grow with every change: a new one now and then.
      if ((seed - FIRST) % RENEWAL === RENEWAL - 1) arena = await Arena.create(mode, cache);
      const started = performance.now();
      const draw = new Draw(new Prng(seed));
      arena.rouse();
      blow(arena, draw, mode, ACTIONS);
      expect(performance.now() - started).toBeLessThan(MILLISECONDS_MAX);
      const { counters } = arena.subject.smmu;
      for (const name of Object.keys(totals) as (keyof typeof totals)[]) {
        totals[name] += counters[name];
      }
      arena.calm();
      const after = randomCase(seed, options);
      // Caches other than QEMU's are invisible while tables do not change.
      const rounds = mode === "qemu" && cache !== "none" ? 1 : 2;
      const subjects = { [`${mode}, ${cache}`]: arena.subject };
      const first = { ...after, requests: after.requests.slice(0, 1) };
      const found = firstDifference(first, subjects, predictor(after, mode), rounds);
      if (found) expect.fail(describeDifference(seed, after, found));
    }
    // The storms get somewhere.
    expect(totals.guestReads / STORMS).toBeGreaterThan(300);
    expect(totals.guestWrites / STORMS).toBeGreaterThan(20);
    expect(totals.commands / STORMS).toBeGreaterThan(10);
    expect(totals.configDecodes / STORMS).toBeGreaterThan(20);
  },
);

test("a stray store would be noticed", async () => {
  const arena = await Arena.create("arch", "fast");
  const { memory } = arena.subject.smmu;
  const at = memory.alloc(1);
  expect(() => arena.watch(() => memory.bytes(at, 1).fill(1))).toThrow(/something was written/);
  expect(() => arena.watch(() => {})).not.toThrow();
});

test("storms that shrink", async () => {
  const arena = await Arena.create("arch", "fast");
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 0xffff_ffff }), { maxLength: 600, size: "max" }), (list) => {
      arena.calm();
      arena.rouse();
      blow(arena, new Draw(new Choices(list)), "arch", 60);
    }),
    { numRuns: 60, seed: 1 },
  );
});
