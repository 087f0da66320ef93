// What iommufd asks of the host's SMMU driver: domains, attachment, command issue (Linux 7.2
// iommu_ops).

/** A fd's view of the host registers: IOMMU_GET_HW_INFO of type ARM_SMMUV3. */
export interface HwInfo {
  readonly flags: number;
  /** Raw IDR0 to IDR5. */
  readonly idr: readonly number[];
  readonly iidr: number;
  readonly aidr: number;
}

/** IOMMU_GET_HW_INFO of type TEGRA241_CMDQV. */
export interface CmdqvInfo {
  readonly version: number;
  readonly log2vcmdqs: number;
  readonly log2vsids: number;
}

/** Access that a mapping grants. */
export interface Protection {
  readonly read: boolean;
  readonly write: boolean;
  /** A device's registers rather than memory. */
  readonly device?: boolean;
}

/** A PCI function of the host that vfio-pci owns. */
export interface HostDevice {
  /** Host address, "0000:00:05.0". */
  readonly name: string;
  /** StreamIDs it masters on its SMMU. */
  readonly streams: readonly number[];
  readonly smmu: HostSmmu;
  /** The function and its path can do ATS. */
  readonly ats: boolean;
  /** Log2 of the PASIDs enabled for it; 0 without PASID. */
  readonly pasidBits: number;
  /** DMA of this function is always coherent, so no S2FWB is needed to nest. */
  readonly canwbs: boolean;
}

/** A page table that the host kernel owns and fills. */
export interface PagingDomain {
  readonly is: "paging";
  readonly smmu: HostSmmu;
  readonly stage: 1 | 2;
  readonly nestParent: boolean;
  /** VMID of a stage 2 domain, ASID of a stage 1 domain. */
  readonly tag: number;
  /** Highest IOVA it can translate. */
  readonly apertureLast: bigint;
  map(iova: bigint, pa: bigint, bytes: bigint, protection: Protection): void;
  unmap(iova: bigint, bytes: bigint): void;
  destroy(): void;
}

/** The guest's STE words as the kernel accepted them, over a nest-parent domain. */
export interface NestedDomain {
  readonly is: "nested";
  readonly smmu: HostSmmu;
  readonly parent: PagingDomain;
  /** Words 0 and 1 without EATS; both 0 for an invalid vSTE. */
  readonly ste: readonly [bigint, bigint];
  readonly enableAts: boolean;
}

/** Where events of a device go: the vIOMMU with the SID the guest knows. */
export interface Vmaster {
  readonly vsid: bigint;
  /** Queues one 32-byte record whose StreamID is already the vSID. */
  report(record: Uint8Array): void;
}

/** A page of device registers that is mapped into a process or a guest: accesses trap nowhere. */
export interface DevicePage {
  read(offset: number): number;
  write(offset: number, value: number): void;
}

/** A VINTF of a Tegra241 CMDQV given to one vIOMMU. */
export interface HostVintf {
  readonly mmapOffset: bigint;
  readonly mmapBytes: bigint;
  /**
   * Puts a (vSID, SID) pair into a free SID_MATCH slot and returns the slot. ENOSPC when none is
   * free.
   */
  matchSid(vsid: bigint, sid: number): number;
  unmatchSid(slot: number): void;
  /** Logical queues the VINTF can hold, and the largest log2 of entries of one. */
  readonly queues: number;
  readonly maxLog2Entries: number;
  startQueue(index: number, pa: bigint, log2Entries: number): void;
  stopQueue(index: number): void;
  /** The page of queue registers that user space may map. */
  readonly page: DevicePage;
  /** Hears of errors: 64 bits, one for each queue, in 16 bytes. */
  onErrors: ((map: Uint8Array) => void) | undefined;
  release(): void;
}

/** The host driver bound to one physical SMMU. */
export interface HostSmmu {
  readonly name: string;
  readonly info: HwInfo;
  /** Stage 1 and stage 2 together. */
  readonly nesting: boolean;
  readonly s2fwb: boolean;
  readonly cmdqv: CmdqvInfo | undefined;
  /** Start of the window in which MSI doorbells are mapped for user space domains, or undefined. */
  readonly swMsiStart: bigint | undefined;
  readonly swMsiBytes: bigint;
  allocPaging(stage: 1 | 2, nestParent: boolean): PagingDomain;
  /** Installs what the device translates with; `undefined` blocks its DMA. */
  attach(device: HostDevice, domain: PagingDomain | NestedDomain | undefined, to?: Vmaster): void;
  /** True while SubstreamIDs other than 0 of the device use the host's own CD table. */
  ssidsInUse(device: HostDevice): boolean;
  attachPasid(device: HostDevice, pasid: number, domain: PagingDomain | undefined): void;
  /** Issues converted commands on the main queue, one CMD_SYNC after them, and waits. */
  issue(commands: readonly Uint8Array[]): void;
  allocVintf(vmid: number): HostVintf;
}
