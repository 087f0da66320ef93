// Replays cases that a real QEMU 11.1.3 answered: setup, batches of 64, and how to compare.

import type { OracleAnswer, OracleRegisters } from "./model.ts";
import { QemuSmmu } from "./qemu-cache.ts";
import type { IotlbKey } from "./qemu-iotlb.ts";

/** One line of the file: hex strings for structures, `0x` strings for addresses. */
export interface GoldenCase {
  sid: number;
  iova: string;
  w: number;
  ste: string;
  cdA: string;
  cd: string;
  mem: [string, string][];
  t: {
    kind: "success" | "bypass" | "abort";
    pa?: string;
    perm?: string;
    stage?: number;
    tlb: [number, number, string, number, number][];
  } | null;
  ev: string[];
}

const STRTAB = 0x40100000n;
export const BATCH = 64;

/** The registers of the recording: QEMU 11.1.3 with both stages, linear table of 256 STEs. */
export const GOLDEN_REGISTERS: OracleRegisters = {
  idr0: 0x0d44101b,
  idr1: 0x02730010,
  idr2: 0,
  idr3: 0x1414,
  idr4: 0,
  idr5: 0x74,
  aidr: 1,
  cr0: 0xd,
  cr2: 2,
  gbpa: 0x1000,
  strtabBase: STRTAB,
  strtabBaseCfg: 8,
};

/** The board's memory map as far as a fetch can tell: RAM, flash reading 0, PCI windows. */
function inWindow(pa: bigint): bigint | undefined {
  if (pa < 0x08000000n) return 0n;
  if (pa >= 0x40000000n && pa < 0x60000000n) return 0n;
  if (pa >= 0x10000000n && pa < 0x3eff0000n) return 0n;
  if (pa >= 0x8000000000n && pa < 0x10000000000n) return 0n;
  return undefined;
}

function storeHex(memory: Map<bigint, bigint>, at: bigint, hex: string): void {
  const bytes = Buffer.from(hex, "hex");
  for (let i = 0; i < bytes.length; i += 8) memory.set(at + BigInt(i), bytes.readBigUInt64LE(i));
}

/** The device's own store: 0x12345678, 4 bytes, where the address is RAM. */
function storeDma(memory: Map<bigint, bigint>, at: bigint): void {
  if (at < 0x40000000n || at >= 0x60000000n) return;
  const word = at & ~7n;
  const shift = (at & 4n) * 8n;
  const kept = (memory.get(word) ?? 0n) & ~(0xffffffffn << shift);
  memory.set(word, kept | (0x12345678n << shift));
}

/** A mismatch: which line, and what differed. */
export interface Mismatch {
  line: number;
  what: string;
}

const STATUS = { success: "ok", bypass: "bypass", abort: "abort" } as const;

function compare(c: GoldenCase, a: OracleAnswer, tlb: IotlbKey[]): string | undefined {
  const events =
    a.recorded && a.record !== undefined ? [Buffer.from(a.record).toString("hex")] : [];
  if (events.join() !== c.ev.join()) return `event ${c.ev} but predicted ${events}`;
  if (c.t === null) {
    return a.status === "event" || a.status === "silent" ? undefined : `no trace but ${a.status}`;
  }
  if (a.status !== STATUS[c.t.kind]) return `${c.t.kind} but predicted ${a.status}`;
  if (c.t.kind === "success") {
    const said = `${BigInt(c.t.pa!)}/${Number(c.t.perm)}/${c.t.stage}`;
    const predicted = `${a.pa}/${a.perm}/${a.stage}`;
    if (said !== predicted) return `${said} but predicted ${predicted}`;
  }
  const recorded = c.t.tlb.map((k) => [k[0], k[1], BigInt(k[2]), k[3], k[4]].join()).join(" ");
  const predicted = tlb.map((k) => k.join()).join(" ");
  return recorded === predicted ? undefined : `inserts ${recorded} but predicted ${predicted}`;
}

/** Replays whole batches and returns what differs. */
export function replayGolden(cases: readonly GoldenCase[]): Mismatch[] {
  const mismatches: Mismatch[] = [];
  const memory = new Map<bigint, bigint>();
  const ram = { read64: (pa: bigint) => memory.get(pa) ?? inWindow(pa) };
  let written: bigint[] = [];
  for (let first = 0; first < cases.length; first += BATCH) {
    const batch = cases.slice(first, first + BATCH);
    for (const at of written) memory.set(at, 0n);
    written = [];
    for (const c of batch) {
      storeHex(memory, STRTAB + BigInt(c.sid) * 64n, c.ste);
      storeHex(memory, BigInt(c.cdA), c.cd);
      for (const [at, value] of c.mem) {
        memory.set(BigInt(at), BigInt(value));
        written.push(BigInt(at));
      }
    }
    const smmu = new QemuSmmu(ram, GOLDEN_REGISTERS);
    batch.forEach((c, i) => {
      const answer = smmu.translate({ sid: c.sid, iova: BigInt(c.iova), write: c.w === 1 });
      const what = compare(c, answer, smmu.iotlb.inserts);
      if (answer.pa !== undefined) storeDma(memory, answer.pa);
      if (c.t !== null) smmu.iotlb.inserts.length = 0;
      if (what !== undefined) mismatches.push({ line: first + i + 1, what });
    });
  }
  return mismatches;
}
