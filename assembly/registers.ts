// MMIO pages 0 and 1: reads, guarded writes, acknowledge protocols (IHI0070 6.3).

import { consumeCommands } from "./command";
import { flushConfigurations } from "./config";
import { forgetLastEvent } from "./event";
import {
  atsPresent,
  deriveFeatures,
  hasQuirk,
  msiPresent,
  priPresent,
  vmwPresent,
} from "./features";
import { resetInterrupts } from "./interrupt";
import { Q_IRQ_CFG_UNREADABLE, Q_UNGUARDED } from "./layout/quirks";
import {
  CMDQ_BASE_FIELDS,
  CR0_FIELDS,
  CR1_FIELDS,
  CR2_FIELDS,
  cr0CMDQEN,
  cr0EVENTQEN,
  cr0PRIQEN,
  cr0SMMUEN,
  EVENTQ_BASE_FIELDS,
  GBPA_FIELDS,
  GERROR_IRQ_CFG0_FIELDS,
  GERROR_IRQ_CFG2_FIELDS,
  gbpaUpdate,
  IRQ_CTRL_FIELDS,
  irqctrlEVENTQ_IRQEN,
  irqctrlGERROR_IRQEN,
  REG_AIDR,
  REG_CMDQ_BASE,
  REG_CMDQ_CONS,
  REG_CMDQ_PROD,
  REG_CR0,
  REG_CR0ACK,
  REG_CR1,
  REG_CR2,
  REG_EVENTQ_BASE,
  REG_EVENTQ_CONS,
  REG_EVENTQ_IRQ_CFG0,
  REG_EVENTQ_IRQ_CFG1,
  REG_EVENTQ_IRQ_CFG2,
  REG_EVENTQ_PROD,
  REG_GBPA,
  REG_GERROR_IRQ_CFG0,
  REG_GERROR_IRQ_CFG1,
  REG_GERROR_IRQ_CFG2,
  REG_GERRORN,
  REG_IRQ_CTRL,
  REG_IRQ_CTRLACK,
  REG_STRTAB_BASE,
  REG_STRTAB_BASE_CFG,
  STRTAB_BASE_CFG_FIELDS,
  STRTAB_BASE_FIELDS,
  withCr0ATSCHK,
  withCr0DPT_WALK_EN,
  withCr0PRIQEN,
  withCr0VMW,
  withCr1QUEUE_IC,
  withCr1QUEUE_OC,
  withCr1QUEUE_SH,
  withGbpaUpdate,
  withIrqctrlPRIQ_IRQEN,
} from "./layout/register";
import { fileOffset, reg32, reg64, setReg32, setReg64 } from "./regfile";
import { REGISTER_FILE_BYTES } from "./state";
import { noteStreamTableConfig, resetStreamTableConfig } from "./streamtable";

/** The identification registers at the end of page 0's first 4 KiB. */
const PIDR_FIRST: u32 = 0xfd0;
const WORD_SHIFT: u32 = 2;
const BYTE_SHIFT: u32 = 3;
const WORDS_PER_ROW: u32 = 4;
/** PIDR4-7, PIDR0-3 and CIDR0-3 of an Arm MMU-600, the first register in the lowest byte. */
const PIDR4: u32 = 0x00000004;
const PIDR0: u32 = 0x10f0b484;
const CIDR0: u32 = 0xb105f00d;
/** LOG2SIZE of the queue bases at reset. */
const QUEUE_LOG2_RESET: u64 = 0x13;
/** GBPA at reset: incoming shareability. */
const GBPA_RESET: u32 = 0x1000;
const WORD_BITS: u64 = 32;

function isWide(offset: u32): bool {
  return (
    offset == REG_GERROR_IRQ_CFG0 ||
    offset == REG_STRTAB_BASE ||
    offset == REG_CMDQ_BASE ||
    offset == REG_EVENTQ_BASE ||
    offset == REG_EVENTQ_IRQ_CFG0
  );
}

/** Peripheral and component identification (6.3.170): one byte in each of twelve words. */
function identification(offset: u32): u32 {
  const index = (offset - PIDR_FIRST) >> WORD_SHIFT;
  const bytes = index < WORDS_PER_ROW ? PIDR4 : index < 2 * WORDS_PER_ROW ? PIDR0 : CIDR0;
  return <u32>(<u8>(bytes >> ((index % WORDS_PER_ROW) << BYTE_SHIFT)));
}

