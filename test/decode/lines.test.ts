// Single lines of the driver: its own decoding of events, queue errors, boot lines, other SMMUs.
import { describe, expect, test } from "vitest";
import {
  type DecodedRecord,
  decodeText,
  type ErrorRecord,
  type EventRecord,
  type FeaturesRecord,
  recordJson,
  renderResult,
  type StructureRecord,
} from "../../src/decode/index.ts";
import { kernelLines } from "./kernel-text.ts";

const all = (text: string): readonly DecodedRecord[] => decodeText(text).records;
const one = <T extends DecodedRecord>(text: string): T => {
  const found = all(text);
  expect(found).toHaveLength(1);
  return found[0] as T;
};
const ids = (r: DecodedRecord): string[] => r.hints.map((h) => h.id);

const P = "arm-smmu-v3 9050000.smmuv3:";
const WORDS = ["0x1100000010", "0x20a00000000", "0x9b0cc000", "0x0"];

describe("the kernel's own decoding", () => {
  const text = [
    `${P} event: F_TRANSLATION client: 0000:01:00.0 sid: 0x11 ssid: 0x0 iova: 0x9b0cc000 ipa: 0x0`,
    `${P} priv data read s1 "Input address caused fault" stag: 0x0`,
  ];

  test("belongs to the words before it", () => {
    const device = "arm-smmu-v3 9050000.smmuv3";
    const e = one<EventRecord>([...kernelLines(WORDS, { device }), ...text].join("\n"));
    expect(e).toMatchObject({ source: "words", client: "0000:01:00.0", sid: 0x11, notes: [] });
    expect(e.hints.find((h) => h.id === "next-client")?.text).toContain("0000:01:00.0");
  });

  test("is enough when the words are gone", () => {
    const e = one<EventRecord>(text.join("\n"));
    expect(e).toMatchObject({
      source: "text",
      event: "F_TRANSLATION",
      sid: 0x11,
      iova: 0x9b0cc000n,
      direction: "read",
      privileged: true,
      instruction: false,
      stage: 1,
      class: "IN",
      stall: false,
    });
    expect(e.fields.every((f) => f.from === "text")).toBe(true);
    expect(e.fields.find((f) => f.name === "InputAddr")).toMatchObject({ hi: 191, lo: 128 });
  });

  test("gives what missing words held", () => {
    const device = "arm-smmu-v3 9050000.smmuv3";
    const short = kernelLines(WORDS.slice(0, 2), { device });
    const e = one<EventRecord>([...short, ...text].join("\n"));
    expect(e.iova).toBe(0x9b0cc000n);
    expect(e.fields.find((f) => f.name === "InputAddr")?.from).toBe("text");
    expect(e.fields.find((f) => f.name === "RnW")?.from).toBe("words");
  });

  test("a disagreement is a note", () => {
    const device = "arm-smmu-v3 9050000.smmuv3";
    const words = [WORDS[0], WORDS[1], "0x9b0cd000", WORDS[3]];
    const e = one<EventRecord>([...kernelLines(words, { device }), ...text].join("\n"));
    expect(e.iova).toBe(0x9b0cd000n);
    expect(e.notes.join()).toContain("0x9b0cc000");
  });

  test.each([
    [" iova: 0x9b0cc000", "\niova: 0x9b0cc000"],
    ["iova: 0x9b0cc000", "iova:\n 0x9b0cc000"],
    [" sid: 0x11", "\n sid: 0x11"],
    ["caused fault", "caused\nfault"],
  ])("wrapped at %j", (where, wrapped) => {
    const e = one<EventRecord>(text.join("\n").replace(where, wrapped));
    expect(e).toMatchObject({
      sid: 0x11,
      iova: 0x9b0cc000n,
      direction: "read",
      client: "0000:01:00.0",
    });
  });

  test("configuration faults, fetch faults, unknown clients", () => {
    const bad = one<EventRecord>(
      `${P} event: C_BAD_STREAMID client: (unassigned sid) sid: 0x900 ssid: 0x0`,
    );
    expect(bad).toMatchObject({ event: "C_BAD_STREAMID", sid: 0x900, client: "(unassigned sid)" });
    expect(ids(bad)).toContain("next-unassigned");
    const fetch = one<EventRecord>(
      `${P} event: F_CD_FETCH client: 0000:7d:02.1 sid: 0x7d11 ssid: 0x0 fetch_addr: 0x80000000`,
    );
    expect(fetch).toMatchObject({ event: "F_CD_FETCH", fetchAddr: 0x80000000n });
  });

  test("stage 2 faults of table walks, stalls, PASIDs", () => {
    const e = one<EventRecord>(
      [
        `${P} event: F_PERMISSION client: 0000:01:00.0 sid: 0x100 ssid: 0x5 iova: ` +
          "0x1000 ipa: 0x44000",
        `${P} unpriv data write s2 "Stage 1 translation table fetch" ttd_read stall stag: 0x1f`,
      ].join("\n"),
    );
    expect(e).toMatchObject({ stage: 2, class: "TT", stall: true, ipa: 0x44000n, ssid: 5 });
    expect(e.fields.find((f) => f.name === "TTRnW")?.value).toBe(1n);
    expect(e.fields.find((f) => f.name === "STAG")?.value).toBe(0x1fn);
    expect(ids(e)).toEqual(expect.arrayContaining(["s2-tt", "class-tt", "event-stalled"]));
  });

  test("an event that the driver cannot name keeps its stream and gets no number", () => {
    const result = decodeText(`${P} event: UNKNOWN client: 0000:01:00.0 sid: 0x100 ssid: 0x0`);
    const [e] = result.records as EventRecord[];
    expect(e).toMatchObject({ event: "UNKNOWN", sid: 0x100, client: "0000:01:00.0" });
    expect(ids(e)).toContain("event-unnamed");
    expect(ids(e)).not.toContain("event-reserved");
    expect(recordJson(e)).not.toHaveProperty("id");
    expect(recordJson(e)).toHaveProperty("sid", "0x100");
    expect(renderResult(result)[0]).toMatch(/^event UNKNOWN/);
  });

  test("a class in words that the driver does not use is absent, not guessed", () => {
    const text = (words: string): EventRecord =>
      one<EventRecord>(
        [
          `${P} event: F_PERMISSION client: 0000:01:00.0 sid: 0x100 ssid: 0x0 iova: ` +
            "0x1000 ipa: 0x44000",
          `${P} priv data read s2 "${words}" stag: 0x0`,
        ].join("\n"),
      );
    const odd = text("Somewhere on the way");
    expect(odd).toMatchObject({ stage: 2, direction: "read" });
    expect(odd).not.toHaveProperty("class");
    expect(odd.fields.map((f) => f.name)).not.toContain("CLASS");
    expect(ids(odd)).not.toContain("s2-in");
    expect(text("Reserved")).toMatchObject({ class: "RESERVED" });
    expect(ids(text("Input address caused fault"))).toContain("s2-in");
  });

  test("an address of page offset 0x040 is a doorbell here too", () => {
    const e = one<EventRecord>(
      [
        `${P} event: F_TRANSLATION client: 0000:01:00.0 sid: 0x100 ssid: 0x0 iova: ` +
          "0x90000f040 ipa: 0x0",
        `${P} unpriv data write s1 "Input address caused fault" stag: 0x0`,
      ].join("\n"),
    );
    expect(ids(e)).toContain("msi-doorbell");
  });
});

