// StreamID to STE: linear and 2-level stream tables (IHI0070 3.3, 5.1).

import { clearFault, faultType, raiseConfigFault, raiseFetchFault } from "./fault";
import { hasQuirk, oasBits, sidBits } from "./features";
import { ones } from "./geometry";
import { clearGuestFault, guestFault, load64 } from "./guest";
import { TRACE_KIND_L1STD, TRACE_KIND_STE } from "./layout/abi";
import { C_BAD_STE, C_BAD_STREAMID, F_STE_FETCH } from "./layout/event";
import { Q_BASE_MASKS, Q_INDEX_BAD_STE, Q_L1STD_SPAN } from "./layout/quirks";
import {
  REG_STRTAB_BASE,
  REG_STRTAB_BASE_CFG,
  strtabbaseADDR,
  strtabbasecfgLOG2SIZE,
} from "./layout/register";
import { L1STD_BYTES, l1stdL2Ptr, l1stdSpan, STE_BYTES } from "./layout/ste";
import { reg32, reg64 } from "./regfile";
import { STE } from "./state";
import { streamTableSplit, streamTableTwoLevel } from "./streamtable";
import { traceAbort, traceFetch, tracing } from "./trace";

/** Span values above this are reserved and behave as 0. */
const SPAN_MAX: u32 = 11;
/** log2 of the sizes of an STE and a level 1 descriptor. */
const STE_BITS: u32 = 6;
const L1STD_BITS: u32 = 3;
/** QEMU keeps address bits 51 and down of STRTAB_BASE, and all of L2Ptr above bit 4. */
const QEMU_BASE_BITS: u32 = 52;
const QEMU_L2PTR_LOW: u32 = 5;

/** Base of the stream table: LOG2SIZE as written decides the alignment (6.3.24). */
function tableBase(log2: u32): u64 {
  const base = strtabbaseADDR(reg64(REG_STRTAB_BASE));
  const size = streamTableTwoLevel()
    ? max<i32>(STE_BITS, log2 + L1STD_BITS - streamTableSplit())
    : <i32>(log2 + STE_BITS);
  const bits = hasQuirk(Q_BASE_MASKS) ? ones(QEMU_BASE_BITS) : ~(<u64>0);
  return base & bits & ~ones(<u32>size);
}

/** Whether a structure address is one that the SMMU can put on the bus (choice of 3.4: abort). */
function reachable(pa: u64): bool {
  return hasQuirk(Q_BASE_MASKS) || (pa & ~ones(oasBits)) == 0;
}

/** Second-level table: address of the STE, with the fault raised when there is none (5.1). */
function lookupTwoLevel(sid: u32, log2: u32): u64 {
  const split = streamTableSplit();
  // 1. The level 1 descriptor.
  const index = split < 32 ? sid >> split : 0;
  const at = tableBase(log2) + <u64>index * <u64>L1STD_BYTES;
  clearGuestFault();
  const word = reachable(at) ? load64(at) : 0;
  if (guestFault || !reachable(at)) {
    if (tracing) traceAbort(TRACE_KIND_L1STD, 0, 0, at);
    raiseFetchFault(F_STE_FETCH, at);
    return 0;
  }
  if (tracing) traceFetch(TRACE_KIND_L1STD, 0, 0, at, word);
  // 2. Its span must cover the index.
  const span = l1stdSpan(word);
  const low = <u64>sid & ones(split);
  const badSte = hasQuirk(Q_INDEX_BAD_STE);
  if (span == 0 || span > SPAN_MAX || span > split + 1) {
    raiseConfigFault(C_BAD_STREAMID);
    return 0;
  }
  if (low > ones(hasQuirk(Q_L1STD_SPAN) ? span : span - 1)) {
    raiseConfigFault(badSte ? C_BAD_STE : C_BAD_STREAMID);
    return 0;
  }
  // 3. The second-level array is aligned to its size.
  const array = badSte
    ? word & ~ones(QEMU_L2PTR_LOW)
    : l1stdL2Ptr(word) & ~ones(STE_BITS + span - 1);
  return array + low * <u64>STE_BYTES;
}

/** Copies the STE of `sid` to STE. 0, or the event number with the fault raised. */
export function fetchSte(sid: u32): u32 {
  // 1. Range of the StreamID.
  const log2 = strtabbasecfgLOG2SIZE(reg32(REG_STRTAB_BASE_CFG));
  if (<u64>sid > ones(min(log2, sidBits))) return raiseConfigFault(C_BAD_STREAMID);
  // 2. Address of the entry.
  clearFault();
  const at = streamTableTwoLevel()
    ? lookupTwoLevel(sid, log2)
    : tableBase(log2) + <u64>sid * <u64>STE_BYTES;
  if (faultType) return faultType;
  // 3. Eight single-copy atomic words.
  clearGuestFault();
  if (reachable(at)) {
    for (let offset: usize = 0; offset < STE_BYTES && !guestFault; offset += 8) {
      store<u64>(STE + offset, load64(at + <u64>offset));
    }
  }
  if (guestFault || !reachable(at)) {
    if (tracing) traceAbort(TRACE_KIND_STE, 0, 0, at);
    return raiseFetchFault(F_STE_FETCH, at);
  }
  if (tracing) traceFetch(TRACE_KIND_STE, 0, 0, at, load<u64>(STE));
  return 0;
}
