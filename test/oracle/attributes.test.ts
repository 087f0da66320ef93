// Memory types and shareability of the oracle against the rules and examples of the architecture.

import { expect, test } from "vitest";
import {
  applyStage1,
  applyStage2,
  DEFAULT_INPUT,
  decodeMair,
  makeConsistent,
  override,
} from "./attributes.ts";
import { AT, World } from "./world.ts";

const NSH = 0;
const OSH = 2;
const ISH = 3;

test("reserved MAIR encodings behave as the CD says", () => {
  expect([0x01, 0x06, 0x0b, 0x0d].map(decodeMair)).toEqual([0x00, 0x04, 0x08, 0x0c]);
  expect([0x40, 0xf0, 0x10].map(decodeMair)).toEqual([0x43, 0xf3, 0x13]);
  expect([0x00, 0x04, 0x44, 0xff, 0xbb].map(decodeMair)).toEqual([0x00, 0x04, 0x44, 0xff, 0xbb]);
});

test("output is consistent: Device and iNC-oNC are OSH, no transient without allocation", () => {
  expect(makeConsistent({ type: 0x04, sh: NSH })).toEqual({ type: 0x04, sh: OSH });
  expect(makeConsistent({ type: 0x44, sh: ISH })).toEqual({ type: 0x44, sh: OSH });
  expect(makeConsistent({ type: 0x4f, sh: ISH })).toEqual({ type: 0x4f, sh: ISH });
  const noAllocation = { mtcfg: false, memAttr: 0, alloccfg: 0b1001, shcfg: 3 };
  expect(override(DEFAULT_INPUT, noAllocation)).toEqual({ type: 0xcc, sh: ISH });
});

test("overrides replace type, hints and shareability", () => {
  const none = { mtcfg: false, memAttr: 0xf, alloccfg: 0, shcfg: 1 };
  expect(override(DEFAULT_INPUT, none)).toEqual(DEFAULT_INPUT);
  const types = [0x00, 0x04, 0x08, 0x0c, 0x00, 0x44, 0x4b, 0x4f];
  const more = [0x00, 0xb4, 0xbb, 0xbf, 0x00, 0xf4, 0xfb, 0xff];
  [...types, ...more].forEach((type, memAttr) => {
    expect(override(DEFAULT_INPUT, { ...none, mtcfg: true, memAttr }).type).toBe(type);
  });
  expect(override(DEFAULT_INPUT, { ...none, alloccfg: 0b1101 }).type).toBe(0x66);
});

test("stage 1 replaces the type and merges hints with a cacheable input", () => {
  expect(applyStage1({ type: 0xff, sh: OSH }, 0x04, ISH)).toEqual({ type: 0x04, sh: ISH });
  expect(applyStage1({ type: 0xee, sh: NSH }, 0xff, ISH).type).toBe(0xee);
  expect(applyStage1({ type: 0xee, sh: NSH }, 0xdd, ISH).type).toBe(0xcc);
  expect(applyStage1({ type: 0x77, sh: NSH }, 0xbb, ISH).type).toBe(0x33);
  expect(applyStage1({ type: 0x44, sh: NSH }, 0xee, ISH).type).toBe(0xee);
  expect(applyStage1({ type: 0x04, sh: NSH }, 0xee, 1)).toEqual({ type: 0xee, sh: NSH });
});

test("stage 2 combines: Device beats Normal, NC beats WT beats WB, OSH beats ISH beats NSH", () => {
  const both = (type: number, memAttr: number) =>
    applyStage2({ type, sh: ISH }, memAttr, NSH, false).type;
  // The examples of 13.1.5.1, as far as stage 2 can hold them.
  expect(both(0x4f, 0x1)).toBe(0x04);
  expect(both(0x04, 0x0)).toBe(0x00);
  expect(both(0x4f, 0xa)).toBe(0x4b);
  expect(both(0xff, 0xf)).toBe(0xff);
  expect(both(0xee, 0xa)).toBe(0xaa);
  expect(both(0xff, 0x5)).toBe(0x44);
  expect(both(0x0c, 0xf)).toBe(0x0c);
  const sh = (first: number, second: number) => {
    return makeConsistent(applyStage2({ type: 0xff, sh: first }, 0xf, second, false)).sh;
  };
  expect([sh(NSH, NSH), sh(ISH, NSH), sh(NSH, ISH), sh(ISH, OSH), sh(OSH, ISH)]).toEqual([
    ...[NSH, ISH, ISH, OSH, OSH],
  ]);
});

test("S2FWB: force, pass or limit the stage 1 type (D8-101)", () => {
  const fwb = (type: number, memAttr: number) =>
    applyStage2({ type, sh: ISH }, memAttr, ISH, true).type;
  for (const attr of [0, 8]) {
    expect([0, 1, 2, 3].map((low) => fwb(0xff, attr | low))).toEqual([0x00, 0x04, 0x08, 0x0c]);
    expect([0, 1, 2, 3].map((low) => fwb(0x04, attr | low))).toEqual([0x00, 0x04, 0x04, 0x04]);
    expect([0x04, 0x44, 0xbb, 0xff].map((type) => fwb(type, attr | 5))).toEqual([
      ...[0x04, 0x44, 0x44, 0x44],
    ]);
    expect([0x04, 0x44, 0xaa, 0xee].map((type) => fwb(type, attr | 6))).toEqual([
      ...[0xff, 0xff, 0xee, 0xee],
    ]);
    expect([0x04, 0x44, 0xbb, 0xee].map((type) => fwb(type, attr | 7))).toEqual([
      ...[0x04, 0x44, 0xbb, 0xee],
    ]);
  }
  // A Device input is Outer Shareable before it is forced to write-back.
  expect(applyStage2({ type: 0x04, sh: NSH }, 6, NSH, true)).toEqual({ type: 0xff, sh: OSH });
});

test("a stage 1 page takes its byte of MAIR and its SH", () => {
  const world = new World().ste({ Config: 5 }).cd({ T0SZ: 25 }, 0xff_44_bb_ee_0c_08_04_00n);
  const expected = [0x00, 0x04, 0x08, 0x0c, 0xee, 0xbb, 0x44, 0xff];
  expected.forEach((memattr, index) => {
    world.store(AT.s1Root, 0x4000_0741n | BigInt(index << 2));
    const sh = memattr < 0x10 || memattr === 0x44 ? OSH : ISH;
    expect(world.run()).toMatchObject({ status: "ok", memattr, sh });
  });
});

test("bypass by STE or GBPA applies the overrides only if implemented", () => {
  const world = new World().ste({ Config: 4, MTCFG: 1, MemAttr: 1, SHCFG: 3 });
  expect(world.run()).toMatchObject({ status: "bypass", memattr: 0x04, sh: OSH });
  world.regs.idr1 &= ~(1 << 27);
  expect(world.run()).toMatchObject({ status: "bypass", memattr: 0xff, sh: NSH });
  const disabled = new World();
  disabled.regs.cr0 = 0;
  disabled.regs.gbpa = 0x2000 | 0x1a;
  expect(disabled.run()).toMatchObject({ status: "bypass", memattr: 0xbb, sh: OSH });
});
