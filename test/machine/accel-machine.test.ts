// A passed-through function DMAs, faults and interrupts through an accelerated vSMMU and a physical
// SMMU.
import { describe, expect, it } from "vitest";
import { AccelMachine, type AccelMachineOptions } from "../../src/machine/accel-machine.ts";
import { LPI_FIRST } from "../../src/machine/guest-its.ts";
import { EVENT } from "../../src/spec/event.ts";
import { CMDQ_CONS, GERROR } from "../../src/spec/register.ts";
import { STE } from "../../src/spec/ste.ts";
import { getField, packFields, wordsOf } from "../../src/spec/word.ts";
import { cfgiSte, tlbiNhVa } from "../../src/tables/command.ts";

const NVME = { bdf: "0000:00:01.0", hostBdf: "0000:00:05.0", hostSid: 0x28 };
const NET = { bdf: "0000:00:02.0", hostBdf: "0000:00:04.0", hostSid: 0x20 };
const IOVA = 0xffff_0000n;
const GPA = 0x4010_0000n;
const MSI_PAGE = 0xffff_f000n;
const MSI_IOVA = MSI_PAGE + 0x40n;
const DOORBELL = 0x0809_0040n;

async function started(options: AccelMachineOptions = {}) {
  const machine = await AccelMachine.create(options);
  const nvme = machine.plug(NVME);
  const driver = machine.startGuestDriver();
  const domain = driver.domain();
  driver.attach(nvme.sid, domain);
  return { machine, nvme, driver, domain };
}

/** Event records that arrived in the guest's queue, by name and StreamID. */
const guestEvents = (machine: AccelMachine) =>
  machine.events.flatMap((e) => {
    if (e.from !== "smmu" || e.event.kind !== "event") return [];
    const words = wordsOf(e.event.record);
    const name = EVENT.caseOf(Number(getField(EVENT, words, "EventID")))?.name;
    return [{ name, sid: Number(getField(EVENT, words, "StreamID")), words }];
  });

