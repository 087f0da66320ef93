// Stream table: level-1 descriptor and stream table entry (IHI0070 5.1, 5.2).
import {
  ADDRESS_SIZE,
  INSTCFG,
  MemAttr,
  PRIVCFG,
  SHAREABILITY,
  SHCFG,
  WALK_CACHE,
} from "./encoding.ts";
import { address, bits, flag, impdef, repeated, res0, struct } from "./field.ts";

const S1_CACHE = { 0: "NC", 1: "WBRA", 2: "WT", 3: "WB" };
const TG = { 0: "4K", 1: "64K", 2: "16K" };
const S1_ON = "S1P; ign: Config[0]=0";
const SUBSTREAMS = "SSIDSIZE!=0; ign: Config[0]=0";
const S2_ON = "S2P; ign: Config[1]=0";
const TYPES = "ATTR_TYPES_OVR; ign: Config=0xx";
const PERMS = "ATTR_PERMS_OVR; ign: Config=0xx";
const SECURE_S2 = "SEL2; Secure STE";

/** Level-1 stream table descriptor: 8 bytes, points to an array of STEs. */
export const L1STD = struct(
  "L1STD",
  64,
  "5.1",
  {
    Span: bits(4, 0, undefined, {
      meaning: "2^(Span-1) STEs are at L2Ptr; 0 and 12 to 31 mean that there are none.",
      gate: "IDR0.ST_LEVEL=1",
    }),
    _5: res0(5, 5),
    L2Ptr: address(55, 6, {
      meaning: "PA of the level-2 array, aligned to its size: lower bits are taken as 0.",
      gate: "IDR0.ST_LEVEL=1; ign: Span=0",
      since: "[51:48] v3.1, [55:52] v3.4",
    }),
    _63: res0(63, 56),
  },
  { meaning: "Points to the STEs of 2^SPLIT StreamIDs." },
);

