// Counters and answers of single translations: fetches by hand-counted walks, hits, decodes
// (IHI0070 3.3, 3.4).
import { describe, expect, test } from "vitest";
import { sync } from "../../src/tables/command.ts";
import { PageTable } from "../../src/tables/page-table.ts";
import { Rig, type RigOptions } from "./rig.ts";

/** Words of an STE and of a CD. */
const ENTRY_WORDS = 8;
const VA = 0x1234_5000n;
const OUT = 0x1_7654_3000n;

/** A stream of each kind on one SMMU: 5 stage 1, 6 stage 2, 7 nested, 4 bypass. */
async function streams(options: RigOptions = {}): Promise<Rig> {
  const rig = await Rig.ready(options);
  const s1 = new PageTable(rig, { stage: 1, granule: 12, inputBits: 39 });
  s1.map(VA, OUT, 0x1000n, leaf(1));
  const s2 = new PageTable(rig, { stage: 2, granule: 12, inputBits: 39 });
  s2.map(VA, OUT, 0x1000n, leaf(2));
  s2.map(OUT, 0x5555_5000n, 0x1000n, leaf(2));
  // Stage 1's own structures lie at IPA = PA, in pages of one 1 GiB block.
  s2.map(0x4000_0000n, 0x4000_0000n, 1n << 30n, leaf(2));
  const stage2 = { S2T0SZ: 25, S2SL0: 1, S2PS: 5, S2AA64: 1, S2R: 1, S2TTB: s2.root, S2VMID: 3 };
  const S1ContextPtr = rig.cd({ T0SZ: 25, TTB0: s1.root, ASID: 9 });
  rig.ste(4, { Config: 4 });
  rig.ste(5, { Config: 5, S1ContextPtr });
  rig.ste(6, { Config: 6, ...stage2 });
  rig.ste(7, { Config: 7, S1ContextPtr, ...stage2, S2VMID: 4 });
  return rig;
}

function leaf(stage: 1 | 2): Record<string, number> {
  return stage === 1
    ? { "AP[1]": 1, nG: 1, SH: 3 }
    : { "S2AP[0]": 1, "S2AP[1]": 1, MemAttr: 15, SH: 3 };
}

describe("fetches", () => {
  // 39-bit tables start at level 1: three descriptors for a 4 KiB page, one for a 1 GiB block.
  const levels = 3;
  test.each([
    ["bypass", 4, ENTRY_WORDS],
    ["stage 1", 5, 2 * ENTRY_WORDS + levels],
    ["stage 2", 6, ENTRY_WORDS + levels],
    // The CD and each stage 1 descriptor through a 1 GiB block, then the output through a page.
    ["nested", 7, 2 * ENTRY_WORDS + 1 + levels * (1 + 1) + levels],
  ])("of a %s translation without caches", async (_, sid, fetches) => {
    const rig = await streams({ cache: "none" });
    for (let n = 0; n < 2; n++) {
      rig.smmu.resetCounters();
      expect(rig.smmu.translate({ sid, iova: VA })).toMatchObject({ fetches });
      expect(rig.smmu.counters).toMatchObject({ guestReads: fetches, lookups: 0, hits: 0 });
      expect(rig.smmu.counters.configDecodes).toBe(1);
    }
  });

  test("of cached translations are none", async () => {
    const rig = await streams({ cache: "fast" });
    for (const sid of [4, 5, 6, 7]) {
      const first = rig.smmu.translate({ sid, iova: VA });
      const { fetches, ...answer } = rig.smmu.translate({ sid, iova: VA });
      expect(fetches).toBe(0);
      expect(first).toMatchObject(answer);
    }
    expect(rig.smmu.counters).toMatchObject({ lookups: 6, hits: 3, configDecodes: 4 });
  });

  test("of a disabled SMMU are none", async () => {
    const rig = await Rig.bare();
    expect(rig.smmu.translate({ sid: 1, iova: VA }).fetches).toBe(0);
    expect(rig.smmu.counters.guestReads).toBe(0);
  });
});

test("commands, their fetches and event stores are counted", async () => {
  const rig = await Rig.ready();
  rig.run(sync(), sync(), sync());
  expect(rig.smmu.counters).toMatchObject({ commands: 3, guestReads: 6, guestWrites: 0 });
  rig.smmu.translate({ sid: 1, iova: 0n });
  expect(rig.smmu.counters).toMatchObject({ guestWrites: 4 });
  rig.smmu.resetCounters();
  expect(Object.values(rig.smmu.counters)).toEqual([0, 0, 0, 0, 0, 0]);
  rig.run(sync());
  rig.smmu.reset();
  expect(rig.smmu.counters.commands).toBe(0);
});

describe("explain", () => {
  test("lists each fetch of a walk with its address and value", async () => {
    const rig = await streams({ cache: "none" });
    const { steps, fetches, ...answer } = rig.smmu.explain({ sid: 5, iova: VA + 0x10n });
    expect(answer).toMatchObject({ status: "ok", pa: OUT + 0x10n, size: 0x1000n, stage: 1 });
    const ptes = steps.filter(({ what }) => what === "pte");
    expect(ptes.map(({ level }) => level)).toEqual([1, 2, 3]);
    for (const { address, value } of ptes) expect(rig.read64(address)).toBe(value);
    const single = rig.smmu.translate({ sid: 5, iova: VA + 0x10n });
    expect({ ...answer, fetches }).toEqual(single);
  });

  test("marks what nothing backs", async () => {
    const rig = await streams({ cache: "none" });
    rig.ste(8, { Config: 5, S1ContextPtr: 0x9000_0000n });
    const { steps, event } = rig.smmu.explain({ sid: 8, iova: VA });
    expect(event?.name).toBe("F_CD_FETCH");
    expect(steps.at(-1)).toMatchObject({ what: "cd", address: 0x9000_0000n, unbacked: true });
  });

  test("is off again afterwards, and costs no trace", async () => {
    const rig = await streams();
    rig.smmu.explain({ sid: 5, iova: VA });
    rig.smmu.translate({ sid: 6, iova: VA });
    expect(rig.smmu.traceCount()).toBe(0);
  });
});
