// Messages delivered by one call: the same fate as one by one, in both models.
import { describe, expect, it } from "vitest";
import { MessageRing } from "../../src/gic/message-ring.ts";
import { COLLECTIONS, cmd, PENDING, Rig } from "./rig.ts";

/** DeviceID and EventID of messages: mapped, unmapped, out of range, twice. */
const MESSAGES: [device: number, event: number][] = [
  [8, 1],
  [8, 2],
  [8, 3],
  [8, 1],
  [8, 31],
  [8, 32],
  [9, 0],
  [0x10000, 1],
  [0xffffffff, 0xffffffff],
  [8, 4],
  [7, 0x10001],
  [8, 1],
];

async function prepared(model: "qemu" | "kvm"): Promise<Rig> {
  const rig = await Rig.ready({ model });
  rig.run(cmd.mapti(8, 2, 8194, 0), cmd.mapti(8, 3, 8195, 9), cmd.mapti(8, 4, 8300, 1));
  return rig;
}

describe.each(["qemu", "kvm"] as const)("the %s model", (model) => {
  it("gives every message the status and LPI that a single delivery gives it", async () => {
    const [one, batch] = [await prepared(model), await prepared(model)];
    const expected = MESSAGES.map(([device, event]) => {
      const delivery = one.its.deliverCached(device, event) ?? one.its.deliver(device, event);
      return { status: delivery.status, lpi: delivery.lpi };
    });
    const ring = new MessageRing(batch.memory, MESSAGES.length);
    for (const [i, [device, event]] of MESSAGES.entries()) ring.set(i, device, event);
    batch.its.deliverBatch(ring, MESSAGES.length);
    expect(MESSAGES.map((_, i) => ring.get(i))).toEqual(expected);
    expect(new Set(expected.map((e) => e.status)).size).toBeGreaterThan(3);
    expect(expected[0]).toEqual({ status: "OK", lpi: 8193 });
    for (const at of [PENDING[0] + 1024n, PENDING[1] + 1024n]) {
      expect(batch.byte(at)).toBe(one.byte(at));
    }
  });

  it("delivers none, and touches nothing behind the last", async () => {
    const rig = await prepared(model);
    const ring = new MessageRing(rig.memory, 3);
    for (const i of [0, 1, 2]) ring.set(i, 8, 1);
    rig.its.deliverBatch(ring, 0);
    expect(ring.get(0)).toEqual({ status: "OK", lpi: 0 });
    rig.its.deliverBatch(ring, 2);
    expect(ring.get(1)).toEqual({ status: "OK", lpi: 8193 });
    expect(ring.get(2)).toEqual({ status: "OK", lpi: 0 });
  });

  it("refuses more than the ring holds", async () => {
    const rig = await prepared(model);
    const ring = new MessageRing(rig.memory, 2);
    expect(() => rig.its.deliverBatch(ring, 3)).toThrow(RangeError);
    expect(() => rig.its.deliverBatch(ring, -1)).toThrow(RangeError);
  });
});

it("the KVM model answers from its cache what it has delivered before", async () => {
  const rig = await prepared("kvm");
  const ring = new MessageRing(rig.memory, 2);
  for (const i of [0, 1]) ring.set(i, 8, 1);
  rig.its.deliverBatch(ring, 2);
  expect(rig.its.deliverCached(8, 1)).toMatchObject({ cached: true, lpi: 8193 });
  rig.map.writeBytes(COLLECTIONS, new Uint8Array(64).fill(0xff));
  rig.its.deliverBatch(ring, 2);
  expect(ring.get(1)).toEqual({ status: "OK", lpi: 8193 });
});
