// Address translation operations, MPAM, device permission table and enhanced command queues (IHI0070 6.3.37 on).
import { address, bits, flag, impdef, register, res0 } from "./field.ts";

export const GATOS_CTRL = register(
  "GATOS_CTRL",
  0x0100,
  32,
  "6.3.37",
  {
    RUN: flag(0, {
      meaning: "write 1 to start; only while SMMUEN=1; SMMU clears when PAR is valid",
      gate: "ATOS",
    }),
    _31: res0(31, 1),
  },
  { meaning: "ATOS run control", access: "RW, RO while RUN=1", reset: "0", gate: "ATOS" },
);

export const GATOS_SID = register(
  "GATOS_SID",
  0x0108,
  64,
  "6.3.38",
  {
    STREAMID: bits(31, 0, undefined, "bits above SIDSIZE RES0"),
    SUBSTREAMID: bits(51, 32, undefined, {
      meaning: "bits above SSIDSIZE RES0",
      gate: "SSIDSIZE!=0",
    }),
    SSID_VALID: flag(52, { gate: "SSIDSIZE!=0" }),
    _63: res0(63, 53),
  },
  {
    meaning: "ATOS StreamID/SubstreamID",
    access: "RW, RO while RUN=1",
    reset: "UNKNOWN",
    gate: "ATOS",
  },
);

export const GATOS_ADDR = register(
  "GATOS_ADDR",
  0x0110,
  64,
  "6.3.39",
  {
    _5: res0(5, 0),
    HTTUI: flag(6, { meaning: "1=inhibit flag update", gate: "HTTU" }),
    InD: flag(7, "1=instruction; ignored when RnW=0"),
    RnW: flag(8, "1=read"),
    PnU: flag(9, "1=privileged"),
    TYPE: bits(11, 10, undefined, "0=reserved (INV_REQ) 1=stage 1 2=stage 2 3=stage 1 and 2"),
    ADDR: address(63, 12, "input address[63:12]"),
  },
  {
    meaning: "ATOS request address and kind",
    access: "RW, RO while RUN=1",
    reset: "UNKNOWN",
    gate: "ATOS",
  },
);

export const GATOS_PAR = register(
  "GATOS_PAR",
  0x0118,
  64,
  "6.3.40",
  {
    FAULT: flag(0, "0: the translation succeeded and this reading holds; 1: it faulted."),
    _7: res0(7, 1),
    SH: bits(9, 8, { 0: "NSH", 2: "OSH", 3: "ISH" }, "Shareability of the memory."),
    _10: res0(10, 10),
    Size: flag(11, "0: 4KB; 1: the lowest set bit N of ADDR gives a size of 2^(N+1) bytes."),
    ADDR: address(55, 12, "Output address."),
    ATTR: bits(63, 56, undefined, "Memory attributes, encoded as in MAIR."),
  },
  {
    meaning: "Result of the address translation operation.",
    access: "RO",
    reset: "UNKNOWN",
    gate: "ATOS",
    alternative: {
      REASON: bits(
        2,
        1,
        { 0: "S1", 1: "S2_CD", 2: "S2_TT", 3: "S2_IN" },
        "Where the fault happened.",
      ),
      FAULTCODE: bits(
        11,
        4,
        { 253: "INTERNAL_ERR", 254: "INV_STAGE", 255: "INV_REQ" },
        "Event number of the fault, or why there was no translation.",
      ),
      FADDR: address(55, 12, "IPA that stage 2 could not translate."),
      IMPDEF: impdef(63, 60),
    },
    cases: {
      FAULT: {
        value: 1,
        layout: ["FAULT", "REASON", res0(3, 3), "FAULTCODE", "FADDR", res0(59, 56), "IMPDEF"],
      },
    },
  },
);

export const GMPAM = register(
  "GMPAM",
  0x0138,
  32,
  "6.3.42",
  {
    SO_PARTID: bits(15, 0),
    SO_PMG: bits(23, 16),
    _30: res0(30, 24),
    Update: flag(31),
  },
  {
    meaning: "MPAM of SMMU-originated accesses: Update[31], SO_PMG[23:16], SO_PARTID[15:0]",
    reset: "0",
    gate: "MPAM",
  },
);