/** Reads `size` (4 or 8) bytes; anything unimplemented reads as zero. */
export function readRegister(offset: u32, size: u32): u64 {
  const at = fileOffset(offset);
  const isEventqCfg = at >= REG_EVENTQ_IRQ_CFG0 && at <= REG_EVENTQ_IRQ_CFG2;
  if (isEventqCfg && hasQuirk(Q_IRQ_CFG_UNREADABLE)) return 0;
  if (size == 8) return isWide(at) ? reg64(at) : 0;
  if (size != 4 || at & 3 || at >= <u32>REGISTER_FILE_BYTES) return 0;
  if (at >= PIDR_FIRST) return <u64>identification(at);
  return <u64>reg32(at);
}

/** Writes `size` (4 or 8) bytes; a write that its guard forbids is ignored. */
export function writeRegister(offset: u32, size: u32, value: u64): void {
  const at = fileOffset(offset);
  if (size == 8) {
    if (isWide(at)) writeWide(at, value);
    return;
  }
  if (size != 4 || at & 3) return;
  if (isWide(at)) {
    writeWide(at, ((reg64(at) >> WORD_BITS) << WORD_BITS) | <u64>(<u32>value));
  } else if (isWide(at - 4)) {
    writeWide(at - 4, (value << WORD_BITS) | <u64>reg32(at - 4));
  } else {
    writeNarrow(at, <u32>value);
  }
}

/** Whether the guard of a register allows writing it now (6.3, table of guards). */
function writable(at: u32): bool {
  if (hasQuirk(Q_UNGUARDED)) return true;
  const cr0 = reg32(REG_CR0) | reg32(REG_CR0ACK);
  const irq = reg32(REG_IRQ_CTRL) | reg32(REG_IRQ_CTRLACK);
  if (at == REG_CR2 || at == REG_STRTAB_BASE || at == REG_STRTAB_BASE_CFG) return !cr0SMMUEN(cr0);
  if (at == REG_CMDQ_BASE || at == REG_CMDQ_CONS) return !cr0CMDQEN(cr0);
  if (at == REG_EVENTQ_BASE || at == fileOffset(REG_EVENTQ_PROD)) return !cr0EVENTQEN(cr0);
  if (at >= REG_EVENTQ_IRQ_CFG0 && at <= REG_EVENTQ_IRQ_CFG2) {
    return msiPresent && !irqctrlEVENTQ_IRQEN(irq);
  }
  if (at >= REG_GERROR_IRQ_CFG0 && at <= REG_GERROR_IRQ_CFG2) {
    return msiPresent && !irqctrlGERROR_IRQEN(irq);
  }
  return true;
}

/** The bits of a register that exist; QEMU stores all of them. */
function implemented(value: u64, fields: u64): u64 {
  return hasQuirk(Q_UNGUARDED) ? value : value & fields;
}

function writeWide(at: u32, value: u64): void {
  if (!writable(at)) return;
  let fields = STRTAB_BASE_FIELDS;
  if (at == REG_CMDQ_BASE) fields = CMDQ_BASE_FIELDS;
  else if (at == REG_EVENTQ_BASE) fields = EVENTQ_BASE_FIELDS;
  else if (at != REG_STRTAB_BASE) fields = GERROR_IRQ_CFG0_FIELDS;
  setReg64(at, implemented(value, fields));
  if (at == REG_EVENTQ_BASE) forgetLastEvent();
}

/** CR0's fields that this implementation acknowledges. */
function acknowledgeable(value: u32): u32 {
  let ack = value & <u32>CR0_FIELDS;
  if (hasQuirk(Q_UNGUARDED)) return ack;
  // There is no Device Permission Table.
  ack = withCr0DPT_WALK_EN(ack, 0);
  if (!priPresent) ack = withCr0PRIQEN(ack, 0);
  if (!atsPresent) ack = withCr0ATSCHK(ack, 0);
  if (!vmwPresent) ack = withCr0VMW(ack, 0);
  return ack;
}

