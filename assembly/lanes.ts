// The lanes of one group: walked by shape, ended in the order of their requests (IHI0070 3.4).

import { answerAlone, answerMapped } from "./answer";
import { countLookups, translationsCached } from "./cache";
import { noteInputSize, noteTlbGlobal } from "./contextid";
import { countLoads } from "./guest";
import { walkNestedLanes, walkStage2Lanes } from "./lanes-nested";
import { walkStage1Lanes } from "./lanes-stage1";
import {
  configMeta,
  configStage,
  configTag,
  LANE_BYTES,
  LANE_STATE_ANSWERED,
  LANE_STATE_DONE,
  laneConfig,
  laneFirst,
  laneIova,
  laneKnown,
  laneLoads,
  laneNeed,
  laneRequest,
  laneShape,
  laneState,
  STAGE_S1,
  STAGE_S2,
} from "./layout/abi";
import { laneshapeStage, tlbdataGlobal, tlbdataSize } from "./layout/words";
import { SIZE_BIAS, tlbPut } from "./tlb";

/**
 * Answers lanes at their outputs, from `lane` on, and caches what they found. Gives the first lane
 * that is to be translated alone. It calls nothing: see cached.ts.
 */
function finishDone(lane: usize, end: usize, delta: usize, caching: bool): usize {
  let lookups: u32 = 0;
  let hits: u32 = 0;
  let loads: u32 = 0;
  let sizes: u32 = 0;
  let all: u64 = 0;
  for (; lane < end; lane += LANE_BYTES) {
    const state = laneState(lane);
    if (state != LANE_STATE_DONE) {
      if (state == LANE_STATE_ANSWERED) continue;
      break;
    }
    const p = laneConfig(lane);
    const data = laneFirst(lane);
    const iova = laneIova(lane);
    const size = tlbdataSize(data);
    const bits = <u64>(size + SIZE_BIAS);
    const page = (iova >> bits) << bits;
    let known: u32 = 0;
    if (configStage(p) != STAGE_S2) {
      if (caching) known = u32(tlbPut(configTag(p), page, data));
      all |= data;
      sizes |= 1 << size;
      loads += known ? 0 : laneLoads(lane);
    } else {
      known = laneKnown(lane);
    }
    lookups++;
    hits += known;
    const answer = <usize>laneRequest(lane) + delta;
    answerMapped(answer, data, iova ^ page, laneNeed(lane), size, configMeta(p));
  }
  countLoads(loads);
  if (tlbdataGlobal(all)) noteTlbGlobal();
  if (!caching) return lane;
  noteInputSize(sizes);
  countLookups(lookups, hits);
  return lane;
}

/** Answers the lanes in the order of their requests. */
function finishAll(first: usize, end: usize, delta: usize): void {
  const caching = translationsCached();
  let lane = first;
  while (lane < end) {
    lane = finishDone(lane, end, delta, caching);
    if (lane == end) break;
    const request = <usize>laneRequest(lane);
    answerAlone(request, request + delta);
    lane += LANE_BYTES;
  }
}

/** Walks the lanes from `first` to `end` and writes their answers `delta` bytes behind requests. */
export function runLanes(first: usize, end: usize, delta: usize): void {
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    const shape = laneShape(lane);
    if (shape == 0) continue;
    const stage = laneshapeStage(shape);
    if (stage == STAGE_S1) walkStage1Lanes(first, end, shape, delta);
    else if (stage == STAGE_S2) walkStage2Lanes(first, end, shape);
    else walkNestedLanes(first, end, shape);
  }
  finishAll(first, end, delta);
}