export const GBPMPAM = register(
  "GBPMPAM",
  0x013c,
  32,
  "6.3.43",
  {
    GBP_PARTID: bits(15, 0),
    GBP_PMG: bits(23, 16),
    _30: res0(30, 24),
    Update: flag(31),
  },
  {
    meaning: "MPAM of global bypass traffic: Update[31], GBP_PMG[23:16], GBP_PARTID[15:0]",
    reset: "0",
    gate: "MPAM",
  },
);

export const VATOS_SEL = register(
  "VATOS_SEL",
  0x0180,
  32,
  "6.3.44",
  {
    VMID: bits(15, 0),
    _31: res0(31, 16),
  },
  {
    meaning: "VMID[15:0] allowed through VATOS",
    access: "RW, RO while VATOS RUN=1",
    reset: "UNKNOWN",
    gate: "VATOS",
  },
);

export const DPT_BASE = register(
  "DPT_BASE",
  0x0200,
  64,
  "6.3.46",
  {
    _11: res0(11, 0),
    BADDR: address(55, 12),
    _61: res0(61, 56),
    RA: flag(62),
    _63: res0(63, 63),
  },
  { meaning: "RA[62], BADDR[55:12]", reset: "UNKNOWN", guard: "DPT_WALK_EN=ACK=0", gate: "DPT" },
);

export const DPT_BASE_CFG = register(
  "DPT_BASE_CFG",
  0x0208,
  32,
  "6.3.47",
  {
    DPTPS: bits(2, 0),
    _13: res0(13, 3),
    DPTGS: bits(15, 14),
    _19: res0(19, 16),
    L0DPTSZ: bits(23, 20),
    _31: res0(31, 24),
  },
  {
    meaning: "L0DPTSZ[23:20], DPTGS[15:14], DPTPS[2:0]",
    reset: "UNKNOWN",
    guard: "DPT_WALK_EN=ACK=0",
    gate: "DPT",
  },
);

export const DPT_CFG_FAR = register(
  "DPT_CFG_FAR",
  0x0210,
  64,
  "6.3.48",
  {
    FAULT: flag(0),
    LEVEL: flag(1),
    _3: res0(3, 2),
    DPT_FAULTCODE: bits(7, 4),
    _11: res0(11, 8),
    FADDR: address(55, 12),
    _63: res0(63, 56),
  },
  {
    meaning: "FADDR[55:12], DPT_FAULTCODE[7:4], LEVEL[1], FAULT[0]",
    access: "RW (only writes clearing FAULT)",
    reset: "0",
    gate: "DPT",
  },
);

export const CMDQ_CONTROL_PAGE_BASE = register(
  "CMDQ_CONTROL_PAGE_BASE",
  0x4000,
  64,
  "6.3.49",
  {
    CMDQ_CONTROL_PAGE_PRESET: flag(0),
    CMDQGS: bits(2, 1),
    _15: res0(15, 3),
    ADDR: address(55, 16),
    _63: res0(63, 56),
  },
  {
    meaning: "ADDR[55:16] offset from Page 0, CMDQGS[2:1]=1 (64KB), PRESET[0]=1",
    access: "RO",
    count: 256,
    stride: 32,
    reset: "fixed",
    gate: "ECMDQ",
  },
);

export const CMDQ_CONTROL_PAGE_CFG = register(
  "CMDQ_CONTROL_PAGE_CFG",
  0x4008,
  32,
  "6.3.50",
  {
    EN: flag(0),
    _31: res0(31, 1),
  },
  { meaning: "EN[0] RES1", access: "RO", count: 256, stride: 32, reset: "1", gate: "ECMDQ" },
);

export const CMDQ_CONTROL_PAGE_STATUS = register(
  "CMDQ_CONTROL_PAGE_STATUS",
  0x400c,
  32,
  "6.3.51",
  {
    ENACK: flag(0),
    _31: res0(31, 1),
  },
  { meaning: "ENACK[0] RES1", access: "RO", count: 256, stride: 32, reset: "1", gate: "ECMDQ" },
);

export const VATOS_CTRL = register(
  "VATOS_CTRL",
  0x0a00,
  32,
  "6.3.99",
  {
    RUN: flag(0),
    _31: res0(31, 1),
  },
  { meaning: "RUN[0], as GATOS_CTRL; only TYPE=1 (stage 1) allowed", reset: "0", gate: "VATOS" },
);

export const VATOS_SID = register(
  "VATOS_SID",
  0x0a08,
  64,
  "6.3.100",
  {
    STREAMID: bits(31, 0),
    SUBSTREAMID: bits(51, 32),
    SSID_VALID: flag(52),
    _63: res0(63, 53),
  },
  { meaning: "as GATOS_SID", reset: "UNKNOWN", gate: "VATOS" },
);

