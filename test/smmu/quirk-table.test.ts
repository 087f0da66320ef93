// The table of gaps in ARCHITECTURE.md is the one that the list of switches makes.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ACCEL_QUIRKS } from "../../src/smmu/accel-quirks.ts";

test("ARCHITECTURE.md lists every gap of the accelerated vSMMU", () => {
  const text = readFileSync(new URL("../../ARCHITECTURE.md", import.meta.url), "utf8");
  const [, after = ""] = text.split("<!-- accelerated:begin -->\n");
  const [table] = after.split("<!-- accelerated:end -->");
  const rows = ACCEL_QUIRKS.map(({ name, arch, qemu }) => `| \`${name}\` | ${arch} | ${qemu} |\n`);
  expect(table).toBe(`| gap | arch | QEMU 11.1 |\n|---|---|---|\n${rows.join("")}`);
});
