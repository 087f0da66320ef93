// One request that the caches answer: no fault, no event, no order to be seen.

import { cachePolicy, countLookups } from "./cache";
import { typed } from "./cached";
import { boundConfiguration, likelyConfiguration } from "./config";
import { contextEpoch, inputSizes, stage2Sizes } from "./contextid";
import { quirks } from "./features";
import {
  CACHE_FAST,
  CACHE_WALK,
  configEpoch,
  configNeeds,
  configSid,
  configStage,
  configTag,
  configView,
  STAGE_S2,
} from "./layout/abi";
import { cr0SMMUEN, REG_CR0 } from "./layout/register";
import { requestviewAccess, requestviewSubstream, tlbdataPerms } from "./layout/words";
import { reg32 } from "./regfile";
import { findIn, isCanonical } from "./tlb";
import { tracing } from "./trace";

/** Configuration of the last request that was answered here, and the permission it needed. */
export let quickConfig: usize = 0;
export let quickNeed: u32 = 0;

/** Whether requests may be interleaved: never where the order of every step is to be seen. */
export function mayInterleave(): bool {
  if (tracing || quirks != 0 || !cr0SMMUEN(reg32(REG_CR0))) return false;
  return cachePolicy == CACHE_FAST || cachePolicy == CACHE_WALK;
}

/** TLB_DATA by which configuration `p` may make the access; 0 if there is none. */
export function cachedMapping(p: usize, iova: u64, need: u32): u64 {
  if (!isCanonical(iova) || cachePolicy != CACHE_FAST) return 0;
  const second = configStage(p) == STAGE_S2;
  const data = findIn(configTag(p), iova, second ? stage2Sizes : inputSizes);
  if (!(tlbdataPerms(data) & need)) return 0;
  countLookups(1, 1);
  return second ? typed(p, data) : data;
}

/** TLB_DATA that answers a request; 0 when it has to be translated. */
export function quickMapping(sid: u32, flags: u32, iova: u64): u64 {
  if (!mayInterleave()) return 0;
  let p = likelyConfiguration(sid);
  const differs = (configSid(p) ^ sid) | (configView(p) ^ requestviewSubstream(flags));
  if (differs | (configEpoch(p) ^ contextEpoch)) {
    p = boundConfiguration(sid, flags, true);
    if (p == 0) return 0;
  }
  quickConfig = p;
  quickNeed = configNeeds(p, requestviewAccess(flags));
  return cachedMapping(p, iova, quickNeed);
}