export const VATOS_ADDR = register(
  "VATOS_ADDR",
  0x0a10,
  64,
  "6.3.101",
  {
    _5: res0(5, 0),
    HTTUI: flag(6),
    InD: flag(7),
    RnW: flag(8),
    PnU: flag(9),
    TYPE: bits(11, 10),
    ADDR: address(63, 12),
  },
  { meaning: "as GATOS_ADDR", reset: "UNKNOWN", gate: "VATOS" },
);

export const VATOS_PAR = register(
  "VATOS_PAR",
  0x0a18,
  64,
  "6.3.102",
  {
    FAULT: flag(0, "0: the translation succeeded and this reading holds; 1: it faulted."),
    _7: res0(7, 1),
    SH: bits(9, 8, { 0: "NSH", 2: "OSH", 3: "ISH" }, "Shareability of the memory."),
    _10: res0(10, 10),
    Size: flag(11, "0: 4KB; 1: the lowest set bit N of ADDR gives a size of 2^(N+1) bytes."),
    ADDR: address(55, 12, "Output address."),
    ATTR: bits(63, 56, undefined, "Memory attributes, encoded as in MAIR."),
  },
  {
    meaning: "Result of the address translation operation of the VATOS page.",
    access: "RO",
    reset: "UNKNOWN",
    gate: "VATOS",
    alternative: {
      REASON: bits(
        2,
        1,
        { 0: "S1", 1: "S2_CD", 2: "S2_TT", 3: "S2_IN" },
        "Where the fault happened.",
      ),
      FAULTCODE: bits(
        11,
        4,
        { 253: "INTERNAL_ERR", 254: "INV_STAGE", 255: "INV_REQ" },
        "Event number of the fault, or why there was no translation.",
      ),
      FADDR: address(55, 12, "IPA that stage 2 could not translate."),
      IMPDEF: impdef(63, 60),
    },
    cases: {
      FAULT: {
        value: 1,
        layout: ["FAULT", "REASON", res0(3, 3), "FAULTCODE", "FADDR", res0(59, 56), "IMPDEF"],
      },
    },
  },
);

export const ECMDQ_BASE = register(
  "ECMDQ_BASE",
  0x0000,
  64,
  "6.3.107",
  {
    LOG2SIZE: bits(4, 0),
    ADDR: address(55, 5),
    _61: res0(61, 56),
    RA: flag(62),
    _63: res0(63, 63),
  },
  {
    meaning: "RA[62], ADDR[55:5], LOG2SIZE[4:0] (capped at IDR1.CMDQS)",
    reset: "UNKNOWN",
    guard: "EN=ENACK=0",
    gate: "ECMDQ",
  },
);

export const ECMDQ_PROD = register(
  "ECMDQ_PROD",
  0x0008,
  32,
  "6.3.108",
  {
    WR: bits(19, 0, undefined, { gate: "ECMDQ", reset: "UNKNOWN" }),
    _22: res0(22, 20),
    ERRACK: flag(23, {
      meaning: "error acknowledge, compared with ECMDQ_CONS.ERR",
      gate: "ECMDQ",
      reset: "0",
    }),
    _30: res0(30, 24),
    EN: flag(31, { meaning: "queue enable", gate: "ECMDQ", reset: "0" }),
  },
  { meaning: "ECMDQ producer", reset: "EN 0", guard: "EN==ENACK", gate: "ECMDQ" },
);

export const ECMDQ_CONS = register(
  "ECMDQ_CONS",
  0x000c,
  32,
  "6.3.109",
  {
    RD: bits(19, 0, undefined, { gate: "ECMDQ", reset: "UNKNOWN" }),
    _22: res0(22, 20),
    ERR: flag(23, {
      meaning: "toggled by SMMU on error; no consumption while ERR!=ERRACK",
      gate: "ECMDQ",
      reset: "0",
    }),
    ERR_REASON: bits(26, 24, undefined, {
      meaning: "same codes as CMDQ_CONS.ERR",
      gate: "ECMDQ",
      reset: "UNKNOWN",
    }),
    _30: res0(30, 27),
    ENACK: flag(31, { meaning: "enable acknowledge", gate: "ECMDQ", reset: "0" }),
  },
  { meaning: "ECMDQ consumer", reset: "ENACK 0", guard: "EN=ENACK=0", gate: "ECMDQ" },
);
