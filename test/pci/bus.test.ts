// Buses by hand: where an IOMMU sees a function behind bridges, and the requester ID that it sends.
import { describe, expect, it } from "vitest";
import { parseBdf } from "../../src/pci/bdf.ts";
import {
  iommuAddressSpaceOf,
  msiDirectGpaOf,
  PciBus,
  requesterIdOfFunction,
} from "../../src/pci/bus.ts";
import { PciFunction } from "../../src/pci/function.ts";
import { globalAddressSpace, type PCIIOMMUOps, sharedSystemMemory } from "../../src/pci/iommu.ts";
import { configOf, express } from "./build.ts";

const memory = globalAddressSpace();

const endpoint = (bdf: string, capabilities = [express(0)]) =>
  new PciFunction({ bdf, config: configOf({ capabilities }) });
const bridge = (bdf: string, secondary: number, portType?: number) =>
  new PciFunction({
    bdf,
    config: configOf({
      bridge: { secondary },
      capabilities: portType === undefined ? [] : [express(portType)],
    }),
  });

/** IOMMU ops that remember under which bus and devfn they were asked. */
function recorder(ops: Partial<PCIIOMMUOps<PciBus>> = {}) {
  const asked: string[] = [];
  const all: PCIIOMMUOps<PciBus> = {
    getAddressSpace: (bus, devfn) => {
      asked.push(`${bus.number}:${devfn}`);
      return sharedSystemMemory();
    },
    ...ops,
  };
  return { asked, ops: all };
}

describe("the IOMMU's view", () => {
  it("is the global memory without an IOMMU, or around it", () => {
    const root = new PciBus("pcie.0", { number: 0 });
    const fn = endpoint("00:01.0");
    root.plug(fn);
    expect(iommuAddressSpaceOf(fn, memory)).toBe(memory);
    root.iommuOps = recorder().ops;
    expect(iommuAddressSpaceOf(fn, memory).isGlobal).toBe(false);
    root.bypassIommu = true;
    expect(iommuAddressSpaceOf(fn, memory)).toBe(memory);
  });

  it.each([
    ["a root port passes the function's own place", 4, "1:24", 0x118],
    ["a bridge to conventional PCI stands in as (secondary bus, 0)", 7, "1:0", 0x100],
    ["a conventional bridge stands in as itself", undefined, "0:8", 0x008],
  ])("%s", (_, portType, place, requester) => {
    const root = new PciBus("pcie.0", { number: 0 });
    const { asked, ops } = recorder();
    root.iommuOps = ops;
    const port = bridge("00:01.0", 1, portType);
    root.plug(port);
    const behind = new PciBus("behind", { parent: port });
    const fn = endpoint("01:03.0", portType === 4 ? [express(0)] : []);
    behind.plug(fn);
    iommuAddressSpaceOf(fn, memory);
    expect(asked).toEqual([place]);
    expect(requesterIdOfFunction(fn)).toBe(requester);
  });

  it("follows a bridge that software renumbers", () => {
    const root = new PciBus("pcie.0", { number: 0 });
    const port = bridge("00:01.0", 1, 4);
    root.plug(port);
    const fn = endpoint("01:00.0");
    new PciBus("rp", { parent: port }).plug(fn);
    port.writeConfig(0x19, 1, 5);
    expect([fn.bdf, requesterIdOfFunction(fn)]).toEqual(["0000:05:00.0", 0x500]);
  });

  it("names a doorbell only when the IOMMU does, and never 0", () => {
    const root = new PciBus("pcie.0", { number: 0 });
    const fn = endpoint("00:01.0");
    root.plug(fn);
    expect(msiDirectGpaOf(fn)).toBeUndefined();
    root.iommuOps = recorder().ops;
    expect(msiDirectGpaOf(fn)).toBeUndefined();
    root.iommuOps = recorder({ getMsiDirectGpa: () => 0x08090040n }).ops;
    expect(msiDirectGpaOf(fn)).toBe(0x08090040n);
    root.iommuOps = recorder({ getMsiDirectGpa: () => 0n }).ops;
    expect(() => msiDirectGpaOf(fn)).toThrow(/doorbell/);
  });
});

describe("plugging", () => {
  it("refuses a taken slot and what the IOMMU refuses", () => {
    const root = new PciBus("pcie.0", { number: 0 });
    root.plug(endpoint("00:01.0"));
    expect(() => root.plug(endpoint("00:01.0"))).toThrow(/already there/);
    const refusal = "Emulated endpoint devices are not allowed";
    root.iommuOps = recorder({ supportsAddressSpace: () => refusal }).ops;
    const fn = endpoint("00:02.0");
    expect(() => root.plug(fn)).toThrow(refusal);
    expect([fn.bus, root.find(16)]).toEqual([undefined, undefined]);
    expect(() => iommuAddressSpaceOf(fn, memory)).toThrow(/not plugged/);
  });

  it("takes only PCI addresses", () => {
    expect(parseBdf("0001:ff:1f.7")).toEqual({ domain: 1, bus: 255, devfn: 255 });
    for (const bad of ["0:1.0", "00:20.0", "00:01.8", "00:01", "zz:01.0"])
      expect(() => parseBdf(bad)).toThrow(RangeError);
  });
});
