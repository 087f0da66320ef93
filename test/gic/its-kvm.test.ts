// KVM's in-kernel ITS by hand: private state, translation cache, saved tables of ABI revision 0.
import { describe, expect, it } from "vitest";
import { COLLECTIONS, CONFIG, cmd, DEVICES, ITT, PENDING, Rig, VALID } from "./rig.ts";

const kvm = { model: "kvm" as const };

describe("private state", () => {
  it("does not look at guest tables for a message", async () => {
    const rig = await Rig.ready(kvm);
    rig.map.writeBytes(DEVICES, new Uint8Array(0x1000).fill(0xff));
    rig.map.writeBytes(COLLECTIONS, new Uint8Array(0x1000).fill(0xff));
    rig.map.writeBytes(ITT, new Uint8Array(0x1000).fill(0xff));
    expect(rig.its.deliver(8, 1)).toMatchObject({ status: "OK", lpi: 8193, rdbase: 1, fetches: 0 });
    expect(rig.byte(PENDING[1] + 1024n)).toBe(0);
  });

  it("keeps an event whose collection has no target yet, but delivers nothing", async () => {
    const rig = await Rig.ready(kvm);
    const [made] = rig.run(cmd.mapti(8, 2, 8200, 7));
    expect(made.status).toBe("OK");
    expect(rig.its.deliver(8, 2).status).toBe("COLLECTION_UNMAPPED");
    rig.run(cmd.mapc(7, 1));
    expect(rig.its.deliver(8, 2)).toMatchObject({ status: "OK", lpi: 8200, rdbase: 1 });
  });

  it("does not overwrite a mapping", async () => {
    const rig = await Rig.ready(kvm);
    expect(rig.run(cmd.mapti(8, 1, 8200, 0))[0].status).toBe("ALREADY_MAPPED");
    expect(rig.its.deliver(8, 1).lpi).toBe(8193);
  });

  it("reads the configuration byte at INV, not at each message", async () => {
    const rig = await Rig.ready(kvm);
    rig.map.writeBytes(CONFIG + 1n, Uint8Array.of(0));
    expect(rig.its.deliver(8, 1).status).toBe("OK");
    rig.run(cmd.of(12, 8, 1));
    expect(rig.its.deliver(8, 1)).toMatchObject({ status: "LPI_DISABLED", config: 0 });
  });

  it("takes a pending bit out of memory when an LPI is first mapped", async () => {
    const rig = await Rig.ready(kvm);
    rig.map.writeBytes(PENDING[0] + 1025n, Uint8Array.of(0xff));
    rig.run(cmd.mapti(8, 3, 8200, 0));
    expect(rig.byte(PENDING[0] + 1025n)).toBe(0xfe);
    expect(rig.its.deliver(8, 3).wasPending).toBe(true);
  });

  it("ends with an error when no more events fit, and goes on", async () => {
    const rig = await Rig.ready({ ...kvm, events: 2 });
    const events = [2, 3, 4].map((event) => cmd.mapti(8, event, 8200, 0));
    expect(rig.run(...events).map((o) => o.status)).toEqual(["OK", "NO_MEMORY", "NO_MEMORY"]);
    expect(rig.run(cmd.of(15, 8, 1), cmd.mapti(8, 4, 8200, 0))[1].status).toBe("OK");
  });
});

describe("translation cache", () => {
  it("answers only after a full delivery, until something changes", async () => {
    const rig = await Rig.ready(kvm);
    expect(rig.its.deliverCached(8, 1)).toBeUndefined();
    rig.its.deliver(8, 1);
    expect(rig.its.deliverCached(8, 1)).toMatchObject({ status: "OK", lpi: 8193, cached: true });
    rig.run(cmd.movi(8, 1, 0));
    expect(rig.its.deliverCached(8, 1)).toBeUndefined();
  });

  it("is flushed when LPIs or the ITS are switched off", async () => {
    const rig = await Rig.ready(kvm);
    rig.its.deliver(8, 1);
    rig.redist(1, { ctlr: 0 });
    expect(rig.its.deliverCached(8, 1)).toBeUndefined();
    rig.redist(1);
    rig.its.deliver(8, 1);
    rig.its.setRegister("CTLR", 0);
    expect(rig.its.deliverCached(8, 1)).toBeUndefined();
  });

  it("lets a 17-bit EventID meet the entry of another device", async () => {
    const rig = await Rig.ready(kvm);
    rig.run(cmd.mapd(9, 5, ITT + 0x1000n), cmd.mapti(9, 1, 8200, 0));
    rig.its.deliver(9, 1);
    expect(rig.its.deliverCached(8, 0x10001)).toMatchObject({ lpi: 8200, eventId: 0x10001 });
    expect(rig.its.deliver(8, 0x10001).status).toBe("EVENT_OOR");
  });
});

