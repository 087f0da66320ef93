// Secure bank of page 0, where its layouts differ from the Non-secure ones (IHI0070 6.3.52 on).
import { INSTCFG, MemAttr, PRIVCFG, SHAREABILITY, SHCFG } from "./encoding.ts";
import { address, bits, flag, impdef, register, res0 } from "./field.ts";

const SECURE = { gate: "SECURE_IMPL" };
const ID = { ...SECURE, access: "RO", reset: "fixed" };
const MSI = { gate: "S_IDR0.MSI" };
const UPDATE = flag(31, {
  meaning: "Written as 1 with the new value; 0 again when that is in force.",
  reset: "0",
});

export const S_IDR0 = register(
  "S_IDR0",
  0x8000,
  32,
  "6.3.52",
  {
    _12: res0(12, 0),
    MSI: flag(13, "Secure interrupts can be messages."),
    _23: res0(23, 14),
    STALL_MODEL: bits(
      25,
      24,
      { 0: "STALL", 1: "TERMINATE", 2: "FORCE" },
      "What the hardware can do with faults; IDR0.STALL_MODEL shows it unless NSSTALLD is set.",
    ),
    _30: res0(30, 26),
    ECMDQ: flag(31, "Secure Enhanced Command queues are supported."),
  },
  { ...ID, meaning: "Secure features, part 0." },
);

export const S_IDR1 = register(
  "S_IDR1",
  0x8004,
  32,
  "6.3.53",
  {
    S_SIDSIZE: bits(5, 0, undefined, "Secure StreamID bits."),
    _28: res0(28, 6),
    SEL2: flag(29, { meaning: "Secure EL2 and stage 2 are supported.", gate: "S1P, S2P" }),
    _30: res0(30, 30),
    SECURE_IMPL: flag(31, "The Secure state is implemented."),
  },
  { ...ID, meaning: "Secure sizes." },
);

export const S_IDR2 = register(
  "S_IDR2",
  0x8008,
  32,
  "6.3.54",
  {
    BA_S_VATOS: bits(9, 0, undefined, "The Secure VATOS page is at 0x20000 + 0x10000 times this."),
    _31: res0(31, 10),
  },
  { ...ID, meaning: "Place of the Secure VATOS page." },
);

export const S_IDR3 = register(
  "S_IDR3",
  0x800c,
  32,
  "6.3.55",
  {
    _5: res0(5, 0),
    SAMS: flag(6, "ATS and PRI commands are illegal on the Secure Command queue."),
    _31: res0(31, 7),
  },
  { ...ID, meaning: "Secure features, part 3." },
);

const ENABLES = {
  SMMUEN: flag(0, "Secure streams are translated by the stream table (1) or bypass (0)."),
  _1: res0(1, 1),
  EVENTQEN: flag(2, "Events are written to the Secure Event queue."),
  CMDQEN: flag(3, "Commands are taken from the Secure Command queue."),
  _4: res0(4, 4),
  SIF: flag(5, "Secure instruction fetches from Non-secure memory fault."),
  VMW: bits(8, 6, undefined, {
    meaning: "Low VMID bits that invalidations do not compare, at most 4; above that 0.",
    gate: "IDR0.VMW",
  }),
  NSSTALLD: flag(9, {
    meaning: "Non-secure streams may not stall: IDR0.STALL_MODEL reads 1.",
    gate: "S_IDR0.STALL_MODEL=0",
  }),
  _31: res0(31, 10),
};

export const S_CR0 = register("S_CR0", 0x8020, 32, "6.3.57", ENABLES, {
  ...SECURE,
  meaning: "Secure enables; a change is done when S_CR0ACK shows it.",
  reset: "0",
});

export const S_CR0ACK = register("S_CR0ACK", 0x8024, 32, "6.3.58", ENABLES, {
  ...SECURE,
  meaning: "Which values of S_CR0 are in force.",
  access: "RO",
  reset: "0",
});

export const S_CR2 = register(
  "S_CR2",
  0x802c,
  32,
  "6.3.60",
  {
    E2H: flag(0, { meaning: "STE.STRW=2 selects S-EL2-E2H instead of S-EL2.", gate: "SEL2" }),
    RECINVSID: flag(1, "C_BAD_STREAMID events are recorded."),
    PTM: flag(2, { meaning: "Broadcast TLB invalidations are ignored.", gate: "BTM" }),
    _31: res0(31, 3),
  },
  {
    ...SECURE,
    meaning: "More Secure controls.",
    reset: "UNKNOWN",
    guard: "S_CR0.SMMUEN=0 and S_CR0ACK.SMMUEN=0",
  },
);

