// Packed words of the engine's own: translation cache lines, batch requests and answers.
import { address, bits, flag, res0, struct } from "./field.ts";

/** Tag of a cached translation: VA or IPA bits 55:12 and the renamed context it belongs to. */
export const TLB_TAG = struct("TLB_TAG", 64, "engine", {
  ctx: bits(19, 0, undefined, "renamed (VMID, ASID, world); 0 never matches"),
  vpn: bits(63, 20, undefined, "input address bits 55:12, cleared below the entry's size"),
});

/** What a cached translation says. Zero is an empty entry: size is never 0 in a full one. */
export const TLB_DATA = struct("TLB_DATA", 64, "engine", {
  perms: bits(5, 0, undefined, "PR PW PX UR UW UX after both stages"),
  size: bits(10, 6, undefined, "log2 of the mapped bytes, less 11"),
  global: flag(11, "the stage 1 leaf has nG=0"),
  pa: address(47, 12, "output address"),
  attr: bits(55, 48, undefined, "MAIR-style attributes; stage 2 alone: raw MemAttr"),
  sh: bits(57, 56, undefined, "shareability"),
  fractured: flag(58, "a stage 1 block was cached in smaller stage 2 pieces"),
  _63: res0(63, 59),
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
