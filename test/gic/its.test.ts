// The ITS by hand: identification, guards, every reason for a lost message, stalls, pending tables.
import { describe, expect, it } from "vitest";
import {
  COLLECTIONS,
  CONFIG,
  cmd,
  DEVICES,
  HOLE,
  INDIRECT,
  ITT,
  PENDING,
  RAM,
  RAM_BYTES,
  Rig,
  VALID,
} from "./rig.ts";

describe("identification and guards", () => {
  it("has QEMU's reset values", async () => {
    const { its } = await Rig.bare();
    expect(its.register("CTLR")).toBe(0x80000000n);
    expect(its.register("IIDR")).toBe(0x43bn);
    expect(its.register("TYPER")).toBe(0x1f0001efb1n);
    expect(its.register("BASER0")).toBe(0x0107000000000200n);
    expect(its.register("BASER1")).toBe(0x0407000000000200n);
    expect(
      [0xffd0, 0xffe0, 0xffe4, 0xffe8, 0xfff0, 0xfffc].map((o) => its.readRegister(o)),
    ).toEqual([0x44n, 0x94n, 0xb4n, 0x3bn, 0x0dn, 0xb1n]);
  });

  it("has KVM's reset values", async () => {
    const { its } = await Rig.bare({ model: "kvm" });
    expect(its.register("IIDR")).toBe(0x4b00043bn);
    expect(its.register("TYPER")).toBe(0x1ef71n);
    expect(its.register("BASER0")).toBe(0x1907000000000600n);
    expect(its.readRegister(0xffe0)).toBe(0x92n);
  });

  it("reads and writes 64-bit registers in halves, and nothing at odd sizes", async () => {
    const { its } = await Rig.bare();
    its.writeRegister(0x80, 0x4000_040f, 4);
    its.writeRegister(0x84, 0xb800_0000, 4);
    expect(its.register("CBASER")).toBe(0xb80000004000040fn);
    expect(its.readRegister(0x84)).toBe(0xb8000000n);
    expect(its.readRegister(0x0, 8)).toBe(0n);
    its.writeRegister(0x82, 1, 4);
    its.writeRegister(0x20000, 1, 4);
    expect(its.register("CBASER")).toBe(0xb80000004000040fn);
    expect(its.readRegister(0x10040)).toBe(0n);
  });

  it.each(["qemu", "kvm"] as const)("keeps queue and tables while enabled: %s", async (model) => {
    const { its } = await Rig.ready({ model });
    const before = ["CBASER", "BASER0", "BASER1"].map((r) => its.register(r));
    for (const r of ["CBASER", "BASER0", "BASER1", "BASER2"])
      its.setRegister(r, ~0n & (2n ** 64n - 1n));
    expect(["CBASER", "BASER0", "BASER1"].map((r) => its.register(r))).toEqual(before);
    expect(its.register("BASER2")).toBe(0n);
  });

  it("makes KVM refuse to enable without valid tables, and sanitise what it takes", async () => {
    const { its } = await Rig.bare({ model: "kvm" });
    its.setRegister("CTLR", 1);
    expect(its.register("CTLR")).toBe(0x80000000n);
    its.setRegister("BASER1", VALID | INDIRECT | COLLECTIONS | (2n << 10n));
    expect(its.register("BASER1")).toBe(0x9c07000040020600n);
    its.setRegister("CBASER", VALID | RAM | 0x5000n);
    expect(its.register("CBASER")).toBe(0x9800000040000000n);
  });

  it("lets software write GITS_CREADR only as QEMU does", async () => {
    const arch = await Rig.bare();
    const qemu = await Rig.bare({ compat: "qemu" });
    const secure = await Rig.bare({ compat: "qemu", securityDisabled: false });
    for (const { its } of [arch, qemu, secure]) its.setRegister("CREADR", 0x41n);
    expect([arch, qemu, secure].map(({ its }) => its.register("CREADR"))).toEqual([0n, 0x40n, 0n]);
  });

  it("names its frames", async () => {
    const { its } = await Rig.bare({ base: 0x08080000n });
    expect(its.doorbell).toBe(0x08090040n);
    expect(
      [0x0807ffffn, 0x08080000n, 0x0809ffffn, 0x080a0000n].map((a) => its.contains(a)),
    ).toEqual([false, true, true, false]);
    expect(() => its.register("NOPE")).toThrow(RangeError);
  });
});

