// MPAM, Device Permission Table and Enhanced Command queue registers (IHI0070 6.3.42 on).
import { CERROR } from "./command-field.ts";
import { address, bits, flag, register, res0 } from "./field.ts";

const UPDATE = flag(31, {
  meaning: "Written as 1 with the new value; 0 again when that is in force.",
  reset: "0",
});

export const GMPAM = register(
  "GMPAM",
  0x0138,
  32,
  "6.3.42",
  {
    SO_PARTID: bits(15, 0, undefined, "PARTID of the SMMU's own accesses."),
    SO_PMG: bits(23, 16, undefined, "Monitoring group of the SMMU's own accesses."),
    _30: res0(30, 24),
    Update: UPDATE,
  },
  { meaning: "Partition of the SMMU's own accesses.", reset: "0", gate: "MPAM" },
);

export const GBPMPAM = register(
  "GBPMPAM",
  0x013c,
  32,
  "6.3.43",
  {
    GBP_PARTID: bits(15, 0, undefined, "PARTID of bypassing transactions."),
    GBP_PMG: bits(23, 16, undefined, "Monitoring group of bypassing transactions."),
    _30: res0(30, 24),
    Update: UPDATE,
  },
  { meaning: "Partition of transactions while SMMUEN is 0.", reset: "0", gate: "MPAM" },
);

const DPT_OFF = "CR0.DPT_WALK_EN=0 and CR0ACK.DPT_WALK_EN=0";

export const DPT_BASE = register(
  "DPT_BASE",
  0x0200,
  64,
  "6.3.46",
  {
    _11: res0(11, 0),
    BADDR: address(55, 12, "PA of the Device Permission Table."),
    _61: res0(61, 56),
    RA: flag(62, "Read-allocate hint."),
    _63: res0(63, 63),
  },
  {
    meaning: "Where the Device Permission Table is.",
    reset: "UNKNOWN",
    guard: DPT_OFF,
    gate: "DPT",
  },
);

export const DPT_BASE_CFG = register(
  "DPT_BASE_CFG",
  0x0208,
  32,
  "6.3.47",
  {
    DPTPS: bits(2, 0, undefined, "Size of the memory that the table protects."),
    _13: res0(13, 3),
    DPTGS: bits(15, 14, undefined, "Granule of the table."),
    _19: res0(19, 16),
    L0DPTSZ: bits(23, 20, undefined, "Memory that one level 0 entry covers."),
    _31: res0(31, 24),
  },
  {
    meaning: "Shape of the Device Permission Table.",
    reset: "UNKNOWN",
    guard: DPT_OFF,
    gate: "DPT",
  },
);

export const DPT_CFG_FAR = register(
  "DPT_CFG_FAR",
  0x0210,
  64,
  "6.3.48",
  {
    FAULT: flag(0, { meaning: "A fault is recorded here; writing 0 clears it.", reset: "0" }),
    LEVEL: flag(1, "Level of the table that faulted."),
    _3: res0(3, 2),
    DPT_FAULTCODE: bits(7, 4, undefined, "Kind of fault."),
    _11: res0(11, 8),
    FADDR: address(55, 12, "Address that was looked up."),
    _63: res0(63, 56),
  },
  {
    meaning: "What went wrong with the Device Permission Table.",
    reset: "0",
    guard: "the write clears FAULT",
    gate: "DPT",
  },
);

const PAGES = { access: "RO", count: 256, stride: 32, gate: "ECMDQ" };

export const CMDQ_CONTROL_PAGE_BASE = register(
  "CMDQ_CONTROL_PAGE_BASE",
  0x4000,
  64,
  "6.3.49",
  {
    CMDQ_CONTROL_PAGE_PRESET: flag(0, "The place of the page is fixed; always 1."),
    CMDQGS: bits(2, 1, undefined, "Granule of the page; always 1: 64KB."),
    _15: res0(15, 3),
    ADDR: address(55, 16, "Offset of the page from page 0."),
    _63: res0(63, 56),
  },
  { ...PAGES, meaning: "Where a page of Enhanced Command queues is.", reset: "fixed" },
);

export const CMDQ_CONTROL_PAGE_CFG = register(
  "CMDQ_CONTROL_PAGE_CFG",
  0x4008,
  32,
  "6.3.50",
  { EN: flag(0, "The page is on; always 1."), _31: res0(31, 1) },
  { ...PAGES, meaning: "Control of a page of Enhanced Command queues.", reset: "1" },
);

export const CMDQ_CONTROL_PAGE_STATUS = register(
  "CMDQ_CONTROL_PAGE_STATUS",
  0x400c,
  32,
  "6.3.51",
  { ENACK: flag(0, "The page is on; always 1."), _31: res0(31, 1) },
  { ...PAGES, meaning: "Status of a page of Enhanced Command queues.", reset: "1" },
);

/** Of a Command queue control page; the queues of a page are 0x10000 >> LOG2NUMQ bytes apart. */
export const ECMDQ_BASE = register(
  "ECMDQ_BASE",
  0x00,
  64,
  "6.3.107",
  {
    LOG2SIZE: bits(4, 0, undefined, "log2 of the number of entries, capped at IDR1.CMDQS."),
    ADDR: address(55, 5, "PA of the queue, aligned to its size."),
    _61: res0(61, 56),
    RA: flag(62, "Read-allocate hint."),
    _63: res0(63, 63),
  },
  {
    meaning: "Where an Enhanced Command queue is.",
    reset: "UNKNOWN",
    frame: "ECMDQ",
    guard: "ECMDQ_PROD.EN=0 and ECMDQ_CONS.ENACK=0",
    gate: "ECMDQ",
  },
);

export const ECMDQ_PROD = register(
  "ECMDQ_PROD",
  0x08,
  32,
  "6.3.108",
  {
    WR: bits(19, 0, undefined, "Index of the next free entry, and above it the wrap bit."),
    _22: res0(22, 20),
    ERRACK: flag(23, { meaning: "Made equal to ECMDQ_CONS.ERR to acknowledge it.", reset: "0" }),
    _30: res0(30, 24),
    EN: flag(31, { meaning: "Commands are taken from the queue.", reset: "0" }),
  },
  {
    meaning: "How far software has written an Enhanced Command queue.",
    reset: "EN 0, ERRACK 0",
    frame: "ECMDQ",
    guard: "EN=ECMDQ_CONS.ENACK",
    gate: "ECMDQ",
  },
);

export const ECMDQ_CONS = register(
  "ECMDQ_CONS",
  0x0c,
  32,
  "6.3.109",
  {
    RD: bits(
      19,
      0,
      undefined,
      "Index of the next command, or of the one that failed, and wrap bit.",
    ),
    _22: res0(22, 20),
    ERR: flag(23, {
      meaning: "Differs from ERRACK while an error is not acknowledged.",
      reset: "0",
    }),
    ERR_REASON: bits(26, 24, CERROR, "Why the command at RD failed."),
    _30: res0(30, 27),
    ENACK: flag(31, { meaning: "The value of EN that is in force.", reset: "0" }),
  },
  {
    meaning: "How far the SMMU has taken an Enhanced Command queue.",
    reset: "ENACK 0, ERR 0",
    frame: "ECMDQ",
    guard: "ECMDQ_PROD.EN=0 and ENACK=0",
    gate: "ECMDQ",
  },
);
