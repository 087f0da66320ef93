// Requests from a ring: cached ones answered in one pass over a group, the others in lanes beside
// each other.

import { answerAlone } from "./answer";
import { laneEnd, moveLaneEnd, takeCached, takeLarger, typed } from "./cached";
import { boundConfiguration } from "./config";
import { stage2Sizes } from "./contextid";
import { openLane } from "./lane";
import { runLanes } from "./lanes";
import {
  ANSWER_BYTES,
  configTag,
  LANE_BYTES,
  REQUEST_BYTES,
  requestFlags,
  requestIova,
  requestSid,
} from "./layout/abi";
import { mayInterleave, translateInto } from "./quick";
import { LANES } from "./state";
import { isCanonical, tlbFind } from "./tlb";

/** Requests that are looked up, and walked, together. */
const GROUP: u32 = 256;

/** Takes on a request that the pass left, or tells the pass what it missed. Gives the next one. */
function takeOdd(request: usize, p: usize): usize {
  const iova = requestIova(request);
  if (isCanonical(iova)) {
    typed(p, tlbFind(configTag(p), iova, stage2Sizes));
    return request;
  }
  openLane(laneEnd, request, p, iova, 0, 0);
  moveLaneEnd(laneEnd + LANE_BYTES);
  return request + REQUEST_BYTES;
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
    const next = takeCached(request, end, delta, p);
    request = next == request ? takeOdd(request, p) : next;
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
    translateInto(answer, requestSid(request), requestFlags(request), requestIova(request));
  }
}
