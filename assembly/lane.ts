// One lane: a request of a batch that is walked beside others (IHI0070 3.4).

import { blockAllowed, ones } from "./geometry";
import {
  LANE_STATE_ALONE,
  LANE_STATE_DONE,
  LANE_STATE_IPA,
  LANE_STATE_WALKING,
  laneConfig,
  laneIova,
  laneNeed,
  laneWord,
  STAGE_NESTED,
  setLaneConfig,
  setLaneFirst,
  setLaneIova,
  setLaneLoads,
  setLaneNeed,
  setLaneOutput,
  setLaneRequest,
  setLaneShape,
  setLaneState,
} from "./layout/abi";
import { s1leafOA, s1tableNLTA } from "./layout/descriptor";
import {
  DESCRIPTOR_VIEW_kind_BLOCK,
  DESCRIPTOR_VIEW_kind_TABLE_OR_PAGE,
  descriptorviewKind,
  laneshapeGranule1,
  laneshapeLevel1,
  laneshapeOutput1,
  laneshapeStage,
  tlbdataPerms,
  withDescriptorviewHierarchical,
  withDescriptorviewKind,
  withTlbdataPa,
  withTlbdataSize,
} from "./layout/words";
import { stage1Data } from "./leafdata";
import { SIZE_BIAS } from "./tlb";

const LAST_LEVEL: u32 = 3;

/** Bits of a descriptor that tell whether it is a table whose address is not `beyond` the limit. */
export function tableLook(beyond: u64): u64 {
  return withDescriptorviewKind(s1tableNLTA(beyond), DESCRIPTOR_VIEW_kind_TABLE_OR_PAGE);
}

/** The same for stage 1, where attributes of a table are not plain. */
export function plainLook(beyond: u64): u64 {
  return withDescriptorviewHierarchical(tableLook(beyond), ~(<u32>0));
}

/** Whether a descriptor above the last level is such a table. @inline */
export function isTable(word: u64, look: u64): bool {
  return (word & look) == withDescriptorviewKind(0, DESCRIPTOR_VIEW_kind_TABLE_OR_PAGE);
}

/**
 * Opens a lane for a request that no cache answers; with shape 0 it will be translated alone.
 * @inline
 */
export function openLane(
  lane: usize,
  request: usize,
  p: usize,
  iova: u64,
  need: u32,
  shape: u32,
): void {
  setLaneIova(lane, iova);
  setLaneConfig(lane, <u32>p);
  setLaneRequest(lane, <u32>request);
  setLaneNeed(lane, need);
  setLaneShape(lane, shape);
  setLaneState(lane, LANE_STATE_WALKING);
}

/** Ends a lane that meets something unusual. */
export function dropLane(lane: usize): void {
  setLaneShape(lane, 0);
  setLaneState(lane, LANE_STATE_ALONE);
}

/** Ends stage 1 of a lane at its leaf, which maps 2^bits bytes. */
function takeLeaf(lane: usize, bits: u32, shape: u32): void {
  const word = laneWord(lane);
  const data = stage1Data(laneConfig(lane), word);
  const address = s1leafOA(word) & ~ones(bits);
  if (!(tlbdataPerms(data) & laneNeed(lane)) || address & ~ones(laneshapeOutput1(shape))) {
    dropLane(lane);
    return;
  }
  setLaneFirst(lane, withTlbdataPa(withTlbdataSize(data, bits - SIZE_BIAS), address));
  setLaneOutput(lane, address | (laneIova(lane) & ones(bits)));
  setLaneShape(lane, 0);
  setLaneState(lane, laneshapeStage(shape) == STAGE_NESTED ? LANE_STATE_IPA : LANE_STATE_DONE);
}

/** Ends stage 1 of a lane at a descriptor of `level` that is no plain table. */
export function endStage1(lane: usize, level: u32, bits: u32, shape: u32): void {
  const kind = descriptorviewKind(laneWord(lane));
  const leaf =
    level == LAST_LEVEL
      ? kind == DESCRIPTOR_VIEW_kind_TABLE_OR_PAGE
      : kind == DESCRIPTOR_VIEW_kind_BLOCK && blockAllowed(laneshapeGranule1(shape), <i32>level);
  setLaneLoads(lane, level - laneshapeLevel1(shape) + 1);
  if (leaf) takeLeaf(lane, bits, shape);
  else dropLane(lane);
}
