// The event queue: records, indexes, overflow, aborts, merging (IHI0070 7.2, 7.3, 7.4).
import { describe, expect, test } from "vitest";
import { EVENT } from "../../src/spec/event.ts";
import { EVENTQ_ABT_ERR, EVENTQEN, fieldOf, HOLE, idWith, R, RAM, Rig, SMMUEN } from "./rig.ts";

const OVFLG = 0x8000_0000;
const C_BAD_STE = 0x04;
const F_TRANSLATION = 0x10;

/** Lets a stream without an STE fault: a C_BAD_STE record that carries the StreamID. */
const fault = (rig: Rig, sid: number): boolean =>
  rig.smmu.translate({ sid, iova: 0x1000n }).event?.recorded ?? false;

const streamOf = (record: Uint8Array): number => Number(fieldOf(EVENT, record, "StreamID"));
const streams = (rig: Rig): number[] => rig.events().map(streamOf);

/** A stage 1 stream whose table is empty: every address is F_TRANSLATION. */
function emptyTable(rig: Rig, sid: number, fields: { MEV?: number } = {}): void {
  const TTB0 = rig.allocate(4096);
  rig.ste(sid, { Config: 5, S1ContextPtr: rig.cd({ T0SZ: 25, TTB0 }), ...fields });
}

describe("records", () => {
  test("carry the fields of their event, and nothing else", async () => {
    const rig = await Rig.ready();
    emptyTable(rig, 7);
    fault(rig, 9);
    rig.smmu.translate({ sid: 7, iova: 0x12_3456n, write: true, privileged: true });
    rig.smmu.translate({ sid: 7, iova: 0x12_3456n, privileged: false, instruction: true });
    const [bad, write, fetch] = rig.events();
    const words = (record: Uint8Array) =>
      Array.from({ length: 4 }, (_, i) => fieldOf(EVENT, record.subarray(i * 8), "EventID"));
    expect(words(bad)[0]).toBe(BigInt(C_BAD_STE));
    expect([...bad.subarray(8)].every((byte) => byte === 0)).toBe(true);
    expect(streamOf(bad)).toBe(9);
    const about = (record: Uint8Array) => ({
      type: Number(fieldOf(EVENT, record, "EventID")),
      sid: streamOf(record),
      input: fieldOf(EVENT, record, "InputAddr"),
      access: ["PnU", "InD", "RnW", "S2", "CLASS", "Stall"].map((name) =>
        Number(fieldOf(EVENT, record, name as "PnU")),
      ),
    });
    const common = { type: F_TRANSLATION, sid: 7, input: 0x12_3456n };
    expect(about(write)).toEqual({ ...common, access: [1, 0, 0, 0, 2, 0] });
    expect(about(fetch)).toEqual({ ...common, access: [0, 1, 1, 0, 2, 0] });
  });

  test("a SubstreamID is recorded with SSV", async () => {
    const rig = await Rig.ready();
    rig.smmu.translate({ sid: 3, ssid: 0x12345, iova: 0n });
    rig.smmu.translate({ sid: 3, iova: 0n });
    const [withSsid, without] = rig.events();
    expect(fieldOf(EVENT, withSsid, "SSV")).toBe(1n);
    expect(fieldOf(EVENT, withSsid, "SubstreamID")).toBe(0x12345n);
    expect(fieldOf(EVENT, without, "SSV")).toBe(0n);
    expect(fieldOf(EVENT, without, "SubstreamID")).toBe(0n);
  });

  test("RECINVSID decides about C_BAD_STREAMID alone", async () => {
    for (const recinvsid of [0, 1]) {
      const rig = await Rig.ready();
      rig.write(R.CR0, 0);
      rig.write(R.CR2, recinvsid << 1);
      rig.write(R.CR0, SMMUEN | EVENTQEN);
      expect(rig.smmu.translate({ sid: 256, iova: 0n }).status).toBe(
        recinvsid ? "event" : "silent",
      );
      fault(rig, 5);
      expect(streams(rig)).toEqual(recinvsid ? [256, 5] : [5]);
    }
  });

  test("an owner's record is appended like any other", async () => {
    const rig = await Rig.ready({ eventqLog2: 0 });
    const record = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
    expect(rig.smmu.appendEvent(record)).toBe(true);
    expect(rig.smmu.appendEvent(record)).toBe(false);
    expect(rig.read(R.EVENTQ_PROD)).toBe((OVFLG | 1) >>> 0);
    expect(rig.events()).toEqual([record]);
  });
});

