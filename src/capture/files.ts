// A capture as a set of named files: a directory, a web folder, or a map in memory.

import { type ByteSource, bytesSource } from "./elf.ts";
import { InputError } from "./errors.ts";

const PART_BYTES = 1 << 18;

/** Where a capture's files come from. */
export interface CaptureFiles {
  /** The capture's name, for output. */
  readonly name: string;
  /** Full name of a file, for messages. */
  path(file: string): string;
  /** The bytes of a file, as they are or already decompressed; undefined when it does not exist. */
  read(file: string): Promise<Uint8Array | undefined>;
  /** Random access to a file that may be too large to hold; undefined when not offered. */
  open?(file: string): Promise<ByteSource | undefined>;
}

/** Files over HTTP: `base` is the capture's folder; works in a browser. */
export function webFiles(base: string | URL): CaptureFiles {
  const root = new URL(String(base).replace(/\/*$/, "/"), globalThis.location?.href);
  const name = root.pathname.split("/").filter(Boolean).at(-1) ?? String(root);
  return {
    name,
    path: (file) => new URL(file, root).href,
    async read(file) {
      const response = await fetch(new URL(file, root));
      if (response.status === 404) return undefined;
      if (!response.ok) {
        throw new InputError(response.url, `the server answered ${response.status}`);
      }
      return new Uint8Array(await response.arrayBuffer());
    },
  };
}

/** Files that are already in memory, by name. */
export function memoryFiles(name: string, files: Record<string, Uint8Array>): CaptureFiles {
  return {
    name,
    path: (file) => `${name}/${file}`,
    read: async (file) => (Object.hasOwn(files, file) ? files[file] : undefined),
  };
}

/** Whether bytes start with the gzip magic (RFC 1952). */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length > 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** The bytes, decompressed when they are gzip. */
export async function gunzip(bytes: Uint8Array, file: string): Promise<Uint8Array> {
  if (!isGzip(bytes)) return bytes;
  const parts: Uint8Array[] = [];
  for await (const part of gunzipParts(bytes, file)) parts.push(part);
  return concat(parts);
}

/** The same in parts of moderate size. */
export async function* gunzipParts(bytes: Uint8Array, file: string): AsyncGenerator<Uint8Array> {
  if (!isGzip(bytes)) {
    for (let at = 0; at < bytes.length; at += PART_BYTES) yield bytes.subarray(at, at + PART_BYTES);
    return;
  }
  const plain = new Blob([bytes as BlobPart])
    .stream()
    .pipeThrough(new DecompressionStream("gzip") as ReadableWritablePair<Uint8Array, Uint8Array>);
  const reader = plain.getReader();
  for (;;) {
    let step: ReadableStreamReadResult<Uint8Array>;
    try {
      step = await reader.read();
    } catch {
      throw damagedGzip(file, bytes.length);
    }
    if (step.done) return;
    yield step.value;
  }
}

/** The complaint about gzip data that does not decompress. */
export function damagedGzip(file: string, size: number): InputError {
  return new InputError(
    file,
    "the gzip data is damaged or ends early",
    { offset: size },
    "copy the file again",
  );
}

/** A byte source of one file's (decompressed) content, by name. */
export async function openSource(files: CaptureFiles, name: string): Promise<ByteSource> {
  const direct = await files.open?.(name);
  if (direct && !isGzip(direct.read(0, Math.min(3, direct.size)))) return direct;
  const bytes = await files.read(name);
  if (!bytes) throw new InputError(files.path(name), "no such file");
  return bytesSource(files.path(name), await gunzip(bytes, files.path(name)));
}

function concat(parts: Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0];
  const bytes = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