describe.each(["arch", "qemu"] as const)("an accelerated guest (%s)", (compat) => {
  it("translates DMA through the guest's stage 1 and the VM's stage 2", async () => {
    const { machine, nvme, driver, domain } = await started({ compat });
    driver.map(domain, IOVA, GPA, 0x1000n);
    const { status, pa, stage } = machine.dma(nvme, IOVA + 0x10n, true);
    expect({ status, pa, stage }).toEqual({
      status: "ok",
      pa: (machine.hpaOf(GPA) as bigint) + 0x10n,
      stage: 3,
    });
    expect(machine.host.port.refused).toEqual([]);
  });

  it("drops a translation when the guest invalidates it", async () => {
    const { machine, nvme, driver, domain } = await started({ compat });
    driver.map(domain, IOVA, GPA, 0x1000n);
    expect(machine.dma(nvme, IOVA).pa).toBe(machine.hpaOf(GPA));
    driver.unmap(domain, IOVA, 0x1000n);
    expect(machine.dma(nvme, IOVA).status).toBe("event");
    driver.map(domain, IOVA, GPA + 0x1000n, 0x1000n);
    expect(machine.dma(nvme, IOVA).pa).toBe(machine.hpaOf(GPA + 0x1000n));
  });

  it("keeps a cached translation until then: the VMM sees no table", async () => {
    const { machine, nvme, driver, domain } = await started({ compat });
    driver.map(domain, IOVA, GPA, 0x1000n);
    expect(machine.dma(nvme, IOVA).pa).toBe(machine.hpaOf(GPA));
    driver.map(domain, IOVA, GPA + 0x1000n, 0x1000n);
    expect(machine.dma(nvme, IOVA).pa).toBe(machine.hpaOf(GPA));
    driver.issue(tlbiNhVa(domain.tag, IOVA));
    expect(machine.dma(nvme, IOVA).pa).toBe(machine.hpaOf(GPA + 0x1000n));
    expect(machine.vmmReads.tables).toBe(0);
    expect(machine.vmmReads.streamTable).toBeGreaterThan(0);
  });

  it("forwards stage 1 faults with the guest's StreamID and keeps stage 2 faults", async () => {
    const { machine, nvme, driver, domain } = await started({ compat });
    const fault = machine.dma(nvme, IOVA, true);
    expect(fault.event?.name).toBe("F_TRANSLATION");
    const [event] = guestEvents(machine);
    expect(event).toMatchObject({ name: "F_TRANSLATION", sid: nvme.sid });
    expect(getField(EVENT, event.words, "InputAddr")).toBe(IOVA);
    // Stage 1 leads to a guest-physical address that is no memory of the VM.
    driver.map(domain, IOVA, 0x9000_0000n, 0x1000n);
    const second = machine.dma(nvme, IOVA, true);
    expect(second.event?.name).toBe("F_TRANSLATION");
    expect(getField(EVENT, wordsOf(second.event?.record as Uint8Array), "S2")).toBe(1n);
    expect(guestEvents(machine)).toHaveLength(1);
  });

  it("bypass reaches all of the VM's memory and nothing else, abort reaches nothing", async () => {
    const { machine, nvme, driver } = await started({ compat });
    driver.bypass(nvme.sid);
    expect(machine.dma(nvme, GPA, true).pa).toBe(machine.hpaOf(GPA));
    expect(machine.dma(nvme, 0x9000_0000n).event?.name).toBe("F_TRANSLATION");
    driver.block(nvme.sid);
    expect(machine.dma(nvme, GPA).status).toBe("abort");
    expect(guestEvents(machine)).toEqual([]);
  });

  it("sends messages through the physical window and the direct doorbell", async () => {
    const { machine, nvme, driver, domain } = await started({ compat });
    driver.mapWindow(domain);
    driver.mapDoorbell(domain, MSI_PAGE, DOORBELL);
    const its = machine.startGuestIts();
    expect(its.map(nvme.sid, 7)).toBe(LPI_FIRST);
    nvme.setVector(0, { address: MSI_IOVA, data: 7 });
    nvme.setMsix("on");
    const outcome = nvme.interrupt(0);
    expect(outcome.physical.iova).toBe(0x0800_0040n);
    expect(outcome.physical.translation.pa).toBe(DOORBELL);
    expect(outcome.signals).toMatchObject([
      {
        kind: "message",
        route: { addressLo: Number(DOORBELL), addressHi: 0, data: 7, devid: nvme.sid },
        injection: { outcome: "delivered", delivery: { lpi: LPI_FIRST } },
      },
    ]);
    // What the guest programmed could not be reached through both stages.
    const walk = machine.dma(nvme, MSI_IOVA, true);
    const words = wordsOf(walk.event?.record as Uint8Array);
    expect(walk.event?.name).toBe("F_TRANSLATION");
    expect(getField(EVENT, words, "S2")).toBe(1n);
    expect(getField(EVENT, words, "IPA")).toBe(DOORBELL & ~0xfffn);
    expect(machine.fixup.rcu.depth).toBe(0);
    expect(machine.vmmReads.tables).toBe(0);
  });

  it("needs the guest's identity map of the window for messages", async () => {
    const { machine, nvme } = await started({ compat });
    nvme.setVector(0, { address: MSI_IOVA, data: 7 });
    nvme.setMsix("on");
    const outcome = nvme.interrupt(0);
    expect(outcome.reachedHost).toBe(false);
    expect(outcome.guest).toBeUndefined();
    expect(guestEvents(machine)).toMatchObject([{ name: "F_TRANSLATION", sid: nvme.sid }]);
  });

  it("hands a masked vector to user space, whose store is not translated", async () => {
    const { nvme, driver, domain } = await started({ compat });
    driver.mapWindow(domain);
    driver.mapDoorbell(domain, MSI_PAGE, DOORBELL);
    nvme.setVector(0, { address: MSI_IOVA, data: 7 });
    nvme.setMsix("on");
    nvme.maskVector(0, true);
    expect(nvme.interrupt(0)).toMatchObject({
      guest: { path: "user space", result: "pending" },
      stores: [],
    });
    nvme.maskVector(0, false);
    expect(nvme.stores).toEqual([{ gpa: MSI_IOVA, data: 7, translated: false, range: undefined }]);
  });

  it("stops the queue with CERROR_ILL when the kernel refuses an STE", async () => {
    const { machine, nvme, driver } = await started({ compat });
    const ste = packFields(STE, { V: 1, Config: 5, S1Fmt: 2, S1ContextPtr: 0x4100_0000n, EATS: 2 });
    const at = driver.steAddress(nvme.sid);
    for (const [i, word] of ste.entries()) machine.map.writeU64(at + BigInt(i * 8), word);
    driver.issue(cfgiSte(nvme.sid));
    expect(driver.port.refused).toMatchObject([{ cerror: 1 }]);
    expect(getField(CMDQ_CONS, [machine.accel.readRegister(CMDQ_CONS.offset)], "ERR")).toBe(1n);
    expect(machine.accel.readRegister(GERROR.offset)).toBe(1n);
  });
});

