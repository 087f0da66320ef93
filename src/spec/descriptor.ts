// VMSAv8-64 translation table descriptors of both stages for the three granules (DDI0487 D8.3).
import {
  address,
  bits,
  type CaseDraft,
  enumeration,
  type FieldDraft,
  flag,
  ignored,
  res0,
  union,
} from "./field.ts";

/** Bits [1:0] of a descriptor above level 3. */
export const PTE_type = enumeration("PTE_type", { 1: "BLOCK", 3: "TABLE" });

/** Bits [1:0] of a level 3 descriptor. */
export const PTE_type_L3 = enumeration("PTE_type", { 1: "L3_RESERVED", 3: "PAGE" });

/** Limits of stage 2 tables. */
export const S2 = enumeration("S2", { 16: "max_concat_tables" });

/** Shareability encodings; 1 is reserved. */
const SH = { 0: "NSH", 2: "OSH", 3: "ISH" };

const DS = "DS=1, 4KB or 16KB granule";
const LPA = "64KB granule with 52-bit addresses";

/** How one granule and addressing mode places the table or output address. */
interface Place {
  /** Lowest address bit that a descriptor of this size holds. */
  readonly low: number;
  readonly mode: "48" | "DS" | "LPA";
}

const TABLE_PLACES = {
  "4K": { low: 12, mode: "48" },
  "16K": { low: 14, mode: "48" },
  "64K": { low: 16, mode: "48" },
  "4K_DS": { low: 12, mode: "DS" },
  "16K_DS": { low: 14, mode: "DS" },
  "64K_LPA": { low: 16, mode: "LPA" },
} as const satisfies Record<string, Place>;

const LEAF_PLACES = {
  "4K_PAGE": { low: 12, mode: "48" },
  "4K_L2": { low: 21, mode: "48" },
  "4K_L1": { low: 30, mode: "48" },
  "16K_PAGE": { low: 14, mode: "48" },
  "16K_L2": { low: 25, mode: "48" },
  "64K_PAGE": { low: 16, mode: "48" },
  "64K_L2": { low: 29, mode: "48" },
  "4K_DS_PAGE": { low: 12, mode: "DS" },
  "4K_DS_L2": { low: 21, mode: "DS" },
  "4K_DS_L1": { low: 30, mode: "DS" },
  "4K_DS_L0": { low: 39, mode: "DS" },
  "16K_DS_PAGE": { low: 14, mode: "DS" },
  "16K_DS_L2": { low: 25, mode: "DS" },
  "16K_DS_L1": { low: 36, mode: "DS" },
  "64K_LPA_PAGE": { low: 16, mode: "LPA" },
  "64K_LPA_L2": { low: 29, mode: "LPA" },
  "64K_LPA_L1": { low: 42, mode: "LPA" },
} as const satisfies Record<string, Place>;

type Item = string | FieldDraft | readonly [string, FieldDraft];

/** Bits [49:12]: the address named `name`, its extensions, and nT where blocks have it. */
function addressItems(name: string, place: Place, nT: boolean): Item[] {
  const items: Item[] = [];
  let next = 12;
  if (place.mode === "LPA") {
    items.push(`${name}[51:48]`);
    next = 16;
  }
  if (nT && place.low > 16) {
    if (next < 16) items.push(res0(15, next));
    items.push("nT");
    next = 17;
  }
  if (next < place.low) items.push(res0(place.low - 1, next));
  items.push([name, address(47, place.low)]);
  items.push(place.mode === "DS" ? `${name}[49:48]` : res0(49, 48));
  return items;
}

/** One encoding per place. The field names are checked when the union is built. */
function casesOf<K extends string>(
  places: Readonly<Record<K, Place>>,
  layout: (place: Place) => Item[],
): Record<K, CaseDraft<never>> {
  return Object.fromEntries(
    Object.entries<Place>(places).map(([key, place]) => [key, { layout: layout(place) }]),
  ) as unknown as Record<K, CaseDraft<never>>;
}

