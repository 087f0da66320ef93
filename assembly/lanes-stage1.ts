// Stage 1 of many lanes in lock step: the loads of all are under way before any is looked at
// (DDI0487 D8.2). Limits and masks are parameters: the loops keep them instead of deriving them
// again.

import { levelShift, ones, strideBits } from "./geometry";
import { peek64 } from "./guest";
import { endStage1 } from "./lane";
import {
  configInputBits,
  configRoot,
  LANE_BYTES,
  LANE_STATE_LAST,
  LANE_STATE_ODD,
  LANE_STATE_WALKING,
  laneConfig,
  laneIova,
  laneShape,
  laneState,
  laneWord,
  setLaneShape,
  setLaneState,
  setLaneWord,
} from "./layout/abi";
import { s1tableNLTA } from "./layout/descriptor";
import {
  DESCRIPTOR_VIEW_kind_TABLE_OR_PAGE,
  descriptorviewHierarchical,
  descriptorviewKind,
  laneshapeGranule1,
  laneshapeLevel1,
  laneshapeOutput1,
} from "./layout/words";

const LAST_LEVEL: u32 = 3;
const DESCRIPTOR_BITS: u64 = 3;
/** An address that no map backs: what is loaded from there is never valid. */
const NOWHERE: u64 = ~0;

/** Whether a stage 1 descriptor above the last level is a table without attributes. @inline */
export function isPlainTable(word: u64): bool {
  return (
    descriptorviewKind(word) == DESCRIPTOR_VIEW_kind_TABLE_OR_PAGE &&
    descriptorviewHierarchical(word) == 0
  );
}

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

/** Loads the first descriptor of every lane of `shape`. */
function enter(first: usize, end: usize, shape: u32, shift: u64, state: u32): void {
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneShape(lane) != shape) continue;
    setLaneWord(lane, peek64(firstDescriptor(lane, shift)));
    setLaneState(lane, state);
  }
}

/** From table descriptors to the next ones; true when lanes were set aside. */
function step(
  first: usize,
  end: usize,
  shape: u32,
  shift: u64,
  indexes: u64,
  bases: u64,
  beyond: u64,
  state: u32,
): bool {
  let odd: bool = false;
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneShape(lane) != shape) continue;
    const word = laneWord(lane);
    const table = s1tableNLTA(word) & bases;
    if (isPlainTable(word) && (table & beyond) == 0) {
      const index = (laneIova(lane) >> shift) & indexes;
      setLaneWord(lane, peek64(table + (index << DESCRIPTOR_BITS)));
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

/** Walks the lanes of a stage-1-only shape until they have loaded their last descriptors. */
export function walkStage1Lanes(first: usize, end: usize, shape: u32): void {
  const granule = laneshapeGranule1(shape);
  const indexes = ones(strideBits(granule));
  const beyond = ~ones(laneshapeOutput1(shape));
  let level = laneshapeLevel1(shape);
  let state = level == LAST_LEVEL ? LANE_STATE_LAST : LANE_STATE_WALKING;
  enter(first, end, shape, <u64>levelShift(granule, <i32>level), state);
  for (; level < LAST_LEVEL; level++) {
    if (level + 1 == LAST_LEVEL) state = LANE_STATE_LAST;
    const shift = <u64>levelShift(granule, <i32>level + 1);
    const odd = step(first, end, shape, shift, indexes, ~ones(granule), beyond, state);
    if (odd) endOdd(first, end, shape, level);
  }
}
