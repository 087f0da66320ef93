// The text output: a line per field, three paragraphs, widths, colours, repetitions.
import { describe, expect, test } from "vitest";
import { decodeText, fieldLines, renderResult } from "../../src/decode/index.ts";
import { captureText, corpus, kernelLines } from "./kernel-text.ts";

const doorbell = kernelLines(corpus[0].w).join("\n");

describe("one record", () => {
  const text = renderResult(decodeText(doorbell), { width: 100 });

  test("a line per field: position, name, value, encoding, meaning", () => {
    expect(text).toContain(
      "  105:104  CLASS        2 IN                the input address caused the fault",
    );
    expect(text.find((l) => / 99 /.test(l))).toMatch(/99 {2}RnW +0 +the access was a write/);
  });

  test("reserved bits are shown and stand out", () => {
    const painted = renderResult(decodeText(doorbell), { paint: (s, t) => `<${s}>${t}</${s}>` });
    const line = painted.find((l) => l.includes("RES0"));
    expect(line).toContain("<bad>RES0");
  });

  test("what this means, likely causes, what to look at next, each hint tagged", () => {
    const heads = text.filter((l) => /^[A-Z]/.test(l));
    expect(heads).toEqual(["What this means", "Likely causes", "What to look at next"]);
    expect(text.join("\n")).toContain("[msi-doorbell, high]");
  });

  test.each([[60], [80], [100], [200], [0]])("width %i is kept", (width) => {
    const limit = width === 0 ? 110 : Math.max(width, 78);
    const lines = renderResult(decodeText(doorbell), { width });
    for (const l of lines.filter((x) => !/^ {2}0x/.test(x)))
      expect(l.length).toBeLessThanOrEqual(limit);
  });
});

describe("many records", () => {
  const log = decodeText(captureText("faults-4k/dmesg.txt"));

  test("a repeated fault is printed once and counted", () => {
    const lines = renderResult(log, { width: 100 });
    expect(lines.filter((l) => l.startsWith("event ")).length).toBeLessThan(50);
    expect(
      lines.some((l) => /^again 3 × F_TRANSLATION of stream 0x30 at 0x1004 … 0x100c/.test(l)),
    ).toBe(true);
    expect(lines.join("\n")).toContain("more events were not printed by the kernel");
    const every = renderResult(log, { width: 100, everything: true });
    expect(every.filter((l) => l.startsWith("event ")).length).toBe(
      log.records.filter((r) => r.kind === "event").length,
    );
  });

  test("no line says undefined", () => {
    expect(renderResult(log, { everything: true }).join("\n")).not.toMatch(
      /undefined|NaN|\[object|\{/,
    );
  });
});

test("fields from the kernel's text say so", () => {
  const [line] = fieldLines([
    { name: "RnW", hi: 99, lo: 99, value: 1n, meaning: "a read", kind: "field", from: "text" },
  ]);
  expect(line).toBe("  99  RnW  1  a read (from the kernel's text)");
});
