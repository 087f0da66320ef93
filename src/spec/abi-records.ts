// The engine's state records: the single place that says where each of their members lies.
import { record } from "./abi.ts";

/** Answer to a single translation. */
export const RESULT = record("RESULT", {
  pa: "u64",
  iova: "u64",
  status: "u8",
  pageBits: "u8",
  perm: "u8",
  stage: "u8",
  eventType: "u8",
  recorded: "u8",
  memAttr: "u8",
  shareability: "u8",
  eventIndex: "u32",
  fetches: "u32",
});

/** One step of an explained translation. */
export const TRACE = record("TRACE", {
  what: "u8",
  stage: "u8",
  level: "u8",
  flags: "u8",
  asid: "i32",
  vmid: "i32",
  aux: "u32",
  address: "u64",
  value: "u64",
});

/** One request of the batch ring. */
export const REQUEST = record("REQUEST", { iova: "u64", sid: "u32", flags: "u32" });

/** One answer of the batch ring. */
export const ANSWER = record("ANSWER", { pa: "u64", meta: "u64" });

/** A decoded configuration: what the STE and the CD of a stream and substream say. */
export const CONFIG = record("CONFIG", {
  sid: "u32",
  substream: "u32",
  present: "u32",
  epoch: "u32",
  stage: "u8",
  world: "u8",
  recordS1: "u8",
  recordS2: "u8",
  abortS1: "u8",
  affd: "u8",
  s2affd: "u8",
  wxn: "u8",
  pan: "u8",
  epan: "u8",
  s2ptw: "u8",
  s2fwb: "u8",
  tbi0: "u8",
  tbi1: "u8",
  had0: "u8",
  had1: "u8",
  epd0: "u8",
  epd1: "u8",
  e0pd0: "u8",
  e0pd1: "u8",
  tsz0: "u8",
  tsz1: "u8",
  granule0: "u8",
  granule1: "u8",
  ipsBits: "u8",
  s2psBits: "u8",
  s2tsz: "u8",
  s2granule: "u8",
  s2level: "u8",
  skipsStage1: "u8",
  instcfg: "u8",
  privcfg: "u8",
  mtcfg: "u8",
  memAttr: "u8",
  shcfg: "u8",
  alloccfg: "u8",
  merge: "u8",
  bigEndian: "u8",
  s2bigEndian: "u8",
  cached: "u8",
  asid: "i32",
  vmid: "i32",
  ctx: "u32",
  ctxS2: "u32",
  ttb0: "u64",
  ttb1: "u64",
  s2ttb: "u64",
  mair: "u64",
});
