// Control, bypass and status registers of page 0 (IHI0070 6.3.9 to 6.3.17).
import { INSTCFG, MemAttr, PRIVCFG, SHCFG } from "./encoding.ts";
import { bits, enumeration, flag, impdef, register, repeated, res0 } from "./field.ts";

/** Shareability of the SMMU's own accesses. */
export const CR1_SH = enumeration("CR1_SH", { 0: "NSH", 2: "OSH", 3: "ISH" });

/** Cacheability of the SMMU's own accesses. */
export const CR1_CACHE = enumeration("CR1_CACHE", { 0: "NC", 1: "WB", 2: "WT" });

const ENABLES = {
  SMMUEN: flag(0, "Streams are translated by the stream table (1) or bypass by GBPA (0)."),
  PRIQEN: flag(1, {
    meaning: "Page requests are written to the PRI queue; taken as 0 while SMMUEN is 0.",
    gate: "PRI",
  }),
  EVENTQEN: flag(2, "Events are written to the Event queue."),
  CMDQEN: flag(3, "Commands are taken from the Command queue."),
  ATSCHK: flag(4, {
    meaning: "Translated ATS transactions are checked against STE.EATS.",
    gate: "ATS",
  }),
  _5: res0(5, 5),
  VMW: bits(8, 6, undefined, {
    meaning: "Low VMID bits that invalidations do not compare, at most 4; above that 0.",
    gate: "IDR0.VMW",
  }),
  _9: res0(9, 9),
  DPT_WALK_EN: flag(10, { meaning: "The Device Permission Table is walked.", gate: "DPT" }),
  _31: res0(31, 11),
};

export const CR0 = register("CR0", 0x0020, 32, "6.3.9", ENABLES, {
  meaning: "Enables; a change is done when CR0ACK shows it.",
  reset: "0",
});

export const CR0ACK = register("CR0ACK", 0x0024, 32, "6.3.10", ENABLES, {
  meaning: "Which values of CR0 are in force.",
  access: "RO",
  reset: "0",
});

const TABLE = "CR0.SMMUEN=0 and CR0ACK.SMMUEN=0";
const QUEUE = "CR0 and CR0ACK: CMDQEN, EVENTQEN and PRIQEN are 0";

export const CR1 = register(
  "CR1",
  0x0028,
  32,
  "6.3.11",
  {
    QUEUE_IC: bits(1, 0, CR1_CACHE, { meaning: "Queues, inner cacheability.", access: QUEUE }),
    QUEUE_OC: bits(3, 2, CR1_CACHE, { meaning: "Queues, outer cacheability.", access: QUEUE }),
    QUEUE_SH: bits(5, 4, CR1_SH, { meaning: "Queues, shareability.", access: QUEUE }),
    TABLE_IC: bits(7, 6, CR1_CACHE, {
      meaning: "Stream table, inner cacheability.",
      access: TABLE,
    }),
    TABLE_OC: bits(9, 8, CR1_CACHE, {
      meaning: "Stream table, outer cacheability.",
      access: TABLE,
    }),
    TABLE_SH: bits(11, 10, CR1_SH, { meaning: "Stream table, shareability.", access: TABLE }),
    _31: res0(31, 12),
  },
  { meaning: "Attributes of the SMMU's accesses to tables and queues.", reset: "UNKNOWN" },
);

export const CR2 = register(
  "CR2",
  0x002c,
  32,
  "6.3.12",
  {
    E2H: flag(0, { meaning: "STE.STRW=2 selects EL2-E2H instead of EL2.", gate: "Hyp" }),
    RECINVSID: flag(1, "C_BAD_STREAMID events are recorded."),
    PTM: flag(2, { meaning: "Broadcast TLB invalidations are ignored.", gate: "BTM" }),
    REC_CFG_ATS: flag(3, {
      meaning: "Configuration errors of ATS requests are recorded.",
      gate: "ATSRECERR",
    }),
    _31: res0(31, 4),
  },
  {
    meaning: "More controls; a change is in force when SMMUEN becomes 1.",
    reset: "UNKNOWN",
    guard: TABLE,
  },
);

export const S2PII = register(
  "S2PII",
  0x0030,
  64,
  "6.3.17",
  { PI: repeated(3, 0, 16, 4, "Stage 2 permission that each permission index stands for.") },
  { meaning: "Stage 2 permission interpretation.", reset: "UNKNOWN", gate: "S2PI" },
);

export const STATUSR = register(
  "STATUSR",
  0x0040,
  32,
  "6.3.13",
  {
    DORMANT: flag(0, {
      meaning: "Nothing is cached and no prefetch is going on.",
      gate: "DORMHINT",
    }),
    _31: res0(31, 1),
  },
  { meaning: "Status.", access: "RO", reset: "0" },
);

const PERMS = "ATTR_PERMS_OVR";
const TYPES = "ATTR_TYPES_OVR";

export const GBPA = register(
  "GBPA",
  0x0044,
  32,
  "6.3.14",
  {
    MemAttr: bits(3, 0, MemAttr, {
      meaning: "Memory type that replaces the incoming one when MTCFG is 1.",
      gate: TYPES,
    }),
    MTCFG: flag(4, { meaning: "Replace the incoming memory type by MemAttr.", gate: TYPES }),
    _7: res0(7, 5),
    ALLOCCFG: bits(11, 8, undefined, {
      meaning: "1RWT replaces the read, write and transient hints; 0xxx keeps them.",
      gate: TYPES,
    }),
    SHCFG: bits(13, 12, SHCFG, {
      meaning: "Shareability that replaces the incoming one.",
      gate: TYPES,
    }),
    _15: res0(15, 14),
    PRIVCFG: bits(17, 16, PRIVCFG, {
      meaning: "Privilege that replaces the incoming one.",
      gate: PERMS,
    }),
    INSTCFG: bits(19, 18, INSTCFG, {
      meaning: "Instruction or data: replaces the incoming attribute of reads.",
      gate: PERMS,
    }),
    ABORT: flag(20, "All transactions are aborted while SMMUEN is 0."),
    _30: res0(30, 21),
    Update: flag(31, {
      meaning: "Written as 1 with the new value; 0 again when that is in force.",
      reset: "0",
    }),
  },
  {
    meaning: "What happens to transactions while SMMUEN is 0.",
    reset: "IMPDEF (Update=0)",
    guard: "Update=0 before the write and Update=1 in it",
  },
);

export const AGBPA = register(
  "AGBPA",
  0x0048,
  32,
  "6.3.15",
  { IMPDEF: impdef(31, 0) },
  { meaning: "IMPLEMENTATION DEFINED bypass attributes.", reset: "IMPDEF" },
);
