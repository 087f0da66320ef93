// `vsmmu conform` on recorded answers of QEMU 11.1.3, as they are and damaged on purpose.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { call } from "../cli/call.ts";

const path = (name: string) => fileURLToPath(new URL(`../golden/${name}`, import.meta.url));
const STAGE_MIX = path("qemu-11.1.3-stage-mix-8k.jsonl.gz");
const VARIED = path("qemu-11.1.3-varied.jsonl.gz");
const PROGRAMS = path("qemu-11.1.3-programs.jsonl.gz");

const RINGS = path("qemu-11.1.3-rings.jsonl.gz");

const linesOf = (file: string): string[] =>
  gunzipSync(readFileSync(file)).toString().trim().split("\n");

async function conform(file: string, ...more: string[]) {
  const result = await call(["conform", file, "--json", ...more]);
  return { code: result.code, report: JSON.parse(result.out) };
}

/** What these tests change in a line of a golden file. */
interface Case {
  t: { kind: string; pa: string; perm: string; stage: number; tlb: number[][] };
  ev: string[];
}

/** The report on these lines, given as the standard input. */
async function conformLines(lines: string[]) {
  const stdin = new TextEncoder().encode(`${lines.join("\n")}\n`);
  const result = await call(["conform", "-", "--json"], { stdin });
  return { code: result.code, report: JSON.parse(result.out) };
}

describe("recorded answers of QEMU 11.1.3", () => {
  test("8,000 cases of all stages match, address for address and record for record", async () => {
    const { code, report } = await conform(STAGE_MIX);
    expect(report).toMatchObject({ cases: 8000, matched: 8000, mismatches: [], file: STAGE_MIX });
    expect(code).toBe(0);
    const kinds = Object.keys(report.byKind);
    for (const kind of ["success nested", "bypass", "abort", "silent", "F_WALK_EABT"]) {
      expect(kinds).toContain(kind);
    }
    const total = Object.values<{ cases: number }>(report.byKind).reduce((n, k) => n + k.cases, 0);
    expect(total).toBe(8000);
  });

  test("cases with shared ASIDs and VMIDs, upper halves and odd geometries match", async () => {
    const { code, report } = await conform(VARIED);
    expect(report).toMatchObject({ cases: 2560, matched: 2560, mismatches: [] });
    expect(code).toBe(0);
  });

  test("programs of commands, edits, reads, 2-level tables and overflows match", async () => {
    const { code, report } = await conform(PROGRAMS);
    expect(report).toMatchObject({ cases: 180, matched: 180, mismatches: [] });
    expect(Object.keys(report.byKind)).toEqual([
      "cache",
      "commands",
      "overflow",
      "registers",
      "walk",
    ]);
    expect(code).toBe(0);
  });

  test("programs in which e1000s work on rings match: fetches, buffers, status", async () => {
    const { code, report } = await conform(RINGS);
    expect(report).toMatchObject({ cases: 117, matched: 117, mismatches: [] });
    expect(Object.keys(report.byKind)).toEqual(["cache", "commands", "rings"]);
    expect(code).toBe(0);
  });

  test("the architecture's rules differ, and that is exit code 1", async () => {
    const { code, report } = await conform(VARIED, "--compat", "arch");
    expect(code).toBe(1);
    expect(report.matched).toBeLessThan(report.cases);
    expect(report.matched).toBeGreaterThan(report.cases / 4);
    expect(report.mismatches).toHaveLength(20);
  });
});

