// QEMU's trace lines in short form, and our own lines read back the same way.
import { describe, expect, test } from "vitest";
import { shortenTrace, splitTrace } from "../../src/conform/trace.ts";
import { matcher } from "../../src/qtest/trace.ts";

const LINES = [
  "smmuv3_write_mmio addr: 0x20 val:0xd size: 0x4(0)",
  "smmuv3_config_cache_miss Config cache MISS for sid=0x8 (hits=0, misses=1, hit rate=0)",
  "smmuv3_find_ste sid=0x8 features:0x0, sid_split:0x0",
  "smmuv3_find_ste_2lvl strtab_base:0x44000000 l1ptr:0x44000008 l1_off:0x1, " +
    "l2ptr:0x46000000 l2_off:0x8 max_l2_ste:511",
  "smmuv3_get_ste STE addr: 0x46000200",
  "smmuv3_get_cd CD addr: 0x42200000",
  "smmu_iotlb_lookup_miss IOTLB cache MISS asid=-1 vmid=3 addr=0x1000 hit=0 miss=1 hit rate=0",
  "smmu_get_pte baseaddr=0x48000000 index=0x0, pteaddr=0x48000000, pte=0x48001003",
  "smmu_ptw_level stage=2 level=0 iova=0x1000 subpage_sz=0x8000000000 " +
    "baseaddr=0x48000000 offset=0 => pte=0x48001003",
  "smmu_iotlb_insert IOTLB ++ asid=65535 vmid=3 addr=0x1000 tg=1 level=3",
  "smmuv3_translate_success smmuv3-iommu-memory-region-8-0 sid=0x8 iova=0x1000 " +
    "translated=0x50000000 perm=0x3 stage=3",
];
const SHORT = [
  "cfg miss",
  "l1std 0x44000008",
  "ste 0x46000200",
  "cd 0x42200000",
  "look -1 3 0x1000 miss",
  "pte 2 0 0x48000000 0x48001003",
  "ins 65535 3 0x1000 1 3",
  "ok 0x50000000 3 3",
];

describe("QEMU's lines", () => {
  test("become one short line each; what says nothing about a translation is left out", () => {
    expect(shortenTrace(LINES)).toEqual(SHORT);
  });

  test("are parted by the reads of EVENTQ_PROD, on either page", () => {
    const read = (offset: string) => `smmuv3_read_mmio addr: ${offset} val:0x0 size: 0x4(0)`;
    const parts = splitTrace([...LINES, read("0x100a8"), read("0x60"), read("0xa8"), LINES[4]]);
    expect(parts).toEqual([SHORT, []]);
  });

  test("of an unknown form are an error, not a gap", () => {
    expect(() => shortenTrace(["smmuv3_get_ste somewhere else"])).toThrow("unknown form");
  });
});

test("trace patterns choose lines by name", () => {
  expect(matcher(["smmu*"])("smmuv3_get_ste")).toBe(true);
  expect(matcher(["smmu_*", "x"])("smmuv3_get_ste")).toBe(false);
  expect(matcher([])("smmuv3_get_ste")).toBe(false);
  expect(matcher(["smmu.*"])("smmuv3")).toBe(false);
});
