// A passed-through function DMAs, faults and interrupts through an accelerated vSMMU and a physical SMMU.
import { describe, expect, it } from "vitest";
import { AccelMachine } from "../../src/machine/accel-machine.ts";

const NVME = { bdf: "0000:00:01.0", hostBdf: "0000:00:05.0", hostSid: 0x28 };
const NET = { bdf: "0000:00:02.0", hostBdf: "0000:00:04.0", hostSid: 0x20 };
const IOVA = 0xffff_0000n;
const GPA = 0x4010_0000n;
const MSI_IOVA = 0xffff_f040n;

async function started(compat: "arch" | "qemu" = "arch") {
  const machine = await AccelMachine.create({ compat });
  const nvme = machine.plug(NVME);
  const driver = machine.startGuestDriver();
  const domain = driver.domain();
  driver.attach(nvme.sid, domain);
  return { machine, nvme, driver, domain };
}

describe.each(["arch", "qemu"] as const)("an accelerated guest (%s)", (compat) => {
  it("translates DMA through the guest's stage 1 and the VM's stage 2", async () => {
    const { machine, nvme, driver, domain } = await started(compat);
    driver.map(domain, IOVA, GPA, 0x1000n);
    const { status, pa, stage } = machine.dma(nvme, IOVA + 0x10n, true);
    expect({ status, pa, stage }).toEqual({
      status: "ok",
      pa: (machine.hpaOf(GPA) as bigint) + 0x10n,
      stage: 3,
    });
    expect(machine.host.port.refused).toEqual([]);
  });
});
