// vsmmu decode, explain and compare-idr as a user calls them: inputs, options, exit codes.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { corpus, kernelLines } from "../decode/kernel-text.ts";
import { call } from "./call.ts";

const directory = mkdtempSync(join(tmpdir(), "vsmmu-decode-"));
const path = (name: string): string => join(directory, name);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const doorbell = kernelLines(corpus[1].w).join("\n");

beforeAll(() => {
  writeFileSync(path("log.txt"), doorbell);
  writeFileSync(path("log.gz"), gzipSync(doorbell));
  writeFileSync(path("utf16.txt"), Buffer.from(`\ufeff${doorbell}`, "utf16le"));
  writeFileSync(path("other.txt"), "nothing of interest\n");
  writeFileSync(path("broken.gz"), gzipSync(doorbell).subarray(0, 30));
  writeFileSync(path("host.txt"), "IDR0 0x0d44101b\nIDR1 0x02730010\nIDR3 0x1414\nIDR5 0x75\n");
  writeFileSync(
    path("guest.txt"),
    "0x9050000: 0x0d44101a 0x02730010 0x00000000 0x00001404\n0x9050010: 0x00000000 0x00000074\n",
  );
});
afterAll(() => rmSync(directory, { recursive: true }));

interface Document {
  understood: boolean;
  records: { event: string; sid: string; iova: string; input?: string; hints: { id: string }[] }[];
}

describe("decode", () => {
  test("standard input: fields, advice, exit code 1", async () => {
    const r = await call(["decode"], { stdin: bytes(doorbell) });
    expect(r).toMatchObject({ code: 1, err: "" });
    expect(r.out).toContain("CLASS        2 IN");
    expect(r.out).toContain("What this means");
  });

  test.each([["log.txt"], ["log.gz"], ["utf16.txt"]])("a file: %s", async (name) => {
    const r = await call(["decode", "--json", path(name)]);
    expect(r.code).toBe(1);
    const { records } = JSON.parse(r.out) as Document;
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({
      event: "F_TRANSLATION",
      sid: "0x0",
      iova: "0xffffff90f040",
    });
    expect(records[0].hints.map((h) => h.id)).toContain("msi-doorbell");
  });

  test("several files: each record names its own", async () => {
    const r = await call(["decode", "--json", path("log.txt"), path("log.gz")]);
    const { records } = JSON.parse(r.out) as Document;
    expect(records.map((x) => x.input)).toEqual([path("log.txt"), path("log.gz")]);
    const text = await call(["decode", path("log.txt"), path("other.txt")]);
    expect(text.code).toBe(1);
    expect(text.out).toContain(`==> ${path("log.txt")} <==`);
    expect(text.err).toContain("nothing to decode in");
  });

  test("a known doorbell", async () => {
    const r = await call(["decode", "--doorbell", "0xffffff9ff040", path("log.txt")]);
    expect(r.out).toContain("bits 19:16 (XOR 0xf0000)");
    expect((await call(["decode", "--doorbell", "here", path("log.txt")])).code).toBe(2);
  });

  test("words on the command line", async () => {
    const ste = await call(["decode", "--from", "ste", "0x4730500b", "0xd6"]);
    expect(ste.code).toBe(0);
    expect(ste.out).toContain("as a vSTE Linux accepts it");
    const pte = await call([
      "decode",
      "--from",
      "pte",
      "--level",
      "2",
      "--granule",
      "4k",
      "0x60000005c000f45",
    ]);
    expect(pte.out).toContain("block of 0x200000 bytes at 0x5c000000");
    const auto = await call(["decode", "--json", "0x3000000010", "0x20800000000", "0x1000", "0x0"]);
    expect((JSON.parse(auto.out) as Document).records[0].event).toBe("F_TRANSLATION");
    const cmd = await call(["decode", "--from", "cmd", "0xff", "0x0"]);
    expect(cmd.code).toBe(1);
  });

  test("--idr judges an entry: a list, a file", async () => {
    const argv = [
      "decode",
      "--from",
      "ste",
      "0x4730500b",
      "0x80000d6",
      "0",
      "0",
      "0",
      "0",
      "0",
      "0",
    ];
    const list = await call([
      ...argv,
      "--idr",
      "IDR0=0xd44101b,IDR1=0x2730010,IDR3=0x1414,IDR5=0x74",
    ]);
    expect(list.code).toBe(1);
    expect(list.out).toContain("ste-s1stalld");
    const file = await call([...argv, "--idr", path("host.txt")]);
    expect(file.out).toContain("ILLEGAL");
    expect((await call([...argv, "--idr", path("other.txt")])).code).toBe(3);
    expect((await call([...argv, "--idr", path("missing.txt")])).code).toBe(3);
  });

  test("input that is not understood: exit 3 and what was expected", async () => {
    const r = await call(["decode"], { stdin: bytes("hello\n") });
    expect(r).toMatchObject({ code: 3, out: "" });
    expect(r.err).toContain("expected a kernel log");
    const json = await call(["decode", "--json"], { stdin: bytes("hello\n") });
    expect(json.code).toBe(3);
    expect((JSON.parse(json.out) as Document).understood).toBe(false);
    const ste = await call(["decode", "--from", "ste"], { stdin: bytes("hello\n") });
    expect(ste.err).toContain("stream table entry");
    expect((await call(["decode"], { stdin: new Uint8Array(0) })).code).toBe(3);
  });

  test("a clean boot log is exit 0", async () => {
    const text = "arm-smmu-v3 9050000.smmuv3: oas 44-bit (features 0x01088705)\n";
    const r = await call(["decode"], { stdin: bytes(text) });
    expect(r.code).toBe(0);
    expect(r.out).toContain("NESTING");
  });

  test.each([
    [["decode", path("missing.txt")], 3, "no such file"],
    [["decode", directory], 3, "is a directory"],
    [["decode", path("broken.gz")], 3, "damaged gzip"],
    [["decode", "--from", "nonsense"], 2, "--from must be"],
    [["decode", "--stage", "3", "0x1"], 2, "--stage"],
    [["decode", "--level", "9", "0x1"], 2, "--level"],
    [["decode", "--granule", "8k", "0x1"], 2, "--granule"],
    [["decode", "--frm", "ste"], 2, "did you mean --from"],
  ])("%j", async (argv, code, say) => {
    const r = await call(argv as string[]);
    expect(r.code).toBe(code);
    expect(r.err).toContain(say);
  });

  test("--schema prints the JSON Schema", async () => {
    const r = await call(["decode", "--schema"]);
    expect(r.code).toBe(0);
    expect(JSON.parse(r.out)).toMatchObject({ $id: "vsmmu-decode-1" });
  });

  test("colours only where they are wanted", async () => {
    const plain = await call(["decode", path("log.txt")]);
    expect(plain.out).not.toContain("\x1b[");
    const always = await call(["decode", "--color", "always", path("log.txt")]);
    expect(always.out).toContain("\x1b[31m");
  });

  test("a narrow terminal", async () => {
    const r = await call(["decode", path("log.txt")], { columns: 80 });
    const long = r.out.split("\n").filter((l) => l.length > 80 && !l.startsWith("  0x"));
    expect(long).toEqual([]);
  });
});

