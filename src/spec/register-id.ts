// Identification registers: what an SMMU implements (IHI0070 6.3.1 to 6.3.8).
import { bits, flag, impdef, register, res0 } from "./field.ts";

export const IDR0 = register(
  "IDR0",
  0x0000,
  32,
  "6.3.1",
  {
    S2P: flag(0, "1=stage 2 supported"),
    S1P: flag(1, "1=stage 1 supported"),
    TTF: bits(
      3,
      2,
      { 2: "AARCH64" },
      "bit0=VMSAv8-32 LPAE, bit1=VMSAv8-64 (1=LPAE only, 2=AArch64 only, 3=both, 0 " + "reserved)",
    ),
    COHACC: flag(4, "1=IO-coherent access for walks, structures, queues, MSIs"),
    BTM: flag(5, "1=receives broadcast TLB maintenance"),
    HTTU: bits(
      7,
      6,
      { 1: "ACCESS", 2: "ACCESS_DIRTY", 3: "ACCESS_DIRTY_HAFT" },
      "0=none, 1=Access flag, 2=Access flag+dirty state, 3=as 2 plus Access flag in " +
        "Table descriptors (HAFT)",
    ),
    DORMHINT: flag(8, "1=STATUSR.DORMANT implemented"),
    Hyp: flag(9, {
      meaning:
        "1=NS-EL2 / NS-EL2-E2H StreamWorlds supported; mandatory in v3.2+ when S1P and " + "S2P",
      gate: "S1P&S2P",
    }),
    ATS: flag(10, "1=ATS supported"),
    NS1ATS: flag(11, {
      meaning: "1=split-stage ATS (STE.EATS=2) NOT supported",
      gate: "ATS&S1P&S2P",
    }),
    ASID16: flag(12, {
      meaning: "1=16-bit ASID, 0=8-bit (nonzero CD.ASID[15:8] ILLEGAL where ASID used)",
      gate: "S1P",
    }),
    MSI: flag(13, "1=MSIs supported; 0=wired only and IRQ_CFG MSI fields RES0"),
    SEV: flag(14, "1=WFE wake-up events generated (CMD_SYNC CS=2, queue becomes non-full)"),
    ATOS: flag(15, "1=GATOS registers present"),
    PRI: flag(16, { meaning: "1=PRI queue and CMD_PRI_RESP supported", gate: "ATS" }),
    VMW: flag(17, { meaning: "1=CR0.VMW VMID wildcard supported", gate: "S2P" }),
    VMID16: flag(18, {
      meaning:
        "1=16-bit VMID, 0=8-bit (VMID[15:8] RES0 in commands; nonzero STE.S2VMID[15:8] " +
        "ILLEGAL)",
      gate: "S2P",
    }),
    CD2L: flag(19, "1=2-level CD tables supported"),
    VATOS: flag(20, { meaning: "1=VATOS page present", gate: "ATOS&S1P&S2P" }),
    TTENDIAN: bits(
      22,
      21,
      { 0: "MIXED", 2: "LE", 3: "BE" },
      "0=mixed endian per CD.ENDI/STE.S2ENDI, 1=reserved, 2=little only, 3=big only",
    ),
    ATSRECERR: flag(23, {
      meaning:
        "1=CR2.REC_CFG_ATS is implemented (extra events recorded for ATS/PRI " +
        "configuration errors)",
      gate: "ATS",
    }),
    STALL_MODEL: bits(
      25,
      24,
      { 0: "STALL", 2: "FORCE" },
      "0=stall and terminate both available, 1=stall not supported " +
        "(CMD_RESUME/CMD_STALL_TERM -> CERROR_ILL; CD.S and STE.S2S must be 0), 2=stall " +
        "forced (CD.S, and STE.S2S if stage 2 enabled, must be 1), 3=reserved. With " +
        "Secure state reads S_IDR0.STALL_MODEL, or 1 when that is 0 and S_CR0.NSSTALLD=1",
    ),
    TERM_MODEL: flag(
      26,
      "0=CD.A chooses abort or RAZ/WI on termination, 1=RAZ/WI not supported (CD.A must " +
        "be 1; CMD_RESUME.Ab ignored)",
    ),
    ST_LEVEL: bits(
      28,
      27,
      { 1: "2LVL" },
      "0=linear stream table only, 1=linear and 2-level, 2..3 reserved. Must be nonzero " +
        "when IDR1.SIDSIZE>=7",
    ),
    _29: res0(29, 29),
    RME_IMPL: flag(
      30,
      "1 = RME features present on NS (and S/Realm if implemented) interfaces; implies " +
        "ROOT_IDR0.ROOT_IMPL=1",
    ),
    _31: res0(31, 31),
  },
  {
    meaning: "Feature identification 0 (Non-secure programming interface)",
    access: "RO",
    reset: "fixed",
  },
);

