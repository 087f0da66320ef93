// Requests from a ring: cached ones answered in one pass over a group, the others in lanes beside
// each other.

import { answerAlone, answerWith } from "./answer";
import { cachePolicy, countLookups } from "./cache";
import { laneEnd, moveLaneEnd, takeCached, takeLarger, typed } from "./cached";
import { boundConfiguration } from "./config";
import { inputSizes, stage2Sizes } from "./contextid";
import { quirks } from "./features";
import { openLane } from "./lane";
import { runLanes } from "./lanes";
import {
  ANSWER_BYTES,
  CACHE_FAST,
  CACHE_WALK,
  configMeta,
  configNeeds,
  configShape,
  configStage,
  configTag,
  LANE_BYTES,
  REQUEST_BYTES,
  requestFlags,
  requestIova,
  requestSid,
  STAGE_S2,
} from "./layout/abi";
import { cr0SMMUEN, REG_CR0 } from "./layout/register";
import { requestviewAccess, tlbdataPerms } from "./layout/words";
import { reg32 } from "./regfile";
import { LANES } from "./state";
import { isCanonical, tlbFind } from "./tlb";
import { tracing } from "./trace";

/** Requests that are looked up, and walked, together. */
const GROUP: u32 = 64;

/** Whether requests may be interleaved: never where the order of every step is to be seen. */
function mayInterleave(): bool {
  if (tracing || quirks != 0 || !cr0SMMUEN(reg32(REG_CR0))) return false;
  return cachePolicy == CACHE_FAST || cachePolicy == CACHE_WALK;
}

/** Takes one request through every look-up there is: answers it, or opens a lane. */
function takeSlowly(request: usize, delta: usize, p: usize): void {
  const iova = requestIova(request);
  const need = configNeeds(p, requestviewAccess(requestFlags(request)));
  const canonical = isCanonical(iova);
  const second = configStage(p) == STAGE_S2;
  const caching: bool = canonical && cachePolicy == CACHE_FAST;
  const data = caching ? tlbFind(configTag(p), iova, second ? stage2Sizes : inputSizes) : 0;
  if (tlbdataPerms(data) & need) {
    answerWith(request + delta, second ? typed(p, data) : data, iova, need, configMeta(p));
    countLookups(1, 1);
  } else {
    openLane(laneEnd, request, p, iova, need, canonical ? configShape(p) : 0);
    moveLaneEnd(laneEnd + LANE_BYTES);
  }
}

/**
 * Translates requests from the first on, as many as have their configurations at hand and fit in a
 * group; gives where it stopped, behind `first`.
 */
function translateGroup(first: usize, end: usize, delta: usize): usize {
  moveLaneEnd(LANES);
  let request = first;
  while (request < end) {
    const p = boundConfiguration(requestSid(request), requestFlags(request), request == first);
    if (p == 0) break;
    takeSlowly(request, delta, p);
    request = takeCached(request + REQUEST_BYTES, end, delta, p);
  }
  if (laneEnd != LANES) {
    takeLarger(delta);
    runLanes(LANES, laneEnd, delta);
  }
  if (request != first) return request;
  answerAlone(request, request + delta);
  return request + REQUEST_BYTES;
}

/** Translates `count` requests from `requests` into `answers`; both are arrays of records. */
export function translateBatch(requests: usize, answers: usize, count: u32): void {
  if (!mayInterleave()) {
    translateSerially(requests, answers, count);
    return;
  }
  const end = requests + <usize>count * REQUEST_BYTES;
  const group = <usize>GROUP * REQUEST_BYTES;
  const delta = answers - requests;
  let request = requests;
  while (request < end) request = translateGroup(request, min(end, request + group), delta);
}

/** The same, one request after the other. */
export function translateSerially(requests: usize, answers: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    answerAlone(requests + <usize>i * REQUEST_BYTES, answers + <usize>i * ANSWER_BYTES);
  }
}
