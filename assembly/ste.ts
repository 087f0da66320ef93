// Which STEs are ILLEGAL, in the order of evaluation (IHI0070 5.2.2).

import {
  aarch64Present,
  atsPresent,
  cd2lPresent,
  granulePresent,
  hasQuirk,
  hypPresent,
  iasBits,
  ns1atsAbsent,
  oasBits,
  ssidBits,
  stage1Present,
  stage2Present,
  stallModel,
  sttPresent,
  vmid16,
} from "./features";
import {
  GRANULE_4K,
  GRANULE_64K,
  granuleOfTg0,
  ones,
  outputBits,
  stage2StartLevel,
  startIndexBits,
  strideBits,
} from "./geometry";
import {
  Q_ADDRESS_FIELDS,
  Q_NO_STALL_CHECKS,
  Q_S1CDMAX_CHECKED,
  Q_S1STALLD_ANY,
  Q_S2_HTTU_UNCHECKED,
  Q_S2_INDEX_MASK,
  Q_S2T0SZ_BY_PS,
  Q_STRW_IGNORED,
} from "./layout/quirks";
import { IDR0_TTENDIAN_BE, IDR0_TTENDIAN_LE, idr0TTENDIAN, REG_IDR0 } from "./layout/register";
import {
  STE_Config_NESTED,
  STE_Config_S1_TRANS,
  STE_EATS_S1CHK,
  STE_EATS_TRANS,
  STE_S1Fmt_4K_L2,
  STE_S1Fmt_64K_L2,
  steConfig,
  steEATS,
  steS1CDMax,
  steS1ContextPtr,
  steS1Fmt,
  steS1STALLD,
  steS2AA64,
  steS2ENDI,
  steS2HA,
  steS2HD,
  steS2PS,
  steS2S,
  steS2SL0,
  steS2T0SZ,
  steS2TG,
  steS2TTB,
  steS2VMID,
  steSTRW,
} from "./layout/ste";
import { reg32 } from "./regfile";

/** StreamWorlds that matter for permissions and TLB tags (3.3.4). */
export const WORLD_EL1: u32 = 0;
export const WORLD_EL2: u32 = 1;
export const WORLD_EL2_E2H: u32 = 2;

/** STRW bit 0 set is ILLEGAL for Non-secure streams. */
const STRW_RESERVED_BIT: u32 = 1;
const VMID8_MAX: u32 = 255;
/** Concatenated start tables add at most 4 index bits: 16 tables. */
const CONCAT_BITS_MAX: i32 = 4;
const T0SZ_MAX: u32 = 39;
const T0SZ_MAX_STT: u32 = 48;
const T0SZ_MIN: u32 = 16;
const SL0_RESERVED: u32 = 3;
/** QEMU keeps address bits 51 and down of S2TTB. */
const QEMU_TTB_BITS: u32 = 52;

/** Whether Config selects stage 1 translation. */
export function translatesStage1(config: u32): bool {
  return config == STE_Config_S1_TRANS || config == STE_Config_NESTED;
}

/** Whether Config selects stage 2 translation. */
export function translatesStage2(config: u32): bool {
  return config > STE_Config_S1_TRANS;
}

/** Whether STRW selects the world: stage 1 alone on an SMMU with NS-EL2. */
export function strwUsed(config: u32): bool {
  return hypPresent && config == STE_Config_S1_TRANS && !hasQuirk(Q_STRW_IGNORED);
}

/** Effective stage 2 output size in bits. */
export function effectiveS2ps(p: usize): u32 {
  return min(outputBits(steS2PS(p)), oasBits);
}

/** S2TTB as far as this implementation keeps it. */
export function stage2Table(p: usize): u64 {
  const ttb = steS2TTB(p);
  return hasQuirk(Q_ADDRESS_FIELDS) ? ttb & ones(QEMU_TTB_BITS) : ttb;
}

/** Smallest legal S2T0SZ. */
function t0szMin(p: usize, granule: u32): u32 {
  if (!hasQuirk(Q_S2T0SZ_BY_PS)) return max(T0SZ_MIN, 64 - iasBits);
  const byPs = 64 - effectiveS2ps(p);
  return granule == GRANULE_64K ? byPs : max(T0SZ_MIN, byPs);
}

/** Largest legal TxSZ for a granule. */
export function txszMax(granule: u32): u32 {
  if (!sttPresent) return T0SZ_MAX;
  return granule == GRANULE_64K ? T0SZ_MAX_STT - 1 : T0SZ_MAX_STT;
}

