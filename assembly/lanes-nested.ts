// Lanes behind stage 2: nested ones, whose tables are IPAs too, and those with stage 2 alone
// (IHI0070 3.4).

import { translationsCached } from "./cache";
import { noteCut, stage2Sizes } from "./contextid";
import { PERM_PR } from "./descriptor";
import { iasBits } from "./features";
import { levelShift, ones, strideBits } from "./geometry";
import { plainLook } from "./lane";
import { endOdd, enterStage1, leaveStage1, loadAll, stepStage1 } from "./lanes-stage1";
import { giveLane, openIpa, walkIpas } from "./lanes-stage2";
import {
  configAsid,
  configCut,
  configPairData,
  configPairFirst,
  configPairSecond,
  configTagS2,
  configVmid,
  configWorld,
  IPA_LANE_BYTES,
  LANE_BYTES,
  LANE_STATE_ALONE,
  LANE_STATE_BEHIND,
  LANE_STATE_DONE,
  LANE_STATE_IPA,
  laneConfig,
  laneFirst,
  laneIova,
  laneNeed,
  laneOutput,
  laneSecond,
  laneShape,
  laneState,
  setConfigCut,
  setLaneFirst,
  setLaneOutput,
  setLaneShape,
  setLaneState,
} from "./layout/abi";
import { s1tableNLTA } from "./layout/descriptor";
import {
  laneshapeGranule1,
  laneshapeGranule2,
  laneshapeLevel1,
  laneshapeLevel2,
  laneshapeOutput1,
  tlbdataFractured,
  tlbdataPa,
  tlbdataPerms,
  tlbdataSize,
  withTlbdataPa,
} from "./layout/words";
import { pairData } from "./leafdata";
import { IPA_LANES } from "./state";
import { findIn, SIZE_BIAS } from "./tlb";

const LAST_LEVEL: u32 = 3;

/** TLB_DATA without its address. @inline */
function bare(data: u64): u64 {
  return data ^ tlbdataPa(data);
}

/**
 * Sends addresses through stage 2: descriptors of the lanes of `shape`, or with shape 0 the outputs
 * of those that have left stage 1. Gives the end of the walks that it opens.
 */
function translate(first: usize, end: usize, shape: u32, shift: u64, sizes: u32): usize {
  let last = IPA_LANES;
  let tag: u64 = 0;
  let page: u64 = 0;
  let bits: u64 = 0;
  let data: u64 = 0;
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneShape(lane) != shape) continue;
    let need = PERM_PR;
    if (shape == 0) {
      if (laneState(lane) != LANE_STATE_IPA) continue;
      setLaneState(lane, LANE_STATE_BEHIND);
      need = laneNeed(lane);
    }
    const ipa = laneOutput(lane);
    // Neighbours often share a table's page, and thereby its entry.
    const own = configTagS2(laneConfig(lane));
    if (((ipa >> bits) ^ page) | (tag ^ own)) {
      tag = own;
      data = findIn(tag, ipa, sizes);
      bits = <u64>(tlbdataSize(data) + SIZE_BIAS);
      page = ipa >> bits;
    }
    if (tlbdataPerms(data) & need) {
      giveLane(lane, data, tlbdataPa(data) | (ipa ^ (page << bits)));
    } else {
      openIpa(last, lane, ipa, need, shift);
      last += IPA_LANE_BYTES;
    }
  }
  return last;
}

/** The same with the walks. `whole` is the shape that the lanes have or had. */
function translateAll(first: usize, end: usize, shape: u32, whole: u32): void {
  const shift = <u64>levelShift(laneshapeGranule2(whole), <i32>laneshapeLevel2(whole));
  const sizes = translationsCached() ? stage2Sizes : 0;
  walkIpas(IPA_LANES, translate(first, end, shape, shift, sizes), whole);
  if (shape) loadAll(first, end, shape);
}

/** Puts both stages of the lanes together that look like their stream's last one. */
function pair(first: usize, end: usize): bool {
  let odd: bool = false;
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneState(lane) != LANE_STATE_BEHIND) continue;
    const p = laneConfig(lane);
    const stage1 = bare(laneFirst(lane));
    if (stage1 != configPairFirst(p) || bare(laneSecond(lane)) != configPairSecond(p)) {
      odd = true;
      continue;
    }
    const data = configPairData(p);
    const bits = <u64>(tlbdataSize(data) + SIZE_BIAS);
    setLaneFirst(lane, data | ((laneOutput(lane) >> bits) << bits));
    setLaneState(lane, LANE_STATE_DONE);
  }
  return odd;
}

/** The same for any lanes. */
function pairOdd(first: usize, end: usize): void {
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneState(lane) != LANE_STATE_BEHIND) continue;
    const p = laneConfig(lane);
    const data = pairData(p, bare(laneFirst(lane)), bare(laneSecond(lane)));
    const whole = tlbdataSize(laneFirst(lane)) + SIZE_BIAS;
    if (tlbdataFractured(data) && configCut(p) < whole) {
      noteCut(configWorld(p), <u32>configVmid(p), <u32>configAsid(p), whole);
      setConfigCut(p, whole);
    }
    const address = laneOutput(lane) & ~ones(tlbdataSize(data) + SIZE_BIAS);
    setLaneFirst(lane, withTlbdataPa(data, address));
    setLaneState(lane, LANE_STATE_DONE);
  }
}

/** Walks the lanes of a nested shape to their outputs. */
export function walkNestedLanes(first: usize, end: usize, shape: u32): void {
  const granule = laneshapeGranule1(shape);
  const indexes = ones(strideBits(granule));
  const bases = s1tableNLTA(~ones(granule));
  const look = plainLook(~ones(laneshapeOutput1(shape)));
  let level = laneshapeLevel1(shape);
  enterStage1(first, end, shape, <u64>levelShift(granule, <i32>level));
  translateAll(first, end, shape, shape);
  for (; level < LAST_LEVEL; level++) {
    const shift = <u64>levelShift(granule, <i32>level + 1);
    const odd = stepStage1(first, end, shape, shift, indexes, bases, look);
    if (odd) endOdd(first, end, shape, level);
    translateAll(first, end, shape, shape);
  }
  leaveStage1(first, end, shape, true, 0);
  translateAll(first, end, 0, shape);
  if (pair(first, end)) pairOdd(first, end);
}

/** Walks the lanes of a stage-2-only shape: their inputs are IPAs, bounded by IAS. */
export function walkStage2Lanes(first: usize, end: usize, shape: u32): void {
  const beyond = ~ones(iasBits);
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneShape(lane) != shape) continue;
    const ipa = laneIova(lane);
    setLaneShape(lane, 0);
    setLaneOutput(lane, ipa);
    setLaneState(lane, ipa & beyond ? LANE_STATE_ALONE : LANE_STATE_IPA);
  }
  translateAll(first, end, 0, shape);
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneState(lane) != LANE_STATE_BEHIND) continue;
    const second = laneSecond(lane);
    const data = pairData(laneConfig(lane), 0, bare(second));
    setLaneFirst(lane, data | tlbdataPa(second));
    setLaneState(lane, LANE_STATE_DONE);
  }
}
