// Stream table and queue registers of pages 0 and 1 (IHI0070 6.3.24 to 6.3.36).
import { address, bits, flag, register, res0 } from "./field.ts";

export const STRTAB_BASE = register(
  "STRTAB_BASE",
  0x0080,
  64,
  "6.3.24",
  {
    _5: res0(5, 0),
    ADDR: address(
      55,
      6,
      "base PA[55:6]. Linear: bits [LOG2SIZE+5:0] taken as 0. 2-level: bits " +
        "[max(5,LOG2SIZE-SPLIT-1+3):0] taken as 0. Uses literal LOG2SIZE, not capped by " +
        "SIDSIZE",
    ),
    _61: res0(61, 56),
    RA: flag(62, "read-allocate hint"),
    _63: res0(63, 63),
  },
  { meaning: "Stream table base", reset: "UNKNOWN", guard: "SMMUEN=ACK=0 and !TABLES_PRESET" },
);

export const STRTAB_BASE_CFG = register(
  "STRTAB_BASE_CFG",
  0x0088,
  32,
  "6.3.25",
  {
    LOG2SIZE: bits(
      5,
      0,
      undefined,
      "log2 of StreamIDs covered; effective value min(LOG2SIZE,IDR1.SIDSIZE) for range " +
        "check and index",
    ),
    SPLIT: bits(10, 6, undefined, {
      meaning: "6 (4KB leaf), 8 (16KB), 10 (64KB); other values behave as 6; ignored when linear",
      gate: "ST_LEVEL!=0",
    }),
    _15: res0(15, 11),
    FMT: bits(
      17,
      16,
      { 0: "LINEAR", 1: "2LVL" },
      { meaning: "0=linear 1=2-level, other values behave as 0", gate: "ST_LEVEL!=0" },
    ),
    _31: res0(31, 18),
  },
  { meaning: "Stream table format", reset: "UNKNOWN", guard: "SMMUEN=ACK=0 and !TABLES_PRESET" },
);

export const CMDQ_BASE = register(
  "CMDQ_BASE",
  0x0090,
  64,
  "6.3.26",
  {
    LOG2SIZE: bits(4, 0, undefined, "log2 entries, use capped at IDR1.CMDQS"),
    ADDR: address(55, 5, "PA[55:5]; effective base aligned down to max(queue bytes,32)"),
    _61: res0(61, 56),
    RA: flag(62, "read-allocate hint"),
    _63: res0(63, 63),
  },
  { meaning: "Command queue base", reset: "UNKNOWN", guard: "CMDQEN=ACK=0 and !QUEUES_PRESET" },
);

export const CMDQ_PROD = register(
  "CMDQ_PROD",
  0x0098,
  32,
  "6.3.27",
  {
    WR: bits(19, 0, undefined, "index in [QS-1:0], wrap flag in [QS], QS=CMDQ_BASE.LOG2SIZE"),
    _31: res0(31, 20),
  },
  {
    meaning:
      "Command queue producer (software). A write makes the SMMU look at the queue if " +
      "CMDQEN=1 and no CMDQ_ERR active",
    reset: "UNKNOWN",
  },
);

export const CMDQ_CONS = register(
  "CMDQ_CONS",
  0x009c,
  32,
  "6.3.28",
  {
    RD: bits(19, 0, undefined, "index/wrap as PROD; on error points at the failing command"),
    _23: res0(23, 20),
    ERR: bits(
      30,
      24,
      undefined,
      "0=NONE 1=ILL 2=ABT 3=ATC_INV_SYNC; UNKNOWN when CMDQ_ERR inactive",
    ),
    _31: res0(31, 31),
  },
  { meaning: "Command queue consumer (SMMU)", reset: "UNKNOWN", guard: "CMDQEN=ACK=0" },
);

export const EVENTQ_BASE = register(
  "EVENTQ_BASE",
  0x00a0,
  64,
  "6.3.29",
  {
    LOG2SIZE: bits(4, 0, undefined, "capped at IDR1.EVENTQS"),
    ADDR: address(55, 5, "as CMDQ_BASE.ADDR"),
    _61: res0(61, 56),
    WA: flag(62, "write-allocate hint"),
    _63: res0(63, 63),
  },
  { meaning: "Event queue base", reset: "UNKNOWN", guard: "EVENTQEN=ACK=0 and !QUEUES_PRESET" },
);

export const EVENTQ_IRQ_CFG0 = register(
  "EVENTQ_IRQ_CFG0",
  0x00b0,
  64,
  "6.3.30",
  {
    _1: res0(1, 0),
    ADDR: address(55, 2),
    _63: res0(63, 56),
  },
  {
    meaning: "Event queue MSI address (as GERROR_IRQ_CFG0)",
    reset: "UNKNOWN",
    guard: "IRQEN=ACK=0",
    gate: "MSI",
  },
);