describe("queues", () => {
  test("CMD_SYNC timeout: index, queue state, what it waits for", () => {
    const r = one<ErrorRecord>(
      `${P} CMD_SYNC timeout at 0x0000b1b7 [hwprod 0x0000b1c0, hwcons 0x0000b1b7]`,
    );
    expect(r).toMatchObject({ kind: "cmd-sync-timeout", fault: true, device: "9050000.smmuv3" });
    expect(r.fields.map((f) => [f.name, f.value])).toEqual([
      ["at", 0xb1b7n],
      ["CMDQ_PROD", 0xb1c0n],
      ["CMDQ_CONS", 0xb1b7n],
    ]);
    expect(ids(r)).toContain("sync-waiting");
    expect(r.hints.map((h) => h.text).join()).toContain("9 commands");
  });

  test("CMD_SYNC timeout: wrapped, never consumed, all consumed, old wording", () => {
    const never = all(
      `${P} CMD_SYNC timeout at 0x00000146\n[hwprod 0x00000146, hwcons 0x00000000]`,
    );
    expect(never).toHaveLength(1);
    expect(ids(never[0])).toContain("sync-never");
    const done = one(`${P} CMD_SYNC timeout at 0x146 [hwprod 0x146, hwcons 0x146]`);
    expect(ids(done)).toContain("sync-consumed");
    expect(one(`${P} CMD_SYNC timeout`)).toMatchObject({ kind: "cmd-sync-timeout", fields: [] });
  });

  test("a command queue error: index and code of CMDQ_CONS", () => {
    const r = one<ErrorRecord>(`${P} CMDQ error (cons 0x0300b1b7): ATC invalidate timeout`);
    expect(r.kind).toBe("cmdq-error");
    expect(r.fields.find((f) => f.name === "RD")?.value).toBe(0xb1b7n);
    expect(r.fields.find((f) => f.name === "ERR")).toMatchObject({
      value: 3n,
      encoding: "ATC_INV_SYNC",
    });
    expect(ids(r)).toContain("cmdq-atc");
  });

  test("when code and text of a queue error disagree, both are told", () => {
    const r = one<ErrorRecord>(`${P} CMDQ error (cons 0x0100b1b7): ATC invalidate timeout`);
    expect(r.notes.join()).toContain("ERR holds 1");
    expect(ids(r)).toContain("cmdq-atc");
  });

  test("the skipped command is decoded", () => {
    const found = all(
      [
        `${P} unexpected global error reported (0x00000001), this could be serious`,
        `${P} CMDQ error (cons 0x01000022): Illegal command`,
        `${P} skipping command in error state:`,
        `${P} \t0x0000010000000040`,
        `${P} \t0x0000000000000034`,
      ].join("\n"),
    );
    expect(found.map((r) => r.kind)).toEqual(["gerror", "cmdq-error", "command"]);
    expect(found[0].fields.map((f) => f.name)).toEqual(["CMDQ_ERR"]);
    expect(found[2]).toMatchObject({ command: "CMD_ATC_INV", complete: true, fault: true });
  });

  test("overflow and suppressed lines", () => {
    const r = decodeText(
      [
        `${P} EVTQ overflow detected -- events lost`,
        `arm_smmu_evtq_thread: 25830 callbacks suppressed`,
        ``,
      ].join("\n") + `arm_smmu_dump_event: 6 callbacks suppressed`,
    );
    expect(r.records.map((x) => x.kind)).toEqual(["queue-overflow", "suppressed", "suppressed"]);
    expect(r.suppressed).toBe(25836);
    expect(r.faults).toBe(1);
  });

  test("an unexpected page request", () => {
    const r = one<ErrorRecord>(
      `${P} \tsid 0x00000100.0x00001: [5L] unprivileged RW access at iova 0x0000ffff80001000`,
    );
    expect(r.kind).toBe("page-request");
    expect(r.text).toContain("0xffff80001000");
    expect(r.fields.find((f) => f.name === "StreamID")?.value).toBe(0x100n);
  });
});

