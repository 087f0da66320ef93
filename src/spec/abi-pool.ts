// What the threads of an engine pool share: the log, the job in hand, and how far each worker is.
// TypeScript alone reads and writes these records; a run of words keeps one writer's line from
// another's.
import { record } from "./abi.ts";
import { enumeration } from "./field.ts";

/** Entries of the log; a power of two. */
export const LOG_ENTRIES = 4096;

/** The words of a pool. All but `next` and `pending` are the owner's to write. */
export const POOL = record("POOL", {
  /** Log entries written since the pool was made, modulo 2^32. */
  head: "u32",
  _head: ["u32", 15],
  /** First request of the job that no worker has taken. */
  next: "u32",
  /** Workers that have not finished the job. */
  pending: "u32",
  _next: ["u32", 14],
  /** Changes whenever workers are to look around; they sleep on it. */
  bell: "u32",
  /** Number of the job, where its records lie, how many they are, how many are taken at once. */
  job: "u32",
  requests: "u32",
  answers: "u32",
  count: "u32",
  take: "u32",
  /** Linear address of one word for each POOL_GROUP requests: whether one of them faulted. */
  faulted: "u32",
  _bell: ["u32", 9],
});

/** The words of one worker, who alone writes them. */
export const POOL_WORKER = record("POOL_WORKER", {
  /** Log entries applied, modulo 2^32. */
  acknowledged: "u32",
  /** Whether it may be translating: only then is it waited for. */
  running: "u32",
  /** POOL_STATE. */
  state: "u32",
  _state: ["u32", 13],
  /** Sums of the engine's counters over the jobs that ended. */
  counters: ["u32", 6],
  _counters: ["u32", 10],
});

/** How a worker is. */
export const POOL_STATE = enumeration("POOL_STATE", { 0: "STARTING", 1: "READY", 2: "FAILED" });

/** Requests of one call of a worker: between two calls it looks at the log. */
export const POOL_GROUP = 128;

/** One change of the engine that every instance has to make. */
export const LOG_ENTRY = record("LOG_ENTRY", {
  /** LOG_KIND. */
  kind: "u32",
  /** RESTORE: offset and value. ATTACH: root and place of the first range. CONFIGURE: policy. */
  first: "u32",
  second: "u32",
  _second: "u32",
  /** COMMAND: its 16 bytes. ATTACH: base and size. CONFIGURE: quirks. */
  low: "u64",
  high: "u64",
});

/** Kinds of log entry. */
export const LOG_KIND = enumeration("LOG_KIND", {
  1: "COMMAND",
  2: "RESTORE",
  3: "ATTACH",
  4: "CONFIGURE",
  5: "FLUSH",
  6: "RESET",
});
