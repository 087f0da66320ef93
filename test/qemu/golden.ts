// Golden cases from a live QEMU: batches of 64 random configurations, each with its answer.
import fc from "fast-check";
import { configAddress, RAM_BASE, SMMU, testdevWrite } from "../../src/conform/board.ts";
import { splitTrace } from "../../src/conform/trace.ts";
import { buildDevice, type Layout } from "./devices.ts";
import { applyChange } from "./materialize.ts";
import { Qtest } from "./qtest.ts";
import { device } from "./spec.ts";
import type { Words } from "./tables.ts";

/** Cases of one batch: one for each device. */
export const BATCH = 64;
const FIRST_SID = 8;
/** Amid the PCI window: a walk that goes astray should find nothing there. */
const BARS = 0x2e7c0000;
const STRTAB = 0x40100000n;
const CMDQ = 0x40200000n;
const EVENTQ = 0x40240000n;
const LAYOUT: Layout = {
  cds: 0x40300000n,
  tables: 0x48000000n,
  tablesPerDevice: 0x400000n,
  data: 0x59000000n,
};
/** CFGI_ALL, TLBI_NSNH_ALL, CMD_SYNC. */
const INVALIDATE: [bigint, bigint][] = [
  [0x04n, 31n],
  [0x30n, 0n],
  [0x46n, 0n],
];

const hex = (value: bigint | number) => `0x${value.toString(16)}`;

/** A case without an answer, as a golden file writes it. */
export interface Case {
  sid: number;
  iova: string;
  w: 1;
  ste: string;
  cdA: string;
  cd: string;
  mem: [string, string][];
}

function bytesOf(words: bigint[]): string {
  const bytes = Buffer.alloc(words.length * 8);
  words.forEach((word, i) => {
    bytes.writeBigUInt64LE(word, i * 8);
  });
  return bytes.toString("hex");
}

/** The cases of one random batch, without answers. */
export function randomCases(seed: number): Case[] {
  const specs = fc.sample(device(1), { numRuns: BATCH, seed });
  return specs.map((spec, i) => {
    const words: Words = new Map();
    const made = buildDevice(spec, i, FIRST_SID + i, words, LAYOUT);
    made.steAddress = STRTAB + BigInt(made.sid * 64);
    const entries: [bigint, bigint[]][] = [
      [made.steAddress, made.ste],
      [made.cdAddress, made.cd],
    ];
    for (const [at, entry] of entries)
      entry.forEach((w, k) => {
        words.set(at + BigInt(k * 8), w);
      });
    for (const fault of spec.faults) applyChange(made, fault, words);
    const read = (at: bigint) => entries[0][1].map((_, k) => words.get(at + BigInt(k * 8)) ?? 0n);
    const [ste, cd] = [read(made.steAddress), read(made.cdAddress)];
    const tables = [...words].filter(
      ([at, v]) => v !== 0n && !entries.some(([e]) => at >= e && at < e + 64n),
    );
    const page = made.pages[0];
    const iova = page.iova + BigInt(spec.base & 0xfffn & page.mask);
    return {
      sid: made.sid,
      iova: hex(iova & ~3n),
      w: 1,
      ste: bytesOf(ste),
      cdA: hex(made.cdAddress),
      cd: bytesOf(cd),
      mem: tables.map(([a, v]) => [hex(a), hex(v)]),
    };
  });
}

/** The requests that create and set up the SMMU and the 64 devices. */
function setUp(): string[] {
  const requests: string[] = [];
  for (let i = 0; i < BATCH; i++) {
    const sid = FIRST_SID + i;
    requests.push(`writel ${hex(configAddress(sid, 0x10))} ${hex(BARS + i * 0x1000)}`);
    requests.push(`writew ${hex(configAddress(sid, 4))} 0x6`);
  }
  const reg = (at: number, value: bigint | number, q = false) =>
    requests.push(`write${q ? "q" : "l"} ${hex(SMMU + BigInt(at))} ${hex(value)}`);
  reg(0x20, 0);
  reg(0x28, 0xd75);
  reg(0x2c, 2);
  reg(0x90, CMDQ | 10n, true);
  reg(0xa0, EVENTQ | 12n, true);
  for (const at of [0x98, 0x9c, 0xa8, 0xac]) reg(at, 0);
  reg(0x88, 8);
  reg(0x80, STRTAB, true);
  reg(0x20, 0xd);
  return requests;
}

type Insert = [number, number, string, number, number];

