// Streams, contexts, faults and records of the oracle against the rules of the architecture.

import { describe, expect, test } from "vitest";
import { EVENT, swapBytes } from "./bits.ts";
import { AT, type CdFields, decodeRecord, SID, type SteFields, World } from "./world.ts";

/** A page table with one 4 KiB page at VA 0 whose leaf is given; stage 1 alone. */
function page(leaf: bigint, cd: CdFields = {}, ste: SteFields = {}): World {
  const world = new World().ste({ Config: 5, ...ste }).cd({ T0SZ: 25, ...cd });
  world.store(AT.s1Root, (AT.s1Root + 0x1000n) | 3n);
  world.store(AT.s1Root + 0x1000n, (AT.s1Root + 0x2000n) | 3n);
  return world.store(AT.s1Root + 0x2000n, leaf);
}

const RW_PAGE = 0x4123_4000n | 0x743n;

/** Adds a stage 2 of 1 GiB blocks that maps 1 GiB to 2 GiB to itself. */
function nest(world: World, ste: SteFields = {}, block = 0x4000_07fdn): World {
  world.ste({ Config: 7, S2T0SZ: 25, S2SL0: 1, S2PS: 5, ...ste });
  return world.store(AT.s2Root + 8n, block);
}

describe("streams", () => {
  test("the range of a linear table ends at the smaller of LOG2SIZE and SIDSIZE", () => {
    const world = new World();
    expect(world.run({ sid: 255 }).record?.[0]).toBe(EVENT.C_BAD_STE);
    expect(decodeRecord(world.run({ sid: 256 }).record)).toMatchObject({ event: 2, sid: 256 });
    world.regs.strtabBaseCfg = 20;
    expect(world.run({ sid: 65535 }).record?.[0]).toBe(EVENT.C_BAD_STE);
    expect(world.run({ sid: 65536 }).record?.[0]).toBe(EVENT.C_BAD_STREAMID);
    world.regs.cr2 = 0;
    expect(world.run({ sid: 65536 })).toMatchObject({ status: "silent", recorded: false });
  });

  test("a 2-level table follows Span and SPLIT", () => {
    // The example of 3.3.1.2: spans of 2^8, 2^2, none and 1 behind SPLIT=8.
    const world = new World();
    world.regs.strtabBaseCfg = (1 << 16) | (8 << 6) | 10;
    const l2 = [0x4030_0000n, 0x4031_0000n, 0x4032_0000n];
    world.store(AT.strtab, l2[0] | 9n, l2[1] | 3n, 0n, l2[2] | 1n);
    const at = (sid: number) => {
      const answer = world.run({ sid });
      return answer.reads.find((r) => r.what === "ste")?.address ?? answer.record?.[0];
    };
    expect([at(0), at(255), at(256), at(259)]).toEqual([
      ...[l2[0], l2[0] + 255n * 64n, l2[1], l2[1] + 192n],
    ]);
    expect([at(260), at(512), at(767)]).toEqual([2, 2, 2]);
    expect([at(768), at(769)]).toEqual([l2[2], 2]);
    for (const span of [10, 11, 12, 31]) {
      world.store(AT.strtab, l2[0] | BigInt(span));
      expect(at(0)).toBe(EVENT.C_BAD_STREAMID);
    }
  });

  test("bases are aligned to the table; fetches beyond RAM or OAS abort", () => {
    const world = new World().ste({ Config: 4 });
    world.regs.strtabBase = AT.strtab | 0x4000_0000_0000_3fc0n;
    expect(world.run().status).toBe("bypass");
    for (const base of [0x8000_0000n, 0x1000_0000_0000n]) {
      world.regs.strtabBase = base;
      const address = (base & 0xfff_ffff_ffffn) + BigInt(64 * SID);
      expect(decodeRecord(world.run().record)).toMatchObject({ event: 3, address, input: 0n });
    }
  });

  test("Config and the SMMU's features decide", () => {
    for (const Config of [0, 1, 2, 3]) {
      const world = new World().ste({ Config, S1STALLD: 1, STRW: 3 });
      expect(world.run()).toMatchObject({ status: "abort", recorded: false });
    }
    expect(new World().ste({ V: 0, Config: 4 }).run().record?.[0]).toBe(EVENT.C_BAD_STE);
    const bad: [SteFields, boolean][] = [
      [{ Config: 5, S1STALLD: 1 }, true],
      [{ Config: 6, S1STALLD: 1, S2T0SZ: 25, S2SL0: 1 }, false],
      [{ Config: 5, STRW: 1 }, true],
      [{ Config: 4, STRW: 1 }, false],
      [{ Config: 7, STRW: 3, S2T0SZ: 25, S2SL0: 1 }, false],
      [{ Config: 5, S1CDMax: 11 }, true],
      [{ Config: 6, S2S: 1, S2T0SZ: 25, S2SL0: 1 }, true],
      [{ Config: 5, S2S: 1 }, false],
      [{ Config: 6, S2HA: 1, S2T0SZ: 25, S2SL0: 1 }, true],
      [{ Config: 6, S2AA64: 0, S2T0SZ: 25, S2SL0: 1 }, true],
      [{ Config: 6, S2TG: 3, S2T0SZ: 25, S2SL0: 1 }, true],
      [{ Config: 6, S2ENDI: 1, S2T0SZ: 25, S2SL0: 1 }, true],
    ];
    for (const [ste, illegal] of bad) {
      const is = new World().ste(ste).run().record?.[0] === EVENT.C_BAD_STE;
      expect(is, JSON.stringify(ste)).toBe(illegal);
    }
    const s2only = new World().ste({ Config: 5 });
    s2only.regs.idr0 &= ~2;
    expect(s2only.run().record?.[0]).toBe(EVENT.C_BAD_STE);
    const vmid8 = new World().ste({ Config: 5, S2VMID: 0x100 });
    expect(vmid8.run().record?.[0]).toBe(EVENT.C_BAD_CD);
    vmid8.regs.idr0 &= ~(1 << 18);
    expect(vmid8.run().record?.[0]).toBe(EVENT.C_BAD_STE);
    vmid8.ste({ Config: 5, S2VMID: 0x100, STRW: 2 });
    expect(vmid8.run().record?.[0]).toBe(EVENT.C_BAD_CD);
  });
});

