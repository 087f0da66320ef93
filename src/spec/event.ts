// Event records: every event number and the fields that exist in it (IHI0070 7.3).
import { address, bits, enumeration, flag, impdef, res0, union, unverified } from "./field.ts";

/** What was being accessed when the fault happened. */
export const CLASS = enumeration(
  "CLASS",
  { 0: "CD", 1: "TT", 2: "IN" },
  {
    0: "Fetch of a context descriptor.",
    1: "Fetch of a stage 1 translation table descriptor.",
    2: "The input address of the transaction.",
  },
);

const SHARED = {
  EventID: bits(7, 0, undefined, "Number of the event."),
  SSV: flag(11, "SubstreamID is valid."),
  SubstreamID: bits(31, 12, undefined, "SubstreamID of the transaction, unknown when SSV=0."),
  StreamID: bits(63, 32, undefined, "StreamID of the transaction."),
  "F_BAD_ATS_TREQ.Span": bits(67, 64, undefined, {
    meaning: "Number of smallest translation units that were requested.",
    gate: "ATS",
  }),
  STAG: bits(79, 64, undefined, {
    meaning: "Tag to give to CMD_RESUME, if the transaction is stalled.",
    gate: "Stall=1",
  }),
  Reason: bits(79, 64, undefined, "Implementation defined cause."),
  GPCF: flag(80, { meaning: "The abort came from a granule protection fault.", gate: "RME" }),
  "F_BAD_ATS_TREQ.P": flag(92, { meaning: "Privileged access was requested.", gate: "ATS" }),
  "F_BAD_ATS_TREQ.X": flag(93, { meaning: "Execution was requested.", gate: "ATS" }),
  "F_BAD_ATS_TREQ.W": flag(94, { meaning: "Writing was requested.", gate: "ATS" }),
  "F_BAD_ATS_TREQ.R": flag(95, { meaning: "Reading was requested.", gate: "ATS" }),
  Stall: flag(95, "The transaction is stalled and waits for CMD_RESUME."),
  PnU: flag(97, "Privileged (1) or unprivileged (0), after the overrides of the STE."),
  InD: flag(98, "Instruction (1) or data (0), after the overrides of the STE; 0 for writes."),
  RnW: flag(99, "The transaction is a read (1) or a write (0)."),
  NSIPA: flag(102, {
    meaning: "IPA is in the Non-secure space.",
    gate: "Secure event queue, S2=1",
  }),
  S2: flag(103, "Stage 2 (1) or stage 1 (0) faulted."),
  CLASS: bits(105, 104, CLASS, "What was accessed when the fault happened."),
  TTRnW: flag(108, {
    meaning: "The descriptor was being read (1) or updated (0).",
    gate: "F_PERMISSION, CLASS=TT",
  }),
  InputAddr: address(191, 128, "Address of the transaction, with sign extension and tag bits."),
  "F_BAD_ATS_TREQ.InputAddr": address(191, 140, {
    meaning: "Address [63:12] that was requested.",
    gate: "ATS",
  }),
  IPA: address(247, 204, {
    meaning: "IPA [55:12] that stage 2 could not translate.",
    gate: "S2=1",
  }),
  FetchAddr: address(247, 195, "PA [55:3] of the access that was aborted."),
} as const;

const WHO = ["EventID", res0(10, 8), "SSV", "SubstreamID", "StreamID"] as const;
const WHO_ONLY = [...WHO, res0(255, 64)] as const;
const FETCH = [...WHO, "Reason", "GPCF", res0(194, 81), "FetchAddr", res0(255, 248)] as const;
const ACCESS = ["PnU", "InD", "RnW"] as const;
const FAULT = [
  ...WHO,
  "STAG",
  res0(94, 80),
  "Stall",
  res0(96, 96),
  ...ACCESS,
  res0(101, 100),
  "NSIPA",
  "S2",
  "CLASS",
] as const;
const WHERE = ["InputAddr", res0(203, 192), "IPA", res0(255, 248)] as const;

