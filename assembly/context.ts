// SubstreamID to CD: selection, linear and 2-level CD tables, and which CDs are ILLEGAL (IHI0070
// 3.4, 5.3, 5.4).

import { clearFault, faultType, raiseConfigFault, raiseFetchFault } from "./fault";
import {
  aarch64Present,
  asid16,
  granulePresent,
  hasQuirk,
  iasBits,
  oasBits,
  ssidBits,
  stallModel,
  termModel,
} from "./features";
import { granuleOfTg0, granuleOfTg1, ones, outputBits } from "./geometry";
import { clearGuestFault, guestFault, load64 } from "./guest";
import {
  configStage,
  configWorld,
  STAGE_NESTED,
  TRACE_KIND_CD,
  TRACE_KIND_L1CD,
} from "./layout/abi";
import {
  CD_BYTES,
  cdA,
  cdAA64,
  cdASID,
  cdENDI,
  cdEPD0,
  cdEPD1,
  cdHA,
  cdHD,
  cdIPS,
  cdS,
  cdT0SZ,
  cdT1SZ,
  cdTG0,
  cdTG1,
  cdTTB0,
  cdTTB1,
  cdV,
  L1CD_BYTES,
  l1cdL2Ptr,
  l1cdV,
} from "./layout/cd";
import { C_BAD_SUBSTREAMID, CLASS_CD, F_CD_FETCH } from "./layout/event";
import { Q_ADDRESS_FIELDS, Q_CD_AT_CTXPTR, Q_NO_STALL_CHECKS, Q_TXSZ_16_39 } from "./layout/quirks";
import {
  STE_S1Fmt_4K_L2,
  STE_S1Fmt_64K_L2,
  steS1CDMax,
  steS1ContextPtr,
  steS1Fmt,
  steS1STALLD,
} from "./layout/ste";
import { CD } from "./state";
import { endianIllegal, txszMax, WORLD_EL2 } from "./ste";
import { translateStructure } from "./structure";
import {
  patchTraceUnbacked,
  patchTraceValue,
  traceAbort,
  traceFetch,
  traceMark,
  tracing,
} from "./trace";

/** SubstreamID bits resolved by a 4 KiB and a 64 KiB leaf table. */
const SPLIT_4K: u32 = 6;
const SPLIT_64K: u32 = 10;
/** A 64 KiB leaf table's address has no bits below 16. */
const LEAF_64K_BITS: u32 = 16;
const CD_BITS: u32 = 6;
const L1CD_BITS: u32 = 3;
const ASID8_MAX: u32 = 255;
const TXSZ_MIN: u32 = 16;
const QEMU_TXSZ_MAX: u32 = 39;
/** VMSAv8-64 without 52-bit features reaches 48 bits. */
const ADDRESS_BITS_MAX: u32 = 48;
/** QEMU keeps bits 51 and down of TTBx. */
const QEMU_TTB_BITS: u32 = 52;

/** Effective number of CDs as log2: S1CDMax counts only where substreams exist. */
export function substreamBits(ste: usize): u32 {
  return ssidBits ? steS1CDMax(ste) : 0;
}

/** Where a structure of the CD tables lies: its IPA goes through stage 2 when nested. */
function structurePa(p: usize, address: u64): u64 {
  if (configStage(p) != STAGE_NESTED) return address;
  return translateStructure(p, address, CLASS_CD);
}

/** Address of the CD for `ssid`, with the fault raised when there is none. */
function cdAddress(p: usize, ste: usize, ssid: u32): u64 {
  const base = steS1ContextPtr(ste);
  const cdBits = substreamBits(ste);
  // 1. One CD, or QEMU, which knows no others.
  if (cdBits == 0 || hasQuirk(Q_CD_AT_CTXPTR)) return base;
  // 2. Linear table, aligned to its size.
  const fmt = steS1Fmt(ste);
  if (fmt != STE_S1Fmt_4K_L2 && fmt != STE_S1Fmt_64K_L2) {
    return (base & ~ones(CD_BITS + cdBits)) + <u64>ssid * <u64>CD_BYTES;
  }
  // 3. Level 1 table: one entry when the leaf covers all.
  const split = fmt == STE_S1Fmt_4K_L2 ? SPLIT_4K : SPLIT_64K;
  const l1Bits = cdBits > split ? cdBits - split : 0;
  const table = base & ~ones(max(CD_BITS, L1CD_BITS + l1Bits));
  const at = table + <u64>(l1Bits ? ssid >> split : 0) * <u64>L1CD_BYTES;
  const word = fetchL1cd(p, at);
  if (faultType) return 0;
  // 4. Leaf table.
  let leaf = l1cdL2Ptr(word);
  if (fmt == STE_S1Fmt_64K_L2) leaf &= ~ones(LEAF_64K_BITS);
  const limit = configStage(p) == STAGE_NESTED ? iasBits : oasBits;
  const outOfRange = (leaf & ~ones(limit)) != 0;
  if (!l1cdV(word) || outOfRange) {
    raiseConfigFault(C_BAD_SUBSTREAMID);
    return 0;
  }
  return leaf + (<u64>ssid & ones(split)) * <u64>CD_BYTES;
}