describe("substreams", () => {
  /** Event, or which CD is read: its offset from S1ContextPtr in CDs; "skip" if none. */
  const outcome = (ste: SteFields, ssid?: number): number | string => {
    const answer = new World().ste({ Config: 5, ...ste }).run({ ssid });
    const cd = answer.reads.find((r) => r.what === "cd");
    if (cd !== undefined) return `CD ${(cd.address - AT.cd) / 64n}`;
    return answer.record?.[0] ?? "skip";
  };

  test("S1CDMax, S1DSS and the SubstreamID choose a CD", () => {
    expect(outcome({ Config: 4 }, 0)).toBe(EVENT.C_BAD_SUBSTREAMID);
    expect(outcome({ Config: 5 }, 0)).toBe(EVENT.C_BAD_SUBSTREAMID);
    expect(outcome({ Config: 5 })).toBe("CD 0");
    const four = { S1CDMax: 2 };
    expect([0, 1, 3, 4].map((ssid) => outcome(four, ssid))).toEqual(["CD 0", "CD 1", "CD 3", 8]);
    expect([0, 1, 2, 3].map((S1DSS) => outcome({ ...four, S1DSS }))).toEqual([
      6,
      "skip",
      "CD 0",
      6,
    ]);
    expect([0, 1].map((ssid) => outcome({ ...four, S1DSS: 2 }, ssid))).toEqual([6, "CD 1"]);
  });

  test("2-level CD tables split at bit 6 or 10", () => {
    for (const [S1Fmt, split, leaf] of [
      [1, 6, 0x4021_1000n],
      [2, 10, 0x4022_0000n],
    ] as const) {
      const world = new World().ste({ Config: 5, S1Fmt, S1CDMax: 10 });
      const ssid = 2 ** split - 1;
      world.store(AT.cd, leaf | 1n | 0x7cn);
      const answer = world.run({ ssid });
      expect(answer.reads.at(-1)).toMatchObject({ what: "cd", address: leaf + BigInt(ssid * 64) });
      world.store(AT.cd, leaf);
      expect(decodeRecord(world.run({ ssid }).record)).toMatchObject({ event: 8, ssid, ssv: 0 });
      world.store(AT.cd, 0x1000_0000_0001n);
      expect(world.run({ ssid }).record?.[0]).toBe(EVENT.C_BAD_SUBSTREAMID);
    }
  });

  test("S1DSS=1 without stage 2 passes the address and checks its size", () => {
    const world = new World().ste({ Config: 5, S1CDMax: 1, S1DSS: 1 });
    expect(world.run({ iova: 0xfff_ffff_ffffn })).toMatchObject({ status: "bypass" });
    const far = world.run({ iova: 1n << 44n, write: true });
    expect(decodeRecord(far.record)).toMatchObject({ event: 0x11, s2: 0, class: 2, rnw: 0 });
    expect(far).toMatchObject({ status: "event", recorded: true });
  });
});

