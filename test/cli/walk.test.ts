// `vsmmu walk`: every fetch of captures and of full cores, faults, and the list of streams.

import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { bytesSource } from "../../src/capture/elf.ts";
import { MemoryImage } from "../../src/capture/image.ts";
import { openFile } from "../../src/capture/node.ts";
import { directoryOf, textOf } from "../capture/captures.ts";
import { buildCore } from "../capture/core.ts";
import { call } from "./call.ts";

async function walkJson(argv: string[]) {
  const r = await call(["walk", ...argv, "--json"]);
  expect(r.err).toBe("");
  return { code: r.code, json: JSON.parse(r.out) };
}

const BUILTIN = directoryOf("s1-4k-strict-nobg");
const DOORBELL = ["--sid", "0x10", "--iova", "0xfffff040", "--write"];

test("the walk of an MSI shows seven fetches and the doorbell", async () => {
  const { code, json } = await walkJson(["--capture", BUILTIN, ...DOORBELL]);
  expect(code).toBe(0);
  expect(json.steps.map((s: { what: string }) => s.what)).toEqual([
    "l1std",
    "ste",
    "cd",
    "pte",
    "pte",
    "pte",
    "pte",
  ]);
  expect(json.steps[6]).toMatchObject({
    stage: 1,
    level: 3,
    address: "0x468afff8",
    value: "0x60000008090e4b",
  });
  expect(json).toMatchObject({
    result: { pa: "0x8090040", size: "0x1000", stage: 1, status: "ok" },
    event: null,
    fetches: 7,
    missing: null,
  });
});

test("descriptors are those that the guest's recorded run read", async () => {
  const first = textOf("s2only-4k-strict", "replay.jsonl.gz")
    .split("\n")
    .map((l) => (l.includes('"op":"x"') ? JSON.parse(l) : undefined))
    .findLast((op) => op?.pte !== undefined && op.sid === 32);
  const argv = ["--capture", directoryOf("s2only-4k-strict"), "--sid", "32"];
  const { json } = await walkJson([...argv, "--iova", `${first.iova}`, "--compat", "qemu"]);
  const pte = json.steps.filter((s: { what: string }) => s.what === "pte");
  expect(pte.map((s: { address: string }) => Number(s.address))).toEqual(
    first.pte.map((p: number[]) => p[0]),
  );
});

test("a fault has its record, exit code 1, and no result", async () => {
  const { code, json } = await walkJson(["--capture", BUILTIN, "--sid", "16", "--iova", "0x1000"]);
  expect(code).toBe(1);
  expect(json.result).toBeNull();
  expect(json.status).toBe("event");
  expect(Object.keys(json.event)).toEqual(["type", "name", "record"]);
  expect(json.event).toMatchObject({ type: 16, name: "F_TRANSLATION" });
  expect(json.event.record).toMatch(/^100000001000000000000000/);
  const text = await call(["walk", "--capture", BUILTIN, "--sid", "16", "--iova", "0x1000"]);
  expect(text.code).toBe(1);
  expect(text.out).toMatch(/ends in +F_TRANSLATION/);
  expect(text.out).toMatch(/stage 1 level 1 +0x468c5000 +0x0 +invalid/);
});

test("the guest's MSI through nested tables ends in a stage 2 fault", async () => {
  const argv = ["--capture", directoryOf("l1-accel-uefi"), "--sid", "0x28"];
  const guest = await walkJson([...argv, "--iova", "0xfffff040", "-w"]);
  expect(guest.json.event.name).toBe("F_TRANSLATION");
  expect(guest.json.steps.at(-1)).toMatchObject({ what: "pte", stage: 2, verdict: "invalid" });
  const host = await walkJson([...argv, "--iova", "0x8000040", "-w"]);
  expect(host.json.result).toMatchObject({ pa: "0x8090040", stage: 3 });
});

test("the text names every fetch and fits the terminal", async () => {
  const r = await call(["walk", "--capture", BUILTIN, ...DOORBELL], { columns: 72 });
  expect(r.out).toContain("walk  write of 0xfffff040 by StreamID 0x10 (0000:00:02.0), arch rules");
  expect(r.out).toMatch(/1 +L1STD +0x46a2b000 +0x5ee20009/);
  expect(r.out).toMatch(/7 +stage 1 level 3 +0x468afff8 +0x60000008090e4b +page/);
  expect(r.out).toMatch(/translates to +0x8090040/);
  expect(r.out).toMatch(/fetches +7 \(21 64-bit loads\)/);
  expect(r.out.split("\n").every((l) => l.length <= 72)).toBe(true);
});

