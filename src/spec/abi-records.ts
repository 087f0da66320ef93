// The engine's state records: the single place that says where each of their members lies.
import { record } from "./abi.ts";
import { enumeration } from "./field.ts";

/**
 * Answer to a single translation: an ANSWER, loads of guest memory, and whether the record of its
 * event, if it has one, was written.
 */
export const RESULT = record("RESULT", {
  pa: "u64",
  meta: "u64",
  fetches: "u32",
  recorded: "u32",
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
  /** Tags of the contexts whose entries count: of the input, and of stage 2. */
  tag: "u64",
  tagS2: "u64",
  ttb0: "u64",
  ttb1: "u64",
  s2ttb: "u64",
  mair: "u64",
  /** Permission bit that an access (REQUEST_VIEW.access) needs after the STE's overrides. */
  needs: ["u8", 8],
  /** REQUEST_VIEW.substream of its requests. */
  view: "u32",
  shape: "u32",
  inputBits: "u8",
  inputBitsS2: "u8",
  /** Whether the context is known to have entries smaller than their stage 1 leaf. */
  cut: "u8",
  /** ANSWER_META of its answers, as far as the stages decide. */
  meta: "u64",
  /** First tables, aligned to their sizes. */
  root: "u64",
  rootS2: "u64",
  /** The last leaf's bits beside its address, and the TLB_DATA that they make, of each stage. */
  leaf: "u64",
  leafData: "u64",
  leafS2: "u64",
  leafDataS2: "u64",
  /** The last TLB_DATA of both stages without addresses, and what they make together. */
  pairFirst: "u64",
  pairSecond: "u64",
  pairData: "u64",
});

/** One request of a batch that is walked beside others. */
export const LANE = record("LANE", {
  /** The descriptor that was loaded last. */
  word: "u64",
  iova: "u64",
  /** What stage 1 gave, as TLB_DATA, and the address behind it; stage 2 replaces the address. */
  first: "u64",
  output: "u64",
  /** What stage 2 gave for the last address, as TLB_DATA. */
  second: "u64",
  config: "u32",
  /** LANE_SHAPE while stage 1 walks, 0 before and after. */
  shape: "u32",
  /** Linear address of the request. */
  request: "u32",
  /** Permission bit that the access needs. */
  need: "u8",
  /** LANE_STATE. */
  state: "u8",
  /** Stage 1 descriptors loaded. */
  loads: "u8",
  /** Whether the last entry that stage 2 made was there already. */
  known: "u8",
});

/** One address that a lane sends through stage 2 beside others. */
export const IPA_LANE = record("IPA_LANE", {
  word: "u64",
  ipa: "u64",
  /** The LANE that it belongs to. */
  lane: "u32",
  need: "u8",
  /** LANE_STATE: walking, odd, far or done. */
  state: "u8",
});

/**
 * How far a lane is: in stage 1, at a descriptor that is no plain table, due for stage 2,
 * behind it, at its output, to be translated alone, answered, or at a descriptor that is not in
 * the region that is tried first.
 */
export const LANE_STATE = enumeration("LANE_STATE", {
  0: "WALKING",
  1: "ODD",
  2: "IPA",
  3: "BEHIND",
  4: "DONE",
  5: "ALONE",
  6: "ANSWERED",
  7: "FAR",
});

/** Kinds of TRACE record. */
export const TRACE_KIND = enumeration(
  "TRACE_KIND",
  {
    1: "CONFIG_LOOKUP",
    2: "L1STD",
    3: "STE",
    4: "L1CD",
    5: "CD",
    6: "IOTLB_LOOKUP",
    7: "IOTLB_INSERT",
    8: "PTE",
    9: "TT",
    10: "RANGE",
    11: "COMMAND",
  },
  {
    1: "address is the StreamID; hit tells whether the configuration was cached",
    5: "address as the STE gives it, an IPA when nested; value is word 0",
    6: "address as it was looked up, not aligned",
    7: "address aligned to the entry; aux is QEMU's TG, or log2 of the size under the fast policy",
    8: "one descriptor; value is 0 and UNBACKED is set when nothing answered",
    9:
      "stage is the half, level TxSZ, flags HAD, aux the granule, address TTBx, " +
      "value the IPS bits",
    10: "level is TTL, flags Leaf, aux TG, value the number of pages",
    11: "aux is the opcode, address the queue index, value word 0",
  },
);

/** Flags of a TRACE record. */
export const TRACE_FLAG = enumeration("TRACE_FLAG", { 1: "HIT", 2: "UNBACKED" });

/** Bits of the engine's pending word: interrupt edges since it was last taken. */
export const PENDING = enumeration("PENDING", {
  1: "EVENTQ",
  2: "PRIQ",
  4: "CMD_SYNC",
  8: "GERROR",
  16: "SEV",
  32: "MSI",
});

/** Where an MSI of the SMMU comes from. */
export const MSI_SOURCE = enumeration("MSI_SOURCE", { 0: "EVENTQ", 1: "GERROR", 2: "CMD_SYNC" });

/** An MSI in the outbox. */
export const MSI_WRITE = record("MSI_WRITE", { address: "u64", data: "u32", source: "u32" });

/** Parts of an instance's state whose place the ABI tells. */
export const PLACE = enumeration("PLACE", {
  0: "REGISTERS",
  1: "RESULT",
  2: "EVENT",
  3: "TRACE",
  4: "MSI",
  5: "STE",
  6: "COMMAND",
});

/** Cache policies. */
export const CACHE = enumeration("CACHE", { 0: "NONE", 1: "FAST", 2: "QEMU", 3: "WALK" });

/** CONFIG.stage: which stages translate, or that the stream aborts. */
export const STAGE = enumeration("STAGE", {
  0: "BYPASS",
  1: "S1",
  2: "S2",
  3: "NESTED",
  4: "ABORT",
});
