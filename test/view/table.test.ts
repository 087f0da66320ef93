// Tables, numbers, colours and the progress bar as a reader sees them.

import { expect, test } from "vitest";
import { toJson } from "../../src/view/json.ts";
import { byteSize, count, duration, hex, hexPadded, plural } from "../../src/view/number.ts";
import { painter, widthOf } from "../../src/view/paint.ts";
import { progressBar } from "../../src/view/progress.ts";
import { formatPairs, formatTable, wrap } from "../../src/view/table.ts";

const plain = painter(false);
const columns = [
  { title: "bdf" },
  { title: "vec", align: "right" as const },
  { title: "why", shrink: true },
];
const rows = [
  ["0000:00:02.0", "0", "delivered"],
  ["0000:01:00.0", "12", { text: "no MAPTI for this EventID", style: "bad" as const }],
];

test("columns line up without boxes or trailing spaces", () => {
  expect(formatTable(columns, rows, { paint: plain, width: 0 })).toEqual([
    "  bdf           vec  why",
    "  0000:00:02.0    0  delivered",
    "  0000:01:00.0   12  no MAPTI for this EventID",
  ]);
});

test("a narrow terminal cuts the columns that may shrink", () => {
  const lines = formatTable(columns, rows, { paint: plain, width: 36 });
  expect(lines[2]).toBe("  0000:01:00.0   12  no MAPTI for t…");
  expect(lines.every((line) => widthOf(line) <= 36)).toBe(true);
});

test("colours do not change the layout", () => {
  const lines = formatTable(columns, rows, { paint: painter(true), width: 40 });
  const bare = formatTable(columns, rows, { paint: plain, width: 40 });
  expect(lines.map(widthOf)).toEqual(bare.map(widthOf));
  expect(lines[2]).toContain("\x1b[31mno MAPTI");
});

test("pairs and wrapped text", () => {
  expect(
    formatPairs(
      [
        ["guest", "Linux"],
        ["capture", "x"],
      ],
      plain,
    ),
  ).toEqual(["  guest    Linux", "  capture  x"]);
  expect(wrap("one two three four five six", 24, 2)).toEqual([
    "  one two three four",
    "  five six",
  ]);
});

test("numbers", () => {
  expect(hex(0xfffff040n)).toBe("0xfffff040");
  expect(hexPadded(0x40, 4)).toBe("0x0040");
  expect(count(1234567)).toBe("1,234,567");
  expect(plural(1, "vector")).toBe("1 vector");
  expect(plural(2000, "vector")).toBe("2,000 vectors");
  expect([84.04, 1250, 2_500_000, 3e9].map(duration)).toEqual([
    "84 ns",
    "1.25 µs",
    "2.5 ms",
    "3 s",
  ]);
  expect([4096, 1 << 29, 3n << 40n].map(byteSize)).toEqual(["4 KiB", "512 MiB", "3 TiB"]);
});

test("JSON prints bigints as addresses", () => {
  expect(JSON.parse(toJson({ gpa: 0x8090040n, n: 1, none: null }))).toEqual({
    gpa: "0x8090040",
    n: 1,
    none: null,
  });
});

test("the progress bar draws on a terminal, not too often, and cleans up", () => {
  let text = "";
  let now = 0;
  const write = (s: string) => {
    text += s;
  };
  const sink = { write, width: 60, now: () => now };
  const bar = progressBar(sink, "replay", "ops");
  bar.update(0.5, 1000);
  bar.update(0.6, 1100);
  now = 1000;
  bar.update(0.75, 2000);
  bar.end();
  expect(text.split("\r").filter(Boolean)).toEqual([
    "replay ████████████░░░░░░░░░░░░  50%  1,000 ops\x1b[K",
    "replay ██████████████████░░░░░░  75%  2,000 ops  2,000/s\x1b[K",
    "\x1b[K",
  ]);
  text = "";
  progressBar({ ...sink, width: 0 }, "replay", "ops").update(0.5, 1);
  expect(text).toBe("");
});
