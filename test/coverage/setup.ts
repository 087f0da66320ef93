// Before each test file of the coverage run: loads the coverage modules, writes their counts.
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, vi } from "vitest";
import { Counters } from "./counters.ts";

vi.mock("../../src/engine/wasm-url.ts", () => ({
  ENGINE_URL: new URL("../../dist/engine-coverage.wasm", import.meta.url),
  ENGINE_SHARED_URL: new URL("../../dist/engine-coverage-shared.wasm", import.meta.url),
}));

const folder = process.env.VSMMU_COVERAGE;
if (folder === undefined) throw new Error("VSMMU_COVERAGE names no folder: use npm run coverage");

const counters = new Counters();
counters.attach();
afterAll(() => {
  writeFileSync(join(folder, `${randomUUID()}.json`), JSON.stringify(counters.words()));
});
