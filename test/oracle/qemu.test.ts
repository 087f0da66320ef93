// QEMU's differences that the recorded runs do not touch: stream tables, bypass, cached hits.

import { expect, test } from "vitest";
import { EVENT } from "./bits.ts";
import { QemuSmmu } from "./qemu-cache.ts";
import { AT, decodeRecord, SID, World } from "./world.ts";

function twoLevel(span: number, split = 8): World {
  const world = new World();
  world.regs.strtabBaseCfg = (1 << 16) | (split << 6) | 10;
  return world.store(AT.strtab, 0x4030_0000n | BigInt(span));
}

test("Span covers twice as many streams, and an index beyond it is a bad STE", () => {
  const world = twoLevel(3);
  const at = (sid: number) => {
    const answer = world.run({ sid }, "qemu");
    return answer.reads.find((r) => r.what === "ste")?.address ?? answer.record?.[0];
  };
  expect([at(0), at(7), at(8)]).toEqual([0x4030_0000n, 0x4030_01c0n, EVENT.C_BAD_STE]);
  expect(twoLevel(0).run({ sid: 0 }, "qemu").record?.[0]).toBe(EVENT.C_BAD_STREAMID);
  expect(twoLevel(9).run({ sid: 255 }, "qemu").reads[1].address).toBe(0x4030_3fc0n);
  expect(twoLevel(10).run({ sid: 255 }, "qemu").record?.[0]).toBe(EVENT.C_BAD_STREAMID);
});

test("a reserved SPLIT is 6, and stays when FMT goes back", () => {
  const world = twoLevel(7, 7).store(AT.strtab + 16n, 0x4031_0007n);
  expect(world.run({ sid: 129 }, "qemu").reads[1].address).toBe(0x4031_0040n);
  world.regs.strtabBaseCfg = 10;
  world.regs.latchedSplit = 7;
  expect(world.run({ sid: 129 }, "qemu").reads[1].address).toBe(0x4031_0040n);
});

test("a bad StreamID is recorded whatever RECINVSID says", () => {
  const world = new World();
  world.regs.cr2 = 0;
  expect(world.run({ sid: 256 }, "qemu")).toMatchObject({ status: "event", recorded: true });
});

test("bypass checks no address; stage 2 alone loses its size fault", () => {
  const world = new World().ste({ Config: 4 });
  expect(world.run({ iova: 1n << 50n }, "qemu")).toMatchObject({ status: "bypass", pa: 1n << 50n });
  world.ste({ Config: 6, S2T0SZ: 25, S2SL0: 1, S2PS: 5 });
  const far = world.run({ iova: 1n << 44n }, "qemu");
  expect(far.status).toBe("silent");
  expect(decodeRecord(far.record)).toMatchObject({ event: 0x11, s2: 0, class: 2 });
});

test("a hit checks only writes, stays until invalidated, and a full IOTLB empties", () => {
  const world = new World().ste({ Config: 5, S2VMID: 9 }).cd({ T0SZ: 25, ASID: 4 });
  world.store(AT.s1Root, (AT.s1Root + 0x1000n) | 3n);
  world.store(AT.s1Root + 0x1000n, (AT.s1Root + 0x2000n) | 3n);
  for (let i = 0n; i < 300n; i++)
    world.store(AT.s1Root + 0x2000n + i * 8n, 0x4200_07c3n + (i << 12n));
  const smmu = new QemuSmmu({ read64: (pa) => world.memory.get(pa) ?? 0n }, world.regs);
  const run = (page: number, write = false) => {
    return smmu.translate({ sid: SID, iova: BigInt(page) << 12n, write });
  };
  expect(run(0).reads).toHaveLength(5);
  world.store(AT.s1Root + 0x2000n, 0n);
  expect(run(0)).toMatchObject({ status: "ok", pa: 0x4200_0000n, reads: [] });
  expect(decodeRecord(run(0, true).record)).toMatchObject({ event: 0x13, class: 2, s2: 0 });
  for (let page = 1; page < 256; page++) run(page);
  expect(run(0).status).toBe("ok");
  run(256);
  expect(run(0).record?.[0]).toBe(EVENT.F_TRANSLATION);
  expect(run(256).reads).toEqual([]);
  const scope = { asid: 4, vmid: 9, stage2Only: false };
  smmu.iotlb.invalidateRange(scope, 256n << 12n, 1, 1n, 3);
  expect(run(256).reads).toHaveLength(3);
  smmu.invalidateAsid(9, 5);
  expect(run(256).reads).toHaveLength(0);
  smmu.invalidateAsid(9, 4);
  expect(run(256).reads).toHaveLength(3);
  smmu.invalidateConfig(SID);
  expect(run(256).reads).toHaveLength(2);
});