/** Interrupt enables that exist, all of them to QEMU. */
function interruptEnables(value: u32): u32 {
  const enables = <u32>implemented(<u64>value, IRQ_CTRL_FIELDS);
  return priPresent || hasQuirk(Q_UNGUARDED) ? enables : withIrqctrlPRIQ_IRQEN(enables, 0);
}

/** CR1: table attributes are locked by SMMUEN, queue attributes by any queue enable. */
function writeCr1(value: u32): void {
  const old = reg32(REG_CR1);
  const cr0 = reg32(REG_CR0) | reg32(REG_CR0ACK);
  let next = <u32>implemented(<u64>value, CR1_FIELDS);
  if (!hasQuirk(Q_UNGUARDED)) {
    const queueFields = withCr1QUEUE_SH(withCr1QUEUE_OC(withCr1QUEUE_IC(0, 3), 3), 3);
    if (cr0SMMUEN(cr0)) next = (next & queueFields) | (old & ~queueFields);
    if (cr0CMDQEN(cr0) || cr0EVENTQEN(cr0) || cr0PRIQEN(cr0)) {
      next = (next & ~queueFields) | (old & queueFields);
    }
  }
  setReg32(REG_CR1, next);
}

function writeNarrow(at: u32, value: u32): void {
  if (!writable(at)) return;
  if (at == REG_CR0) {
    setReg32(REG_CR0, value);
    setReg32(REG_CR0ACK, acknowledgeable(value));
    consumeCommands();
  } else if (at == REG_CR1) {
    writeCr1(value);
  } else if (at == REG_CR2) {
    setReg32(at, <u32>implemented(<u64>value, CR2_FIELDS));
  } else if (at == REG_GBPA) {
    // Only a write with Update=1 counts, and it completes at once (6.3.16).
    if (gbpaUpdate(value)) {
      const next = <u32>implemented(<u64>value, GBPA_FIELDS);
      setReg32(at, withGbpaUpdate(next, 0));
    }
  } else if (at == REG_IRQ_CTRL) {
    const next = interruptEnables(value);
    setReg32(at, next);
    setReg32(REG_IRQ_CTRLACK, next);
  } else if (at == REG_GERRORN) {
    setReg32(at, value);
    consumeCommands();
  } else if (at == REG_CMDQ_PROD) {
    setReg32(at, value);
    consumeCommands();
  } else if (at == REG_STRTAB_BASE_CFG) {
    setReg32(at, <u32>implemented(<u64>value, STRTAB_BASE_CFG_FIELDS));
    noteStreamTableConfig(value);
  } else if (
    at == REG_CMDQ_CONS ||
    at == fileOffset(REG_EVENTQ_PROD) ||
    at == fileOffset(REG_EVENTQ_CONS)
  ) {
    setReg32(at, value);
    if (at == fileOffset(REG_EVENTQ_PROD)) forgetLastEvent();
  } else if (at == REG_GERROR_IRQ_CFG1 || at == REG_EVENTQ_IRQ_CFG1) {
    setReg32(at, value);
  } else if (at == REG_GERROR_IRQ_CFG2 || at == REG_EVENTQ_IRQ_CFG2) {
    setReg32(at, <u32>implemented(<u64>value, GERROR_IRQ_CFG2_FIELDS));
  }
}

/** Puts a stopped machine's value into a register: no guard, no effect, no command consumed. */
export function restoreRegister(offset: u32, value: u32): void {
  const at = fileOffset(offset);
  if (at & 3 || at >= <u32>REGISTER_FILE_BYTES) return;
  if (at == REG_STRTAB_BASE_CFG) noteStreamTableConfig(value);
  setReg32(at, value);
  if (at <= REG_AIDR) deriveFeatures();
}

/** Power-on state: everything but the ID registers. */
export function resetRegisters(): void {
  for (let at: u32 = REG_CR0; at < PIDR_FIRST; at += 4) setReg32(at, 0);
  setReg64(REG_CMDQ_BASE, QUEUE_LOG2_RESET);
  setReg64(REG_EVENTQ_BASE, QUEUE_LOG2_RESET);
  setReg32(REG_GBPA, GBPA_RESET);
  resetStreamTableConfig();
  resetInterrupts();
  forgetLastEvent();
  flushConfigurations();
  deriveFeatures();
}
