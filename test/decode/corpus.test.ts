// Every published record decodes to the event, stream, address and direction in its words.
import { describe, expect, test } from "vitest";
import { decodeText, type EventRecord, recordJson } from "../../src/decode/index.ts";
import { corpus, kernelLines } from "./kernel-text.ts";

interface Expected {
  event: string;
  sid: number;
  iova?: bigint;
  direction?: "read" | "write";
  class?: string;
  stage?: number;
  ssid?: number;
  doorbell?: boolean;
}

/** Read off the words by hand with the record layouts of IHI0070 7.3. */
const EXPECTED: Record<string, Expected> = {
  "ixgbe VF": {
    event: "F_TRANSLATION",
    sid: 0x180,
    iova: 0xffffe040n,
    direction: "write",
    class: "IN",
    stage: 1,
    doorbell: true,
  },
  "pci-epf doorbell": {
    event: "F_TRANSLATION",
    sid: 0,
    iova: 0xffffff90f040n,
    direction: "write",
    class: "IN",
    stage: 1,
    doorbell: true,
  },
  "nvmet-pci-epf": {
    event: "F_TRANSLATION",
    sid: 0x100,
    iova: 0x90000f040n,
    direction: "write",
    class: "IN",
    stage: 1,
    doorbell: true,
  },
  "pxb-pcie": { event: "C_BAD_STREAMID", sid: 0x900 },
  hns_roce: {
    event: "F_TRANSLATION",
    sid: 0x7d00,
    iova: 0xf47cf000n,
    direction: "read",
    class: "IN",
    stage: 1,
  },
  aquantia: {
    event: "F_TRANSLATION",
    sid: 0x20600,
    iova: 0xff9bc000n,
    direction: "write",
    class: "IN",
    stage: 1,
  },
  AmpereOne: { event: "C_BAD_STREAMID", sid: 0xc900 },
  softlockup: { event: "C_BAD_CD", sid: 0x7f22, ssid: 2 },
  "nested stage": { event: "C_BAD_STE", sid: 0x7d11 },
};

const expectedFor = (src: string): Expected => {
  const key = Object.keys(EXPECTED).find((k) => src.includes(k));
  if (key === undefined) throw new Error(`no expectation for ${src}`);
  return EXPECTED[key];
};

const only = (text: string): EventRecord => {
  const { records } = decodeText(text);
  expect(records).toHaveLength(1);
  return records[0] as EventRecord;
};

describe("published records", () => {
  test("there are nine of them, and each has its expectation", () => {
    expect(corpus).toHaveLength(9);
    expect(new Set(corpus.map((r) => expectedFor(r.src))).size).toBe(9);
  });

  test.each(corpus.map((r) => [r.src, r.w] as const))("%s", (src, words) => {
    const want = expectedFor(src);
    const record = only(kernelLines(words).join("\n"));
    expect(record).toMatchObject({ kind: "event", event: want.event, sid: want.sid, fault: true });
    expect(record.iova).toBe(want.iova);
    expect(record.direction).toBe(want.direction);
    expect(record.class).toBe(want.class);
    expect(record.stage).toBe(want.stage);
    expect(record.ssid).toBe(want.ssid);
    expect(record.complete).toBe(words.length === 4);
    const doorbell = record.hints.some((h) => h.id === "msi-doorbell");
    expect(doorbell).toBe(want.doorbell === true);
  });

  test.each(corpus.map((r) => [r.src, r.w] as const))("JSON of %s", (src, words) => {
    const want = expectedFor(src);
    const json = recordJson(only(kernelLines(words).join("\n")));
    expect(json.event).toBe(want.event);
    expect(json.sid).toBe(`0x${want.sid.toString(16)}`);
    expect(json.iova).toBe(want.iova === undefined ? undefined : `0x${want.iova.toString(16)}`);
    const fields = json.fields as { name: string; value: string; enum?: string }[];
    const rnw = fields.find((f) => f.name === "RnW");
    expect(rnw?.value).toBe(
      want.direction === undefined ? undefined : want.direction === "read" ? "0x1" : "0x0",
    );
    expect(fields.find((f) => f.name === "CLASS")?.enum).toBe(want.class);
  });

  test("bits that the architecture reserves are shown, not hidden", () => {
    const hisilicon = corpus.find((r) => r.src.includes("hns_roce"));
    const ixgbe = corpus.find((r) => r.src.includes("ixgbe"));
    const ste = corpus.find((r) => r.src.includes("nested stage"));
    const reserved = (words: readonly string[] | undefined) =>
      only(kernelLines(words ?? []).join("\n"))
        .fields.filter((f) => f.kind === "reserved")
        .map((f) => [f.hi, f.lo]);
    expect(reserved(hisilicon?.w)).toEqual([[96, 96]]);
    expect(reserved(ixgbe?.w)).toEqual([[96, 96]]);
    expect(reserved(ste?.w)).toContainEqual([71, 71]);
    expect(reserved(ste?.w)).toContainEqual([108, 108]);
  });
});
