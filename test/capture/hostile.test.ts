// Damaged captures never crash the replay: they differ, or they are refused as input.

import fc from "fast-check";
import { expect, test } from "vitest";
import { openCapture } from "../../src/capture/capture.ts";
import { InputError } from "../../src/capture/errors.ts";
import { memoryFiles } from "../../src/capture/files.ts";
import { machineOf } from "../../src/capture/machine.ts";
import { replayCapture } from "../../src/capture/replay.ts";
import { resolveVectors } from "../../src/machine/route.ts";
import { editedFiles } from "./captures.ts";

const NAME = "l1-vsmmu-virtio";
const files = editedFiles(NAME, {});
const original: Record<string, Uint8Array> = {};
for (const name of ["manifest.json", "memory.elf.gz", "replay.jsonl", "maps.jsonl"]) {
  original[name] = (await files.read(name)) as Uint8Array;
}

const NUMBERS = [
  "0",
  "1",
  "4095",
  "1e3",
  "-1",
  "4294967296",
  "281474976710656",
  "9007199254740993",
];
const NUMBER = fc.constantFrom(...NUMBERS, "18446744073709551615", "null", '"x"', "[]", "1.5");

/** Replaces the k-th number of a text. */
function replaceNumber(text: string, k: number, by: string): string {
  const found = [...text.matchAll(/(?<=[:[,]\s?)\d+(?=[,\]}])/g)];
  const at = found[k % found.length];
  return text.slice(0, at.index) + by + text.slice(at.index + at[0].length);
}

async function survives(name: string, text: string): Promise<void> {
  const changed = { ...original, [name]: new TextEncoder().encode(text) };
  try {
    const capture = await openCapture(memoryFiles(NAME, changed));
    const report = await replayCapture(capture);
    expect(report.mismatchCount).toBeGreaterThanOrEqual(0);
    if (name === "manifest.json") resolveVectors(await machineOf(capture));
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
  }
}

test.each(["replay.jsonl", "maps.jsonl", "manifest.json"])(
  "any number of %s may be wrong",
  async (name) => {
    const text = new TextDecoder().decode(original[name]);
    await fc.assert(
      fc.asyncProperty(fc.nat(1 << 20), NUMBER, async (k, by) => {
        await survives(name, replaceNumber(text, k, by));
      }),
      { numRuns: 25 },
    );
  },
);

test("any byte of the image may be wrong", async () => {
  const { gunzipSync } = await import("node:zlib");
  const core = new Uint8Array(gunzipSync(original["memory.elf.gz"]));
  await fc.assert(
    fc.asyncProperty(fc.nat(core.length - 1), fc.nat(255), fc.nat(1200), async (at, by, head) => {
      for (const where of [at, head]) {
        const bytes = core.slice();
        bytes[where] = by;
        try {
          const capture = await openCapture(
            memoryFiles(NAME, { ...original, "memory.elf.gz": bytes }),
          );
          await replayCapture(capture);
          resolveVectors(await machineOf(capture));
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
      }
    }),
    { numRuns: 12 },
  );
});
