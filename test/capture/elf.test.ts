// The ELF core reader: what it accepts, and how it names what is wrong and where.

import { expect, test } from "vitest";
import { bytesSource, readCore } from "../../src/capture/elf.ts";
import { InputError } from "../../src/capture/errors.ts";
import { MemoryImage } from "../../src/capture/image.ts";
import { buildCore, LAYOUT } from "./core.ts";

const page = (fill: number, bytes = 4096) => new Uint8Array(bytes).fill(fill);
const read = (bytes: Uint8Array) => readCore(bytesSource("x.elf", bytes));
const good = () => buildCore([{ base: 0x4000_0000n, bytes: 0x1000n, data: page(7) }]);

function complaint(bytes: Uint8Array): InputError {
  try {
    read(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return error as InputError;
  }
  throw new Error("the core was accepted");
}

test("segments come back sorted by address with their place in the file", () => {
  const segments = read(
    buildCore([
      { base: 0x8000_0000n, bytes: 0x2000n, data: page(2) },
      { base: 0x4000_0000n, bytes: 0x3000n },
    ]),
  );
  expect(segments.map((s) => [s.base, s.bytes, s.fileBytes])).toEqual([
    [0x4000_0000n, 0x3000n, 0],
    [0x8000_0000n, 0x2000n, 4096],
  ]);
  expect(segments[1].fileOffset).toBe(LAYOUT.phoff + 2 * LAYOUT.phentsize);
});

test("an image gives file bytes, zeros behind them, and nothing for an unknown address", () => {
  const core = buildCore([{ base: 0x4000_0000n, bytes: 0x3000n, data: page(9, 4096 + 16) }]);
  const image = new MemoryImage(bytesSource("x.elf", core));
  expect(image.bytes).toBe(0x3000n);
  expect(image.page(0x4000_0fffn)).toEqual(page(9));
  const second = image.page(0x4000_1000n);
  expect([...(second?.subarray(0, 16) ?? [])]).toEqual(Array(16).fill(9));
  expect(second?.subarray(16).every((b) => b === 0)).toBe(true);
  expect(image.page(0x4000_2000n)).toEqual(page(0));
  expect(image.page(0x4000_3000n)).toBeUndefined();
  expect(image.page(0x3fff_ffffn)).toBeUndefined();
  expect(image.has(0x4000_2fffn)).toBe(true);
});

test("a full dump's core is read: e_ehsize 8, program headers at 192, a PT_NOTE", () => {
  const core = buildCore([{ base: 0x4000_0000n, bytes: 0x1000n, data: page(1) }], {
    phoff: 192,
    note: true,
  });
  expect(read(core).map((s) => s.base)).toEqual([0x4000_0000n]);
});

test("with e_phnum 0xffff the count comes from section header 0", () => {
  const base = good();
  const core = new Uint8Array(base.length + 64);
  core.set(base);
  const view = new DataView(core.buffer);
  view.setUint16(56, 0xffff, true);
  view.setBigUint64(40, BigInt(base.length), true);
  view.setUint32(base.length + 44, 1, true);
  expect(read(core)).toHaveLength(1);
});

test.each<[string, (view: DataView) => void, number, RegExp]>([
  ["magic", (v) => v.setUint8(0, 0), 0, /not an ELF file/],
  ["class", (v) => v.setUint8(4, 1), 4, /ELF class is 1, not 2.*64-bit/],
  ["encoding", (v) => v.setUint8(5, 2), 5, /little-endian/],
  ["type", (v) => v.setUint16(16, 2, true), 16, /not a core dump/],
  ["machine", (v) => v.setUint16(18, 62, true), 18, /e_machine is 62, not 183.*AArch64/],
  ["phentsize", (v) => v.setUint16(54, 32, true), 54, /e_phentsize is 32/],
  ["phoff", (v) => v.setBigUint64(32, 1n << 40n, true), 32, /e_phoff .* outside the file/],
  ["phnum", (v) => v.setUint16(56, 900, true), 64, /900 program headers end at byte .*truncated/],
  ["offset", (v) => v.setBigUint64(72, 99999n, true), 72, /ends at byte .*truncated/],
  ["paddr", (v) => v.setBigUint64(88, 0x123n, true), 88, /not 4 KiB aligned/],
  ["memsz", (v) => v.setBigUint64(104, 0x1001n, true), 104, /not a multiple of 4 KiB/],
  ["filesz", (v) => v.setBigUint64(96, 0x2000n, true), 96, /p_filesz is larger/],
  ["space", (v) => v.setBigUint64(88, 1n << 60n, true), 88, /48-bit address space/],
  ["no load", (v) => v.setUint32(64, 4, true), 64, /no PT_LOAD/],
])("a wrong %s is named with its byte offset", (_name, damage, offset, message) => {
  const core = good();
  damage(new DataView(core.buffer));
  const error = complaint(core);
  expect(error.message).toMatch(message);
  expect(error.message).toContain(`x.elf at byte ${offset}`);
  expect(error.offset).toBe(offset);
});

test("a file that ends inside the header or a segment is truncated", () => {
  expect(complaint(good().subarray(0, 40)).message).toMatch(/40 bytes are too short.*truncated/);
  expect(complaint(good().subarray(0, 2000)).message).toMatch(/truncated/);
});

test("overlapping segments are refused at the second header", () => {
  const core = buildCore([
    { base: 0x4000_0000n, bytes: 0x2000n },
    { base: 0x4000_1000n, bytes: 0x1000n },
  ]);
  const error = complaint(core);
  expect(error.message).toMatch(/0x40001000 overlaps segment 0x40000000/);
  expect(error.offset).toBe(LAYOUT.phoff + LAYOUT.phentsize);
});
