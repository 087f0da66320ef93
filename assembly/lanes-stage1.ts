// Stage 1 of many lanes in lock step: the loads of all are under way before any is looked at
// (DDI0487 D8.2). Limits and masks are parameters: the loops keep them instead of deriving them
// again.

import { answerMapped } from "./answer";
import { countLookups, translationsCached } from "./cache";
import { noteInputSize, noteTlbGlobal } from "./contextid";
import { levelShift, ones, strideBits } from "./geometry";
import { countLoads, isNear, nearOffset, peek64, peekNear } from "./guest";
import { endStage1, isTable, plainLook, tableLook } from "./lane";
import {
  configInputBits,
  configLeaf,
  configLeafData,
  configMeta,
  configRoot,
  configTag,
  LANE_BYTES,
  LANE_STATE_ANSWERED,
  LANE_STATE_IPA,
  LANE_STATE_ODD,
  laneConfig,
  laneIova,
  laneNeed,
  laneOutput,
  laneRequest,
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
  laneshapeGranule1,
  laneshapeLevel1,
  laneshapeOutput1,
  tlbdataGlobal,
  tlbdataPa,
  tlbdataPerms,
  withTlbdataSize,
} from "./layout/words";
import { SIZE_BIAS, sizeMask, tlbPut } from "./tlb";

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

/** Loads the descriptors of `loadAll` that are not in the region that is tried first. */
function loadFar(first: usize, end: usize, shape: u32): void {
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneShape(lane) != shape || isNear(nearOffset(laneOutput(lane)))) continue;
    setLaneWord(lane, peek64(laneOutput(lane)));
  }
}

/** Takes lanes to their first descriptors and loads them: first tables are small, and at hand. */
function loadFirst(first: usize, end: usize, shape: u32, shift: u64): void {
  let far: bool = false;
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneShape(lane) != shape) continue;
    const at = firstDescriptor(lane, shift);
    const offset = nearOffset(at);
    setLaneOutput(lane, at);
    if (isNear(offset)) setLaneWord(lane, peekNear(offset));
    else far = true;
  }
  if (far) loadFar(first, end, shape);
}

/** Loads the descriptors that lanes are at: a loop so short that many loads are under way. */
export function loadAll(first: usize, end: usize, shape: u32): void {
  let far: bool = false;
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneShape(lane) != shape) continue;
    const offset = nearOffset(laneOutput(lane));
    if (isNear(offset)) setLaneWord(lane, peekNear(offset));
    else far = true;
  }
  if (far) loadFar(first, end, shape);
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

/**
 * Ends the lanes at pages that look like their stream's last one: stage-1-only ones are answered,
 * nested ones (`behind`) go on to stage 2. Sets others aside.
 */
function leave(
  first: usize,
  end: usize,
  shape: u32,
  size: u32,
  offsets: u64,
  look: u64,
  loads: u32,
  behind: bool,
  delta: usize,
  caching: bool,
): bool {
  const sized = withTlbdataSize(0, size);
  const pages = sizeMask(size);
  let odd: bool = false;
  let ended: u32 = 0;
  let hits: u32 = 0;
  let all: u64 = 0;
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneShape(lane) != shape) continue;
    const p = laneConfig(lane);
    const word = laneWord(lane);
    const made = configLeafData(p);
    const need = laneNeed(lane);
    const known = (word ^ s1leafOA(word)) == configLeaf(p) && isTable(word, look);
    setLaneShape(lane, 0);
    if (!known || !(tlbdataPerms(made) & need)) {
      setLaneState(lane, LANE_STATE_ODD);
      odd = true;
      continue;
    }
    const iova = laneIova(lane);
    const data = made | sized | (s1leafOA(word) & ~offsets);
    if (behind) {
      setLaneFirst(lane, data);
      setLaneOutput(lane, tlbdataPa(data) | (iova & offsets));
      setLaneLoads(lane, loads);
      setLaneState(lane, LANE_STATE_IPA);
      continue;
    }
    if (caching) hits += u32(tlbPut(configTag(p), iova & pages, data));
    all |= data;
    ended++;
    const answer = <usize>laneRequest(lane) + delta;
    answerMapped(answer, data, iova & offsets, need, size, configMeta(p));
    setLaneState(lane, LANE_STATE_ANSWERED);
  }
  if (tlbdataGlobal(all)) noteTlbGlobal();
  if (ended) noteAnswered(1 << size, ended, hits, (ended - hits) * loads);
  return odd;
}

/** Counts lanes that were answered. */
export function noteAnswered(sizes: u32, lanes: u32, hits: u32, loads: u32): void {
  countLoads(loads);
  if (!translationsCached()) return;
  noteInputSize(sizes);
  countLookups(lanes, hits);
}

/** Ends the lanes that were set aside at `level`. */
export function endOdd(first: usize, end: usize, shape: u32, level: u32): void {
  const bits = levelShift(laneshapeGranule1(shape), <i32>level);
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    if (laneState(lane) == LANE_STATE_ODD) endStage1(lane, level, bits, shape);
  }
}

/** Ends stage 1 of the lanes that have loaded their last descriptors. */
export function leaveStage1(
  first: usize,
  end: usize,
  shape: u32,
  behind: bool,
  delta: usize,
): void {
  const granule = laneshapeGranule1(shape);
  const look = tableLook(~ones(laneshapeOutput1(shape)));
  const loads = LAST_LEVEL - laneshapeLevel1(shape) + 1;
  const size = granule - SIZE_BIAS;
  const caching = translationsCached();
  const odd = leave(first, end, shape, size, ones(granule), look, loads, behind, delta, caching);
  if (odd) endOdd(first, end, shape, LAST_LEVEL);
}

/** Walks the lanes of a stage-1-only shape to their outputs, and answers those that are plain. */
export function walkStage1Lanes(first: usize, end: usize, shape: u32, delta: usize): void {
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
  leaveStage1(first, end, shape, false, delta);
}
