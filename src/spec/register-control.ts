// Control, interrupt and error registers of page 0 (IHI0070 6.3.9 to 6.3.23).
import { address, bits, flag, impdef, register, repeated, res0 } from "./field.ts";

export const CR0 = register(
  "CR0",
  0x0020,
  32,
  "6.3.9",
  {
    SMMUEN: flag(0, "0=all NS streams use GBPA, 1=stream table lookup"),
    PRIQEN: flag(1, {
      meaning: "PRI queue write enable; effective value is 0 while SMMUEN=0",
      gate: "PRI",
    }),
    EVENTQEN: flag(2, "Event queue write enable"),
    CMDQEN: flag(3, "Command queue processing enable"),
    ATSCHK: flag(4, {
      meaning:
        "0=Translated traffic passes unchecked (only while SMMUEN=1), 1=checked against " +
        "STE.EATS",
      gate: "ATS",
    }),
    _5: res0(5, 5),
    VMW: bits(8, 6, undefined, {
      meaning:
        "VMID wildcard: n=0..4 ignore n low VMID bits in invalidation matching; 5..7 " +
        "behave as 0. Not used on lookup",
      gate: "IDR0.VMW",
    }),
    _9: res0(9, 9),
    DPT_WALK_EN: flag(10, {
      meaning: "enable NS DPT walks",
      gate: "DPT",
      access: "RO while !=ACK",
    }),
    _31: res0(31, 11),
  },
  {
    meaning:
      "Enable controls. Each field takes effect when the same field in CR0ACK equals it " +
      "(see protocols)",
    reset: "0",
  },
);

export const CR0ACK = register(
  "CR0ACK",
  0x0024,
  32,
  "6.3.10",
  {
    SMMUEN: flag(0),
    PRIQEN: flag(1),
    EVENTQEN: flag(2),
    CMDQEN: flag(3),
    ATSCHK: flag(4),
    _5: res0(5, 5),
    VMW: bits(8, 6),
    _9: res0(9, 9),
    DPT_WALK_EN: flag(10),
    _31: res0(31, 11),
  },
  {
    meaning: "Acknowledge of CR0, identical field layout, reserved CR0 bits not reflected",
    access: "RO",
    reset: "0",
  },
);

export const CR1 = register(
  "CR1",
  0x0028,
  32,
  "6.3.11",
  {
    QUEUE_IC: bits(1, 0, undefined, { meaning: "as TABLE_IC", access: "RW all queues disabled" }),
    QUEUE_OC: bits(3, 2, undefined, { meaning: "as TABLE_OC", access: "RW all queues disabled" }),
    QUEUE_SH: bits(5, 4, undefined, { meaning: "as TABLE_SH", access: "RW all queues disabled" }),
    TABLE_IC: bits(7, 6, undefined, {
      meaning: "0=NC 1=WB 2=WT 3=as 0",
      access: "RW SMMUEN=ACK=0",
    }),
    TABLE_OC: bits(9, 8, undefined, {
      meaning: "0=NC 1=WB 2=WT 3=as 0",
      access: "RW SMMUEN=ACK=0",
    }),
    TABLE_SH: bits(11, 10, undefined, {
      meaning: "0=NSH 1=as 0 2=OSH 3=ISH; ignored (OSH) when both IC,OC are NC",
      access: "RW SMMUEN=ACK=0",
    }),
    _31: res0(31, 12),
  },
  { meaning: "Attributes of SMMU accesses to tables and queues", reset: "UNKNOWN" },
);

export const CR2 = register(
  "CR2",
  0x002c,
  32,
  "6.3.12",
  {
    E2H: flag(0, { meaning: "STE.STRW=2 selects EL2 (0) or EL2-E2H (1)", gate: "Hyp" }),
    RECINVSID: flag(1, "1=C_BAD_STREAMID events may be recorded"),
    PTM: flag(2, {
      meaning: "1=may ignore NS broadcast TLBI",
      gate: "BTM",
      reset: "UNKNOWN (1 recommended)",
    }),
    REC_CFG_ATS: flag(3, {
      meaning: "1=record configuration events for ATS TR/TT and PRI PPAR checks",
      gate: "ATSRECERR",
    }),
    _31: res0(31, 4),
  },
  {
    meaning: "Miscellaneous control; a change takes effect by the time SMMUEN Updates to 1",
    reset: "UNKNOWN",
    guard: "SMMUEN=ACK=0",
  },
);