export const IDR1 = register(
  "IDR1",
  0x0004,
  32,
  "6.3.2",
  {
    SIDSIZE: bits(5, 0, undefined, "StreamID bits, 0..32"),
    SSIDSIZE: bits(10, 6, undefined, "SubstreamID bits, 0..20, 0=no substreams"),
    PRIQS: bits(15, 11, undefined, {
      meaning: "log2 of maximum PRI queue entries, max 19",
      gate: "PRI",
    }),
    EVENTQS: bits(20, 16, undefined, "log2 of maximum Event queue entries, max 19"),
    CMDQS: bits(25, 21, undefined, "log2 of maximum Command queue entries, max 19"),
    ATTR_PERMS_OVR: flag(26, "1=STE/GBPA INSTCFG,PRIVCFG,NSCFG overrides work"),
    ATTR_TYPES_OVR: flag(27, "1=STE/GBPA MTCFG,MemAttr,ALLOCCFG,SHCFG overrides work"),
    REL: flag(28, {
      meaning: "1=preset base registers hold an unsigned offset from Page 0 base",
      gate: "TABLES_PRESET or QUEUES_PRESET",
    }),
    QUEUES_PRESET: flag(29, "1=CMDQ/EVENTQ/PRIQ_BASE fixed"),
    TABLES_PRESET: flag(30, "1=STRTAB_BASE(_CFG) contents fixed"),
    ECMDQ: flag(
      31,
      "1=Enhanced Command queues, details in IDR6; requires COHACC=1, MSI=1, " + "QUEUES_PRESET=0",
    ),
  },
  { meaning: "Feature identification 1: sizes", access: "RO", reset: "fixed" },
);

export const IDR2 = register(
  "IDR2",
  0x0008,
  32,
  "6.3.3",
  {
    BA_VATOS: bits(9, 0, undefined, {
      meaning: "VATOS page address = SMMU_BASE+0x20000+BA*0x10000",
      gate: "VATOS",
    }),
    _31: res0(31, 10),
  },
  { meaning: "Feature identification 2", access: "RO", reset: "fixed" },
);

export const IDR3 = register(
  "IDR3",
  0x000c,
  32,
  "6.3.4",
  {
    _1: res0(1, 0),
    HAD: flag(2, { meaning: "1=CD.HAD0/1 work; mandatory v3.1+ with S1P", gate: "S1P" }),
    PBHA: flag(3, "1=page-based hardware attributes; requires HAD"),
    XNX: flag(4, {
      meaning: "1=2-bit stage 2 XN (EL0/EL1 distinction); mandatory v3.1+ with S2P",
      gate: "S2P",
    }),
    PPS: flag(5, {
      meaning: "1=overflow auto-responses carry the request PASID, STE.PPAR not checked",
      gate: "PRI&SSIDSIZE!=0",
    }),
    _6: res0(6, 6),
    MPAM: flag(7, "1=MPAM registers present"),
    FWB: flag(8, { meaning: "1=STE.S2FWB; 1 in v3.2+", gate: "S2P" }),
    STT: flag(9, "1=small translation tables (TxSZ up to 48, or 47 for 64K); 1 when S_IDR1.SEL2=1"),
    RIL: flag(10, "1=range invalidation and level hint; 1 in v3.2+"),
    BBML: bits(12, 11, undefined, "break-before-make level 0..2; 1 or 2 in v3.2+"),
    E0PD: flag(13, "1=CD.E0PD0/1 implemented; 1 in v3.3+"),
    PTWNNC: flag(14, {
      meaning:
        "1=with STE.S2PTW=0, walk/CD accesses mapped Device at stage 2 are done as " +
        "Normal-NC; 1 in v3.3+",
      gate: "S2P",
    }),
    DPT: flag(15, {
      meaning: "1=Device Permission Table and STE.EATS=3 for NS streams",
      gate: "ATS",
    }),
    PASIDTT: flag(16, {
      meaning: "1=PASID on ATS Translated transactions supported",
      gate: "ATS&SSIDSIZE!=0",
    }),
    EPAN: flag(17, "1=CD.EPAN; 1 in v3.4+"),
    S1PI: flag(18, { meaning: "1=stage 1 permission indirection", gate: "S1P" }),
    S2PI: flag(19, { meaning: "1=stage 2 permission indirection", gate: "S2P" }),
    S2PO: flag(20, { meaning: "1=stage 2 permission overlays", gate: "S2PI" }),
    THE: flag(21, { meaning: "1=translation hardening (PnCH, AssuredOnly, TL0/TL1)", gate: "S1P" }),
    MTEPERM: flag(22, {
      meaning: "1=stage 2 NoTagAccess MemAttr encodings; 1 in v3.4+",
      gate: "S2P",
    }),
    AIE: flag(23, { meaning: "1=stage 1 Attribute Index Extension (CD.AIE)", gate: "S1P" }),
    _31: res0(31, 24),
  },
  { meaning: "Feature identification 3", access: "RO", reset: "fixed" },
);

