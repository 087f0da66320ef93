// Every difference between the ITS architecture and QEMU's ITS, in both modes.
import { expect, test } from "vitest";
import {
  CONFIG,
  cmd,
  DEVICES,
  HOLE,
  INDIRECT,
  ITT,
  PENDING,
  QUEUE,
  Rig,
  VALID,
} from "../gic/rig.ts";

const MODES = ["arch", "qemu"] as const;

/** Runs the same body in both modes; gives what it returns for each. */
async function both<T>(body: (rig: Rig) => T, make = Rig.ready): Promise<[arch: T, qemu: T]> {
  const [arch, qemu] = await Promise.all(MODES.map((compat) => make.call(Rig, { compat })));
  return [body(arch), body(qemu)];
}

const PAGES_64K = 0x200n;

test("quirk 50 ITS_TABLE_32BIT", async () => {
  // 64 pages of 64 KiB of level 1 entries: 2^19 entries of 2^13 devices each.
  const status = await both((rig) => {
    rig.enable(VALID | INDIRECT | DEVICES | PAGES_64K | 63n);
    rig.map.writeU64(DEVICES, VALID | ITT);
    return rig.its.deliver(8, 1).status;
  });
  expect(status).toEqual(["DEVICE_UNMAPPED", "DEVICE_OOR"]);
});

test("quirk 51 ITS_L2_UNMASKED", async () => {
  // Bits 15:12 lie below the 64 KiB page; QEMU follows them to another place.
  const status = await both((rig) => {
    rig.enable(VALID | INDIRECT | DEVICES | PAGES_64K);
    rig.map.writeU64(DEVICES, VALID | ITT | 0x8000n);
    rig.run(cmd.mapd(8, 5, ITT));
    return [rig.map.readU64(ITT + 64n) !== 0n, rig.map.readU64(ITT + 0x8040n) !== 0n];
  });
  expect(status).toEqual([
    [true, false],
    [false, true],
  ]);
});

test("quirk 52 ITS_CREADR_RW", async () => {
  const offset = await both((rig) => {
    rig.its.setRegister("CREADR", 0x40);
    return rig.its.register("CREADR");
  });
  expect(offset[1]).toBe(0x40n);
  expect(offset[0]).not.toBe(0x40n);
});

test("quirk 53 ITS_CTE_FAULT_PASSES", async () => {
  const stalled = await both((rig) => {
    rig.its.setRegister("CTLR", 0);
    rig.its.setRegister("BASER1", VALID | HOLE | PAGES_64K);
    rig.its.setRegister("CTLR", 1);
    rig.run(cmd.of(3, 8, 1));
    return rig.its.register("CREADR") % 2n;
  });
  expect(stalled).toEqual([1n, 0n]);
});

test("quirk 54 ITS_STALLED_STICKS", async () => {
  const stalled = await both((rig) => {
    rig.its.setRegister("CTLR", 0);
    rig.its.setRegister("BASER1", VALID | HOLE | PAGES_64K);
    rig.its.setRegister("CTLR", 1);
    rig.run(cmd.mapc(3, 0));
    const first = rig.its.register("CREADR") % 2n;
    rig.its.setRegister("CWRITER", rig.its.register("CWRITER") & 0xfffe0n);
    const again = rig.its.takeOutcomes().outcomes.length;
    return [first, again];
  });
  expect(stalled).toEqual([
    [1n, 0],
    [1n, 1],
  ]);
});

test("quirk 55 ITS_MOVI_UNBOUNDED", async () => {
  // IDbits 13: LPIs up to 16383, 2048 bytes of pending bits; the LPI beyond is out of range.
  const status = await both((rig) => {
    for (const index of [0, 1]) rig.redist(index, { propbaser: CONFIG | 13n });
    const lpi = 20000;
    rig.run(cmd.mapti(8, 2, lpi, 1));
    const byte = PENDING[1] + BigInt(Math.floor(lpi / 8));
    rig.map.writeBytes(byte, new Uint8Array([1 << (lpi % 8)]));
    rig.run(cmd.movi(8, 2, 0));
    return rig.byte(byte);
  });
  expect(status).toEqual([1, 0]);
});

test("quirk 56 ITS_MAPD_SIZE_ANY", async () => {
  const status = await both((rig) => rig.run(cmd.mapd(8, 32, ITT, 0n)).map((o) => o.status));
  expect(status).toEqual([["OK"], ["ITTSIZE_OOR"]]);
});

test("quirk 57 ITS_INVALL_ANY", async () => {
  const status = await both((rig) => rig.run(cmd.invall(9)).map((o) => o.status));
  expect(status).toEqual([["COLLECTION_UNMAPPED"], ["OK"]]);
});

test("quirk 58 ITS_RDBASE_16", async () => {
  const status = await both((rig) => rig.run(cmd.mapc(3, 0x10001)).map((o) => o.status));
  expect(status).toEqual([["RDBASE_OOR"], ["OK"]]);
});

test("quirk 59 ITS_CBASER_4K", async () => {
  const status = await both((rig) => {
    rig.its.setRegister("CTLR", 0);
    rig.its.setRegister("CBASER", VALID | (QUEUE + 0x1000n));
    rig.its.setRegister("CWRITER", 0);
    rig.map.writeU64(QUEUE, 0x0dn);
    rig.map.writeU64(QUEUE + 0x1000n, 0x05n);
    rig.its.takeOutcomes();
    rig.its.setRegister("CTLR", 1);
    rig.its.setRegister("CWRITER", 32);
    return rig.its.takeOutcomes().outcomes.map((o) => o.name);
  });
  expect(status).toEqual([["INVALL"], ["SYNC"]]);
});
