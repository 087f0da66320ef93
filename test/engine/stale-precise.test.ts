// How little an invalidation drops: what it does not name is answered without a read of memory
// (IHI0070 4.4).
import { describe, expect, test } from "vitest";
import { command } from "../../src/tables/command.ts";
import { R, Rig } from "./rig.ts";
import { invalidate, look, nested, OLD, PAGE, stage1, stage2, tlbi } from "./streams.ts";

const VA = 0x4000_0000n;
const ASID = 5;
const MiB2 = 1n << 21n;

/** Which of some addresses are still answered by the cache: those that read no guest memory. */
function kept(rig: Rig, sid: number, pages: readonly bigint[]): boolean[] {
  return pages.map((iova) => {
    rig.smmu.resetCounters();
    expect(rig.smmu.translate({ sid, iova }).status).toBe("ok");
    return rig.smmu.counters.guestReads === 0;
  });
}

/** Translates everything, so that it is cached; the second time nothing is read. */
function warm(rig: Rig, sid: number, pages: readonly bigint[]): void {
  kept(rig, sid, pages);
  expect(kept(rig, sid, pages)).toEqual(pages.map(() => true));
}

/** Pages at the edges of [first, first + bytes): two outside, two inside, two far away. */
const edges = (first: bigint, bytes: bigint): bigint[] => [
  first - PAGE,
  first,
  first + bytes - PAGE,
  first + bytes,
  VA,
  VA + (1n << 35n),
];
const EDGES_KEPT = [true, false, false, true, true, true];

/** Ranges from a page to 2^20 pages and more, as NUM, SCALE, and how misaligned they start. */
const RANGES = [
  [0, 0, 1n],
  [15, 0, 3n],
  [0, 9, 512n],
  [30, 5, 7n],
  [0, 10, 1024n],
  [2, 10, 5n],
  [31, 14, 0x1_2345n],
] as const;

describe.each(RANGES)("ranges of %i + 1 times 2^%i pages, %i pages off", (num, scale, off) => {
  const first = VA + 0x1000_0000n + off * PAGE;
  const bytes = (BigInt(num + 1) << BigInt(scale)) * PAGE;
  // Without NUM and SCALE a range has to have a TTL.
  const range = { at: first, tg: 1, num, scale, ttl: num + scale ? 0 : 3 };
  const pages = edges(first, bytes).filter((at, n, all) => all.indexOf(at) === n);
  const expected = bytes === PAGE ? [true, false, true, true, true] : EDGES_KEPT;

  test("NH_VA drops what it names and nothing else", async () => {
    const rig = await Rig.ready({ cache: "fast" });
    const spaces = [ASID, ASID + 1].map((asid, n) => stage1(rig, { sid: 1 + n, asid }));
    for (const space of spaces) for (const at of pages) space.map(at);
    for (const sid of [1, 2]) warm(rig, sid, pages);
    invalidate(rig, tlbi("NH_VA", { asid: ASID, ...range }));
    expect(kept(rig, 1, pages)).toEqual(expected);
    expect(kept(rig, 2, pages)).toEqual(pages.map(() => true));
  });

  test("S2_IPA drops what it names and nothing else", async () => {
    const rig = await Rig.ready({ cache: "fast" });
    const spaces = [3, 4].map((vmid, n) => stage2(rig, { sid: 1 + n, vmid }));
    for (const space of spaces) for (const at of pages) space.map(at);
    for (const sid of [1, 2]) warm(rig, sid, pages);
    invalidate(rig, tlbi("S2_IPA", { vmid: 3, ...range }));
    expect(kept(rig, 1, pages)).toEqual(expected);
    expect(kept(rig, 2, pages)).toEqual(pages.map(() => true));
  });
});

