// What a PCI bus asks of its IOMMU: address spaces and, if it knows it, the MSI doorbell.

/** A translated address. */
export interface AddressSpaceMapping {
  /** Guest-physical address of exactly the translated IOVA. */
  readonly gpa: bigint;
  /** Size of the mapping that covers it, minus 1 (0xfff for a 4 KiB page). */
  readonly mask: bigint;
}

/** Why an access does not reach memory. */
export interface AddressSpaceFault {
  /** The event's own name (F_TRANSLATION), or a short reason in plain words. */
  readonly fault: string;
}

/** The view of memory that a function's accesses go through. */
export interface AddressSpace {
  readonly name: string;
  /**
   * True only for the one object that is the machine's own memory: no IOMMU stands in front of the
   * function. An alias of that memory is not global.
   */
  readonly isGlobal: boolean;
  /** Translates the address of one access. */
  translate(iova: bigint, write: boolean): AddressSpaceMapping | AddressSpaceFault;
}

/**
 * The machine's memory as seen by a function with no IOMMU: every address is its own translation.
 */
export function globalAddressSpace(name = "memory"): AddressSpace {
  return { name, isGlobal: true, translate: (iova) => ({ gpa: iova, mask: 0xfffn }) };
}

/**
 * A second address space over the same memory: untranslated, yet not the global object. Accelerated
 * functions get it so that their MSI routes are still fixed up.
 */
export function sharedSystemMemory(name = "smmuv3-accel-sysmem"): AddressSpace {
  return { ...globalAddressSpace(name), isGlobal: false };
}

/** The bus and devfn under which an IOMMU sees a function, after aliasing by bridges. */
export interface RequesterAlias<Bus> {
  readonly bus: Bus;
  readonly devfn: number;
}

/** Operations of the IOMMU in front of a bus. `Bus` and `Function` are the caller's own types. */
export interface PCIIOMMUOps<Bus, Device = unknown> {
  /** The address space of the function at (bus, devfn). */
  getAddressSpace(bus: Bus, devfn: number): AddressSpace;
  /**
   * Guest-physical address of the MSI doorbell of the function, known without a table walk. Never
   * 0:
   * an IOMMU that has no doorbell must not offer the operation.
   */
  getMsiDirectGpa?(bus: Bus, devfn: number): bigint;
  /** Why the function may not sit behind this IOMMU, or undefined when it may. */
  supportsAddressSpace?(bus: Bus, devfn: number): string | undefined;
  /** Tells the IOMMU which host device backs the function. A returned text is the refusal. */
  setIommuDevice?(bus: Bus, devfn: number, device: Device): string | undefined;
  unsetIommuDevice?(bus: Bus, devfn: number): void;
}