/** How to break a working ITS, the message to send, and what is said then. */
const REASONS: readonly [string, (rig: Rig) => void, number, number][] = [
  ["OK", () => {}, 8, 1],
  ["DISABLED", ({ its }) => its.setRegister("CTLR", 0), 8, 1],
  ["DEVICE_OOR", () => {}, 0x10000, 1],
  ["DEVICE_UNMAPPED", () => {}, 9, 1],
  ["DEVICE_L2_INVALID", (rig) => rig.enable(VALID | INDIRECT | (DEVICES + 0x8000n)), 8, 1],
  ["DEVICE_FAULT", (rig) => rig.enable(VALID | HOLE | 0x200n), 8, 1],
  ["EVENT_OOR", () => {}, 8, 32],
  ["EVENT_UNMAPPED", () => {}, 8, 2],
  ["EVENT_VIRTUAL", (rig) => rig.map.writeBytes(ITT + 12n, Uint8Array.of(1)), 8, 1],
  ["ITT_FAULT", (rig) => rig.run(cmd.mapd(8, 5, HOLE)), 8, 1],
  ["COLLECTION_OOR", (rig) => rig.enable(undefined, COLLECTIONS), 8, 1],
  ["COLLECTION_FAULT", (rig) => rig.enable(undefined, VALID | HOLE | 0x200n), 8, 1],
  ["COLLECTION_UNMAPPED", (rig) => rig.run(cmd.mapc(1, 0, 0n)), 8, 1],
  ["RDBASE_OOR", (rig) => rig.map.writeU64(COLLECTIONS + 8n, 1n | (7n << 1n)), 8, 1],
  ["LPIS_DISABLED", (rig) => rig.redist(1, { ctlr: 0 }), 8, 1],
  ["INTID_OOR", (rig) => rig.redist(1, { propbaser: CONFIG | 12n }), 8, 1],
  ["PENDING_FAULT", (rig) => rig.redist(1, { pendbaser: HOLE }), 8, 1],
  ["CONFIG_FAULT", (rig) => rig.redist(1, { propbaser: HOLE | 15n }), 8, 1],
  ["LPI_DISABLED", (rig) => rig.map.writeBytes(CONFIG + 1n, Uint8Array.of(0xa2)), 8, 1],
];

describe("why a message has no effect", () => {
  it.each(REASONS)("%s", async (status, breakIt, device, event) => {
    const rig = await Rig.ready();
    breakIt(rig);
    const d = rig.its.deliver(device, event);
    expect(d.status).toBe(status);
    expect(d.reason.length).toBeGreaterThan(10);
    expect(d.outcome).toBe(
      status === "OK" ? "delivered" : /LPI_DIS|CONFIG/.test(status) ? "pending" : "lost",
    );
    const set = (rig.byte(PENDING[1] + 1024n) ?? 0) === 2;
    expect(set).toBe(d.outcome !== "lost");
  });

  it("says everything about a delivered one", async () => {
    const rig = await Rig.ready();
    const first = rig.its.deliver(8, 1);
    expect(first).toMatchObject({
      lpi: 8193,
      icid: 1,
      rdbase: 1,
      config: 0xa3,
      priority: 0xa0,
      enabled: true,
      wasPending: false,
      cached: false,
      fetches: 6,
    });
    expect(rig.its.deliver(8, 1).wasPending).toBe(true);
  });

  it("takes 16- and 32-bit writes to GITS_TRANSLATER as DeviceID 0", async () => {
    const rig = await Rig.ready();
    rig.run(cmd.mapd(0, 5, ITT + 0x1000n), cmd.mapti(0, 2, 8200, 0));
    rig.its.writeRegister(0x10040, 0x5_0002, 2);
    expect(rig.byte(PENDING[0] + 1025n)).toBe(1);
    rig.run(cmd.of(4, 0, 2));
    expect(rig.byte(PENDING[0] + 1025n)).toBe(0);
    rig.its.writeRegister(0x10040, 2, 4);
    rig.its.writeRegister(0x10044, 2, 4);
    expect(rig.byte(PENDING[0] + 1025n)).toBe(1);
  });
});

