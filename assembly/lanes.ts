// The lanes of one group: walked by shape, ended in the order of their requests (IHI0070 3.4).

import { answerAlone, answerMapped, answerWith } from "./answer";
import { countLookups, translationsCached } from "./cache";
import { markFractured, noteTlbGlobal } from "./contextid";
import { ones } from "./geometry";
import { countLoads } from "./guest";
import { endStage1 } from "./lane";
import { walkNestedLanes, walkStage2Lanes } from "./lanes-nested";
import { walkStage1Lanes } from "./lanes-stage1";
import {
  configAsid,
  configCut,
  configLeaf,
  configLeafData,
  configMeta,
  configPairData,
  configPairFirst,
  configPairSecond,
  configStage,
  configTag,
  configVmid,
  configWorld,
  LANE_BYTES,
  LANE_STATE_ALONE,
  LANE_STATE_ANSWERED,
  LANE_STATE_DONE,
  LANE_STATE_LAST,
  LANE_STATE_WALKING,
  laneConfig,
  laneFirst,
  laneIova,
  laneKnown,
  laneLoads,
  laneNeed,
  laneOutput,
  laneRequest,
  laneSecond,
  laneShape,
  laneState,
  laneWord,
  STAGE_NESTED,
  STAGE_S1,
  STAGE_S2,
  setConfigCut,
} from "./layout/abi";
import { s1leafOA } from "./layout/descriptor";
import {
  DESCRIPTOR_VIEW_kind_TABLE_OR_PAGE,
  descriptorviewKind,
  laneshapeGranule1,
  laneshapeLevel1,
  laneshapeOutput1,
  laneshapeStage,
  tlbdataFractured,
  tlbdataGlobal,
  tlbdataPa,
  tlbdataPerms,
  tlbdataSize,
  withTlbdataPa,
  withTlbdataSize,
} from "./layout/words";
import { pairData } from "./leafdata";
import { SIZE_BIAS, tlbInsertInput, tlbPutInput } from "./tlb";

const LAST_LEVEL: u32 = 3;

/** TLB_DATA without its address. @inline */
function bare(data: u64): u64 {
  return data ^ tlbdataPa(data);
}

/** Both stages of a nested lane as one entry. */
function combine(lane: usize, p: usize): u64 {
  const pair = pairData(p, bare(laneFirst(lane)), bare(laneSecond(lane)));
  if (tlbdataFractured(pair) && !configCut(p)) {
    markFractured(configWorld(p), <u32>configVmid(p), <u32>configAsid(p));
    setConfigCut(p, 1);
  }
  return withTlbdataPa(pair, laneOutput(lane) & ~ones(tlbdataSize(pair) + SIZE_BIAS));
}

/** Caches what a lane found through stage 1. True when the lanes before it had found it already. */
function keep(lane: usize, p: usize, data: u64): bool {
  if (tlbdataGlobal(data)) noteTlbGlobal();
  const known = tlbInsertInput(configTag(p), laneIova(lane), data);
  if (!known) countLoads(laneLoads(lane));
  return known;
}

/** Answers the request of a lane and counts what it cost. */
function finish(lane: usize, delta: usize): void {
  const request = <usize>laneRequest(lane);
  if (laneState(lane) == LANE_STATE_LAST) {
    const shape = laneShape(lane);
    endStage1(lane, LAST_LEVEL, laneshapeGranule1(shape), shape);
  }
  if (laneState(lane) == LANE_STATE_ANSWERED) return;
  if (laneState(lane) == LANE_STATE_ALONE) {
    answerAlone(request, request + delta);
    return;
  }
  const p = laneConfig(lane);
  const stage = configStage(p);
  const caching = translationsCached();
  let data = laneFirst(lane);
  let known: bool = false;
  if (stage == STAGE_S2) {
    const second = laneSecond(lane);
    data = pairData(p, 0, bare(second)) | tlbdataPa(second);
    known = laneKnown(lane) != 0;
  } else {
    if (stage == STAGE_NESTED) data = combine(lane, p);
    if (caching) known = keep(lane, p, data);
    else countLoads(laneLoads(lane));
  }
  if (caching) countLookups(1, u32(known));
  answerWith(request + delta, data, laneIova(lane), laneNeed(lane), configMeta(p));
}

/**
 * Answers lanes of stage 1 whose leaves look like their stream's last one, from `lane` on. Gives
 * the first lane that needs more than that. It calls nothing: see cached.ts.
 */
