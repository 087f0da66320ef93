// PCI configuration space: headers, BARs, capabilities, MSI, MSI-X (PCI Local Bus 3.0 ch. 6).
import { address, bits, flag, repeated, res0, struct } from "./field.ts";

/** The first 16 bytes are the same in every header. */
const common = {
  VendorID: bits(15, 0),
  DeviceID: bits(31, 16),
  Command: bits(47, 32),
  Status: bits(63, 48),
  RevisionID: bits(71, 64),
  ClassCode: bits(95, 72),
  CacheLineSize: bits(103, 96),
  LatencyTimer: bits(111, 104),
  HeaderType: bits(118, 112, { 0: "ENDPOINT", 1: "BRIDGE" }),
  MultiFunction: flag(119),
  BIST: bits(127, 120),
};

/** Header of an endpoint. */
export const PCI_HEADER0 = struct("PCI_HEADER0", 512, "6.1", {
  ...common,
  BAR: repeated(159, 128, 6, 32),
  CardbusCIS: bits(351, 320),
  SubsystemVendorID: bits(367, 352),
  SubsystemID: bits(383, 368),
  ExpansionROM: bits(415, 384),
  CapabilitiesPointer: bits(423, 416),
  _447: res0(447, 424),
  _479: res0(479, 448),
  InterruptLine: bits(487, 480),
  InterruptPin: bits(495, 488),
  MinGnt: bits(503, 496),
  MaxLat: bits(511, 504),
});

/** Header of a PCI-to-PCI bridge. */
export const PCI_HEADER1 = struct("PCI_HEADER1", 512, "3.2 (bridge)", {
  ...common,
  BAR: repeated(159, 128, 2, 32),
  PrimaryBus: bits(199, 192),
  SecondaryBus: bits(207, 200),
  SubordinateBus: bits(215, 208),
  SecondaryLatencyTimer: bits(223, 216),
  IOBase: bits(231, 224),
  IOLimit: bits(239, 232),
  SecondaryStatus: bits(255, 240),
  MemoryBase: bits(271, 256),
  MemoryLimit: bits(287, 272),
  PrefetchBase: bits(303, 288),
  PrefetchLimit: bits(319, 304),
  PrefetchBaseUpper: bits(351, 320),
  PrefetchLimitUpper: bits(383, 352),
  IOBaseUpper: bits(399, 384),
  IOLimitUpper: bits(415, 400),
  CapabilitiesPointer: bits(423, 416),
  _447: res0(447, 424),
  ExpansionROM: bits(479, 448),
  InterruptLine: bits(487, 480),
  InterruptPin: bits(495, 488),
  BridgeControl: bits(511, 496),
});

export const PCI_COMMAND = struct("PCI_COMMAND", 16, "6.2.2", {
  IOSpace: flag(0),
  MemorySpace: flag(1),
  BusMaster: flag(2),
  _5: res0(5, 3),
  ParityErrorResponse: flag(6),
  _7: res0(7, 7),
  SERREnable: flag(8),
  _9: res0(9, 9),
  InterruptDisable: flag(10),
  _15: res0(15, 11),
});

export const PCI_STATUS = struct("PCI_STATUS", 16, "6.2.3", {
  _2: res0(2, 0),
  InterruptStatus: flag(3),
  CapabilitiesList: flag(4),
  _10: bits(10, 5),
  SignaledTargetAbort: flag(11),
  ReceivedTargetAbort: flag(12),
  ReceivedMasterAbort: flag(13),
  SignaledSystemError: flag(14),
  DetectedParityError: flag(15),
});

/** A memory BAR; `Type` 2 means that the next BAR holds address bits 63:32. */
export const PCI_MEMORY_BAR = struct("PCI_MEMORY_BAR", 64, "6.2.5.1", {
  IOSpace: flag(0, "0: this reading applies"),
  Type: bits(2, 1, { 0: "BITS32", 2: "BITS64" }),
  Prefetchable: flag(3),
  Address: address(63, 4),
});

export const PCI_IO_BAR = struct("PCI_IO_BAR", 32, "6.2.5.1", {
  IOSpace: flag(0, "1: this reading applies"),
  _1: res0(1, 1),
  Address: address(31, 2),
});

/**
 * First two bytes of every capability. Both pointers are dword aligned: the low bits are ignored.
 */
export const PCI_CAPABILITY = struct("PCI_CAPABILITY", 16, "6.7", {
  ID: bits(7, 0, { 1: "PM", 5: "MSI", 9: "VENDOR", 16: "EXPRESS", 17: "MSIX" }),
  _9: res0(9, 8),
  Next: address(15, 10, { low: 2 }),
});

export const PCI_POINTER = struct("PCI_POINTER", 8, "6.7", {
  _1: res0(1, 0),
  Offset: address(7, 2),
});

export const PCIE_EXTENDED_CAPABILITY = struct("PCIE_EXTENDED_CAPABILITY", 32, "7.9.3", {
  ID: bits(15, 0, { 1: "AER", 13: "ACS", 15: "ATS", 16: "SRIOV", 19: "PRI", 27: "PASID" }),
  Version: bits(19, 16),
  _21: res0(21, 20),
  Next: address(31, 22, { low: 2 }),
});

/** PCI Express Capabilities Register, at offset 2 of capability 0x10. */
export const PCIE_CAPABILITIES = struct("PCIE_CAPABILITIES", 16, "7.5.3.2", {
  Version: bits(3, 0),
  PortType: bits(7, 4, {
    0: "ENDPOINT",
    1: "LEGACY_ENDPOINT",
    4: "ROOT_PORT",
    5: "UPSTREAM_PORT",
    6: "DOWNSTREAM_PORT",
    7: "PCIE_TO_PCI_BRIDGE",
    8: "PCI_TO_PCIE_BRIDGE",
    9: "ROOT_INTEGRATED_ENDPOINT",
  }),
  SlotImplemented: flag(8),
  InterruptMessageNumber: bits(13, 9),
  _15: res0(15, 14),
});

/** Message Control of the MSI capability, at offset 2. */
export const MSI_CONTROL = struct("MSI_CONTROL", 16, "6.8.1.3", {
  Enable: flag(0),
  MultipleMessageCapable: bits(3, 1, undefined, "log2 of the vectors that the function asks for"),
  MultipleMessageEnable: bits(6, 4, undefined, "log2 of the vectors that software granted"),
  Address64: flag(7),
  PerVectorMasking: flag(8),
  _15: res0(15, 9),
});

/** Message Control of the MSI-X capability, at offset 2. */
export const MSIX_CONTROL = struct("MSIX_CONTROL", 16, "6.8.2.3", {
  TableSize: bits(10, 0, undefined, "number of vectors minus 1"),
  _13: res0(13, 11),
  FunctionMask: flag(14),
  Enable: flag(15),
});

/** Where the MSI-X table (capability offset 4) or the pending bits (offset 8) live. */
export const MSIX_POINTER = struct("MSIX_POINTER", 32, "6.8.2.4", {
  BIR: bits(2, 0, undefined, "which BAR"),
  Offset: address(31, 3),
});

/** One vector of the MSI-X table. */
export const MSIX_ENTRY = struct("MSIX_ENTRY", 128, "6.8.2.6", {
  MessageAddress: bits(63, 0),
  MessageData: bits(95, 64),
  Mask: flag(96),
  _127: res0(127, 97),
});