describe("commands", () => {
  it("move pending state with MOVI and MOVALL", async () => {
    const rig = await Rig.ready();
    rig.its.deliver(8, 1);
    const [moved] = rig.run(cmd.movi(8, 1, 0));
    expect(moved).toMatchObject({ name: "MOVI", status: "OK", lpi: 8193, icid: 0, rdbase: 0 });
    expect([rig.byte(PENDING[0] + 1024n), rig.byte(PENDING[1] + 1024n)]).toEqual([2, 0]);
    rig.run(cmd.movall(0, 1));
    expect([rig.byte(PENDING[0] + 1024n), rig.byte(PENDING[1] + 1024n)]).toEqual([0, 2]);
    expect(rig.its.deliver(8, 1).rdbase).toBe(0);
  });

  it("report the architected error of a command that does nothing", async () => {
    const rig = await Rig.ready();
    const errors = rig
      .run(
        cmd.mapd(0x10000, 5, ITT),
        cmd.mapd(9, 17, ITT),
        cmd.mapc(1, 9),
        cmd.mapti(9, 0, 8192, 0),
        cmd.mapti(8, 99, 8192, 0),
        cmd.mapti(8, 0, 100, 0),
        cmd.movi(8, 9, 0),
        cmd.movi(8, 1, 5),
        cmd.of(15, 8, 9),
        cmd.invall(7),
        cmd.movall(0, 9),
        cmd.sync,
      )
      .map((o) => o.error);
    expect(errors).toEqual([
      "E_ITS_MAPD_DEVICE_OOR",
      "E_ITS_MAPD_ITTSIZE_OOR",
      "E_ITS_MAPC_PROCNUM_OOR",
      "E_ITS_MAPTI_UNMAPPED_DEVICE",
      "E_ITS_MAPTI_ID_OOR",
      "E_ITS_MAPTI_PHYSICALID_OOR",
      "E_ITS_MOVI_UNMAPPED_INTERRUPT",
      "E_ITS_MOVI_UNMAPPED_COLLECTION",
      "E_ITS_DISCARD_UNMAPPED_INTERRUPT",
      "E_ITS_INVALL_UNMAPPED_COLLECTION",
      "E_ITS_MOVALL_PROCNUM_OOR",
      undefined,
    ]);
  });

  it("give the architected error numbers", async () => {
    const rig = await Rig.ready();
    const codes = rig
      .run(cmd.mapd(0x10000, 5, ITT), cmd.movi(8, 9, 0), cmd.of(3, 8, 9), cmd.sync)
      .map((o) => o.errorCode);
    expect(codes).toEqual([0x10801, 0x10107, 0x10307, undefined]);
  });

  it("end after the whole of a 1 MiB queue", async () => {
    const rig = await Rig.ready();
    const queue = 0x60000000n;
    rig.map.mapRam(queue, 0x100000);
    for (let at = 0n; at < 0x100000n; at += 32n) {
      rig.map.writeU64(queue + at, 14n);
      rig.map.writeU64(queue + at + 24n, 0x10000n);
    }
    rig.its.setRegister("CTLR", 0);
    rig.its.setRegister("CBASER", VALID | queue | 255n);
    rig.its.setRegister("CTLR", 1);
    rig.its.setRegister("CWRITER", 0xfffe0);
    expect(rig.its.register("CREADR")).toBe(0xfffe0n);
    const { outcomes } = rig.its.takeOutcomes();
    expect([outcomes[255].name, outcomes[255].status]).toEqual(["MOVALL", "OK"]);
  });

  it("stall where memory is missing and go on with Retry", async () => {
    const rig = await Rig.ready();
    const end = rig.its.register("CWRITER") + 32n;
    rig.run(cmd.mapd(8, 5, HOLE));
    expect(rig.run(cmd.mapti(8, 3, 8200, 0)).map((o) => o.status)).toEqual(["ITT_FAULT"]);
    expect(rig.its.register("CREADR")).toBe(end | 1n);
    rig.map.mapRam(HOLE, 4096);
    rig.its.setRegister("CWRITER", end + 32n);
    expect(rig.its.register("CREADR")).toBe(end | 1n);
    rig.its.setRegister("CWRITER", (end + 32n) | 1n);
    expect(rig.its.register("CREADR")).toBe(end + 32n);
    expect(rig.its.deliver(8, 3).lpi).toBe(8200);
  });

  it("restart at any write to GITS_CWRITER in QEMU, where Stalled stays", async () => {
    const rig = await Rig.ready({ compat: "qemu" });
    const end = rig.its.register("CWRITER") + 32n;
    rig.run(cmd.mapd(8, 5, HOLE), cmd.mapti(8, 3, 8200, 0));
    expect(rig.its.register("CREADR")).toBe(end | 1n);
    rig.map.mapRam(HOLE, 4096);
    rig.its.setRegister("CWRITER", end + 32n);
    expect(rig.its.register("CREADR")).toBe((end + 32n) | 1n);
  });

  it("are counted when more ran than the ring of outcomes holds", async () => {
    const rig = await Rig.bare();
    rig.its.setRegister("CBASER", VALID | RAM | 15n);
    rig.its.setRegister("CTLR", 1);
    rig.its.setRegister("CWRITER", 0x20 * 1000);
    const { outcomes, lost } = rig.its.takeOutcomes();
    expect([outcomes.length, lost, outcomes[0].index, outcomes[255].index]).toEqual([
      256, 744, 744, 999,
    ]);
    expect(outcomes[0].status).toBe("COMMAND_UNKNOWN");
  });

  it("stall at a queue that is not there, or not wholly", async () => {
    const rig = await Rig.bare();
    rig.its.setRegister("CBASER", VALID | (RAM + BigInt(RAM_BYTES) - 0x10000n) | 255n);
    rig.its.setRegister("CTLR", 1);
    rig.its.setRegister("CWRITER", 0xfffe0);
    expect(rig.its.register("CREADR")).toBe(0x10001n);
    expect(rig.its.takeOutcomes().outcomes.at(-1)?.status).toBe("COMMAND_FAULT");
  });

  it.each([
    ["arch", "DEVICE_UNMAPPED"],
    ["qemu", "DEVICE_OOR"],
  ] as const)("see an indirect table of 64 pages: %s", async (compat, status) => {
    const rig = await Rig.ready({ compat });
    rig.map.writeU64(DEVICES, VALID | COLLECTIONS);
    rig.enable(VALID | INDIRECT | DEVICES | 0x200n | 63n);
    expect(rig.its.deliver(9, 0).status).toBe(status);
  });
});
