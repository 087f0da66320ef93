// Identification registers: what an SMMU implements (IHI0070 6.3.1 to 6.3.8, 6.3.41, 6.3.45).
import { ADDRESS_SIZE } from "./encoding.ts";
import { bits, flag, impdef, register, res0 } from "./field.ts";

const ID = { access: "RO", reset: "fixed" };

export const IDR0 = register(
  "IDR0",
  0x0000,
  32,
  "6.3.1",
  {
    S2P: flag(0, "Stage 2 translation is supported."),
    S1P: flag(1, "Stage 1 translation is supported."),
    TTF: bits(
      3,
      2,
      { 1: "AARCH32", 2: "AARCH64", 3: "BOTH" },
      "Table formats: bit 0 LPAE, bit 1 VMSAv8-64.",
    ),
    COHACC: flag(4, "Accesses to tables, structures and queues are coherent with the PEs."),
    BTM: flag(5, "Broadcast TLB invalidations of the PEs are received."),
    HTTU: bits(
      7,
      6,
      { 0: "NONE", 1: "ACCESS", 2: "ACCESS_DIRTY", 3: "ACCESS_DIRTY_HAFT" },
      "What hardware updates in descriptors.",
    ),
    DORMHINT: flag(8, "STATUSR.DORMANT is implemented."),
    Hyp: flag(9, { meaning: "EL2 stage 1 regimes are supported.", gate: "S1P, S2P" }),
    ATS: flag(10, "PCIe ATS is supported."),
    NS1ATS: flag(11, {
      meaning: "Stage 1 only ATS (STE.EATS=2) is not supported.",
      gate: "ATS, S1P, S2P",
    }),
    ASID16: flag(12, { meaning: "ASIDs have 16 bits (1) or 8 (0).", gate: "S1P" }),
    MSI: flag(13, "The SMMU's own interrupts can be messages."),
    SEV: flag(14, "Waiting PEs can be woken by an event."),
    ATOS: flag(15, "Address translation operations are supported."),
    PRI: flag(16, { meaning: "PCIe page requests are supported.", gate: "ATS" }),
    VMW: flag(17, { meaning: "Invalidation by a group of VMIDs is supported.", gate: "S2P" }),
    VMID16: flag(18, { meaning: "VMIDs have 16 bits (1) or 8 (0).", gate: "S2P" }),
    CD2L: flag(19, "CD tables of two levels are supported."),
    VATOS: flag(20, {
      meaning: "A page of translation operations for a VM is present.",
      gate: "ATOS, S1P, S2P",
    }),
    TTENDIAN: bits(
      22,
      21,
      { 0: "MIXED", 2: "LE", 3: "BE" },
      "Endianness of descriptors: chosen by CD and STE, or fixed.",
    ),
    ATSRECERR: flag(23, {
      meaning: "Configuration errors of ATS requests can be recorded.",
      gate: "ATS",
    }),
    STALL_MODEL: bits(
      25,
      24,
      { 0: "STALL", 1: "TERMINATE", 2: "FORCE" },
      "Faults can stall or end transactions, can only end them, or must stall them.",
    ),
    TERM_MODEL: flag(26, "Ended transactions are always aborted: RAZ/WI is not possible."),
    ST_LEVEL: bits(
      28,
      27,
      { 0: "LINEAR", 1: "2LVL" },
      "Stream tables of two levels are supported.",
    ),
    _29: res0(29, 29),
    RME_IMPL: flag(30, "The Realm Management Extension is implemented."),
    _31: res0(31, 31),
  },
  { ...ID, meaning: "Features, part 0." },
);