describe("boot lines", () => {
  test("old and new wording", () => {
    const old = one<FeaturesRecord>(`${P} ias 48-bit, oas 48-bit (features 0x001c1eaf)`);
    expect(old).toMatchObject({ kind: "features", ias: 48, oas: 48, mask: 0x1c1eaf });
    const recent = one<FeaturesRecord>(`${P} oas 44-bit (features 0x01088705)`);
    expect(recent).toMatchObject({ oas: 44, mask: 0x1088705 });
    expect(recent.ias).toBeUndefined();
    expect(recent.features.map((f) => f.name)).toEqual([
      "2_LVL_STRTAB",
      "TT_LE",
      "COHERENCY",
      "TRANS_S1",
      "TRANS_S2",
      "RANGE_INV",
      "NESTING",
      "BBML2",
    ]);
  });

  test("broadcast maintenance and shared virtual addressing, bits 16 and 17", () => {
    const r = one<FeaturesRecord>(`${P} oas 40-bit (features 0x00030000)`);
    expect(r.features.map((f) => f.name)).toEqual(["BTM", "SVA"]);
  });

  test("a bit that no mainline kernel has is shown as unknown", () => {
    const r = one<FeaturesRecord>(`${P} ias 44-bit, oas 44-bit (features 0x80000000)`);
    expect(r.features).toEqual([
      expect.objectContaining({ name: "bit 31", meaning: expect.stringContaining("unknown") }),
    ]);
  });

  test("remarks about set-up lines", () => {
    const note = (text: string): string =>
      one(text)
        .hints.map((h) => h.text)
        .join();
    expect(note(`${P} allocated 65536 entries for cmdq`)).toContain("2^16");
    expect(note(`${P} option mask 0x12`)).toContain("PAGE0_REGS_ONLY, TEGRA241_CMDQV");
    expect(note(`${P} 2-level strtab only covers 25/32 bits of SID`)).toContain(
      "more than 25 bits",
    );
    expect(note(`${P} msi_domain absent - falling back to wired irqs`)).toContain("wired");
    expect(one(`${P} device has entered Service Failure Mode!`).fault).toBe(true);
    expect(one(`${P} no evtq irq - events will not be reported!`).fault).toBe(true);
  });

  test("the boot log tells which group a faulting function is in", () => {
    const r = decodeText(
      [
        "[    1.6] pci 0000:00:06.0: Adding to iommu group 6",
        ...kernelLines(["0x3000000010", "0x20800000000", "0x1000", "0x0"]),
      ].join("\n"),
    );
    expect(r.records[0].hints.find((h) => h.id === "next-group")?.text).toContain("group 6");
  });
});

