// Address invalidations of every size: pages, blocks, ranges, hints, pieces of blocks, tags in the
// address (IHI0070 4.4.1).
import { describe, expect, test } from "vitest";
import type { GranuleShift } from "../../src/tables/page-table.ts";
import { Rig } from "./rig.ts";
import { invalidate, look, nested, OLD, PAGE, stage1, stage2, tlbi } from "./streams.ts";

const ASID = 5;
const VA = 0x4000_0000n;
const TG = { 12: 1, 14: 2, 16: 3 } as const;
const GRANULES: GranuleShift[] = [12, 14, 16];

/** Pages of one table, all cached and then all moved. */
async function warmPages(granule: GranuleShift, count: number, kind: "stage 1" | "stage 2") {
  const rig = await Rig.ready({ cache: "fast" });
  const shape = { sid: 1, granule, inputBits: 39 };
  const space =
    kind === "stage 1" ? stage1(rig, { ...shape, asid: ASID }) : stage2(rig, { ...shape, vmid: 3 });
  const size = 1n << BigInt(granule);
  const pages = Array.from({ length: count }, (_, i) => VA + BigInt(i) * size);
  // Page by page, so that no block comes of it.
  for (const at of pages) space.map(at, size);
  for (const at of pages) look(rig, 1, at);
  for (const at of pages) space.move(at, size);
  return { rig, pages, size };
}

describe.each(GRANULES)("granule 2^%i", (granule) => {
  const tg = TG[granule];
  const ranges = [
    { num: 0, scale: 0, ttl: 3 },
    { num: 1, scale: 0, ttl: 0 },
    { num: 7, scale: 0, ttl: 3 },
    { num: 31, scale: 0, ttl: 0 },
    { num: 0, scale: 3, ttl: 3 },
    { num: 2, scale: 2, ttl: 0 },
    { num: 1, scale: 5, ttl: 3 },
    { num: 31, scale: 31, ttl: 0 },
  ];

  test.each(ranges)("stage 1 range $num, $scale, $ttl", async ({ num, scale, ttl }) => {
    const { rig, pages, size } = await warmPages(granule, 48, "stage 1");
    const from = pages[4];
    const length = (BigInt(num + 1) << BigInt(scale)) * size;
    invalidate(rig, tlbi("NH_VA", { asid: ASID, at: from, tg, num, scale, ttl, leaf: 1 }));
    for (const at of pages) {
      const inside = at >= from && at < from + length;
      if (inside) expect(look(rig, 1, at), at.toString(16)).toBe("new");
    }
  });

  test.each(ranges)("stage 2 range $num, $scale, $ttl", async ({ num, scale, ttl }) => {
    const { rig, pages, size } = await warmPages(granule, 48, "stage 2");
    const from = pages[4];
    const length = (BigInt(num + 1) << BigInt(scale)) * size;
    invalidate(rig, tlbi("S2_IPA", { vmid: 3, at: from, tg, num, scale, ttl, leaf: 1 }));
    for (const at of pages) {
      const inside = at >= from && at < from + length;
      if (inside) expect(look(rig, 1, at), at.toString(16)).toBe("new");
    }
  });

  test.each(["stage 1", "stage 2"] as const)(
    "a short %s range leaves its neighbours",
    async (kind) => {
      const { rig, pages } = await warmPages(granule, 24, kind);
      const o = { asid: ASID, vmid: kind === "stage 2" ? 3 : 0, at: pages[8], tg, num: 7, ttl: 3 };
      invalidate(rig, tlbi(kind === "stage 1" ? "NH_VA" : "S2_IPA", o));
      const got = pages.map((at) => look(rig, 1, at));
      const outside = [...got.slice(0, 8), ...got.slice(16)];
      expect(got.slice(8, 16)).toEqual(Array(8).fill("new"));
      expect(outside).toEqual(Array(16).fill("old"));
    },
  );

  test.each(["stage 1", "stage 2"] as const)("without TG one page goes, %s", async (kind) => {
    const { rig, pages, size } = await warmPages(granule, 3, kind);
    // Low address bits do not count beyond the entry's size.
    const at = pages[1] + (size - PAGE);
    const o = { asid: ASID, vmid: kind === "stage 2" ? 3 : 0, at };
    invalidate(rig, tlbi(kind === "stage 1" ? "NH_VA" : "S2_IPA", o));
    expect(pages.map((page) => look(rig, 1, page))).toEqual(["old", "new", "old"]);
  });

  test("any address of a block, and any range that touches it, drops the block", async () => {
    const blockBits = granule + (granule - 3);
    const block = 1n << BigInt(blockBits);
    const size = 1n << BigInt(granule);
    for (const [offset, range] of [
      [0n, {}],
      [block - PAGE, {}],
      [block / 2n, { tg, num: 0, scale: 0, ttl: 2 }],
      [block - size, { tg, num: 3, scale: 0, ttl: 0 }],
    ] as const) {
      const rig = await Rig.ready({ cache: "fast" });
      const space = stage1(rig, { sid: 1, asid: ASID, granule, inputBits: 47 });
      const base = 4n * block;
      space.map(base, block);
      expect(rig.smmu.translate({ sid: 1, iova: base }).size).toBe(block);
      space.move(base, block);
      expect(look(rig, 1, base + block - 8n)).toBe("old");
      invalidate(rig, tlbi("NH_VA", { asid: ASID, at: base + offset, ...range }));
      for (const at of [base, base + block - 8n]) expect(look(rig, 1, at)).toBe("new");
    }
  });
});

