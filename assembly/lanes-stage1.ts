// Stage 1 of many lanes in lock step: the loads of all are under way before any is looked at
// (DDI0487 D8.2). Limits and masks are parameters: the loops keep them instead of deriving them
// again.

import { levelShift, ones, strideBits } from "./geometry";
import { peek64 } from "./guest";
import { endStage1, isTable, plainLook } from "./lane";
import {
  configInputBits,
  configLeaf,
  configLeafData,
  configRoot,
  LANE_BYTES,
  LANE_STATE_DONE,
  LANE_STATE_ODD,
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
  setLaneWord,
} from "./layout/abi";
import { s1leafOA, s1tableNLTA } from "./layout/descriptor";
import {
  DESCRIPTOR_VIEW_kind_TABLE_OR_PAGE,
  descriptorviewKind,
  laneshapeGranule1,
  laneshapeLevel1,
  laneshapeOutput1,
  tlbdataPerms,
  withTlbdataSize,
} from "./layout/words";
import { SIZE_BIAS } from "./tlb";

const LAST_LEVEL: u32 = 3;
const DESCRIPTOR_BITS: u64 = 3;
/** An address that no map backs: what is loaded from there is never valid. */
const NOWHERE: u64 = ~0;

/** Address of a lane's first descriptor. @inline */
export function firstDescriptor(lane: usize, shift: u64): u64 {
  const p = laneConfig(lane);
  const iova = laneIova(lane);
  if (iova >> <u64>configInputBits(p)) return NOWHERE;
  return configRoot(p) + ((iova >> shift) << DESCRIPTOR_BITS);
}

/** Marks a lane whose descriptor is no plain table. @inline */
export function setAside(lane: usize): void {
  setLaneShape(lane, 0);
  setLaneState(lane, LANE_STATE_ODD);
}

/** Takes every lane of `shape` to its first descriptor. */
export function enterStage1(first: usize, end: usize, shape: u32, shift: u64): void {
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneShape(lane) == shape) setLaneOutput(lane, firstDescriptor(lane, shift));
  }
}

/** The same, and loads it: first tables are small, and at hand. */
function loadFirst(first: usize, end: usize, shape: u32, shift: u64): void {
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneShape(lane) == shape) setLaneWord(lane, peek64(firstDescriptor(lane, shift)));
  }
}

/** Loads the descriptors that lanes are at: a loop so short that many loads are under way. */
export function loadAll(first: usize, end: usize, shape: u32): void {
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneShape(lane) == shape) setLaneWord(lane, peek64(laneOutput(lane)));
  }
}

/** From table descriptors to where the next ones are; true when lanes were set aside. */
export function stepStage1(
  first: usize,
  end: usize,
  shape: u32,
  shift: u64,
  indexes: u64,
  bases: u64,
  look: u64,
): bool {
  let odd: bool = false;
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneShape(lane) != shape) continue;
    const word = laneWord(lane);
    if (isTable(word, look)) {
      const index = (laneIova(lane) >> shift) & indexes;
      setLaneOutput(lane, (word & bases) + (index << DESCRIPTOR_BITS));
    } else {
      setAside(lane);
      odd = true;
    }
  }
  return odd;
}

/** Takes lanes to `state` whose leaves look like their stream's last one; sets others aside. */
function leave(
  first: usize,
  end: usize,
  shape: u32,
  size: u32,
  offsets: u64,
  beyond: u64,
  loads: u32,
  state: u32,
): bool {
  let odd: bool = false;
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
      setLaneState(lane, state);
    } else {
      setAside(lane);
      odd = true;
    }
  }
  return odd;
}

/** Ends the lanes that were set aside at `level`. */
export function endOdd(first: usize, end: usize, shape: u32, level: u32): void {
  const bits = levelShift(laneshapeGranule1(shape), <i32>level);
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneState(lane) == LANE_STATE_ODD) endStage1(lane, level, bits, shape);
  }
}

/** Ends stage 1 of the lanes that have loaded their last descriptors. */
export function leaveStage1(first: usize, end: usize, shape: u32, state: u32): void {
  const granule = laneshapeGranule1(shape);
  const beyond = ~ones(laneshapeOutput1(shape));
  const loads = LAST_LEVEL - laneshapeLevel1(shape) + 1;
  const size = granule - SIZE_BIAS;
  const odd = leave(first, end, shape, size, ones(granule), beyond, loads, state);
  if (odd) endOdd(first, end, shape, LAST_LEVEL);
}

/** Walks the lanes of a stage-1-only shape to their outputs. */
export function walkStage1Lanes(first: usize, end: usize, shape: u32): void {
  const granule = laneshapeGranule1(shape);
  const indexes = ones(strideBits(granule));
  const bases = s1tableNLTA(~ones(granule));
  const look = plainLook(~ones(laneshapeOutput1(shape)));
  let level = laneshapeLevel1(shape);
  loadFirst(first, end, shape, <u64>levelShift(granule, <i32>level));
  for (; level < LAST_LEVEL; level++) {
    const shift = <u64>levelShift(granule, <i32>level + 1);
    const odd = stepStage1(first, end, shape, shift, indexes, bases, look);
    if (odd) endOdd(first, end, shape, level);
    loadAll(first, end, shape);
  }
  leaveStage1(first, end, shape, LANE_STATE_DONE);
}
