// Start levels, concatenation and leaf sizes of the oracle against the architecture's own tables.

import { expect, test } from "vitest";
import { EVENT } from "./bits.ts";
import { AT, World } from "./world.ts";

const TG0 = { 12: 0, 14: 2, 16: 1 } as const;
type Granule = keyof typeof TG0;
const GRANULES: readonly Granule[] = [12, 14, 16];

/** DDI0487 tables D8-20 to D8-42, 48-bit rows: granule, SL0, level, smallest and largest T0SZ. */
const STAGE2_ROWS: readonly [Granule, number, number, number, number, "STT"?][] = [
  [12, 0, 2, 30, 39],
  [12, 0, 2, 40, 42, "STT"],
  [12, 1, 1, 21, 33],
  [12, 2, 0, 16, 24],
  [12, 3, 3, 39, 48, "STT"],
  [14, 0, 3, 35, 39],
  [14, 0, 3, 40, 48, "STT"],
  [14, 1, 2, 24, 38],
  [14, 2, 1, 16, 27],
  [16, 0, 3, 31, 39],
  [16, 0, 3, 40, 47, "STT"],
  [16, 1, 2, 18, 34],
  [16, 2, 1, 16, 21],
];

/** Start level of stage 1: granule, smallest and largest TxSZ, level. */
const STAGE1_ROWS: readonly [Granule, number, number, number, "STT"?][] = [
  [12, 16, 24, 0],
  [12, 25, 33, 1],
  [12, 34, 39, 2],
  [12, 40, 42, 2, "STT"],
  [12, 43, 48, 3, "STT"],
  [14, 16, 16, 0],
  [14, 17, 27, 1],
  [14, 28, 38, 2],
  [14, 39, 39, 3],
  [14, 40, 48, 3, "STT"],
  [16, 16, 21, 1],
  [16, 22, 34, 2],
  [16, 35, 39, 3],
  [16, 40, 47, 3, "STT"],
];

const OAS48 = 0x75;
const STT = 1 << 9;

test.each([false, true])("stage 2 start levels, small tables %s", (stt) => {
  for (const granule of GRANULES) {
    for (let sl0 = 0; sl0 < 4; sl0++) {
      for (let tsz = 0; tsz < 64; tsz++) {
        const row = STAGE2_ROWS.find(([g, sl, , lo, hi, needs]) => {
          return g === granule && sl === sl0 && tsz >= lo && tsz <= hi && (stt || !needs);
        });
        const world = new World();
        world.regs.idr5 = OAS48;
        if (stt) world.regs.idr3 |= STT;
        world.ste({ Config: 6, S2TG: TG0[granule], S2SL0: sl0, S2T0SZ: tsz, S2PS: 5 });
        const answer = world.run();
        const name = `granule ${granule} SL0 ${sl0} T0SZ ${tsz}`;
        if (row === undefined) {
          expect(answer.record?.[0], name).toBe(EVENT.C_BAD_STE);
        } else {
          expect(answer.record?.[0], name).toBe(EVENT.F_TRANSLATION);
          expect(answer.reads[1].level, name).toBe(row[2]);
        }
      }
    }
  }
});

test.each([false, true])("stage 1 start levels, small tables %s", (stt) => {
  for (const granule of GRANULES) {
    for (let tsz = 0; tsz < 64; tsz++) {
      const row = STAGE1_ROWS.find(([g, lo, hi, , needs]) => {
        return g === granule && tsz >= lo && tsz <= hi && (stt || !needs);
      });
      const world = new World();
      if (stt) world.regs.idr3 |= STT;
      world.ste({ Config: 5 }).cd({ T0SZ: tsz, TG0: TG0[granule] });
      const answer = world.run();
      const name = `granule ${granule} TxSZ ${tsz}`;
      if (row === undefined) {
        expect(answer.record?.[0], name).toBe(EVENT.C_BAD_CD);
      } else {
        expect(answer.record?.[0], name).toBe(EVENT.F_TRANSLATION);
        expect(answer.reads[2].level, name).toBe(row[3]);
      }
    }
  }
});

test("S2T0SZ reaches no further than the IAS", () => {
  const world = new World();
  world.regs.idr5 = 0x72; // 40 bits
  const at = (tsz: number) => {
    return world.ste({ Config: 6, S2T0SZ: tsz, S2SL0: 1, S2PS: 5 }).run().record?.[0];
  };
  expect(at(23)).toBe(EVENT.C_BAD_STE);
  expect(at(24)).toBe(EVENT.F_TRANSLATION);
});

/** Leaf sizes: granule, level, log2 of bytes; every other level holds no leaf. */
const LEAVES: readonly [Granule, number, number][] = [
  [12, 1, 30],
  [12, 2, 21],
  [12, 3, 12],
  [14, 2, 25],
  [14, 3, 14],
  [16, 2, 29],
  [16, 3, 16],
];

test("blocks and pages exist at the levels of each granule alone", () => {
  for (const granule of GRANULES) {
    const start = granule === 16 ? 1 : 0;
    for (let level = start; level <= 3; level++) {
      const size = LEAVES.find(([g, l]) => g === granule && l === level)?.[2];
      const world = new World().ste({ Config: 5 }).cd({ TG0: TG0[granule] });
      // Entry 0 of each table leads to the next table; the leaf answers address 0 upwards.
      const table = (l: number) => (l === start ? AT.s1Root : AT.s1Root + BigInt(l) * 0x10000n);
      for (let l = start; l < level; l++) world.store(table(l), table(l + 1) | 3n);
      world.store(table(level), level === 3 ? 0x443n : 0x441n);
      const answer = world.run({ iova: 0x123n });
      if (size === undefined) expect(answer.record?.[0]).toBe(EVENT.F_TRANSLATION);
      else expect([answer.status, answer.pageBits, answer.pa]).toEqual(["ok", size, 0x123n]);
    }
  }
});

test("concatenated tables are one array", () => {
  // 4 KiB granule, 42 bits from level 1: 8 tables, the last begins at 7 * 4 KiB.
  const world = new World();
  world.ste({ Config: 6, S2T0SZ: 22, S2SL0: 1, S2PS: 5 });
  const ipa = (7n << 39n) | (3n << 30n);
  world.store(AT.s2Root + 7n * 4096n + 3n * 8n, 0x4000_0000n | 0x7fdn);
  expect(world.run({ iova: ipa + 0x1234n })).toMatchObject({ status: "ok", pa: 0x4000_1234n });
});

test("the level-0 walk of a 4-level table ends in the right page", () => {
  const world = new World().ste({ Config: 5 }).cd({});
  const t = (n: bigint) => AT.s1Root + n * 0x1000n;
  const va = (1n << 39n) | (2n << 30n) | (3n << 21n) | (4n << 12n) | 0x567n;
  world.store(t(0n) + 8n, t(1n) | 3n).store(t(1n) + 16n, t(2n) | 3n);
  world.store(t(2n) + 24n, t(3n) | 3n).store(t(3n) + 32n, 0x1_2345_6000n | 0x743n);
  const answer = world.run({ iova: va });
  expect(answer).toMatchObject({ status: "ok", pa: 0x1_2345_6567n, pageBits: 12, stage: 1 });
  expect(answer.reads.map((r) => r.level)).toEqual([0, 0, 0, 1, 2, 3]);
});