describe("indexes", () => {
  test.each(Array.from({ length: 20 }, (_, log2) => log2))(
    "2^%i entries: the last, the wrap, the first; full; the base is aligned to the size",
    async (log2) => {
      const size = 2 ** log2;
      const at = RAM + 0x200_0000n;
      const rig = await Rig.bare({ eventqLog2: log2, eventqAt: at });
      rig.enable();
      rig.write(R.CR0, 0);
      const misaligned = BigInt(32 * size) >> 1n;
      rig.smmu.writeRegister(R.EVENTQ_BASE, (at + (log2 ? misaligned : 0n)) | BigInt(log2), 8);
      // One entry is free, the last; what it wraps to follows when CONS moves on.
      rig.write(R.EVENTQ_PROD, size - 1);
      rig.write(R.EVENTQ_CONS, size === 1 ? 0 : 2 * size);
      rig.write(R.CR0, SMMUEN | EVENTQEN);
      expect(fault(rig, 1)).toBe(true);
      expect(rig.read(R.EVENTQ_PROD)).toBe(size);
      expect(fault(rig, 2)).toBe(false);
      expect(rig.read(R.EVENTQ_PROD)).toBe((OVFLG | size) >>> 0);
      rig.write(R.EVENTQ_CONS, (OVFLG | size) >>> 0);
      expect(fault(rig, 3)).toBe(true);
      const next = size === 1 ? 0 : size + 1;
      expect(rig.read(R.EVENTQ_PROD)).toBe((OVFLG | next) >>> 0);
      const record = (index: number) => rig.map.readBytes(at + BigInt(index * 32), 32)!;
      if (size > 1) expect(streamOf(record(size - 1))).toBe(1);
      expect(streamOf(record(0))).toBe(3);
    },
  );

  test("LOG2SIZE is capped by IDR1.EVENTQS", async () => {
    const rig = await Rig.ready({ id: idWith({ IDR1: { EVENTQS: 1 } }), eventqLog2: 8 });
    expect([1, 2, 3].map((sid) => fault(rig, sid))).toEqual([true, true, false]);
    expect(rig.read(R.EVENTQ_PROD)).toBe((OVFLG | 2) >>> 0);
  });
});

describe("overflow", () => {
  test("toggles OVFLG once until it is acknowledged", async () => {
    const rig = await Rig.ready({ eventqLog2: 1 });
    expect([1, 2, 3, 4].map((sid) => fault(rig, sid))).toEqual([true, true, false, false]);
    expect(rig.read(R.EVENTQ_PROD)).toBe((OVFLG | 2) >>> 0);
    expect(rig.read(R.GERROR)).toBe(0);
    // An unacknowledged overflow does not stop records once there is space.
    rig.write(R.EVENTQ_CONS, 1);
    expect(fault(rig, 5)).toBe(true);
    expect(fault(rig, 6)).toBe(false);
    expect(rig.read(R.EVENTQ_PROD)).toBe((OVFLG | 3) >>> 0);
    // Acknowledged, the next overflow toggles the flag back.
    expect(streams(rig)).toEqual([2, 5]);
    expect([7, 8, 9].map((sid) => fault(rig, sid))).toEqual([true, true, false]);
    expect(rig.read(R.EVENTQ_PROD)).toBe(1);
  });

  test("a disabled queue drops records without an overflow", async () => {
    const rig = await Rig.ready({ eventqLog2: 1 });
    fault(rig, 1);
    fault(rig, 2);
    rig.write(R.CR0, SMMUEN);
    expect(fault(rig, 3)).toBe(false);
    expect(rig.read(R.EVENTQ_PROD)).toBe(2);
    rig.write(R.CR0, SMMUEN | EVENTQEN);
    expect(streams(rig)).toEqual([1, 2]);
  });

  test("QEMU raises EVENTQ_ABT_ERR instead, and goes on writing", async () => {
    const rig = await Rig.ready({ compat: "qemu", eventqLog2: 1 });
    expect([1, 2, 3, 4].map((sid) => fault(rig, sid))).toEqual([true, true, false, false]);
    expect(rig.read(R.EVENTQ_PROD)).toBe(2);
    expect(rig.read(R.GERROR)).toBe(EVENTQ_ABT_ERR);
    expect(streams(rig)).toEqual([1, 2]);
    expect(fault(rig, 5)).toBe(true);
    expect(streams(rig)).toEqual([5]);
  });
});

