// The ITS control frame as KVM emulates it: what it sanitises, refuses, frees (Linux 7.2 vgic-its).

import { processCommands, queueSpan } from "./its-command";
import { freeAllCollections, unmapAllDevices } from "./its-kvm";
import { flushTranslationCache } from "./its-kvm-store";
import { baserIndex, isBaser, mergeWrite, typerOf, wideRegister, wideValue } from "./its-register";
import { ITS } from "./its-state";
import {
  itsBaser,
  itsCbaser,
  itsCtlr,
  setItsBaser,
  setItsCbaser,
  setItsCreadr,
  setItsCtlr,
  setItsCwriter,
} from "./layout/abi-its";
import {
  GIC_InnerCache_nC,
  GIC_InnerCache_nCnB,
  GIC_InnerCache_RaWb,
  GIC_OuterCache_nC,
  GIC_OuterCache_SAME_AS_INNER,
  GIC_Shareability_ISH,
  GIC_Shareability_OSH,
  GITS_BASER_Type_COLLECTION,
  GITS_BASER_Type_DEVICE,
  gitsbaserInnerCache,
  gitsbaserOuterCache,
  gitsbaserShareability,
  gitsbaserValid,
  gitscbaserInnerCache,
  gitscbaserOuterCache,
  gitscbaserPhysical_Address,
  gitscbaserShareability,
  gitscbaserValid,
  gitsctlrEnabled,
  gitscwriterOffset,
  KVM_CTE_BYTES,
  KVM_DTE_BYTES,
  KVM_ITE_BYTES,
  PageSize_64K,
  REG_GITS_CBASER,
  REG_GITS_CREADR,
  REG_GITS_CTLR,
  REG_GITS_CWRITER,
  withGitsbaserEntry_Size,
  withGitsbaserIndirect,
  withGitsbaserInnerCache,
  withGitsbaserOuterCache,
  withGitsbaserPage_Size,
  withGitsbaserShareability,
  withGitsbaserType,
  withGitscbaserInnerCache,
  withGitscbaserOuterCache,
  withGitscbaserPhysical_Address,
  withGitscbaserShareability,
  withGitscreadrOffset,
  withGitsctlrEnabled,
  withGitscwriterOffset,
} from "./layout/its";

const WORD_BYTES: u32 = 4;
/** The two tables that exist, by the number of their GITS_BASER. */
const BASER_DEVICE: u32 = 0;
const BASER_COLLECTION: u32 = 1;
const QUEUE_ALIGNMENT: u64 = 1 << 16;

/** Error numbers, negative as the kernel returns them (asm-generic/errno-base.h). */
const EBUSY: i32 = -16;
const EINVAL: i32 = -22;

/** The guest never gets a stricter shareability or cacheability than the kernel's own mapping. */
function sanitisedShareability(value: u32): u32 {
  return value == GIC_Shareability_OSH ? GIC_Shareability_ISH : value;
}

function sanitisedInner(value: u32): u32 {
  const uncached = value == GIC_InnerCache_nCnB || value == GIC_InnerCache_nC;
  return uncached ? GIC_InnerCache_RaWb : value;
}

function sanitisedOuter(value: u32): u32 {
  return value == GIC_OuterCache_nC ? value : GIC_OuterCache_SAME_AS_INNER;
}

/** A table register with its fixed fields in place: 64 KB pages, type and entry size. */
function sanitisedBaser(index: u32, value: u64): u64 {
  const device = index == BASER_DEVICE;
  const bytes = device ? KVM_DTE_BYTES : KVM_CTE_BYTES;
  let baser = withGitsbaserEntry_Size(value, <u32>bytes - 1);
  baser = withGitsbaserType(baser, device ? GITS_BASER_Type_DEVICE : GITS_BASER_Type_COLLECTION);
  if (!device) baser = withGitsbaserIndirect(baser, 0);
  baser = withGitsbaserPage_Size(baser, PageSize_64K);
  baser = withGitsbaserShareability(baser, sanitisedShareability(gitsbaserShareability(baser)));
  baser = withGitsbaserInnerCache(baser, sanitisedInner(gitsbaserInnerCache(baser)));
  return withGitsbaserOuterCache(baser, sanitisedOuter(gitsbaserOuterCache(baser)));
}

