// Structures that stage 1 reads through stage 2: CDs, L1CDs, tables and descriptors (IHI0070 3.4).
import { stage2IsDevice } from "./attributes";
import { insertStage2, lookupStage2 } from "./cache";
import { PERM_PR } from "./descriptor";
import { clearFault, faultType, raiseStage1Fault, reportFault, reportFaultAddress } from "./fault";
import { hasQuirk } from "./features";
import { ones } from "./geometry";
import { configIpsBits, configS2fwb, configS2ptw } from "./layout/abi";
import { CLASS_TT, F_ADDR_SIZE, F_WALK_EABT } from "./layout/event";
import { Q_BYPASS_UNBOUNDED, Q_HIT_WRITE_ONLY, Q_S2_FLAG_LOST, Q_TABLE_IPA } from "./layout/quirks";
import { s2Address, s2Attr, s2Perms } from "./mapping";
import { walkStage2 } from "./stage2";

/** Whether a cached stage 2 mapping allows a read by the SMMU itself. */
function structureReadable(p: usize): bool {
  if (hasQuirk(Q_HIT_WRITE_ONLY)) return true;
  if (!(s2Perms & PERM_PR)) return false;
  return !configS2ptw(p) || !stage2IsDevice(s2Attr, configS2fwb(p) != 0);
}

/**
 * PA of a structure that stage 1 reads: a CD, L1CD or descriptor at `ipa`. On a fault gives 0 with
 * the fault raised.
 */
export function translateStructure(p: usize, ipa: u64, fetchClass: u32): u64 {
  clearFault();
  // 1. A cached stage 2 mapping.
  if (lookupStage2(p, ipa) && structureReadable(p)) return s2Address;
  // 2. QEMU checks the IPA against the stage 1 output size, as a stage 1 fault.
  if (hasQuirk(Q_BYPASS_UNBOUNDED) && ipa & ~ones(configIpsBits(p))) {
    raiseStage1Fault(F_ADDR_SIZE, fetchClass);
    return 0;
  }
  // 3. The walk.
  if (walkStage2(p, ipa, PERM_PR, fetchClass)) return 0;
  insertStage2(p, ipa);
  return s2Address;
}

/** PA of the next stage 1 table as QEMU translates it: at once, losing part of the fault. */
export function translateTable(p: usize, table: u64): u64 {
  const pa = translateStructure(p, table, CLASS_TT);
  if (faultType == 0 || !hasQuirk(Q_S2_FLAG_LOST)) return pa;
  reportFault(faultType == F_WALK_EABT ? 0 : 1, false, CLASS_TT);
  if (hasQuirk(Q_TABLE_IPA)) reportFaultAddress(table);
  return 0;
}