export const S_INIT = register(
  "S_INIT",
  0x803c,
  32,
  "6.3.62",
  {
    INV_ALL: flag(0, "Written as 1 to invalidate all caches of all states; 0 again when done."),
    _31: res0(31, 1),
  },
  { ...SECURE, meaning: "Invalidates everything.", reset: "0", guard: "every SMMUEN=0" },
);

export const S_GBPA = register(
  "S_GBPA",
  0x8044,
  32,
  "6.3.63",
  {
    MemAttr: bits(3, 0, MemAttr, "Memory type that replaces the incoming one when MTCFG is 1."),
    MTCFG: flag(4, "Replace the incoming memory type by MemAttr."),
    _7: res0(7, 5),
    ALLOCCFG: bits(11, 8, undefined, "1RWT replaces the allocation hints; 0xxx keeps them."),
    SHCFG: bits(13, 12, SHCFG, "Shareability that replaces the incoming one."),
    NSCFG: bits(
      15,
      14,
      { 0: "INCOMING", 2: "SECURE", 3: "NON_SECURE" },
      "NS attribute that replaces the incoming one.",
    ),
    PRIVCFG: bits(17, 16, PRIVCFG, "Privilege that replaces the incoming one."),
    INSTCFG: bits(19, 18, INSTCFG, "Instruction or data, for reads."),
    ABORT: flag(20, "All Secure transactions are aborted while SMMUEN is 0."),
    _30: res0(30, 21),
    Update: UPDATE,
  },
  {
    ...SECURE,
    meaning: "What happens to Secure transactions while S_CR0.SMMUEN is 0.",
    reset: "IMPDEF",
    guard: "Update=0 before the write and Update=1 in it",
  },
);

const INTERRUPTS = {
  GERROR_IRQEN: flag(0, "Secure global errors interrupt."),
  _1: res0(1, 1),
  EVENTQ_IRQEN: flag(2, "The Secure Event queue interrupts."),
  _31: res0(31, 3),
};

export const S_IRQ_CTRL = register("S_IRQ_CTRL", 0x8050, 32, "6.3.65", INTERRUPTS, {
  ...SECURE,
  meaning: "Secure interrupt enables.",
  reset: "0",
});

export const S_IRQ_CTRLACK = register("S_IRQ_CTRLACK", 0x8054, 32, "6.3.66", INTERRUPTS, {
  ...SECURE,
  meaning: "Which values of S_IRQ_CTRL are in force.",
  access: "RO",
  reset: "0",
});

const ERRORS = {
  CMDQ_ERR: flag(0, "A Secure command failed."),
  _1: res0(1, 1),
  EVENTQ_ABT_ERR: flag(2, "A write to the Secure Event queue was aborted."),
  _3: res0(3, 3),
  MSI_CMDQ_ABT_ERR: flag(4, { ...MSI, meaning: "The MSI of a CMD_SYNC was aborted." }),
  MSI_EVENTQ_ABT_ERR: flag(5, { ...MSI, meaning: "The MSI of the Event queue was aborted." }),
  _6: res0(6, 6),
  MSI_GERROR_ABT_ERR: flag(7, { ...MSI, meaning: "The MSI of S_GERROR was aborted." }),
  SFM_ERR: flag(8, "The SMMU entered service failure mode."),
  CMDQP_ERR: flag(9, {
    meaning: "A Secure Enhanced Command queue has an error.",
    gate: "S_IDR0.ECMDQ",
  }),
  _31: res0(31, 10),
};

export const S_GERROR = register("S_GERROR", 0x8060, 32, "6.3.67", ERRORS, {
  ...SECURE,
  meaning: "Secure global errors: one is active while its bit differs from S_GERRORN's.",
  access: "RO",
  reset: "0",
});

export const S_GERRORN = register("S_GERRORN", 0x8064, 32, "6.3.68", ERRORS, {
  ...SECURE,
  meaning: "Acknowledged Secure global errors.",
  reset: "0",
});

const ATOS = { gate: "ATOS, SECURE_IMPL", reset: "UNKNOWN" };

export const S_GATOS_SID = register(
  "S_GATOS_SID",
  0x8108,
  64,
  "6.3.84",
  {
    STREAMID: bits(31, 0, undefined, "StreamID of the translation."),
    SUBSTREAMID: bits(51, 32, undefined, "SubstreamID of the translation."),
    SSID_VALID: flag(52, "SUBSTREAMID is given."),
    SSEC: flag(53, "The StreamID is Secure."),
    _63: res0(63, 54),
  },
  { ...ATOS, meaning: "Stream of the translation.", guard: "RUN=0" },
);