test("an unknown StreamID and a missing page are told apart", async () => {
  const bad = await walkJson(["--capture", BUILTIN, "--sid", "0x9000", "--iova", "0"]);
  expect(bad.json.event.name).toBe("C_BAD_STREAMID");
  const core = buildCore([{ base: 0x4000_0000n, bytes: 0x1000n, data: streamTable() }]);
  const path = write("missing.elf", core);
  const argv = ["--core", path, "--strtab", "0x40000000", "--sid", "1", "--iova", "0x1000"];
  const gone = await walkJson(argv);
  expect(gone.json).toMatchObject({ missing: "0x50000000", result: null });
  expect(gone.json.event.name).toBe("F_CD_FETCH");
  expect(gone.json.steps.at(-1).verdict).toContain("not in the capture");
});

test("--list shows the streams with what they point to", async () => {
  const r = await call(["walk", "--capture", BUILTIN, "--list"]);
  expect(r.code).toBe(0);
  expect(r.out).toMatch(
    /0 +0x100 +0000:01:00\.0 +S1_TRANS +0x5ee24000 +0x46f4e000 +0x8 +0x46f4d000/,
  );
  expect(r.out).toContain("504 more STEs abort everything.");
  const s2 = JSON.parse(
    (await call(["walk", "--capture", directoryOf("s2only-4k-strict"), "--list", "--json"])).out,
  );
  expect(s2.streams).toHaveLength(8);
  expect(s2.streams[1]).toMatchObject({
    smmu: 0,
    sid: 16,
    config: "S2_TRANS",
    cd: null,
    vmid: 2,
    s2ttb: "0x47145000",
  });
});

const directory = mkdtempSync(join(tmpdir(), "vsmmu-walk-"));
afterAll(() => rmSync(directory, { recursive: true }));

function write(name: string, bytes: Uint8Array): string {
  const path = join(directory, name);
  const file = openSync(path, "w");
  writeSync(file, bytes);
  closeSync(file);
  return path;
}

/** A linear table of which StreamID 1 has stage 1 with its CD at 0x50000000. */
function streamTable(): Uint8Array {
  const page = new Uint8Array(4096);
  const view = new DataView(page.buffer);
  view.setBigUint64(64, 0x5000_000bn, true);
  return page;
}

/** A full dump of a 512 MiB guest on disk, with the capture's pages in it and holes elsewhere. */
function fullDump(name: string): string {
  const core = gunzipSync(readFileSync(`${directoryOf(name)}/memory.elf.gz`));
  const image = new MemoryImage(bytesSource("memory.elf", core));
  const [base, bytes] = [0x4000_0000n, 0x2000_0000n];
  const head = buildCore([{ base, bytes }], {
    phoff: 192,
    note: true,
    edit: (v) => v.setBigUint64(192 + 56 + 32, bytes, true),
  });
  const path = write(`${name}.core`, head);
  const file = openSync(path, "r+");
  ftruncateSync(file, head.length + Number(bytes));
  for (const s of image.segments) {
    for (let at = s.base; at < s.base + s.bytes; at += 4096n) {
      writeSync(file, image.page(at) as Uint8Array, 0, 4096, head.length + Number(at - base));
    }
  }
  closeSync(file);
  return path;
}

test("a full dump of a guest is walked without reading it whole", async () => {
  const path = fullDump("s1-4k-strict-nobg");
  const before = process.memoryUsage();
  const table = ["--core", path, "--strtab", "0x46a2b000", "--split", "8"];
  const { code, json } = await walkJson([...table, ...DOORBELL]);
  expect(code).toBe(0);
  expect(json).toMatchObject({ result: { pa: "0x8090040" }, fetches: 7 });
  const after = process.memoryUsage();
  const grown = after.rss - before.rss;
  expect(grown).toBeLessThan(200 << 20);
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(64 << 20);
  const list = JSON.parse((await call(["walk", ...table, "--list", "--json"])).out);
  expect(list.streams.map((s: { sid: number }) => s.sid)).toEqual([
    0, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38, 0x100,
  ]);
  expect((await openFile(path)).size).toBeGreaterThan(512 << 20);
});

test.each([
  [["--sid", "1", "--iova", "0", "--strtab", "0x1000"], "--strtab needs --core"],
  [["--core", "x", "--sid", "1", "--iova", "0"], "--strtab is missing"],
  [["--core", "x", "--capture", "y", "--strtab", "0", "--sid", "1", "--iova", "0"], "not both"],
  [["--core", "x", "--strtab", "0", "--split", "7", "--sid", "1", "--iova", "0"], "6, 8 or 10"],
  [["--sid", "1", "--iova", "0", "--smmu", "3"], "there is no SMMU 3: 1 in all"],
  [["--sid", "1", "--iova", "0", "-w", "--instruction"], "not with --write"],
])("%j is a usage error", async (argv, message) => {
  const r = await call(["walk", ...argv]);
  expect(r.err).toContain(message);
  expect(r.code).toBe(2);
});

test("a core that is not there is an unreadable input", async () => {
  const argv = ["--core", "/no/core", "--strtab", "0", "--sid", "1", "--iova", "0"];
  expect(await call(["walk", ...argv])).toMatchObject({
    code: 3,
    err: "vsmmu walk: /no/core: no such file\n",
  });
});
