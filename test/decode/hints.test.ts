// Which advice goes with which record, and that no advice is given without its reason.
import { describe, expect, test } from "vitest";
import {
  type DecodeOptions,
  decodeText,
  type EventRecord,
  HINT_TEXTS,
} from "../../src/decode/index.ts";
import { kernelLines } from "./kernel-text.ts";

/** Word 1 of a translation fault. */
const S1_WRITE = 0x2_0000_0000n << 8n;
const READ = 1n << 35n;
const PRIVILEGED = 1n << 33n;
const INSTRUCTION = 1n << 34n;
const S2 = 1n << 39n;
const STALL = 1n << 31n;
const CLASS = (n: bigint): bigint => n << 40n;

const event = (words: bigint[], options: DecodeOptions = {}, after = ""): EventRecord => {
  const text = kernelLines(words.map((w) => `0x${w.toString(16)}`)).join("\n");
  return decodeText(`${text}\n${after}`, "auto", options).records[0] as EventRecord;
};
const ids = (e: EventRecord): string[] => e.hints.map((h) => h.id);
const text = (e: EventRecord, id: string): string =>
  e.hints
    .filter((h) => h.id === id)
    .map((h) => h.text)
    .join("|");

const fault = (id: bigint, word1: bigint, iova: bigint, word3 = 0n, options: DecodeOptions = {}) =>
  event([(0x100n << 32n) | id, word1, iova, word3], options);

describe("doorbells", () => {
  test.each([[0x10n], [0x11n], [0x12n], [0x13n]])(
    "event %i: a write to page offset 0x040",
    (id) => {
      expect(ids(fault(id, S1_WRITE, 0xfffff040n))).toContain("msi-doorbell");
    },
  );

  test("not a read, not another offset, not an unknown direction", () => {
    expect(ids(fault(0x10n, S1_WRITE | READ, 0xfffff040n))).not.toContain("msi-doorbell");
    for (const offset of [0n, 0x3cn, 0x44n, 0x48n, 0x140n, 0x440n, 0x840n])
      expect(ids(fault(0x10n, S1_WRITE, 0xfffff000n + offset))).not.toContain("msi-doorbell");
    expect(ids(event([(0x100n << 32n) | 2n, 0n, 0xfffff040n, 0n]))).not.toContain("msi-doorbell");
  });

  test("stage 2 and emulators that leave CLASS 0: still a doorbell", () => {
    const e = fault(0x10n, S2, 0x8090040n);
    expect(ids(e)).toEqual(expect.arrayContaining(["msi-doorbell", "class-implausible"]));
    const guest = fault(0x10n, S2 | CLASS(2n), 0xfffff040n, 0x8090000n);
    expect(ids(guest)).toEqual(expect.arrayContaining(["msi-doorbell", "s2-in", "s2-msi"]));
  });

  test("compared with a known doorbell: equal, or which bits differ", () => {
    const doorbells = [0xffffff9ff040n, 0xffffff90f040n];
    const e = fault(0x10n, S1_WRITE, 0xffffff90f040n, 0n, { doorbells });
    expect(text(e, "msi-doorbell-differs")).toContain("bits 19:16 (XOR 0xf0000)");
    expect(text(e, "msi-doorbell-equal")).toContain("0xffffff90f040");
  });

  test("a physical GIC frame address is told apart from an allocated IOVA", () => {
    expect(ids(fault(0x10n, S1_WRITE, 0xf9030040n))).toContain("msi-doorbell-physical");
    expect(ids(fault(0x10n, S1_WRITE, 0xfffef040n))).not.toContain("msi-doorbell-physical");
  });
});

describe("addresses", () => {
  test.each([
    [0n, "address-null"],
    [0x18n, "address-near-null"],
    [0xffffffffn, "address-error-value"],
    [0xffffffffffffffffn, "address-error-value"],
    [0xffff800012345000n, "address-cpu-virtual"],
    [0x6b6b6b6b6b6b6b6bn, "address-poison"],
    [0xdeadbeefn, "address-poison"],
    [0xff00000080003000n, "address-too-wide"],
    [0xff9bc000n, "address-released"],
    [0x34e8000n, "address-unmapped"],
  ])("0x%s", (iova, id) => {
    const found = ids(fault(0x10n, S1_WRITE | READ, iova));
    expect(found).toContain(id);
    expect(found.filter((h) => h.startsWith("address-")).length).toBeLessThanOrEqual(2);
  });

  test("a tagged address says how many bits it needs", () => {
    expect(text(fault(0x10n, S1_WRITE, 0xff00000080003000n), "address-too-wide")).toContain(
      "64 bits",
    );
  });
});

