// Queue arithmetic shared by the command and event queues (IHI0070 3.5.1).

import { hasQuirk } from "./features";
import { ones } from "./geometry";
import { Q_BASE_MASKS } from "./layout/quirks";
import { cmdqbaseADDR, cmdqbaseLOG2SIZE } from "./layout/register";

/** Lowest and highest address bit that QEMU keeps of a queue base. */
const QEMU_BASE_LOW: u32 = 6;
const QEMU_BASE_HIGH: u32 = 52;
/** Queue bases are aligned to their size and at least to 32 bytes. */
const ALIGNMENT_MIN: u64 = 32;

/**
 * log2 of the number of entries: LOG2SIZE capped by the implementation. All bases share one layout.
 */
export function queueLog2(base: u64, log2Max: u32): u32 {
  return min(cmdqbaseLOG2SIZE(base), log2Max);
}

/** Physical address of entry 0. */
export function queueAddress(base: u64, log2: u32, entryBytes: u32): u64 {
  if (hasQuirk(Q_BASE_MASKS)) return base & ones(QEMU_BASE_HIGH) & ~ones(QEMU_BASE_LOW);
  const bytes = (<u64>entryBytes) << (<u64>log2);
  return cmdqbaseADDR(base) & ~(max(bytes, ALIGNMENT_MIN) - 1);
}

/** The wrap bit of PROD and CONS values, above 2^log2 entry numbers. @inline */
export function queueWrap(log2: u32): u32 {
  return (<u32>1) << log2;
}

/** Entry number of a PROD or CONS value. @inline */
export function queueIndex(value: u32, wrap: u32): u32 {
  return value & (wrap - 1);
}

/** Whether PROD and CONS agree in entry number and wrap bit. @inline */
export function queueEmpty(prod: u32, cons: u32, wrap: u32): bool {
  return queueIndex(prod ^ cons, wrap << 1) == 0;
}

/** Whether they agree in all but the wrap bit. @inline */
export function queueFull(prod: u32, cons: u32, wrap: u32): bool {
  return queueIndex(prod ^ cons, wrap << 1) == wrap;
}

/** A PROD or CONS value `steps` later; flags above the wrap bit stay as they are. @inline */
export function queueNext(value: u32, wrap: u32, steps: u32): u32 {
  const last = (wrap << 1) - 1;
  return (value & ~last) | ((value + steps) & last);
}