/** One 32-byte event record; `cases` lists each event number with exactly its fields. */
export const EVENT = union(
  "EVENT",
  256,
  "7.3",
  SHARED,
  {
    F_UUT: {
      value: 0x01,
      meaning: "An upstream transaction of an unsupported kind arrived.",
      layout: [
        ...WHO,
        "Reason",
        res0(96, 80),
        ...ACCESS,
        res0(127, 100),
        "InputAddr",
        res0(255, 192),
      ],
    },
    C_BAD_STREAMID: {
      value: 0x02,
      gate: "CR2.RECINVSID=1",
      meaning: "The StreamID is outside the stream table.",
      layout: WHO_ONLY,
    },
    F_STE_FETCH: {
      value: 0x03,
      meaning: "The fetch of the STE or of its level-1 descriptor was aborted.",
      layout: FETCH,
    },
    C_BAD_STE: { value: 0x04, meaning: "The STE is invalid or illegal.", layout: WHO_ONLY },
    F_BAD_ATS_TREQ: {
      value: 0x05,
      gate: "ATS",
      meaning: "An ATS translation request came from a stream that may not make one.",
      layout: [
        ...WHO,
        "F_BAD_ATS_TREQ.Span",
        res0(91, 68),
        "F_BAD_ATS_TREQ.P",
        "F_BAD_ATS_TREQ.X",
        "F_BAD_ATS_TREQ.W",
        "F_BAD_ATS_TREQ.R",
        res0(139, 96),
        "F_BAD_ATS_TREQ.InputAddr",
        res0(255, 192),
      ],
    },
    F_STREAM_DISABLED: {
      value: 0x06,
      gate: "SSIDSIZE!=0",
      meaning: "STE.S1DSS disables this kind of transaction: none or 0 as SubstreamID.",
      layout: WHO_ONLY,
    },
    F_TRANSL_FORBIDDEN: {
      value: 0x07,
      gate: "ATS",
      meaning: "An ATS translated transaction is not allowed here.",
      layout: [
        ...WHO,
        res0(96, 64),
        unverified(98, 97, "PnU and InD; not established for this event."),
        "RnW",
        res0(127, 100),
        "InputAddr",
        res0(255, 192),
      ],
    },
    C_BAD_SUBSTREAMID: {
      value: 0x08,
      meaning: "The SubstreamID is outside the CD table, or substreams are off.",
      layout: WHO_ONLY,
    },
    F_CD_FETCH: {
      value: 0x09,
      meaning: "The fetch of the CD or of its level-1 descriptor was aborted.",
      layout: FETCH,
    },
    C_BAD_CD: { value: 0x0a, meaning: "The CD is invalid or illegal.", layout: WHO_ONLY },
    F_WALK_EABT: {
      value: 0x0b,
      meaning: "The fetch or update of a translation table descriptor was aborted.",
      layout: [
        ...WHO,
        "Reason",
        "GPCF",
        res0(96, 81),
        ...ACCESS,
        res0(102, 100),
        "S2",
        "CLASS",
        res0(127, 106),
        "InputAddr",
        res0(194, 192),
        "FetchAddr",
        res0(255, 248),
      ],
    },
    F_TRANSLATION: {
      value: 0x10,
      gate: "CD.R or CD.S, STE.S2R or STE.S2S",
      meaning: "The address is outside the input range or has no valid descriptor.",
      layout: [...FAULT, res0(127, 106), ...WHERE],
    },
    F_ADDR_SIZE: {
      value: 0x11,
      gate: "CD.R or CD.S, STE.S2R or STE.S2S; always for stage 1 bypass",
      meaning: "An output address is larger than the output size allows.",
      layout: [...FAULT, res0(127, 106), ...WHERE],
    },
    F_ACCESS: {
      value: 0x12,
      gate: "CD.R or CD.S, STE.S2R or STE.S2S",
      meaning: "The Access flag of the leaf descriptor is clear.",
      layout: [...FAULT, res0(127, 106), ...WHERE],
    },
    F_PERMISSION: {
      value: 0x13,
      gate: "CD.R or CD.S, STE.S2R or STE.S2S",
      meaning: "The access is not permitted.",
      layout: [
        ...FAULT,
        unverified(
          107,
          106,
          "May hold Overlay, AssuredOnly or DirtyBit; positions not established.",
        ),
        "TTRnW",
        unverified(
          127,
          109,
          "May hold Overlay, AssuredOnly or DirtyBit; positions not established.",
        ),
        ...WHERE,
      ],
    },
    F_TLB_CONFLICT: {
      value: 0x20,
      meaning: "Several TLB entries match the address.",
      layout: [
        ...WHO,
        "Reason",
        res0(96, 80),
        ...ACCESS,
        res0(102, 100),
        "S2",
        res0(127, 104),
        ...WHERE,
      ],
    },
    F_CFG_CONFLICT: {
      value: 0x21,
      meaning: "Several configuration cache entries match: STE.CONT was misused.",
      layout: [...WHO, "Reason", res0(255, 80)],
    },
    E_PAGE_REQUEST: {
      value: 0x24,
      meaning: "Hint that an access to a page is likely soon.",
      layout: [
        ...WHO,
        unverified(255, 64, "Span, access flags and address; positions not established."),
      ],
    },
    F_VMS_FETCH: {
      value: 0x25,
      gate: "MPAM",
      meaning: "The fetch of the virtual machine structure was aborted.",
      layout: FETCH,
    },
    IMPDEF_EVENT0: {
      value: 0xe0,
      meaning: "First of the implementation defined events 0xE0 to 0xEF.",
      layout: ["EventID", impdef(255, 8)],
    },
  },
  { meaning: "A record of the Event queue: 32 bytes, event number in the low byte." },
);
