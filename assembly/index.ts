// The ABI of the engine: the only exports, integers and pointers into linear memory.
import { cacheHits, cacheLookups, resetCacheCounters, setCachePolicy } from "./cache";
import {
  commandsDone,
  executeForeign,
  rejectCommand,
  resetCommandCounters,
  setAutoConsume,
  stepCommands,
} from "./command";
import { configDecodes, flushConfigurations, resetConfigCounters } from "./config";
import { recordEvent, setEventMerging } from "./event";
import { deriveFeatures, setQuirks } from "./features";
import { attachRegions, guestReads, guestWrites, resetGuestCounters } from "./guest";
import { abortMsi, clearMsiOutbox, msiCount, takePending } from "./interrupt";
import { flushTranslations } from "./invalidate";
import {
  PLACE_EVENT,
  PLACE_MSI,
  PLACE_REGISTERS,
  PLACE_RESULT,
  PLACE_STE,
  PLACE_TRACE,
} from "./layout/abi";
import { readRegister, resetRegisters, restoreRegister, writeRegister } from "./registers";
import { translateSingle } from "./single";
import {
  COMMAND,
  EVENT,
  MSI,
  placeState,
  REGISTERS,
  RESULT,
  STATE_BYTES,
  STE,
  TRACE,
} from "./state";
import { fetchSte } from "./stream";
import { beginTrace, setTracing, traceCount } from "./trace";

export { translateBatch } from "./batch";
export { answerDoorbells, setDoorbell } from "./doorbell";
export {
  itsBlockBytes,
  itsDeliver,
  itsDeliverBatch,
  itsDeliverCached,
  itsInit,
  itsLoadRegister,
  itsMmioRead,
  itsMmioWrite,
  itsRedistributor,
  itsRestoreTables,
  itsSaveTables,
  itsStoreBytes,
} from "./its";

/** The region tree (a linear address), and one region that is tried first. */
export function attach(root: u32, base: u64, bytes: u64, lin: u32): void {
  attachRegions(root, base, bytes, lin);
}

/** Bytes of state that `init` needs. */
export function stateBytes(): u32 {
  return STATE_BYTES;
}

/** Places the instance's state at `at` (zeroed, 4 KiB aligned) and resets it. */
export function init(at: u32): void {
  placeState(at);
  reset();
}

/** Power-on state; ID registers, quirks, cache policy and regions stay. */
export function reset(): void {
  resetRegisters();
  flushCaches();
  resetCounters();
}

/** Empties the IOTLB and the configuration cache. */
export function flushCaches(): void {
  flushTranslations();
  flushConfigurations();
}

/** Linear address of a part of the state (PLACE_*). */
export function place(which: u32): u32 {
  if (which == PLACE_REGISTERS) return <u32>REGISTERS;
  if (which == PLACE_RESULT) return <u32>RESULT;
  if (which == PLACE_EVENT) return <u32>EVENT;
  if (which == PLACE_TRACE) return <u32>TRACE;
  if (which == PLACE_MSI) return <u32>MSI;
  return which == PLACE_STE ? <u32>STE : <u32>COMMAND;
}

/** Quirk bits, cache policy (0 none, 1 fast, 2 QEMU's) and event merging; empties the caches. */
export function configure(quirks: u64, policy: u32, mergeEvents: u32): void {
  setQuirks(quirks);
  setCachePolicy(policy);
  setEventMerging(mergeEvents != 0);
  deriveFeatures();
  flushCaches();
}

export function mmioRead(offset: u32, size: u32): u64 {
  return readRegister(offset, size);
}

/** A register write; commands that it makes available are consumed unless stepped. */
export function mmioWrite(offset: u32, size: u32, value: u64): void {
  beginTrace();
  writeRegister(offset, size, value);
}

export function restore(offset: u32, value: u32): void {
  restoreRegister(offset, value);
}

/** One translation; gives the status and leaves a RESULT record. */
export function translate(sid: u32, flags: u32, iova: u64): u32 {
  beginTrace();
  return translateSingle(sid, flags, iova);
}

/** Whether operations leave TRACE records, and how many the last one left. */
export function traceOn(on: u32): void {
  setTracing(on != 0);
}

export function traceLength(): u32 {
  return traceCount;
}

/**
 * Whether register writes consume commands; `step` consumes up to `limit` when they do not, with
 * `hold` none from a CMD_SYNC on.
 */
export function autoConsume(on: u32): void {
  setAutoConsume(on != 0);
}

export function step(limit: u32, hold: u32): u32 {
  beginTrace();
  return stepCommands(limit, hold != 0);
}

/** Refuses the command that the last step consumed: the queue stops at it with a CERROR code. */
export function reject(code: u32): void {
  rejectCommand(code);
}

/** Executes the 16 bytes that another queue fetched into COMMAND; gives a CERROR code. */
export function executeCommand(): u32 {
  beginTrace();
  return executeForeign();
}

/** Reads the STE of a stream into STE; 0, or the number of the event that its lookup raises. */
export function findSte(sid: u32): u32 {
  beginTrace();
  return fetchSte(sid);
}

/** Appends the 32 bytes that the owner put into EVENT to the event queue; 0 when it was lost. */
export function appendEvent(): u32 {
  return u32(recordEvent(false));
}

/** Interrupt edges since the last call (PENDING_*). */
export function pending(): u32 {
  return takePending();
}

/** MSIs in the outbox; `clearMsis` empties it, `msiAborted` reports one that nothing took. */
export function msis(): u32 {
  return msiCount;
}

export function clearMsis(): void {
  clearMsiOutbox();
}

export function msiAborted(source: u32): void {
  abortMsi(source);
}

/** Counters: 0 guest reads, 1 guest writes, 2 lookups, 3 hits, 4 decodes, 5 commands. */
export function counter(which: u32): u32 {
  if (which == 0) return guestReads;
  if (which == 1) return guestWrites;
  if (which == 2) return cacheLookups;
  if (which == 3) return cacheHits;
  return which == 4 ? configDecodes : commandsDone;
}

export function resetCounters(): void {
  resetGuestCounters();
  resetCacheCounters();
  resetConfigCounters();
  resetCommandCounters();
}