export const S2PII = register(
  "S2PII",
  0x0030,
  64,
  "6.3.17",
  {
    PI: repeated(3, 0, 16, 4, "Stage 2 permissions that stand for each permission index."),
  },
  {
    meaning: "16 stage 2 permission interpretations, 4 bits each, indexed by PIIndex",
    reset: "UNKNOWN",
    gate: "S2PI",
  },
);

export const STATUSR = register(
  "STATUSR",
  0x0040,
  32,
  "6.3.13",
  {
    DORMANT: flag(0, { meaning: "1=nothing cached, no prefetch in flight", gate: "DORMHINT" }),
    _31: res0(31, 1),
  },
  { meaning: "Status", access: "RO", reset: "0" },
);

export const GBPA = register(
  "GBPA",
  0x0044,
  32,
  "6.3.14",
  {
    MemAttr: bits(3, 0, undefined, {
      meaning: "as STE.MemAttr",
      gate: "ATTR_TYPES_OVR",
      reset: "IMPDEF",
    }),
    MTCFG: flag(4, {
      meaning: "1=replace memory type by MemAttr",
      gate: "ATTR_TYPES_OVR",
      reset: "IMPDEF",
    }),
    _7: res0(7, 5),
    ALLOCCFG: bits(11, 8, undefined, {
      meaning: "0b0xxx incoming hints, 0b1rwt override RA/WA/TR",
      gate: "ATTR_TYPES_OVR",
      reset: "IMPDEF",
    }),
    SHCFG: bits(13, 12, undefined, {
      meaning: "0=NSH 1=incoming 2=OSH 3=ISH",
      gate: "ATTR_TYPES_OVR",
      reset: "IMPDEF",
    }),
    _15: res0(15, 14),
    PRIVCFG: bits(17, 16, undefined, {
      meaning: "0=incoming 1=as 0 2=Unprivileged 3=Privileged",
      gate: "ATTR_PERMS_OVR",
      reset: "IMPDEF",
    }),
    INSTCFG: bits(19, 18, undefined, {
      meaning: "0=incoming 1=as 0 2=Data 3=Instruction; reads only",
      gate: "ATTR_PERMS_OVR",
      reset: "IMPDEF",
    }),
    ABORT: flag(20, {
      meaning: "1=abort all incoming transactions while SMMUEN=0",
      reset: "IMPDEF",
    }),
    _30: res0(30, 21),
    Update: flag(31, {
      meaning:
        "write 1 with the new value; cleared by SMMU on completion. In v3.2+ a write " +
        "without Update=1, or while Update=1, is ignored",
      reset: "0",
    }),
  },
  {
    meaning:
      "Global bypass attributes used when SMMUEN=0; must be written in one 32-bit write " +
      "with Update=1",
    reset: "IMPDEF (Update=0)",
    guard: "Update=0",
  },
);

export const AGBPA = register(
  "AGBPA",
  0x0048,
  32,
  "6.3.15",
  {
    IMPDEF: impdef(31, 0),
  },
  { meaning: "Alternate global bypass attributes, wholly IMPDEF, RES0 if unused", reset: "IMPDEF" },
);

export const IRQ_CTRL = register(
  "IRQ_CTRL",
  0x0050,
  32,
  "6.3.16",
  {
    GERROR_IRQEN: flag(0, "GERROR interrupt enable"),
    PRIQ_IRQEN: flag(1, { meaning: "PRI queue interrupt enable", gate: "PRI" }),
    EVENTQ_IRQEN: flag(2, "Event queue interrupt enable"),
    _31: res0(31, 3),
  },
  { meaning: "Interrupt source enables; acknowledged in IRQ_CTRLACK", reset: "0" },
);

export const IRQ_CTRLACK = register(
  "IRQ_CTRLACK",
  0x0054,
  32,
  "6.3.18",
  {
    GERROR_IRQEN: flag(0),
    PRIQ_IRQEN: flag(1),
    EVENTQ_IRQEN: flag(2),
    _31: res0(31, 3),
  },
  { meaning: "Acknowledge of IRQ_CTRL, same layout", access: "RO", reset: "0" },
);