/** S2T0SZ, S2SL0 and S2TG describe a walk that exists (DDI0487 D8.2). */
function startLevelLegal(granule: u32, sl0: u32, t0sz: u32): bool {
  const stt = granule == GRANULE_4K && sttPresent && !hasQuirk(Q_S2_INDEX_MASK);
  if (sl0 == SL0_RESERVED && !stt) return false;
  const level = stage2StartLevel(granule, sl0);
  const bits = startIndexBits(granule, 64 - t0sz, level);
  if (bits > <i32>strideBits(granule) + CONCAT_BITS_MAX) return false;
  return bits >= 1 || hasQuirk(Q_S2_INDEX_MASK);
}

/** The stage 2 half of an STE. */
function stage2Illegal(p: usize): bool {
  // 1. Format and stalls.
  if (!steS2AA64(p) || !aarch64Present) return true;
  const noStall = hasQuirk(Q_NO_STALL_CHECKS) || stallModel == 1;
  if (steS2S(p) ? noStall : !noStall && stallModel == 2) return true;
  // 2. IDR0.HTTU is 0: no table is updated.
  if (!hasQuirk(Q_S2_HTTU_UNCHECKED) && (steS2HA(p) || steS2HD(p))) return true;
  // 3. Granule.
  const granule = granuleOfTg0(steS2TG(p));
  if (granule == 0 || !granulePresent(granule)) return true;
  // 4. Table address and input size.
  if (stage2Table(p) & ~ones(effectiveS2ps(p))) return true;
  const t0sz = steS2T0SZ(p);
  if (t0sz > txszMax(granule) || t0sz < t0szMin(p, granule)) return true;
  if (!startLevelLegal(granule, steS2SL0(p), t0sz)) return true;
  // 5. Endianness.
  return endianIllegal(steS2ENDI(p));
}

/** A fixed table endianness excludes the other one. */
export function endianIllegal(bigEndian: u32): bool {
  const fixed = idr0TTENDIAN(reg32(REG_IDR0));
  if (hasQuirk(Q_NO_STALL_CHECKS)) return bigEndian != 0;
  return (fixed == IDR0_TTENDIAN_LE && bigEndian != 0) || (fixed == IDR0_TTENDIAN_BE && !bigEndian);
}

/** EATS where ATS exists. */
function eatsIllegal(p: usize, config: u32): bool {
  if (!atsPresent || config <= 4) return false;
  const eats = steEATS(p);
  if (eats == STE_EATS_S1CHK) {
    return config != STE_Config_NESTED || steS2S(p) != 0 || ns1atsAbsent;
  }
  return eats == STE_EATS_TRANS && steS2S(p) != 0 && translatesStage2(config);
}

/** The stage 1 half of an STE. */
function stage1Illegal(p: usize, config: u32): bool {
  // 1. Substreams.
  if (ssidBits) {
    const cdMax = steS1CDMax(p);
    if (cdMax > ssidBits) return true;
    const fmt = steS1Fmt(p);
    const twoLevel = fmt == STE_S1Fmt_4K_L2 || fmt == STE_S1Fmt_64K_L2;
    if (cdMax && twoLevel && !cd2lPresent) return true;
  }
  // 2. Context pointer: PA below OAS, or IPA below IAS (3.1+; the nested case is a choice).
  if (hasQuirk(Q_ADDRESS_FIELDS)) return false;
  return (steS1ContextPtr(p) & ~ones(config == STE_Config_NESTED ? iasBits : oasBits)) != 0;
}

/** Whether a valid STE whose Config translates or bypasses is ILLEGAL. */
export function steIllegal(p: usize): bool {
  const config = steConfig(p);
  const s1 = translatesStage1(config);
  const s2 = translatesStage2(config);
  // 1. Stages that do not exist.
  if ((s1 && !stage1Present) || (s2 && !stage2Present)) return true;
  // 2. ATS and StreamWorld.
  if (eatsIllegal(p, config)) return true;
  if (strwUsed(config) && steSTRW(p) & STRW_RESERVED_BIT) return true;
  // 3. Stage 1 stalls.
  const anyConfig = hasQuirk(Q_S1STALLD_ANY) && config != 4;
  if ((s1 || anyConfig) && steS1STALLD(p) && stallModel != 0) return true;
  if (hasQuirk(Q_S1CDMAX_CHECKED) && config != 4 && ssidBits == 0 && steS1CDMax(p)) return true;
  // 4. The stages.
  if (s1 && stage1Illegal(p, config)) return true;
  if (s2 && stage2Illegal(p)) return true;
  // 5. An 8-bit VMID.
  const worldEl1 = !(strwUsed(config) && steSTRW(p));
  const vmidUsed = stage2Present && config > 4 && worldEl1;
  return vmidUsed && !vmid16 && steS2VMID(p) > VMID8_MAX;
}
