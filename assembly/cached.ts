// The passes over a group that answer what the IOTLB holds, one page size at a time; lanes are
// opened for the rest. They call nothing, so that everything stays in registers: whatever is rare
// ends them.

import { answerMapped } from "./answer";
import { cachePolicy, countLookups } from "./cache";
import { likelyConfiguration } from "./config";
import { contextEpoch, inputSizes, stage2Sizes } from "./contextid";
import { openLane } from "./lane";
import {
  CACHE_FAST,
  configEpoch,
  configMeta,
  configNeeds,
  configPairData,
  configPairFirst,
  configPairSecond,
  configShape,
  configSid,
  configStage,
  configTag,
  configView,
  LANE_BYTES,
  LANE_STATE_ANSWERED,
  laneConfig,
  laneIova,
  laneNeed,
  laneRequest,
  laneShape,
  REQUEST_BYTES,
  requestFlags,
  requestIova,
  requestSid,
  STAGE_S2,
  setLaneShape,
  setLaneState,
} from "./layout/abi";
import { requestviewAccess, requestviewSubstream, tlbdataPa, tlbdataPerms } from "./layout/words";
import { pairData } from "./leafdata";
import { LANES } from "./state";
import { isCanonical, probeSize, sizeMask, sizeOffsets } from "./tlb";

/** Where the next lane goes. */
export let laneEnd: usize = 0;

export function moveLaneEnd(at: usize): void {
  laneEnd = at;
}

/** What a stage-2-only stream makes of a cached mapping of its input. */
export function typed(p: usize, data: u64): u64 {
  const pa = tlbdataPa(data);
  return pairData(p, 0, data ^ pa) | pa;
}

/** Whether `typed` has its answer at hand. @inline */
function typeKnown(p: usize, data: u64): bool {
  return configPairSecond(p) == (data ^ tlbdataPa(data)) && configPairFirst(p) == 0;
}

/**
 * Answers the requests from `request` to `end` that entries of one size hold, and opens lanes for
 * the others. `p` is the configuration of the request before, `second` tells whether streams have
 * stage 2 alone. Ends at the first request that is unlike the others.
 */
function pass(
  request: usize,
  end: usize,
  delta: usize,
  p: usize,
  mask: u64,
  offsets: u64,
  size: u32,
  second: bool,
): usize {
  const epoch = contextEpoch;
  const caching = cachePolicy == CACHE_FAST;
  let lane = laneEnd;
  for (; request < end; request += REQUEST_BYTES) {
    // 1. The configuration.
    const flags = requestFlags(request);
    const sid = requestSid(request);
    const view = requestviewSubstream(flags);
    if ((configSid(p) ^ sid) | (configView(p) ^ view)) {
      const other = likelyConfiguration(sid);
      const differs = (configSid(other) ^ sid) | (configView(other) ^ view);
      if (differs | (configEpoch(other) ^ epoch)) break;
      if ((configStage(other) == STAGE_S2) != second) break;
      p = other;
    }
    const iova = requestIova(request);
    if (!isCanonical(iova)) break;
    // 2. The IOTLB.
    const need = configNeeds(p, requestviewAccess(flags));
    let data: u64 = caching ? probeSize(configTag(p), iova, mask, size) : 0;
    // 3. An answer or a lane.
    if (tlbdataPerms(data) & need) {
      if (second) {
        if (!typeKnown(p, data)) break;
        data = configPairData(p) | tlbdataPa(data);
      }
      answerMapped(request + delta, data, iova & offsets, need, size, configMeta(p));
    } else {
      openLane(lane, request, p, iova, need, configShape(p));
      lane += LANE_BYTES;
    }
  }
  laneEnd = lane;
  return request;
}

/** Answers the lanes that entries of one more size hold. */
function retry(
  first: usize,
  end: usize,
  delta: usize,
  mask: u64,
  offsets: u64,
  size: u32,
  second: bool,
): void {
  let hits: u32 = 0;
  for (let lane = first; lane < end; lane += LANE_BYTES) {
    const p = laneConfig(lane);
    if (laneShape(lane) == 0) continue;
    if ((configStage(p) == STAGE_S2) != second) continue;
    const iova = laneIova(lane);
    const need = laneNeed(lane);
    let data = probeSize(configTag(p), iova, mask, size);
    if (!(tlbdataPerms(data) & need)) continue;
    if (second) data = typed(p, data);
    answerMapped(<usize>laneRequest(lane) + delta, data, iova & offsets, need, size, configMeta(p));
    setLaneShape(lane, 0);
    setLaneState(lane, LANE_STATE_ANSWERED);
    hits++;
  }
  countLookups(hits, hits);
}

/** Tries the sizes of `sizes` on the lanes. */
function retryAll(sizes: u32, delta: usize, second: bool): void {
  while (sizes) {
    const size = <u32>ctz(sizes);
    retry(LANES, laneEnd, delta, sizeMask(size), sizeOffsets(size), size, second);
    sizes &= sizes - 1;
  }
}

/**
 * Answers requests from `request` on, or opens lanes for them, while they are like the one before,
 * whose configuration is `p`. Gives the first request that it leaves.
 */
export function takeCached(request: usize, end: usize, delta: usize, p: usize): usize {
  const second = configStage(p) == STAGE_S2;
  const sizes = second ? stage2Sizes : inputSizes;
  const size = sizes ? <u32>ctz(sizes) : 0;
  const opened = laneEnd;
  const next = pass(request, end, delta, p, sizeMask(size), sizeOffsets(size), size, second);
  const hits = <u32>((next - request) / REQUEST_BYTES - (laneEnd - opened) / LANE_BYTES);
  countLookups(hits, hits);
  return next;
}

/** Answers the lanes that larger pages hold. */
export function takeLarger(delta: usize): void {
  if (cachePolicy != CACHE_FAST) return;
  retryAll(inputSizes & (inputSizes - 1), delta, false);
  retryAll(stage2Sizes & (stage2Sizes - 1), delta, true);
}