export const GERROR = register(
  "GERROR",
  0x0060,
  32,
  "6.3.19",
  {
    CMDQ_ERR: flag(
      0,
      "Command error; CMDQ_CONS.ERR holds the code; no command consumed while active",
    ),
    _1: res0(1, 1),
    EVENTQ_ABT_ERR: flag(2, "Event queue access aborted; queue not writable while active"),
    PRIQ_ABT_ERR: flag(3, {
      meaning: "PRI queue access aborted; queue not written while active",
      gate: "PRI",
    }),
    MSI_CMDQ_ABT_ERR: flag(4, { meaning: "CMD_SYNC MSI aborted", gate: "MSI" }),
    MSI_EVENTQ_ABT_ERR: flag(5, { meaning: "Event queue MSI aborted", gate: "MSI" }),
    MSI_PRIQ_ABT_ERR: flag(6, { meaning: "PRI queue MSI aborted", gate: "MSI&PRI" }),
    MSI_GERROR_ABT_ERR: flag(7, {
      meaning: "GERROR MSI aborted; does not itself raise a GERROR interrupt",
      gate: "MSI",
    }),
    SFM_ERR: flag(8, "Service failure mode entered"),
    CMDQP_ERR: flag(9, {
      meaning: "an ECMDQ reported an error; no effect on ECMDQ operation",
      gate: "ECMDQ",
    }),
    DPT_ERR: flag(10, { meaning: "DPT lookup fault, syndrome in DPT_CFG_FAR", gate: "DPT" }),
    _31: res0(31, 11),
  },
  {
    meaning:
      "Global errors; error x active while GERROR[x]!=GERRORN[x]. SMMU toggles only " +
      "inactive bits",
    access: "RO",
    reset: "0",
  },
);

export const GERRORN = register(
  "GERRORN",
  0x0064,
  32,
  "6.3.20",
  {
    CMDQ_ERR: flag(0),
    _1: res0(1, 1),
    EVENTQ_ABT_ERR: flag(2),
    PRIQ_ABT_ERR: flag(3),
    MSI_CMDQ_ABT_ERR: flag(4),
    MSI_EVENTQ_ABT_ERR: flag(5),
    MSI_PRIQ_ABT_ERR: flag(6),
    MSI_GERROR_ABT_ERR: flag(7),
    SFM_ERR: flag(8),
    _9: res0(9, 9),
    DPT_ERR: flag(10),
    _31: res0(31, 11),
  },
  {
    meaning:
      "Acknowledge of GERROR (same layout, never modified by the SMMU). Toggling an " +
      "inactive error bit is CONSTRAINED UNPREDICTABLE",
    reset: "0",
  },
);

export const GERROR_IRQ_CFG0 = register(
  "GERROR_IRQ_CFG0",
  0x0068,
  64,
  "6.3.21",
  {
    _1: res0(1, 0),
    ADDR: address(55, 2, {
      meaning: "MSI target address[55:2]; 0=no MSI. Bits above OAS RES0",
      gate: "MSI",
    }),
    _63: res0(63, 56),
  },
  { meaning: "GERROR MSI address", reset: "UNKNOWN", guard: "IRQEN=ACK=0", gate: "MSI" },
);

export const GERROR_IRQ_CFG1 = register(
  "GERROR_IRQ_CFG1",
  0x0070,
  32,
  "6.3.22",
  {
    DATA: bits(31, 0, undefined, { meaning: "payload", gate: "MSI" }),
  },
  { meaning: "GERROR MSI data", reset: "UNKNOWN", guard: "IRQEN=ACK=0", gate: "MSI" },
);

export const GERROR_IRQ_CFG2 = register(
  "GERROR_IRQ_CFG2",
  0x0074,
  32,
  "6.3.23",
  {
    MemAttr: bits(3, 0, undefined, { meaning: "as STE.MemAttr", gate: "MSI" }),
    SH: bits(5, 4, undefined, {
      meaning: "0=NSH 1=as 0 2=OSH 3=ISH; ignored for Device",
      gate: "MSI",
    }),
    _31: res0(31, 6),
  },
  { meaning: "GERROR MSI attributes", reset: "UNKNOWN", guard: "IRQEN=ACK=0", gate: "MSI" },
);