describe("gaps of the accelerated vSMMU", () => {
  it("in qemu alone a second function reaches all memory until its first CFGI_STE", async () => {
    for (const [compat, status] of [
      ["qemu", "ok"],
      ["arch", "abort"],
    ] as const) {
      const machine = await AccelMachine.create({ compat });
      machine.plug(NVME);
      // The guest has asked GBPA to abort before the second function comes.
      machine.accel.writeRegister(0x44, 0x8010_0000n);
      const net = machine.plug(NET);
      expect(machine.dma(net, GPA).status).toBe(status);
    }
  });

  it("a GBPA write while enabled takes the tables away in qemu", async () => {
    for (const [compat, stage] of [
      ["qemu", 2],
      ["arch", 3],
    ] as const) {
      const { machine, nvme, driver, domain } = await started({ compat });
      driver.map(domain, GPA, GPA, 0x1000n);
      machine.accel.writeRegister(0x44, 0x8000_0000n);
      expect(machine.dma(nvme, GPA).stage).toBe(stage);
    }
  });
});

describe("plugging", () => {
  it("refuses emulated functions, and vfio-pci without an iommufd", async () => {
    const machine = await AccelMachine.create();
    expect(() => machine.plug({ ...NVME, model: { driver: "virtio-net-pci" } })).toThrow(
      "emulated",
    );
    expect(() => machine.plug({ ...NVME, model: { driver: "vfio-pci" } })).toThrow("iommufd");
    expect(machine.root.functions).toEqual([]);
    machine.plug(NVME);
  });

  it("refuses a function behind a host SMMU that does not fit, and leaves nothing", async () => {
    const info = { flags: 0, idr: [0xd44101b, 0x2730010, 0, 0x1014, 0, 0x74], iidr: 0, aidr: 1 };
    const machine = await AccelMachine.create({ host: info, properties: { ril: "on" } });
    expect(() => machine.plug(NVME)).toThrow("range invalidation");
    expect(machine.host.iommufd.objects.list()).toEqual([]);
    expect(machine.root.functions).toEqual([]);
  });

  it("takes auto properties from the first host", async () => {
    const info = { flags: 0, idr: [0xd44101b, 0x2730010, 0, 0x1014, 0, 0x75], iidr: 0, aidr: 1 };
    const machine = await AccelMachine.create({ host: info });
    machine.plug(NVME);
    expect(machine.ops.resolved).toMatchObject({ ril: false, oas: 48 });
    expect(machine.accel.readRegister(0x0c)).toBe(0x1004n);
    expect(machine.accel.readRegister(0x14)).toBe(0x75n);
  });

  it("gives everything back when the last function goes", async () => {
    const { machine, nvme } = await started();
    machine.plug(NET);
    machine.unplug(machine.functions[1]);
    expect(machine.accel.viommuId).toBeDefined();
    machine.unplug(nvme);
    expect(machine.host.iommufd.objects.list()).toEqual([]);
    expect(machine.accel.viommuId).toBeUndefined();
  });
});
