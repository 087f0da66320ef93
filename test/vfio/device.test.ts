// MSI-X vectors of a passed-through function: one commit for a batch, none for what did not change,
// user space as the way out.
import { describe, expect, it } from "vitest";
import type { MsiMessage } from "../../src/pci/msi.ts";
import { VfioPciDevice, type VfioPciOptions } from "../../src/vfio/device.ts";
import { unpackIrqSet } from "../../src/vfio/irqset.ts";
import { IOVA, makeMachine } from "../kvm/machine.ts";

const ENTRY = 16;

function rig(
  kind: Parameters<typeof makeMachine>[0] = "direct",
  machineOptions: Parameters<typeof makeMachine>[2] = {},
  options: VfioPciOptions = {},
) {
  const machine = makeMachine(kind, [8], machineOptions);
  const calls: ReturnType<typeof unpackIrqSet>[] = [];
  let fd = 20;
  const device = new VfioPciDevice(
    machine.fn,
    machine.irqchip,
    {
      setIrqs: (bytes) => calls.push(unpackIrqSet(bytes)) * 0,
      openEventfd: () => fd++,
      closeEventfd: () => {},
    },
    options,
  );
  const commits = () => machine.events.filter((e) => e.kind === "commit").length;
  const program = (vector: number, message: MsiMessage, masked = false) => {
    machine.fn.msix?.writeTable(vector * ENTRY, 8, message.address);
    machine.fn.msix?.writeTable(vector * ENTRY + 8, 4, BigInt(message.data));
    machine.fn.msix?.writeTable(vector * ENTRY + 12, 4, masked ? 1n : 0n);
  };
  const mask = (vector: number, on: boolean) =>
    machine.fn.msix?.writeTable(vector * ENTRY + 12, 4, on ? 1n : 0n);
  return { ...machine, device, calls, commits, program, mask };
}

describe("switching MSI-X on", () => {
  it("commits once for all vectors, then ties eventfds, then tells the host once", () => {
    const r = rig();
    for (const v of [0, 1, 2]) r.program(v, { address: IOVA, data: v });
    r.device.setEnabled(true);
    expect(r.commits()).toBe(1);
    expect([0, 1, 2].map((v) => r.device.gsiOf(v))).toEqual([256, 257, 258]);
    expect(r.calls).toEqual([
      { flags: 0x24, index: 2, start: 0, count: 3, eventfds: [23, 24, 25] },
    ]);
    expect([23, 24, 25].map((fd) => r.vm.gsiOf(fd))).toEqual([256, 257, 258]);
  });

  it("with no usable vector only wakes the host's MSI-X up", () => {
    const r = rig();
    r.device.setEnabled(true);
    expect(r.commits()).toBe(0);
    expect(r.calls).toEqual([{ flags: 0x24, index: 2, start: 0, count: 1, eventfds: [-1] }]);
  });

  it("leaves the slots of masked vectors empty", () => {
    const r = rig();
    r.program(0, { address: IOVA, data: 0 }, true);
    r.program(2, { address: IOVA, data: 2 });
    r.device.setEnabled(true);
    expect(r.calls).toEqual([
      { flags: 0x24, index: 2, start: 0, count: 3, eventfds: [-1, -1, 21] },
    ]);
  });

  it("routes what can be routed and leaves the rest to user space", () => {
    const r = rig("direct", { gsis: 258 });
    for (const v of [0, 1, 2]) r.program(v, { address: IOVA, data: v });
    r.device.setEnabled(true);
    expect([0, 1, 2].map((v) => r.device.gsiOf(v))).toEqual([256, 257, undefined]);
    expect(r.commits()).toBe(1);
    expect(r.calls[0].eventfds).toEqual([23, 24, 22]);
    expect(r.device.interrupt(2)).toEqual({ path: "user space", result: "sent" });
  });
});

