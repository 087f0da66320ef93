// A capture in a directory: the only file of this room that touches the file system.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import type { ByteSource } from "./elf.ts";
import { InputError, reasonOf } from "./errors.ts";
import { type CaptureFiles, damagedGzip, isGzip } from "./files.ts";

const WHOLE_BYTES_MAX = 64 << 20;

/**
 * The files of a capture directory.
 * @throws InputError when `directory` is not a directory
 */
export async function directoryFiles(directory: string): Promise<CaptureFiles> {
  const info = await stat(directory).catch(() => undefined);
  if (!info) {
    throw new InputError(directory, "no such capture", {}, "give a directory with manifest.json");
  }
  if (!info.isDirectory()) {
    throw new InputError(
      directory,
      "a capture is a directory",
      {},
      "for a single core use: vsmmu walk --core FILE --strtab BASE",
    );
  }
  return {
    name: basename(resolve(directory)),
    path: (file) => join(directory, file),
    read: async (file) => unpacked(await readIfThere(join(directory, file)), join(directory, file)),
  };
}

/** Decompresses gzip data with the platform's own library: faster than a stream. */
function unpacked(bytes: Uint8Array | undefined, path: string): Uint8Array | undefined {
  if (bytes === undefined || !isGzip(bytes)) return bytes;
  try {
    return gunzipSync(bytes);
  } catch {
    throw damagedGzip(path, bytes.length);
  }
}

/** The bytes of a file, or undefined when it does not exist. */
export async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new InputError(path, reasonOf(error));
  }
}

/** Random access to one file; small files are read whole, large ones stay on disk. */
export async function openFile(path: string): Promise<ByteSource> {
  let handle: number;
  try {
    handle = openSync(path, "r");
  } catch (error) {
    throw new InputError(path, reasonOf(error));
  }
  const size = fstatSync(handle).size;
  if (size <= WHOLE_BYTES_MAX) {
    closeSync(handle);
    const bytes = await readIfThere(path);
    if (!bytes) throw new InputError(path, "no such file");
    return { name: path, size: bytes.length, read: (at, n) => bytes.subarray(at, at + n) };
  }
  return {
    name: path,
    size,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      if (readSync(handle, bytes, 0, length, offset) < length) {
        throw new InputError(path, "the file ends early", { offset }, "it changed while in use");
      }
      return bytes;
    },
  };
}
