// The record of a real VMM is reproduced, and every kind of change to it is noticed with its line.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { ACCEL_TALLIES, type AccelTallyName } from "../../src/capture/accel-report.ts";
import { openCapture } from "../../src/capture/capture.ts";
import type { CaptureFiles } from "../../src/capture/files.ts";
import { directoryFiles } from "../../src/capture/node.ts";
import { SECTIONS } from "../../src/capture/replay.ts";
import { ReportBuilder } from "../../src/capture/replay-report.ts";

const CAPTURES = new URL("../captures/", import.meta.url);
const ABOUT_THE_VMM = ["accel", "fallback", "plain"];

const textOf = (capture: string, file: string): string =>
  gunzipSync(readFileSync(new URL(`${capture}/${file}.gz`, CAPTURES))).toString();

/** The capture's files with some of them replaced (or, by undefined, absent). */
async function filesOf(
  capture: string,
  changes: Record<string, string | undefined> = {},
): Promise<CaptureFiles> {
  const files = await directoryFiles(new URL(capture, CAPTURES).pathname);
  return {
    ...files,
    read: async (file) => {
      const name = file.replace(/\.gz$/, "");
      if (!(name in changes)) return await files.read(file);
      const text = changes[name];
      return text === undefined ? undefined : new TextEncoder().encode(text);
    },
  };
}

/** The part of a replay that is about the VMM. */
async function replay(capture: string, changes: Record<string, string | undefined> = {}) {
  const opened = await openCapture(await filesOf(capture, changes));
  const report = new ReportBuilder(capture, "qemu");
  for (const section of SECTIONS)
    if (ABOUT_THE_VMM.includes(section.name))
      await section.run({ capture: opened, compat: "qemu", report, progress: () => {} });
  return report.report;
}

const checked = (accel: NonNullable<Awaited<ReturnType<typeof replay>>["accel"]>) =>
  Object.fromEntries(ACCEL_TALLIES.map((name) => [name, accel[name].checked]));

describe("the accelerated run", () => {
  it("is reproduced act by act, and the VMM reads no page table and no CD", async () => {
    const { accel, mismatches } = await replay("l1-accel-uefi");
    expect(mismatches).toEqual([]);
    expect(accel && checked(accel)).toEqual({
      calls: 59,
      attaches: 16,
      installs: 12,
      invalidations: 298,
      hostQueue: 158,
      fixups: 6,
      walks: 0,
      routes: 21,
      vectors: 8,
      events: 6,
      registers: 204,
    });
    for (const name of ACCEL_TALLIES) expect(accel?.[name].matched).toBe(accel?.[name].checked);
    expect(accel?.vmmReads).toEqual({ commands: 648, streamTable: 81, tables: 0 });
  });

  it("is reproduced as far as the call log goes when only that names the commands", async () => {
    const log = textOf("l1-accel-uefi", "vmm-ioctls.jsonl").split("\n").slice(0, 190);
    const { accel, mismatches } = await replay("l1-accel-uefi", {
      "guest-view/manifest.json": undefined,
      "vmm-ioctls.jsonl": log.join("\n"),
    });
    expect(mismatches).toEqual([]);
    expect(accel?.hostQueue.checked).toBeGreaterThan(15);
    expect(accel?.hostQueue.checked).toBeLessThan(158);
  });

  it("is reproduced without the guest's own view of its queues", async () => {
    const { accel, mismatches } = await replay("l1-accel-uefi", {
      "guest-view/manifest.json": undefined,
    });
    expect(mismatches).toEqual([]);
    expect(accel?.invalidations).toEqual({ checked: 298, matched: 298 });
    expect(accel?.events).toEqual({ checked: 3, matched: 3 });
  });
});

/** A change of the record: the file, what is replaced by what, and the tally that notices. */
type Change = readonly [string, string, RegExp, string, AccelTallyName];

const CHANGES: readonly Change[] = [
  ["another device id", "vmm-trace.txt", /output devid=7/, "output devid=9", "calls"],
  ["another HWPT id", "vmm-trace.txt", /out_hwpt=13/, "out_hwpt=16", "calls"],
  [
    "another vDEVICE",
    "vmm-trace.txt",
    /virt_id=0x10 vdev_id=10/,
    "virt_id=0x10 vdev_id=12",
    "calls",
  ],
  ["another event queue", "vmm-trace.txt", /veventq_id=12/, "veventq_id=13", "calls"],
  ["another attach", "vmm-trace.txt", /pasid 0 to id=14/, "pasid 0 to id=6", "attaches"],
  [
    "another order at reset",
    "vmm-trace.txt",
    /(reset_exit.*\n.*00:0)6(.*\n.*00:0)4/,
    "$14$26",
    "attaches",
  ],
  [
    "another kind of install",
    "vmm-trace.txt",
    /vSID=0x10 ste type=translate/,
    "vSID=0x10 ste type=bypass",
    "installs",
  ],
  [
    "another doorbell",
    "vmm-trace.txt",
    /translated into 0x8090040/,
    "translated into 0x8090000",
    "fixups",
  ],
  ["another GSI", "vmm-trace.txt", /vector 1 virq 257/, "vector 1 virq 300", "routes"],
  [
    "a vector that is not released",
    "vmm-trace.txt",
    /vfio_msix_vector_release .*\nkvm/,
    "kvm",
    "vectors",
  ],
  [
    "another event",
    "vmm-trace.txt",
    /SMMU_EVT_F_TRANSLATION sid=0x18/,
    "SMMU_EVT_F_PERMISSION sid=0x18",
    "events",
  ],
  ["another ID register", "vmm-trace.txt", /val:0xd44101a/, "val:0xd44101b", "registers"],
  [
    "an invalidation that is not forwarded",
    "vmm-trace.txt",
    /iommufd_backend_invalidate_cache .*\n/,
    "",
    "invalidations",
  ],
  [
    "another parent in a call",
    "vmm-ioctls.jsonl",
    /"pt_id": 4, "out_hwpt_id": 14/,
    '"pt_id": 3, "out_hwpt_id": 14',
    "calls",
  ],
  ["another vSTE", "vmm-ioctls.jsonl", /"0x4086600b", "0xd6"/, '"0x4086600b", "0xd7"', "calls"],
  [
    "a call that failed",
    "vmm-ioctls.jsonl",
    /"IOMMU_VIOMMU_ALLOC", "rc": 0/,
    '"IOMMU_VIOMMU_ALLOC", "rc": -1',
    "calls",
  ],
  [
    "another command",
    "vmm-ioctls.jsonl",
    /120000000000020001c7ffff/,
    "120000000000020001c8ffff",
    "invalidations",
  ],
  [
    "another route",
    "vmm-ioctls.jsonl",
    /(raw_msi_entries": \["0001000002000000010000000000000040)00/,
    "$101",
    "routes",
  ],
  [
    "another physical command",
    "replay.jsonl",
    /12000000010002000\d/,
    "120000000100030001",
    "hostQueue",
  ],
  [
    "another record in the guest's queue",
    "guest-view/manifest.json",
    /1000000018000000000000000802/,
    "1000000018000000000000000902",
    "events",
  ],
];