function finishPages(
  lane: usize,
  end: usize,
  delta: usize,
  shape: u32,
  size: u32,
  offsets: u64,
  beyond: u64,
  loads: u32,
  caching: bool,
): usize {
  const start = lane;
  let known: u32 = 0;
  for (; lane < end; lane += LANE_BYTES) {
    if (laneState(lane) != LANE_STATE_LAST || laneShape(lane) != shape) break;
    const p = laneConfig(lane);
    const word = laneWord(lane);
    const address = s1leafOA(word) & ~offsets;
    const data = withTlbdataSize(configLeafData(p), size) | address;
    const page = descriptorviewKind(word) == DESCRIPTOR_VIEW_kind_TABLE_OR_PAGE;
    if ((word ^ s1leafOA(word)) != configLeaf(p) || !page) break;
    const need = laneNeed(lane);
    if (!(tlbdataPerms(data) & need) || address & beyond) break;
    if (tlbdataGlobal(data)) noteTlbGlobal();
    const iova = laneIova(lane);
    if (caching && tlbPutInput(configTag(p), iova, data)) known++;
    const answer = <usize>laneRequest(lane) + delta;
    answerMapped(answer, data, iova & offsets, need, size, configMeta(p));
  }
  const count = <u32>((lane - start) / LANE_BYTES);
  countLoads((count - known) * loads);
  if (caching) countLookups(count, known);
  return lane;
}

/** The same for nested lanes, whose stages look like the last ones together. */
function finishNested(lane: usize, end: usize, delta: usize, caching: bool): usize {
  const start = lane;
  let known: u32 = 0;
  let loads: u32 = 0;
  for (; lane < end; lane += LANE_BYTES) {
    const p = laneConfig(lane);
    if (laneState(lane) != LANE_STATE_DONE || configStage(p) != STAGE_NESTED) break;
    const first = laneFirst(lane);
    const second = laneSecond(lane);
    if (bare(first) != configPairFirst(p) || bare(second) != configPairSecond(p)) break;
    const pair = configPairData(p);
    if (tlbdataFractured(pair) && !configCut(p)) break;
    if (tlbdataGlobal(pair)) noteTlbGlobal();
    const size = tlbdataSize(pair);
    const offsets = ones(size + SIZE_BIAS);
    const data = pair | (laneOutput(lane) & ~offsets);
    const iova = laneIova(lane);
    if (caching && tlbPutInput(configTag(p), iova, data)) known++;
    else loads += laneLoads(lane);
    const answer = <usize>laneRequest(lane) + delta;
    answerMapped(answer, data, iova & offsets, laneNeed(lane), size, configMeta(p));
  }
  countLoads(loads);
  if (caching) countLookups(<u32>((lane - start) / LANE_BYTES), known);
  return lane;
}

/** Answers the next lanes if they are like their stream's last ones; else gives `lane` back. */
function finishLike(lane: usize, end: usize, delta: usize, caching: bool): usize {
  if (laneState(lane) != LANE_STATE_LAST) return finishNested(lane, end, delta, caching);
  const shape = laneShape(lane);
  const granule = laneshapeGranule1(shape);
  const beyond = ~ones(laneshapeOutput1(shape));
  const loads = LAST_LEVEL - laneshapeLevel1(shape) + 1;
  const size = granule - SIZE_BIAS;
  return finishPages(lane, end, delta, shape, size, ones(granule), beyond, loads, caching);
}

/** Answers the lanes in the order of their requests. */
function finishAll(first: usize, end: usize, delta: usize): void {
  const caching = translationsCached();
  let lane = first;
  while (lane < end) {
    const next = finishLike(lane, end, delta, caching);
    if (next == lane) {
      finish(lane, delta);
      lane += LANE_BYTES;
    } else {
      lane = next;
    }
  }
}

/** Walks the lanes from `first` to `end` and writes their answers `delta` bytes behind requests. */
export function runLanes(first: usize, end: usize, delta: usize): void {
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    const shape = laneShape(lane);
    if (laneState(lane) != LANE_STATE_WALKING) continue;
    const stage = laneshapeStage(shape);
    if (stage == STAGE_S1) walkStage1Lanes(first, end, shape);
    else if (stage == STAGE_S2) walkStage2Lanes(first, end, shape);
    else walkNestedLanes(first, end, shape);
  }
  finishAll(first, end, delta);
}
