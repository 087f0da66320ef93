// Command queue entries: every opcode and the fields that exist in it (IHI0070 4).
import { COMMAND_FIELDS } from "./command-field.ts";
import { address, res0, union, unverified } from "./field.ts";

export {
  ATC_INV_Size,
  CERROR,
  PRI_RESP,
  RESUME,
  SYNC_CS,
  TLBI_NUM,
  TLBI_TG,
} from "./command-field.ts";

const STREAM = ["Opcode", res0(9, 8), "SSec"] as const;
const SUBSTREAM = [...STREAM, "SSV", "SubstreamID", "StreamID"] as const;
const STREAM_ONLY = [...STREAM, res0(31, 11), "StreamID"] as const;
const NONE = ["Opcode", res0(127, 8)] as const;
const RANGE = [
  "Opcode",
  res0(11, 8),
  "TLBI.NUM",
  res0(19, 17),
  "TLBI.SCALE",
  res0(31, 26),
] as const;
const HINT = ["TLBI.Leaf", res0(70, 65), "TLBI.TTL128", "TLBI.TTL", "TLBI.TG"] as const;
const BY_VMID = ["Opcode", res0(31, 8), "TLBI.VMID", res0(127, 48)] as const;
const BY_ASID = ["Opcode", res0(47, 8), "TLBI.ASID", res0(127, 64)] as const;
const VA_ASID = [...RANGE, res0(47, 32), "TLBI.ASID", ...HINT, "TLBI.Address"] as const;
const VA_ONLY = [...RANGE, res0(63, 32), ...HINT, "TLBI.Address"] as const;
const IPA = [
  ["TLBI.Address", address(119, 76, "IPA [55:12] to invalidate.")],
  res0(127, 120),
] as const;

const S1P0 = "ILL: S1P=0";
const S2P0 = "ILL: S2P=0";
const HYP0 = "ILL: Hyp=0";
const SEL2 = "ILL: not a Secure queue with SEL2";
const SSEC = "ILL: SSec=1 on a Non-secure queue";
const STALL = `ILL: STALL_MODEL=1, Realm queue; ${SSEC}`;
const DPT = "ILL: DPT not implemented for the queue's state, or SAMS=1 on the Secure queue";

