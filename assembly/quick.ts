// One request that the caches answer, if they can: no fault, no event, no order to be seen.

import { answerOne, answerWith } from "./answer";
import { cachePolicy, countLookups } from "./cache";
import { typed } from "./cached";
import { boundConfiguration, likelyConfiguration } from "./config";
import { contextEpoch, inputSizes, stage2Sizes } from "./contextid";
import { quirks } from "./features";
import {
  CACHE_FAST,
  CACHE_WALK,
  configEpoch,
  configMeta,
  configNeeds,
  configSid,
  configStage,
  configTag,
  configView,
  STAGE_S2,
} from "./layout/abi";
import { cr0SMMUEN, REG_CR0 } from "./layout/register";
import {
  ANSWER_META_status_OK,
  requestviewAccess,
  requestviewSubstream,
  tlbdataPerms,
} from "./layout/words";
import { reg32 } from "./regfile";
import { findIn, isCanonical } from "./tlb";
import { tracing } from "./trace";

/**
 * Whether requests may be interleaved: never where the order of every step is to be seen.
 * @inline
 */
export function mayInterleave(): bool {
  if (tracing || quirks != 0 || !cr0SMMUEN(reg32(REG_CR0))) return false;
  return cachePolicy == CACHE_FAST || cachePolicy == CACHE_WALK;
}

/** TLB_DATA by which configuration `p` may make the access; 0 if there is none. @inline */
function cachedMapping(p: usize, iova: u64, need: u32): u64 {
  if (!isCanonical(iova) || cachePolicy != CACHE_FAST) return 0;
  const second = configStage(p) == STAGE_S2;
  const data = findIn(configTag(p), iova, second ? stage2Sizes : inputSizes);
  if (!(tlbdataPerms(data) & need)) return 0;
  countLookups(1, 1);
  return second ? typed(p, data) : data;
}

/**
 * The configuration of a request, if it is at hand and nothing has to be seen in order; else 0.
 * @inline
 */
function quickConfiguration(sid: u32, flags: u32): usize {
  if (!mayInterleave()) return 0;
  const p = likelyConfiguration(sid);
  const differs = (configSid(p) ^ sid) | (configView(p) ^ requestviewSubstream(flags));
  if ((differs | (configEpoch(p) ^ contextEpoch)) == 0) return p;
  return boundConfiguration(sid, flags, true);
}

/** Translates one request and writes its ANSWER; gives the status. */
export function translateInto(answer: usize, sid: u32, flags: u32, iova: u64): u32 {
  const p = quickConfiguration(sid, flags);
  if (p) {
    const need = configNeeds(p, requestviewAccess(flags));
    const data = cachedMapping(p, iova, need);
    if (data) {
      answerWith(answer, data, iova, need, configMeta(p));
      return ANSWER_META_status_OK;
    }
  }
  return answerOne(answer, sid, flags, iova);
}
