// The direct doorbell: every MSI write gets the announced address, and no memory is looked at.
import { expect, test } from "vitest";
import { HOLE, Rig } from "./rig.ts";

const DOORBELL = 0x12_3408_0040n;

test("answers writes with the announced address, whatever they name", async () => {
  const rig = await Rig.ready();
  const ring = rig.smmu.ring(4);
  ring.set(0, { sid: 1, iova: 0x1000n, write: true });
  ring.set(1, { sid: 1, iova: 0x1000n });
  ring.set(2, { sid: 0xffff_ffff, iova: HOLE, write: true });
  ring.set(3, { sid: 2, ssid: 5, iova: ~0n & 0xffff_ffff_ffff_ffffn, write: true });
  rig.smmu.resetCounters();
  const { engine } = rig.smmu;
  for (const gpa of [DOORBELL, 0x808_0040n]) {
    engine.setDoorbell(gpa);
    engine.answerDoorbells(ring.requestsLin, ring.answersLin, 4);
    for (const index of [0, 2, 3]) {
      expect(ring.get(index)).toMatchObject({ status: "ok", pa: gpa, pageBits: 12, perm: 2 });
    }
    expect(ring.get(1)).toMatchObject({ status: "abort", pa: 0n });
  }
  expect(rig.smmu.counters).toMatchObject({ guestReads: 0, guestWrites: 0, lookups: 0 });
  expect(rig.events()).toEqual([]);
});

test("answers no more requests than asked for", async () => {
  const rig = await Rig.ready();
  const ring = rig.smmu.ring(2);
  for (const index of [0, 1]) ring.set(index, { sid: 1, iova: 0n, write: true });
  rig.smmu.engine.setDoorbell(DOORBELL);
  rig.smmu.engine.answerDoorbells(ring.requestsLin, ring.answersLin, 1);
  expect([0, 1].map((index) => ring.get(index).pa)).toEqual([DOORBELL, 0n]);
});
