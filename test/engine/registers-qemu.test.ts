// Registers in `qemu` mode against a sweep of QEMU 11.1.3: reset, all ones, zero (IHI0070 6.3).
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { R, Rig } from "./rig.ts";

/**
 * Rows of [offset, at first, after all ones, after zero], hexadecimal, in the order of the sweep.
 */
const ROWS: [string, string, string, string][] = JSON.parse(
  readFileSync(new URL("../golden/qemu-11.1.3-registers.json", import.meta.url), "utf8"),
);
const GOLDEN = new Map(
  ROWS.map((row) => row.map((text) => Number.parseInt(text, 16))).map((row) => [
    row[0],
    row.slice(1),
  ]),
);
const ZERO = [0, 0, 0];
/** The sweep went through these; page 1 aliases page 0. */
const PAGE_0 = { from: 0, to: 0x1000 };
const PAGE_1 = { from: 0x1_0000, to: 0x1_0100 };

test("every word of page 0, then its aliases on page 1, in one sweep", async () => {
  const rig = await Rig.bare({ compat: "qemu" });
  const answers: [string, number[]][] = [];
  const expected: [string, number[]][] = [];
  for (const { from, to } of [PAGE_0, PAGE_1]) {
    for (let offset = from; offset < to; offset += 4) {
      const words = [rig.read(offset)];
      for (const value of [0xffff_ffff, 0]) {
        rig.write(offset, value);
        words.push(rig.read(offset));
      }
      const name = `0x${offset.toString(16)}`;
      answers.push([name, words]);
      expected.push([name, GOLDEN.get(offset) ?? ZERO]);
    }
  }
  expect(answers).toEqual(expected);
  // Every recorded word was in the sweep.
  const swept = (offset: number) =>
    [PAGE_0, PAGE_1].some(({ from, to }) => offset >= from && offset < to);
  expect([...GOLDEN.keys()].every(swept)).toBe(true);
});

test("64-bit registers take one access or two halves", async () => {
  const rig = await Rig.bare({ compat: "qemu" });
  const value = 0x1234_5678_9abc_def0n;
  for (const offset of [R.GERROR_IRQ_CFG0, R.STRTAB_BASE, R.CMDQ_BASE, R.EVENTQ_BASE]) {
    rig.smmu.writeRegister(offset, value, 8);
    expect(rig.smmu.readRegister(offset, 8)).toBe(value);
    expect(rig.read(offset)).toBe(0x9abc_def0);
    expect(rig.read(offset + 4)).toBe(0x1234_5678);
    rig.write(offset, 1);
    rig.write(offset + 4, 2);
    expect(rig.smmu.readRegister(offset, 8)).toBe(0x2_0000_0001n);
  }
});

test("the event queue's interrupt configuration reads as zero at any width", async () => {
  const rig = await Rig.bare({ compat: "qemu" });
  rig.smmu.writeRegister(R.EVENTQ_IRQ_CFG0, 0x1234n, 8);
  for (let offset = R.EVENTQ_IRQ_CFG0; offset <= R.EVENTQ_IRQ_CFG2; offset += 4) {
    rig.write(offset, 0xffff_ffff);
    expect(rig.read(offset)).toBe(0);
  }
  expect(rig.smmu.readRegister(R.EVENTQ_IRQ_CFG0, 8)).toBe(0n);
});

test("nothing is guarded: enabled registers take every write", async () => {
  const rig = await Rig.ready({ compat: "qemu" });
  rig.write(R.IRQ_CTRL, 5);
  for (const [offset, value] of [
    [R.CR2, 7],
    [R.STRTAB_BASE, 0x1000],
    [R.STRTAB_BASE_CFG, 6],
    [R.CMDQ_BASE, 0x2003],
    [R.EVENTQ_BASE, 0x3004],
    [R.EVENTQ_PROD, 9],
    [R.GERROR_IRQ_CFG1, 0x55],
  ]) {
    rig.write(offset, value);
    expect(rig.read(offset), `0x${offset.toString(16)}`).toBe(value);
  }
});
