// The address space of a function behind an emulated SMMU: its accesses are translated by the
// engine.
import type { Smmu } from "../engine/smmu.ts";
import type { AddressSpace, AddressSpaceFault, AddressSpaceMapping } from "../pci/iommu.ts";

/** An untranslated access is good for one page. */
const PAGE_MASK = 0xfffn;

/** The view of a function whose StreamID `sid` gives. */
export function emulatedSpace(smmu: Smmu, sid: () => number, name: string): AddressSpace {
  return {
    name,
    isGlobal: false,
    translate(iova, write): AddressSpaceMapping | AddressSpaceFault {
      const { status, pa, size, event } = smmu.translate({
        sid: sid(),
        iova,
        write,
        privileged: false,
      });
      if (pa === undefined) return { fault: event?.name ?? status };
      return { gpa: pa, mask: size === undefined ? PAGE_MASK : size - 1n };
    },
  };
}