const VALID = flag(0, "1 makes the descriptor valid; 0 faults and the other bits mean nothing.");
const NLTA = {
  NLTA: address(47, 12, "Next-level table address; its low bits depend on the granule."),
  "NLTA[49:48]": bits(49, 48, undefined, { meaning: "Next-level table address bits.", gate: DS }),
  "NLTA[51:48]": bits(15, 12, undefined, { meaning: "Next-level table address bits.", gate: LPA }),
  "NLTA[51:50]": bits(9, 8, undefined, { meaning: "Next-level table address bits.", gate: DS }),
};
const OA = {
  OA: address(47, 12, "Output address; its low bits depend on the granule and level."),
  "OA[49:48]": bits(49, 48, undefined, { meaning: "Output address bits.", gate: DS }),
  "OA[51:48]": bits(15, 12, undefined, { meaning: "Output address bits.", gate: LPA }),
  "OA[51:50]": bits(9, 8, undefined, { meaning: "Output address bits.", gate: DS }),
};

/** Bits [11:2] of a table descriptor. */
const tableLow = (place: Place): Item[] =>
  place.mode === "DS"
    ? [ignored(7, 2), "NLTA[51:50]", "AF", ignored(11, 11)]
    : [ignored(9, 2), "AF", ignored(11, 11)];

/** Stage 1 table descriptor, level 0 to 2 (level -1 with DS). */
export const S1TABLE = union(
  "S1TABLE",
  64,
  "D8.3.1.1",
  {
    valid: VALID,
    type: flag(1, "1 is a table; at level 3 a descriptor with 0 here is invalid."),
    AF: flag(10, { meaning: "Access flag of the table.", gate: "HAFT" }),
    ...NLTA,
    PXNTable: flag(59, {
      meaning: "Nothing below may be executed by privileged accesses.",
      gate: "HADx=0, two privilege levels",
    }),
    UXNTable: flag(60, {
      meaning: "Nothing below may be executed (by unprivileged accesses, if there are two levels).",
      gate: "HADx=0",
    }),
    APTable: bits(
      62,
      61,
      { 0: "NONE", 1: "NO_UNPRIVILEGED", 2: "READ_ONLY", 3: "READ_ONLY_PRIVILEGED" },
      {
        meaning: "Permissions taken away from everything below.",
        gate: "HADx=0",
      },
    ),
    NSTable: flag(63, {
      meaning: "Lookups below are Non-secure and their output is too.",
      gate: "Secure",
    }),
  },
  casesOf(TABLE_PLACES, (place) => [
    "valid",
    "type",
    ...tableLow(place),
    ...addressItems("NLTA", place, false),
    res0(50, 50),
    ignored(58, 51),
    "PXNTable",
    "UXNTable",
    "APTable",
    "NSTable",
  ]),
  { meaning: "Stage 1 descriptor that points to a table of the next level." },
);

/** Stage 1 block or page descriptor. */
export const S1LEAF = union(
  "S1LEAF",
  64,
  "D8.3.1.2",
  {
    valid: VALID,
    type: flag(1, "1 is a page (level 3), 0 a block."),
    AttrIndx: bits(4, 2, undefined, "Which attribute byte of MAIR describes the memory."),
    NS: flag(5, { meaning: "The output is in the Non-secure space.", gate: "Secure" }),
    "AP[1]": flag(6, {
      meaning: "Unprivileged accesses are allowed.",
      gate: "two privilege levels, else RES1",
    }),
    "AP[2]": flag(7, "Writes are not allowed."),
    SH: bits(9, 8, SH, { meaning: "Shareability of the memory.", gate: "DS=0 or 64KB granule" }),
    AF: flag(10, "Access flag: 0 faults unless hardware may set it."),
    nG: flag(11, {
      meaning: "The translation belongs to one ASID.",
      gate: "two privilege levels",
    }),
    nT: flag(16, {
      meaning: "The block may not be cached while its table is being replaced.",
      gate: "BBML>=1, block",
    }),
    ...OA,
    GP: flag(50, { meaning: "Guarded page; the SMMU does not use it.", gate: "BTI" }),
    DBM: flag(51, {
      meaning: "Hardware may make the memory writeable: with AP[2]=1 it is writeable-clean.",
      gate: "HTTU>=2, CD.HD",
    }),
    Contiguous: flag(52, "The entry is one of a group that maps contiguous memory."),
    PXN: flag(53, {
      meaning: "Privileged accesses may not execute.",
      gate: "two privilege levels",
    }),
    UXN: flag(54, "Unprivileged accesses may not execute; XN for all where there is one level."),
    SW: bits(58, 55, undefined, "Free for software."),
    PBHA: bits(62, 59, undefined, {
      meaning: "Page-based hardware attributes, where CD.HWUxnn allows.",
      gate: "PBHA",
    }),
  },
  casesOf(LEAF_PLACES, (place) => [
    "valid",
    "type",
    "AttrIndx",
    "NS",
    "AP[1]",
    "AP[2]",
    place.mode === "DS" ? "OA[51:50]" : "SH",
    "AF",
    "nG",
    ...addressItems("OA", place, true),
    "GP",
    "DBM",
    "Contiguous",
    "PXN",
    "UXN",
    "SW",
    "PBHA",
    ignored(63, 63),
  ]),
  { meaning: "Stage 1 descriptor of a block or page." },
);

