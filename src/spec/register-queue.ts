// Stream table and queue registers of pages 0 and 1 (IHI0070 6.3.24 to 6.3.33, 6.3.95 to 6.3.98).
import { CERROR } from "./command-field.ts";
import { address, bits, flag, register, res0 } from "./field.ts";

const SMMUEN = "CR0.SMMUEN=0, CR0ACK.SMMUEN=0 and IDR1.TABLES_PRESET=0";
const off = (enable: string): string => `CR0.${enable}=0 and CR0ACK.${enable}=0`;
const fixed = (enable: string): string => `${off(enable)} and IDR1.QUEUES_PRESET=0`;

export const STRTAB_BASE = register(
  "STRTAB_BASE",
  0x0080,
  64,
  "6.3.24",
  {
    _5: res0(5, 0),
    ADDR: address(55, 6, "PA of the stream table, aligned to its size: lower bits are taken as 0."),
    _61: res0(61, 56),
    RA: flag(62, "Read-allocate hint."),
    _63: res0(63, 63),
  },
  { meaning: "Where the stream table is.", reset: "UNKNOWN", guard: SMMUEN },
);

export const STRTAB_BASE_CFG = register(
  "STRTAB_BASE_CFG",
  0x0088,
  32,
  "6.3.25",
  {
    LOG2SIZE: bits(5, 0, undefined, "log2 of the StreamIDs that the table covers."),
    SPLIT: bits(10, 6, undefined, {
      meaning: "StreamID bits of the second level: 6, 8 or 10; other values act as 6.",
      gate: "ST_LEVEL!=0; ign: FMT=0",
    }),
    _15: res0(15, 11),
    FMT: bits(
      17,
      16,
      { 0: "LINEAR", 1: "2LVL" },
      {
        meaning: "One level or two; other values act as 0.",
        gate: "ST_LEVEL!=0",
      },
    ),
    _31: res0(31, 18),
  },
  { meaning: "Shape of the stream table.", reset: "UNKNOWN", guard: SMMUEN },
);

const QUEUE = {
  LOG2SIZE: bits(4, 0, undefined, "log2 of the number of entries, capped by IDR1."),
  ADDR: address(55, 5, "PA of the queue, aligned to its size: lower bits are taken as 0."),
  _61: res0(61, 56),
  _63: res0(63, 63),
};
const READS = { ...QUEUE, RA: flag(62, "Read-allocate hint.") };
const WRITES = { ...QUEUE, WA: flag(62, "Write-allocate hint.") };

export const CMDQ_BASE = register("CMDQ_BASE", 0x0090, 64, "6.3.26", READS, {
  meaning: "Where the Command queue is.",
  reset: "UNKNOWN",
  guard: fixed("CMDQEN"),
});

export const CMDQ_PROD = register(
  "CMDQ_PROD",
  0x0098,
  32,
  "6.3.27",
  {
    WR: bits(19, 0, undefined, "Index of the next free entry, and above it the wrap bit."),
    _31: res0(31, 20),
  },
  { meaning: "How far software has written commands.", reset: "UNKNOWN" },
);

export const CMDQ_CONS = register(
  "CMDQ_CONS",
  0x009c,
  32,
  "6.3.28",
  {
    RD: bits(
      19,
      0,
      undefined,
      "Index of the next command, or of the one that failed, and wrap bit.",
    ),
    _23: res0(23, 20),
    ERR: bits(30, 24, CERROR, "Why the command at RD failed, while GERROR.CMDQ_ERR is active."),
    _31: res0(31, 31),
  },
  { meaning: "How far the SMMU has taken commands.", reset: "UNKNOWN", guard: off("CMDQEN") },
);

export const EVENTQ_BASE = register("EVENTQ_BASE", 0x00a0, 64, "6.3.29", WRITES, {
  meaning: "Where the Event queue is.",
  reset: "UNKNOWN",
  guard: fixed("EVENTQEN"),
});

export const PRIQ_BASE = register("PRIQ_BASE", 0x00c0, 64, "6.3.33", WRITES, {
  meaning: "Where the PRI queue is.",
  reset: "UNKNOWN",
  guard: fixed("PRIQEN"),
  gate: "PRI",
});

const PROD = {
  WR: bits(19, 0, undefined, "Index of the next free entry, and above it the wrap bit."),
  _30: res0(30, 20),
  OVFLG: flag(31, "Differs from OVACKFLG while an overflow is not acknowledged."),
};

const CONS = {
  RD: bits(19, 0, undefined, "Index of the next entry to read, and above it the wrap bit."),
  _30: res0(30, 20),
  OVACKFLG: flag(31, "Software copies OVFLG here to acknowledge an overflow."),
};

export const EVENTQ_PROD = register("EVENTQ_PROD", 0x100a8, 32, "6.3.95", PROD, {
  meaning: "How far the SMMU has written events.",
  reset: "UNKNOWN",
  guard: off("EVENTQEN"),
});

export const EVENTQ_CONS = register("EVENTQ_CONS", 0x100ac, 32, "6.3.96", CONS, {
  meaning: "How far software has read events.",
  reset: "UNKNOWN",
});

export const PRIQ_PROD = register("PRIQ_PROD", 0x100c8, 32, "6.3.97", PROD, {
  meaning: "How far the SMMU has written page requests.",
  reset: "OVFLG 0, WR UNKNOWN",
  guard: off("PRIQEN"),
  gate: "PRI",
});

export const PRIQ_CONS = register("PRIQ_CONS", 0x100cc, 32, "6.3.98", CONS, {
  meaning: "How far software has read page requests.",
  reset: "UNKNOWN",
  gate: "PRI",
});