export const IDR1 = register(
  "IDR1",
  0x0004,
  32,
  "6.3.2",
  {
    SIDSIZE: bits(5, 0, undefined, "StreamID bits, at most 32."),
    SSIDSIZE: bits(10, 6, undefined, "SubstreamID bits, at most 20; 0 means no substreams."),
    PRIQS: bits(15, 11, undefined, {
      meaning: "log2 of the most PRI queue entries, at most 19.",
      gate: "PRI",
    }),
    EVENTQS: bits(20, 16, undefined, "log2 of the most Event queue entries, at most 19."),
    CMDQS: bits(25, 21, undefined, "log2 of the most Command queue entries, at most 19."),
    ATTR_PERMS_OVR: flag(26, "STE and GBPA can override INSTCFG, PRIVCFG and NSCFG."),
    ATTR_TYPES_OVR: flag(27, "STE and GBPA can override MTCFG, MemAttr, ALLOCCFG and SHCFG."),
    REL: flag(28, {
      meaning: "Preset bases are offsets from the SMMU's own base.",
      gate: "TABLES_PRESET or QUEUES_PRESET",
    }),
    QUEUES_PRESET: flag(29, "The queue base registers are fixed."),
    TABLES_PRESET: flag(30, "The stream table base registers are fixed."),
    ECMDQ: flag(31, "Enhanced Command queues are supported; IDR6 says how many."),
  },
  { ...ID, meaning: "Sizes and presets." },
);

export const IDR2 = register(
  "IDR2",
  0x0008,
  32,
  "6.3.3",
  {
    BA_VATOS: bits(9, 0, undefined, {
      meaning: "The VATOS page is at 0x20000 + BA_VATOS * 0x10000.",
      gate: "VATOS",
    }),
    _31: res0(31, 10),
  },
  { ...ID, meaning: "Place of the VATOS page." },
);

export const IDR3 = register(
  "IDR3",
  0x000c,
  32,
  "6.3.4",
  {
    _1: res0(1, 0),
    HAD: flag(2, {
      meaning: "Hierarchical attributes can be turned off by CD.HAD.",
      gate: "S1P",
      since: "required by v3.1",
    }),
    PBHA: flag(3, "Page-based hardware attributes are supported; needs HAD."),
    XNX: flag(4, {
      meaning: "Stage 2 execute permission distinguishes EL0 and EL1.",
      gate: "S2P",
      since: "required by v3.1",
    }),
    PPS: flag(5, {
      meaning: "Automatic answers to page requests carry the PASID of the request.",
      gate: "PRI, SSIDSIZE!=0",
    }),
    _6: res0(6, 6),
    MPAM: flag(7, "Memory partitioning is supported."),
    FWB: flag(8, {
      meaning: "Stage 2 can force the memory type.",
      gate: "S2P",
      since: "required by v3.2",
    }),
    STT: flag(9, "Small tables are supported: TxSZ up to 48, or 47 with 64KB."),
    RIL: flag(10, { meaning: "Range invalidation is supported.", since: "required by v3.2" }),
    BBML: bits(12, 11, undefined, {
      meaning: "How freely block sizes may be changed without break-before-make.",
      since: "1 or 2 required by v3.2",
    }),
    E0PD: flag(13, { meaning: "CD.E0PD0 and E0PD1 work.", since: "required by v3.3" }),
    PTWNNC: flag(14, {
      meaning: "Walks that stage 2 maps to Device memory are done as Normal Non-cacheable.",
      gate: "S2P",
      since: "required by v3.3",
    }),
    DPT: flag(15, { meaning: "The Device Permission Table is supported.", gate: "ATS" }),
    PASIDTT: flag(16, {
      meaning: "Translated ATS transactions may carry a PASID.",
      gate: "ATS, SSIDSIZE!=0",
    }),
    EPAN: flag(17, { meaning: "CD.EPAN works.", since: "required by v3.4" }),
    S1PI: flag(18, { meaning: "Stage 1 permission indirection is supported.", gate: "S1P" }),
    S2PI: flag(19, { meaning: "Stage 2 permission indirection is supported.", gate: "S2P" }),
    S2PO: flag(20, { meaning: "Stage 2 permission overlays are supported.", gate: "S2PI" }),
    THE: flag(21, { meaning: "Translation hardening is supported.", gate: "S1P" }),
    MTEPERM: flag(22, {
      meaning: "Stage 2 can forbid access to memory tags.",
      gate: "S2P",
      since: "required by v3.4",
    }),
    AIE: flag(23, { meaning: "Attribute indexes can have four bits.", gate: "S1P" }),
    _31: res0(31, 24),
  },
  { ...ID, meaning: "Features, part 3." },
);