/** Stage 2 table descriptor. */
export const S2TABLE = union(
  "S2TABLE",
  64,
  "D8.3.1.1",
  {
    valid: VALID,
    type: flag(1, "1 is a table; at level 3 a descriptor with 0 here is invalid."),
    AF: flag(10, { meaning: "Access flag of the table.", gate: "S2HAFT" }),
    ...NLTA,
  },
  casesOf(TABLE_PLACES, (place) => [
    "valid",
    "type",
    ...tableLow(place),
    ...addressItems("NLTA", place, false),
    res0(50, 50),
    ignored(58, 51),
    res0(63, 59),
  ]),
  { meaning: "Stage 2 descriptor that points to a table of the next level." },
);

/** Stage 2 block or page descriptor. */
export const S2LEAF = union(
  "S2LEAF",
  64,
  "D8.3.1.2",
  {
    valid: VALID,
    type: flag(1, "1 is a page (level 3), 0 a block."),
    MemAttr: bits(5, 2, undefined, "Memory type, read in one of two ways by STE.S2FWB."),
    "S2AP[0]": flag(6, "Reads are allowed."),
    "S2AP[1]": flag(7, "Writes are allowed."),
    SH: bits(9, 8, SH, { meaning: "Shareability of the memory.", gate: "S2DS=0 or 64KB granule" }),
    AF: flag(10, "Access flag: 0 faults unless hardware may set it."),
    FnXS: flag(11, { meaning: "Kind of TLB maintenance; the SMMU does not use it.", gate: "XS" }),
    nT: flag(16, {
      meaning: "The block may not be cached while its table is being replaced.",
      gate: "BBML>=1, block",
    }),
    ...OA,
    DBM: flag(51, {
      meaning: "Hardware may make the memory writeable: with S2AP[1]=0 it is writeable-clean.",
      gate: "HTTU>=2, S2HD",
    }),
    Contiguous: flag(52, "The entry is one of a group that maps contiguous memory."),
    XN: bits(
      54,
      53,
      { 0: "EXEC", 1: "EXEC_EL0", 2: "NONE", 3: "EXEC_EL1" },
      {
        meaning: "Who may execute; without XNX bit 54 alone forbids everybody.",
        gate: "bit 53: XNX",
      },
    ),
    NS: flag(55, { meaning: "The output is in the Non-secure space.", gate: "Realm" }),
    PBHA: bits(62, 59, undefined, {
      meaning: "Page-based hardware attributes, where STE.S2HWUnn allows.",
      gate: "PBHA",
    }),
  },
  casesOf(LEAF_PLACES, (place) => [
    "valid",
    "type",
    "MemAttr",
    "S2AP[0]",
    "S2AP[1]",
    place.mode === "DS" ? "OA[51:50]" : "SH",
    "AF",
    "FnXS",
    ...addressItems("OA", place, true),
    res0(50, 50),
    "DBM",
    "Contiguous",
    "XN",
    "NS",
    ignored(58, 56),
    "PBHA",
    ignored(63, 63),
  ]),
  { meaning: "Stage 2 descriptor of a block or page." },
);
