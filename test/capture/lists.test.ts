// Lists of JSON lines: batches, line numbers, damage.

import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { InputError } from "../../src/capture/errors.ts";
import { gunzip, memoryFiles, openSource } from "../../src/capture/files.ts";
import { parseLine, readLines } from "../../src/capture/lists.ts";
import { parseOp } from "../../src/capture/replay-ops.ts";

const encode = (text: string) => new TextEncoder().encode(text);

async function collect(bytes: Uint8Array): Promise<[number, string][]> {
  const lines: [number, string][] = [];
  for await (const batch of readLines(bytes, "list.jsonl.gz")) {
    batch.lines.forEach((text, i) => {
      lines.push([batch.first + i, text]);
    });
  }
  return lines;
}

test("lines keep their numbers across parts, gzip or not, last line end or not", async () => {
  const text = Array.from({ length: 50_000 }, (_, i) => `{"n":${i},"é":"ü"}`).join("\n");
  for (const bytes of [encode(text), gzipSync(encode(text)), gzipSync(encode(`${text}\n`))]) {
    const lines = await collect(bytes);
    expect(lines).toHaveLength(50_000);
    expect(lines.every(([n, line]) => line === `{"n":${n - 1},"é":"ü"}`)).toBe(true);
  }
});

test("an empty list has no lines", async () => {
  expect(await collect(new Uint8Array(0))).toEqual([]);
  expect(await collect(gzipSync(new Uint8Array(0)))).toEqual([]);
});

test("damaged gzip data is an input error", async () => {
  const whole = gzipSync(encode("a\n".repeat(100_000)));
  await expect(collect(whole.subarray(0, whole.length - 20))).rejects.toThrow(InputError);
  await expect(gunzip(whole.subarray(0, 40), "m.gz")).rejects.toThrow(
    /m\.gz at byte 40: the gzip data is damaged/,
  );
});

test("a bad line is named by its number", () => {
  expect(() => parseLine('{"op":', "r.jsonl", 17)).toThrow("r.jsonl at line 17: not JSON");
});

test.each([
  ["[]", "an operation must be an object"],
  ["{}", '"op" is missing'],
  ['{"op":"zz"}', 'unknown operation "zz"'],
  ['{"op":"toString"}', 'unknown operation "toString"'],
  ['{"op":"x","sid":1,"cfg":0}', '"res" of operation "x"'],
  ['{"op":"x","sid":1,"cfg":0,"res":"ok","pte":[[1]]}', '"pte" of operation "x" is malformed'],
  ['{"op":"x","sid":1,"cfg":0,"res":"ok","evr":"zz"}', '"evr" of operation "x" is malformed'],
  ['{"op":"x","sid":1,"cfg":0,"res":"ok","cd":-1}', '"cd" of operation "x" is malformed'],
  ['{"op":"x","sid":-1,"cfg":0,"res":"ok"}', '"sid" of operation "x"'],
  ['{"op":"w","a":-4,"v":0,"s":4}', '"a" of operation "w"'],
  ['{"op":"mw","a":8,"v":"12"}', '"v" of operation "mw"'],
])("%s is refused", (text, message) => {
  expect(() => parseOp(text, "r.jsonl", 3)).toThrow(`r.jsonl at line 3: ${message}`);
});

test("descriptors keep their upper bits", () => {
  const op = parseOp('{"op":"x","sid":1,"cfg":1,"res":"ok","pte":[[8,27021597899034187]]}', "r", 1);
  expect(op).toMatchObject({ pte: [[8, 27021597899034187n]] });
});

test("operations that a replay does not act on are skipped", () => {
  expect(parseOp('{"op":"pcw","t":"x"}', "r", 1)).toBeUndefined();
});

test("a missing file is named", async () => {
  await expect(openSource(memoryFiles("cap", {}), "memory.elf.gz")).rejects.toThrow(
    "cap/memory.elf.gz: no such file",
  );
});
