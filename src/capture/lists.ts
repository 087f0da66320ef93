// Ground-truth lists: JSON lines (gzip or plain), read part by part with line numbers.

import { InputError } from "./errors.ts";
import { gunzipParts } from "./files.ts";
import { type Json, JsonError, parseJson } from "./json.ts";

/** A line of a list that is one JSON object. */
export type JsonObject = { [key: string]: Json };

const LINE_CHARS_MAX = 1 << 20;

/** Complete lines of one decompressed part; `first` is the number of the first one. */
export interface LineBatch {
  first: number;
  lines: string[];
  /** How much of the list has been read: 0 to 1. */
  progress: number;
}

/**
 * Yields the list's lines in batches.
 * @throws InputError when the gzip data is damaged or a line is unreasonably long
 */
export async function* readLines(bytes: Uint8Array, file: string): AsyncGenerator<LineBatch> {
  const decoder = new TextDecoder();
  const total = plainBytes(bytes);
  let rest = "";
  let first = 1;
  let read = 0;
  for await (const part of gunzipParts(bytes, file)) {
    read += part.length;
    const lines = (rest + decoder.decode(part, { stream: true })).split("\n");
    rest = lines.pop() as string;
    if (rest.length > LINE_CHARS_MAX) {
      throw new InputError(file, "the line is too long", { line: first + lines.length });
    }
    if (lines.length > 0) yield { first, lines, progress: Math.min(1, read / total) };
    first += lines.length;
  }
  rest += decoder.decode();
  if (rest !== "") yield { first, lines: [rest], progress: 1 };
}

/**
 * Parses one line.
 * @throws InputError naming the file and the line
 */
export function parseLine(text: string, file: string, line: number): Json {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new InputError(file, `not JSON: ${error.message}`, { line });
  }
}

/** gzip says the plain size modulo 2^32 in its last four bytes (RFC 1952 2.3.1). */
function plainBytes(bytes: Uint8Array): number {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes.length < 18) return bytes.length || 1;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(bytes.length - 4, true) || 1;
}
