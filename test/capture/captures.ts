// The recorded captures, and edited copies of them in memory.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { openCapture } from "../../src/capture/capture.ts";
import { type CaptureFiles, memoryFiles } from "../../src/capture/files.ts";
import { parseJson } from "../../src/capture/json.ts";
import { directoryFiles } from "../../src/capture/node.ts";
import { replayCapture } from "../../src/capture/replay.ts";
import type { ReplayReport } from "../../src/capture/replay-report.ts";

/** Every capture with a replay list. */
export const CAPTURES = [
  "faults-4k",
  "gicv2m-4k-strict",
  "l1-accel-uefi",
  "l1-vfio-kvm",
  "l1-vsmmu-virtio",
  "ordered-4k-strict",
  "passthrough-4k",
  "s1-16k-strict",
  "s1-4k-lazy",
  "s1-4k-strict-nobg",
  "s2only-4k-strict",
];

/** Directory of a capture. */
export function directoryOf(name: string): string {
  return fileURLToPath(new URL(`../captures/${name}`, import.meta.url));
}

/** Text of one file of a capture, decompressed. */
export function textOf(name: string, file: string): string {
  const bytes = readFileSync(`${directoryOf(name)}/${file}`);
  return (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
}

/** Replays a capture's directory. */
export async function replayDirectory(
  name: string,
  compat: "arch" | "qemu" = "qemu",
): Promise<ReplayReport> {
  return replayCapture(await openCapture(await directoryFiles(directoryOf(name))), { compat });
}

/** Edits of a capture, applied to lines that are parsed objects or arrays. */
export interface Edits {
  /** Changes the manifest in place. */
  // biome-ignore lint/suspicious/noExplicitAny: a manifest is free-form JSON
  manifest?(m: any): void;
  /** Changes one operation of replay.jsonl; null drops it. `line` is its number before. */
  // biome-ignore lint/suspicious/noExplicitAny: an operation is free-form JSON
  op?(op: any, line: number): unknown;
  /** Changes one row of maps.jsonl; null drops it. */
  // biome-ignore lint/suspicious/noExplicitAny: a row is free-form JSON
  map?(row: any, line: number): unknown;
}

/** An edited copy of a capture; every integer keeps all its bits. */
export function editedFiles(name: string, edits: Edits): CaptureFiles {
  const encode = (text: string) => new TextEncoder().encode(text);
  const manifest = textOf(name, "manifest.json");
  const files: Record<string, Uint8Array> = {
    "manifest.json": encode(edits.manifest ? editManifest(manifest, edits.manifest) : manifest),
    "memory.elf.gz": readFileSync(`${directoryOf(name)}/memory.elf.gz`),
    "replay.jsonl": encode(editLines(textOf(name, "replay.jsonl.gz"), edits.op)),
    "maps.jsonl": encode(editLines(textOf(name, "maps.jsonl.gz"), edits.map)),
  };
  return memoryFiles(name, files);
}

/** Replays an edited copy. */
export async function replayEdited(name: string, edits: Edits): Promise<ReplayReport> {
  return replayCapture(await openCapture(editedFiles(name, edits)));
}

// biome-ignore lint/suspicious/noExplicitAny: a line is free-form JSON
function editLines(text: string, edit?: (value: any, line: number) => unknown): string {
  if (!edit) return text;
  const lines = text.split("\n").filter((l) => l !== "");
  return lines
    .map((line, i) => {
      const value = parseJson(line);
      const after = edit(value, i + 1);
      return after === null ? "" : stringify(after ?? value);
    })
    .join("\n");
}

function editManifest(text: string, edit: NonNullable<Edits["manifest"]>): string {
  const manifest = parseJson(text);
  edit(manifest);
  return stringify(manifest);
}

/** JSON with bigints as plain digits. */
function stringify(value: unknown): string {
  const marked = JSON.stringify(value, (_key, v) => (typeof v === "bigint" ? `#${v}#` : v));
  return marked.replace(/"#(\d+)#"/g, "$1");
}
