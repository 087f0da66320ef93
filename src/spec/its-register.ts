// GICv3 ITS registers and the LPI registers of a redistributor (IHI0069 12).
import { address, bits, enumeration, flag, impdef, register, res0 } from "./field.ts";

/** Inner cacheability of ITS and LPI tables. */
export const GIC_InnerCache = enumeration("GIC_InnerCache", {
  0: "nCnB",
  1: "nC",
  2: "RaWt",
  3: "RaWb",
  4: "WaWt",
  5: "WaWb",
  6: "RaWaWt",
  7: "RaWaWb",
});

/** Outer cacheability of ITS and LPI tables. */
export const GIC_OuterCache = enumeration("GIC_OuterCache", {
  0: "SAME_AS_INNER",
  1: "nC",
  2: "RaWt",
  3: "RaWb",
  4: "WaWt",
  5: "WaWb",
  6: "RaWaWt",
  7: "RaWaWb",
});

/** Shareability of ITS and LPI tables. */
export const GIC_Shareability = enumeration("GIC_Shareability", { 0: "NSH", 1: "ISH", 2: "OSH" });

/** Page size of a GITS_BASER table. */
export const PageSize = enumeration("PageSize", { 0: "4K", 1: "16K", 2: "64K" });

const inner = (hi: number, lo: number) => bits(hi, lo, GIC_InnerCache, "Inner cacheability.");
const outer = (hi: number, lo: number) => bits(hi, lo, GIC_OuterCache, "Outer cacheability.");
const share = (hi: number, lo: number) => bits(hi, lo, GIC_Shareability, "Shareability.");

export const GITS_CTLR = register(
  "GITS_CTLR",
  0x0000,
  32,
  "12.19",
  {
    Enabled: flag(0, "1 makes the ITS translate messages and take commands."),
    ImDe: flag(1, { meaning: "IMPLEMENTATION DEFINED control.", gate: "IMPDEF" }),
    _3: res0(3, 2),
    ITS_Number: bits(7, 4, undefined, {
      meaning: "Number of this ITS in an ITSList.",
      gate: "GICv4",
    }),
    _30: res0(30, 8),
    Quiescent: flag(31, {
      meaning: "1 when nothing is in progress after Enabled went to 0.",
      access: "RO",
      reset: "1",
    }),
  },
  { frame: "GITS", meaning: "Control of the ITS.", reset: "Enabled 0, Quiescent 1" },
);

export const GITS_IIDR = register(
  "GITS_IIDR",
  0x0004,
  32,
  "12.19",
  {
    Implementer: bits(11, 0, undefined, "JEP106 code of the implementer."),
    Revision: bits(15, 12, undefined, "Minor revision; KVM keeps its table format revision here."),
    Variant: bits(19, 16, undefined, "Major revision."),
    _23: res0(23, 20),
    ProductID: bits(31, 24, undefined, "Product; KVM uses 0x4B."),
  },
  { frame: "GITS", meaning: "Who made this ITS.", access: "RO", reset: "fixed" },
);

export const GITS_TYPER = register(
  "GITS_TYPER",
  0x0008,
  64,
  "12.19",
  {
    Physical: flag(0, "Physical LPIs are supported."),
    Virtual: flag(1, {
      meaning: "Virtual LPIs and direct injection are supported.",
      gate: "GICv4",
    }),
    CCT: flag(2, "Collections may be held both in hardware and in memory."),
    _3: impdef(3, 3),
    ITT_entry_size: bits(7, 4, undefined, "Bytes per interrupt translation entry, minus 1."),
    ID_bits: bits(12, 8, undefined, "EventID bits, minus 1."),
    Devbits: bits(17, 13, undefined, "DeviceID bits, minus 1."),
    SEIS: flag(18, "Command errors raise a system error."),
    PTA: flag(19, "RDbase is an address in 64KB units (1) or a processor number (0)."),
    _23: res0(23, 20),
    HCC: bits(31, 24, undefined, "Collections held without memory."),
    CIDbits: bits(35, 32, undefined, "Collection ID bits, minus 1, if CIL is 1."),
    CIL: flag(36, "Collection IDs have CIDbits+1 bits (1) or 16 (0)."),
    VMOVP: flag(37, { meaning: "VMOVP is given to one ITS only.", gate: "GICv4" }),
    _39: res0(39, 38),
    VMAPP: flag(40, { meaning: "VMAPP in its GICv4.1 form.", gate: "GICv4.1" }),
    SVPET: bits(42, 41, undefined, { meaning: "Sharing of the vPE table.", gate: "GICv4.1" }),
    _63: res0(63, 43),
  },
  { frame: "GITS", meaning: "Features of the ITS.", access: "RO", reset: "fixed" },
);

export const GITS_MPIDR = register(
  "GITS_MPIDR",
  0x0018,
  32,
  "12.19",
  { MPIDR: bits(31, 0, undefined, "Affinity of the group of PEs that share a vPE table.") },
  { frame: "GITS", meaning: "Affinity of this ITS.", access: "RO", gate: "GICv4.1" },
);

export const GITS_CBASER = register(
  "GITS_CBASER",
  0x0080,
  64,
  "12.19",
  {
    Size: bits(7, 0, undefined, "4KB pages of the command queue, minus 1."),
    _9: res0(9, 8),
    Shareability: share(11, 10),
    Physical_Address: address(51, 12, "Base of the command queue, aligned to 64KB."),
    _52: res0(52, 52),
    OuterCache: outer(55, 53),
    _58: res0(58, 56),
    InnerCache: inner(61, 59),
    _62: res0(62, 62),
    Valid: flag(63, { meaning: "The command queue has memory.", reset: "0" }),
  },
  {
    frame: "GITS",
    meaning: "Where the command queue is; a write resets GITS_CREADR.",
    reset: "Valid 0",
  },
);