export const IDR4 = register(
  "IDR4",
  0x0010,
  32,
  "6.3.5",
  { IMPDEF: impdef(31, 0) },
  { ...ID, meaning: "IMPLEMENTATION DEFINED features." },
);

export const IDR5 = register(
  "IDR5",
  0x0014,
  32,
  "6.3.6",
  {
    OAS: bits(2, 0, ADDRESS_SIZE, "Output address size."),
    _3: res0(3, 3),
    GRAN4K: flag(4, "The 4KB granule is supported."),
    GRAN16K: flag(5, "The 16KB granule is supported."),
    GRAN64K: flag(6, "The 64KB granule is supported."),
    DS: flag(7, {
      meaning: "52-bit addresses with the 4KB and 16KB granules are supported.",
      gate: "GRAN4K or GRAN16K",
    }),
    D128: flag(8, "128-bit descriptors are supported."),
    _9: res0(9, 9),
    VAX: bits(11, 10, { 0: "48", 1: "52", 2: "56" }, "Virtual address bits of each TTB."),
    _15: res0(15, 12),
    STALL_MAX: bits(31, 16, undefined, {
      meaning: "Most transactions that can be stalled at a time.",
      gate: "STALL_MODEL!=1",
    }),
  },
  { ...ID, meaning: "Address sizes and granules." },
);

export const IDR6 = register(
  "IDR6",
  0x0190,
  32,
  "6.3.45",
  {
    _15: res0(15, 0),
    CMDQ_CONTROL_PAGE_LOG2NUMQ: bits(19, 16, undefined, "log2 of the queues per control page."),
    _23: res0(23, 20),
    CMDQ_CONTROL_PAGE_LOG2NUMP: bits(27, 24, undefined, "log2 of the control pages."),
    _31: res0(31, 28),
  },
  { ...ID, meaning: "Number of Enhanced Command queues.", gate: "ECMDQ" },
);

export const IIDR = register(
  "IIDR",
  0x0018,
  32,
  "6.3.7",
  {
    Implementer: bits(11, 0, undefined, "JEP106 code of the implementer; Arm is 0x43B."),
    Revision: bits(15, 12, undefined, "Minor revision."),
    Variant: bits(19, 16, undefined, "Major revision."),
    ProductID: bits(31, 20, undefined, "Product."),
  },
  { ...ID, meaning: "Who made this SMMU." },
);

export const AIDR = register(
  "AIDR",
  0x001c,
  32,
  "6.3.8",
  {
    ArchMinorRev: bits(3, 0, undefined, "Minor architecture version: n is SMMUv3.n."),
    ArchMajorRev: bits(7, 4, undefined, "Major architecture version: 0 is SMMUv3."),
    _31: res0(31, 8),
  },
  { ...ID, meaning: "Architecture version." },
);

export const MPAMIDR = register(
  "MPAMIDR",
  0x0130,
  32,
  "6.3.41",
  {
    PARTID_MAX: bits(15, 0, undefined, "Largest PARTID."),
    PMG_MAX: bits(23, 16, undefined, "Largest performance monitoring group."),
    _31: res0(31, 24),
  },
  { ...ID, meaning: "MPAM sizes.", gate: "MPAM" },
);

/** Peripheral identification 4 to 7, then 0 to 3, then component identification 0 to 3. */
export const IDREGS = register(
  "IDREGS",
  0x0fd0,
  32,
  "6.3.170",
  { VALUE: bits(7, 0, undefined, "One byte of the identifier."), _31: res0(31, 8) },
  {
    ...ID,
    meaning: "Peripheral and component identification, from PIDR4 to CIDR3.",
    count: 12,
    stride: 4,
  },
);
