// Declaring a layout: each bit exactly once, and reading and writing the declared fields.
import { describe, expect, it } from "vitest";
import { ANSWER_META } from "../../src/spec/abi-words.ts";
import {
  address,
  bits,
  flag,
  register,
  repeated,
  res0,
  type Struct,
  struct,
  union,
} from "../../src/spec/field.ts";
import {
  bytesOf,
  decodeAll,
  getField,
  packFields,
  readHalves,
  reservedSet,
  setField,
  wordsOf,
} from "../../src/spec/word.ts";

describe("struct", () => {
  it("throws on a gap and names its bits", () => {
    expect(() => struct("X", 64, "1", { A: bits(7, 0), _63: res0(63, 10) })).toThrow(
      "X: no field declares bits [9:8]",
    );
    expect(() => struct("X", 64, "1", { A: bits(62, 0) })).toThrow(
      "X: no field declares bits [63]",
    );
    expect(() => struct("X", 32, "1", { A: bits(31, 1) })).toThrow("X: no field declares bits [0]");
  });

  it("throws on an overlap and names both fields", () => {
    expect(() => struct("X", 64, "1", { A: bits(7, 0), B: bits(63, 7) })).toThrow(
      "X: B [63:7] overlaps A [7:0]",
    );
    expect(() => struct("X", 16, "1", { A: repeated(3, 0, 4, 4), B: flag(15) })).toThrow(
      "X: B [15] overlaps A [3:0]",
    );
  });

  it("throws on a field outside the structure or across a word", () => {
    expect(() => struct("X", 64, "1", { A: bits(64, 0) })).toThrow("does not fit in 64 bits");
    expect(() => struct("X", 64, "1", { A: bits(3, 7) })).toThrow("does not fit in 64 bits");
    expect(() => struct("X", 128, "1", { A: bits(70, 60) })).toThrow("crosses a 64-bit word");
  });

  it("lets reserved ranges cross words and keeps them out of the named fields", () => {
    const s = struct("X", 128, "1", { A: flag(0), _127: res0(127, 1) });
    expect(Object.keys(s.field)).toEqual(["A"]);
    expect(s.fields.map((f) => f.name)).toEqual(["A", "RES0[127:1]"]);
  });
});

describe("union", () => {
  const shared = { Op: bits(7, 0), A: bits(15, 8), B: bits(31, 8) };

  it("throws on a gap or overlap in one encoding and names it", () => {
    expect(() => union("U", 32, "1", shared, { ONE: { value: 1, layout: ["Op", "A"] } })).toThrow(
      "U (ONE): no field declares bits [31:16]",
    );
    expect(() =>
      union("U", 32, "1", shared, { ONE: { value: 1, layout: ["Op", "A", "B"] } }),
    ).toThrow("U (ONE): B [31:8] overlaps A [15:8]");
  });

  it("throws on a field of no encoding and on a narrower field that leaves its place", () => {
    expect(() => union("U", 32, "1", shared, { ONE: { layout: ["Op", "B"] } })).toThrow(
      "U.A is in no encoding",
    );
    expect(() =>
      union(
        "U",
        32,
        "1",
        { Op: bits(7, 0), B: bits(15, 8) },
        {
          ONE: { layout: ["Op", ["B", bits(23, 8)], res0(31, 24)] },
        },
      ),
    ).toThrow("B [23:8] lies outside");
  });

  it("finds the encoding of a selector value", () => {
    const u = union("U", 32, "1", shared, {
      ONE: { value: 1, layout: ["Op", "A", res0(31, 16)] },
      TWO: { value: 2, layout: ["Op", "B"] },
    });
    expect(u.caseOf(2)?.name).toBe("TWO");
    expect(Object.keys(u.cases.ONE.field)).toEqual(["Op", "A"]);
    expect(u.caseOf(3)).toBeUndefined();
  });
});

describe("register", () => {
  it("checks every reading of its bits", () => {
    const fields = { F: flag(0), _31: res0(31, 1) };
    const alternative = { C: bits(4, 1) };
    expect(() =>
      register("R", 0, 32, "1", fields, { alternative, cases: { BAD: { layout: ["F", "C"] } } }),
    ).toThrow("R (BAD): no field declares bits [31:5]");
    const r = register("R", 8, 32, "1", fields, {
      alternative,
      cases: { BAD: { layout: ["F", "C", res0(31, 5)] } },
    });
    expect(Object.keys(r.field)).toEqual(["F", "C"]);
    expect(r.offset).toBe(8);
  });
});

describe("reading and writing fields", () => {
  const S = struct("S", 128, "1", {
    Low: bits(3, 0),
    Base: address(55, 4),
    _63: res0(63, 56),
    Wide: bits(127, 64),
  });
  const SHIFTED = struct("T", 64, "1", {
    Size: bits(4, 0),
    Addr: address(48, 5, { low: 8 }),
    _63: res0(63, 49),
  });

  it("reads numbers from the halves of a word", () => {
    const word = 0xfedc_ba98_8765_4321n;
    const halves = [0x8765_4321, 0xfedc_ba98] as const;
    for (const name of ["status", "perm", "eventType", "memAttr", "stage", "eventIndex"] as const) {
      const field = ANSWER_META.field[name];
      expect(readHalves(field, ...halves), name).toBe(Number(getField(ANSWER_META, [word], name)));
    }
  });

  it("returns addresses in place", () => {
    const words = [0x0012345678abcde7n, 0n];
    expect(getField(S, words, "Base")).toBe(0x0012345678abcde0n);
    expect(getField(S, words, "Low")).toBe(7n);
    expect(setField(S, words, "Base", 0xffn)).toEqual([0xf7n, 0n]);
  });

  it("shifts an address that is not stored in place", () => {
    const words = packFields(SHIFTED, { Size: 3, Addr: 0x4080_1200n });
    expect(words).toEqual([(0x4080_12n << 5n) | 3n]);
    expect(getField(SHIFTED, words, "Addr")).toBe(0x4080_1200n);
  });

  it("only touches the bits of the field and drops bits that do not fit", () => {
    const words = [0xffff_ffff_ffff_ffffn, 1n];
    setField(S, words, "Low", 0x1fn);
    setField(S, words, "Wide", 0xdead_beef_dead_beefn);
    expect(words).toEqual([0xffff_ffff_ffff_ffffn, 0xdead_beef_dead_beefn]);
    setField(S, words, "Low", 0);
    expect(words[0]).toBe(0xffff_ffff_ffff_fff0n);
  });

  it("decodes all fields and reports reserved bits", () => {
    const words = [0x8100_0000_0000_0031n, 2n];
    expect(decodeAll(S, words).map((d) => [d.field.name, d.value])).toEqual([
      ["Low", 1n],
      ["Base", 0x30n],
      ["Wide", 2n],
    ]);
    expect(reservedSet(S, words)).toEqual([{ position: "[63:56]", value: 0x81n }]);
  });

  it("throws a RangeError on an unknown name", () => {
    expect(() => getField(S as Struct, [0n], "Nope")).toThrow(
      new RangeError("S has no field Nope"),
    );
  });

  it("turns bytes into words and back, also an odd number of them", () => {
    const bytes = Uint8Array.from({ length: 12 }, (_, i) => i + 1);
    expect(wordsOf(bytes)).toEqual([0x0807060504030201n, 0x0c0b0a09n]);
    expect(bytesOf(wordsOf(bytes), 12)).toEqual(bytes);
  });
});