function fetchL1cd(p: usize, address: u64): u64 {
  clearFault();
  const pa = structurePa(p, address);
  if (faultType) return 0;
  clearGuestFault();
  const word = load64(pa);
  if (guestFault) {
    if (tracing) traceAbort(TRACE_KIND_L1CD, 0, 0, pa);
    raiseFetchFault(F_CD_FETCH, pa);
    return 0;
  }
  if (tracing) traceFetch(TRACE_KIND_L1CD, 0, 0, address, word);
  return word;
}

/** Copies the CD of `ssid` to CD. 0, or the event number with the fault raised. */
export function fetchCd(p: usize, ste: usize, ssid: u32): u32 {
  clearFault();
  const address = cdAddress(p, ste, ssid);
  if (faultType) return faultType;
  if (tracing) traceFetch(TRACE_KIND_CD, 0, 0, address, 0);
  const record = tracing ? traceMark() : 0;
  const pa = structurePa(p, address);
  if (faultType) return faultType;
  clearGuestFault();
  for (let offset: usize = 0; offset < CD_BYTES && !guestFault; offset += 8) {
    store<u64>(CD + offset, load64(pa + <u64>offset));
  }
  if (guestFault) {
    if (tracing) patchTraceUnbacked(record);
    return raiseFetchFault(F_CD_FETCH, pa);
  }
  if (tracing) patchTraceValue(record, load<u64>(CD));
  return 0;
}

/** Whether TTBx is in use: EL2 without E2H has TTB0 alone, whatever EPD0 says. */
export function tableEnabled(p: usize, half: u32): bool {
  if (configWorld(p) == WORLD_EL2) return half == 0;
  return half == 0 ? !cdEPD0(CD) : !cdEPD1(CD);
}

/** Granule of TTBx, 0 when TGx is reserved. */
export function cdGranule(half: u32): u32 {
  return half == 0 ? granuleOfTg0(cdTG0(CD)) : granuleOfTg1(cdTG1(CD));
}

export function cdTxsz(half: u32): u32 {
  return half == 0 ? cdT0SZ(CD) : cdT1SZ(CD);
}

export function cdTtb(half: u32): u64 {
  const ttb = half == 0 ? cdTTB0(CD) : cdTTB1(CD);
  return hasQuirk(Q_ADDRESS_FIELDS) ? ttb & ones(QEMU_TTB_BITS) : ttb;
}

/** Effective IPS in bits: capped by OAS, and by 48 without 52-bit features. */
export function effectiveIps(): u32 {
  return min(min(outputBits(cdIPS(CD)), oasBits), ADDRESS_BITS_MAX);
}

/** The checks that an enabled TTBx adds. */
export function tableIllegal(half: u32): bool {
  const granule = cdGranule(half);
  const txsz = cdTxsz(half);
  if (granule == 0 || !granulePresent(granule)) return true;
  const largest = hasQuirk(Q_TXSZ_16_39) ? QEMU_TXSZ_MAX : txszMax(granule);
  if (txsz < TXSZ_MIN || txsz > largest) return true;
  return (cdTtb(half) & ~ones(effectiveIps())) != 0;
}

/** Whether the CD is ILLEGAL apart from its tables (5.4.1). */
export function cdIllegal(p: usize, ste: usize): bool {
  if (!cdV(CD)) return true;
  // 1. Fault model.
  const strict = hasQuirk(Q_NO_STALL_CHECKS);
  if (cdS(CD) ? strict || stallModel == 1 || steS1STALLD(ste) != 0 : !strict && stallModel == 2) {
    return true;
  }
  if (!cdA(CD) && (strict || termModel == 1)) return true;
  // 2. Format: IDR0.TTF has no LPAE tables.
  if (!cdAA64(CD) || !aarch64Present) return true;
  // 3. Endianness counts for the tables in use.
  const used = tableEnabled(p, 0) || tableEnabled(p, 1);
  if (used && endianIllegal(cdENDI(CD))) return true;
  // 4. IDR0.HTTU is 0: no table is updated.
  if (cdHA(CD) || cdHD(CD)) return true;
  // 5. An 8-bit ASID in the worlds that use one.
  return configWorld(p) != WORLD_EL2 && !asid16 && cdASID(CD) > ASID8_MAX;
}