describe("contexts", () => {
  test("a bad half poisons the CD unless its EPD is set (5.4.1.1)", () => {
    const low = 0n;
    const high = 0xffff_0000_0000_0000n;
    const run = (cd: CdFields, iova: bigint) => {
      return new World().ste({ Config: 5 }).cd(cd).run({ iova }).record?.[0];
    };
    const valid = 16;
    const invalid = 15;
    for (const iova of [low, high]) {
      expect(run({ EPD0: 0, EPD1: 0, T0SZ: valid, T1SZ: invalid }, iova)).toBe(EVENT.C_BAD_CD);
      expect(run({ EPD0: 0, EPD1: 0, T0SZ: invalid, T1SZ: valid }, iova)).toBe(EVENT.C_BAD_CD);
      expect(run({ EPD0: 0, EPD1: 1, T0SZ: invalid }, iova)).toBe(EVENT.C_BAD_CD);
      expect(run({ EPD0: 1, EPD1: 0, T1SZ: invalid }, iova)).toBe(EVENT.C_BAD_CD);
      expect(run({ EPD0: 0, EPD1: 1, T1SZ: invalid }, iova)).toBe(EVENT.F_TRANSLATION);
    }
    const walks = (cd: CdFields, iova: bigint) => {
      return new World().ste({ Config: 5 }).cd(cd).run({ iova }).reads.length - 2;
    };
    expect([walks({ EPD1: 0 }, low), walks({ EPD1: 0 }, high)]).toEqual([1, 1]);
    expect([walks({ EPD1: 1 }, low), walks({ EPD1: 1 }, high)]).toEqual([1, 0]);
    expect([walks({ EPD0: 1, EPD1: 0 }, low), walks({ EPD0: 1, EPD1: 0 }, high)]).toEqual([0, 1]);
  });

  test("TBI ignores the top byte of its own half", () => {
    const run = (cd: CdFields, iova: bigint) => page(RW_PAGE, cd).run({ iova }).status;
    expect(run({}, 0xab00_0000_0000_0000n)).toBe("event");
    expect(run({ TBI0: 1 }, 0xab00_0000_0000_0000n)).toBe("ok");
    expect(run({ TBI1: 1 }, 0xab00_0000_0000_0000n)).toBe("event");
    expect(run({ TBI0: 1 }, 0xab40_0000_0000_0000n)).toBe("event");
    const upper = { EPD1: 0, T1SZ: 25, TG1: 2 };
    expect(run(upper, 0xffff_ff80_0000_0000n)).toBe("ok");
    expect(run(upper, 0x12ff_ff80_0000_0000n)).toBe("event");
    expect(run({ ...upper, TBI1: 1 }, 0x12ff_ff80_0000_0000n)).toBe("ok");
  });

  test("A, R and the other conditions of 5.4.2", () => {
    const bad: CdFields[] = [{ V: 0 }, { AA64: 0 }, { S: 1 }, { HA: 1 }, { ENDI: 1 }, { TG0: 3 }];
    for (const cd of bad) {
      expect(page(RW_PAGE, cd).run().record?.[0], JSON.stringify(cd)).toBe(EVENT.C_BAD_CD);
    }
    const fault = (cd: CdFields) => {
      const { status, recorded } = page(0n, cd).run();
      return [status, recorded];
    };
    expect(fault({ A: 1, R: 1 })).toEqual(["event", true]);
    expect(fault({ A: 1, R: 0 })).toEqual(["silent", false]);
    expect(fault({ A: 0, R: 1 })).toEqual(["razwi", true]);
    expect(fault({ A: 0, R: 0 })).toEqual(["razwi", false]);
    const abortOnly = page(RW_PAGE, { A: 0 });
    abortOnly.regs.idr0 |= 1 << 26;
    expect(abortOnly.run().record?.[0]).toBe(EVENT.C_BAD_CD);
    const asid8 = page(RW_PAGE, { ASID: 0x100 });
    asid8.regs.idr0 &= ~(1 << 12);
    expect(asid8.run().record?.[0]).toBe(EVENT.C_BAD_CD);
    const aborted = page(RW_PAGE, { R: 0 }).store(AT.s1Root, 0x8000_0003n).run();
    expect(aborted).toMatchObject({ status: "event", recorded: true });
    expect(decodeRecord(aborted.record)).toMatchObject({ event: 0xb, class: 1, s2: 0 });
  });
});

