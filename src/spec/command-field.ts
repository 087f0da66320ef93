// Fields and encodings of the commands (IHI0070 4).
import { SHAREABILITY } from "./encoding.ts";
import { address, bits, enumeration, flag } from "./field.ts";

/** Command error codes of CMDQ_CONS.ERR (IHI0070 7.1). */
export const CERROR = enumeration(
  "CERROR",
  { 0: "NONE", 1: "ILL", 2: "ABT", 3: "ATC_INV_SYNC" },
  {
    0: "No error.",
    1: "The command is illegal, or its feature is not implemented.",
    2: "An external abort met the read of the queue.",
    3: "A CMD_SYNC found that an earlier ATC invalidation failed or timed out.",
  },
);

export const SYNC_CS = enumeration(
  "SYNC_CS",
  { 0: "NONE", 1: "IRQ", 2: "SEV" },
  {
    0: "Completion is not signalled; software polls CMDQ_CONS.",
    1: "Completion raises an interrupt, by MSI if an address is given.",
    2: "Completion sends a wake-up event to waiting PEs.",
  },
);

export const RESUME = enumeration(
  "RESUME",
  { 0: "TERM", 1: "RETRY", 2: "ABORT" },
  {
    0: "End the transaction as RAZ/WI (as an abort when TERM_MODEL is 1).",
    1: "Process the transaction again as if it had just arrived.",
    2: "End the transaction with an abort.",
  },
);

export const PRI_RESP = enumeration(
  "PRI_RESP",
  { 0: "ResponseFailure", 1: "InvalidRequest", 2: "Success" },
  {
    0: "Permanent failure: PCIe response code 0xF.",
    1: "The page may not be accessed: PCIe response code 1.",
    2: "Every page of the group is present: PCIe response code 0.",
  },
);

export const ATC_INV_Size = enumeration("ATC_INV_Size", { 52: "ALL" });

export const TLBI_NUM = enumeration("TLBI_NUM", { 31: "MAX" });

/** Granule named by CMD_TLBI_*.TG. */
export const TLBI_TG = enumeration("TLBI_TG", { 0: "ANY", 1: "4K", 2: "16K", 3: "64K" });

/** Every field of every command by name; they overlap. */
export const COMMAND_FIELDS = {
  Opcode: bits(7, 0, undefined, "Number of the command."),
  "ATC_INV.Global": flag(9, {
    meaning: "Invalidate for every PASID of the endpoint; needs SSV=1.",
    gate: "ATS",
  }),
  SSec: flag(10, {
    meaning: "StreamID belongs to the Secure state; 1 is illegal on a Non-secure queue.",
    gate: "Secure queue",
  }),
  SSV: flag(11, { meaning: "SubstreamID is given.", gate: "SSIDSIZE!=0" }),
  "TLBI.NUM": bits(16, 12, undefined, {
    meaning: "Range multiplier minus 1: (NUM+1) * 2^SCALE granules are invalidated.",
    gate: "RIL",
  }),
  "RESUME.Ac": flag(12, {
    meaning: "1 retries the stalled transaction, 0 terminates it.",
    gate: "STALL_MODEL!=1",
  }),
  "RESUME.Ab": flag(13, {
    meaning: "How Ac=0 terminates: 1 with an abort, 0 as RAZ/WI.",
    gate: "STALL_MODEL!=1",
  }),
  "RESUME.Resp": bits(13, 12, RESUME, {
    meaning: "Ab and Ac read together.",
    gate: "STALL_MODEL!=1",
    view: true,
  }),
  "SYNC.CS": bits(13, 12, SYNC_CS, "How completion is signalled; 3 is illegal."),
  SubstreamID: bits(31, 12, undefined, {
    meaning: "SubstreamID (PASID) that the command is about.",
    gate: "SSIDSIZE!=0",
  }),
  "TLBI.SCALE": bits(25, 20, undefined, {
    meaning: "Range exponent; bit 25 only with IDR5.DS, and above 39 acts as 39.",
    gate: "RIL",
  }),
  "SYNC.MSH": bits(23, 22, SHAREABILITY, {
    meaning: "Shareability of the MSI write.",
    gate: "MSI",
  }),
  "SYNC.MSIAttr": bits(27, 24, undefined, {
    meaning: "Memory type of the MSI write, encoded as STE.MemAttr.",
    gate: "MSI",
  }),
  StreamID: bits(63, 32, undefined, "StreamID that the command is about."),
  "SYNC.MSIData": bits(63, 32, undefined, {
    meaning: "The 32 bits written as completion MSI.",
    gate: "MSI",
  }),
  "TLBI.VMID": bits(47, 32, undefined, {
    meaning: "VMID whose entries go; the upper 8 bits are RES0 if VMID16 is 0.",
    gate: "S2P",
  }),
  "CFGI_VMS.VMID": bits(47, 32, undefined, {
    meaning: "VMID whose PARTID map goes; position taken from the TLBI commands.",
    gate: "MPAM",
  }),
  "TLBI.ASID": bits(63, 48, undefined, {
    meaning: "ASID whose entries go; the upper 8 bits are RES0 if ASID16 is 0.",
    gate: "S1P",
  }),
  "CFGI.Leaf": flag(64, "1 invalidates only the STE or CD, 0 also the level-1 descriptor."),
  "CFGI.Range": bits(68, 64, undefined, "2^(Range+1) aligned StreamIDs; 31 means all."),
  "PREFETCH.Size": bits(68, 64, undefined, "2^Size translations are asked for."),
  "TLBI.Leaf": flag(64, "1 invalidates only last-level entries, 0 also cached table walks."),
  "ATC_INV.Size": bits(69, 64, ATC_INV_Size, {
    meaning: "Span of 4096 * 2^Size bytes, aligned down; 52 is the whole address space.",
    gate: "ATS",
  }),
  "PRI_RESP.PRGIndex": bits(72, 64, undefined, {
    meaning: "Page request group that is answered.",
    gate: "PRI",
  }),
  "RESUME.STAG": bits(79, 64, undefined, {
    meaning: "Tag of the stalled transaction, from its event record.",
    gate: "STALL_MODEL!=1",
  }),
  "SYNC.MSIAddress": address(119, 66, {
    meaning: "Address [55:2] of the completion MSI; 0 sends none.",
    gate: "MSI",
  }),
  "TLBI.TTL128": flag(71, {
    meaning: "The level hint is about 128-bit descriptors.",
    gate: "D128",
  }),
  "TLBI.TTL": bits(73, 72, undefined, {
    meaning: "Level of the leaf entry, 0 if not known.",
    gate: "RIL",
  }),
  "TLBI.TG": bits(75, 74, TLBI_TG, {
    meaning: "Granule of the range; 0 means one address, no range and no hint.",
    gate: "RIL",
  }),
  "PRI_RESP.Resp": bits(77, 76, PRI_RESP, {
    meaning: "Answer to the page request group; 3 is illegal.",
    gate: "PRI",
  }),
  "PREFETCH.Addr": address(127, 76, "First address [63:12] to translate."),
  "TLBI.Address": address(127, 76, "Address [63:12] to invalidate: a VA, or an IPA [55:12]."),
  "ATC_INV.Address": address(127, 76, {
    meaning: "First address [63:12] of the span, aligned to its size.",
    gate: "ATS",
  }),
} as const;
