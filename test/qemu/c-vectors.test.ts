// The C header of vectors compiles without a warning, and C programs that use it find no
// difference.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readSnippets } from "../snippets.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const EXAMPLE = readFileSync(join(ROOT, "test/vectors/consumer.c"), "utf8");
const README = readSnippets(readFileSync(join(ROOT, "README.md"), "utf8"));
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "vsmmu-c-"));
  const args = [join(ROOT, "dist/cli.js"), "vectors", "--format", "c"];
  const made = spawnSync(process.execPath, args, { encoding: "utf8", maxBuffer: 1 << 26 });
  expect(made.stderr).toBe("");
  writeFileSync(join(folder, "vectors.h"), made.stdout);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Compiles and runs a program beside the header; gives what it prints. */
function runC(code: string): string {
  writeFileSync(join(folder, "main.c"), code);
  const flags = ["-Wall", "-Wextra", "-Werror", "-O1", "-o", "main", "main.c"];
  const compiled = spawnSync("cc", flags, { cwd: folder, encoding: "utf8" });
  expect(compiled.stderr).toBe("");
  const done = spawnSync("./main", { cwd: folder, encoding: "utf8" });
  expect(done.status).toBe(0);
  return done.stdout;
}

const programs = [EXAMPLE, ...README.filter((s) => s.language === "c").map((s) => s.code)];

test.each(programs.map((code, i) => [i, code] as const))("program %i", (_i, code) => {
  expect(runC(code)).toMatch(/^\d+ events, 0 differences\n$/);
});

test("a wrong decoder is found out", () => {
  expect(() => runC(EXAMPLE.replace(">> 32", ">> 31"))).toThrow();
});

test("every run of the header can be walked", () => {
  const walk = `#include <stdio.h>
#include "vectors.h"
int main(void) {
  unsigned long steps = 0, records = 0;
  for (int i = 0; i < VSMMU_RUNS; i++)
    for (size_t k = 0; k < vsmmu_runs[i].count; k++) {
      steps++;
      records += vsmmu_runs[i].steps[k].events;
    }
  for (int i = 0; i < VSMMU_ENTRIES; i++) if (!vsmmu_entries[i].fields->name) return 1;
  printf("%lu %lu\\n", steps, records);
  return 0;
}`;
  const [steps, records] = runC(walk).trim().split(" ").map(Number);
  expect(steps).toBeGreaterThan(500);
  expect(records).toBeGreaterThan(20);
});
