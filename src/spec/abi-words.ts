// Packed words of the engine's own: translation cache lines, batch requests and answers.
import { address, bits, flag, res0, struct } from "./field.ts";

/** Tag of a cached translation: the input address where it is, and around it the context's id. */
export const TLB_TAG = struct("TLB_TAG", 64, "engine", {
  ctxLow: bits(11, 0, undefined, "low bits of the renamed (VMID, ASID, world)"),
  va: address(55, 12, "input address, cleared below the entry's size"),
  ctxHigh: bits(63, 56, undefined, "high bits of the context; ids start at 1, so no tag is 0"),
});

/** A renamed context id as tags carry it. */
export const CONTEXT_ID = struct("CONTEXT_ID", 32, "engine", {
  low: bits(11, 0, undefined, "TLB_TAG.ctxLow"),
  high: bits(19, 12, undefined, "TLB_TAG.ctxHigh"),
  _20: res0(31, 20),
});

/** What a cached translation says. Zero is an empty entry: size is never 0 in a full one. */
export const TLB_DATA = struct("TLB_DATA", 64, "engine", {
  perms: bits(5, 0, undefined, "PR PW PX UR UW UX after both stages"),
  size: bits(10, 6, undefined, "log2 of the mapped bytes, less 11"),
  global: flag(11, "any ASID of the world sees the page: nG=0, where there are ASIDs"),
  pa: address(47, 12, "output address"),
  attr: bits(55, 48, undefined, "MAIR-style attributes; stage 2 alone: raw MemAttr"),
  sh: bits(57, 56, undefined, "shareability"),
  fractured: flag(58, "a stage 1 block was cached in smaller stage 2 pieces"),
  _63: res0(63, 59),
});

/** TLB_DATA for those who only carry its fields from one word to another. */
export const TLB_VIEW = struct("TLB_VIEW", 64, "engine", {
  perms: bits(5, 0, undefined, "perms"),
  size: bits(10, 6, undefined, "size"),
  _11: bits(47, 11, undefined, "global and pa"),
  type: bits(57, 48, undefined, "attr and sh"),
  _58: bits(63, 58, undefined, "fractured and reserved bits"),
});

/** Permissions by privilege. */
export const PERMS = struct("PERMS", 32, "engine", {
  privileged: bits(2, 0, undefined, "1 read, 2 write, 4 execute"),
  unprivileged: bits(5, 3, undefined, "1 read, 2 write, 4 execute"),
  _6: res0(31, 6),
});

/** Access attributes and SubstreamID of a request. */
export const REQUEST_FLAGS = struct("REQUEST_FLAGS", 32, "engine", {
  write: flag(0, "write access (RnW=0)"),
  privileged: flag(1, "privileged access (PnU=1)"),
  instruction: flag(2, "instruction access (InD=1); reads only"),
  ssv: flag(3, "ssid is valid"),
  _11: res0(11, 4),
  ssid: bits(31, 12, undefined, "SubstreamID"),
});

/** REQUEST_FLAGS in two parts: what the access is, and which substream makes it. */
export const REQUEST_VIEW = struct("REQUEST_VIEW", 32, "engine", {
  access: bits(2, 0, undefined, "write, privileged, instruction"),
  substream: bits(31, 3, undefined, "ssv and ssid"),
});

/** ANSWER_META with memAttr and sh in one piece. */
export const ANSWER_VIEW = struct("ANSWER_VIEW", 64, "engine", {
  status: bits(7, 0, undefined, "status"),
  pageBits: bits(15, 8, undefined, "pageBits"),
  perm: bits(23, 16, undefined, "perm"),
  eventType: bits(31, 24, undefined, "eventType"),
  type: bits(41, 32, undefined, "memAttr and sh"),
  stage: bits(43, 42, undefined, "stage"),
  eventIndex: bits(63, 44, undefined, "eventIndex"),
});

/** What the lanes of a batch have to agree on to be walked together. 0: never in lanes. */
export const LANE_SHAPE = struct("LANE_SHAPE", 32, "engine", {
  stage: bits(1, 0, undefined, "stages that translate: 1, 2 or 3 for both"),
  granule1: bits(6, 2, undefined, "log2 of the stage 1 granule"),
  level1: bits(9, 7, undefined, "first level of stage 1"),
  granule2: bits(14, 10, undefined, "log2 of the stage 2 granule"),
  level2: bits(17, 15, undefined, "first level of stage 2"),
  output1: bits(23, 18, undefined, "bits of a stage 1 output address"),
  output2: bits(29, 24, undefined, "bits of a stage 2 output address"),
  _30: res0(31, 30),
});

/** A descriptor as the lanes sort it: only plain tables and leaves stay with them. */
export const DESCRIPTOR_VIEW = struct("DESCRIPTOR_VIEW", 64, "engine", {
  kind: bits(1, 0, { 1: "BLOCK", 3: "TABLE_OR_PAGE" }),
  _2: bits(58, 2, undefined, "address and leaf attributes"),
  hierarchical: bits(63, 59, undefined, "attributes of a stage 1 table"),
});

/** What came of a request. */
export const ANSWER_META = struct("ANSWER_META", 64, "engine", {
  status: bits(7, 0, {
    0: "OK",
    1: "BYPASS",
    2: "ABORT",
    3: "EVENT",
    4: "SILENT",
    5: "RAZWI",
  }),
  pageBits: bits(15, 8, undefined, "log2 of the mapped bytes"),
  perm: bits(23, 16, undefined, "1 read, 2 write, 4 execute for this privilege"),
  eventType: bits(31, 24, undefined, "event number when status is EVENT or SILENT"),
  memAttr: bits(39, 32, undefined, "MAIR-style attributes of the output"),
  sh: bits(41, 40, undefined, "shareability of the output"),
  stage: bits(43, 42, undefined, "stages that translated: 0, 1, 2 or 3 for both"),
  eventIndex: bits(63, 44, undefined, "entry of the event queue that holds the record"),
});
