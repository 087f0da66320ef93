// What this SMMU implements, read once from its ID registers, and which quirks it has (IHI0070
// 6.3.1-6.3.6).

import { GRANULE_4K, GRANULE_16K, GRANULE_64K, outputBits } from "./geometry";
import {
  idr0ASID16,
  idr0ATS,
  idr0CD2L,
  idr0Hyp,
  idr0MSI,
  idr0NS1ATS,
  idr0PRI,
  idr0S1P,
  idr0S2P,
  idr0SEV,
  idr0ST_LEVEL,
  idr0STALL_MODEL,
  idr0TERM_MODEL,
  idr0TTF,
  idr0VMID16,
  idr0VMW,
  idr1ATTR_PERMS_OVR,
  idr1ATTR_TYPES_OVR,
  idr1CMDQS,
  idr1EVENTQS,
  idr1SIDSIZE,
  idr1SSIDSIZE,
  idr3E0PD,
  idr3EPAN,
  idr3FWB,
  idr3HAD,
  idr3MPAM,
  idr3RIL,
  idr3STT,
  idr3XNX,
  idr5GRAN4K,
  idr5GRAN16K,
  idr5GRAN64K,
  idr5OAS,
  REG_IDR0,
  REG_IDR1,
  REG_IDR3,
  REG_IDR5,
} from "./layout/register";
import { reg32 } from "./regfile";

/** Quirk bits in force: none for `arch`, all for `qemu`. */
export let quirks: u64 = 0;

export let stage1Present: bool = false;
export let stage2Present: bool = false;
export let hypPresent: bool = false;
export let lpaePresent: bool = false;
export let aarch64Present: bool = false;
export let atsPresent: bool = false;
export let ns1atsAbsent: bool = false;
export let priPresent: bool = false;
export let msiPresent: bool = false;
export let sevPresent: bool = false;
export let asid16: bool = false;
export let vmid16: bool = false;
export let vmwPresent: bool = false;
export let cd2lPresent: bool = false;
export let twoLevelStreams: bool = false;
/** 0 stall and terminate, 1 no stall, 2 stall forced. */
export let stallModel: u32 = 0;
/** 1 when RAZ/WI termination is not supported. */
export let termModel: u32 = 0;
export let typesOverride: bool = false;
export let permsOverride: bool = false;
export let sidBits: u32 = 0;
export let ssidBits: u32 = 0;
export let cmdqLog2Max: u32 = 0;
export let eventqLog2Max: u32 = 0;
export let hadPresent: bool = false;
export let xnxPresent: bool = false;
export let fwbPresent: bool = false;
export let rangeInvalidation: bool = false;
export let sttPresent: bool = false;
export let e0pdPresent: bool = false;
export let epanPresent: bool = false;
export let mpamPresent: bool = false;
/** Output and intermediate address sizes in bits. */
export let oasBits: u32 = 0;
export let iasBits: u32 = 0;
let gran4k: bool = false;
let gran16k: bool = false;
let gran64k: bool = false;

export function setQuirks(word: u64): void {
  quirks = word;
}

/** Whether quirk number `q` (a Q_ constant) is in force. */
export function hasQuirk(q: u32): bool {
  return ((quirks >> <u64>q) & 1) != 0;
}

/** Whether the granule (log2) is implemented. */
export function granulePresent(granule: u32): bool {
  if (granule == GRANULE_4K) return gran4k;
  if (granule == GRANULE_16K) return gran16k;
  return granule == GRANULE_64K && gran64k;
}

/** Reads the ID registers again; call after they were programmed. */
export function deriveFeatures(): void {
  const idr0 = reg32(REG_IDR0);
  stage1Present = idr0S1P(idr0) != 0;
  stage2Present = idr0S2P(idr0) != 0;
  hypPresent = idr0Hyp(idr0) != 0;
  lpaePresent = (idr0TTF(idr0) & 1) != 0;
  aarch64Present = (idr0TTF(idr0) & 2) != 0;
  atsPresent = idr0ATS(idr0) != 0;
  ns1atsAbsent = idr0NS1ATS(idr0) != 0;
  priPresent = idr0PRI(idr0) != 0;
  msiPresent = idr0MSI(idr0) != 0;
  sevPresent = idr0SEV(idr0) != 0;
  asid16 = idr0ASID16(idr0) != 0;
  vmid16 = idr0VMID16(idr0) != 0;
  vmwPresent = idr0VMW(idr0) != 0;
  cd2lPresent = idr0CD2L(idr0) != 0;
  twoLevelStreams = idr0ST_LEVEL(idr0) == 1;
  stallModel = idr0STALL_MODEL(idr0);
  termModel = idr0TERM_MODEL(idr0);
  const idr1 = reg32(REG_IDR1);
  typesOverride = idr1ATTR_TYPES_OVR(idr1) != 0;
  permsOverride = idr1ATTR_PERMS_OVR(idr1) != 0;
  sidBits = min(idr1SIDSIZE(idr1), 32);
  ssidBits = min(idr1SSIDSIZE(idr1), 20);
  cmdqLog2Max = min(idr1CMDQS(idr1), 19);
  eventqLog2Max = min(idr1EVENTQS(idr1), 19);
  const idr3 = reg32(REG_IDR3);
  hadPresent = idr3HAD(idr3) != 0;
  xnxPresent = idr3XNX(idr3) != 0;
  fwbPresent = idr3FWB(idr3) != 0;
  rangeInvalidation = idr3RIL(idr3) != 0;
  sttPresent = idr3STT(idr3) != 0;
  e0pdPresent = idr3E0PD(idr3) != 0;
  epanPresent = idr3EPAN(idr3) != 0;
  mpamPresent = idr3MPAM(idr3) != 0;
  const idr5 = reg32(REG_IDR5);
  gran4k = idr5GRAN4K(idr5) != 0;
  gran16k = idr5GRAN16K(idr5) != 0;
  gran64k = idr5GRAN64K(idr5) != 0;
  // 1. 52- and 56-bit outputs are not modelled: they count as 48.
  oasBits = min(outputBits(idr5OAS(idr5)), 48);
  // 2. IAS covers LPAE's 40 bits where that format exists (IHI0070 3.4).
  iasBits = aarch64Present ? oasBits : 0;
  if (lpaePresent) iasBits = max(iasBits, 40);
}
