// Stream table: level-1 descriptor and stream table entry (IHI0070 5.1, 5.2).
import { address, bits, flag, impdef, repeated, res0, struct } from "./field.ts";

export const L1STD = struct("L1STD", 64, "5.1", {
  Span: bits(4, 0, undefined, {
    meaning:
      "0=L2Ptr invalid; n=1..11: second-level array of 2^(n-1) STEs at L2Ptr; must be " +
      "<=SPLIT+1; 12..31 reserved behave as 0. Access through an invalid/reserved/too " +
      "large Span, or index >= 2^(Span-1): C_BAD_STREAMID, transaction aborted",
    gate: "IDR0.ST_LEVEL=1",
  }),
  _5: res0(5, 5),
  L2Ptr: address(55, 6, {
    meaning:
      "PA[55:6] of second-level array, aligned to array size: bits [5+(Span-1):0] taken " +
      "as 0; bits above OAS RES0 (an implementation may report F_STE_FETCH or truncate)",
    gate: "IDR0.ST_LEVEL=1; ign: Span=0",
  }),
  _63: res0(63, 56),
});

export const STE = struct("STE", 512, "5.2", {
  V: flag(0, "1=valid. 0: every other field ignored, use gives C_BAD_STE"),
  Config: bits(
    3,
    1,
    { 0: "ABORT", 4: "BYPASS", 5: "S1_TRANS", 6: "S2_TRANS", 7: "NESTED" },
    "0b0xx=abort every transaction silently; 4=bypass both stages; 5=stage 1 " +
      "translate, stage 2 bypass; 6=stage 1 bypass, stage 2 translate; 7=both",
  ),
  S1Fmt: bits(
    5,
    4,
    { 0: "LINEAR", 1: "4K_L2", 2: "64K_L2" },
    {
      meaning:
        "0=linear CD table; 1=2-level, 4KB leaf (64 CDs; L1 index SSID[S1CDMax-1:6], L2 " +
        "index SSID[5:0]); 2=2-level, 64KB leaf (1024 CDs; split at bit 10); 3=reserved " +
        "behaves as 0",
      gate: "CD2L=1 else RES0; ign: Config[0]=0 or S1CDMax=0 or SSIDSIZE=0",
    },
  ),
  S1ContextPtr: address(55, 6, {
    meaning:
      "address[55:6] of CD, linear CD table or L1 table. IPA if Config=7 (and then the " +
      "fetch is translated by stage 2), else PA. Alignment: single CD 64B; table " +
      "aligned to its size (low bits taken as 0). Out of range: ILLEGAL in v3.1+ for PA",
    gate: "S1P; ign: Config[0]=0",
  }),
  _58: res0(58, 56),
  S1CDMax: bits(63, 59, undefined, {
    meaning:
      "table holds 2^S1CDMax CDs; 0=one CD, substreams disabled (SSV=1 gives " +
      "C_BAD_SUBSTREAMID). > IDR1.SSIDSIZE ILLEGAL",
    gate: "SSIDSIZE!=0; ign: Config[0]=0",
  }),
  S1DSS: bits(
    65,
    64,
    { 0: "TERMINATE", 1: "BYPASS", 2: "SSID0" },
    {
      meaning:
        "transactions without SubstreamID: 0=abort F_STREAM_DISABLED; 1=bypass stage 1 " +
        "(as if Config[0]=0; stage 2 still applies); 2=use CD 0, and SubstreamID 0 with " +
        "SSV=1 aborts F_STREAM_DISABLED; 3=reserved behaves as 0",
      gate: "SSIDSIZE!=0; ign: Config[0]=0 or S1CDMax=0",
    },
  ),
  S1CIR: bits(
    67,
    66,
    { 0: "NC", 1: "WBRA", 2: "WT", 3: "WB" },
    { meaning: "CD fetch inner cacheability: 0=NC 1=WB RA 2=WT RA 3=WB no-RA", gate: "S1P" },
  ),
  S1COR: bits(69, 68, undefined, { meaning: "CD fetch outer cacheability, as S1CIR", gate: "S1P" }),
  S1CSH: bits(71, 70, undefined, {
    meaning: "CD fetch shareability 0=NSH 1=reserved(as 0) 2=OSH 3=ISH",
    gate: "S1P",
  }),
  S2HWU59: flag(72, {
    meaning: "stage 2 descriptor bit 59 available as page-based hardware attribute",
    gate: "IDR3.PBHA",
  }),
  S2HWU60: flag(73, { meaning: "same for bit 60", gate: "IDR3.PBHA" }),
  S2HWU61: flag(74, { meaning: "same for bit 61", gate: "IDR3.PBHA" }),
  S2HWU62: flag(75, { meaning: "same for bit 62", gate: "IDR3.PBHA" }),
  DRE: flag(76, {
    meaning:
      "destructive read enable: 0=destructive reads converted to non-destructive, " +
      "1=allowed (needs RW permission)",
    gate: "ign: Config=0xx",
  }),
  CONT: bits(
    80,
    77,
    undefined,
    "contiguity hint: 2^CONT aligned STEs have identical contents so one cache entry " +
      "may serve them; differing members is a programming error (UNPREDICTABLE mix or " +
      "F_CFG_CONFLICT)",
  ),
  DCP: flag(81, {
    meaning: "directed cache prefetch: 0=inhibited, 1=allowed subject to permissions",
    gate: "ign: Config=0xx",
  }),
  PPAR: flag(82, {
    meaning:
      "1=PRI queue overflow auto-response carries the PASID of the request (checked " +
      "when IDR3.PPS=0)",
    gate: "PRI&SSIDSIZE!=0",
  }),
  MEV: flag(
    83,
    "1=events of this stream may be merged; 0=not (except " +
      "F_UUT,C_BAD_STREAMID,F_STE_FETCH,C_BAD_STE)",
  ),
  SW_RESERVED: bits(87, 84, undefined, "free for software, ignored by the SMMU"),
  S1PIE: flag(88, {
    meaning: "use of stage 1 permission indirection enabled from CD.PIE",
    gate: "IDR3.S1PI",
  }),
  S2FWB: flag(89, {
    meaning:
      "1=stage 2 MemAttr uses the FWB encoding (forced write-back rules). ILLEGAL with " +
      "S2AA64=LPAE",
    gate: "IDR3.FWB; ign: Config[1]=0",
  }),
  S1MPAM: flag(90, {
    meaning: "1=CD PARTID/PMG used, translated through VMS when nested; 0=STE values",
    gate: "MPAM&S1P&S2P; ign: Config!=7",
  }),
  S1STALLD: flag(91, {
    meaning:
      "1=stage 1 stall disabled: CD.S=1 makes the CD ILLEGAL. Must be 0 (ILLEGAL " +
      "otherwise) when effective STALL_MODEL!=0 (Realm: ILLEGAL only when 1)",
    gate: "S1P; ign: Config[0]=0",
  }),
  EATS: bits(
    93,
    92,
    { 0: "ABT", 1: "TRANS", 2: "S1CHK" },
    {
      meaning:
        "0=ATS TR gives UR (F_BAD_ATS_TREQ), Translated traffic F_TRANSL_FORBIDDEN; " +
        "1=full ATS; 2=split-stage ATS (TR returns stage 1 IPA; Translated traffic does " +
        "stage 2), needs Config=7, S2S=0, NS1ATS=0, ATSCHK=1; 3=ATS with DPT check " +
        "(IDR3.DPT)",
      gate: "ATS; ign: Config=0xx or 100, Secure STE",
    },
  ),
  STRW: bits(
    95,
    94,
    { 0: "NSEL1", 2: "EL2" },
    {
      meaning:
        "StreamWorld when stage 1 only. NS: 0=NS-EL1, 2=EL2 (or EL2-E2H if CR2.E2H), 1/3 " +
        "ILLEGAL. Secure: 0=Secure(EL1), 1=EL3 (ILLEGAL with RME), 2=S-EL2 (needs SEL2), " +
        "3 ILLEGAL. When ignored: EL1 of the Security state",
      gate: "Hyp or Secure; ign: S1P=0, NS with Hyp=0, Config=11x, Config=100",
    },
  ),
  MemAttr: bits(99, 96, undefined, {
    meaning:
      "replacement type, VMSAv8-64 stage 2 MemAttr encoding (FWB=0 form, whatever " +
      "S2FWB): 0 nGnRnE 1 nGnRE 2 nGRE 3 GRE; 5/6/7 oNC with iNC/iWT/iWB; 9/A/B oWT; " +
      "D/E/F oWB; 4,8,C reserved, behave as nGnRnE",
    gate: "ATTR_TYPES_OVR; RES0 if MTCFG=0",
  }),
  MTCFG: flag(100, {
    meaning: "1=use MemAttr instead of incoming memory type",
    gate: "ATTR_TYPES_OVR",
  }),
  ALLOCCFG: bits(104, 101, undefined, {
    meaning:
      "0b0xxx=incoming allocation/transient hints, 0b1RWT=override read-alloc/write- " +
      "alloc/transient",
    gate: "ATTR_TYPES_OVR",
  }),
  _107: res0(107, 105),
  SHCFG: bits(
    109,
    108,
    { 1: "INCOMING" },
    { meaning: "0=NSH 1=use incoming 2=OSH 3=ISH", gate: "ATTR_TYPES_OVR" },
  ),
  NSCFG: bits(111, 110, undefined, {
    meaning:
      "Secure stream: 0=incoming 1=reserved(as 0) 2=Secure 3=Non-secure. Realm stream: " +
      "0=incoming 2=Realm 3=Non-secure",
    gate: "Secure STE, ATTR_PERMS_OVR; ign: NS STE, or when stage 1 translates",
  }),
  PRIVCFG: bits(113, 112, undefined, {
    meaning: "0=incoming 1=reserved(as 0) 2=Unprivileged 3=Privileged",
    gate: "ATTR_PERMS_OVR",
  }),
  INSTCFG: bits(115, 114, undefined, {
    meaning:
      "0=incoming 1=reserved(as 0) 2=Data 3=Instruction; applies to reads only (writes " +
      "are always Data)",
    gate: "ATTR_PERMS_OVR",
  }),
  IMPDEF_1: impdef(127, 116, "IMPLEMENTATION DEFINED"),
  S2VMID: bits(143, 128, undefined, {
    meaning:
      "VMID tag of inserted TLB entries. NS: used whenever S2P=1, StreamWorld=NS-EL1 " +
      "and Config!=x00 (also stage-1-only). Secure: used only when Secure stage 2 is " +
      "enabled, stage-1-only is tagged VMID 0. [15:8]!=0 with VMID16=0 is ILLEGAL " +
      "unless ignored",
    gate: "S2P; ign: no stage 2 in that Security state, Config[1:0]=0, or StreamWorld not the EL1 world",
  }),
  IMPDEF_2: impdef(159, 144, "IMPLEMENTATION DEFINED"),
  S2T0SZ: bits(165, 160, undefined, {
    meaning:
      "stage 2 input region = 2^(64-S2T0SZ) (AA64). LPAE: 4-bit signed [3:0], region " +
      "2^(32-S2T0SZ)",
    gate: "S2P; ign: Config[1]=0",
  }),
  S2SL0: bits(167, 166, undefined, {
    meaning:
      "start level with S2SL0_2, see descriptors.json/8-translation: 4KB 0=L2 1=L1 2=L0 " +
      "3=L3(STT); 16K 0=L3 1=L2 2=L1 3=L0(DS); 64K 0=L3 1=L2 2=L1",
    gate: "S2P",
  }),
  S2IR0: bits(169, 168, undefined, {
    meaning: "stage 2 walk inner cacheability 0=NC 1=WB WA RA 2=WT RA 3=WB RA no-WA",
    gate: "S2P",
  }),
  S2OR0: bits(171, 170, undefined, { meaning: "outer, as S2IR0", gate: "S2P" }),
  S2SH0: bits(173, 172, undefined, {
    meaning: "shareability 0=NSH 2=OSH 3=ISH (1 reserved, as 0)",
    gate: "S2P",
  }),
  S2TG: bits(
    175,
    174,
    { 0: "4K", 1: "64K", 2: "16K" },
    {
      meaning: "0=4KB 1=64KB 2=16KB 3=reserved (ILLEGAL). Unsupported granule ILLEGAL",
      gate: "S2P, AA64",
    },
  ),
  S2PS: bits(178, 176, undefined, {
    meaning:
      "stage 2 output size: 0=32 1=36 2=40 3=42 4=44 5=48 6=52 7=56; " +
      "effective=min(S2PS,OAS); v3.0: 6,7 act as 5; v3.1..3.3: 7 acts as 6. IGNORED for " +
      "LPAE (40 bits used). A 52-bit output needs 64KB granule or S2DS=1, otherwise the " +
      "descriptor gives at most 48 bits and no Address Size fault arises above 48",
    gate: "S2P, AA64",
  }),
  S2AA64: flag(179, {
    meaning:
      "0=VMSAv8-32 LPAE stage 2 format 1=VMSAv8-64 (or VMSAv9-128). Not supported " +
      "format ILLEGAL; LPAE ILLEGAL on Secure",
    gate: "S2P; TTF=3 selects",
  }),
  S2ENDI: flag(180, {
    meaning:
      "stage 2 descriptors 0=little 1=big endian; must match TTENDIAN when fixed " + "(ILLEGAL)",
    gate: "TTENDIAN=0",
  }),
  S2AFFD: flag(181, { meaning: "1=AF=0 does not fault when S2HA=0", gate: "S2P" }),
  S2PTW: flag(182, {
    meaning:
      "1=stage 1 walk or CD fetch to a stage 2 Device mapping gives stage 2 " + "F_PERMISSION",
    gate: "S2P; ign: Config!=7",
  }),
  S2HD: flag(183, {
    meaning: "hardware dirty update at stage 2 (only together with S2HA)",
    gate: "HTTU>=2, AA64",
  }),
  S2HA: flag(184, { meaning: "hardware Access flag update at stage 2", gate: "HTTU>=1, AA64" }),
  S2S: flag(185, {
    meaning:
      "stage 2 fault: 1=stall, 0=terminate with abort. 1 ILLEGAL if STALL_MODEL=1, 0 " +
      "ILLEGAL if STALL_MODEL=2",
    gate: "STALL_MODEL; ign: Config[1]=0",
  }),
  S2R: flag(186, {
    meaning: "stage 2 fault: 1=record event (always recorded if S2S=1)",
    gate: "ign: Config[1]=0",
  }),
  S2HAFT: flag(187, {
    meaning: "Access flag update in stage 2 Table descriptors; ILLEGAL without S2HA",
    gate: "HTTU=3",
  }),
  S2PIE: flag(188, { meaning: "stage 2 permission indirection enable", gate: "IDR3.S2PI" }),
  S2POE: flag(189, { meaning: "stage 2 permission overlay enable", gate: "IDR3.S2PO" }),
  DPT_VMATCH: bits(191, 190, undefined, {
    meaning:
      "DPT VMID matching rule: VMID match rule of the DPT check: 0=S2VMID must match, " +
      "or entry AC=2; 1=must match, or entry AC=1 or 2; 2=no match needed; 3=reserved, " +
      "as 0. Realm with EATS=3: only 0 legal",
    gate: "IDR3.DPT",
  }),
  S2NSW: flag(192, {
    meaning: "Secure stage 2: NS bit of walks made through S2TTB (Non-secure IPA)",
    gate: "Secure, SEL2",
  }),
  S2NSA: flag(193, {
    meaning:
      "Secure stage 2: NS bit output for Non-secure IPA; ignored (NS out) if S2NSW=1 or " +
      "effective S2SA=1",
    gate: "Secure, SEL2",
  }),
  S2SL0_2: flag(194, {
    meaning:
      "third start level bit, 4KB granule with S2DS=1: {S2SL0_2,S2SL0}=4 starts at " +
      "level -1; 5..7 reserved",
    gate: "S2DS=1 & 4KB",
  }),
  S2DS: flag(195, {
    meaning: "1=52-bit addressing format at stage 2 for 4KB/16KB",
    gate: "IDR5.DS",
  }),
  S2TTB: address(247, 196, {
    meaning:
      "stage 2 base PA[55:4] ([51:4] unless D128); low bits below table alignment taken " +
      "as 0. at least 64B aligned when effective S2PS is 52 bits. ILLEGAL if beyond " +
      "effective S2PS (or beyond 48 bits for VMSAv8-64 granule <64KB with S2DS=0)",
    gate: "S2P; ign: Config[1]=0",
  }),
  _252: res0(252, 248),
  S2SKL: bits(254, 253, undefined, { meaning: "skip level count", gate: "D128" }),
  _255: res0(255, 255),
  IMPDEF_4: impdef(271, 256, "IMPLEMENTATION DEFINED"),
  PARTID: bits(287, 272, undefined, { meaning: "MPAM PARTID", gate: "MPAM" }),
  S_S2T0SZ: bits(293, 288, undefined, { meaning: "as S2T0SZ for Secure IPA space", gate: "SEL2" }),
  S_S2SL0: bits(295, 294, undefined, { meaning: "as S2SL0 for Secure IPA space", gate: "SEL2" }),
  _301: res0(301, 296),
  S_S2TG: bits(303, 302, undefined, { meaning: "as S2TG for Secure IPA space", gate: "SEL2" }),
  MECID: bits(319, 304, undefined, {
    meaning: "memory encryption context id (Realm)",
    gate: "R_IDR3.MEC",
  }),
  PMG: bits(327, 320, undefined, { meaning: "MPAM PMG", gate: "MPAM" }),
  MPAM_NS: flag(328, { meaning: "MPAM space", gate: "MPAM, Secure" }),
  AssuredOnly: flag(329, { meaning: "stage 2 AssuredOnly check enable", gate: "IDR3.THE" }),
  TL0: flag(330, { meaning: "TopLevel check for TTB0", gate: "IDR3.THE" }),
  TL1: flag(331, { meaning: "TopLevel check for TTB1", gate: "IDR3.THE" }),
  VMSPtr: address(375, 332, {
    meaning: "PA[55:12] of the Virtual Machine Structure (4KB, PARTID_MAP)",
    gate: "MPAM; ign: unless Config=7&S1MPAM=1",
  }),
  _383: res0(383, 376),
  S2SW: flag(384, {
    meaning: "Secure stage 2: NS bit of walks made through S_S2TTB (Secure IPA)",
    gate: "Secure, SEL2",
  }),
  S2SA: flag(385, {
    meaning: "Secure stage 2: NS bit output for Secure IPA; taken as 1 if S2SW=1",
    gate: "Secure, SEL2",
  }),
  S_S2SL0_2: flag(386, { meaning: "as S2SL0_2 for Secure IPA space", gate: "SEL2" }),
  _387: res0(387, 387),
  S_S2TTB: address(439, 388, { meaning: "stage 2 base for Secure IPA space", gate: "SEL2" }),
  _444: res0(444, 440),
  S_S2SKL: bits(446, 445, undefined, { meaning: "as S2SKL", gate: "SEL2,D128" }),
  _447: res0(447, 447),
  S2POI: repeated(451, 448, 16, 4, {
    meaning: "p=0..15: 4-bit stage 2 overlay permission for index p",
    gate: "IDR3.S2PO",
  }),
});
