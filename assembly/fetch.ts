// One translation table descriptor: loaded once, in its endianness, and traced (IHI0070 3.4).
import { clearGuestFault, guestFault, load64 } from "./guest";
import { TRACE_KIND_PTE } from "./layout/abi";
import { traceAbort, traceFetch, tracing } from "./trace";

/** The descriptor at `pa`; `guestFault` tells when nothing answered. */
export function fetchDescriptor(pa: u64, stage: u32, level: i32, bigEndian: u32): u64 {
  clearGuestFault();
  const raw = load64(pa);
  if (guestFault) {
    if (tracing) traceAbort(TRACE_KIND_PTE, stage, level, pa);
    return 0;
  }
  const word = bigEndian ? bswap<u64>(raw) : raw;
  if (tracing) traceFetch(TRACE_KIND_PTE, stage, level, pa, word);
  return word;
}