describe("a vector that changes while MSI-X is on", () => {
  it("is added with a commit of its own; the host starts again when it cannot grow", () => {
    const r = rig();
    r.device.setEnabled(true);
    r.calls.length = 0;
    r.program(1, { address: IOVA, data: 7 });
    expect(r.commits()).toBe(1);
    expect(r.calls).toEqual([
      { flags: 0x21, index: 2, start: 0, count: 0 },
      { flags: 0x24, index: 2, start: 0, count: 2, eventfds: [-1, 21] },
    ]);
  });

  it("is added alone when the host can grow", () => {
    const r = rig("direct", {}, { noresize: false });
    r.device.setEnabled(true);
    r.calls.length = 0;
    r.program(1, { address: IOVA, data: 7 });
    expect(r.calls).toEqual([{ flags: 0x24, index: 2, start: 1, count: 1, eventfds: [21] }]);
  });

  it("goes to user space while masked and comes back without a commit when nothing changed", () => {
    const r = rig();
    r.program(0, { address: IOVA, data: 3 });
    r.device.setEnabled(true);
    r.calls.length = 0;
    r.mask(0, true);
    expect(r.calls).toEqual([{ flags: 0x24, index: 2, start: 0, count: 1, eventfds: [20] }]);
    r.mask(0, false);
    expect(r.calls.at(-1)?.eventfds).toEqual([21]);
    expect(r.commits()).toBe(1);
    expect(r.events.filter((e) => e.kind === "update")).toHaveLength(1);
  });

  it("is committed again when its message changed", () => {
    const r = rig();
    r.program(0, { address: IOVA, data: 3 });
    r.device.setEnabled(true);
    r.mask(0, true);
    r.program(0, { address: IOVA, data: 4 });
    expect(r.commits()).toBe(2);
    expect(r.irqchip.routes.at(-1)).toMatchObject({ gsi: 256, data: 4 });
  });

  it("is committed again though nothing changed where QEMU does so", () => {
    const r = rig("direct", {}, { commitEqual: true });
    r.program(0, { address: IOVA, data: 3 });
    r.device.setEnabled(true);
    r.mask(0, true);
    r.mask(0, false);
    expect(r.commits()).toBe(2);
  });

  it("has no route without a translation, and user space sends its messages", () => {
    const r = rig("fault");
    r.program(0, { address: IOVA, data: 3 });
    r.device.setEnabled(true);
    expect(r.device.gsiOf(0)).toBeUndefined();
    expect(r.commits()).toBe(0);
    expect(r.calls).toEqual([{ flags: 0x24, index: 2, start: 0, count: 1, eventfds: [20] }]);
    const sent: MsiMessage[] = [];
    if (r.fn.msix) r.fn.msix.send = (message) => sent.push(message);
    expect(r.device.interrupt(0)).toEqual({ path: "user space", result: "sent" });
    expect(sent).toEqual([{ address: IOVA, data: 3 }]);
    expect(r.fixup.rcu.depth).toBe(0);
  });
});

describe("switching MSI-X off", () => {
  it("frees every GSI without a commit", () => {
    const r = rig();
    for (const v of [0, 1]) r.program(v, { address: IOVA, data: v });
    r.device.setEnabled(true);
    r.device.setEnabled(false);
    expect(r.commits()).toBe(1);
    expect(r.events.filter((e) => e.kind === "release").map((e) => e.gsi)).toEqual([256, 257]);
    expect(r.calls.at(-1)).toEqual({ flags: 0x21, index: 2, start: 0, count: 0 });
    expect(r.device.interrupt(0)).toEqual({ path: "none" });
  });
});

describe("a GICv2m", () => {
  it("needs no route, no fix-up and no commit: the data are the GSI", () => {
    const r = rig("direct", { directMapping: true });
    r.program(0, { address: 0x0802_0040n, data: 85 });
    r.device.setEnabled(true);
    expect(r.device.gsiOf(0)).toBe(53);
    expect(r.events).toEqual([]);
  });
});
