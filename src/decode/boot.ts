// The driver's boot line and what its feature mask says (Linux drivers/iommu/arm/arm-smmu-v3).
import type { Feature, FeaturesRecord } from "./types.ts";

/** One bit of the mask. `since` is the first release line whose driver defines it. */
export interface MaskBit {
  readonly name: string;
  readonly since: string;
  readonly meaning: string;
}

/**
 * Mainline has only ever appended bits, so one table reads every mainline kernel; vendor kernels
 * have
 * used bits from 18 up for other things.
 */
export const BOOT_BITS: readonly MaskBit[] = [
  { name: "2_LVL_STRTAB", since: "4.2", meaning: "2-level stream table" },
  { name: "2_LVL_CDTAB", since: "4.2", meaning: "2-level CD tables" },
  { name: "TT_LE", since: "4.2", meaning: "little-endian translation tables" },
  { name: "TT_BE", since: "4.2", meaning: "big-endian translation tables" },
  { name: "PRI", since: "4.2", meaning: "page request interface" },
  { name: "ATS", since: "4.2", meaning: "address translation service" },
  { name: "SEV", since: "4.2", meaning: "CMD_SYNC can wake waiting CPUs by an event" },
  { name: "MSI", since: "4.2", meaning: "the SMMU's own interrupts can be MSIs" },
  { name: "COHERENCY", since: "4.2", meaning: "table walks are coherent with the CPU caches" },
  { name: "TRANS_S1", since: "4.2", meaning: "stage 1 translation" },
  { name: "TRANS_S2", since: "4.2", meaning: "stage 2 translation" },
  { name: "STALLS", since: "4.2", meaning: "faulting transactions can stall" },
  { name: "HYP", since: "4.2", meaning: "EL2 stream worlds" },
  { name: "STALL_FORCE", since: "4.17", meaning: "faulting transactions always stall" },
  { name: "VAX", since: "4.17", meaning: "52-bit virtual addresses" },
  { name: "RANGE_INV", since: "5.7", meaning: "range invalidation commands" },
  { name: "BTM", since: "5.10", meaning: "broadcast TLB maintenance from CPUs reaches the SMMU" },
  { name: "SVA", since: "5.10", meaning: "devices can share process address spaces" },
  { name: "E2H", since: "5.14", meaning: "the kernel runs at EL2 and so do its streams" },
  { name: "NESTING", since: "6.5", meaning: "stage 1 and stage 2 can be nested" },
  { name: "ATTR_TYPES_OVR", since: "6.10", meaning: "an STE can override memory attributes" },
  { name: "HA", since: "6.11", meaning: "hardware sets the Access flag" },
  { name: "HD", since: "6.11", meaning: "hardware tracks dirty pages" },
  { name: "S2FWB", since: "6.13", meaning: "stage 2 can force write-back memory" },
  { name: "BBML2", since: "6.17", meaning: "mappings can change size without break-before-make" },
];

/** Bits that some vendor kernel uses otherwise, and how. */
const VENDOR_FROM = 18;

const isSet = (mask: number, bit: number): boolean => Math.floor(mask / 2 ** bit) % 2 === 1;

/** Features of a mask, bit by bit; bits that no mainline kernel has are named as such. */
export function maskFeatures(mask: number): Feature[] {
  return Array.from({ length: 32 }, (_, bit) => bit)
    .filter((bit) => isSet(mask, bit))
    .map((bit) => {
      const known = BOOT_BITS[bit];
      return known === undefined
        ? {
            name: `bit ${bit}`,
            value: "1",
            meaning: "unknown: newer than this table, or a vendor's",
          }
        : {
            name: known.name,
            value: `bit ${bit}`,
            meaning: `${known.meaning} (Linux ${known.since})`,
          };
    });
}

const capable = (mask: number, names: readonly string[]): boolean =>
  names.every((name) =>
    isSet(
      mask,
      BOOT_BITS.findIndex((b) => b.name === name),
    ),
  );

/** What the mask means for someone who passes devices to guests or shares address spaces. */
function conclusions(mask: number): string[] {
  const lines: string[] = [];
  const has = (...names: string[]): boolean => capable(mask, names);
  lines.push(
    has("TRANS_S1") && has("TRANS_S2")
      ? "both stages: the kernel can use nested translation if bit NESTING is set too"
      : has("TRANS_S1")
        ? "stage 1 only"
        : has("TRANS_S2")
          ? "stage 2 only"
          : "no translation stage: the driver would have refused this SMMU",
  );
  if (!has("COHERENCY"))
    lines.push(
      "not coherent: the driver cleans caches for every table update; VFIO refuses devices",
    );
  if (!has("2_LVL_STRTAB"))
    lines.push("linear stream table: it must be large enough for the highest StreamID");
  if (has("ATS") !== has("PRI") && has("ATS"))
    lines.push("ATS without PRI: devices cannot page-fault");
  if (mask >= 2 ** VENDOR_FROM)
    lines.push(
      `bits ${VENDOR_FROM} and up are read as mainline Linux defines them; vendor ` +
        "kernels (openEuler, Android) may differ",
    );
  return lines;
}

/** Reads the boot line "ias 44-bit, oas 44-bit (features 0x…)"; since 7.x it prints only oas. */
export function decodeBoot(line: { ias?: number; oas: number; mask: number }): FeaturesRecord {
  return {
    kind: "features",
    source: "boot",
    mask: line.mask,
    oas: line.oas,
    ...(line.ias === undefined ? {} : { ias: line.ias }),
    features: maskFeatures(line.mask),
    fields: [],
    hints: conclusions(line.mask).map((text) => ({
      id: "boot-features",
      part: "meaning",
      confidence: "certain",
      text,
    })),
    notes: line.ias === undefined ? ["wording of newer kernels: only oas is printed"] : [],
    fault: false,
  };
}
