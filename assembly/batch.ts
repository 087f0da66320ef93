// Requests from a ring: cached ones answered in one pass over a group, the others in lanes beside
// each other.

import { answerAlone, answerWith } from "./answer";
import { laneEnd, moveLaneEnd, takeCached, takeLarger } from "./cached";
import { boundConfiguration } from "./config";
import { openLane } from "./lane";
import { runLanes } from "./lanes";
import {
  ANSWER_BYTES,
  configMeta,
  configNeeds,
  configShape,
  LANE_BYTES,
  REQUEST_BYTES,
  requestFlags,
  requestIova,
  requestSid,
} from "./layout/abi";
import { requestviewAccess } from "./layout/words";
import { cachedMapping, mayInterleave, quickConfig, quickMapping, quickNeed } from "./quick";
import { LANES } from "./state";
import { isCanonical } from "./tlb";

/** Requests that are looked up, and walked, together. */
const GROUP: u32 = 256;

/** Takes one request through every look-up there is: answers it, or opens a lane. */
function takeSlowly(request: usize, delta: usize, p: usize): void {
  const iova = requestIova(request);
  const need = configNeeds(p, requestviewAccess(requestFlags(request)));
  const data = cachedMapping(p, iova, need);
  if (data) {
    answerWith(request + delta, data, iova, need, configMeta(p));
  } else {
    openLane(laneEnd, request, p, iova, need, isCanonical(iova) ? configShape(p) : 0);
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
    const request = requests + <usize>i * REQUEST_BYTES;
    const answer = answers + <usize>i * ANSWER_BYTES;
    const iova = requestIova(request);
    const data = quickMapping(requestSid(request), requestFlags(request), iova);
    if (data) answerWith(answer, data, iova, quickNeed, configMeta(quickConfig));
    else answerAlone(request, answer);
  }
}