export const GITS_CWRITER = register(
  "GITS_CWRITER",
  0x0088,
  64,
  "12.19",
  {
    Retry: flag(0, { meaning: "1 retries the command that stalled.", access: "WO" }),
    _4: res0(4, 1),
    Offset: address(19, 5, "Byte offset of the next command that software will write."),
    _63: res0(63, 20),
  },
  { frame: "GITS", meaning: "How far software has written commands.", reset: "UNKNOWN" },
);

export const GITS_CREADR = register(
  "GITS_CREADR",
  0x0090,
  64,
  "12.19",
  {
    Stalled: flag(0, "Processing stopped at a command with an error."),
    _4: res0(4, 1),
    Offset: address(19, 5, "Byte offset of the next command that the ITS will take."),
    _63: res0(63, 20),
  },
  { frame: "GITS", meaning: "How far the ITS has taken commands.", access: "RO", reset: "0" },
);

export const GITS_BASER = register(
  "GITS_BASER",
  0x0100,
  64,
  "12.19",
  {
    Size: bits(7, 0, undefined, "Pages of the table, minus 1."),
    Page_Size: bits(9, 8, PageSize, "Page size; 3 acts as 2."),
    Shareability: share(11, 10),
    Physical_Address: address(47, 12, "Base of the table, for 4KB and 16KB pages."),
    Entry_Size: bits(52, 48, undefined, { meaning: "Bytes per entry, minus 1.", access: "RO" }),
    OuterCache: outer(55, 53),
    Type: bits(
      58,
      56,
      { 0: "NONE", 1: "DEVICE", 2: "VPE", 4: "COLLECTION" },
      {
        meaning: "What the table holds.",
        access: "RO",
      },
    ),
    InnerCache: inner(61, 59),
    Indirect: flag(62, "The table has two levels."),
    Valid: flag(63, { meaning: "The table has memory.", reset: "0" }),
  },
  {
    frame: "GITS",
    meaning: "Where a table of the ITS is.",
    reset: "Valid 0",
    count: 8,
    stride: 8,
    alternative: {
      Physical_Address_64K_lo: address(47, 16, {
        meaning: "Bits [47:16] of the base of the table.",
        gate: "Page_Size=2",
      }),
      Physical_Address_64K_hi: address(15, 12, {
        meaning: "Bits [51:48] of the base of the table.",
        gate: "Page_Size=2",
        low: 48,
      }),
    },
    cases: {
      PAGES_64K: {
        layout: [
          "Size",
          "Page_Size",
          "Shareability",
          "Physical_Address_64K_hi",
          "Physical_Address_64K_lo",
          "Entry_Size",
          "OuterCache",
          "Type",
          "InnerCache",
          "Indirect",
          "Valid",
        ],
      },
    },
  },
);

/** Bytes of a level 1 entry of an indirect table. */
export const GITS_LVL1_ENTRY_SIZE = enumeration("GITS", { 8: "LVL1_ENTRY_SIZE" });

/** First of the identification registers; GITS_PIDR2 is at 0xFFE8. */
export const GITS_PIDR4 = register(
  "GITS_PIDR4",
  0xffd0,
  32,
  "12.19",
  { VALUE: bits(7, 0, undefined, "One byte of the identifier."), _31: res0(31, 8) },
  {
    frame: "GITS",
    meaning: "Peripheral and component identification, from GITS_PIDR4 to GITS_CIDR3.",
    access: "RO",
    reset: "fixed",
    count: 12,
    stride: 4,
  },
);

export const GITS_TRANSLATER = register(
  "GITS_TRANSLATER",
  0x10040,
  32,
  "12.19",
  {
    EventID: bits(31, 0, undefined, "Number of the event; the DeviceID travels beside the write."),
  },
  {
    frame: "GITS",
    meaning: "The doorbell: a write here is a message signalled interrupt.",
    access: "WO",
  },
);

export const GITS_SGIR = register(
  "GITS_SGIR",
  0x20020,
  64,
  "12.19",
  {
    VINTID: bits(3, 0, undefined, "Number of the virtual SGI."),
    _31: res0(31, 4),
    VPEID: bits(47, 32, undefined, "Virtual PE that receives it."),
    _63: res0(63, 48),
  },
  { frame: "GITS", meaning: "Makes a virtual SGI pending.", access: "WO", gate: "GICv4.1" },
);

export const GICR_PROPBASER = register(
  "GICR_PROPBASER",
  0x0070,
  64,
  "12.11",
  {
    IDbits: bits(4, 0, undefined, "INTID bits, minus 1, that the table covers."),
    _6: res0(6, 5),
    InnerCache: inner(9, 7),
    Shareability: share(11, 10),
    Physical_Address: address(51, 12, "Base of the LPI configuration table: one byte per LPI."),
    _55: res0(55, 52),
    OuterCache: outer(58, 56),
    _63: res0(63, 59),
  },
  { frame: "GICR", meaning: "Where the LPI configuration table is.", reset: "UNKNOWN" },
);

export const GICR_PENDBASER = register(
  "GICR_PENDBASER",
  0x0078,
  64,
  "12.11",
  {
    _6: res0(6, 0),
    InnerCache: inner(9, 7),
    Shareability: share(11, 10),
    _15: res0(15, 12),
    Physical_Address: address(51, 16, "Base of the LPI pending table: one bit per INTID."),
    _55: res0(55, 52),
    OuterCache: outer(58, 56),
    _61: res0(61, 59),
    PTZ: flag(62, { meaning: "Software promises that the table is zero.", access: "WO" }),
    _63: res0(63, 63),
  },
  { frame: "GICR", meaning: "Where the LPI pending table is.", reset: "UNKNOWN" },
);
