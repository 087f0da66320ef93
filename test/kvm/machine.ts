// A PCI bus with chosen IOMMU ops, a virtual machine and its VMM's routes, for tests.

import type { FixupContext } from "../../src/kvm/fixup.ts";
import { type IrqchipEvent, KvmIrqchip } from "../../src/kvm/irqchip.ts";
import { RcuReader } from "../../src/kvm/rcu.ts";
import { KvmVm } from "../../src/kvm/vm.ts";
import { PciBus } from "../../src/pci/bus.ts";
import { PciFunction } from "../../src/pci/function.ts";
import {
  type AddressSpace,
  globalAddressSpace,
  type PCIIOMMUOps,
  sharedSystemMemory,
} from "../../src/pci/iommu.ts";
import { configOf, express, msix } from "../pci/build.ts";

export const DOORBELL = 0x08090040n;
export const IOVA = 0xfffff040n;

/**
 * "none": no IOMMU. "direct": it names the doorbell. "walk": only by translation. "fault": never.
 */
export type IommuKind = "none" | "direct" | "walk" | "fault" | "outside";

/** An address space that maps the one page of the MSI IOVA to the doorbell's. */
export function walkingSpace(kind: "walk" | "fault" | "outside"): AddressSpace {
  return {
    name: "smmuv3-iommu",
    isGlobal: false,
    translate(iova, write) {
      if (kind === "fault" || !write || iova >> 12n !== IOVA >> 12n)
        return { fault: "F_TRANSLATION" };
      const page = kind === "walk" ? DOORBELL >> 12n : 0xdead0n;
      return { gpa: (page << 12n) | (iova & 0xfffn), mask: 0xfffn };
    },
  };
}

function opsOf(kind: IommuKind): PCIIOMMUOps<PciBus> | undefined {
  if (kind === "none") return undefined;
  if (kind !== "direct") return { getAddressSpace: () => walkingSpace(kind) };
  return { getAddressSpace: () => sharedSystemMemory(), getMsiDirectGpa: () => DOORBELL };
}

/** A machine with functions at the given devfn, behind one kind of IOMMU. */
export function makeMachine(
  kind: IommuKind,
  devfns: readonly number[] = [8],
  options: { vectors?: number; gsis?: number; directMapping?: boolean; spis?: number } = {},
) {
  const bus = new PciBus("pcie.0", { number: 0 });
  bus.iommuOps = opsOf(kind);
  const functions = devfns.map((devfn) => {
    const bdf = `00:${(devfn >> 3).toString(16).padStart(2, "0")}.${devfn & 7}`;
    const capabilities = [express(0), msix(options.vectors ?? 8, "off")];
    const fn = new PciFunction({ bdf, config: configOf({ capabilities }) });
    bus.plug(fn);
    return fn;
  });
  const fixup: FixupContext = {
    memory: globalAddressSpace(),
    ranges: {
      findRange: (gpa) =>
        gpa >= 0x08080000n && gpa < 0x080a0000n ? { name: "gicv3_its" } : undefined,
    },
    rcu: new RcuReader(),
  };
  const events: IrqchipEvent[] = [];
  const vm = new KvmVm();
  const irqchip = new KvmIrqchip({ vm, fixup, ...options, onEvent: (e) => events.push(e) });
  return { bus, functions, fn: functions[0], fixup, vm, irqchip, events };
}