/** One 16-byte command; `cases` lists each opcode with exactly the fields that exist in it. */
export const CMD = union(
  "CMD",
  128,
  "4",
  COMMAND_FIELDS,
  {
    CMD_PREFETCH_CONFIG: {
      value: 0x01,
      section: "4.2",
      gate: SSEC,
      meaning: "Hint to fetch the STE, and the CD if SSV=1, into the configuration cache.",
      layout: [...SUBSTREAM, res0(127, 64)],
    },
    CMD_PREFETCH_ADDR: {
      value: 0x02,
      section: "4.2",
      gate: SSEC,
      meaning: "Hint to fetch also the translations of 2^Size addresses.",
      layout: [
        ...SUBSTREAM,
        "PREFETCH.Size",
        unverified(75, 69, "Stride and NS; positions not established."),
        "PREFETCH.Addr",
      ],
    },
    CMD_CFGI_STE: {
      value: 0x03,
      section: "4.3",
      gate: SSEC,
      meaning: "Invalidate the STE of StreamID and all CDs reached through it.",
      layout: [...STREAM_ONLY, "CFGI.Leaf", res0(127, 65)],
    },
    CMD_CFGI_STE_RANGE: {
      value: 0x04,
      section: "4.3",
      gate: SSEC,
      meaning:
        "Invalidate STEs, level-1 descriptors and CDs of an aligned range; Range=31 is CFGI_ALL.",
      layout: [...STREAM_ONLY, "CFGI.Range", res0(127, 69)],
    },
    CMD_CFGI_CD: {
      value: 0x05,
      section: "4.3",
      gate: `${S1P0}; ${SSEC}`,
      meaning: "Invalidate the CD of (StreamID, SubstreamID).",
      layout: [...STREAM, res0(11, 11), "SubstreamID", "StreamID", "CFGI.Leaf", res0(127, 65)],
    },
    CMD_CFGI_CD_ALL: {
      value: 0x06,
      section: "4.3",
      gate: `${S1P0}; ${SSEC}`,
      meaning: "Invalidate every CD and level-1 CD descriptor of StreamID.",
      layout: [...STREAM_ONLY, res0(127, 64)],
    },
    CMD_CFGI_VMS_PIDM: {
      value: 0x07,
      section: "4.3",
      gate: "ILL: MPAM=0, VMS not supported, or SSec misused",
      meaning: "Invalidate the cached PARTID map of a VMID.",
      layout: [...STREAM, res0(31, 11), "CFGI_VMS.VMID", res0(127, 48)],
    },
    CMD_TLBI_NH_ALL: {
      value: 0x10,
      section: "4.4",
      gate: S1P0,
      meaning: "Invalidate all NS-EL1 stage 1 entries of a VMID, global ones too.",
      layout: BY_VMID,
    },
    CMD_TLBI_NH_ASID: {
      value: 0x11,
      section: "4.4",
      gate: S1P0,
      meaning: "Invalidate the non-global NS-EL1 entries of a VMID and ASID.",
      layout: ["Opcode", res0(31, 8), "TLBI.VMID", "TLBI.ASID", res0(127, 64)],
    },
    CMD_TLBI_NH_VA: {
      value: 0x12,
      section: "4.4",
      gate: S1P0,
      meaning: "Invalidate NS-EL1 entries of a VMID that cover Address and are global or of ASID.",
      layout: [...RANGE, "TLBI.VMID", "TLBI.ASID", ...HINT, "TLBI.Address"],
    },
    CMD_TLBI_NH_VAA: {
      value: 0x13,
      section: "4.4",
      gate: S1P0,
      meaning: "As CMD_TLBI_NH_VA for every ASID.",
      layout: [...RANGE, "TLBI.VMID", res0(63, 48), ...HINT, "TLBI.Address"],
    },
    CMD_TLBI_EL3_ALL: {
      value: 0x18,
      section: "4.4",
      gate: "ILL: Non-secure queue, or RME",
      meaning: "Invalidate all EL3 entries.",
      layout: NONE,
    },
    CMD_TLBI_EL3_VA: {
      value: 0x1a,
      section: "4.4",
      gate: "ILL: Non-secure queue, or RME",
      meaning: "Invalidate the EL3 entries that cover Address.",
      layout: VA_ONLY,
    },
    CMD_TLBI_EL2_ALL: {
      value: 0x20,
      section: "4.4",
      gate: HYP0,
      meaning: "Invalidate all NS-EL2 and NS-EL2-E2H entries.",
      layout: NONE,
    },
    CMD_TLBI_EL2_ASID: {
      value: 0x21,
      section: "4.4",
      gate: HYP0,
      meaning: "Invalidate the non-global NS-EL2-E2H entries of an ASID.",
      layout: BY_ASID,
    },
    CMD_TLBI_EL2_VA: {
      value: 0x22,
      section: "4.4",
      gate: HYP0,
      meaning:
        "Invalidate NS-EL2 entries that cover Address; with E2H only global ones and ASID's.",
      layout: VA_ASID,
    },
    CMD_TLBI_EL2_VAA: {
      value: 0x23,
      section: "4.4",
      gate: HYP0,
      meaning: "As CMD_TLBI_EL2_VA for every ASID.",
      layout: VA_ONLY,
    },
    CMD_TLBI_S12_VMALL: {
      value: 0x28,
      section: "4.4",
      gate: S2P0,
      meaning: "Invalidate all NS-EL1 entries of a VMID: stage 1, stage 2 and combined.",
      layout: BY_VMID,
    },
    CMD_TLBI_S2_IPA: {
      value: 0x2a,
      section: "4.4",
      gate: S2P0,
      meaning:
        "Invalidate the stage 2 entries of a VMID that cover an IPA; combined ones may stay.",
      layout: [...RANGE, "TLBI.VMID", res0(63, 48), ...HINT, ...IPA],
    },
    CMD_TLBI_NSNH_ALL: {
      value: 0x30,
      section: "4.4",
      meaning: "Invalidate all Non-secure entries except EL2's, of both stages.",
      layout: NONE,
    },
    CMD_ATC_INV: {
      value: 0x40,
      section: "4.5",
      gate: "ILL: ATS=0, or Secure queue with SAMS=1",
      meaning: "Send an ATS invalidation request to the endpoint.",
      layout: [
        "Opcode",
        res0(8, 8),
        "ATC_INV.Global",
        "SSec",
        "SSV",
        "SubstreamID",
        "StreamID",
        "ATC_INV.Size",
        res0(75, 70),
        "ATC_INV.Address",
      ],
    },
    CMD_PRI_RESP: {
      value: 0x41,
      section: "4.5",
      gate: "ILL: PRI=0, Resp=3",
      meaning: "Answer a page request group.",
      layout: [...SUBSTREAM, "PRI_RESP.PRGIndex", res0(75, 73), "PRI_RESP.Resp", res0(127, 78)],
    },
    CMD_RESUME: {
      value: 0x44,
      section: "4.6",
      gate: STALL,
      meaning: "Retry or terminate one stalled transaction.",
      layout: [
        ...STREAM,
        res0(11, 11),
        "RESUME.Ac",
        "RESUME.Ab",
        res0(31, 14),
        "StreamID",
        "RESUME.STAG",
        res0(127, 80),
      ],
    },
    CMD_STALL_TERM: {
      value: 0x45,
      section: "4.6",
      gate: STALL,
      meaning: "Terminate with an abort every transaction of StreamID that is stalled now.",
      layout: [...STREAM_ONLY, res0(127, 64)],
    },
    CMD_SYNC: {
      value: 0x46,
      section: "4.6",
      gate: "ILL: CS=3",
      meaning: "Wait until the earlier commands of this queue are complete, then signal.",
      layout: [
        "Opcode",
        res0(11, 8),
        "SYNC.CS",
        res0(21, 14),
        "SYNC.MSH",
        "SYNC.MSIAttr",
        res0(31, 28),
        "SYNC.MSIData",
        res0(65, 64),
        "SYNC.MSIAddress",
        res0(127, 120),
      ],
    },
    CMD_TLBI_S_EL2_ALL: {
      value: 0x50,
      section: "4.4",
      gate: SEL2,
      meaning: "Invalidate all Secure EL2 entries.",
      layout: NONE,
    },
    CMD_TLBI_S_EL2_ASID: {
      value: 0x51,
      section: "4.4",
      gate: SEL2,
      meaning: "As CMD_TLBI_EL2_ASID for the Secure state.",
      layout: BY_ASID,
    },
    CMD_TLBI_S_EL2_VA: {
      value: 0x52,
      section: "4.4",
      gate: SEL2,
      meaning: "As CMD_TLBI_EL2_VA for the Secure state.",
      layout: VA_ASID,
    },
    CMD_TLBI_S_EL2_VAA: {
      value: 0x53,
      section: "4.4",
      gate: SEL2,
      meaning: "As CMD_TLBI_EL2_VAA for the Secure state.",
      layout: VA_ONLY,
    },
    CMD_TLBI_S_S12_VMALL: {
      value: 0x58,
      section: "4.4",
      gate: SEL2,
      meaning: "As CMD_TLBI_S12_VMALL for the Secure state.",
      layout: BY_VMID,
    },
    CMD_TLBI_S_S2_IPA: {
      value: 0x5a,
      section: "4.4",
      gate: SEL2,
      meaning: "As CMD_TLBI_S2_IPA for the Secure state; NS picks the IPA space.",
      layout: [
        "Opcode",
        unverified(11, 8, "May hold NS; its position is not established."),
        ...RANGE.slice(2),
        "TLBI.VMID",
        res0(63, 48),
        ...HINT,
        ...IPA,
      ],
    },
    CMD_TLBI_SNH_ALL: {
      value: 0x60,
      section: "4.4",
      gate: "ILL: Non-secure queue",
      meaning: "Invalidate all Secure entries except those of EL2 and EL3.",
      layout: NONE,
    },
    CMD_DPTI_ALL: {
      value: 0x70,
      section: "4.8",
      gate: DPT,
      meaning: "Invalidate all cached Device Permission Table information.",
      layout: NONE,
    },
    CMD_DPTI_PA: {
      value: 0x73,
      section: "4.8",
      gate: DPT,
      meaning: "Invalidate Device Permission Table information of an aligned PA region.",
      layout: [
        "Opcode",
        unverified(127, 8, "SIZE, Leaf and the address; positions not established."),
      ],
    },
  },
  { meaning: "A command of the Command queue: 16 bytes, opcode in the low byte." },
);