describe("pieces of a block", () => {
  // A stage 1 block through stage 2 pages is cached in pieces: one TLBI of the block drops all.
  test.each([
    ["NH_VA", { tg: 1, ttl: 2 }],
    ["NH_VA", {}],
    ["NH_VAA", { tg: 1, ttl: 2 }],
  ] as const)("%s %o drops all pieces of a nested block", async (opcode, range) => {
    const rig = await Rig.ready({ cache: "fast" });
    const [first, second] = nested(rig, { sid: 1, vmid: 3, asid: ASID });
    const block = 1n << 21n;
    first.map(VA, block);
    const ipas = [OLD, OLD * 2n].map((base) => base + VA);
    const offsets = [0n, 0x3000n, 0x1f_f000n];
    for (const ipa of ipas) for (const offset of offsets) second.map(ipa + offset, PAGE, ipa - VA);
    for (const offset of offsets) {
      expect(rig.smmu.translate({ sid: 1, iova: VA + offset }).size).toBe(PAGE);
    }
    first.move(VA, block);
    expect(offsets.map((offset) => look(rig, 1, VA + offset))).toEqual(["old", "old", "old"]);
    invalidate(rig, tlbi(opcode, { vmid: 3, asid: ASID, at: VA, ...range }));
    expect(offsets.map((offset) => look(rig, 1, VA + offset))).toEqual(["new", "new", "new"]);
  });

  test("a block that is replaced by a table is dropped by one address of it", async () => {
    const rig = await Rig.ready({ cache: "fast" });
    const space = stage1(rig, { sid: 1, asid: ASID });
    space.map(VA, 1n << 21n);
    look(rig, 1, VA);
    space.table.map(VA, OLD * 2n + VA, PAGE, { "AP[1]": 1, nG: 1 });
    invalidate(rig, tlbi("NH_VA", { asid: ASID, at: VA + 0x10_0000n }));
    expect(look(rig, 1, VA)).toBe("new");
    expect(look(rig, 1, VA + PAGE)).toBe("F_TRANSLATION");
  });
});

describe("addresses", () => {
  test("the upper half, with its upper bits set", async () => {
    const rig = await Rig.ready({ cache: "fast" });
    const space = stage1(rig, { sid: 1, asid: ASID, upper: true });
    const va = 0xffff_ff80_0000_0000n + 0x1234_5000n;
    space.map(va);
    expect(look(rig, 1, va)).toBe("old");
    space.move(va);
    expect(look(rig, 1, va)).toBe("old");
    invalidate(rig, tlbi("NH_VA", { asid: ASID, at: va }));
    expect(look(rig, 1, va)).toBe("new");
  });

  test("with TBI one command without a tag drops what any tag cached", async () => {
    const rig = await Rig.ready({ cache: "fast" });
    const space = stage1(rig, { sid: 1, asid: ASID, tbi: 1 });
    space.map(VA);
    const tagged = VA | (0xa5n << 56n);
    expect(look(rig, 1, tagged)).toBe("old");
    space.move(VA);
    for (const va of [VA, tagged, VA | (0x7fn << 56n)]) expect(look(rig, 1, va)).toBe("old");
    invalidate(rig, tlbi("NH_VA", { asid: ASID, at: VA }));
    for (const va of [VA, tagged]) expect(look(rig, 1, va)).toBe("new");
  });

  test("ranges at the top of the address space end there", async () => {
    const rig = await Rig.ready({ cache: "fast" });
    const space = stage1(rig, { sid: 1, asid: ASID, upper: true });
    const top = 0xffff_ffff_ffff_f000n;
    space.map(top);
    look(rig, 1, top);
    space.move(top);
    for (const scale of [0, 5, 31]) {
      invalidate(rig, tlbi("NH_VA", { asid: ASID, at: top, tg: 1, num: 31, scale }));
      expect(look(rig, 1, top)).toBe("new");
    }
  });

  test("without RIL the range fields do not count", async () => {
    const { QEMU_ID } = await import("../../src/engine/identity.ts");
    const rig = await Rig.ready({ cache: "fast", id: { ...QEMU_ID, idr3: QEMU_ID.idr3 & ~0x400 } });
    const space = stage1(rig, { sid: 1, asid: ASID });
    const pages = [VA, VA + PAGE];
    for (const at of pages) space.map(at);
    for (const at of pages) look(rig, 1, at);
    for (const at of pages) space.move(at);
    invalidate(rig, tlbi("NH_VA", { asid: ASID, at: VA, tg: 1, num: 7, scale: 3 }));
    expect(pages.map((at) => look(rig, 1, at))).toEqual(["new", "old"]);
  });
});
