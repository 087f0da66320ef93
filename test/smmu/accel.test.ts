// What an accelerated vSMMU does with each command, what it hands to the host, and where QEMU's
// differs.
import { describe, expect, it } from "vitest";
import { AccelMachine, type AccelMachineOptions } from "../../src/machine/accel-machine.ts";
import { VeventReader } from "../../src/smmu/accel-events.ts";
import { ACCEL_QUIRKS, accelQuirks } from "../../src/smmu/accel-quirks.ts";
import { CR0, EVENTQ_CONS, STRTAB_BASE } from "../../src/spec/register.ts";
import { STE } from "../../src/spec/ste.ts";
import { getField, packFields } from "../../src/spec/word.ts";
import { cfgiCd, cfgiSte, command } from "../../src/tables/command.ts";

const NVME = { bdf: "0000:00:01.0", hostBdf: "0000:00:05.0", hostSid: 0x28 };
const NET = { bdf: "0000:00:02.0", hostBdf: "0000:00:04.0", hostSid: 0x20 };
const GPA = 0x4010_0000n;

async function started(options: AccelMachineOptions = {}) {
  const machine = await AccelMachine.create({ keepCommands: true, ...options });
  const nvme = machine.plug(NVME);
  const driver = machine.startGuestDriver();
  const domain = driver.domain();
  driver.attach(nvme.sid, domain);
  const mark = { events: machine.events.length, host: machine.host.port.commands.length };
  const kinds = () =>
    machine.events.slice(mark.events).flatMap((e) => (e.from === "smmu" ? [e.event] : []));
  const onHost = () =>
    machine.host.port.commands.slice(mark.host).map((c) => Buffer.from(c).toString("hex"));
  return { machine, nvme, driver, domain, kinds, onHost };
}

describe("commands", () => {
  it.each([
    ["CMD_TLBI_NH_ASID", { "TLBI.ASID": 7 }, "11000000010007000000000000000000"],
    ["CMD_TLBI_NH_ALL", {}, "10000000010000000000000000000000"],
    ["CMD_TLBI_NSNH_ALL", {}, "10000000010000000000000000000000"],
    [
      "CMD_TLBI_NH_VA",
      { "TLBI.ASID": 7, "TLBI.Address": 0x5000 },
      "12000000010007000050000000000000",
    ],
    ["CMD_TLBI_NH_VAA", { "TLBI.Address": 0x5000 }, "13000000010000000050000000000000"],
    ["CMD_CFGI_CD", { StreamID: 8, "CFGI.Leaf": 1 }, "05000000280000000100000000000000"],
    ["CMD_CFGI_CD_ALL", { StreamID: 8 }, "06000000280000000000000000000000"],
  ] as const)("%s goes to the host as its own", async (name, fields, raw) => {
    const { driver, kinds, onHost } = await started();
    driver.issue(command(name, fields));
    expect(kinds()).toMatchObject([{ kind: "forward", done: 1 }]);
    expect(onHost()[0]).toBe(raw);
    expect(onHost()[1].startsWith("46")).toBe(true);
    expect(driver.port.refused).toEqual([]);
  });

  it.each(["CMD_PREFETCH_CONFIG", "CMD_SYNC", "CMD_ATC_INV"] as const)(
    "%s stays in the VMM",
    async (name) => {
      const { driver, kinds, onHost } = await started({ compat: "qemu" });
      driver.issue(command(name, { StreamID: 8 }));
      expect(kinds()).toEqual([]);
      expect(onHost()).toEqual([]);
    },
  );

  it("CFGI_CD of a StreamID without vDEVICE is not forwarded and does not fail", async () => {
    const { driver, kinds } = await started();
    driver.issue(cfgiCd(0x77, 0));
    expect(kinds()).toEqual([]);
    expect(driver.port.refused).toEqual([]);
  });

  it("a reserved bit passes in 7.2, and fails the command in the next kernel", async () => {
    for (const [kernel, cerrors] of [
      ["7.2", []],
      ["next", [1]],
    ] as const) {
      const { driver, machine } = await started({ kernel });
      const raw = command("CMD_TLBI_NH_ASID", { "TLBI.ASID": 1 });
      raw[1] = 0x40;
      driver.issue(raw);
      expect(driver.port.refused.map((r) => r.cerror)).toEqual(cerrors);
      // In 7.2 the host's own SMMU meets the bit that the guest set.
      expect(machine.host.port.refused.length).toBe(0);
    }
  });

  it("a range tries every function, and fails when one does", async () => {
    const machine = await AccelMachine.create();
    const nvme = machine.plug(NVME);
    const net = machine.plug(NET);
    const driver = machine.startGuestDriver();
    driver.bypass(nvme.sid);
    driver.bypass(net.sid);
    const bad = packFields(STE, { V: 1, Config: 5, EATS: 3 });
    const at = driver.steAddress(nvme.sid);
    for (const [i, word] of bad.entries()) machine.map.writeU64(at + BigInt(i * 8), word);
    const before = machine.events.length;
    driver.issue(command("CMD_CFGI_STE_RANGE", { StreamID: 0, "CFGI.Range": 31 }));
    const events = machine.events.slice(before).map((e) => e.event.kind);
    expect(events).toEqual(["install", "error"]);
    expect(driver.port.refused).toMatchObject([{ cerror: 1 }]);
  });
});