describe("dumps of entries", () => {
  const ste = ["0x4730500b", "0xd6", "0x0", "0x0", "0x0", "0x0", "0x0", "0x0"];

  test("debugfs: STE and CD of a device", () => {
    const cd = [
      "0x1e204c0003510",
      "0x47304000",
      "0x0",
      "0xfffffffff404ff44",
      "0x0",
      "0x0",
      "0x0",
      "0x0",
    ];
    const dump = (w: string[]): string =>
      w.map((x) => `0x${BigInt(x).toString(16).padStart(16, "0")}`).join("\n");
    const found = all(
      `SMMUv3 STE values for device: 0000:7d:02.1\n${dump(ste)}\n` +
        `SMMUv3 CD values for device: 0000:7d:02.1, ssid: 0x3\n${dump(cd)}\n`,
    ) as StructureRecord[];
    expect(found.map((r) => [r.structure, r.owner, r.ssid, r.complete])).toEqual([
      ["STE", "0000:7d:02.1", undefined, true],
      ["CD", "0000:7d:02.1", 3, true],
    ]);
    expect(found[0].summary).toContain("0x47305000");
    expect(found[1].summary).toContain("ASID 0x1");
  });

  test("an entry of the faulting device explains its C_BAD_STE", () => {
    const bad = ["0x0", ...ste.slice(1)];
    const found = all(
      [
        ...kernelLines(["0x7d1100000004", "0x0", "0x0", "0x0"]),
        "SMMUv3 STE values for device: 0000:7d:02.1",
        ...bad.map((w) => `0x${BigInt(w).toString(16).padStart(16, "0")}`),
      ].join("\n"),
    );
    expect(found[0].hints.find((h) => h.id === "ste-rule")?.text).toContain("V=0");
  });
});

describe("SMMUv2", () => {
  test("is recognised, decoded in a line, and not taken for an SMMUv3", () => {
    const r = one(
      "[  12.3] arm-smmu 12c00000.iommu: Unhandled context fault: fsr=0x402, " +
        "iova=0xf9030040, fsynr=0x12, cbfrsynra=0x800, cb=0",
    );
    expect(r).toMatchObject({ kind: "smmuv2", iova: 0xf9030040n, fault: true });
    const text = r.hints[0].text;
    expect(text).toContain("SMMUv2");
    expect(text).toContain("translation fault");
    expect(text).toContain("write");
    expect(ids(r)).toContain("msi-doorbell");
  });

  test("old wording, Xen, register lines, global faults", () => {
    expect(
      one(
        "arm-smmu d00000.arm,smmu-mmss: Unhandled context fault: iova=0x00000000, fsynr=0x1, cb=3",
      ).kind,
    ).toBe("smmuv2");
    const xen = one(
      "(XEN) smmu: /axi/smmu@fd800000: Unhandled context fault: fsr=0x402, " +
        "iova=0xf9030040, fsynr=0x12, cb=0",
    );
    expect(ids(xen)).toContain("msi-doorbell");
    expect(
      one("arm-smmu 15000000.iommu: FSR    = 00000402 [Format=2 TF], SID=0x1c0").hints[0].text,
    ).toContain("translation fault");
    const global = all(
      "arm-smmu 15000000.iommu: Unexpected global fault, this could be serious\n" +
        "arm-smmu 15000000.iommu: \tGFSR 0x80000002, GFSYNR0 0x00000000, GFSYNR1 " +
        "0x00000300, GFSYNR2 0x00000000",
    );
    expect(global.map((r) => r.kind)).toEqual(["smmuv2", "smmuv2"]);
    expect(global[1].hints[0].text).toContain("unidentified stream");
  });
});

describe("what is not understood", () => {
  test.each([
    [""],
    ["hello world"],
    ["[    0.000000] Linux version 6.12.0 (gcc)\n[    0.1] CPU: 0x410fd083"],
    ["The SMMU is an IOMMU. An event happened."],
    ["0xdeadbeef"],
  ])("%j", (text) => {
    const r = decodeText(text);
    expect(r).toMatchObject({ understood: false, records: [], faults: 0 });
  });
});
