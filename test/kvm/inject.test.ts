// Messages through KVM: delivered, or the exact reason and errno of each silent loss.
import { describe, expect, it } from "vitest";
import { injectMessage } from "../../src/kvm/inject.ts";
import { msiRoute, packRouting } from "../../src/kvm/route.ts";
import { KvmVm } from "../../src/kvm/vm.ts";
import { errnoName } from "../../src/spec/errno.ts";
import { pack } from "../../src/spec/uapi.ts";
import { kvm_irqfd, kvm_msi } from "../../src/spec/uapi-kvm.ts";
import { captureNames, readManifest, restoreIts } from "../gic/capture.ts";
import { cmd, ITT, Rig } from "../gic/rig.ts";

const BASE = 0x08080000n;
const GOOD = { address: 0x08090040n, data: 1, flags: 1, devid: 8 };

const setUp = async (model: "qemu" | "kvm" = "kvm") => {
  const rig = await Rig.ready({ model });
  return { rig, frames: [{ base: BASE, its: rig.its }] };
};

describe("injection", () => {
  it.each([
    ["the doorbell", GOOD, "OK", 1],
    ["the first byte of the ITS", { ...GOOD, address: BASE }, "OK", 1],
    ["the last byte of the ITS", { ...GOOD, address: BASE + 0x1ffffn }, "OK", 1],
    ["one byte below", { ...GOOD, address: BASE - 1n }, "NOT_AN_ITS", -22],
    ["one byte above", { ...GOOD, address: BASE + 0x20000n }, "NOT_AN_ITS", -22],
    ["the guest's IOVA", { ...GOOD, address: 0xfffff040n }, "NOT_AN_ITS", -22],
    ["no DeviceID", { ...GOOD, flags: 0 }, "NO_DEVICE_ID", -22],
    ["an unmapped device", { ...GOOD, devid: 9 }, "DEVICE_UNMAPPED", 0],
    ["an unmapped event", { ...GOOD, data: 2 }, "EVENT_UNMAPPED", 0],
    ["an event out of range", { ...GOOD, data: 32 }, "EVENT_OOR", 0],
  ] as const)("of %s", async (_, message, reason, result) => {
    for (const model of ["kvm", "qemu"] as const) {
      const { frames } = await setUp(model);
      const injection = injectMessage(frames, message);
      expect([injection.reason, injection.result]).toEqual([reason, result]);
      expect(injection.outcome).toBe(reason === "OK" ? "delivered" : "lost");
      expect(injection.text).not.toBe("");
    }
  });

  it("fails without an ITS, with one that is off, and with LPIs off", async () => {
    expect(injectMessage([], GOOD)).toMatchObject({ reason: "NO_ITS", result: -19 });
    const { rig, frames } = await setUp();
    rig.redist(1, { ctlr: 0 });
    expect(injectMessage(frames, GOOD)).toMatchObject({ reason: "LPIS_DISABLED", result: -16 });
    rig.its.setRegister("CTLR", 0);
    expect(injectMessage(frames, GOOD)).toMatchObject({ reason: "DISABLED", result: -16 });
  });

  it("counts a disabled LPI as delivered: it stays pending", async () => {
    const { rig, frames } = await setUp("qemu");
    rig.map.writeBytes(0x40040001n, Uint8Array.of(0));
    const injection = injectMessage(frames, GOOD);
    expect(injection).toMatchObject({ reason: "LPI_DISABLED", result: 1, outcome: "pending" });
  });

  it("does not look at the flags of a cached message", async () => {
    const { frames } = await setUp();
    injectMessage(frames, GOOD);
    const again = injectMessage(frames, { ...GOOD, flags: 0, address: BASE + 4n });
    expect([again.result, again.delivery?.cached]).toEqual([1, true]);
  });

  it("finds the right one of two ITSs", async () => {
    const { rig, frames } = await setUp();
    const other = await Rig.ready({ model: "kvm" });
    other.run(cmd.mapd(9, 5, ITT + 0x1000n), cmd.mapti(9, 0, 8205, 0));
    const both = [...frames, { base: 0x09000000n, its: other.its }];
    expect(
      injectMessage(both, { address: 0x09010040n, data: 0, flags: 1, devid: 9 }).delivery?.lpi,
    ).toBe(8205);
    expect(injectMessage(both, { ...GOOD, devid: 9 }).reason).toBe("DEVICE_UNMAPPED");
    expect(rig.its.model).toBe("kvm");
  });
});