export const IDR4 = register(
  "IDR4",
  0x0010,
  32,
  "6.3.5",
  {
    IMPDEF: impdef(31, 0),
  },
  { meaning: "IMPLEMENTATION DEFINED", access: "RO", reset: "fixed" },
);

export const IDR5 = register(
  "IDR5",
  0x0014,
  32,
  "6.3.6",
  {
    OAS: bits(
      2,
      0,
      { 0: "32", 1: "36", 2: "40", 3: "42", 4: "44", 5: "48", 6: "52" },
      "output address size: 0=32 1=36 2=40 3=42 4=44 5=48 6=52 7=56 bits. 52 needs " +
        "GRAN64K or DS or D128; 56 needs D128",
    ),
    _3: res0(3, 3),
    GRAN4K: flag(4, "4KB granule (RES1 when LPAE format supported)"),
    GRAN16K: flag(5, "16KB granule"),
    GRAN64K: flag(6, "64KB granule"),
    DS: flag(7, {
      meaning: "1=LPA2-style 52-bit addressing with 4K/16K (CD.DS, STE.S2DS); requires VAX>=1",
      gate: "GRAN4K or GRAN16K",
    }),
    D128: flag(8, "1=VMSAv9-128 128-bit descriptors; forces TTF[1]=1 and TTF[0]=0"),
    _9: res0(9, 9),
    VAX: bits(11, 10, { 1: "52" }, "VA bits per TTB: 0=48, 1=52, 2=56 (needs D128), 3 reserved"),
    _15: res0(15, 12),
    STALL_MAX: bits(31, 16, undefined, {
      meaning: "maximum outstanding stalled transactions recorded",
      gate: "STALL_MODEL!=1",
    }),
  },
  { meaning: "Feature identification 5: address sizes", access: "RO", reset: "fixed" },
);

export const IDR6 = register(
  "IDR6",
  0x0190,
  32,
  "6.3.45",
  {
    _15: res0(15, 0),
    CMDQ_CONTROL_PAGE_LOG2NUMQ: bits(19, 16, undefined, {
      meaning: "log2 queues per page, max 8",
      gate: "ECMDQ",
    }),
    _23: res0(23, 20),
    CMDQ_CONTROL_PAGE_LOG2NUMP: bits(27, 24, undefined, {
      meaning: "log2 number of control pages, max 8",
      gate: "ECMDQ",
    }),
    _31: res0(31, 28),
  },
  { meaning: "ECMDQ sizes", access: "RO", reset: "fixed", gate: "ECMDQ" },
);

export const IIDR = register(
  "IIDR",
  0x0018,
  32,
  "6.3.7",
  {
    Implementer: bits(11, 0, undefined, "JEP106: [11:8] continuation, [7]=0, [6:0] id; Arm=0x43B"),
    Revision: bits(15, 12, undefined, "minor revision"),
    Variant: bits(19, 16, undefined, "major revision"),
    ProductID: bits(31, 20, undefined, "part number"),
  },
  { meaning: "Implementer identification", access: "RO", reset: "fixed" },
);

export const AIDR = register(
  "AIDR",
  0x001c,
  32,
  "6.3.8",
  {
    ArchMinorRev: bits(
      3,
      0,
      undefined,
      "0..4 = SMMUv3.0..3.4 (5 = v3.5 per later H.a document title only)",
    ),
    ArchMajorRev: bits(7, 4, undefined, "0=SMMUv3.x"),
    _31: res0(31, 8),
  },
  { meaning: "Architecture version", access: "RO", reset: "fixed" },
);

export const MPAMIDR = register(
  "MPAMIDR",
  0x0130,
  32,
  "6.3.41",
  {
    PARTID_MAX: bits(15, 0),
    PMG_MAX: bits(23, 16),
    _31: res0(31, 24),
  },
  { meaning: "PMG_MAX[23:16], PARTID_MAX[15:0]", access: "RO", reset: "fixed", gate: "MPAM" },
);

const PIDR = {
  VALUE: bits(7, 0, undefined, "One byte of the peripheral identifier."),
  _31: res0(31, 8),
};

/** Peripheral identification 4 to 7, then 0 to 3, then component identification 0 to 3. */
export const IDREGS = register("IDREGS", 0x0fd0, 32, "6.3.170", PIDR, {
  access: "RO",
  reset: "fixed",
  meaning: "Peripheral and component identification, from PIDR4 to CIDR3.",
  count: 12,
  stride: 4,
});