export const EVENTQ_IRQ_CFG1 = register(
  "EVENTQ_IRQ_CFG1",
  0x00b8,
  32,
  "6.3.31",
  {
    DATA: bits(31, 0),
  },
  { meaning: "Event queue MSI data", reset: "UNKNOWN", guard: "IRQEN=ACK=0", gate: "MSI" },
);

export const EVENTQ_IRQ_CFG2 = register(
  "EVENTQ_IRQ_CFG2",
  0x00bc,
  32,
  "6.3.32",
  {
    MemAttr: bits(3, 0),
    SH: bits(5, 4),
    _31: res0(31, 6),
  },
  { meaning: "Event queue MSI attributes", reset: "UNKNOWN", guard: "IRQEN=ACK=0", gate: "MSI" },
);

export const PRIQ_BASE = register(
  "PRIQ_BASE",
  0x00c0,
  64,
  "6.3.33",
  {
    LOG2SIZE: bits(4, 0),
    ADDR: address(55, 5),
    _61: res0(61, 56),
    WA: flag(62),
    _63: res0(63, 63),
  },
  {
    meaning: "PRI queue base (WA 62, ADDR 55:5, LOG2SIZE 4:0)",
    reset: "UNKNOWN",
    guard: "PRIQEN=ACK=0 and !QUEUES_PRESET",
    gate: "PRI",
  },
);

export const PRIQ_IRQ_CFG0 = register(
  "PRIQ_IRQ_CFG0",
  0x00d0,
  64,
  "6.3.34",
  {
    _1: res0(1, 0),
    ADDR: address(55, 2),
    _63: res0(63, 56),
  },
  { meaning: "PRI queue MSI address", reset: "UNKNOWN", guard: "IRQEN=ACK=0", gate: "MSI&PRI" },
);

export const PRIQ_IRQ_CFG1 = register(
  "PRIQ_IRQ_CFG1",
  0x00d8,
  32,
  "6.3.35",
  {
    DATA: bits(31, 0),
  },
  { meaning: "PRI queue MSI data", reset: "UNKNOWN", guard: "IRQEN=ACK=0", gate: "MSI&PRI" },
);

export const PRIQ_IRQ_CFG2 = register(
  "PRIQ_IRQ_CFG2",
  0x00dc,
  32,
  "6.3.36",
  {
    MemAttr: bits(3, 0, undefined, { gate: "MSI&PRI" }),
    SH: bits(5, 4, undefined, { gate: "MSI&PRI" }),
    _30: res0(30, 6),
    LO: flag(31, {
      meaning:
        "0=interrupt when queue goes empty to non-empty, 1=interrupt when a message with " +
        "L=1 is received (also when discarded by overflow). Applies to wired too",
      gate: "PRI",
    }),
  },
  { meaning: "PRI queue MSI attributes", reset: "UNKNOWN", guard: "IRQEN=ACK=0", gate: "MSI&PRI" },
);

export const EVENTQ_PROD = register(
  "EVENTQ_PROD",
  0x100a8,
  32,
  "6.3.95",
  {
    WR: bits(19, 0, undefined, "index/wrap, QS=EVENTQ_BASE.LOG2SIZE"),
    _30: res0(30, 20),
    OVFLG: flag(31, "toggled by SMMU on overflow when equal to OVACKFLG"),
  },
  {
    meaning: "Event queue producer (SMMU). Page 0 alias at 0xa8 optional",
    reset: "UNKNOWN",
    guard: "EVENTQEN=ACK=0",
  },
);

export const EVENTQ_CONS = register(
  "EVENTQ_CONS",
  0x100ac,
  32,
  "6.3.96",
  {
    RD: bits(19, 0, undefined, "index/wrap"),
    _30: res0(30, 20),
    OVACKFLG: flag(31, "software copies OVFLG here to acknowledge"),
  },
  { meaning: "Event queue consumer (software)", reset: "UNKNOWN" },
);

export const PRIQ_PROD = register(
  "PRIQ_PROD",
  0x100c8,
  32,
  "6.3.97",
  {
    WR: bits(19, 0, undefined, { gate: "PRI", reset: "UNKNOWN" }),
    _30: res0(30, 20),
    OVFLG: flag(31, {
      meaning: "while OVFLG!=OVACKFLG no entries are written",
      gate: "PRI",
      reset: "0",
    }),
  },
  {
    meaning: "PRI queue producer (SMMU)",
    reset: "OVFLG 0, WR UNKNOWN",
    guard: "PRIQEN=ACK=0",
    gate: "PRI",
  },
);

export const PRIQ_CONS = register(
  "PRIQ_CONS",
  0x100cc,
  32,
  "6.3.98",
  {
    RD: bits(19, 0, undefined, { gate: "PRI" }),
    _30: res0(30, 20),
    OVACKFLG: flag(31, { gate: "PRI" }),
  },
  { meaning: "PRI queue consumer (software)", reset: "UNKNOWN", gate: "PRI" },
);
