// The ITS control frame: identification, guards, registers of the memory model (IHI0069 12.19).

import { isStalled, processCommands } from "./its-command";
import { hasFlag, hasItsQuirk, ITS, isKvm } from "./its-state";
import {
  ITS_FLAG_SECURITY_DISABLED,
  itsBaser,
  itsCbaser,
  itsCreadr,
  itsCtlr,
  itsCwriter,
  itsTyper,
  setItsBaser,
  setItsCbaser,
  setItsCreadr,
  setItsCtlr,
  setItsCwriter,
} from "./layout/abi-its";
import {
  GITS_BASER_COUNT,
  GITS_BASER_STRIDE,
  GITS_BASER_Type_COLLECTION,
  GITS_BASER_Type_DEVICE,
  GITS_BASER_Type_NONE,
  GITS_PIDR4_COUNT,
  GITS_PIDR4_STRIDE,
  gitsbaserEntry_Size,
  gitsbaserType,
  gitscreadrOffset,
  gitsctlrEnabled,
  gitscwriterOffset,
  gitscwriterRetry,
  PageSize_64K,
  QEMU_CTE_BYTES,
  QEMU_DTE_BYTES,
  QEMU_ITE_BYTES,
  REG_GITS_BASER,
  REG_GITS_CBASER,
  REG_GITS_CREADR,
  REG_GITS_CTLR,
  REG_GITS_CWRITER,
  REG_GITS_IIDR,
  REG_GITS_PIDR4,
  REG_GITS_TYPER,
  withGitsbaserEntry_Size,
  withGitsbaserPage_Size,
  withGitsbaserType,
  withGitscreadrStalled,
  withGitsctlrEnabled,
  withGitsctlrQuiescent,
  withGitscwriterRetry,
  withGitstyperCIDbits,
  withGitstyperCIL,
  withGitstyperDevbits,
  withGitstyperID_bits,
  withGitstyperITT_entry_size,
  withGitstyperPhysical,
} from "./layout/its";
import { Q_ITS_CREADR_RW, Q_ITS_STALLED_STICKS } from "./layout/quirks";

/** What an offset of the control frame belongs to, when it is no architected 64-bit register. */
const NO_REGISTER: u32 = u32.MAX_VALUE;
const WORD_BYTES: u32 = 4;
const WORD_BITS: u64 = 32;
const BYTE_BITS: u32 = 8;

/** 16 bits of DeviceID, EventID and collection number, as the registers say it: minus 1. */
const ID_BITS_FIELD: u32 = 15;
/** Implementer Arm, architecture revision 4 of the register; KVM's product ID. */
const QEMU_IIDR: u32 = 0x43b;
const KVM_IIDR: u32 = 0x4b00043b;
/** PIDR4-7, PIDR0-3 and CIDR0-3, one byte of each register. */
const QEMU_PIDR4_7: u32 = 0x44;
const QEMU_PIDR0_3: u32 = 0x3bb494;
const KVM_PIDR4_7: u32 = 0x40;
const KVM_PIDR0_3: u32 = 0x3bb492;
const CIDR0_3: u32 = 0xb105f00d;

/** GITS_TYPER of a model that has entries of `iteBytes` and `cidBits` (minus 1; 0: not stated). */
export function typerOf(iteBytes: usize, cidBits: u32): u64 {
  let typer = withGitstyperPhysical(0, 1);
  typer = withGitstyperITT_entry_size(typer, <u32>iteBytes - 1);
  typer = withGitstyperID_bits(typer, ID_BITS_FIELD);
  typer = withGitstyperDevbits(typer, ID_BITS_FIELD);
  return cidBits ? withGitstyperCIDbits(withGitstyperCIL(typer, 1), cidBits) : typer;
}

function resetBaser(type: u32, entryBytes: usize): u64 {
  const baser = withGitsbaserEntry_Size(withGitsbaserType(0, type), <u32>entryBytes - 1);
  return withGitsbaserPage_Size(baser, PageSize_64K);
}

export function memoryTyper(): u64 {
  return typerOf(QEMU_ITE_BYTES, ID_BITS_FIELD);
}

/** Registers of the memory-table model after reset; the block is zero before. */
export function resetMemoryRegisters(): void {
  setItsCtlr(ITS, withGitsctlrQuiescent(0, 1));
  setItsBaser(ITS, 0, resetBaser(GITS_BASER_Type_DEVICE, QEMU_DTE_BYTES));
  setItsBaser(ITS, 1, resetBaser(GITS_BASER_Type_COLLECTION, QEMU_CTE_BYTES));
}

function identification(offset: u32): u32 {
  const index = (offset - REG_GITS_PIDR4) / GITS_PIDR4_STRIDE;
  let bytes = CIDR0_3;
  if (index < WORD_BYTES) bytes = isKvm() ? KVM_PIDR4_7 : QEMU_PIDR4_7;
  else if (index < 2 * WORD_BYTES) bytes = isKvm() ? KVM_PIDR0_3 : QEMU_PIDR0_3;
  return <u32>(<u8>(bytes >> ((index % WORD_BYTES) * BYTE_BITS)));
}

function isIdentification(offset: u32): bool {
  return offset >= REG_GITS_PIDR4 && offset < REG_GITS_PIDR4 + GITS_PIDR4_COUNT * GITS_PIDR4_STRIDE;
}