describe("streams", () => {
  test("StreamID to bus, device and function", () => {
    const e = event([(0x900n << 32n) | 2n, 0n, 0n, 0n]);
    expect(text(e, "sid-bdf")).toContain("09:00.0");
    expect(ids(e)).toEqual(expect.arrayContaining(["sid-unmapped", "sid-table-size", "next-sid"]));
    expect(text(e, "sid-table-size")).toContain("needs 12 bits");
    expect(text(event([(0xc9ffn << 32n) | 2n, 0n, 0n, 0n]), "sid-bdf")).toContain("c9:1f.7");
  });

  test("StreamIDs wider than a RequesterID, and a known offset", () => {
    const words = [(0x20600n << 32n) | 0x10n, S1_WRITE, 0xff9bc000n, 0n];
    expect(text(event(words), "sid-wide")).toContain("06:00.0");
    expect(text(event(words, { sidBase: 0x20000 }), "sid-bdf")).toContain("06:00.0");
  });

  test("a register dump with STRTAB_BASE_CFG gives the table's limit", () => {
    const e = event(
      [(0x900n << 32n) | 2n, 0n, 0n, 0n],
      {},
      "smmuv3_write_mmio addr: 0x88 val:0x10208 size: 0x4(0)",
    );
    expect(text(e, "sid-table-known")).toContain("LOG2SIZE is 8");
    expect(text(e, "sid-table-known")).toContain("0x100 on");
  });
});

describe("events", () => {
  test("every event has its sentence, and no placeholder is left in any hint", () => {
    for (let id = 0n; id < 256n; id++) {
      for (const word1 of [0n, S1_WRITE, S1_WRITE | READ, S2 | CLASS(1n), S2, STALL | S1_WRITE]) {
        const e = fault(id, word1, 0x1000n, 0x5000n);
        expect(e.hints.length).toBeGreaterThan(0);
        expect(e.hints[0].part).toBe("meaning");
        for (const h of e.hints) expect(h.text).not.toMatch(/[{}]|\?[^)]|undefined|NaN/);
      }
    }
  });

  test("implementation defined and reserved numbers", () => {
    expect(fault(0xe3n, 0n, 0n).event).toBe("IMPDEF_0xe3");
    expect(ids(fault(0xe3n, 0n, 0n))).toEqual(["event-impdef"]);
    const reserved = fault(0x55n, 0xffn, 1n);
    expect(reserved.event).toBe("RESERVED_0x55");
    expect(reserved.sid).toBeUndefined();
    expect(reserved.fields.map((f) => f.name)).toEqual(["EventID", "IMPDEF", "IMPDEF", "IMPDEF"]);
  });

  test("stage 2 faults of table walks and of descriptor fetches", () => {
    const walk = fault(0x10n, S2 | CLASS(1n), 0x1000n, 0x44000000n);
    expect(ids(walk)).toEqual(expect.arrayContaining(["class-tt", "s2-tt", "next-s2"]));
    expect(text(walk, "s2-tt")).toContain("0x44000000");
    const update = fault(0x13n, S2 | CLASS(1n), 0x1000n, 0x44000000n);
    expect(ids(update)).toContain("s2-tt-write");
    const read = fault(0x13n, S2 | CLASS(1n) | (1n << 44n), 0x1000n, 0x44000000n);
    expect(ids(read)).toContain("s2-tt");
    expect(ids(fault(0x10n, S2, 0x1000n, 0x44000000n))).toContain("s2-cd");
  });

  test("permission faults by access", () => {
    expect(ids(fault(0x13n, S1_WRITE, 0x1000n))).toContain("permission-write");
    expect(ids(fault(0x13n, S1_WRITE | READ, 0x1000n))).toContain("permission-read");
    expect(ids(fault(0x13n, S1_WRITE | READ | INSTRUCTION | PRIVILEGED, 0x1000n))).toContain(
      "permission-exec",
    );
  });

  test("aborted fetches: address, granule protection, QEMU's own place for it", () => {
    const fetch = event([(0x30n << 32n) | 0x09n, 0n, 0n, 0x80000000n]);
    expect(fetch.fetchAddr).toBe(0x80000000n);
    expect(ids(fetch)).toEqual(expect.arrayContaining(["fetch-abort", "next-memory"]));
    const gpf = event([(0x30n << 32n) | 0x03n, 1n << 16n, 0n, 0x80000000n]);
    expect(ids(gpf)).toContain("fetch-gpf");
    const qemu = event([(0x30n << 32n) | 0x09n, 0n, 0x80000000n, 0n]);
    expect(text(qemu, "qemu-fetch-address")).toContain("0x80000000");
    expect(ids(event([(0x30n << 32n) | 0x0bn, S1_WRITE, 0x1000n, 0x80000000n]))).toContain(
      "walk-eabt",
    );
  });

  test("a stalled transaction names its tag", () => {
    const e = fault(0x10n, S1_WRITE | STALL | 0x1fn, 0x1000n);
    expect(e.stall).toBe(true);
    expect(text(e, "event-stalled")).toContain("0x1f");
  });

  test("reserved bits that are set are listed", () => {
    const e = fault(0x10n, S1_WRITE | (1n << 32n) | (1n << 44n), 0x1000n);
    expect(text(e, "reserved-bits")).toContain("96, 108");
  });
});

