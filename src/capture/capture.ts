// A capture: its manifest and memory image, opened from wherever its files are.

import { InputError } from "./errors.ts";
import { type CaptureFiles, openSource } from "./files.ts";
import { MemoryImage } from "./image.ts";
import { type Manifest, parseManifest } from "./manifest.ts";

/** An opened capture. */
export interface Capture {
  readonly name: string;
  readonly files: CaptureFiles;
  readonly manifest: Manifest;
  readonly image: MemoryImage;
  /** The guest in a few words: "Linux 7.2.13 Debian arm64 4K". */
  readonly guest: string;
}

/**
 * Opens a capture's manifest.json and memory.elf.gz (or memory.elf).
 * @throws InputError naming the file and what is wrong with it
 */
export async function openCapture(files: CaptureFiles): Promise<Capture> {
  const text = await files.read("manifest.json");
  if (!text) {
    throw new InputError(
      files.path("manifest.json"),
      "no such file",
      {},
      "a capture has manifest.json and memory.elf.gz",
    );
  }
  const manifest = parseManifest(new TextDecoder().decode(text), files.path("manifest.json"));
  const core = (await files.read("memory.elf.gz")) ? "memory.elf.gz" : "memory.elf";
  const image = new MemoryImage(await openSource(files, core));
  return {
    name: manifest.variant && !manifest.variant.includes(" ") ? manifest.variant : files.name,
    files,
    manifest,
    image,
    guest: manifest.notes[0] ?? "",
  };
}

/** The name and bytes of a list, `NAME.gz` or `NAME`; undefined when the capture has none. */
export async function readList(
  capture: Capture,
  name: string,
): Promise<{ file: string; bytes: Uint8Array } | undefined> {
  for (const file of [`${name}.gz`, name]) {
    const bytes = await capture.files.read(file);
    if (bytes) return { file, bytes };
  }
  return undefined;
}