function sanitisedCbaser(value: u64): u64 {
  const address = gitscbaserPhysical_Address(value) & ~(QUEUE_ALIGNMENT - 1);
  let cbaser = withGitscbaserPhysical_Address(value, address);
  const share = sanitisedShareability(gitscbaserShareability(cbaser));
  cbaser = withGitscbaserShareability(cbaser, share);
  cbaser = withGitscbaserInnerCache(cbaser, sanitisedInner(gitscbaserInnerCache(cbaser)));
  return withGitscbaserOuterCache(cbaser, sanitisedOuter(gitscbaserOuterCache(cbaser)));
}

export function kvmTyper(): u64 {
  return typerOf(KVM_ITE_BYTES, 0);
}

/** Registers after the device is made; the block is zero before. */
export function resetKvmRegisters(): void {
  const shared = withGitsbaserShareability(0, GIC_Shareability_ISH);
  setItsBaser(ITS, BASER_DEVICE, sanitisedBaser(BASER_DEVICE, shared));
  setItsBaser(ITS, BASER_COLLECTION, sanitisedBaser(BASER_COLLECTION, shared));
}

/** Enabling needs a valid queue and both tables; disabling forgets cached translations. */
function writeControl(value: u32): void {
  const enable = gitsctlrEnabled(value);
  const ready =
    gitscbaserValid(itsCbaser(ITS)) != 0 &&
    gitsbaserValid(itsBaser(ITS, BASER_DEVICE)) != 0 &&
    gitsbaserValid(itsBaser(ITS, BASER_COLLECTION)) != 0;
  if (enable && !gitsctlrEnabled(itsCtlr(ITS)) && !ready) return;
  setItsCtlr(ITS, withGitsctlrEnabled(0, enable));
  if (!enable) flushTranslationCache();
  processCommands();
}

function writeBaser(index: u32, value: u64): void {
  if (index > BASER_COLLECTION) return;
  const baser = sanitisedBaser(index, value);
  setItsBaser(ITS, index, baser);
  if (gitsbaserValid(baser)) return;
  if (index == BASER_DEVICE) unmapAllDevices();
  else freeAllCollections();
}

/** An offset beyond the queue is not taken over. */
function writeCwriter(value: u64): void {
  const offset = gitscwriterOffset(value);
  if (offset >= queueSpan()) return;
  setItsCwriter(ITS, withGitscwriterOffset(0, offset));
  processCommands();
}

/** A guest's write to the control frame. */
export function writeKvmRegister(offset: u32, size: u32, value: u64): void {
  if (offset == REG_GITS_CTLR) {
    if (size == WORD_BYTES) writeControl(<u32>value);
    return;
  }
  const register = wideRegister(offset);
  if (register == u32.MAX_VALUE) return;
  const enabled = gitsctlrEnabled(itsCtlr(ITS)) != 0;
  const merged = mergeWrite(wideValue(register), offset, size, value);
  if (register == REG_GITS_CWRITER) writeCwriter(merged);
  else if (register == REG_GITS_CBASER && !enabled) {
    setItsCbaser(ITS, sanitisedCbaser(merged));
    setItsCreadr(ITS, 0);
    setItsCwriter(ITS, 0);
  } else if (isBaser(register) && !enabled) writeBaser(baserIndex(register), merged);
}

/** Userspace sets a register: as a guest's write, except that GITS_CREADR can be set too. */
export function setKvmRegister(offset: u32, value: u64): i32 {
  if (offset != REG_GITS_CREADR) {
    writeKvmRegister(offset, offset == REG_GITS_CTLR ? WORD_BYTES : 2 * WORD_BYTES, value);
    return 0;
  }
  if (gitsctlrEnabled(itsCtlr(ITS))) return EBUSY;
  const at = gitscwriterOffset(value);
  if (at >= queueSpan()) return EINVAL;
  setItsCreadr(ITS, withGitscreadrOffset(0, at));
  return 0;
}
