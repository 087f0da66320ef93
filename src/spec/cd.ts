// Context descriptors: level-1 descriptor, context descriptor, virtual machine structure (IHI0070 5.3 to 5.6).
import { address, bits, flag, impdef, repeated, res0, struct } from "./field.ts";

export const L1CD = struct("L1CD", 64, "5.3", {
  V: flag(0, {
    meaning: "1=L2Ptr valid. 0: access through it gives C_BAD_SUBSTREAMID",
    gate: "CD2L",
  }),
  _11: res0(11, 1),
  L2Ptr: address(55, 12, {
    meaning:
      "address[55:12] of leaf CD table (4KB or 64KB aligned per S1Fmt; for 64KB bits " +
      "[15:12] taken as 0). IPA when Config=7. Out of range (PA): C_BAD_SUBSTREAMID in " +
      "v3.1+",
    gate: "CD2L",
  }),
  _63: res0(63, 56),
});

export const CD = struct("CD", 512, "5.4", {
  T0SZ: bits(5, 0, undefined, {
    meaning:
      "TTB0 region 2^(64-T0SZ). AA64: 16..39 (12.. with VAX>=1 and 64KB or DS; up to 48 " +
      "(4K/16K) or 47 (64K) with STT); out of range ILLEGAL. LPAE: [2:0]",
    gate: "ign: EPD0=1",
  }),
  TG0: bits(7, 6, undefined, { meaning: "0=4KB 1=64KB 2=16KB 3=reserved", gate: "AA64" }),
  IR0: bits(9, 8, undefined, "TTB0 walk inner cacheability 0=NC 1=WB WA RA 2=WT RA 3=WB RA"),
  OR0: bits(11, 10, undefined, "outer, as IR0"),
  SH0: bits(13, 12, undefined, "0=NSH 1=reserved(as 0) 2=OSH 3=ISH"),
  EPD0: flag(14, {
    meaning: "1=TTB0 walk disabled, miss gives F_TRANSLATION; T0SZ,TG0,TTB0 then not checked",
    gate: "ign (as 0): StreamWorld any-EL2 non-E2H or EL3",
  }),
  ENDI: flag(15, {
    meaning:
      "0=little 1=big endian stage 1 descriptors; mismatch with fixed TTENDIAN ILLEGAL " +
      "(unless both EPDx)",
    gate: "TTENDIAN=0",
  }),
  T1SZ: bits(21, 16, undefined, {
    meaning: "TTB1 region size, as T0SZ",
    gate: "EL1/E2H worlds; ign: EPD1=1",
  }),
  TG1: bits(23, 22, undefined, {
    meaning: "1=16KB 2=4KB 3=64KB 0=reserved (note: different encoding from TG0)",
    gate: "AA64",
  }),
  IR1: bits(25, 24, undefined, "as IR0"),
  OR1: bits(27, 26, undefined, "as OR0"),
  SH1: bits(29, 28, undefined, "as SH0"),
  EPD1: flag(30, { meaning: "as EPD0", gate: "ign: any-EL2 non-E2H, EL3 (TTB1 unused)" }),
  V: flag(31, "1=valid, 0 gives C_BAD_CD"),
  IPS: bits(34, 32, undefined, {
    meaning:
      "stage 1 output size 0=32 1=36 2=40 3=42 4=44 5=48 6=52 7=56; " +
      "effective=min(IPS,OAS); 6 acts as 5 for <64KB granule without DS",
    gate: "AA64",
  }),
  AFFD: flag(35, "1=AF=0 does not fault; ignored when HA=1"),
  WXN: flag(36, "1=writable implies execute-never (also privileged)"),
  UWXN: flag(37, { meaning: "1=EL0-writable implies PXN", gate: "LPAE only; ign: AA64=1" }),
  TBI0: flag(38, {
    meaning: "1=VA[63:56] ignored for TTB0 (region chosen by VA[55])",
    gate: "AA64",
  }),
  TBI1: flag(39, { meaning: "same for TTB1", gate: "AA64" }),
  PAN: flag(40, {
    meaning: "1=privileged data access to an EL0-accessible page faults",
    gate: "EL1/E2H worlds",
  }),
  AA64: flag(41, {
    meaning:
      "0=VMSAv8-32 LPAE 1=VMSAv8-64 (or 128-bit). Unsupported ILLEGAL; LPAE ILLEGAL for " +
      "EL2-E2H, EL3 and S-EL2 worlds; AA64 ILLEGAL over LPAE stage 2",
    gate: "TTF",
  }),
  HD: flag(42, { meaning: "hardware dirty state management (needs HA)", gate: "HTTU>=2" }),
  HA: flag(43, { meaning: "hardware Access flag update", gate: "HTTU>=1" }),
  S: flag(44, {
    meaning:
      "1=stall on stage 1 translation-related fault. ILLEGAL if STE.S1STALLD=1, or " +
      "STALL_MODEL=1; S=0 ILLEGAL if STALL_MODEL=2",
    gate: "STALL_MODEL",
  }),
  R: flag(45, "1=record event for stage 1 translation-related faults (taken as 1 when S=1)"),
  A: flag(46, {
    meaning: "terminated transactions: 1=abort, 0=RAZ/WI. A=0 ILLEGAL if TERM_MODEL=1",
    gate: "TERM_MODEL=0",
  }),
  ASET: flag(
    47,
    "1=ASID not shared with the PE set: entries need not respond to broadcast TLBI by " + "ASID/VA",
  ),
  ASID: bits(63, 48, undefined, {
    meaning: "ASID; [15:8] must be 0 when ASID16=0 (ILLEGAL otherwise)",
    gate: "EL1/E2H worlds",
  }),
  NSCFG0: flag(64, { meaning: "NS of the TTB0 starting table in Secure streams", gate: "Secure" }),
  HAD0: flag(65, {
    meaning:
      "1=hierarchical table attributes (APTable, XNTable, PXNTable) ignored for TTB0. " +
      "With D128: DisCH0 at the same bit",
    gate: "IDR3.HAD",
  }),
  E0PD0: flag(66, {
    meaning: "1=unprivileged access through TTB0 gives stage 1 F_TRANSLATION",
    gate: "IDR3.E0PD",
  }),
  HAFT: flag(67, {
    meaning: "Access flag in Table descriptors; ILLEGAL without HA",
    gate: "HTTU=3",
  }),
  TTB0: address(119, 68, {
    meaning:
      "table base address[55:4] (used up to effective IPS); low bits below alignment " +
      "taken as 0. IPA when Config=7. Out of effective IPS or >48 bits (granule<64K, no " +
      "DS): C_BAD_CD",
    gate: "ign: EPD0=1",
  }),
  _121: res0(121, 120),
  PnCH: flag(122, { meaning: "protected/contiguous reuse select", gate: "IDR3.THE" }),
  EPAN: flag(123, { meaning: "1=PAN also applies to EL0-executable pages", gate: "IDR3.EPAN" }),
  HWU059: flag(124, {
    meaning: "bit 59 of TTB0 leaf descriptors usable as PBHA",
    gate: "IDR3.PBHA",
  }),
  HWU060: flag(125, { meaning: "bit 60", gate: "IDR3.PBHA" }),
  HWU061: flag(126, { meaning: "bit 61 (with D128: SKL0[0])", gate: "IDR3.PBHA" }),
  HWU062: flag(127, { meaning: "bit 62 (with D128: SKL0[1])", gate: "IDR3.PBHA" }),
  NSCFG1: flag(128, { meaning: "as NSCFG0", gate: "Secure" }),
  HAD1: flag(129, { meaning: "as HAD0 (DisCH1 with D128)", gate: "IDR3.HAD" }),
  E0PD1: flag(130, { meaning: "as E0PD0", gate: "IDR3.E0PD" }),
  AIE: flag(131, { meaning: "attribute index extension", gate: "IDR3.AIE" }),
  TTB1: address(183, 132, { meaning: "as TTB0", gate: "EL1/E2H worlds; ign: EPD1=1" }),
  _185: res0(185, 184),
  DS: flag(186, { meaning: "1=52-bit addressing for 4KB/16KB granules", gate: "IDR5.DS" }),
  PIE: flag(187, { meaning: "stage 1 permission indirection", gate: "IDR3.S1PI & STE.S1PIE" }),
  HWU159: flag(188, { meaning: "as HWU059 for TTB1", gate: "IDR3.PBHA" }),
  HWU160: flag(189, { gate: "IDR3.PBHA" }),
  HWU161: flag(190, { meaning: "(with D128: SKL1[0])", gate: "IDR3.PBHA" }),
  HWU162: flag(191, { meaning: "(with D128: SKL1[1])", gate: "IDR3.PBHA" }),
  MAIR0: bits(223, 192, undefined, "Attr0..Attr3, 8 bits each"),
  MAIR1: bits(255, 224, undefined, "Attr4..Attr7"),
  AMAIR0: bits(287, 256, undefined, "auxiliary attributes, IMPDEF (MAIR2 extension with AIE)"),
  AMAIR1: bits(319, 288, undefined, "auxiliary attributes"),
  IMPDEF_5: impdef(351, 320, "IMPLEMENTATION DEFINED"),
  PARTID: bits(367, 352, undefined, { meaning: "MPAM PARTID", gate: "MPAM" }),
  PMG: bits(375, 368, undefined, { meaning: "MPAM PMG", gate: "MPAM" }),
  _383: res0(383, 376),
  PIIU: repeated(386, 384, 16, 3, {
    meaning: "p=0..15: 3-bit unprivileged permission interpretation for index p",
    gate: "IDR3.S1PI",
  }),
  _447: res0(447, 432),
  PIIP: repeated(450, 448, 16, 3, {
    meaning: "p=0..15: 3-bit privileged permission interpretation for index p",
    gate: "IDR3.S1PI",
  }),
  _511: res0(511, 496),
});

export const VMS = struct("VMS", 32768, "5.6", {
  PARTID_MAP: repeated(15, 0, 32, 16, {
    meaning: "Physical PARTID that stands for each of the 32 virtual PARTIDs of the guest.",
    gate: "MPAM",
  }),
  _32767: res0(32767, 512),
});