describe("long ranges", () => {
  test("drop a block that begins before them, and the entries of full lines", async () => {
    const rig = await Rig.ready({ cache: "fast" });
    const space = stage1(rig, { sid: 1, asid: ASID });
    const pages = Array.from({ length: 8192 }, (_, n) => VA + 4n * MiB2 + BigInt(n) * PAGE);
    for (const at of pages) space.map(at);
    space.map(VA, MiB2);
    for (const at of [VA, ...pages]) look(rig, 1, at);
    invalidate(
      rig,
      // From the last page of the block to the middle of the pages.
      tlbi("NH_VA", { asid: ASID, at: VA + MiB2 - PAGE, tg: 1, num: 18, scale: 8 }),
    );
    const end = VA + MiB2 - PAGE + 19n * 256n * PAGE;
    expect(kept(rig, 1, [VA])).toEqual([false]);
    const got = kept(rig, 1, pages);
    pages.forEach((at, n) => {
      if (at < end) expect(got[n], at.toString(16)).toBe(false);
    });
    // The cache has room for most of the others.
    expect(got.filter((hit) => hit).length).toBeGreaterThan(3000);
  });

  test("at the top of the address space", async () => {
    const rig = await Rig.ready({ cache: "fast" });
    const space = stage1(rig, { sid: 1, asid: ASID, upper: true });
    const top = 0xffff_ffff_ffff_f000n;
    const pages = [top - 0x4000_0000n, top - 0x80_0000n, top];
    for (const at of pages) space.map(at);
    warm(rig, 1, pages);
    const at = top - 0x80_0000n;
    invalidate(rig, tlbi("NH_VA", { asid: ASID, at, tg: 1, num: 31, scale: 20 }));
    expect(kept(rig, 1, pages)).toEqual([true, false, false]);
  });

  test("more of them than one register write scans for drop whole contexts", async () => {
    const rig = await Rig.ready({ cache: "fast", cmdqLog2: 7 });
    const space = stage1(rig, { sid: 1, asid: ASID });
    const pages = [VA, VA + (1n << 35n)];
    for (const at of pages) space.map(at);
    warm(rig, 1, pages);
    const range = tlbi("NH_VA", { asid: ASID, at: VA, tg: 1, num: 0, scale: 12 });
    invalidate(rig, ...Array.from({ length: 32 }, () => range));
    expect(kept(rig, 1, pages)).toEqual([false, true]);
    invalidate(rig, ...Array.from({ length: 33 }, () => range));
    expect(kept(rig, 1, pages)).toEqual([false, false]);
  });
});

describe("blocks in pieces", () => {
  test("an address drops the pieces of its block, and no page elsewhere", async () => {
    const rig = await Rig.ready({ cache: "fast" });
    const [first, second] = nested(rig, { sid: 1, vmid: 3, asid: ASID });
    const far = VA + 8n * MiB2;
    first.map(VA, MiB2);
    first.map(far);
    const pages = [VA, VA + 0x3000n, VA + MiB2 - PAGE, far];
    for (const at of pages) second.map(OLD + at, PAGE, OLD);
    warm(rig, 1, pages);
    invalidate(rig, tlbi("NH_VA", { vmid: 3, asid: ASID, at: VA + 0x5000n }));
    expect(kept(rig, 1, pages)).toEqual([false, false, false, true]);
  });
});

describe("any ASID", () => {
  test.each(["NH_VA", "NH_VAA"])("%s with a global page about keeps other pages", async (name) => {
    const rig = await Rig.ready({ cache: "fast" });
    const global = stage1(rig, { sid: 1, asid: 1 }, { nG: 0 });
    const own = stage1(rig, { sid: 2, asid: 2 });
    const pages = [VA, VA + PAGE];
    for (const space of [global, own]) for (const at of pages) space.map(at);
    for (const sid of [1, 2]) warm(rig, sid, pages);
    invalidate(rig, tlbi(name, { asid: 2, at: VA }));
    for (const sid of [1, 2]) expect(kept(rig, sid, pages), `${sid}`).toEqual([false, true]);
  });
});

describe("configurations", () => {
  test("CFGI_ALL empties the cache again after something was put into it", async () => {
    const rig = await Rig.ready({ cache: "fast" });
    const space = stage1(rig, { sid: 1, asid: ASID });
    space.map(VA);
    const all = command("CMD_CFGI_STE_RANGE", { "CFGI.Range": 31 });
    for (let n = 0; n < 3; n++) {
      warm(rig, 1, [VA]);
      invalidate(rig, all, all);
      expect(kept(rig, 1, [VA])).toEqual([false]);
    }
  });
});

describe("holes of a line", () => {
  /** The hash that chooses a line, as the engine has it. */
  const line = (tag: bigint) => BigInt.asUintN(64, tag * 0x9e37_79b9_7f4a_7c15n) >> 52n;

  test("a stream that is not cached finds nothing in them", async () => {
    const rig = await Rig.ready({ cache: "fast" });
    const space = stage1(rig, { sid: 1, asid: ASID });
    rig.ste(2, { Config: 4 });
    const bypass = () => rig.smmu.translate({ sid: 2, iova: 0x123n });
    expect(bypass()).toMatchObject({ status: "bypass", pa: 0x123n });
    // Pages whose tags, whatever their context's id is, share the first line.
    for (let id = 1n; id < 5n; id++) {
      const pages: bigint[] = [];
      for (let at = VA; pages.length < 4; at += PAGE) if (line(at | id) === 0n) pages.push(at);
      for (const at of pages) space.map(at);
      for (const at of pages) look(rig, 1, at);
      for (const at of pages) invalidate(rig, tlbi("NH_VA", { asid: ASID, at }));
      expect(bypass()).toMatchObject({ status: "bypass", pa: 0x123n });
    }
    expect(rig.read(R.GERROR)).toBe(0);
  });
});
