// Stage 2 of many addresses in lock step: IPAs of tables and outputs, beside each other (DDI0487
// D8.2).

import { translationsCached } from "./cache";
import { noteStage2Size } from "./contextid";
import { blockAllowed, levelShift, ones, strideBits } from "./geometry";
import { countLoads, isNear, nearOffset, peek64, peekNear } from "./guest";
import { dropLane, isTable, tableLook } from "./lane";
import {
  configInputBitsS2,
  configLeafDataS2,
  configLeafS2,
  configRootS2,
  configTagS2,
  IPA_LANE_BYTES,
  ipalaneIpa,
  ipalaneLane,
  ipalaneNeed,
  ipalaneState,
  ipalaneWord,
  LANE_STATE_DONE,
  LANE_STATE_FAR,
  LANE_STATE_ODD,
  LANE_STATE_WALKING,
  laneConfig,
  setIpalaneIpa,
  setIpalaneLane,
  setIpalaneNeed,
  setIpalaneState,
  setIpalaneWord,
  setLaneKnown,
  setLaneOutput,
  setLaneSecond,
} from "./layout/abi";
import { s2leafOA, s2tableNLTA } from "./layout/descriptor";
import {
  DESCRIPTOR_VIEW_kind_BLOCK,
  DESCRIPTOR_VIEW_kind_TABLE_OR_PAGE,
  descriptorviewKind,
  laneshapeGranule2,
  laneshapeLevel2,
  laneshapeOutput2,
  tlbdataPerms,
  withTlbdataPa,
  withTlbdataSize,
} from "./layout/words";
import { stage2Data } from "./leafdata";
import { SIZE_BIAS, tlbInsert, tlbPut } from "./tlb";

const LAST_LEVEL: u32 = 3;
const DESCRIPTOR_BITS: u64 = 3;
const NOWHERE: u64 = ~0;

/** Whether walks wait for descriptors outside the region that is tried first. */
let far: bool = false;

/** Loads a descriptor of a walk, or leaves it. @inline */
function loadWord(at: usize, pa: u64): void {
  const offset = nearOffset(pa);
  if (isNear(offset)) {
    setIpalaneWord(at, peekNear(offset));
  } else {
    setIpalaneWord(at, pa);
    setIpalaneState(at, LANE_STATE_FAR);
    far = true;
  }
}

/** Loads what `loadWord` left. */
function loadFar(first: usize, last: usize): void {
  if (!far) return;
  far = false;
  for (let at = first; at < last; at += IPA_LANE_BYTES) {
    if (ipalaneState(at) != LANE_STATE_FAR) continue;
    setIpalaneWord(at, peek64(ipalaneWord(at)));
    setIpalaneState(at, LANE_STATE_WALKING);
  }
}

/** Opens the walk of an IPA for `lane` and loads its first descriptor. @inline */
export function openIpa(at: usize, lane: usize, ipa: u64, need: u32, shift: u64): void {
  const p = laneConfig(lane);
  const outside = ipa >> <u64>configInputBitsS2(p) != 0;
  const first = outside ? NOWHERE : configRootS2(p) + ((ipa >> shift) << DESCRIPTOR_BITS);
  setIpalaneIpa(at, ipa);
  setIpalaneLane(at, <u32>lane);
  setIpalaneNeed(at, need);
  setIpalaneState(at, LANE_STATE_WALKING);
  loadWord(at, first);
}

/** Gives a lane its mapping. @inline */
export function giveLane(lane: usize, entry: u64, pa: u64): void {
  setLaneSecond(lane, entry);
  setLaneOutput(lane, pa);
}

/** Ends an address at its leaf, which maps 2^bits bytes. */
function takeLeaf(at: usize, loads: u32, bits: u32, shape: u32): void {
  const lane = <usize>ipalaneLane(at);
  const p = laneConfig(lane);
  const word = ipalaneWord(at);
  const data = stage2Data(p, word);
  const address = s2leafOA(word) & ~ones(bits);
  if (!(tlbdataPerms(data) & ipalaneNeed(at)) || address & ~ones(laneshapeOutput2(shape))) {
    dropLane(lane);
    return;
  }
  const ipa = ipalaneIpa(at);
  const entry = withTlbdataPa(withTlbdataSize(data, bits - SIZE_BIAS), address);
  const known: bool = translationsCached() && tlbInsert(configTagS2(p), ipa, entry, true);
  if (!known) countLoads(loads);
  setLaneKnown(lane, u32(known));
  giveLane(lane, entry, address | (ipa & ones(bits)));
}

