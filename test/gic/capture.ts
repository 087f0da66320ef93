// A capture for tests: its manifest, its memory as an address map, and the lines of its replay.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { bytesSource } from "../../src/capture/elf.ts";
import { MemoryImage } from "../../src/capture/image.ts";
import { type Manifest, parseManifest } from "../../src/capture/manifest.ts";
import { AddressMap, HostMemory } from "../../src/engine/memory.ts";
import { Its, processorNumber } from "../../src/gic/its.ts";

const CAPTURES = fileURLToPath(new URL("../captures/", import.meta.url));

/** Names of all captures. */
export const captureNames: readonly string[] = readdirSync(CAPTURES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

const readText = (name: string, file: string): string =>
  readFileSync(join(CAPTURES, name, file), "utf8");

const readGzip = (name: string, file: string): Buffer =>
  gunzipSync(readFileSync(join(CAPTURES, name, file)));

export const readManifest = (name: string): Manifest =>
  parseManifest(readText(name, "manifest.json"), name);

/** The manifest as plain JSON: members that this project does not otherwise read. */
// biome-ignore lint/suspicious/noExplicitAny: test data of another program
export const readRawManifest = (name: string): any => JSON.parse(readText(name, "manifest.json"));

/** Lines of replay.jsonl.gz of some operations, as objects. */
export function readReplay<T extends { op: string }>(name: string, ops: readonly T["op"][]): T[] {
  const lines = readGzip(name, "replay.jsonl.gz").toString("utf8").split("\n");
  const wanted = ops.map((op) => `{"op":"${op}"`);
  return lines.filter((l) => wanted.some((w) => l.startsWith(w))).map((l) => JSON.parse(l) as T);
}

/** The memory of a capture behind an address map of its own. */
export function loadMemory(name: string): { memory: HostMemory; map: AddressMap } {
  const core = bytesSource(name, new Uint8Array(readGzip(name, "memory.elf.gz")));
  const memory = HostMemory.create();
  const map = new AddressMap(memory);
  new MemoryImage(core).attach(map);
  return { memory, map };
}

/** Gives an ITS the redistributors of a capture. */
export function programRedistributors(its: Its, manifest: Manifest): void {
  for (const { regs } of manifest.redistributors) {
    const register = (reg: string) => regs.get(reg) ?? 0n;
    const typer = register("TYPER");
    its.setRedistributor(processorNumber(typer), {
      typer,
      propbaser: register("PROPBASER"),
      pendbaser: register("PENDBASER"),
      ctlr: Number(register("CTLR")),
    });
  }
}

/** The ITS of a capture as it was at the stop. */
export async function restoreIts(name: string): Promise<{ its: Its; map: AddressMap }> {
  const manifest = readManifest(name);
  if (manifest.its === null) throw new Error(`${name} has no ITS`);
  const { memory, map } = loadMemory(name);
  const its = await Its.create(memory, map, { base: manifest.its.base, compat: "qemu" });
  its.restoreRegisters(manifest.its.regs);
  programRedistributors(its, manifest);
  return { its, map };
}
