// The stages of one input: stage 1, stage 2, or stage 1 through stage 2 (IHI0070 3.4).
import { neededPermission } from "./access";
import { effectiveShareability, mergeHints } from "./attributes";
import { insertStage2, lookupStage2, nestedLookupAllowed } from "./cache";
import { finishStage2, setCombined } from "./combine";
import { clearFault, faultType, raiseStage1Fault, reportFaultAlways } from "./fault";
import { hasQuirk, iasBits } from "./features";
import { ones } from "./geometry";
import { configIpsBits, configStage, STAGE_NESTED, STAGE_S1, STAGE_S2 } from "./layout/abi";
import { CLASS_IN, F_ADDR_SIZE } from "./layout/event";
import { Q_BYPASS_UNBOUNDED, Q_HIT_WRITE_ONLY } from "./layout/quirks";
import { s1Address, s1Attr, s1Bits, s1Perms, s1Sh, s2Bits, s2Perms, setOutput } from "./mapping";
import { walkStage1 } from "./stage1";
import { walkStage2 } from "./stage2";

/** Stage 2 of the final IPA; a cached mapping counts when it permits the access. */
function translateFinal(p: usize, ipa: u64, need: u32): u32 {
  if (nestedLookupAllowed() && lookupStage2(p, ipa) && s2Perms & need) return 0;
  const fault = walkStage2(p, ipa, need, CLASS_IN);
  if (fault == 0 && nestedLookupAllowed()) insertStage2(p, ipa);
  return fault;
}

/** Walks the stages of `p` for one input. 0 with the output set, or the event number. */
export function walkInput(p: usize, iova: u64, access: u32): u32 {
  clearFault();
  const stage = configStage(p);
  const need = neededPermission(access);
  // 1. Stage 2 alone: the input is an IPA, bounded by IAS.
  if (stage == STAGE_S2) {
    const limit = hasQuirk(Q_BYPASS_UNBOUNDED) ? configIpsBits(p) : iasBits;
    if (iova & ~ones(limit)) {
      raiseStage1Fault(F_ADDR_SIZE, CLASS_IN);
      if (!hasQuirk(Q_BYPASS_UNBOUNDED)) reportFaultAlways();
      return faultType;
    }
    if (walkStage2(p, iova, need, CLASS_IN)) return faultType;
    finishStage2(p);
    return 0;
  }
  // 2. Stage 1.
  if (walkStage1(p, iova, access)) return faultType;
  const attr = mergeHints(p, s1Attr);
  const sh = effectiveShareability(attr, s1Sh);
  if (stage == STAGE_S1) {
    setOutput(s1Address, s1Bits, s1Perms, attr, sh, STAGE_S1);
    return 0;
  }
  // 3. Stage 2 of the result.
  if (translateFinal(p, s1Address, need)) return faultType;
  const perms = hasQuirk(Q_HIT_WRITE_ONLY) ? s1Perms : s1Perms & s2Perms;
  setCombined(p, perms, min(s1Bits, s2Bits), attr, sh, STAGE_NESTED);
  return 0;
}