describe("irqfds and KVM_SIGNAL_MSI", () => {
  const makeVm = async () => {
    const { frames } = await setUp();
    const vm = new KvmVm();
    vm.itsFrames.push(...frames);
    return vm;
  };
  const irqfd = (fd: number, gsi: number, flags = 0) => pack(kvm_irqfd, { fd, gsi, flags });
  const name = (result: number) => errnoName(result) ?? String(result);

  it("signal a message, an SPI or nothing", async () => {
    const vm = await makeVm();
    const pin = { type: "irqchip", gsi: 3, flags: 0, irqchip: 0, pin: 3 } as const;
    vm.setGsiRouting(packRouting([pin, msiRoute(256, GOOD.address, 1, 8)]));
    expect([vm.irqfd(irqfd(10, 3)), vm.irqfd(irqfd(11, 256)), vm.irqfd(irqfd(12, 99))]).toEqual([
      0, 0, 0,
    ]);
    expect(vm.signalIrqfd(10)).toEqual([{ kind: "spi", spi: 35 }]);
    expect(vm.signalIrqfd(11)).toMatchObject([{ kind: "message", injection: { result: 1 } }]);
    expect(vm.signalIrqfd(12)).toEqual([{ kind: "no route" }]);
    expect(vm.signalIrqfd(13)).toBeUndefined();
  });

  it("use the new table at once, and lose messages silently", async () => {
    const vm = await makeVm();
    vm.setGsiRouting(packRouting([msiRoute(256, GOOD.address, 1, 8)]));
    vm.irqfd(irqfd(11, 256));
    vm.setGsiRouting(packRouting([msiRoute(256, 0xfffff040n, 1, 8)]));
    expect(vm.signalIrqfd(11)).toMatchObject([
      { kind: "message", injection: { outcome: "lost", reason: "NOT_AN_ITS", result: -22 } },
    ]);
  });

  it("know their errnos", async () => {
    const vm = await makeVm();
    expect([
      vm.irqfd(irqfd(10, 5)),
      name(vm.irqfd(irqfd(10, 6))),
      name(vm.irqfd(irqfd(9, 5, 4))),
    ]).toEqual([0, "EBUSY", "EINVAL"]);
    expect([
      vm.irqfd(irqfd(10, 6, 1)),
      vm.gsiOf(10),
      vm.irqfd(irqfd(10, 5, 1)),
      vm.gsiOf(10),
    ]).toEqual([0, 5, 0, undefined]);
    expect(name(vm.irqfd(new Uint8Array(4)))).toBe("EFAULT");
  });

  it("answer KVM_SIGNAL_MSI", async () => {
    const vm = await makeVm();
    const msi = (data: number, flags: number) =>
      vm.signalMsi(pack(kvm_msi, { address_lo: 0x08090040, data, flags, devid: 8 }));
    expect([msi(1, 1), msi(2, 1), name(msi(2, 0)), name(msi(1, 2))]).toEqual([
      1,
      0,
      "EINVAL",
      "EINVAL",
    ]);
    expect(name(vm.signalMsi(new Uint8Array(8)))).toBe("EFAULT");
    expect(name(new KvmVm().signalMsi(pack(kvm_msi, { flags: 1 })))).toBe("ENODEV");
  });
});

describe.each(captureNames.filter((name) => readManifest(name).its !== null))("%s", (name) => {
  it("gets every vector through KVM by its doorbell, and none by its IOVA", async () => {
    const { its } = await restoreIts(name);
    const frames = [{ base: its.base, its }];
    const wanted = readManifest(name).msis.filter((msi) => msi.lpi !== undefined);
    const message = (msi: (typeof wanted)[number], address: bigint) =>
      injectMessage(frames, { address, data: msi.data, flags: 1, devid: msi.deviceId });
    expect(wanted.map((msi) => message(msi, its.doorbell).delivery?.lpi)).toEqual(
      wanted.map((msi) => msi.lpi),
    );
    const raw = wanted.filter((msi) => !its.contains(msi.iova));
    expect(raw.map((msi) => message(msi, msi.iova).reason)).toEqual(raw.map(() => "NOT_AN_ITS"));
  });
});
