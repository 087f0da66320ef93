// The two halves of a stage 1 address space: which one, its size, granule and limits (IHI0070
// 3.4.1, 5.4).
import { hasQuirk } from "./features";
import { ones } from "./geometry";
import {
  configEpd0,
  configEpd1,
  configGranule0,
  configGranule1,
  configTbi0,
  configTbi1,
  configTsz0,
  configTsz1,
  configWorld,
} from "./layout/abi";
import { Q_TBI1_IS_TBI0 } from "./layout/quirks";
import { WORLD_EL2 } from "./ste";

/** VA[55] chooses the half; with TBI it replaces VA[63:56]. */
const HALF_BIT: u64 = 55;
const TOP_BYTE: u64 = 8;

/** Which half of the address space: 0 for TTB0, 1 for TTB1. NS-EL2 has TTB0 alone. */
export function halfOf(p: usize, iova: u64): u32 {
  return configWorld(p) == WORLD_EL2 ? 0 : <u32>((iova >> HALF_BIT) & 1);
}

/** The VA that is translated: with TBI, bits 63:56 are copies of bit 55. */
export function effectiveVa(p: usize, iova: u64, half: u32): u64 {
  const tbi = half && !hasQuirk(Q_TBI1_IS_TBI0) ? configTbi1(p) : configTbi0(p);
  return tbi ? <u64>(<i64>(iova << TOP_BYTE) >> TOP_BYTE) : iova;
}

/** Significant VA bits of a half. */
export function inputBitsOf(p: usize, half: u32): u32 {
  return 64 - (half ? configTsz1(p) : configTsz0(p));
}

export function granuleOf(p: usize, half: u32): u32 {
  return half ? configGranule1(p) : configGranule0(p);
}

export function halfDisabled(p: usize, half: u32): bool {
  return (half ? configEpd1(p) : configEpd0(p)) != 0;
}

/** Whether the bits above the region are all equal to the half's. */
export function inRange(p: usize, va: u64, half: u32): bool {
  const upper = half ? ~va : va;
  return (upper & ~ones(inputBitsOf(p, half))) == 0;
}