describe("explain", () => {
  test("a field with its drawing", async () => {
    const r = await call(["explain", "STE.S1DSS"]);
    expect(r.code).toBe(0);
    expect(r.out).toContain("bits [65:64] of STE");
    expect(r.out).toContain("│");
  });

  test("an unknown name: suggestion, exit 3", async () => {
    const r = await call(["explain", "F_TRANSLATOIN"]);
    expect(r).toMatchObject({ code: 3, out: "" });
    expect(r.err).toContain("did you mean F_TRANSLATION");
  });

  test("JSON, SVG, ID registers, several names", async () => {
    const json = JSON.parse((await call(["explain", "--json", "0x10"])).out) as { name: string }[];
    expect(json.map((e) => e.name)).toContain("F_TRANSLATION");
    const svg = await call(["explain", "--svg", "STE.EATS"]);
    expect(svg.out).toMatch(/^<svg /);
    const here = await call(["explain", "CMD_ATC_INV", "--idr", "IDR0=0xd44101b"]);
    expect(here.out).toContain("CERROR_ILL");
    const two = await call(["explain", "CMD_SYNC", "CERROR_ILL"]);
    expect(two.out).toContain("CMD_SYNC");
    expect(two.out).toContain("CERROR_ILL");
    expect((await call(["explain"])).code).toBe(2);
  });
});

describe("compare-idr", () => {
  test("fits: exit 0", async () => {
    const r = await call(["compare-idr", path("host.txt"), path("guest.txt")]);
    expect(r.code).toBe(0);
    expect(r.out).toContain("The host SMMU fits this guest.");
  });

  test("refused: exit 1 and the field", async () => {
    const r = await call([
      "compare-idr",
      "IDR0=0xd44101b,IDR1=0x2730010,IDR3=0x1014,IDR5=0x73",
      path("guest.txt"),
    ]);
    expect(r.code).toBe(1);
    expect(r.out).toContain("IDR3.RIL, IDR5.OAS");
    const json = await call(["compare-idr", "--json", path("host.txt"), "IDR0=0xd44141a"]);
    expect(JSON.parse(json.out)).toMatchObject({ version: 1, fits: false });
  });

  test("usage errors", async () => {
    expect((await call(["compare-idr", path("host.txt")])).code).toBe(2);
    expect((await call(["compare-idr", path("host.txt"), path("other.txt")])).code).toBe(3);
  });
});

/** Bundles the program and runs it with chunks of input, one after the other. */
async function stream(argv: string[], chunks: string[]): Promise<{ code: number; out: string }> {
  const { build } = await import("esbuild");
  const outfile = path("cli.mjs");
  await build({
    entryPoints: [new URL("../../src/cli/bin.ts", import.meta.url).pathname],
    bundle: true,
    platform: "node",
    format: "esm",
    outfile,
    logLevel: "error",
    external: ["*.wasm"],
  });
  const child = spawn(process.execPath, [outfile, ...argv]);
  let out = "";
  child.stdout.on("data", (d) => {
    out += d;
  });
  for (const chunk of chunks) {
    child.stdin.write(chunk);
    await new Promise((done) => setTimeout(done, 50));
  }
  child.stdin.end();
  const code = await new Promise<number>((done) => child.on("close", (c) => done(c ?? -1)));
  return { code, out };
}

test("decode --follow --json: a line per record, across chunk borders", async () => {
  const text = corpus.map((r) => kernelLines(r.w).join("\n")).join("\n");
  const middle = text.indexOf("0x0000ffffff90f040") + 9;
  const r = await stream(
    ["decode", "--follow", "--json"],
    [text.slice(0, middle), text.slice(middle)],
  );
  const lines = r.out
    .trim()
    .split("\n")
    .map((l) => JSON.parse(l) as Document["records"][0]);
  expect(r.code).toBe(1);
  expect(lines).toHaveLength(corpus.length);
  expect(lines[1]).toMatchObject({ event: "F_TRANSLATION", iova: "0xffffff90f040" });
});
