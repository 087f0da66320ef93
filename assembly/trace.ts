// The record of one operation: what was looked up, fetched and inserted, in order.
import {
  setTraceAddress,
  setTraceAsid,
  setTraceAux,
  setTraceFlags,
  setTraceLevel,
  setTraceStage,
  setTraceValue,
  setTraceVmid,
  setTraceWhat,
  TRACE_BYTES,
  TRACE_FLAG_UNBACKED,
} from "./layout/abi";
import { TRACE, TRACE_CAPACITY } from "./state";

/** Whether operations leave records. */
export let tracing: bool = false;
/** Records of the current operation, including those beyond the capacity. */
export let traceCount: u32 = 0;

export function setTracing(on: bool): void {
  tracing = on;
}

/** Starts the record of a new operation. */
export function beginTrace(): void {
  traceCount = 0;
}

/** Appends one record. Callers test `tracing` first: the hot path must not pay for it. */
export function trace(
  what: u32,
  stage: u32,
  level: i32,
  flags: u32,
  asid: i32,
  vmid: i32,
  aux: u32,
  address: u64,
  value: u64,
): void {
  const n = traceCount++;
  if (n >= TRACE_CAPACITY) return;
  const p = TRACE + <usize>n * TRACE_BYTES;
  setTraceWhat(p, what);
  setTraceStage(p, stage);
  setTraceLevel(p, <u32>level);
  setTraceFlags(p, flags);
  setTraceAsid(p, asid);
  setTraceVmid(p, vmid);
  setTraceAux(p, aux);
  setTraceAddress(p, address);
  setTraceValue(p, value);
}

/** A fetch of one structure word. */
export function traceFetch(what: u32, stage: u32, level: i32, address: u64, value: u64): void {
  trace(what, stage, level, 0, 0, 0, 0, address, value);
}

/** A fetch that nothing backed. */
export function traceAbort(what: u32, stage: u32, level: i32, address: u64): void {
  trace(what, stage, level, TRACE_FLAG_UNBACKED, 0, 0, 0, address, 0);
}

/** Number of the newest record, for completing it once the value is known. */
export function traceMark(): u32 {
  return traceCount - 1;
}

/** Completes a record with the value that was fetched. */
export function patchTraceValue(mark: u32, value: u64): void {
  if (mark < TRACE_CAPACITY) setTraceValue(TRACE + <usize>mark * TRACE_BYTES, value);
}

/** Completes a record whose fetch nothing backed. */
export function patchTraceUnbacked(mark: u32): void {
  if (mark < TRACE_CAPACITY) setTraceFlags(TRACE + <usize>mark * TRACE_BYTES, TRACE_FLAG_UNBACKED);
}
