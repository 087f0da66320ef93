// Format of the stream table in force: FMT and SPLIT, or QEMU's memory of them (IHI0070 6.3.25).

import { hasQuirk, twoLevelStreams } from "./features";
import { Q_STRTAB_CFG_STICKY } from "./layout/quirks";
import { REG_STRTAB_BASE_CFG, strtabbasecfgFMT, strtabbasecfgSPLIT } from "./layout/register";
import { reg32 } from "./regfile";

const FMT_2LVL: u32 = 1;
const SPLIT_DEFAULT: u32 = 6;

/** QEMU never goes back to a linear table, and keeps the SPLIT of the last 2-level write. */
let stickyTwoLevel: bool = false;
let stickySplit: u32 = 0;

/** Notes a write of STRTAB_BASE_CFG. */
export function noteStreamTableConfig(value: u32): void {
  if (strtabbasecfgFMT(value) != FMT_2LVL) return;
  stickyTwoLevel = true;
  stickySplit = strtabbasecfgSPLIT(value);
}

export function resetStreamTableConfig(): void {
  stickyTwoLevel = false;
  stickySplit = 0;
}

/** Whether the stream table has two levels. */
export function streamTableTwoLevel(): bool {
  if (hasQuirk(Q_STRTAB_CFG_STICKY)) return stickyTwoLevel;
  return twoLevelStreams && strtabbasecfgFMT(reg32(REG_STRTAB_BASE_CFG)) == FMT_2LVL;
}

/** StreamID bits that the second level resolves; reserved values behave as 6. */
export function streamTableSplit(): u32 {
  const sticky = hasQuirk(Q_STRTAB_CFG_STICKY);
  const split = sticky ? stickySplit : strtabbasecfgSPLIT(reg32(REG_STRTAB_BASE_CFG));
  return split == 8 || split == 10 ? split : SPLIT_DEFAULT;
}
