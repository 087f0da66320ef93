// One function behind one SMMU, built word by word: what a divergence needs to show itself.
import { hex, type Op, type Program, type ProgramRecord } from "../../src/conform/program.ts";
import { put, type Words } from "../qemu/tables.ts";

/** Masters of the board: a writing function, and edu, which can read. */
export const WRITER = 8;
export const EDU = 24;
/** An e1000, which works on rings of descriptors. */
export const E1000 = 32;

export const STRTAB = 0x44000000n;
export const CD = 0x42200000n;
const CMDQ = 0x42000000n;
export const EVENTQ = 0x42100000n;
/** Roots of stage 1 and stage 2; further tables follow at 64 KiB steps. */
export const S1 = 0x48000000n;
export const S2 = 0x49000000n;
export const DATA = 0x50000000n;

type Fields = [hi: number, lo: number, value: bigint | number][];

/** A valid leaf: AF, attribute index 0, read and write for everybody. */
export const LEAF = 0x443n;
/** The same for stage 2: AF, Normal write-back, read and write. */
export const LEAF2 = 0x4fcn | 3n;

/** The machine's memory and steps under construction. */
export class World {
  readonly words: Words = new Map();
  readonly ops: Op[] = [];
  #prod = 0;
  eventqLog2 = 4;
  eventqBase = EVENTQ;
  strtabCfg = 8;
  cr2 = 2;

  set(at: bigint, value: bigint): this {
    this.words.set(at, value);
    return this;
  }

  /** An STE with Config and further fields; word 0 and 3 take the CD and the stage 2 root. */
  ste(config: number, fields: Fields = [], sid = WRITER): this {
    const ste = [0n, 0n, 0n, 0n];
    put(ste, 0, 0, 1);
    put(ste, 3, 1, config);
    if (config & 1) ste[0] |= CD;
    if ((config & 6) === 6) {
      // T0SZ 25 (39 bits) from level 1, 4K, 48-bit output, AA64, S2R.
      put(ste, 165, 160, 25);
      put(ste, 167, 166, 1);
      put(ste, 178, 176, 5);
      put(ste, 179, 179, 1);
      put(ste, 186, 186, 1);
      ste[3] = S2;
    }
    for (const field of fields) put(ste, ...field);
    ste.forEach((word, i) => {
      this.set(STRTAB + BigInt(sid * 64 + i * 8), word);
    });
    return this;
  }

  /** A CD: T0SZ 25 (39 bits, level 1), 4K, EPD1, IPS 44 bits, ASID 7; tables at S1. */
  cd(fields: Fields = [], at = CD): this {
    const cd = [0n, S1, 0n, 0xffn];
    put(cd, 5, 0, 25);
    put(cd, 30, 30, 1);
    put(cd, 31, 31, 1);
    put(cd, 34, 32, 4);
    put(cd, 41, 41, 1);
    put(cd, 46, 45, 3);
    put(cd, 63, 48, 7);
    for (const field of fields) put(cd, ...field);
    cd.forEach((word, i) => {
      this.set(at + BigInt(i * 8), word);
    });
    return this;
  }

  /** Maps the 4K page of `address` from level 1: stage 1 when `root` is S1. */
  page(root: bigint, address: bigint, leaf: bigint): this {
    const index = (shift: bigint) => ((address >> shift) & 511n) * 8n;
    this.set(root + index(30n), (root + 0x10000n) | 3n);
    this.set(root + 0x10000n + index(21n), (root + 0x20000n) | 3n);
    return this.set(root + 0x20000n + index(12n), leaf);
  }

  /** Stage 2 maps the stage 1 tables and the CD to themselves. */
  identity(leaf = LEAF2): this {
    for (const at of [S1, S1 + 0x10000n, S1 + 0x20000n]) this.block2(at, leaf);
    return this.block2(CD, leaf);
  }

  /** A 2 MiB block of stage 2, to itself. */
  block2(at: bigint, leaf = LEAF2): this {
    const index = (shift: bigint) => ((at >> shift) & 511n) * 8n;
    this.set(S2 + index(30n), (S2 + 0x10000n) | 3n);
    return this.set(S2 + 0x10000n + index(21n), (at & ~0x1fffffn) | (leaf & ~2n));
  }

  reg(at: number, value: bigint | number, size: 4 | 8 = 4): this {
    this.ops.push({ op: "reg", at: hex(at), value: hex(value), size });
    return this;
  }

  get(at: number, size: 4 | 8 = 4): this {
    this.ops.push({ op: "get", at: hex(at), size });
    return this;
  }

  mem(at: bigint, value: bigint): this {
    this.ops.push({ op: "mem", at: hex(at), value: hex(value) });
    return this;
  }

  /** Programs and enables the SMMU. */
  enable(): this {
    this.reg(0x28, 0xd75)
      .reg(0x2c, this.cr2)
      .reg(0x90, CMDQ | 8n, 8);
    this.reg(0xa0, this.eventqBase | BigInt(this.eventqLog2), 8);
    return this.reg(0x88, this.strtabCfg).reg(0x80, STRTAB, 8).reg(0x20, 0xd);
  }

  dma(iova: bigint, options: { sid?: number; bytes?: number; write?: boolean } = {}): this {
    const { sid = WRITER, bytes = 4, write = true } = options;
    this.ops.push({ op: "dma", sid, iova: hex(iova), bytes, write });
    return this;
  }

  /** The e1000 works on a ring of eight descriptors from its first entry up to `tail`. */
  transmit(iova: bigint, tail = 1): this {
    this.ops.push({ op: "transmit", sid: E1000, iova: hex(iova), entries: 8, head: 0, tail });
    return this;
  }

  /** Queues one command and looks at CMDQ_CONS and GERROR. */
  command(low: bigint, high = 0n): this {
    const at = CMDQ + BigInt((this.#prod % 256) * 16);
    this.#prod = (this.#prod + 1) % 512;
    return this.mem(at, low)
      .mem(at + 8n, high)
      .reg(0x98, this.#prod)
      .get(0x9c)
      .get(0x60);
  }

  program(kind: string): Program {
    return {
      kind,
      memory: [...this.words].filter(([, v]) => v !== 0n).map(([a, v]) => [hex(a), hex(v)]),
      ops: this.ops,
      eventq: { base: hex(EVENTQ), bytes: 0x1000 },
    };
  }
}

/** A new world. */
export const world = (): World => new World();

const OUTCOME = /^(ok|bypass|abort|disabled)/;

/**
 * A record in short: for each `get` its value; for each DMA its outcome, or the event records it
 * caused as hexadecimal without trailing zeros, or "silent".
 */
export function outcomes(program: Program, record: ProgramRecord): string[] {
  let seen = 0;
  return program.ops.flatMap((op, i) => {
    const answer = record.answers[i];
    if (op.op === "get") return [answer as string];
    if (op.op !== "dma") return [];
    const { trace, prod } = answer as { trace: string[]; prod: string };
    const now = Number(BigInt(prod) & 0xfffffn);
    const records: string[] = [];
    for (; seen < now; seen++) {
      const text = record.events.slice(2 + seen * 64, 66 + seen * 64);
      records.push(text.replace(/(00)+$/, ""));
    }
    if (records.length > 0) return records;
    return [trace.filter((line) => OUTCOME.test(line)).pop() ?? "silent"];
  });
}