describe("gaps", () => {
  it("are all closed in arch and all open in qemu", () => {
    expect(accelQuirks("arch").size).toBe(0);
    expect(accelQuirks("qemu").size).toBe(ACCEL_QUIRKS.length);
  });

  it("SMMUEN moves functions between GBPA and their STE, but not in QEMU", async () => {
    for (const [compat, stage] of [
      ["arch", 2],
      ["qemu", 3],
    ] as const) {
      const { machine, nvme, driver, domain } = await started({ compat });
      driver.map(domain, GPA, GPA, 0x1000n);
      const on = machine.accel.readRegister(CR0.offset);
      machine.accel.writeRegister(CR0.offset, on - 1n);
      expect(machine.dma(nvme, GPA).stage).toBe(stage);
      machine.accel.writeRegister(CR0.offset, on);
      expect(machine.dma(nvme, GPA).stage).toBe(3);
    }
  });

  it("a stream without an STE aborts; in QEMU it keeps what it had", async () => {
    for (const [compat, status] of [
      ["arch", "abort"],
      ["qemu", "ok"],
    ] as const) {
      const { machine, nvme, driver, domain } = await started({ compat });
      driver.map(domain, GPA, GPA, 0x1000n);
      const base = machine.accel.readRegister(STRTAB_BASE.offset, 8);
      machine.map.writeU64(getField(STRTAB_BASE, [base], "ADDR"), 0n);
      driver.issue(cfgiSte(nvme.sid));
      expect(driver.port.refused).toEqual([]);
      expect(machine.dma(nvme, GPA).status).toBe(status);
    }
  });

  it("a stage 2 STE aborts, or fails the command and changes nothing in QEMU", async () => {
    for (const [compat, cerrors, status] of [
      ["arch", [], "abort"],
      ["qemu", [1], "ok"],
    ] as const) {
      const { machine, nvme, driver, domain } = await started({ compat });
      driver.map(domain, GPA, GPA, 0x1000n);
      machine.map.writeU64(driver.steAddress(nvme.sid), packFields(STE, { V: 1, Config: 6 })[0]);
      driver.issue(cfgiSte(nvme.sid));
      expect(driver.port.refused.map((r) => r.cerror)).toEqual(cerrors);
      expect(machine.dma(nvme, GPA).status).toBe(status);
    }
  });

  it("pointer bits 55:52 abort, or fail the command in QEMU", async () => {
    for (const [compat, cerrors] of [
      ["arch", []],
      ["qemu", [1]],
    ] as const) {
      const { machine, nvme, driver } = await started({ compat });
      const [word] = packFields(STE, { V: 1, Config: 5, S1ContextPtr: 1n << 52n });
      machine.map.writeU64(driver.steAddress(nvme.sid), word);
      driver.issue(cfgiSte(nvme.sid));
      expect(driver.port.refused.map((r) => r.cerror)).toEqual(cerrors);
    }
  });

  it("reset gives GBPA's choice back; QEMU keeps the nested table object", async () => {
    for (const [compat, tables] of [
      ["arch", 2],
      ["qemu", 3],
    ] as const) {
      const { machine, nvme } = await started({ compat });
      machine.reset();
      expect(machine.dma(nvme, GPA).stage).toBe(2);
      const nested = machine.host.iommufd.objects.list().filter((o) => o.type === "hwpt-nested");
      expect(nested).toHaveLength(tables);
    }
  });
});

describe("events", () => {
  it("that find the kernel's queue full are reported as lost, once", async () => {
    const { machine, nvme, driver, kinds } = await started();
    const depth = 2 ** 7;
    for (let i = 0; i < depth + 3; i++) machine.host.dma(nvme.host, BigInt(i) * 0x1000n, true);
    machine.host.handleEvents();
    machine.accel.pollEvents();
    const found = kinds();
    expect(found.filter((e) => e.kind === "event").length).toBeLessThanOrEqual(depth);
    expect(found.filter((e) => e.kind === "event").length).toBeGreaterThan(100);
    expect(getField(EVENTQ_CONS, [machine.accel.readRegister(EVENTQ_CONS.offset)], "RD")).toBe(0n);
    expect(driver.port.takeEvents().length).toBeGreaterThan(100);
  });

  const header = (flags: number, sequence: number, payload = 32): Uint8Array => {
    const bytes = new Uint8Array(8 + payload);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, flags, true);
    view.setUint32(4, sequence, true);
    return bytes;
  };

  it("of a file are records, losses, nothing, or too short", () => {
    const reads = [
      header(0, 5),
      header(0, 8),
      header(1, 9, 0),
      header(0, 20),
      header(0, 21, 8),
      new Uint8Array(4),
      new Uint8Array(0),
    ];
    const reader = new VeventReader(false);
    const seen = reads.map((bytes) => reader.next(() => bytes));
    expect(seen.map((e) => (e.kind === "record" ? e.lost : e.kind))).toEqual([
      0,
      2,
      "overflow",
      0,
      "short",
      "short",
      "empty",
    ]);
  });

  it("wrap their sequence without a loss, but not for QEMU", () => {
    for (const [qemu, lost] of [
      [false, 0],
      [true, 2 ** 31],
    ] as const) {
      const reader = new VeventReader(qemu);
      reader.next(() => header(0, 0x7fff_ffff));
      expect(reader.next(() => header(0, 0))).toMatchObject({ kind: "record", lost });
    }
  });
});
