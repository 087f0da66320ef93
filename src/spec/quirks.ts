// Every known difference between the architecture and QEMU 11.1, one named bit each
// (ARCHITECTURE.md lists them).

/** One difference. `bit` is the row number of the fact base; `abort` marks inputs that end QEMU. */
export interface Quirk {
  readonly bit: number;
  readonly name: string;
  /** What the architecture asks for, with its section. */
  readonly arch: string;
  /** What QEMU 11.1 does. */
  readonly qemu: string;
  /** What Linux 7.2 relies on, or why it does not notice. */
  readonly linux: string;
}

const quirk = (bit: number, name: string, arch: string, qemu: string, linux: string): Quirk => ({
  bit,
  name,
  arch,
  qemu,
  linux,
});

export const QUIRKS: readonly Quirk[] = [
  quirk(
    1,
    "L1STD_SPAN",
    "Span n covers 2^(n-1) STEs (5.1)",
    "Span n covers 2^n STEs",
    "writes Span = SPLIT+1 and uses 2^SPLIT STEs: both readings work",
  ),
  quirk(
    2,
    "INDEX_BAD_STE",
    "an index beyond the span is C_BAD_STREAMID, L2Ptr is aligned to the array (5.1)",
    "an index beyond the span is C_BAD_STE, L2Ptr is used as written",
    "never reaches it",
  ),
  quirk(
    3,
    "STRTAB_CFG_STICKY",
    "FMT can return to linear (6.3.25)",
    "the 2-level choice and its SPLIT are never taken back, short of a reset",
    "writes SPLIT 8 once",
  ),
  quirk(
    4,
    "RECINVSID_IGNORED",
    "CR2.RECINVSID gates the C_BAD_STREAMID record (6.3.12)",
    "the record is always written",
    "sets RECINVSID",
  ),
  quirk(
    5,
    "UNGUARDED",
    "guarded registers ignore writes while enabled (6.3)",
    "every write takes effect",
    "writes them only while disabled",
  ),
  quirk(
    6,
    "EVENTQ_FULL_ABT",
    "a full event queue toggles OVFLG and drops the record (7.4)",
    "the record is dropped and GERROR.EVENTQ_ABT_ERR rises",
    "reports either",
  ),
  quirk(
    7,
    "EVENTQ_IRQ_EVERY",
    "an interrupt on the change from empty to non-empty (7.4)",
    "an interrupt for every record",
    "drains the queue: cannot tell",
  ),
  quirk(
    8,
    "CD_FETCH_ADDR",
    "F_CD_FETCH carries FetchAddr in bits 247:195 (7.3.10)",
    "the address is in the InputAddr bits, FetchAddr is 0",
    "prints the raw words",
  ),
  quirk(
    9,
    "IPA_FULL",
    "IPA is bits 55:12 only (7.3.12)",
    "all 64 bits of the IPA are stored",
    "prints the raw words",
  ),
  quirk(
    10,
    "S2_FLAG_LOST",
    "a stage 2 fault on a stage 1 table has S2=1, CLASS=TT (7.3)",
    "S2=0 when a table below the start table faults",
    "decides from S2 what to print",
  ),
  quirk(
    11,
    "TABLE_IPA",
    "the IPA of such a fault is the descriptor's (7.3)",
    "it is the address of the table",
    "prints it",
  ),
  quirk(
    12,
    "TABLE_BASE_ONLY",
    "every descriptor address goes through stage 2 (3.4)",
    "only the table's base does; the index is added to the result",
    "cannot tell while S1 granule <= S2 page",
  ),
  quirk(
    13,
    "TTB_AT_DECODE",
    "TTBx is translated when it is used (3.4)",
    "both are translated when the CD is decoded, and the result is kept with the configuration",
    "invalidates both after changes",
  ),
  quirk(
    14,
    "FAULT_ORDER",
    "ADDR_SIZE of each level, then ACCESS, then PERMISSION (3.12)",
    "ACCESS, PERMISSION, then ADDR_SIZE of the leaf; table addresses are not checked",
    "writes no such tables",
  ),
  quirk(
    15,
    "BLOCK_ANY_LEVEL",
    "blocks only at the levels that allow them (DDI0487 D8.3)",
    "a block at any level above 3",
    "writes no such tables",
  ),
  quirk(
    16,
    "APTABLE_AT_TABLE",
    "APTable combines with the leaf (DDI0487 D8.4)",
    "F_PERMISSION at the table itself, for writes only",
    "leaves APTable 0",
  ),
  quirk(
    17,
    "NO_PRIVILEGE",
    "privilege, execute permission, WXN, PAN and E0PD are checked (DDI0487 D8.4)",
    "every access is a privileged data access",
    "cannot tell with data traffic",
  ),
  quirk(
    19,
    "ADDRESS_47",
    "descriptor address bits by OAS, granule and DS (DDI0487 D8.3)",
    "always bits 47 to the granule",
    "uses at most 48 bits",
  ),
  quirk(
    20,
    "BYPASS_UNBOUNDED",
    "a bypass beyond OAS or IAS is F_ADDR_SIZE, always recorded (3.4)",
    "no check for bypass; for stage 2 alone the fault is not recorded",
    "never sends it",
  ),
  quirk(
    21,
    "TBI1_IS_TBI0",
    "TBI1 governs the upper half (5.4)",
    "TBI0 governs both halves",
    "leaves TBI1 0",
  ),
  quirk(22, "TXSZ_16_39", "12..39, 47 or 48 by feature (5.4)", "16..39 only", "within 16..39"),
  quirk(
    23,
    "S2T0SZ_BY_PS",
    "the smallest S2T0SZ is max(16, 64-IAS) (5.2)",
    "it depends on S2PS as well",
    "sets S2PS to the IPA size",
  ),
  quirk(
    24,
    "S2_HTTU_UNCHECKED",
    "S2HA and S2HD without HTTU are ILLEGAL (5.2)",
    "not looked at",
    "leaves them 0",
  ),
  quirk(
    25,
    "S1CDMAX_CHECKED",
    "S1CDMax is ignored when SSIDSIZE is 0 (5.2)",
    "a non-zero value is C_BAD_STE",
    "leaves it 0",
  ),
  quirk(
    26,
    "S2AA64_ASSERT",
    "an LPAE stage 2 is used or ILLEGAL (5.2)",
    "the process ends (a guest can only end itself); we answer C_BAD_STE",
    "sets S2AA64",
  ),
  quirk(
    27,
    "STRW_IGNORED",
    "STRW selects the StreamWorld or is ILLEGAL (3.3.4)",
    "not looked at",
    "sets it only with Hyp",
  ),
  quirk(
    28,
    "S1STALLD_ANY",
    "S1STALLD is ignored without stage 1 (5.2)",
    "C_BAD_STE whatever Config is",
    "sets it only with stage 1",
  ),
  quirk(
    30,
    "SYNC_CS3",
    "CMD_SYNC with CS=3 is CERROR_ILL (4.7)",
    "taken as CS=1",
    "never sends it",
  ),
  quirk(
    32,
    "SILENT_COMMANDS",
    "a command of an absent feature is CERROR_ILL (4.1)",
    "EL2, EL3, ATC, PRI and stall commands are consumed silently, and without stage 1 CFGI_CD " +
      "for a StreamID that no function has (our `qemu` mode refuses that one)",
    "never sends them",
  ),
  quirk(
    34,
    "RIL_ZERO",
    "TG without NUM, SCALE and TTL is CERROR_ILL (4.4)",
    "executed as one page",
    "always gives TTL",
  ),
  quirk(35, "RIL_SCALE5", "SCALE has 6 bits with DS (4.4)", "5 bits", "5 bits"),
  quirk(
    36,
    "NH_ALL_S1",
    "NH_ALL removes stage 1 and combined entries of a VMID (4.4)",
    "the same, but with no stage 2 everything is flushed",
    "cannot tell",
  ),
  quirk(
    37,
    "HIT_WRITE_ONLY",
    "permissions are checked on every access (3.12)",
    "a hit checks only write permission, and a nested mapping reports stage 1's permissions",
    "cannot tell",
  ),
  quirk(38, "ADDRESS_FIELDS", "TTB, S2TTB up to bit 55 (5.2, 5.4)", "up to bit 51", "up to bit 51"),
  quirk(
    39,
    "BASE_MASKS",
    "queue bases from bit 5, STRTAB_BASE from bit 6, up to bit 55 (6.3)",
    "bits 51:6 for all",
    "aligns further",
  ),
  quirk(
    40,
    "IOTLB_256",
    "entries may leave at any time (3.17)",
    "256 entries, flushed whole when full",
    "cannot tell",
  ),
  quirk(
    41,
    "CONCAT_MASKED",
    "concatenated stage 2 tables are one array (3.4.1)",
    "the table's offset is masked away: index 0 is always read",
    "uses them with 40-bit IPAs on 4K",
  ),
  quirk(
    42,
    "DMA_SPLIT_4",
    "one transaction, one event (7.3)",
    "a faulting access is retried in aligned pieces of at most 4 bytes, each with its event",
    "prints each",
  ),
  quirk(
    43,
    "NO_STALL_CHECKS",
    "legal CD.A, S and S1STALLD by IDR0 (5.4)",
    "S=1, A=0, HA, HD, S2ENDI, S2S are always ILLEGAL",
    "follows IDR0",
  ),
  quirk(
    45,
    "S2_INDEX_MASK",
    "a start table wider than its level is ILLEGAL or concatenated (5.2)",
    "the index mask wraps and the walk reads near address 0",
    "writes consistent sizes",
  ),
  quirk(
    46,
    "CD_IPS_ASSERT",
    "IPS 6 and 7 are capped (5.4)",
    "the process ends; we cap IPS",
    "writes at most 5",
  ),
  quirk(
    47,
    "CD_AT_CTXPTR",
    "SubstreamID, S1CDMax, S1Fmt and S1DSS choose the CD (3.9, 5.3)",
    "the CD at S1ContextPtr is used for every transaction",
    "gives passthrough devices with PASIDs S1DSS=1: the walk then reads a CD that is not there",
  ),
  quirk(
    48,
    "IRQ_CFG_UNREADABLE",
    "EVENTQ_IRQ_CFG0-2 read back (6.3.30)",
    "they read as zero",
    "does not read them",
  ),
  quirk(
    49,
    "S2PTW_IGNORED",
    "with STE.S2PTW a walk through stage 2 Device memory is F_PERMISSION (5.2)",
    "S2PTW is not looked at",
    "leaves it 0 for devices",
  ),
  quirk(
    50,
    "ITS_TABLE_32BIT",
    "an indirect table has (pages * page size / 8) * (page size / entry size) entries " +
      "(IHI0069 5.2)",
    "the product is cut to 32 bits: 64 pages of 64 KB, and multiples, have no entries",
    "uses one page for an indirect table",
  ),
  quirk(
    51,
    "ITS_L2_UNMASKED",
    "bits 51:12 of a level 1 entry, aligned to the page (IHI0069 5.2)",
    "bits 50:0 as they are",
    "writes aligned addresses",
  ),
  quirk(
    52,
    "ITS_CREADR_RW",
    "GITS_CREADR is read-only (IHI0069 12.19)",
    "writable while GICD_CTLR.DS is 1",
    "never writes it",
  ),
  quirk(
    53,
    "ITS_CTE_FAULT_PASSES",
    "a collection entry that cannot be read stalls the queue (IHI0069 5.3)",
    "INT, CLEAR and DISCARD go on to the next command",
    "never gets there",
  ),
  quirk(
    54,
    "ITS_STALLED_STICKS",
    "a stalled queue restarts with GITS_CWRITER.Retry and Stalled clears (IHI0069 12.19)",
    "any write to GITS_CWRITER restarts it; Stalled stays until GITS_CBASER is written",
    "never gets there",
  ),
  quirk(
    55,
    "ITS_MOVI_UNBOUNDED",
    "only an LPI within the pending tables has state to move (IHI0069 5.1)",
    "MOVI compares the byte offset with the number of bits: 8 times too far",
    "maps only LPIs within the tables",
  ),
  quirk(
    56,
    "ITS_MAPD_SIZE_ANY",
    "MAPD with V=0 does not look at Size (IHI0069 5.3)",
    "a Size beyond GITS_TYPER.ID_bits is an error with V=0 too",
    "writes a legal Size",
  ),
  quirk(
    57,
    "ITS_INVALL_ANY",
    "INVALL of an unmapped collection is an error (IHI0069 5.3)",
    "INVALL always rereads the LPIs of every redistributor",
    "names mapped collections",
  ),
  quirk(
    58,
    "ITS_RDBASE_16",
    "MAPC uses bits 51:16 of RDbase (IHI0069 5.3)",
    "only its low 16 bits",
    "writes a processor number",
  ),
  quirk(
    59,
    "ITS_CBASER_4K",
    "the command queue is aligned to 64 KB: bits 15:12 of its address are 0 (IHI0069 12.19)",
    "bits 51:12 are used as they are",
    "aligns the queue to 64 KB",
  ),
];

/** Quirk bits of a compatibility mode as one 64-bit word; bit n is quirk n. */
export function quirkWord(compat: "arch" | "qemu"): bigint {
  if (compat === "arch") return 0n;
  return QUIRKS.reduce((word, q) => word | (1n << BigInt(q.bit)), 0n);
}