export const S_GATOS_ADDR = register(
  "S_GATOS_ADDR",
  0x8110,
  64,
  "6.3.85",
  {
    _3: res0(3, 0),
    NS: flag(4, "The input IPA is Non-secure."),
    _5: res0(5, 5),
    HTTUI: flag(6, "Descriptors are not updated."),
    InD: flag(7, "Instruction (1) or data (0); ignored when RnW is 0."),
    RnW: flag(8, "Read (1) or write (0)."),
    PnU: flag(9, "Privileged (1) or unprivileged (0)."),
    TYPE: bits(11, 10, { 1: "STAGE1", 2: "STAGE2", 3: "BOTH" }, "Stages to translate by."),
    ADDR: address(63, 12, "Input address."),
  },
  { ...ATOS, meaning: "Address and kind of access of the translation.", guard: "RUN=0" },
);

const SUCCESS = {
  FAULT: flag(0, "0: the translation succeeded and this reading holds; 1: it faulted."),
  _7: res0(7, 1),
  SH: bits(9, 8, SHAREABILITY, "Shareability of the memory."),
  NS: flag(10, "The output is in the Non-secure space."),
  Size: flag(11, "0: 4KB; 1: the lowest set bit N of ADDR gives a size of 2^(N+1) bytes."),
  ADDR: address(55, 12, "Output address."),
  ATTR: bits(63, 56, undefined, "Memory attributes, encoded as in MAIR."),
};

const FAILURE = {
  alternative: {
    REASON: bits(2, 1, { 0: "S1", 1: "S2_CD", 2: "S2_TT", 3: "S2_IN" }, "What was accessed."),
    NSIPA: flag(3, "FADDR is in the Non-secure space."),
    FAULTCODE: bits(11, 4, undefined, "Event number of the fault, or why nothing was translated."),
    FADDR: address(55, 12, "IPA that stage 2 could not translate."),
    IMPDEF: impdef(63, 60),
  },
  cases: {
    FAULT: {
      value: 1,
      layout: ["FAULT", "REASON", "NSIPA", "FAULTCODE", "FADDR", res0(59, 56), "IMPDEF"],
    },
  },
};

export const S_GATOS_PAR = register("S_GATOS_PAR", 0x8118, 64, "6.3.86", SUCCESS, {
  ...ATOS,
  ...FAILURE,
  meaning: "Result of the translation.",
  access: "RO",
});

export const S_VATOS_PAR = register("S_VATOS_PAR", 0x0a18, 64, "6.2", SUCCESS, {
  ...ATOS,
  ...FAILURE,
  frame: "S_VATOS",
  meaning: "Result of the translation.",
  access: "RO",
});

const MPAM = { gate: "MPAM, SECURE_IMPL" };

export const S_MPAMIDR = register(
  "S_MPAMIDR",
  0x8130,
  32,
  "6.3.87",
  {
    PARTID_MAX: bits(15, 0, undefined, "Largest Secure PARTID."),
    PMG_MAX: bits(23, 16, undefined, "Largest Secure performance monitoring group."),
    _24: res0(24, 24),
    HAS_MPAM_NS: flag(25, "Secure streams may use the Non-secure PARTID space."),
    _31: res0(31, 26),
  },
  { ...MPAM, meaning: "Secure MPAM sizes.", access: "RO", reset: "fixed" },
);

const NS_SPACE = flag(24, "The PARTID is in the Non-secure space.");

export const S_GMPAM = register(
  "S_GMPAM",
  0x8138,
  32,
  "6.3.88",
  {
    SO_PARTID: bits(15, 0, undefined, "PARTID of the SMMU's own Secure accesses."),
    SO_PMG: bits(23, 16, undefined, "Monitoring group of the SMMU's own Secure accesses."),
    MPAM_NS: NS_SPACE,
    _30: res0(30, 25),
    Update: UPDATE,
  },
  { ...MPAM, meaning: "Partition of the SMMU's own Secure accesses.", reset: "0" },
);

export const S_GBPMPAM = register(
  "S_GBPMPAM",
  0x813c,
  32,
  "6.3.89",
  {
    GBP_PARTID: bits(15, 0, undefined, "PARTID of bypassing Secure transactions."),
    GBP_PMG: bits(23, 16, undefined, "Monitoring group of bypassing Secure transactions."),
    MPAM_NS: NS_SPACE,
    _30: res0(30, 25),
    Update: UPDATE,
  },
  { ...MPAM, meaning: "Partition of Secure transactions while SMMUEN is 0.", reset: "0" },
);