function control(): u32 {
  const ctlr = itsCtlr(ITS);
  if (!isKvm()) return ctlr;
  const quiet = gitscreadrOffset(itsCreadr(ITS)) == gitscwriterOffset(itsCwriter(ITS));
  return withGitsctlrQuiescent(ctlr, quiet ? 1 : 0);
}

/** Offset of the 64-bit register that holds the byte at `offset`, or NO_REGISTER. */
export function wideRegister(offset: u32): u32 {
  const start = offset - (offset % GITS_BASER_STRIDE);
  if (start == REG_GITS_TYPER || start == REG_GITS_CBASER) return start;
  if (start == REG_GITS_CWRITER || start == REG_GITS_CREADR) return start;
  return isBaser(start) ? start : NO_REGISTER;
}

export function isBaser(offset: u32): bool {
  return offset >= REG_GITS_BASER && offset < REG_GITS_BASER + GITS_BASER_COUNT * GITS_BASER_STRIDE;
}

export function baserIndex(offset: u32): u32 {
  return (offset - REG_GITS_BASER) / GITS_BASER_STRIDE;
}

/** Value of the 64-bit register at `offset`. */
export function wideValue(offset: u32): u64 {
  if (offset == REG_GITS_TYPER) return itsTyper(ITS);
  if (offset == REG_GITS_CBASER) return itsCbaser(ITS);
  if (offset == REG_GITS_CWRITER) return itsCwriter(ITS);
  if (offset == REG_GITS_CREADR) return itsCreadr(ITS);
  return itsBaser(ITS, baserIndex(offset));
}

/** A 4- or 8-byte read of the control frame; anything else, and reserved space, reads as 0. */
export function readControlFrame(offset: u32, size: u32): u64 {
  if (offset % size != 0) return 0;
  const wide = wideRegister(offset);
  if (size == 2 * WORD_BYTES) return wide == NO_REGISTER ? 0 : wideValue(wide);
  if (size != WORD_BYTES) return 0;
  if (offset == REG_GITS_CTLR) return <u64>control();
  if (offset == REG_GITS_IIDR) return <u64>(isKvm() ? KVM_IIDR : QEMU_IIDR);
  if (isIdentification(offset)) return <u64>identification(offset);
  if (wide == NO_REGISTER) return 0;
  return <u64>(<u32>(offset == wide ? wideValue(wide) : wideValue(wide) >> WORD_BITS));
}

/** The whole register after a write of `size` bytes at `offset`. */
export function mergeWrite(old: u64, offset: u32, size: u32, value: u64): u64 {
  if (size == 2 * WORD_BYTES) return value;
  const low = <u64>(<u32>value);
  if (offset % GITS_BASER_STRIDE == 0) return ((old >> WORD_BITS) << WORD_BITS) | low;
  return <u64>(<u32>old) | (low << WORD_BITS);
}

/**
 * Software says how far it has written. While stalled only Retry goes on, unless the quirk is set.
 */
function writeCwriter(value: u64): void {
  const retry = gitscwriterRetry(value) != 0;
  setItsCwriter(ITS, withGitscwriterRetry(value, 0));
  if (isStalled() && !hasItsQuirk(Q_ITS_STALLED_STICKS)) {
    if (!retry) return;
    setItsCreadr(ITS, withGitscreadrStalled(itsCreadr(ITS), 0));
  }
  processCommands();
}

function writeBaser(index: u32, value: u64): void {
  const old = itsBaser(ITS, index);
  if (gitsbaserType(old) == GITS_BASER_Type_NONE) return;
  const typed = withGitsbaserType(value, gitsbaserType(old));
  setItsBaser(ITS, index, withGitsbaserEntry_Size(typed, gitsbaserEntry_Size(old)));
}

function writeWide(register: u32, offset: u32, size: u32, value: u64): void {
  const enabled = gitsctlrEnabled(itsCtlr(ITS)) != 0;
  const merged = mergeWrite(wideValue(register), offset, size, value);
  if (register == REG_GITS_CWRITER) {
    if (offset == register) writeCwriter(merged);
    else setItsCwriter(ITS, merged);
  } else if (register == REG_GITS_CREADR) {
    if (!hasItsQuirk(Q_ITS_CREADR_RW) || !hasFlag(ITS_FLAG_SECURITY_DISABLED)) return;
    setItsCreadr(ITS, offset == register ? withGitscreadrStalled(merged, 0) : merged);
  } else if (register == REG_GITS_CBASER && !enabled) {
    setItsCbaser(ITS, merged);
    setItsCreadr(ITS, 0);
  } else if (isBaser(register) && !enabled) writeBaser(baserIndex(register), merged);
}

/** A write to the control frame of the memory-table model. */
export function writeMemoryRegister(offset: u32, size: u32, value: u64): void {
  if (offset == REG_GITS_CTLR && size == WORD_BYTES) {
    setItsCtlr(ITS, withGitsctlrEnabled(itsCtlr(ITS), gitsctlrEnabled(<u32>value)));
    processCommands();
    return;
  }
  const register = wideRegister(offset);
  if (register != NO_REGISTER) writeWide(register, offset, size, value);
}
