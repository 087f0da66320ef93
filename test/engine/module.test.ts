// The compiled engine: what it imports, what it must not contain, and that builds are reproducible.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { HostMemory } from "../../src/engine/memory.ts";
import { instantiate, loadModule } from "../../src/engine/module.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MODULES = [
  ["engine.wasm", false],
  ["engine-shared.wasm", true],
] as const;
/** Section ids of the binary format. */
const SECTION = { import: 2, memory: 5, start: 8, data: 11, dataCount: 12 };
const HEADER_BYTES = 8;
/** What a page or a worker has to load is kept small. */
const BYTES_MAX = 40 * 1024;

const bytesOf = (name: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(join(ROOT, "dist", name)));

/** Section ids in order, read from the module's bytes. */
function sectionsOf(bytes: Uint8Array): number[] {
  const ids: number[] = [];
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    ids.push(bytes[at++]);
    let size = 0;
    for (let shift = 0, more = true; more; shift += 7) {
      size += (bytes[at] & 0x7f) * 2 ** shift;
      more = (bytes[at++] & 0x80) !== 0;
    }
    at += size;
  }
  return ids;
}

test.each(MODULES)("%s has one import, no data segment and no start function", (name) => {
  const bytes = bytesOf(name);
  const module = new WebAssembly.Module(bytes);
  expect(WebAssembly.Module.imports(module)).toEqual([
    { module: "env", name: "memory", kind: "memory" },
  ]);
  const sections = sectionsOf(bytes);
  expect(sections).toContain(SECTION.import);
  for (const id of [SECTION.memory, SECTION.start, SECTION.data, SECTION.dataCount]) {
    expect(sections).not.toContain(id);
  }
  const kinds = new Set(WebAssembly.Module.exports(module).map(({ kind }) => kind));
  expect([...kinds]).toEqual(["function"]);
  expect(bytes.length).toBeLessThanOrEqual(BYTES_MAX);
});

test("both modules export the same functions", () => {
  const [one, other] = MODULES.map(([name]) =>
    WebAssembly.Module.exports(new WebAssembly.Module(bytesOf(name))).map((e) => e.name),
  );
  expect(one).toEqual(other);
});

test.each(MODULES)("%s takes memory of its own kind alone", async (_, shared) => {
  const module = await loadModule(shared);
  const own = new HostMemory({ shared, maximumPages: 64 });
  const other = new HostMemory({ shared: !shared, maximumPages: 64 });
  const engine = await instantiate(own.memory, module);
  expect(engine.stateBytes()).toBeGreaterThan(0);
  await expect(instantiate(other.memory, module)).rejects.toThrow(WebAssembly.LinkError);
});

test("instantiating changes nothing in memory", async () => {
  const memory = new HostMemory({ maximumPages: 64 });
  memory.bytes(0, 65536).fill(0x5a);
  await instantiate(memory.memory, await loadModule(false));
  expect(memory.bytes(0, 65536).every((byte) => byte === 0x5a)).toBe(true);
});

/** SHA-256 of a release build made in a folder of its own. */
async function buildIn(folder: string): Promise<string> {
  for (const name of ["assembly", "asconfig.json"]) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  const asc = join(ROOT, "node_modules", "assemblyscript", "bin", "asc.js");
  const build = spawn(process.execPath, [asc, "--target", "release"], { cwd: folder });
  const status = await new Promise((resolve) => build.on("close", resolve));
  expect(status).toBe(0);
  const bytes = readFileSync(join(folder, "dist", "engine.wasm"));
  return createHash("sha256").update(bytes).digest("hex");
}

test("two builds in two places are the same, bit for bit", { timeout: 180_000 }, async () => {
  const folders = ["first", "second-place"].map((name) =>
    mkdtempSync(join(tmpdir(), `vsmmu-${name}-`)),
  );
  try {
    const [one, other] = await Promise.all(folders.map(buildIn));
    expect(one).toBe(other);
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true });
  }
});
