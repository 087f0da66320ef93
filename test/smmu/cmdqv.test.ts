// The Tegra241 CMDQV: trapped frames, the page that does not trap, and what the hardware takes from
// a guest's queue.
import { describe, expect, it } from "vitest";
import { AccelMachine, CMDQV_BASE } from "../../src/machine/accel-machine.ts";
import { Cmdqv, refuseCmdqv } from "../../src/smmu/cmdqv.ts";
import { command, sync, tlbiNhVa } from "../../src/tables/command.ts";

const NVME = { bdf: "0000:00:01.0", hostBdf: "0000:00:05.0", hostSid: 0x28 };
const IOVA = 0xffff_0000n;
const GPA = 0x4010_0000n;
const QUEUE = 0x4020_0000n;
const LOG2 = 4n;
const PLAIN_SYNC = command("CMD_SYNC");

const CONFIG = 0x0n;
const ALLOC0 = 0x200n;
const VINTF_CONFIG = 0x1000n;
const PAGE0 = 0x10000n;
const PAGE1 = 0x20000n;
const DIRECT = 0x30000n;
const CONS = 0n;
const PROD = 4n;
const ENABLE = 8n;
const STATUS = 12n;
const GERROR = 16n;
const GERRORN = 20n;

async function started() {
  const machine = await AccelMachine.create({ cmdqv: true });
  const nvme = machine.plug(NVME);
  const driver = machine.startGuestDriver();
  const domain = driver.domain();
  driver.attach(nvme.sid, domain);
  const write = (offset: bigint, value: bigint, size: 4 | 8 = 4) =>
    machine.guestWrite(CMDQV_BASE + offset, value, size);
  const read = (offset: bigint) => machine.guestRead(CMDQV_BASE + offset);
  return { machine, nvme, driver, domain, write, read };
}

/** The steps that together start queue 0; any order will do. */
const steps = (write: (offset: bigint, value: bigint, size?: 4 | 8) => void) => ({
  base: () => write(PAGE1, QUEUE | LOG2, 8),
  alloc: () => write(ALLOC0, 1n),
  config: () => write(CONFIG, 1n),
  vintf: () => write(VINTF_CONFIG, 1n),
});

async function running() {
  const made = await started();
  const { base, alloc, vintf } = steps(made.write);
  base();
  alloc();
  vintf();
  made.write(DIRECT + ENABLE, 1n);
  const { machine } = made;
  let produced = 0;
  const produce = (...commands: Uint8Array[]) => {
    for (const c of commands) {
      machine.map.writeBytes(QUEUE + BigInt((produced % 16) * 16), c);
      produced = (produced + 1) % 32;
    }
    made.write(DIRECT + PROD, BigInt(produced));
  };
  return { ...made, produce };
}

describe("a guest's CMDQV", () => {
  it("is offered when the host has one, with a command queue of at most one page", async () => {
    const { machine, read } = await started();
    expect(machine.ops.resolved.cmdqv).toBe(true);
    expect(read(4n)).toBe(0x4011n);
    expect((machine.accel.readRegister(4) >> 21n) % 32n).toBe(8n);
    const types = machine.host.iommufd.objects.list().map((o) => o.type);
    expect(types).toContain("veventq");
  });

  it("is absent on other hosts; cmdqv=on refuses them", async () => {
    const plain = await AccelMachine.create();
    plain.plug(NVME);
    expect(plain.ops.resolved.cmdqv).toBe(false);
    const strict = await AccelMachine.create({ properties: { cmdqv: "on" } });
    expect(() => strict.plug(NVME)).toThrow("no CMDQV");
    expect(refuseCmdqv({ version: 2, log2vcmdqs: 1, log2vsids: 4 })).toContain("version");
    expect(refuseCmdqv({ version: 1, log2vcmdqs: 0, log2vsids: 4 })).toContain("queues");
    expect(refuseCmdqv({ version: 1, log2vcmdqs: 1, log2vsids: 3 })).toContain("StreamIDs");
    expect(Cmdqv.directOffset).toBe(0x30000);
  });

  const orders = [
    ["base", "alloc", "config", "vintf"],
    ["vintf", "config", "alloc", "base"],
    ["alloc", "vintf", "base", "config"],
  ] as const;
  it.each(orders)("starts its queue in the hardware after %s, %s, %s, %s", async (...order) => {
    const { machine, write } = await started();
    write(CONFIG, 0n);
    const objects = () => machine.host.iommufd.objects.list().filter((o) => o.type === "hw-queue");
    const all = steps(write);
    for (const step of order) {
      expect(objects()).toEqual([]);
      all[step]();
    }
    expect(objects()).toHaveLength(1);
    write(VINTF_CONFIG, 0n);
    expect(objects()).toEqual([]);
  });

  it("reports a queue that the kernel refuses", async () => {
    const { write, read } = await started();
    const { alloc, vintf } = steps(write);
    alloc();
    vintf();
    write(PAGE1, 0x9000_0000n | LOG2, 8);
    expect(read(PAGE0 + GERROR)).toBe(4n);
    write(PAGE0 + ENABLE, 1n);
    expect(read(PAGE0 + STATUS)).toBe(0n);
    write(PAGE1, QUEUE | LOG2, 8);
    write(DIRECT + ENABLE, 1n);
    expect(read(DIRECT + STATUS)).toBe(1n);
  });

  it("never lets the guest own the interface", async () => {
    const { write, read } = await started();
    write(VINTF_CONFIG, 0x3_0003n);
    expect(read(VINTF_CONFIG)).toBe(0x1_0003n);
  });
});

