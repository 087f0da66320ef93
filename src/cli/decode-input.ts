// Inputs of the decoder's commands: files, words on the command line, ID registers.

import { open, readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { InputError, reasonOf } from "../capture/errors.ts";
import { decodeRegisterDump, type IdRegisters, idRegistersOf } from "../decode/index.ts";
import { type Args, UsageError } from "./command.ts";

/** Limit on a decompressed log. */
const TEXT_BYTES_MAX = 1 << 28;

/** Bytes as text: gzip, UTF-16 with its mark, or UTF-8 with any damage replaced. */
export function textOf(bytes: Uint8Array): string {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b)
    return textOf(gunzipSync(bytes, { maxOutputLength: TEXT_BYTES_MAX }));
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  return new TextDecoder("utf-8").decode(bytes);
}

/** Reads a file as text. @throws InputError with the reason */
export async function readText(path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new InputError(path, reasonOf(error));
  }
  try {
    return textOf(bytes);
  } catch {
    throw new InputError(path, "is damaged gzip, or too large");
  }
}

/** Does a file of this name exist? */
export async function isFile(path: string): Promise<boolean> {
  try {
    await (await open(path)).close();
    return true;
  } catch {
    return false;
  }
}

/** Is the argument a number rather than a file name? */
export const isWord = (text: string): boolean => /^(?:0x)?[0-9a-f_]{1,128},?$/i.test(text);

/**
 * ID registers from a file (a register dump in any form) or from text such as "IDR0=0x…,IDR1=0x…".
 * @throws UsageError when there is none in the text, InputError when there is none in the file
 */
export async function readIdr(given: string): Promise<IdRegisters> {
  const isText = given.includes("=") && !(await isFile(given));
  const lines = (isText ? given : await readText(given)).split(/\r?\n|,/);
  const idr = idRegistersOf(decodeRegisterDump(lines));
  if (Object.keys(idr).length > 0) return idr;
  const wanted = "give IDR0=0x…,IDR1=0x… or a register dump";
  if (isText) throw new UsageError(`no ID register in "${given}"; ${wanted}`);
  throw new InputError(given, "there is no ID register in it", {}, wanted);
}

/** The values of an option that may be given several times. */
export function allOf(args: Args, name: string): string[] {
  const value = args.values[name];
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : [value]).map(String);
}

/** All `--idr` options together. */
export async function idrOption(args: Args): Promise<IdRegisters | undefined> {
  const given = allOf(args, "idr");
  if (given.length === 0) return undefined;
  return Object.assign({}, ...(await Promise.all(given.map(readIdr)))) as IdRegisters;
}
