// Every known divergence on a live QEMU: it does what our qemu mode is said to do.
import { afterAll, beforeAll, expect, test } from "vitest";
import { runProgram } from "../../src/conform/run.ts";
import { CASES } from "../quirks/cases.ts";
import { outcomes } from "../quirks/world.ts";
import { startQemu } from "./emulators.ts";
import type { Qtest } from "./qtest.ts";

let qemu: Qtest;
beforeAll(async () => {
  qemu = await startQemu();
});
afterAll(async () => {
  await qemu?.stop();
});

const SHOWN = CASES.filter((c) => !c.id && !c.abortsQemu);

test.each(SHOWN.map((c) => [`quirk ${c.bit}`, c] as const))("%s", async (_title, c) => {
  const program = c.build().program("quirk");
  expect(outcomes(program, await runProgram(qemu, program))).toEqual(c.qemu);
});

test("most of them show on QEMU's own ID registers", () => {
  expect(SHOWN.length).toBeGreaterThan(25);
});
