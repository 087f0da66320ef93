// The oracle's `qemu` mode against recorded answers of QEMU 11.1.3: traces, IOTLB inserts, events.

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { BATCH, type GoldenCase, replayGolden } from "./golden.ts";

const FILE = new URL("../golden/qemu-11.1.3-stage-mix-8k.jsonl.gz", import.meta.url);

function load(): GoldenCase[] {
  const lines = gunzipSync(readFileSync(FILE)).toString().trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line));
}

test("predicts every recorded translation, insert and event", () => {
  const cases = load();
  expect(cases).toHaveLength(8000);
  expect(cases.length % BATCH).toBe(0);
  expect(replayGolden(cases)).toEqual([]);
});

test("notices a changed address, permission, insert or event", () => {
  const cases = load().slice(0, 10 * BATCH);
  const traced = cases.findIndex((c) => c.t?.kind === "success" && c.t.tlb.length > 0);
  const faulted = cases.findIndex((c) => c.ev.length === 1);
  const spoil = (index: number, change: (c: GoldenCase) => void): number[] => {
    const copy = structuredClone(cases);
    change(copy[index]);
    return replayGolden(copy).map((m) => m.line);
  };
  const line = [traced + 1];
  expect(spoil(traced, (c) => (c.t!.pa = `0x${(BigInt(c.t!.pa!) ^ 4n).toString(16)}`))).toEqual(
    line,
  );
  expect(spoil(traced, (c) => (c.t!.perm = "0x0"))).toEqual(line);
  expect(spoil(traced, (c) => (c.t!.tlb[0][4] ^= 1))).toEqual(line);
  expect(spoil(faulted, (c) => (c.ev[0] = `ff${c.ev[0].slice(2)}`))).toEqual([faulted + 1]);
});