describe("a changed record", () => {
  it.each(CHANGES)("%s", async (_, file, from, to, tally) => {
    const plain = new URL(`l1-accel-uefi/${file}`, CAPTURES);
    const text = file.startsWith("guest")
      ? readFileSync(plain, "utf8")
      : textOf("l1-accel-uefi", file);
    const changed = text.replace(from, to);
    expect(changed).not.toBe(text);
    const { accel, mismatches } = await replay("l1-accel-uefi", { [file]: changed });
    expect(accel?.[tally].matched).toBeLessThan(accel?.[tally].checked as number);
    const found = mismatches.find((m) => m.kind === `accel.${tally}`);
    expect(found).toBeDefined();
    if (!file.startsWith("guest")) expect(found?.line).toBeGreaterThan(0);
  });

  it("with the same acts in another order is noticed", async () => {
    const text = textOf("l1-accel-uefi", "vmm-trace.txt");
    const changed = text.replace(/(kvm_arm_fixup.*\n)(kvm_irqchip_add_msi_route.*\n)/, "$2$1");
    const { mismatches } = await replay("l1-accel-uefi", { "vmm-trace.txt": changed });
    expect(mismatches.map((m) => m.got)).toEqual(["0xfffff040 becomes 0x8090040 comes first"]);
  });

  it.each(["vmm-trace.txt", "vmm-ioctls.jsonl"])("%s cut anywhere gives no crash", async (file) => {
    const text = textOf("l1-accel-uefi", file);
    const lines = text.split("\n");
    for (const part of [0.1, 0.35, 0.6, 0.85]) {
      const cut = lines.slice(0, Math.floor(lines.length * part)).join("\n");
      const { accel } = await replay("l1-accel-uefi", { [file]: cut });
      expect(accel === undefined || accel.calls.checked > 0).toBe(true);
    }
  });
});

describe("the run of a VMM that walks", () => {
  it("has four fix-ups for two vectors: one walk, three hits", async () => {
    const { accel, mismatches } = await replay("l1-vsmmu-virtio");
    expect(mismatches).toEqual([]);
    expect(accel?.fallback).toEqual({ fixups: 4, vectors: 2, walks: 1, hits: 3 });
    expect(accel?.fixups).toEqual({ checked: 4, matched: 4 });
    expect(accel?.walks).toEqual({ checked: 1877, matched: 1877 });
    expect(accel?.vmmReads).toBeUndefined();
  });

  it("notices a translation that differs", async () => {
    const text = textOf("l1-vsmmu-virtio", "vmm-trace.txt");
    const changed = text.replace("translated=0x41958a44", "translated=0x41958a48");
    const { accel, mismatches } = await replay("l1-vsmmu-virtio", { "vmm-trace.txt": changed });
    expect(accel?.walks.matched).toBe(1876);
    expect(mismatches).toHaveLength(1);
  });

  it("notices a walk where the IOTLB has the page", async () => {
    const text = textOf("l1-vsmmu-virtio", "vmm-trace.txt");
    const walk = /(?:smmu_ptw_level.*iova=0xfffff040.*\n)+/.exec(text)?.[0] ?? "";
    const [first, second] = text.split("vector 1 virq 256");
    const walked = second.replace("smmuv3_translate", `${walk}smmuv3_translate`);
    const changed = `${first}vector 1 virq 256${walked}`;
    const { accel } = await replay("l1-vsmmu-virtio", { "vmm-trace.txt": changed });
    expect(accel?.walks.matched).toBe(1876);
  });
});

describe("passthrough without a vIOMMU", () => {
  it("has routes with the guest's address unchanged and no fix-up", async () => {
    const { accel, mismatches } = await replay("l1-vfio-kvm");
    expect(mismatches).toEqual([]);
    expect(accel?.routes).toEqual({ checked: 12, matched: 12 });
    expect(accel?.vectors).toEqual({ checked: 5, matched: 5 });
    expect(accel?.fixups.checked).toBe(0);
  });
});
