// Dumps of memory and registers: QEMU monitor, U-Boot, hexdump, devmem, names with values.
import { describe, expect, test } from "vitest";
import {
  type DecodedRecord,
  decodeRegisterDump,
  decodeText,
  featureTable,
  idRegistersOf,
} from "../../src/decode/index.ts";

describe("dumps of words", () => {
  const words = (text: string, kind: "ste" | "cd" | "event" | "cmd" = "ste") =>
    (decodeText(text, kind).records[0] as { words?: readonly (bigint | undefined)[] }).words;
  const want = [0x4730500bn, 0xd6n];

  test.each([
    ["numbers", "0x4730500b 0xd6"],
    ["commas", "0x4730500b, 0xd6,"],
    ["an array", "{ 0x4730500b, 0xd6 };"],
    ["without 0x", "000000004730500b 00000000000000d6"],
    ["QEMU xp /2gx", "000000005ae20600: 0x000000004730500b 0x00000000000000d6"],
    ["QEMU xp /4wx", "000000005ae20600: 0x4730500b 0x00000000 0x000000d6 0x00000000"],
    ["U-Boot md.l", "5ae20600: 4730500b 00000000 000000d6 00000000    .P0G............"],
    ["U-Boot md.q", "5ae20600: 000000004730500b 00000000000000d6    .P0G............"],
    [
      "hexdump -C",
      "5ae20600  0b 50 30 47 00 00 00 00  d6 00 00 00 00 00 00 00  |.P0G............|",
    ],
    ["xxd", "5ae20600: 0b50 3047 0000 0000 d600 0000 0000 0000  .P0G............"],
    ["bytes", "0b50304700000000d600000000000000"],
    ["lines with a label", "STE[0]: 0x4730500b\nSTE[1]: 0xd6"],
  ])("%s", (_, text) => {
    expect(words(text)).toEqual(want);
  });

  test("event bytes as a capture stores them", () => {
    const r = decodeText(
      "1000000030000000000000000802000000100000000000000000000000000000",
      "event",
    );
    expect(r.records[0]).toMatchObject({
      event: "F_TRANSLATION",
      sid: 0x30,
      iova: 0x1000n,
      direction: "read",
    });
  });

  test("bare words are guessed, and say so", () => {
    const kinds = (text: string) => decodeText(text).records.map((r: DecodedRecord) => r.kind);
    expect(kinds("0x3000000010 0x20800000000 0x1000 0x0")).toEqual(["event"]);
    expect(kinds("0x46 0x0")).toEqual(["command"]);
    expect(kinds("0x4730500b 0xd6 0 0 0 0 0 0")).toEqual(["structure"]);
    expect(kinds("0x60000005c000f47")).toEqual(["descriptor"]);
    expect(decodeText("0x60000005c000f47").records[0].notes.join()).toContain("guessed");
  });
});

describe("register dumps", () => {
  const idr = (text: string, base?: bigint) =>
    idRegistersOf(decodeRegisterDump(text.split("\n"), base));
  const want = { IDR0: 0xd44101b, IDR1: 0x2730010, IDR3: 0x1414, IDR5: 0x74 };

  test.each([
    ["names", "IDR0 0x0d44101b\nIDR1 0x02730010\nIDR3 0x1414\nIDR5 0x74"],
    ["names with signs", "IDR0: 0x0d44101b, IDR1=0x02730010\nIDR3 = 0x1414 SMMU_IDR5: 0x74"],
    ["offset and value", "0x0 0x0d44101b\n0x4 0x02730010\n0xc 0x00001414\n0x14 0x00000074"],
    [
      "addresses",
      [
        "0x09050000: 0x0D44101B",
        "0x09050004: 0x02730010",
        "0x0905000C: 0x00001414",
        "0x09050014: 0x00000074",
      ].join("\n"),
    ],
    [
      "xp /8wx",
      [
        "0000000009050000: 0x0d44101b 0x02730010 0x00000000 0x00001414",
        "0000000009050010: 0x00000000 0x00000074 0x00000000 0x00000001",
      ].join("\n"),
    ],
    [
      "md.l",
      [
        "09050000: 0d44101b 02730010 00000000 00001414    ..D...s.........",
        "09050010: 00000000 00000074 00000000 00000001    ....t...........",
      ].join("\n"),
    ],
    [
      "64-bit reads",
      [
        "0x09050000: 0x027300100d44101b",
        "0x09050008: 0x0000141400000000",
        "0x09050010: 0x0000007400000000",
      ].join("\n"),
    ],
    [
      "devmem",
      [
        "# devmem 0x9050000",
        "0x0D44101B",
        "# devmem 0x9050004",
        "0x02730010",
        "# devmem 0x905000c 32",
        "0x00001414",
        "# devmem 0x9050014",
        "0x00000074",
      ].join("\n"),
    ],
    [
      "names with offsets",
      "IDR0 (0x0) = 0x0d44101b\nIDR1 (0x4) = 0x02730010\nIDR3 (0xc) = 0x1414\nIDR5 (0x14) = 0x74",
    ],
    ["hw_info of iommufd", "idr[0]=0x0d44101b idr[1]=0x02730010 idr[3]=0x1414 idr[5]=0x74"],
  ])("%s", (_, text) => {
    expect(idr(text)).toMatchObject(want);
  });

  test("a base address, page 1, upper halves, unknown offsets", () => {
    const at = (text: string, base?: bigint) =>
      decodeRegisterDump([text], base).map((r) => r.register);
    expect(at("0x90600a8: 0x00000919", 0x9050000n)).toEqual(["EVENTQ_PROD"]);
    expect(at("0x84 0x40000000")).toEqual(["STRTAB_BASE[63:32]"]);
    expect(at("0x1ff0 0x00000001")).toEqual(["offset 0x1ff0"]);
    expect(at("0x80 0x400000004611a000")).toEqual(["STRTAB_BASE"]);
  });

  test("a features table of the ID registers", () => {
    const table = featureTable({ ...want, AIDR: 1 });
    const value = (name: string) => table?.features.find((f) => f.name === name)?.value;
    expect(value("IDR0.S1P")).toBe("1");
    expect(value("IDR0.TTF")).toBe("2 AARCH64");
    expect(value("IDR5.OAS")).toBe("4 44");
    expect(table?.notes.join()).toContain("SMMUv3.1");
    expect(featureTable({})).toBeUndefined();
  });

  test("auto finds a dump without being told", () => {
    const { records } = decodeText("CR0 0x0000000d\nGERROR: 0x00000001\nGERRORN: 0x00000000");
    expect(records.map((r) => r.kind === "register" && r.register)).toEqual([
      "CR0",
      "GERROR",
      "GERRORN",
    ]);
    const set = records[0].fields.filter((f) => f.value === 1n).map((f) => f.name);
    expect(set).toEqual(["SMMUEN", "EVENTQEN", "CMDQEN"]);
  });
});