/** Ends an address at a descriptor that is no table. */
function end(at: usize, level: u32, bits: u32, shape: u32): void {
  const kind = descriptorviewKind(ipalaneWord(at));
  const leaf =
    level == LAST_LEVEL
      ? kind == DESCRIPTOR_VIEW_kind_TABLE_OR_PAGE
      : kind == DESCRIPTOR_VIEW_kind_BLOCK && blockAllowed(laneshapeGranule2(shape), <i32>level);
  if (leaf) takeLeaf(at, level - laneshapeLevel2(shape) + 1, bits, shape);
  else dropLane(<usize>ipalaneLane(at));
  setIpalaneState(at, LANE_STATE_DONE);
}

/** From table descriptors to the next ones; true when some were no tables. */
function step(first: usize, last: usize, shift: u64, indexes: u64, bases: u64, look: u64): bool {
  let odd: bool = false;
  for (let at = first; at < last; at += IPA_LANE_BYTES) {
    if (ipalaneState(at) != LANE_STATE_WALKING) continue;
    const word = ipalaneWord(at);
    if (isTable(word, look)) {
      const index = (ipalaneIpa(at) >> shift) & indexes;
      loadWord(at, (word & bases) + (index << DESCRIPTOR_BITS));
    } else {
      setIpalaneState(at, LANE_STATE_ODD);
      odd = true;
    }
  }
  return odd;
}

/** Ends the pages whose leaves look like the stream's last one; true when others are left. */
function endPages(
  first: usize,
  last: usize,
  size: u32,
  offsets: u64,
  beyond: u64,
  loads: u32,
  caching: bool,
): bool {
  let counted: u32 = 0;
  let odd: bool = false;
  for (let at = first; at < last; at += IPA_LANE_BYTES) {
    if (ipalaneState(at) != LANE_STATE_WALKING) continue;
    const lane = <usize>ipalaneLane(at);
    const p = laneConfig(lane);
    const word = ipalaneWord(at);
    const address = s2leafOA(word) & ~offsets;
    const data = configLeafDataS2(p);
    const known = (word ^ s2leafOA(word)) == configLeafS2(p);
    const page = descriptorviewKind(word) == DESCRIPTOR_VIEW_kind_TABLE_OR_PAGE;
    if (known && page && tlbdataPerms(data) & ipalaneNeed(at) && (address & beyond) == 0) {
      const ipa = ipalaneIpa(at);
      const entry = withTlbdataSize(data, size) | address;
      const old: bool = caching && tlbPut(configTagS2(p), ipa & ~offsets, entry);
      if (!old) counted += loads;
      setLaneKnown(lane, u32(old));
      giveLane(lane, entry, address | (ipa & offsets));
      setIpalaneState(at, LANE_STATE_DONE);
    } else {
      setIpalaneState(at, LANE_STATE_ODD);
      odd = true;
    }
  }
  countLoads(counted);
  return odd;
}

/** Ends the addresses that are set aside at their descriptors of `level`. */
function endOdd(first: usize, last: usize, shape: u32, level: u32): void {
  const bits = levelShift(laneshapeGranule2(shape), <i32>level);
  for (let at = first; at < last; at += IPA_LANE_BYTES) {
    if (ipalaneState(at) == LANE_STATE_ODD) end(at, level, bits, shape);
  }
}

/** Walks the addresses from `first` to `last`; every lane gets its mapping, or is dropped. */
export function walkIpas(first: usize, last: usize, shape: u32): void {
  const granule = laneshapeGranule2(shape);
  const indexes = ones(strideBits(granule));
  const offsets = ones(granule);
  const beyond = ~ones(laneshapeOutput2(shape));
  const bases = s2tableNLTA(~offsets);
  const look = tableLook(beyond);
  const level2 = laneshapeLevel2(shape);
  for (let level = level2; level < LAST_LEVEL; level++) {
    const shift = <u64>levelShift(granule, <i32>level + 1);
    loadFar(first, last);
    if (step(first, last, shift, indexes, bases, look)) endOdd(first, last, shape, level);
  }
  loadFar(first, last);
  const loads = LAST_LEVEL - level2 + 1;
  const size = granule - SIZE_BIAS;
  noteStage2Size(1 << size);
  if (endPages(first, last, size, offsets, beyond, loads, translationsCached())) {
    endOdd(first, last, shape, LAST_LEVEL);
  }
}
