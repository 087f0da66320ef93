// Rings of requests: order of records, queue overflow inside a run, stale entries, limits.
import { describe, expect, test } from "vitest";
import { EVENT } from "../../src/spec/event.ts";
import { command } from "../../src/tables/command.ts";
import { fieldOf, R, Rig } from "./rig.ts";
import { invalidate, nested, OLD, PAGE, stage1, stage2, tlbi } from "./streams.ts";

const VA = 0x4000_0000n;
const COUNT = 64;

/** Requests that fault for every third entry: StreamIDs tell which record is whose. */
async function mixed(eventqLog2: number) {
  const rig = await Rig.ready({ cache: "fast", eventqLog2 });
  const space = stage1(rig, { sid: 1, asid: 5 });
  space.map(VA, BigInt(COUNT) * PAGE);
  const ring = rig.smmu.ring(COUNT);
  const faults: number[] = [];
  for (let i = 0; i < COUNT; i++) {
    const bad = i % 3 === 2;
    if (bad) faults.push(i);
    ring.set(i, { sid: bad ? 100 + i : 1, iova: VA + BigInt(i) * PAGE });
  }
  return { rig, ring, faults };
}

describe("records", () => {
  test("stand in the order of the requests, and answers say where", async () => {
    const { rig, ring, faults } = await mixed(7);
    ring.run(COUNT);
    for (const i of faults) {
      const { status, eventType, eventIndex } = ring.get(i);
      expect([status, eventType]).toEqual(["event", 4]);
      const record = rig.map.readBytes(rig.eventqAt + BigInt(eventIndex * 32), 32)!;
      expect(fieldOf(EVENT, record, "StreamID")).toBe(BigInt(100 + i));
    }
    const order = rig.events().map((record) => Number(fieldOf(EVENT, record, "StreamID")));
    expect(order).toEqual(faults.map((i) => 100 + i));
    for (let i = 0; i < COUNT; i++) {
      if (!faults.includes(i)) expect(ring.get(i).pa).toBe(OLD + VA + BigInt(i) * PAGE);
    }
  });

  test("that do not fit overflow the queue once; the first ones are kept", async () => {
    const { rig, ring, faults } = await mixed(2);
    ring.run(COUNT);
    expect(rig.read(R.EVENTQ_PROD)).toBe(0x8000_0004);
    const kept = rig.events().map((record) => Number(fieldOf(EVENT, record, "StreamID")));
    expect(kept).toEqual(faults.slice(0, 4).map((i) => 100 + i));
    expect(faults.every((i) => ring.get(i).status === "event")).toBe(true);
  });

  test("raise one interrupt for the run that fills an empty queue", async () => {
    const { rig, ring } = await mixed(7);
    rig.write(R.IRQ_CTRL, 4);
    ring.run(COUNT);
    expect(rig.smmu.takeInterrupts().eventq).toBe(true);
    ring.run(COUNT);
    expect(rig.smmu.takeInterrupts().eventq).toBe(false);
  });
});

describe("stale entries", () => {
  const pages = Array.from({ length: COUNT }, (_, i) => VA + BigInt(i) * PAGE);

  test.each([
    ["stage 1", 1, tlbi("NH_ASID", { asid: 5, vmid: 0 })],
    ["stage 2", 2, tlbi("S12_VMALL", { vmid: 7 })],
    ["nested", 3, tlbi("NH_ALL", { vmid: 3 })],
  ] as const)("%s: old while cached, new after the invalidation", async (_, sid, drop) => {
    const rig = await Rig.ready({ cache: "fast" });
    const spaces = {
      1: stage1(rig, { sid: 1, asid: 5 }),
      2: stage2(rig, { sid: 2, vmid: 7 }),
      3: nested(rig, { sid: 3, vmid: 3, asid: 5 }),
    };
    const [first, second] = spaces[3];
    for (const base of [OLD, OLD * 2n]) second.map(base, 4n << 30n, base);
    const space = sid === 3 ? first : spaces[sid];
    const ring = rig.smmu.ring(COUNT);
    const outputs = () => {
      pages.forEach((iova, i) => {
        ring.set(i, { sid, iova });
      });
      ring.run(COUNT);
      return pages.map((iova, i) => {
        const { status, pa } = ring.get(i);
        return status === "ok" ? pa - iova : status;
      });
    };
    for (const at of pages) space.map(at);
    expect(new Set(outputs())).toEqual(new Set([OLD]));
    for (const at of pages) space.move(at);
    expect(new Set(outputs())).toEqual(new Set([OLD]));
    invalidate(rig, drop);
    expect(new Set(outputs())).toEqual(new Set([OLD * 2n]));
    // A configuration that is gone is gone for rings too.
    rig.ste(sid, { Config: 0 });
    expect(new Set(outputs())).toEqual(new Set([OLD * 2n]));
    invalidate(rig, command("CMD_CFGI_STE", { StreamID: sid }));
    expect(new Set(outputs())).toEqual(new Set(["abort"]));
  });

  test("single translations and rings share one cache", async () => {
    const rig = await Rig.ready({ cache: "fast" });
    const space = stage1(rig, { sid: 1, asid: 5 });
    const ring = rig.smmu.ring(1);
    space.map(VA);
    rig.smmu.translate({ sid: 1, iova: VA });
    rig.smmu.resetCounters();
    ring.set(0, { sid: 1, iova: VA + 4n });
    ring.run(1);
    expect(ring.get(0).pa).toBe(OLD + VA + 4n);
    expect(rig.smmu.counters).toMatchObject({ guestReads: 0, lookups: 1, hits: 1 });
  });
});

test("runs have limits", async () => {
  const rig = await Rig.ready();
  const ring = rig.smmu.ring(4);
  for (const count of [-1, 5]) expect(() => ring.run(count)).toThrow(RangeError);
  ring.run(0);
  expect(rig.smmu.counters.guestReads).toBe(0);
});
