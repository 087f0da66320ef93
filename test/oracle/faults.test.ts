// The oracle against a guest's fault tests on live tables: every event record, bit for bit.

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import type { OracleRegisters } from "./model.ts";
import { translateOracle } from "./oracle.ts";
import { faultingPieces } from "./qemu-cache.ts";

const DIR = new URL("../captures/faults-4k/", import.meta.url);

interface FaultTest {
  name: string;
  sid: number;
  iova: string;
  write: boolean;
  count: number;
  pokes: [string, string][];
  events: string[];
  trace: string[];
}

/** The PT_LOAD segments of an ELF64 core as 64-bit words by physical address. */
function loadImage(): Map<bigint, bigint> {
  const core = gunzipSync(readFileSync(new URL("memory.elf.gz", DIR)));
  const memory = new Map<bigint, bigint>();
  const table = Number(core.readBigUInt64LE(32));
  for (let i = 0; i < core.readUInt16LE(56); i++) {
    const at = table + i * core.readUInt16LE(54);
    if (core.readUInt32LE(at) !== 1) continue;
    const offset = Number(core.readBigUInt64LE(at + 8));
    const address = core.readBigUInt64LE(at + 24);
    const inFile = Number(core.readBigUInt64LE(at + 32));
    const inMemory = Number(core.readBigUInt64LE(at + 40));
    for (let byte = 0; byte < inMemory; byte += 8) {
      const value = byte < inFile ? core.readBigUInt64LE(offset + byte) : 0n;
      memory.set(address + BigInt(byte), value);
    }
  }
  return memory;
}

/** Stores bytes at any address, into an overlay of the image. */
function poke(overlay: Map<bigint, bigint>, address: bigint, hex: string): void {
  Buffer.from(hex, "hex").forEach((byte, i) => {
    const at = address + BigInt(i);
    const shift = (at & 7n) * 8n;
    const word = overlay.get(at & ~7n) ?? image.get(at & ~7n) ?? 0n;
    overlay.set(at & ~7n, (word & ~(0xffn << shift)) | (BigInt(byte) << shift));
  });
}

function registers(): OracleRegisters {
  const { regs } = JSON.parse(readFileSync(new URL("manifest.json", DIR)).toString()).smmu[0];
  return {
    ...{ idr0: regs.IDR0, idr1: regs.IDR1, idr2: regs.IDR2, idr3: regs.IDR3, idr4: regs.IDR4 },
    ...{ idr5: regs.IDR5, aidr: regs.AIDR, cr0: regs.CR0, cr2: regs.CR2, gbpa: regs.GBPA },
    ...{ strtabBase: 0x400000004611a000n, strtabBaseCfg: regs.STRTAB_BASE_CFG },
  };
}

const image = loadImage();
const regs = registers();
// Four tests rewrite device registers or commands instead of memory; they have no pokes.
const all: FaultTest[] = JSON.parse(
  gunzipSync(readFileSync(new URL("fault-tests.json.gz", DIR))).toString(),
);
const tests = all.filter((t) => t.pokes !== undefined);

test("has 87 tests of memory", () => {
  expect(tests).toHaveLength(87);
});

/** The records that a test's transfer leaves in one mode; it ends where a piece gets through. */
function eventsOf(t: FaultTest, mode: "arch" | "qemu"): string[] {
  const overlay = new Map<bigint, bigint>();
  for (const [at, hex] of t.pokes) poke(overlay, BigInt(at), hex);
  for (const line of t.trace) {
    const pte = /pteaddr=(0x[0-9a-f]+), pte=(0x[0-9a-f]+)/.exec(line);
    if (pte !== null) overlay.set(BigInt(pte[1]), BigInt(pte[2]));
  }
  const read64 = (pa: bigint) => overlay.get(pa) ?? image.get(pa);
  const events: string[] = [];
  for (const iova of faultingPieces(BigInt(t.iova), t.count)) {
    const a = translateOracle({ read64 }, regs, { sid: t.sid, iova, write: t.write }, mode);
    if (a.recorded) events.push(Buffer.from(a.record!).toString("hex"));
    if (a.status === "ok" || a.status === "bypass") break;
  }
  return events;
}

test.each(tests)("predicts the events of $name", (t) => {
  expect(eventsOf(t, "qemu")).toEqual(t.events);
});

test("the architecture gives the same events but for QEMU's known differences", () => {
  const different = tests.filter((t) => eventsOf(t, "arch").join() !== t.events.join());
  expect(different.map((t) => t.name)).toEqual([
    "aptable1-write", // unprivileged accesses are checked
    "ap0-unpriv-read",
    "ap0-unpriv-write",
    "ap2-unpriv-read",
    "l0-block-reserved", // no block at level 0
    "cd-fetch-outside-ram", // FetchAddr in its own field
    "ste-s1cdmax3", // S1CDMax is ignored without SubstreamIDs
    "nested-s2-unmapped-ipa-read", // IPA without its low 12 bits
    "nested-s2-ro-write",
    "nested-s1-2m-s2-4k-next-page",
    "nested-s2-af0",
    "nested-l1-table-ipa-unmapped", // S2=1 for a table behind the first
  ]);
});
