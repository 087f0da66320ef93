// What both stages make together: attributes on top of each other, and the output of stage 2
// (IHI0070 13.4).
import {
  combineShareability,
  combineType,
  effectiveShareability,
  streamShareability,
  streamType,
} from "./attributes";
import { configS2fwb, STAGE_S2 } from "./layout/abi";
import { s2Address, s2Attr, s2Bits, s2Perms, s2Sh, setOutput } from "./mapping";

/** Output of stage 2 on top of the input attributes `attr` and `sh`. */
export function setCombined(p: usize, perms: u32, bits: u32, attr: u32, sh: u32, stage: u32): void {
  const type = combineType(attr, s2Attr, configS2fwb(p) != 0);
  const wide = combineShareability(effectiveShareability(attr, sh), s2Sh);
  setOutput(s2Address, bits, perms, type, effectiveShareability(type, wide), stage);
}

/** Output of a stage-2-only mapping that was found in a cache. */
export function finishStage2(p: usize): void {
  setCombined(p, s2Perms, s2Bits, streamType(p), streamShareability(p), STAGE_S2);
}