describe("the untrapped queue", () => {
  it("invalidates the physical SMMU without the VMM", async () => {
    const { machine, nvme, driver, domain, produce, read } = await running();
    driver.map(domain, IOVA, GPA, 0x1000n);
    expect(machine.dma(nvme, IOVA).pa).toBe(machine.hpaOf(GPA));
    driver.map(domain, IOVA, GPA + 0x1000n, 0x1000n);
    expect(machine.dma(nvme, IOVA).pa).toBe(machine.hpaOf(GPA));
    const before = { ...machine.vmmReads, trapped: machine.accesses.trapped };
    produce(tlbiNhVa(domain.tag, IOVA), PLAIN_SYNC);
    expect(machine.dma(nvme, IOVA).pa).toBe(machine.hpaOf(GPA + 0x1000n));
    expect(read(DIRECT + CONS)).toBe(2n);
    expect({ ...machine.vmmReads, trapped: machine.accesses.trapped }).toEqual(before);
  });

  it("keeps the VM's own VMID whatever the command says", async () => {
    const { machine, nvme, driver, domain, produce } = await running();
    driver.map(domain, IOVA, GPA, 0x1000n);
    machine.dma(nvme, IOVA);
    driver.map(domain, IOVA, GPA + 0x1000n, 0x1000n);
    const foreign = tlbiNhVa(domain.tag, IOVA);
    foreign[4] = 0x55;
    produce(foreign);
    expect(machine.dma(nvme, IOVA).pa).toBe(machine.hpaOf(GPA + 0x1000n));
  });

  it("stops at a command that is not allowed there, and goes on once acknowledged", async () => {
    const { machine, domain, produce, read, write } = await running();
    produce(tlbiNhVa(domain.tag, IOVA), sync(), PLAIN_SYNC);
    expect(read(DIRECT + CONS)).toBe((4n << 24n) | 1n);
    expect(read(DIRECT + GERROR)).toBe(1n);
    expect(read(0x24n)).toBe(1n);
    expect(read(0x14n)).toBe(1n);
    expect(machine.cmdqvInterrupts).toBe(1);
    machine.map.writeBytes(QUEUE + 16n, PLAIN_SYNC);
    write(DIRECT + GERRORN, 1n);
    expect(read(DIRECT + CONS)).toBe(3n);
  });

  it("refuses every command but four", async () => {
    const names = [
      "CMD_CFGI_STE",
      "CMD_CFGI_CD",
      "CMD_TLBI_NH_ALL",
      "CMD_TLBI_S12_VMALL",
      "CMD_PREFETCH_CONFIG",
    ] as const;
    for (const name of names) {
      const { produce, read } = await running();
      produce(command(name));
      expect(read(DIRECT + CONS) >> 24n).toBe(4n);
    }
    const { nvme, produce, read } = await running();
    produce(command("CMD_ATC_INV", { StreamID: 0x77 }));
    expect(read(DIRECT + CONS) >> 24n).toBe(4n);
    expect(nvme.sid).toBe(8);
  });

  it("masks the interrupt when the guest says so", async () => {
    const { machine, produce, write } = await running();
    write(0x1cn, 1n);
    produce(sync());
    expect(machine.cmdqvInterrupts).toBe(0);
  });

  it("goes with a reset, and comes back", async () => {
    const { machine, read } = await running();
    machine.reset();
    expect(machine.cmdqv.directPage).toBeUndefined();
    expect(read(VINTF_CONFIG)).toBe(0n);
    expect(machine.host.iommufd.objects.list().some((o) => o.type === "hw-queue")).toBe(false);
  });

  it("keeps the function that made the vIOMMU from being unplugged", async () => {
    const { machine, nvme } = await running();
    const second = machine.plug({ bdf: "0000:00:02.0", hostBdf: "0000:00:04.0", hostSid: 0x20 });
    expect(() => machine.unplug(nvme)).toThrow("CMDQV");
    machine.unplug(second);
    expect(machine.functions).toEqual([nvme]);
  });
});