describe("saved tables", () => {
  it("have the documented bytes and come back", async () => {
    const rig = await Rig.ready(kvm);
    rig.run(cmd.mapd(12, 2, ITT + 0x100n), cmd.mapti(8, 4, 8196, 0));
    expect(rig.its.saveTables()).toBe(0);
    // DTE: valid, next 4 DeviceIDs on, ITT address in bits 48:5, size 4; the last one says next 0.
    expect(rig.map.readU64(DEVICES + 64n)).toBe(VALID | (4n << 49n) | ((ITT >> 8n) << 5n) | 4n);
    expect(rig.map.readU64(DEVICES + 96n)).toBe(VALID | (((ITT + 0x100n) >> 8n) << 5n) | 1n);
    // ITE: next 3 EventIDs on, INTID in bits 47:16, ICID.
    expect(rig.map.readU64(ITT + 8n)).toBe((3n << 48n) | (8193n << 16n) | 1n);
    expect(rig.map.readU64(ITT + 32n)).toBe((8196n << 16n) | 0n);
    // CTEs one after the other, then an entry that is not valid.
    expect(rig.map.readU64(COLLECTIONS)).toBe(VALID | 0n);
    expect(rig.map.readU64(COLLECTIONS + 8n)).toBe(VALID | (1n << 16n) | 1n);
    expect(rig.map.readU64(COLLECTIONS + 16n)).toBe(0n);

    const registers = new Map(
      ["BASER0", "BASER1", "CBASER", "CREADR", "CWRITER"].map((r) => [r, rig.its.register(r)]),
    );
    for (const r of ["CTLR", "BASER0", "BASER1"]) rig.its.setRegister(r, 0);
    expect(rig.its.deliver(8, 4).status).toBe("DISABLED");
    rig.its.restoreRegisters(registers);
    expect(rig.its.restoreTables()).toBe(0);
    rig.its.setRegister("CTLR", 1);
    expect(rig.its.deliver(8, 4)).toMatchObject({ status: "OK", lpi: 8196, rdbase: 0 });
    expect(rig.its.deliver(8, 1)).toMatchObject({ status: "OK", lpi: 8193, rdbase: 1 });
    expect(rig.its.deliver(12, 0).status).toBe("EVENT_UNMAPPED");
  });

  it("clear an entry at DISCARD and MAPD with V=0", async () => {
    const rig = await Rig.ready(kvm);
    rig.its.saveTables();
    rig.run(cmd.of(15, 8, 1));
    expect(rig.map.readU64(ITT + 8n)).toBe(0n);
    rig.run(cmd.mapd(8, 5, ITT, 0n));
    expect(rig.map.readU64(DEVICES + 64n)).toBe(0n);
  });

  it.each([
    ["an ITT of more than 16 EventID bits", VALID | ((ITT >> 8n) << 5n) | 31n, 0n, -22],
    ["an LPI below 8192", VALID | ((ITT >> 8n) << 5n) | 4n, 100n << 16n, -22],
    [
      "an event beyond the device",
      VALID | ((ITT >> 8n) << 5n) | 4n,
      (40n << 48n) | (8192n << 16n),
      -22,
    ],
    ["an unknown collection", VALID | ((ITT >> 8n) << 5n) | 4n, (8192n << 16n) | 9n, -22],
    ["an ITT that is not there", VALID | (0x600000n << 5n) | 4n, 0n, -14],
  ])("refuse %s", async (_, dte, ite, error) => {
    const rig = await Rig.bare(kvm);
    rig.redist(0);
    rig.its.setRegister("BASER0", VALID | DEVICES);
    rig.its.setRegister("BASER1", VALID | COLLECTIONS);
    rig.map.writeU64(DEVICES, dte);
    rig.map.writeU64(ITT, ite);
    expect(rig.its.restoreTables()).toBe(error);
  });

  it("end when every device points to the same empty ITT", async () => {
    const rig = await Rig.bare(kvm);
    rig.redist(0);
    const table = 0x60000000n;
    rig.map.mapRam(table, 0x80000);
    rig.map.mapRam(table + 0x100000n, 0x80000);
    rig.its.setRegister("BASER0", VALID | table | 7n);
    const dte = VALID | (1n << 49n) | (((table + 0x100000n) >> 8n) << 5n) | 15n;
    for (let i = 0n; i < 0x10000n; i++) rig.map.writeU64(table + i * 8n, dte);
    const start = performance.now();
    expect(rig.its.restoreTables()).toBe(-14);
    expect(performance.now() - start).toBeLessThan(5000);
  });
});