describe("aborts", () => {
  test("a queue that nothing backs raises EVENTQ_ABT_ERR until acknowledged", async () => {
    const rig = await Rig.ready({ eventqAt: HOLE });
    expect(fault(rig, 1)).toBe(false);
    expect(rig.read(R.GERROR)).toBe(EVENTQ_ABT_ERR);
    expect(rig.read(R.EVENTQ_PROD)).toBe(0);
    rig.map.mapRam(HOLE, 0x1000);
    expect(fault(rig, 2)).toBe(false);
    expect(rig.read(R.EVENTQ_PROD)).toBe(0);
    rig.write(R.GERRORN, EVENTQ_ABT_ERR);
    expect(fault(rig, 3)).toBe(true);
    expect(streams(rig)).toEqual([3]);
  });

  test("the fault's own answer does not depend on the queue", async () => {
    const rig = await Rig.ready({ eventqAt: HOLE });
    const t = rig.smmu.translate({ sid: 4, iova: 0n });
    expect(t).toMatchObject({ status: "event", event: { name: "C_BAD_STE", recorded: false } });
    expect(streamOf(t.event!.record)).toBe(4);
  });
});

describe("merging", () => {
  const at = (rig: Rig, sid: number, iova: bigint, write = false) =>
    rig.smmu.translate({ sid, iova, write });

  test("records of one page merge into the newest unread one, if STE.MEV allows", async () => {
    const rig = await Rig.ready({ mergeEvents: true });
    emptyTable(rig, 1, { MEV: 1 });
    emptyTable(rig, 2, { MEV: 0 });
    for (const sid of [1, 2]) {
      for (const offset of [0n, 8n, 0xfffn]) at(rig, sid, 0x5000n + offset);
    }
    expect(streams(rig)).toEqual([1, 2, 2, 2]);
  });

  test("another page, access, stream or type does not merge; nor does a read record", async () => {
    const rig = await Rig.ready({ mergeEvents: true });
    emptyTable(rig, 1, { MEV: 1 });
    at(rig, 1, 0x5000n);
    at(rig, 1, 0x6000n);
    at(rig, 1, 0x5000n);
    at(rig, 1, 0x5000n, true);
    expect(rig.events().length).toBe(4);
    at(rig, 1, 0x5000n, true);
    expect(rig.events().length).toBe(1);
  });

  test("C_BAD_STE and C_BAD_STREAMID merge whatever MEV says", async () => {
    const rig = await Rig.ready({ mergeEvents: true });
    fault(rig, 9);
    fault(rig, 9);
    at(rig, 300, 0n);
    at(rig, 300, 0x7000n);
    fault(rig, 9);
    expect(streams(rig)).toEqual([9, 300, 9]);
  });

  test("without the option nothing merges", async () => {
    const rig = await Rig.ready();
    emptyTable(rig, 1, { MEV: 1 });
    at(rig, 1, 0x5000n);
    at(rig, 1, 0x5000n);
    expect(rig.events().length).toBe(2);
  });
});
