// The oracle's `qemu` mode with its caches against a run recorded in order: lookups, descriptor
// read, insert and result of a Linux guest, with memory rebuilt from the guest's own stores.

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import type { OracleRegisters } from "./model.ts";
import { QemuSmmu } from "./qemu-cache.ts";

const DIR = new URL("../captures/ordered-4k-strict/", import.meta.url);

type Line = {
  op: string;
  a: number;
  v: number | string;
  raw: string;
  name: string;
  ri?: number[][];
  sid: number;
  iova: number;
  pa?: number;
  perm?: number;
  stage?: number;
  res: string;
  cfg?: number;
  lk?: number[][];
  pte?: number[][];
  ins?: number[][];
};

/** Parses a line without losing the low bits of numbers above 2^53: those become strings. */
function parse(line: string): Line {
  return JSON.parse(line.replace(/([:[,])(\d{16,})(?=[,\]}])/g, '$1"$2"'));
}

function linesOf(name: string): Line[] {
  return gunzipSync(readFileSync(new URL(name, DIR)))
    .toString()
    .trimEnd()
    .split("\n")
    .map(parse);
}

/** Applies one invalidation command to the predicted caches. */
function command(smmu: QemuSmmu, line: Line): void {
  const words = new DataView(Uint8Array.from(Buffer.from(line.raw, "hex")).buffer);
  const high = words.getUint32(4, true);
  const name = line.name.replace("SMMU_CMD_", "");
  if (name === "CFGI_STE" || name === "CFGI_CD" || name === "CFGI_CD_ALL") {
    smmu.invalidateConfig(high);
  } else if (name === "CFGI_STE_RANGE") {
    const size = 2 ** ((words.getUint32(8, true) & 31) + 1);
    const first = high - (high % size);
    smmu.invalidateConfigRange(first, first + size - 1);
  } else if (name === "TLBI_NSNH_ALL") {
    smmu.invalidateAll();
  } else if (name === "TLBI_NH_ASID") {
    smmu.invalidateAsid(high & 0xffff, high >>> 16);
  } else if (name === "TLBI_NH_VA") {
    for (const [vmid, asid, address, tg, pages, ttl] of line.ri ?? []) {
      const scope = { asid, vmid, stage2Only: false };
      smmu.iotlb.invalidateRange(scope, BigInt(address), tg, BigInt(pages), ttl);
    }
  }
}

test("predicts every translation of an ordered run", () => {
  const manifest = JSON.parse(readFileSync(new URL("manifest.json", DIR)).toString());
  const { regs } = manifest.smmu[0];
  const registers: OracleRegisters = {
    ...{ idr0: regs.IDR0, idr1: regs.IDR1, idr2: regs.IDR2, idr3: regs.IDR3, idr4: regs.IDR4 },
    ...{ idr5: regs.IDR5, aidr: regs.AIDR, cr0: 0, cr2: 0, gbpa: regs.GBPA },
    ...{ strtabBase: 0n, strtabBaseCfg: 0 },
  };
  const memory = new Map<bigint, bigint>();
  const pages = new Set<bigint>();
  const read64 = (pa: bigint) => (pages.has(pa >> 12n) ? (memory.get(pa) ?? 0n) : undefined);
  const smmu = new QemuSmmu({ read64 }, registers);
  let translations = 0;
  for (const line of linesOf("replay.jsonl.gz")) {
    const at = BigInt(line.a ?? 0);
    if (line.op === "pg") pages.add(at >> 12n);
    else if (line.op === "pgx") pages.delete(at >> 12n);
    else if (line.op === "ms" || line.op === "mw") memory.set(at, BigInt(line.v));
    else if (line.op === "cmd") command(smmu, line);
    else if (line.op === "w") {
      if (line.a === 0x20) registers.cr0 = Number(line.v);
      if (line.a === 0x2c) registers.cr2 = Number(line.v);
      if (line.a === 0x80) registers.strtabBase = BigInt(line.v);
      if (line.a === 0x88) registers.strtabBaseCfg = Number(line.v);
    } else if (line.op === "x") {
      translations++;
      smmu.iotlb.lookups.length = 0;
      smmu.iotlb.inserts.length = 0;
      const cached = smmu.configs.has(line.sid) ? 1 : 0;
      const a = smmu.translate({ sid: line.sid, iova: BigInt(line.iova) });
      const predicted = {
        result: [a.status, a.pa, a.perm, a.stage, cached].join(),
        lookups: smmu.iotlb.lookups.map((l) => [l.asid, l.vmid, l.address, l.hit ? 1 : 0].join()),
        reads: a.reads.filter((r) => r.what === "pte").map((r) => `${r.address},${r.value}`),
        inserts: smmu.iotlb.inserts.map((k) => k.join()),
      };
      expect(predicted).toEqual({
        result: [line.res, line.pa, line.perm, line.stage, line.cfg].join(),
        lookups: (line.lk ?? []).map((l) => l.join()),
        reads: (line.pte ?? []).map((r) => r.join()),
        inserts: (line.ins ?? []).map((k) => k.join()),
      });
    }
  }
  expect(translations).toBe(10_910);
});
