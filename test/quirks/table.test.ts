// The table of divergences in ARCHITECTURE.md is the one that the quirk list makes.
// UPDATE_DOCS=1 writes it.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { QUIRKS } from "../../src/spec/quirks.ts";
import { CASES } from "./cases.ts";
import { divergenceTable } from "./divergences.ts";

const DOCUMENT = new URL("../../ARCHITECTURE.md", import.meta.url);
const BEGIN = "<!-- divergences:begin -->";
const END = "<!-- divergences:end -->";

/** Which file has the test "quirk N NAME". */
function testsByQuirk(): Map<number, string> {
  const found = new Map(CASES.map((c) => [c.bit, "`test/quirks/cases.ts`"]));
  for (const name of readdirSync(new URL(".", import.meta.url))) {
    if (!name.endsWith(".test.ts")) continue;
    const text = readFileSync(new URL(name, import.meta.url), "utf8");
    for (const [, bit, quirk] of text.matchAll(/test\("quirk (\d+) (\w+)"/g)) {
      expect(QUIRKS.find((q) => q.bit === Number(bit))?.name).toBe(quirk);
      found.set(Number(bit), `\`test/quirks/${name}\``);
    }
  }
  return found;
}

test("ARCHITECTURE.md has the table that the quirk list makes", () => {
  const tests = testsByQuirk();
  const without = QUIRKS.filter((q) => !tests.has(q.bit)).map((q) => q.bit);
  expect(without).toEqual([19, 35, 36]);
  const text = readFileSync(DOCUMENT, "utf8");
  const [before, rest] = text.split(BEGIN);
  const after = rest.split(END)[1];
  const fresh = `${before}${BEGIN}\n\n${divergenceTable(tests)}\n\n${END}${after}`;
  if (process.env.UPDATE_DOCS === "1") writeFileSync(DOCUMENT, fresh);
  expect(readFileSync(DOCUMENT, "utf8")).toBe(fresh);
});

test("every quirk has a text in each column and a number of its own", () => {
  expect(new Set(QUIRKS.map((q) => q.bit)).size).toBe(QUIRKS.length);
  for (const quirk of QUIRKS) {
    for (const text of [quirk.name, quirk.arch, quirk.qemu, quirk.linux]) {
      expect(text.length).toBeGreaterThan(3);
    }
  }
});
