// Event records that people met on real machines, and known structures, read field by field.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CD } from "../../src/spec/cd.ts";
import { CMD } from "../../src/spec/command.ts";
import { EVENT } from "../../src/spec/event.ts";
import { STE } from "../../src/spec/ste.ts";
import { decodeAll, getField, layoutOf, packFields, reservedSet } from "../../src/spec/word.ts";

const RECORDS: { src: string; w: string[] }[] = JSON.parse(
  readFileSync(new URL("../corpus/records.json", import.meta.url), "utf8"),
);

const wordsAt = (index: number): bigint[] => RECORDS[index].w.map(BigInt);

function fieldsOf(words: bigint[]): Record<string, bigint> {
  const layout = layoutOf(EVENT, Number(getField(EVENT, words, "EventID")));
  return Object.fromEntries(decodeAll(layout, words).map((d) => [d.field.name, d.value]));
}

describe("published event records", () => {
  it("reads a write to an unmapped doorbell under stage 1", () => {
    const fields = fieldsOf(wordsAt(1));
    expect(fields).toMatchObject({
      EventID: 0x10n,
      StreamID: 0n,
      SSV: 0n,
      RnW: 0n,
      S2: 0n,
      CLASS: 2n,
      InputAddr: 0x0000_ffff_ff90_f040n,
    });
  });

  it("reads a faulting read whose hardware also set reserved bits", () => {
    const fields = fieldsOf(wordsAt(4));
    expect(fields).toMatchObject({
      EventID: 0x10n,
      StreamID: 0x7d00n,
      STAG: 0x80n,
      PnU: 0n,
      RnW: 1n,
      CLASS: 2n,
      S2: 0n,
      InputAddr: 0xf47c_f000n,
      IPA: 0xf47c_f000n,
    });
    expect(reservedSet(EVENT.cases.F_TRANSLATION, wordsAt(4))).toEqual([
      { position: "[96]", value: 1n },
    ]);
  });

  it("knows which fields each event has", () => {
    const names = RECORDS.map(({ w }) => {
      const layout = layoutOf(EVENT, Number(BigInt(w[0]) & 0xffn));
      return [layout.name, "InputAddr" in fieldsOf(w.map(BigInt))];
    });
    expect(names).toEqual([
      ["F_TRANSLATION", true],
      ["F_TRANSLATION", true],
      ["F_TRANSLATION", true],
      ["C_BAD_STREAMID", false],
      ["F_TRANSLATION", true],
      ["F_TRANSLATION", true],
      ["C_BAD_STREAMID", false],
      ["C_BAD_CD", false],
      ["C_BAD_STE", false],
    ]);
  });

  it("reads a record of which only three words are known", () => {
    const words = wordsAt(7);
    expect(words.length).toBe(3);
    expect(fieldsOf(words)).toEqual({
      EventID: 0x0an,
      SSV: 1n,
      SubstreamID: 2n,
      StreamID: 0x7f22n,
    });
  });
});

describe("known structures", () => {
  /** What Linux 7.2 writes for a stage 1 stream on an SMMU with 4KB tables and no substreams. */
  const LINUX_STE = [0x0000_0001_0203_400bn, 0x0000_1000_0000_00d4n, 0n, 0n, 0n, 0n, 0n, 0n];

  it("reads an STE of a stage 1 stream", () => {
    expect(getField(STE, LINUX_STE, "V")).toBe(1n);
    expect(getField(STE, LINUX_STE, "Config")).toBe(5n);
    expect(getField(STE, LINUX_STE, "S1ContextPtr")).toBe(0x1_0203_4000n);
    expect(getField(STE, LINUX_STE, "S1CIR")).toBe(1n);
    expect(getField(STE, LINUX_STE, "S1COR")).toBe(1n);
    expect(getField(STE, LINUX_STE, "S1CSH")).toBe(3n);
    expect(getField(STE, LINUX_STE, "SHCFG")).toBe(1n);
    expect(getField(STE, LINUX_STE, "EATS")).toBe(0n);
  });

  it("builds the same STE from its fields", () => {
    const built = packFields(STE, {
      V: 1,
      Config: 5,
      S1ContextPtr: 0x1_0203_4000n,
      S1CIR: 1,
      S1COR: 1,
      S1CSH: 3,
      SHCFG: 1,
    });
    expect(built).toEqual(LINUX_STE);
  });

  it("reads repeated fields by index", () => {
    const words = packFields(CD, { V: 1 });
    words[6] = 0o7_6_5_4_3_2_1_0n;
    expect([0, 1, 2, 7].map((i) => getField(CD, words, "PIIU", i))).toEqual([0n, 1n, 2n, 7n]);
  });

  it("lists exactly the fields of a command", () => {
    expect(Object.keys(CMD.cases.CMD_TLBI_NH_ASID.field)).toEqual([
      "Opcode",
      "TLBI.VMID",
      "TLBI.ASID",
    ]);
    expect(Object.keys(CMD.cases.CMD_CFGI_CD.field)).toEqual([
      "Opcode",
      "SSec",
      "SubstreamID",
      "StreamID",
      "CFGI.Leaf",
    ]);
    expect(CMD.caseOf(0x46)?.name).toBe("CMD_SYNC");
    expect(CMD.caseOf(0x80)).toBeUndefined();
  });
});