describe("walks", () => {
  test("one level's faults come in order: invalid, size, access, permission", () => {
    const beyond = 0x8000_0000_0000n;
    const event = (leaf: bigint, cd: CdFields = {}) => {
      return page(leaf, cd).run({ write: true }).record?.[0];
    };
    expect(event(beyond | 0x2c0n)).toBe(EVENT.F_TRANSLATION);
    expect(event(beyond | 0x2c3n)).toBe(EVENT.F_ADDR_SIZE);
    expect(event(0x2c3n)).toBe(EVENT.F_ACCESS);
    expect(event(0x2c3n, { AFFD: 1 })).toBe(EVENT.F_PERMISSION);
    expect(event(0x1_0000_0743n, { IPS: 0 })).toBe(EVENT.F_ADDR_SIZE);
    const table = page(RW_PAGE).store(AT.s1Root, beyond | 3n);
    expect(table.run().record?.[0]).toBe(EVENT.F_ADDR_SIZE);
    expect(table.run().reads).toHaveLength(3);
  });

  test("nested: each stage 1 descriptor goes through stage 2, then the output", () => {
    const world = nest(page(RW_PAGE));
    const answer = world.run({ iova: 0x89n });
    expect(answer).toMatchObject({
      status: "ok",
      stage: 3,
      pa: 0x4123_4089n,
      pageBits: 12,
      perm: 7,
    });
    expect(answer.reads.filter((r) => r.what === "pte").map((r) => r.stage)).toEqual([
      ...[2, 2, 1, 2, 1, 2, 1, 2],
    ]);
  });

  test("a stage 2 fault names its class and its IPA", () => {
    const far = 0x12_3456_7000n;
    const record = (world: World) => decodeRecord(world.run({ iova: 0x321n, write: true }).record);
    const output = nest(page(far | 0x743n));
    expect(record(output)).toMatchObject({ event: 0x10, s2: 1, class: 2, input: 0x321n });
    expect(record(output)?.address).toBe(far);
    const lower = nest(page(RW_PAGE).store(AT.s1Root, 0x22_0000_1003n));
    expect(record(lower)).toMatchObject({ event: 0x10, s2: 1, class: 1, address: 0x22_0000_1000n });
    const context = nest(page(RW_PAGE), {}, 0n);
    expect(record(context)).toMatchObject({ event: 0x10, s2: 1, class: 0, address: AT.cd });
    expect(nest(page(RW_PAGE), { S2R: 0 }, 0n).run().status).toBe("silent");
    const unreadable = nest(page(RW_PAGE), {}, 0x4000_04bdn);
    expect(record(unreadable)).toMatchObject({ event: 0x13, s2: 1, class: 0, ttrnw: 0 });
    const readOnly = nest(page(RW_PAGE), {}, 0x4000_047dn);
    expect(record(readOnly)).toMatchObject({ event: 0x13, s2: 1, class: 2, rnw: 0 });
    const broken = nest(page(RW_PAGE)).store(AT.s2Root + 8n, 0x8000_0003n);
    expect(record(broken)).toMatchObject({ event: 0xb, s2: 1, class: 0, address: 0x8000_0008n });
  });

  test("ENDI and S2ENDI turn descriptors round, not structures", () => {
    const world = nest(page(RW_PAGE, { ENDI: 1 }), { S2ENDI: 1 });
    world.regs.idr0 &= ~(3 << 21);
    expect(world.run().record?.[0]).toBe(EVENT.F_TRANSLATION);
    for (const [at, word] of world.memory) if (at >= AT.s1Root) world.store(at, swapBytes(word));
    expect(world.run({ iova: 0x89n })).toMatchObject({ status: "ok", stage: 3, pa: 0x4123_4089n });
  });

  test("S2PTW faults table accesses to Device memory; the event says that it was a read", () => {
    // The CD through a Normal block, stage 1 tables through a Device block.
    const world = page(RW_PAGE).ste({ Config: 7, S2T0SZ: 25, S2SL0: 1, S2PS: 5, S2PTW: 1 });
    const l2 = AT.s2Root + 0x1000n;
    world.store(AT.s2Root + 8n, l2 | 3n);
    world.store(l2 + 8n, 0x4020_07fdn).store(l2 + 16n, 0x4040_07c1n);
    const faulted = decodeRecord(world.run().record);
    expect(faulted).toMatchObject({ event: 0x13, s2: 1, class: 1, ttrnw: 1, address: AT.s1Root });
    world.ste({ Config: 7, S2T0SZ: 25, S2SL0: 1, S2PS: 5 });
    expect(decodeRecord(world.run().record)).toMatchObject({ event: 0x10, class: 2 });
  });

  test("stage 2 alone: beyond the IAS is a stage 1 size fault, recorded whatever S2R says", () => {
    const world = new World().ste({ Config: 6, S2T0SZ: 25, S2SL0: 1, S2PS: 5, S2R: 0 });
    world.store(AT.s2Root, 0x4000_07fdn);
    expect(world.run({ iova: 0x1234n })).toMatchObject({
      status: "ok",
      stage: 2,
      pa: 0x4000_1234n,
    });
    const far = world.run({ iova: 1n << 44n });
    expect(far.status).toBe("event");
    expect(decodeRecord(far.record)).toMatchObject({ event: 0x11, s2: 0, class: 2, address: 0n });
    const near = world.run({ iova: 1n << 39n });
    expect(near.status).toBe("silent");
    expect(decodeRecord(near.record)).toMatchObject({ event: 0x10, s2: 1, class: 2 });
  });
});

describe("bypass", () => {
  test("SMMUEN=0 follows GBPA and records nothing", () => {
    const world = new World();
    world.regs.cr0 = 4;
    expect(world.run({ iova: 0x55n, ssid: 3 })).toMatchObject({ status: "bypass", pa: 0x55n });
    expect(world.run({ iova: 1n << 44n })).toMatchObject({ status: "abort", recorded: false });
    world.regs.gbpa |= 1 << 20;
    expect(world.run().status).toBe("abort");
  });

  test("Config=4 records an address beyond the OAS; EVENTQEN=0 records nothing", () => {
    const world = new World().ste({ Config: 4 });
    expect(world.run({ iova: 0x77n })).toMatchObject({ status: "bypass", pa: 0x77n });
    expect(world.run({ iova: 1n << 44n }).status).toBe("event");
    world.regs.cr0 = 1;
    expect(world.run({ iova: 1n << 44n })).toMatchObject({ status: "silent", recorded: false });
  });
});
