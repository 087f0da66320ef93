// MSI-X and MSI by hand: masks, pending bits, listeners, and what a write may change.
import { describe, expect, it } from "vitest";
import { ConfigSpace } from "../../src/pci/config.ts";
import { PciFunction } from "../../src/pci/function.ts";
import { MsiCapability } from "../../src/pci/msi.ts";
import { MsixCapability } from "../../src/pci/msix.ts";
import { configOf, entry, msix, tableOf } from "./build.ts";

const ADDRESS = 0xfffff040n;

function capability(control: "on" | "off" | "masked", table?: Uint8Array): MsixCapability {
  const config = new ConfigSpace(configOf({ capabilities: [msix(4, control)] }));
  return MsixCapability.of(config, table) as MsixCapability;
}

const twoVectors = tableOf(entry(ADDRESS, 0), entry(ADDRESS, 1, 1));

describe("MSI-X", () => {
  it("masks every vector after reset", () => {
    const cap = capability("on");
    expect([0, 1, 2, 3].map((v) => cap.isMasked(v))).toEqual([true, true, true, true]);
    expect(cap.tableBytes[12]).toBe(1);
    expect(() => cap.message(4)).toThrow(RangeError);
    expect(() => cap.signal(-1)).toThrow(RangeError);
  });

  it("sends, holds back and sends later", () => {
    const cap = capability("on", twoVectors);
    const sent: number[] = [];
    cap.send = ({ data }) => sent.push(data);
    expect([cap.signal(0), cap.signal(1), cap.signal(1)]).toEqual(["sent", "pending", "pending"]);
    expect([sent, cap.isPending(1), cap.readPending(0, 8)]).toEqual([[0], true, 2n]);
    cap.writeTable(16 + 12, 4, 0n);
    expect([sent, cap.isPending(1)]).toEqual([[0, 1], false]);
  });

  it("does nothing while disabled", () => {
    const cap = capability("off", twoVectors);
    expect([cap.signal(0), cap.isPending(0)]).toEqual(["disabled", false]);
  });

  it("tells a listener of each vector that changes, with the message of that moment", () => {
    const cap = capability("on", twoVectors);
    const heard: string[] = [];
    cap.listen({
      use: (v, { address, data }) => heard.push(`use ${v} ${address.toString(16)} ${data}`),
      release: (v) => heard.push(`release ${v}`),
    });
    cap.writeTable(16, 8, ADDRESS + 0x1000n);
    cap.writeTable(24, 8, 5n);
    cap.writeTable(12, 4, 1n);
    cap.writeTable(12, 4, 1n);
    cap.unlisten();
    expect(heard).toEqual(["use 0 fffff040 0", "use 1 100000040 5", "release 0", "release 1"]);
  });

  it("follows the function mask, but is silent when MSI-X goes off", () => {
    const fn = new PciFunction({
      bdf: "00:01.0",
      config: configOf({ capabilities: [msix(4, "off")] }),
      msixTable: twoVectors,
    });
    const heard: string[] = [];
    fn.msix?.listen({
      use: (v) => heard.push(`use ${v}`),
      release: (v) => heard.push(`release ${v}`),
    });
    for (const control of [0xc003, 0x8003, 0xc003, 0x8003, 0x0003])
      fn.writeConfig(0x42, 2, control);
    expect(heard).toEqual(["use 0", "release 0", "use 0"]);
    expect(fn.vectors()).toEqual([]);
  });

  it("takes hostile table writes at any offset and size", () => {
    const cap = capability("on", twoVectors);
    cap.writeTable(60, 8, 0xffffffffffffffffn);
    cap.writeTable(1000, 4, 1n);
    cap.writeTable(3, 8, 0x1122334455667788n);
    expect(cap.readTable(60, 8)).toBe(0xffffffffn);
    expect(cap.readTable(1000, 4)).toBe(0n);
    expect(cap.isVectorMasked(3)).toBe(true);
  });
});

describe("MSI", () => {
  const of = (bytes: number[]): MsiCapability =>
    MsiCapability.of(new ConfigSpace(configOf({ capabilities: [bytes] }))) as MsiCapability;

  it("derives the data of each vector from the granted count", () => {
    const cap = of([5, 0, 0xa1, 0x00, 0x40, 0xf0, 0xff, 0xff, 1, 0, 0, 0, 0x23, 0x01]);
    expect(cap.vectorCount).toBe(4);
    expect([0, 3].map((v) => cap.message(v))).toEqual([
      { address: 0x1fffff040n, data: 0x120 },
      { address: 0x1fffff040n, data: 0x123 },
    ]);
    expect([cap.isMasked(3), cap.isMasked(4)]).toEqual([false, true]);
  });

  it("has its masks after the data", () => {
    const cap = of([5, 0, 0x11, 0x01, 0x40, 0, 0, 0x08, 0x50, 0, 0, 0, 0x02, 0, 0, 0]);
    expect([cap.hasMasks, cap.isMasked(0), cap.isMasked(1)]).toEqual([true, false, true]);
    expect(cap.message(1)).toEqual({ address: 0x08000040n, data: 0x51 });
  });
});

describe("configuration writes", () => {
  it("change only what software may change", () => {
    const config = configOf({ capabilities: [msix(4, "off")] });
    config.set([0xf4, 0x1a], 0);
    const fn = new PciFunction({ bdf: "0000:00:02.0", config });
    fn.writeConfig(0, 4, 0xffffffff);
    fn.writeConfig(4, 2, 0xffff);
    fn.writeConfig(0x42, 2, 0xffff);
    expect(fn.config.read(0, 4)).toBe(0x1af4);
    expect(fn.config.read(4, 2)).toBe(0x0547);
    expect(fn.config.read(0x42, 2)).toBe(0xc003);
    expect(fn.isBusMaster).toBe(true);
  });

  it("end capability lists that loop or leave the space", () => {
    const loop = configOf({ capabilities: [[1], [1]] });
    loop[0x45] = 0x40;
    const space = new ConfigSpace(loop);
    expect(space.capabilities().length).toBeLessThanOrEqual(48);
    const extended = new Uint8Array(3840);
    extended.set([1, 0, 0x01, 0x10], 0);
    expect(new ConfigSpace(loop, extended).extendedCapabilities().length).toBeLessThanOrEqual(480);
    expect(() => new ConfigSpace(new Uint8Array(10))).toThrow(RangeError);
  });
});
