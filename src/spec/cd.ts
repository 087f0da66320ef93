// Context descriptors and the virtual machine structure (IHI0070 5.3 to 5.6).
import { ADDRESS_SIZE, SHAREABILITY, WALK_CACHE } from "./encoding.ts";
import { address, bits, flag, impdef, repeated, res0, struct } from "./field.ts";

const EL1_E2H = "EL1 and E2H worlds";
const TTB0 = "ign: EPD0=1";
const TTB1 = "EL1 and E2H worlds; ign: EPD1=1";

/** Level-1 context descriptor: 8 bytes, points to a table of CDs. */
export const L1CD = struct(
  "L1CD",
  64,
  "5.3",
  {
    V: flag(0, {
      meaning: "1 makes L2Ptr valid; use with 0 gives C_BAD_SUBSTREAMID.",
      gate: "CD2L",
    }),
    _11: res0(11, 1),
    L2Ptr: address(55, 12, {
      meaning: "Address of the leaf CD table: an IPA when stage 2 is on, else a PA.",
      gate: "CD2L; ign: V=0",
      since: "[51:48] v3.1, [55:52] v3.4",
    }),
    _63: res0(63, 56),
  },
  { meaning: "Points to a leaf table of CDs." },
);

/** Context descriptor: 64 bytes, the stage 1 translation of one substream. */
export const CD = struct(
  "CD",
  512,
  "5.4",
  {
    T0SZ: bits(5, 0, undefined, {
      meaning: "TTB0 translates addresses of 64-T0SZ bits; out of range is illegal.",
      gate: TTB0,
    }),
    TG0: bits(
      7,
      6,
      { 0: "4K", 1: "64K", 2: "16K" },
      {
        meaning: "TTB0 granule; 3 is illegal.",
        gate: "AA64; ign: EPD0=1",
      },
    ),
    IR0: bits(9, 8, WALK_CACHE, "Inner cacheability of TTB0 walks."),
    OR0: bits(11, 10, WALK_CACHE, "Outer cacheability of TTB0 walks."),
    SH0: bits(13, 12, SHAREABILITY, "Shareability of TTB0 walks; 1 acts as 0."),
    EPD0: flag(14, {
      meaning: "TTB0 is off: its addresses give F_TRANSLATION and its fields are not checked.",
      gate: "ign (as 0): EL2 without E2H, EL3",
    }),
    ENDI: flag(15, { meaning: "Stage 1 descriptors are big endian.", gate: "TTENDIAN=0" }),
    T1SZ: bits(21, 16, undefined, {
      meaning: "TTB1 translates addresses of 64-T1SZ bits; out of range is illegal.",
      gate: TTB1,
    }),
    TG1: bits(
      23,
      22,
      { 1: "16K", 2: "4K", 3: "64K" },
      {
        meaning: "TTB1 granule, numbered differently from TG0; 0 is illegal.",
        gate: "AA64; ign: EPD1=1",
      },
    ),
    IR1: bits(25, 24, WALK_CACHE, "Inner cacheability of TTB1 walks."),
    OR1: bits(27, 26, WALK_CACHE, "Outer cacheability of TTB1 walks."),
    SH1: bits(29, 28, SHAREABILITY, "Shareability of TTB1 walks; 1 acts as 0."),
    EPD1: flag(30, {
      meaning: "TTB1 is off: its addresses give F_TRANSLATION and its fields are not checked.",
      gate: "ign (as 1): EL2 without E2H, EL3",
    }),
    V: flag(31, "1 makes the CD valid; use with 0 gives C_BAD_CD."),
    IPS: bits(34, 32, ADDRESS_SIZE, {
      meaning: "Stage 1 output address size, capped at OAS.",
      gate: "AA64",
    }),
    AFFD: flag(35, "A clear Access flag does not fault; ignored when HA is 1."),
    WXN: flag(36, "Writeable memory is never executable."),
    UWXN: flag(37, {
      meaning: "Memory that unprivileged code may write is not executable for privileged code.",
      gate: "ign: AA64=1",
    }),
    TBI0: flag(38, { meaning: "Bits [63:56] of TTB0 addresses are ignored.", gate: "AA64" }),
    TBI1: flag(39, { meaning: "Bits [63:56] of TTB1 addresses are ignored.", gate: "AA64" }),
    PAN: flag(40, {
      meaning: "Privileged data accesses to memory that unprivileged code may access fault.",
      gate: EL1_E2H,
    }),
    AA64: flag(41, {
      meaning: "Tables are VMSAv8-64 (1) or VMSAv8-32 LPAE (0).",
      gate: "TTF",
    }),
    HD: flag(42, { meaning: "Hardware updates the dirty state; needs HA.", gate: "HTTU>=2" }),
    HA: flag(43, { meaning: "Hardware updates the Access flag.", gate: "HTTU>=1" }),
    S: flag(44, {
      meaning: "Stage 1 faults stall the transaction instead of ending it.",
      gate: "STALL_MODEL!=1",
    }),
    R: flag(45, "Stage 1 faults are recorded; taken as 1 when S is 1."),
    A: flag(46, {
      meaning: "Faulting transactions are aborted (1), or act as RAZ/WI (0).",
      gate: "TERM_MODEL=0, else must be 1",
    }),
    ASET: flag(47, "ASID is not shared with the PEs: broadcast invalidations by ASID may miss it."),
    ASID: bits(63, 48, undefined, {
      meaning: "ASID that tags non-global TLB entries; [15:8] must be 0 when ASID16 is 0.",
      gate: EL1_E2H,
    }),
    NSCFG0: flag(64, { meaning: "TTB0 tables start in Non-secure memory.", gate: "Secure stream" }),
    HAD0: flag(65, {
      meaning: "TTB0 ignores the APTable, XNTable and PXNTable bits.",
      gate: "IDR3.HAD",
      since: "v3.1",
    }),
    E0PD0: flag(66, {
      meaning: "Unprivileged accesses through TTB0 give F_TRANSLATION.",
      gate: "IDR3.E0PD",
      since: "v3.3",
    }),
    HAFT: flag(67, {
      meaning: "Table descriptors have an Access flag; needs HA.",
      gate: "HTTU=3",
      since: "v3.4",
    }),
    TTB0: address(119, 68, {
      meaning: "Base of the TTB0 tables, aligned to the start table; an IPA when stage 2 is on.",
      gate: TTB0,
      since: "[51:48] v3.1, [55:52] v3.4",
    }),
    _121: res0(121, 120),
    PnCH: flag(122, {
      meaning: "Bit 52 of descriptors means protected instead of contiguous.",
      gate: "IDR3.THE",
      since: "v3.4",
    }),
    EPAN: flag(123, {
      meaning: "PAN also covers memory that unprivileged code may only execute.",
      gate: "IDR3.EPAN",
      since: "v3.4",
    }),
    HWU059: flag(124, { meaning: "Bit 59 of TTB0 leaves is for hardware.", gate: "IDR3.PBHA" }),
    HWU060: flag(125, { meaning: "Bit 60 of TTB0 leaves is for hardware.", gate: "IDR3.PBHA" }),
    HWU061: flag(126, { meaning: "Bit 61 of TTB0 leaves is for hardware.", gate: "IDR3.PBHA" }),
    HWU062: flag(127, { meaning: "Bit 62 of TTB0 leaves is for hardware.", gate: "IDR3.PBHA" }),
    NSCFG1: flag(128, {
      meaning: "TTB1 tables start in Non-secure memory.",
      gate: "Secure stream",
    }),
    HAD1: flag(129, {
      meaning: "TTB1 ignores the APTable, XNTable and PXNTable bits.",
      gate: "IDR3.HAD",
      since: "v3.1",
    }),
    E0PD1: flag(130, {
      meaning: "Unprivileged accesses through TTB1 give F_TRANSLATION.",
      gate: "IDR3.E0PD",
      since: "v3.3",
    }),
    AIE: flag(131, {
      meaning: "Attribute indexes have a fourth bit.",
      gate: "IDR3.AIE",
      since: "v3.4",
    }),
    TTB1: address(183, 132, {
      meaning: "Base of the TTB1 tables, aligned to the start table; an IPA when stage 2 is on.",
      gate: TTB1,
      since: "[51:48] v3.1, [55:52] v3.4",
    }),
    _185: res0(185, 184),
    DS: flag(186, {
      meaning: "The 4KB and 16KB granules use the 52-bit address format.",
      gate: "IDR5.DS",
    }),
    PIE: flag(187, {
      meaning: "Stage 1 permissions are indirect.",
      gate: "IDR3.S1PI, STE.S1PIE=1",
      since: "v3.4",
    }),
    HWU159: flag(188, { meaning: "Bit 59 of TTB1 leaves is for hardware.", gate: "IDR3.PBHA" }),
    HWU160: flag(189, { meaning: "Bit 60 of TTB1 leaves is for hardware.", gate: "IDR3.PBHA" }),
    HWU161: flag(190, { meaning: "Bit 61 of TTB1 leaves is for hardware.", gate: "IDR3.PBHA" }),
    HWU162: flag(191, { meaning: "Bit 62 of TTB1 leaves is for hardware.", gate: "IDR3.PBHA" }),
    MAIR0: bits(223, 192, undefined, "Memory attributes of AttrIndx 0 to 3, 8 bits each."),
    MAIR1: bits(255, 224, undefined, "Memory attributes of AttrIndx 4 to 7, 8 bits each."),
    AMAIR0: bits(287, 256, undefined, "Auxiliary memory attributes of AttrIndx 0 to 3."),
    AMAIR1: bits(319, 288, undefined, "Auxiliary memory attributes of AttrIndx 4 to 7."),
    IMPDEF_5: impdef(351, 320),
    PARTID: bits(367, 352, undefined, { meaning: "MPAM partition.", gate: "MPAM", since: "v3.2" }),
    PMG: bits(375, 368, undefined, {
      meaning: "MPAM performance monitoring group.",
      gate: "MPAM",
      since: "v3.2",
    }),
    _383: res0(383, 376),
    PIIU: repeated(386, 384, 16, 3, {
      meaning: "Unprivileged permission that each permission index stands for.",
      gate: "IDR3.S1PI",
      since: "v3.4",
    }),
    _447: res0(447, 432),
    PIIP: repeated(450, 448, 16, 3, {
      meaning: "Privileged permission that each permission index stands for.",
      gate: "IDR3.S1PI",
      since: "v3.4",
    }),
    _511: res0(511, 496),
  },
  { meaning: "Says how stage 1 translates the transactions of one substream." },
);

/** Virtual machine structure: 4KB. */
export const VMS = struct(
  "VMS",
  32768,
  "5.6",
  {
    PARTID_MAP: repeated(15, 0, 32, 16, {
      meaning: "Physical PARTID that stands for each of the 32 virtual PARTIDs of the guest.",
      gate: "MPAM",
      since: "v3.2",
    }),
    _32767: res0(32767, 512),
  },
  { meaning: "What a guest's own numbers mean to the hardware." },
);