describe("a damaged answer is found and its line named", () => {
  const batch = linesOf(STAGE_MIX).slice(0, 64);

  /** Changes the first case that `wanted` picks; gives the lines and its 1-based number. */
  function damage(wanted: (c: Case) => boolean, change: (c: Case) => unknown) {
    const at = batch.findIndex((line) => wanted(JSON.parse(line)));
    const lines = [...batch];
    const changed = JSON.parse(lines[at]);
    change(changed);
    lines[at] = JSON.stringify(changed);
    return { lines, line: at + 1 };
  }

  const success = (c: Case) => c.t?.kind === "success";

  test.each([
    ["pa", success, (c: Case) => Object.assign(c.t, { pa: "0x12345000" }), "pa"],
    [
      "perm",
      success,
      (c: Case) => Object.assign(c.t, { perm: c.t.perm === "0x3" ? "0x1" : "0x3" }),
      "perm",
    ],
    ["stage", success, (c: Case) => Object.assign(c.t, { stage: (c.t.stage % 3) + 1 }), "stage"],
    [
      "insert",
      (c: Case) => c.t?.tlb.length > 0,
      (c: Case) => c.t.tlb[0].splice(1, 1, 9),
      "IOTLB inserts",
    ],
    [
      "kind",
      (c: Case) => c.t?.kind === "abort",
      (c: Case) => Object.assign(c.t, { kind: "bypass" }),
      "kind",
    ],
    [
      "one bit of an event record",
      (c: Case) => c.ev.length > 0,
      (c: Case) => c.ev.splice(0, 1, `${c.ev[0].slice(0, 63)}1`),
      "event records",
    ],
    [
      "a missing event record",
      (c: Case) => c.ev.length > 0,
      (c: Case) => c.ev.pop(),
      "event records",
    ],
  ])("%s", async (_name, wanted, change, differs) => {
    const { lines, line } = damage(wanted, change);
    const { code, report } = await conformLines(lines);
    expect(code).toBe(1);
    expect(report).toMatchObject({ cases: 64, matched: 63 });
    expect(report.mismatches).toHaveLength(1);
    expect(report.mismatches[0]).toMatchObject({ line, differs: [differs] });
    expect(report.mismatches[0].expected).not.toEqual(report.mismatches[0].got);
  });

  test("one answer of a program", async () => {
    const recorded = JSON.parse(linesOf(PROGRAMS)[3]);
    const step = recorded.record.answers.findIndex(
      (a: { trace?: string[] } | null) => (a?.trace?.length ?? 0) > 2,
    );
    recorded.record.answers[step].trace[1] += "0";
    const { code, report } = await conformLines([JSON.stringify(recorded)]);
    expect(code).toBe(1);
    expect(report.mismatches[0]).toMatchObject({ line: 1, differs: [`step ${step}`] });
  });
});

test("a wrong register of an e1000 is found", async () => {
  const recorded = JSON.parse(linesOf(RINGS)[0]);
  const step = recorded.record.answers.findIndex((a: { tdh?: string } | null) => a?.tdh);
  recorded.record.answers[step].tdh = "0x7fff";
  const { code, report } = await conformLines([JSON.stringify(recorded)]);
  expect(code).toBe(1);
  expect(report.mismatches[0]).toMatchObject({ line: 1, differs: [`step ${step}`] });
});

describe("inputs that cannot be read", () => {
  test.each([
    ["not JSON at all", "at line 2"],
    ['{"sid":8}', "at line 2: not a case"],
    ['{"program":{}}', "at line 2"],
  ])("%s", async (second, message) => {
    const lines = [linesOf(STAGE_MIX)[0], second];
    const stdin = new TextEncoder().encode(lines.join("\n"));
    const { code, err } = await call(["conform", "-"], { stdin });
    expect(err).toContain(message);
    expect(code).toBe(3);
  });

  test("an empty input, and no file", async () => {
    const empty = await call(["conform", "-"]);
    expect(empty).toMatchObject({ code: 3 });
    expect(empty.err).toContain("no case");
    const absent = await call(["conform", "absent.jsonl"]);
    expect(absent).toMatchObject({ code: 3 });
    expect(absent.err).toContain("no such file");
    expect((await call(["conform"])).code).toBe(2);
  });

  test("a directory is named as one, with what to name in its place", async () => {
    const directory = fileURLToPath(new URL("../golden", import.meta.url));
    const { code, out, err } = await call(["conform", directory]);
    expect({ code, out }).toEqual({ code: 3, out: "" });
    expect(err).toContain(`${directory}: is a directory; name the files of recorded answers in it`);
  });
});

test("the text names kinds, counts and the rules, and shows a bar on a terminal", async () => {
  const { out, err, code } = await call(["conform", VARIED], { columns: 90 });
  expect(code).toBe(0);
  expect(out).toContain("qemu rules");
  expect(out).toMatch(/success nested +\d+ +all match/);
  expect(out).toContain("2,560 of 2,560 match");
  expect(err).toContain("cases");
});