/** The `t` of a golden case from the trace of its DMA; `inserts` are those since the last one. */
function outcome(trace: string[], inserts: Insert[]): unknown {
  const last = trace.filter((l) => /^(ok|bypass|abort)/.test(l)).pop();
  if (!last) return null;
  const tlb = inserts.splice(0);
  if (last === "bypass") return { kind: "bypass", tlb };
  if (last === "abort") return { kind: "abort", tlb };
  const [, pa, perm, stage] = last.split(" ");
  return { kind: "success", pa, perm: hex(Number(perm)), stage: Number(stage), tlb };
}

/** A QEMU with 64 devices that answers batches of cases. */
export class GoldenQemu {
  readonly #machine: Qtest;
  #prod = 0;
  #events = 0;
  #previous: bigint[] = [];

  private constructor(machine: Qtest) {
    this.#machine = machine;
  }

  static async start(command: string[]): Promise<GoldenQemu> {
    const args = ["-machine", "virt,acpi=off,gic-version=3,iommu=smmuv3", "-accel", "qtest"];
    for (let i = 0; i < BATCH; i++) {
      const [slot, fn] = [(FIRST_SID + i) >> 3, (FIRST_SID + i) & 7];
      const more = fn === 0 ? ",multifunction=on" : "";
      args.push("-device", `iommu-testdev,addr=${slot.toString(16).padStart(2, "0")}.${fn}${more}`);
    }
    const machine = await Qtest.start({ command, args, sharedRam: true, traces: ["smmu*"] });
    await machine.writeRam([{ address: RAM_BASE, bytes: Buffer.alloc(0x100000) }]);
    await machine.send(setUp());
    return new GoldenQemu(machine);
  }

  stop(): Promise<number | null> {
    return this.#machine.stop();
  }

  /** What the batch puts into memory: configurations, tables, the commands that invalidate. */
  #blocks(cases: Case[]): { address: bigint; bytes: Buffer }[] {
    const words: Words = new Map(this.#previous.map((at) => [at, 0n]));
    for (const c of cases) for (const [at, v] of c.mem) words.set(BigInt(at), BigInt(v));
    this.#previous = cases.flatMap((c) => c.mem.map(([at]) => BigInt(at)));
    const blocks = [...words].map(([address, v]) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(v);
      return { address, bytes };
    });
    for (const c of cases) {
      const ste = Buffer.from(c.ste, "hex");
      blocks.push({ address: STRTAB + BigInt(c.sid * 64), bytes: ste });
      blocks.push({ address: BigInt(c.cdA), bytes: Buffer.from(c.cd, "hex") });
    }
    for (const [low, high] of INVALIDATE) {
      const bytes = Buffer.from(bytesOf([low, high]), "hex");
      blocks.push({ address: CMDQ + BigInt((this.#prod % 1024) * 16), bytes });
      this.#prod = (this.#prod + 1) % 2048;
    }
    return blocks;
  }

  /** Runs one batch; gives the lines of a golden file. */
  async run(cases: Case[]): Promise<string[]> {
    const machine = this.#machine;
    await machine.writeRam(this.#blocks(cases));
    machine.takeTrace();
    const at = (offset: number) => hex(SMMU + BigInt(offset));
    const requests = [`writel ${at(0x98)} ${hex(this.#prod)}`, `readl ${at(0x60)}`];
    for (const c of cases) {
      const bar = BigInt(BARS + (c.sid - FIRST_SID) * 0x1000);
      const master = { sid: c.sid, bar, kind: "testdev" as const };
      requests.push(...testdevWrite(master, BigInt(c.iova), 4), `readl ${at(0xa8)}`);
    }
    const answers = await machine.send(requests);
    if (BigInt(answers[1]) !== 0n) throw new Error(`GERROR is ${answers[1]}`);
    const parts = splitTrace(machine.takeTrace());
    const inserts: Insert[] = [];
    const lines: string[] = [];
    for (const [i, c] of cases.entries()) {
      const ev = await this.#takeEvents(Number(BigInt(answers[4 + i * 3])));
      for (const line of parts[i].filter((l) => l.startsWith("ins "))) {
        const [, asid, vmid, address, tg, level] = line.split(" ");
        inserts.push([Number(asid), Number(vmid), address, Number(tg), Number(level)]);
      }
      const result = Buffer.from(answers[3 + i * 3].slice(2), "hex").readUInt32LE(16);
      lines.push(JSON.stringify({ ...c, res: hex(result), t: outcome(parts[i], inserts), ev }));
    }
    await machine.send([`writel ${at(0xac)} ${hex(this.#events)}`]);
    return lines;
  }

  async #takeEvents(prod: number): Promise<string[]> {
    const records: string[] = [];
    for (; this.#events !== prod; this.#events = (this.#events + 1) % 8192) {
      const at = EVENTQ + BigInt((this.#events % 4096) * 32);
      records.push((await this.#machine.readRam(at, 32)).toString("hex"));
    }
    return records;
  }
}