/** Stream table entry: 64 bytes, what happens to the transactions of one StreamID. */
export const STE = struct(
  "STE",
  512,
  "5.2",
  {
    V: flag(0, "1 makes the STE valid; with 0 nothing else matters and use gives C_BAD_STE."),
    Config: bits(
      3,
      1,
      { 0: "ABORT", 4: "BYPASS", 5: "S1_TRANS", 6: "S2_TRANS", 7: "NESTED" },
      "What is translated: 0 to 3 abort silently, bit 0 turns on stage 1, bit 1 stage 2.",
    ),
    S1Fmt: bits(
      5,
      4,
      { 0: "LINEAR", 1: "4K_L2", 2: "64K_L2" },
      {
        meaning: "CD table: one array, or two levels with 4KB or 64KB leaves; 3 acts as 0.",
        gate: "CD2L; ign: Config[0]=0 or S1CDMax=0",
      },
    ),
    S1ContextPtr: address(55, 6, {
      meaning: "Address of the CD or CD table: an IPA when stage 2 is on, else a PA.",
      gate: S1_ON,
      since: "[51:48] v3.1, [55:52] v3.4",
    }),
    _58: res0(58, 56),
    S1CDMax: bits(63, 59, undefined, {
      meaning: "The CD table has 2^S1CDMax entries; 0 is a single CD and no substreams.",
      gate: SUBSTREAMS,
    }),
    S1DSS: bits(
      65,
      64,
      { 0: "TERMINATE", 1: "BYPASS", 2: "SSID0" },
      {
        meaning: "Transactions without SubstreamID: abort, skip stage 1, or use CD 0; 3 acts as 0.",
        gate: "SSIDSIZE!=0; ign: Config[0]=0 or S1CDMax=0",
      },
    ),
    S1CIR: bits(67, 66, S1_CACHE, {
      meaning: "Inner cacheability of CD fetches.",
      gate: S1_ON,
    }),
    S1COR: bits(69, 68, S1_CACHE, {
      meaning: "Outer cacheability of CD fetches.",
      gate: S1_ON,
    }),
    S1CSH: bits(71, 70, SHAREABILITY, {
      meaning: "Shareability of CD fetches; 1 acts as 0.",
      gate: S1_ON,
    }),
    S2HWU59: flag(72, { meaning: "Bit 59 of stage 2 leaves is for hardware.", gate: "IDR3.PBHA" }),
    S2HWU60: flag(73, { meaning: "Bit 60 of stage 2 leaves is for hardware.", gate: "IDR3.PBHA" }),
    S2HWU61: flag(74, { meaning: "Bit 61 of stage 2 leaves is for hardware.", gate: "IDR3.PBHA" }),
    S2HWU62: flag(75, { meaning: "Bit 62 of stage 2 leaves is for hardware.", gate: "IDR3.PBHA" }),
    DRE: flag(76, {
      meaning: "Destructive reads stay destructive (1) or become ordinary reads (0).",
      gate: "ign: Config=0xx",
    }),
    CONT: bits(
      80,
      77,
      undefined,
      "2^CONT aligned StreamIDs have the same STE and may share a cache entry.",
    ),
    DCP: flag(81, {
      meaning: "Directed cache prefetches are allowed.",
      gate: "ign: Config=0xx",
    }),
    PPAR: flag(82, {
      meaning: "Automatic answers to page requests carry the PASID.",
      gate: "PRI, SSIDSIZE!=0; ign: IDR3.PPS=1",
    }),
    MEV: flag(83, "Similar events of this stream may be merged into one."),
    SW_RESERVED: bits(87, 84, undefined, "Free for software."),
    S1PIE: flag(88, {
      meaning: "Stage 1 permission indirection may be turned on by CD.PIE.",
      gate: "IDR3.S1PI",
      since: "v3.4",
    }),
    S2FWB: flag(89, {
      meaning: "Stage 2 MemAttr can force the memory type instead of weakening it.",
      gate: "IDR3.FWB; ign: Config[1]=0",
      since: "v3.2",
    }),
    S1MPAM: flag(90, {
      meaning: "PARTID and PMG come from the CD, translated by the VMS.",
      gate: "MPAM, S1P, S2P; ign: Config!=7",
      since: "v3.2",
    }),
    S1STALLD: flag(91, {
      meaning: "Stage 1 stalls are forbidden: CD.S=1 makes the CD illegal.",
      gate: S1_ON,
    }),
    EATS: bits(
      93,
      92,
      { 0: "ABT", 1: "TRANS", 2: "S1CHK", 3: "DPT" },
      {
        meaning: "ATS: refused, full, stage 1 only with a stage 2 check, or checked by the DPT.",
        gate: "ATS; ign: Config=0xx or 100, Secure STE",
      },
    ),
    STRW: bits(
      95,
      94,
      { 0: "NSEL1", 2: "EL2" },
      {
        meaning: "Exception level whose translation regime stage 1 belongs to.",
        gate: "Hyp or Secure; ign: S1P=0, Config=100 or 11x",
      },
    ),
    MemAttr: bits(99, 96, MemAttr, {
      meaning: "Memory type that replaces the incoming one when MTCFG is 1.",
      gate: "ATTR_TYPES_OVR; RES0 if MTCFG=0",
    }),
    MTCFG: flag(100, { meaning: "Replace the incoming memory type by MemAttr.", gate: TYPES }),
    ALLOCCFG: bits(104, 101, undefined, {
      meaning: "1RWT replaces the read, write and transient hints; 0xxx keeps them.",
      gate: TYPES,
    }),
    _107: res0(107, 105),
    SHCFG: bits(109, 108, SHCFG, {
      meaning: "Shareability that replaces the incoming one.",
      gate: TYPES,
    }),
    NSCFG: bits(
      111,
      110,
      { 0: "INCOMING", 2: "SECURE", 3: "NON_SECURE" },
      {
        meaning: "NS attribute that replaces the incoming one when stage 1 does not translate.",
        gate: "ATTR_PERMS_OVR; Secure STE",
      },
    ),
    PRIVCFG: bits(113, 112, PRIVCFG, {
      meaning: "Privilege that replaces the incoming one.",
      gate: PERMS,
    }),
    INSTCFG: bits(115, 114, INSTCFG, {
      meaning: "Instruction or data: replaces the incoming attribute of reads.",
      gate: PERMS,
    }),
    IMPDEF_1: impdef(127, 116),
    S2VMID: bits(143, 128, undefined, {
      meaning: "VMID that tags the TLB entries of this stream.",
      gate: "S2P; ign: Config[1:0]=0, or the StreamWorld is not EL1",
    }),
    IMPDEF_2: impdef(159, 144),
    S2T0SZ: bits(165, 160, undefined, {
      meaning: "Stage 2 input addresses have 64-S2T0SZ bits.",
      gate: S2_ON,
    }),
    S2SL0: bits(167, 166, undefined, {
      meaning: "Start level of stage 2; what each value means depends on the granule.",
      gate: S2_ON,
    }),
    S2IR0: bits(169, 168, WALK_CACHE, {
      meaning: "Inner cacheability of stage 2 walks.",
      gate: S2_ON,
    }),
    S2OR0: bits(171, 170, WALK_CACHE, {
      meaning: "Outer cacheability of stage 2 walks.",
      gate: S2_ON,
    }),
    S2SH0: bits(173, 172, SHAREABILITY, {
      meaning: "Shareability of stage 2 walks; 1 acts as 0.",
      gate: S2_ON,
    }),
    S2TG: bits(175, 174, TG, { meaning: "Stage 2 granule; 3 is illegal.", gate: S2_ON }),
    S2PS: bits(178, 176, ADDRESS_SIZE, {
      meaning: "Stage 2 output address size, capped at OAS.",
      gate: S2_ON,
    }),
    S2AA64: flag(179, {
      meaning: "Stage 2 tables are VMSAv8-64 (1) or VMSAv8-32 LPAE (0).",
      gate: S2_ON,
    }),
    S2ENDI: flag(180, {
      meaning: "Stage 2 descriptors are big endian.",
      gate: "TTENDIAN=0; ign: Config[1]=0",
    }),
    S2AFFD: flag(181, { meaning: "A clear Access flag at stage 2 does not fault.", gate: S2_ON }),
    S2PTW: flag(182, {
      meaning: "Stage 1 walks and CD fetches that stage 2 maps to Device memory fault.",
      gate: "S2P; ign: Config!=7",
    }),
    S2HD: flag(183, { meaning: "Hardware updates the dirty state at stage 2.", gate: "HTTU>=2" }),
    S2HA: flag(184, { meaning: "Hardware updates the Access flag at stage 2.", gate: "HTTU>=1" }),
    S2S: flag(185, {
      meaning: "Stage 2 faults stall the transaction instead of aborting it.",
      gate: "STALL_MODEL!=1; ign: Config[1]=0",
    }),
    S2R: flag(186, {
      meaning: "Stage 2 faults are recorded; taken as 1 when S2S is 1.",
      gate: "ign: Config[1]=0",
    }),
    S2HAFT: flag(187, {
      meaning: "Stage 2 table descriptors have an Access flag; needs S2HA.",
      gate: "HTTU=3",
      since: "v3.4",
    }),
    S2PIE: flag(188, {
      meaning: "Stage 2 permissions are indirect.",
      gate: "IDR3.S2PI",
      since: "v3.4",
    }),
    S2POE: flag(189, {
      meaning: "Stage 2 permission overlays are on.",
      gate: "IDR3.S2PO",
      since: "v3.4",
    }),
    DPT_VMATCH: bits(191, 190, undefined, {
      meaning: "How the VMID must match in the device permission check; 3 acts as 0.",
      gate: "IDR3.DPT",
    }),
    S2NSW: flag(192, { meaning: "S2TTB walks are made to Non-secure memory.", gate: SECURE_S2 }),
    S2NSA: flag(193, {
      meaning: "Non-secure IPAs map to Non-secure memory.",
      gate: "SEL2; Secure STE; ign: S2NSW=1 or S2SA=1",
    }),
    S2SL0_2: flag(194, {
      meaning: "Third bit of the start level: 1 starts at level -1.",
      gate: "S2DS=1, 4KB granule",
    }),
    S2DS: flag(195, {
      meaning: "Stage 2 uses the 52-bit address format of the 4KB and 16KB granules.",
      gate: "IDR5.DS",
    }),
    S2TTB: address(247, 196, {
      meaning: "Base of the stage 2 tables, aligned to the start table.",
      gate: S2_ON,
      since: "[51:48] v3.1, [55:52] v3.4",
    }),
    _252: res0(252, 248),
    S2SKL: bits(254, 253, undefined, {
      meaning: "Levels that the stage 2 walk skips.",
      gate: "D128",
      since: "v3.4",
    }),
    _255: res0(255, 255),
    IMPDEF_4: impdef(271, 256),
    PARTID: bits(287, 272, undefined, { meaning: "MPAM partition.", gate: "MPAM", since: "v3.2" }),
    S_S2T0SZ: bits(293, 288, undefined, {
      meaning: "As S2T0SZ, for Secure IPAs.",
      gate: SECURE_S2,
    }),
    S_S2SL0: bits(295, 294, undefined, { meaning: "As S2SL0, for Secure IPAs.", gate: SECURE_S2 }),
    _301: res0(301, 296),
    S_S2TG: bits(303, 302, TG, { meaning: "As S2TG, for Secure IPAs.", gate: SECURE_S2 }),
    MECID: bits(319, 304, undefined, {
      meaning: "Memory encryption context.",
      gate: "R_IDR3.MEC; Realm STE",
      since: "v3.4",
    }),
    PMG: bits(327, 320, undefined, {
      meaning: "MPAM performance monitoring group.",
      gate: "MPAM",
      since: "v3.2",
    }),
    MPAM_NS: flag(328, {
      meaning: "PARTID is in the Non-secure space.",
      gate: "MPAM; Secure STE",
      since: "v3.2",
    }),
    AssuredOnly: flag(329, {
      meaning: "Stage 2 checks that protected memory is used for what it was assured for.",
      gate: "IDR3.THE",
      since: "v3.4",
    }),
    TL0: flag(330, {
      meaning: "TTB0 walks must use top-level tables that stage 2 marks.",
      gate: "IDR3.THE",
      since: "v3.4",
    }),
    TL1: flag(331, {
      meaning: "TTB1 walks must use top-level tables that stage 2 marks.",
      gate: "IDR3.THE",
      since: "v3.4",
    }),
    VMSPtr: address(375, 332, {
      meaning: "PA of the virtual machine structure.",
      gate: "MPAM; ign: unless Config=7 and S1MPAM=1",
      since: "v3.2",
    }),
    _383: res0(383, 376),
    S2SW: flag(384, { meaning: "S_S2TTB walks are made to Non-secure memory.", gate: SECURE_S2 }),
    S2SA: flag(385, {
      meaning: "Secure IPAs map to Non-secure memory; taken as 1 when S2SW is 1.",
      gate: SECURE_S2,
    }),
    S_S2SL0_2: flag(386, { meaning: "As S2SL0_2, for Secure IPAs.", gate: SECURE_S2 }),
    _387: res0(387, 387),
    S_S2TTB: address(439, 388, { meaning: "As S2TTB, for Secure IPAs.", gate: SECURE_S2 }),
    _444: res0(444, 440),
    S_S2SKL: bits(446, 445, undefined, {
      meaning: "As S2SKL, for Secure IPAs.",
      gate: "SEL2, D128; Secure STE",
    }),
    _447: res0(447, 447),
    S2POI: repeated(451, 448, 16, 4, {
      meaning: "Stage 2 overlay permission of each overlay index.",
      gate: "IDR3.S2PO",
      since: "v3.4",
    }),
  },
  { meaning: "Says what happens to the transactions of one StreamID." },
);
