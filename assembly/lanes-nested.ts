// Lanes behind stage 2: nested ones, whose tables are IPAs too, and those with stage 2 alone
// (IHI0070 3.4).

import { translationsCached } from "./cache";
import { stage2Sizes } from "./contextid";
import { PERM_PR } from "./descriptor";
import { iasBits } from "./features";
import { levelShift, ones, strideBits } from "./geometry";
import { endOdd, firstDescriptor, isPlainTable, setAside } from "./lanes-stage1";
import { giveLane, openIpa, walkIpas } from "./lanes-stage2";
import {
  configLeaf,
  configLeafData,
  configTagS2,
  IPA_LANE_BYTES,
  LANE_BYTES,
  LANE_STATE_ALONE,
  LANE_STATE_DONE,
  LANE_STATE_IPA,
  laneConfig,
  laneIova,
  laneNeed,
  laneOutput,
  laneShape,
  laneState,
  laneWord,
  setLaneFirst,
  setLaneLoads,
  setLaneOutput,
  setLaneShape,
  setLaneState,
} from "./layout/abi";
import { s1leafOA, s1tableNLTA } from "./layout/descriptor";
import {
  DESCRIPTOR_VIEW_kind_TABLE_OR_PAGE,
  descriptorviewKind,
  laneshapeGranule1,
  laneshapeGranule2,
  laneshapeLevel1,
  laneshapeLevel2,
  laneshapeOutput1,
  tlbdataPa,
  tlbdataPerms,
  tlbdataSize,
  withTlbdataSize,
} from "./layout/words";
import { IPA_LANES } from "./state";
import { SIZE_BIAS, tlbFind } from "./tlb";

const LAST_LEVEL: u32 = 3;
const DESCRIPTOR_BITS: u64 = 3;

/** Takes every lane of `shape` to the IPA of its first descriptor. */
function enter(first: usize, end: usize, shape: u32, shift: u64): void {
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneShape(lane) == shape) setLaneOutput(lane, firstDescriptor(lane, shift));
  }
}

/** From table descriptors to the IPAs of the next ones; true when lanes were set aside. */
function step(
  first: usize,
  end: usize,
  shape: u32,
  shift: u64,
  indexes: u64,
  bases: u64,
  beyond: u64,
): bool {
  let odd: bool = false;
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneShape(lane) != shape) continue;
    const word = laneWord(lane);
    const table = s1tableNLTA(word) & bases;
    if (isPlainTable(word) && (table & beyond) == 0) {
      const index = (laneIova(lane) >> shift) & indexes;
      setLaneOutput(lane, table + (index << DESCRIPTOR_BITS));
    } else {
      setAside(lane);
      odd = true;
    }
  }
  return odd;
}

/** Ends stage 1 at pages whose leaves look like the stream's last one; sets others aside. */
function leave(first: usize, end: usize, shape: u32, offsets: u64, beyond: u64, loads: u32): bool {
  let odd: bool = false;
  const size = laneshapeGranule1(shape) - SIZE_BIAS;
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneShape(lane) != shape) continue;
    const p = laneConfig(lane);
    const word = laneWord(lane);
    const address = s1leafOA(word) & ~offsets;
    const data = configLeafData(p);
    const known = (word ^ s1leafOA(word)) == configLeaf(p);
    const page = descriptorviewKind(word) == DESCRIPTOR_VIEW_kind_TABLE_OR_PAGE;
    if (known && page && tlbdataPerms(data) & laneNeed(lane) && (address & beyond) == 0) {
      setLaneFirst(lane, withTlbdataSize(data, size) | address);
      setLaneOutput(lane, address | (laneIova(lane) & offsets));
      setLaneLoads(lane, loads);
      setLaneShape(lane, 0);
      setLaneState(lane, LANE_STATE_IPA);
    } else {
      setAside(lane);
      odd = true;
    }
  }
  return odd;
}

/**
 * Sends addresses through stage 2: descriptors of the lanes of `shape`, or with shape 0 the outputs
 * of those that have left stage 1. Gives the end of the walks that it opens.
 */
function translate(first: usize, end: usize, shape: u32, shift: u64, sizes: u32): usize {
  let last = IPA_LANES;
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneShape(lane) != shape) continue;
    let need = PERM_PR;
    if (shape == 0) {
      if (laneState(lane) != LANE_STATE_IPA) continue;
      setLaneState(lane, LANE_STATE_DONE);
      need = laneNeed(lane);
    }
    const ipa = laneOutput(lane);
    const data = tlbFind(configTagS2(laneConfig(lane)), ipa, sizes);
    if (tlbdataPerms(data) & need) {
      const offset = ipa & ones(tlbdataSize(data) + SIZE_BIAS);
      giveLane(lane, data, tlbdataPa(data) | offset);
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
}

/** Walks the lanes of a nested shape to their outputs. */
export function walkNestedLanes(first: usize, end: usize, shape: u32): void {
  const granule = laneshapeGranule1(shape);
  const offsets = ones(granule);
  const indexes = ones(strideBits(granule));
  const beyond = ~ones(laneshapeOutput1(shape));
  const level1 = laneshapeLevel1(shape);
  enter(first, end, shape, <u64>levelShift(granule, <i32>level1));
  translateAll(first, end, shape, shape);
  for (let level = level1; level < LAST_LEVEL; level++) {
    const shift = <u64>levelShift(granule, <i32>level + 1);
    const odd = step(first, end, shape, shift, indexes, ~offsets, beyond);
    if (odd) endOdd(first, end, shape, level);
    translateAll(first, end, shape, shape);
  }
  const odd = leave(first, end, shape, offsets, beyond, LAST_LEVEL - level1 + 1);
  if (odd) endOdd(first, end, shape, LAST_LEVEL);
  translateAll(first, end, 0, shape);
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
}
