// Every capture replays without a mismatch; a damaged one is caught at the damaged line.

import { describe, expect, test } from "vitest";
import { openCapture } from "../../src/capture/capture.ts";
import { directoryFiles } from "../../src/capture/node.ts";
import { replayCapture } from "../../src/capture/replay.ts";
import type { ReplayReport, TallyName } from "../../src/capture/replay-report.ts";
import { CAPTURES, directoryOf, replayDirectory, replayEdited, textOf } from "./captures.ts";

const count = (text: string, pattern: RegExp) => text.match(pattern)?.length ?? 0;

/** What the lists themselves say that there is to check. */
function countsOf(name: string): Record<TallyName, number> {
  const replay = textOf(name, "replay.jsonl.gz");
  const manifest = JSON.parse(textOf(name, "manifest.json"));
  return {
    maps: count(textOf(name, "maps.jsonl.gz"), /\n/g),
    translations: count(replay, /^\{"op":"x"/gm),
    commands: count(replay, /^\{"op":"cmd"/gm),
    events: count(replay, /"evr":/g),
    its: count(replay, /^\{"op":"its"/gm),
    msi: count(replay, /^\{"op":"msi"/gm) + manifest.msi.length,
  };
}

function expectClean(report: ReplayReport): void {
  expect(report.mismatches).toEqual([]);
  expect(report.mismatchCount).toBe(0);
}

describe.each(CAPTURES)("%s", (name) => {
  test("replays exactly by QEMU's rules, and everything is checked", async () => {
    const report = await replayDirectory(name);
    expectClean(report);
    for (const [kind, n] of Object.entries(countsOf(name))) {
      expect([kind, report[kind as TallyName]]).toEqual([kind, { checked: n, matched: n }]);
    }
  });

  test("agrees with the architecture's rules where it must", async () => {
    const report = await replayDirectory(name, "arch");
    expectClean(report);
    expect(report.maps.checked).toBe(countsOf(name).maps);
  });
});

test("a second view of a guest is checked by its mappings", async () => {
  const directory = directoryOf("l1-accel-uefi/guest-view");
  const report = await replayCapture(await openCapture(await directoryFiles(directory)));
  expectClean(report);
  expect(report.maps).toEqual({ checked: 1308, matched: 1308 });
});

/** The first line whose operation passes, and that line's number. */
function findLine(name: string, passes: (op: Op) => boolean): number {
  const lines = textOf(name, "replay.jsonl.gz").split("\n");
  return lines.findIndex((l) => l !== "" && passes(JSON.parse(l))) + 1;
}

test("progress goes from 0 to 1 and counts the lines", async () => {
  const capture = await openCapture(await directoryFiles(directoryOf("passthrough-4k")));
  const seen: [number, number][] = [];
  await replayCapture(capture, { progress: (f, n) => void seen.push([f, n]) });
  expect(seen.length).toBeGreaterThan(3);
  expect(seen.at(-1)).toEqual([1, count(textOf("passthrough-4k", "replay.jsonl.gz"), /\n/g)]);
  expect(seen.every(([f], i) => i === 0 || f >= seen[i - 1][0])).toBe(true);
});

const SMALL = "l1-vsmmu-virtio";
const isMiss = (op: Op) => op.op === "x" && op.ins !== undefined;

// biome-ignore lint/suspicious/noExplicitAny: an operation is free-form JSON
type Op = any;

const DAMAGES: [string, (op: Op) => Op][] = [
  ["pa", (op) => ({ ...op, pa: op.pa + 4096 })],
  ["perm", (op) => ({ ...op, perm: 2 })],
  ["stage", (op) => ({ ...op, stage: 3 })],
  ["res", (op) => ({ ...op, res: "abort" })],
  ["ins address", (op) => ({ ...op, ins: [op.ins[0].with(2, op.ins[0][2] + 4096)] })],
  ["ins level", (op) => ({ ...op, ins: [op.ins[0].with(4, 2)] })],
  ["missing ins", (op) => ({ ...op, ins: undefined })],
  ["lk hit", (op) => ({ ...op, lk: [op.lk[0].with(3, 1)] })],
  ["lk address", (op) => ({ ...op, lk: [op.lk[0].with(2, op.lk[0][2] + 8)] })],
  ["cfg", (op) => ({ ...op, cfg: 1 - op.cfg })],
  ["number of pte", (op) => ({ ...op, pte: op.pte.slice(0, -1) })],
  ["order of pte", (op) => ({ ...op, pte: op.pte.toReversed() })],
];

test.each(DAMAGES)("a wrong %s is found at its line", async (_what, damage) => {
  const line = findLine(SMALL, isMiss);
  const report = await replayEdited(SMALL, { op: (op, n) => (n === line ? damage(op) : op) });
  const { checked, matched } = report.translations;
  expect(matched).toBeLessThan(checked);
  const place = { kind: "translations", file: "replay.jsonl", line };
  expect(report.mismatches[0]).toMatchObject(place);
  expect(report.mismatches[0].expected).not.toBe(report.mismatches[0].got);
});

test("lines of an SMMU that the manifest does not have differ; nothing is left out", async () => {
  const whole = await replayEdited(SMALL, {});
  const without = await replayEdited(SMALL, { manifest: (m) => void m.smmu.splice(0) });
  expect(without.translations).toEqual({ checked: whole.translations.checked, matched: 0 });
  expect(without.commands).toEqual({ checked: whole.commands.checked, matched: 0 });
  const line = findLine(SMALL, isMiss);
  const other = await replayEdited(SMALL, { op: (op, n) => (n === line ? { ...op, m: 3 } : op) });
  expect(other.mismatches[0]).toMatchObject({ line, expected: "SMMU 3" });
});

test("a wrong event record is found at its line, as translation and as event", async () => {
  const line = findLine("faults-4k", (op) => op.evr?.startsWith("13") === true);
  const report = await replayEdited("faults-4k", {
    op: (op, n) => (n === line ? { ...op, evr: `12${op.evr.slice(2)}` } : op),
  });
  // Without the list of tests the crafted tables are those of the stop: only this line may differ
  // from what the same list gives undamaged.
  const found = report.mismatches.filter((m) => m.line === line);
  expect(found.map((m) => m.kind)).toEqual(["translations", "events"]);
});

test("a wrong command, piece, ITS command or message is found at its line", async () => {
  const cases: [TallyName, (op: Op) => boolean, (op: Op) => Op][] = [
    [
      "commands",
      (op) => op.name === "SMMU_CMD_TLBI_NH_VA",
      (op) => ({ ...op, ri: [op.ri[0].with(2, op.ri[0][2] + 4096)] }),
    ],
    [
      "commands",
      (op) => op.name === "SMMU_CMD_CFGI_STE",
      (op) => ({ ...op, name: "SMMU_CMD_SYNC" }),
    ],
    ["its", (op) => op.op === "its" && op.c === 10, (op) => ({ ...op, c: 8 })],
    ["msi", (op) => op.op === "msi", (op) => ({ ...op, lpi: op.lpi + 1 })],
  ];
  for (const [kind, passes, damage] of cases) {
    const line = findLine(SMALL, passes);
    const report = await replayEdited(SMALL, { op: (op, n) => (n === line ? damage(op) : op) });
    expect(report.mismatches[0]).toMatchObject({ kind, line });
  }
});

test("a missing invalidation shows in the translations that it was about", async () => {
  const line = findLine(SMALL, (op) => op.name === "SMMU_CMD_TLBI_NH_VA");
  const report = await replayEdited(SMALL, {
    op: (op, n) => (n === line ? { ...op, raw: "46".padEnd(32, "0"), ri: undefined } : op),
  });
  expect(report.commands.matched).toBe(report.commands.checked - 1);
});

test("a wrong, a missing and a second mapping are found", async () => {
  const wrong = await replayEdited(SMALL, {
    map: (row, n) => (n === 3 ? row.with(4, "0x1000") : row),
  });
  expect(wrong.mismatches).toMatchObject([{ kind: "maps", file: "maps.jsonl", line: 3 }]);
  const missing = await replayEdited(SMALL, { map: (row, n) => (n === 3 ? null : row) });
  expect(missing.mismatches).toMatchObject([{ kind: "maps", line: null, expected: "no leaf" }]);
  const second = await replayEdited(SMALL, {
    map: (row, n) => (n === 3 ? row.with(3, "0x7000") : row),
  });
  expect(second.mismatches.map((m) => m.got)).toEqual([
    expect.stringContaining("out 0x"),
    "no such leaf in the image",
  ]);
});

test("a wrong vector of the manifest is found by its path", async () => {
  const report = await replayEdited(SMALL, { manifest: (m) => m.msi[2].lpi++ });
  expect(report.mismatches).toMatchObject([
    { kind: "msi", file: "manifest.json", line: null, what: expect.stringContaining("msi[2]") },
  ]);
});

test("an ordered run takes memory from its own stores, not from the image", async () => {
  const isLeaf = (op: Op) => op.op === "mw" && /f47$/.test(op.v);
  const report = await replayEdited("ordered-4k-strict", { op: (op) => (isLeaf(op) ? null : op) });
  expect(report.translations.matched).toBeLessThan(report.translations.checked / 2);
  const wrong = await replayEdited("ordered-4k-strict", {
    op: (op) => (op.op === "mq" && op.v === "0xfc02046" ? { ...op, v: "0x0" } : op),
  });
  expect(wrong.mismatches[0]).toMatchObject({ kind: "commands", what: "SMMU_CMD_SYNC at index 5" });
});