describe("texts", () => {
  test("all of them are sentences with a part and a confidence", () => {
    for (const [id, t] of Object.entries(HINT_TEXTS)) {
      expect(id).toMatch(/^[a-z0-9]+(-[A-Za-z0-9_]+)*$/);
      expect(t.text).toMatch(/[.?}]$/);
      expect(["meaning", "cause", "next"]).toContain(t.part);
      expect(["certain", "high", "medium", "low"]).toContain(t.confidence);
    }
  });

  test("meaning comes first, then causes from sure to unsure, then what to do", () => {
    const order = { meaning: 0, cause: 1, next: 2 };
    const rank = { certain: 0, high: 1, medium: 2, low: 3 };
    const { hints } = fault(0x10n, S1_WRITE, 0xf9030040n, 0n, { doorbells: [0x8090040n] });
    const parts = hints.map((h) => order[h.part]);
    expect(parts).toEqual([...parts].sort());
    const causes = hints.filter((h) => h.part === "cause").map((h) => rank[h.confidence]);
    expect(causes).toEqual([...causes].sort());
  });
});

describe("storms", () => {
  const many = (iova: (i: number) => bigint, n = 40): string =>
    Array.from({ length: n }, (_, i) =>
      kernelLines([`0x10000000010`, "0x20000000000", `0x${iova(i).toString(16)}`, "0x0"], {
        prefix: () => `[ ${i}.500000] `,
      }).join("\n"),
    ).join("\n");

  test("one address", () => {
    const { storms } = decodeText(many(() => 0x9000n));
    expect(storms).toHaveLength(1);
    expect(storms[0]).toMatchObject({
      event: "F_TRANSLATION",
      sid: 0x100,
      count: 40,
      addresses: 1,
      seconds: 39,
    });
    expect(storms[0].hints.map((h) => h.id)).toEqual(["storm", "storm-one-address"]);
  });

  test("a sweep, pieces of one access, a mixture, too few", () => {
    const of = (f: (i: number) => bigint, n?: number) =>
      decodeText(many(f, n)).storms.flatMap((s) => s.hints.map((h) => h.id));
    expect(of((i) => 0x9000n + BigInt(i) * 0x1000n)).toEqual(["storm", "storm-sweep"]);
    expect(of((i) => 0x9000n + BigInt(i % 8) * 4n)).toEqual(["storm", "storm-split"]);
    expect(of((i) => 0x9000n + BigInt((i * 7) % 11) * 0x1000n)).toEqual(["storm"]);
    expect(of(() => 0x9000n, 7)).toEqual([]);
  });
});
