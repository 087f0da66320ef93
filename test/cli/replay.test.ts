// `vsmmu replay`: exit codes, JSON, and the line of a damaged capture.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { directoryOf, textOf } from "../capture/captures.ts";
import { call } from "./call.ts";

const made: string[] = [];
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true });
});

/** A copy of a capture on disk with some files replaced (null removes one). */
function copyOf(name: string, files: Record<string, string | Uint8Array | null>): string {
  const to = mkdtempSync(join(tmpdir(), "vsmmu-"));
  made.push(to);
  cpSync(directoryOf(name), to, { recursive: true });
  for (const [file, content] of Object.entries(files)) {
    rmSync(join(to, file), { force: true });
    if (content !== null) writeFileSync(join(to, file), content);
  }
  return to;
}

test("a good capture exits with 0 and prints the counts", async () => {
  const r = await call(["replay", directoryOf("l1-vsmmu-virtio"), "--json"]);
  expect(r).toMatchObject({ code: 0, err: "" });
  const none = { checked: 0, matched: 0 };
  expect(JSON.parse(r.out)).toEqual({
    capture: "l1-vsmmu-virtio",
    maps: { checked: 46, matched: 46 },
    translations: { checked: 135, matched: 135 },
    commands: { checked: 53, matched: 53 },
    events: { checked: 0, matched: 0 },
    its: { checked: 36, matched: 36 },
    msi: { checked: 24, matched: 24 },
    vmm: "checked",
    accel: {
      calls: none,
      attaches: none,
      installs: none,
      invalidations: none,
      hostQueue: none,
      fixups: { checked: 4, matched: 4 },
      walks: { checked: 1877, matched: 1877 },
      routes: { checked: 13, matched: 13 },
      vectors: none,
      events: none,
      registers: none,
      fallback: { fixups: 4, vectors: 2, walks: 1, hits: 3 },
    },
    mismatches: [],
    compat: "qemu",
    mismatchCount: 0,
    notes: ["4 fix-ups for 2 vectors: 1 walked, 3 hit the IOTLB"],
  });
  const text = await call(["replay", directoryOf("l1-vsmmu-virtio"), "--compat", "arch"]);
  expect(text.code).toBe(0);
  expect(text.out).toMatch(/translations +135 +all match/);
  expect(text.out).toMatch(/events +0 +none recorded/);
  expect(text.out).toMatch(/No mismatch in .* s \([\d,]+ translations\/s\)\./);
});

test.each<[string, Record<string, null>, string]>([
  [
    "l1-accel-uefi",
    { "vmm-trace.txt.gz": null, "vmm-ioctls.jsonl.gz": null },
    "vmm-trace.txt and vmm-ioctls.jsonl not in the capture",
  ],
  ["l1-vfio-kvm", { "vmm-ioctls.jsonl.gz": null }, "vmm-ioctls.jsonl not in the capture"],
])("%s without the VMM's record says what was not checked", async (name, files, note) => {
  const copy = copyOf(name, files);
  const { code, out } = await call(["replay", copy, "--json"]);
  const report = JSON.parse(out);
  expect(report).toMatchObject({ vmm: "not recorded", mismatchCount: 0 });
  expect(report.accel).toBeUndefined();
  expect(report.notes).toContainEqual(expect.stringContaining(note));
  expect(code).toBe(0);
  const text = await call(["replay", copy], { columns: 200 });
  expect(text.out).toContain(`Note: ${note}: what the VMM did was not checked`);
});

test("a machine without a VMM has nothing to note about one", async () => {
  const { out } = await call(["replay", directoryOf("passthrough-4k"), "--json"]);
  expect(JSON.parse(out)).toMatchObject({ vmm: "none", notes: [] });
});

const pageUp = (line: string, name: string) =>
  line.replace(new RegExp(`"${name}":(\\d+)`), (_, n) => `"${name}":${Number(n) + 4096}`);

test.each<[string, string, (line: string) => boolean, (line: string) => string]>([
  ["pa", "l1-vsmmu-virtio", (l) => l.includes('"pa":'), (l) => pageUp(l, "pa")],
  [
    "ins",
    "l1-vsmmu-virtio",
    (l) => l.includes('"ins":'),
    (l) => l.replace(/"ins":\[\[(\d+)/, (_, asid) => `"ins":[[${Number(asid) + 1}`),
  ],
  [
    "evr",
    "faults-4k",
    (l) => l.includes('"evr":"10'),
    (l) => l.replace(/"evr":"10000000/, '"evr":"10000001'),
  ],
])(
  "a capture with a corrupted %s exits with 1 and names the line",
  async (_what, name, is, edit) => {
    const lines = textOf(name, "replay.jsonl.gz").split("\n");
    const at = lines.findIndex(is);
    lines[at] = edit(lines[at]);
    const directory = copyOf(name, { "replay.jsonl.gz": null, "replay.jsonl": lines.join("\n") });
    const json = await call(["replay", directory, "--json"]);
    expect(json.code).toBe(1);
    const [first] = JSON.parse(json.out).mismatches;
    expect(first).toMatchObject({ kind: "translations", line: at + 1 });
    expect(first.expected).not.toBe(first.got);
    const text = await call(["replay", directory]);
    expect(text.code).toBe(1);
    expect(text.out).toContain(`replay.jsonl:${at + 1}`);
  },
);

test("at most 20 mismatches are shown, all are counted", async () => {
  const text = textOf("l1-vsmmu-virtio", "replay.jsonl.gz").replaceAll('"perm":3', '"perm":2');
  const directory = copyOf("l1-vsmmu-virtio", { "replay.jsonl.gz": null, "replay.jsonl": text });
  const json = JSON.parse((await call(["replay", directory, "--json"])).out);
  expect(json.mismatches).toHaveLength(20);
  expect(json.mismatchCount).toBe(json.translations.checked - json.translations.matched);
  expect(json.mismatchCount).toBeGreaterThan(100);
  expect((await call(["replay", directory])).out).toMatch(/… and \d+ more/);
});

test.each<[string, Record<string, string | Uint8Array | null>, RegExp]>([
  ["no manifest", { "manifest.json": null }, /manifest\.json: no such file/],
  ["a broken manifest", { "manifest.json": "{" }, /manifest\.json at byte 1: not JSON/],
  ["no image", { "memory.elf.gz": null }, /memory\.elf: no such file/],
  ["a short image", { "memory.elf.gz": new Uint8Array(9) }, /9 bytes are too short/],
  [
    "a damaged list",
    { "replay.jsonl.gz": new Uint8Array([0x1f, 0x8b, 8, 0, 1, 2, 3]) },
    /replay\.jsonl\.gz at byte 7: the gzip data is damaged/,
  ],
  [
    "a line that is not JSON",
    { "replay.jsonl.gz": null, "replay.jsonl": '{"op":"irq","irq":0}\n{"op":' },
    /replay\.jsonl at line 2: not JSON/,
  ],
  [
    "a malformed map",
    { "maps.jsonl.gz": null, "maps.jsonl": "[0,1]\n" },
    /maps\.jsonl: line 1 must have 8 columns/,
  ],
])("%s is an unreadable input", async (_what, files, message) => {
  const r = await call(["replay", copyOf("l1-vsmmu-virtio", files)]);
  expect(r.err).toMatch(message);
  expect(r).toMatchObject({ code: 3, out: "" });
});
