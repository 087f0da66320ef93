// Random guests: DMA of a passed-through function is what the oracle walks, and nothing stale
// survives TLBI + SYNC.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AccelFunction } from "../../src/machine/accel-function.ts";
import { AccelMachine, CMDQV_BASE } from "../../src/machine/accel-machine.ts";
import type { GuestSmmuDriver } from "../../src/machine/guest-smmu-driver.ts";
import type { HostPagingDomain } from "../../src/smmu/host-driver.ts";
import {
  AIDR,
  CR0,
  CR2,
  GBPA,
  IDR0,
  IDR1,
  IDR2,
  IDR3,
  IDR4,
  IDR5,
  STRTAB_BASE,
  STRTAB_BASE_CFG,
} from "../../src/spec/register.ts";
import { cfgiSte, command, tlbiNhAsid, tlbiNhVa } from "../../src/tables/command.ts";
import { type OracleAnswer, translateOracle } from "../oracle/oracle.ts";

const PAGE = 0x1000n;
const BLOCK = 0x20_0000n;
const PAGES = 5;
const FIRST = 0xffff_0000n;
const FIRST_BLOCK = 0x1_0000_0000n;
const BLOCKS = 3;
const QUEUE = 0x4080_0000n;
/** Guest memory, its last page, a hole behind it, and the guest's own doorbell. */
const TARGETS = [
  0x4010_0000n,
  0x4010_3000n,
  0x41ff_f000n,
  0x4200_0000n,
  0x9000_0000n,
  0x0809_0000n,
];
const BLOCK_TARGETS = [0x4000_0000n, 0x4020_0000n, 0x9000_0000n];

type Op =
  | { op: "map"; page: number; target: number; write: boolean }
  | { op: "mapBlock"; block: number; target: number }
  | { op: "unmap"; page: number }
  | { op: "tlbi"; page: number; direct: boolean }
  | { op: "tlbiAll"; direct: boolean }
  | { op: "dma"; page: number; offset: number; write: boolean }
  | { op: "dmaBlock"; block: number; offset: number; write: boolean }
  | { op: "config"; how: "attach" | "bypass" | "block" }
  | { op: "ste"; words: [bigint, bigint] };

const page = fc.nat(PAGES - 1);
const block = fc.nat(BLOCKS - 1);
const offset = fc.nat(0xfff);

const WORD = fc.bigInt(0n, 2n ** 64n - 1n);
/** V=1 and Config=5; the pointer stays within what the host has. */
const asStage1 = (word: bigint): bigint => (word & ~0x00ff_f000_0000_000fn) | 0xbn;

const OPS: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant("map" as const),
      page,
      target: fc.nat(TARGETS.length - 1),
      write: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant("mapBlock" as const),
      block,
      target: fc.nat(BLOCK_TARGETS.length - 1),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("unmap" as const), page }) },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant("tlbi" as const), page, direct: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant("tlbiAll" as const), direct: fc.boolean() }),
  },
  {
    weight: 10,
    arbitrary: fc.record({ op: fc.constant("dma" as const), page, offset, write: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("dmaBlock" as const),
      block,
      offset: fc.nat(Number(BLOCK) - 1),
      write: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant("config" as const),
      how: fc.constantFrom("attach" as const, "bypass" as const, "block" as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant("ste" as const),
      words: fc.tuple(fc.oneof(WORD, WORD.map(asStage1)), WORD),
    }),
  },
);

/** One random guest. */
class Run {
  /** IOVAs whose change the guest has not invalidated. */
  private readonly dirty = new Set<bigint>();
  private readonly mapped = new Set<bigint>();
  private produced = 0;
  compared = 0;
  stale = 0;

  private constructor(
    readonly machine: AccelMachine,
    readonly fn: AccelFunction,
    readonly driver: GuestSmmuDriver,
    readonly domain: HostPagingDomain,
  ) {}

  static async start(): Promise<Run> {
    const machine = await AccelMachine.create({ cmdqv: true });
    const fn = machine.plug({ bdf: "0000:00:01.0", hostBdf: "0000:00:05.0", hostSid: 0x28 });
    const driver = machine.startGuestDriver();
    const domain = driver.domain();
    driver.attach(fn.sid, domain);
    const start = [
      [0x2_0000n, QUEUE + 8n, 8],
      [0x200n, 1n, 4],
      [0x1000n, 1n, 4],
      [0x3_0008n, 1n, 4],
    ] as const;
    for (const [at, value, size] of start) machine.guestWrite(CMDQV_BASE + at, value, size);
    return new Run(machine, fn, driver, domain);
  }

  private iovaOf(page: number): bigint {
    return FIRST + BigInt(page) * PAGE;
  }

  perform(op: Op): void {
    const { driver, domain, fn } = this;
    switch (op.op) {
      case "map":
        this.map(this.iovaOf(op.page), TARGETS[op.target], PAGE, op.write);
        break;
      case "mapBlock":
        this.map(FIRST_BLOCK + BigInt(op.block) * BLOCK, BLOCK_TARGETS[op.target], BLOCK, true);
        break;
      case "unmap":
        driver.unmap(domain, this.iovaOf(op.page), PAGE);
        this.dirty.delete(this.iovaOf(op.page));
        this.mapped.delete(this.iovaOf(op.page));
        break;
      case "tlbi":
        this.invalidate(tlbiNhVa(domain.tag, this.iovaOf(op.page)), op.direct);
        this.dirty.delete(this.iovaOf(op.page));
        break;
      case "tlbiAll":
        this.invalidate(tlbiNhAsid(domain.tag), op.direct);
        this.dirty.clear();
        break;
      case "dma":
        this.dma(this.iovaOf(op.page), BigInt(op.offset), op.write);
        break;
      case "dmaBlock":
        this.dma(FIRST_BLOCK + BigInt(op.block) * BLOCK, BigInt(op.offset), op.write);
        break;
      case "config":
        if (op.how === "attach") driver.attach(fn.sid, domain);
        else driver[op.how](fn.sid);
        break;
      case "ste": {
        const at = driver.steAddress(fn.sid);
        const words = [0, 1].map((i) => this.machine.map.readU64(at + BigInt(i * 8)) as bigint);
        for (const [i, word] of op.words.entries())
          this.machine.map.writeU64(at + BigInt(i * 8), word);
        driver.issue(cfgiSte(fn.sid), tlbiNhAsid(domain.tag));
        this.dirty.clear();
        this.dma(FIRST, 0n, false);
        for (const [i, word] of words.entries())
          this.machine.map.writeU64(at + BigInt(i * 8), word);
        driver.issue(cfgiSte(fn.sid), tlbiNhAsid(domain.tag));
      }
    }
  }

  private map(iova: bigint, gpa: bigint, bytes: bigint, write: boolean): void {
    if (this.mapped.has(iova)) this.dirty.add(iova);
    this.mapped.add(iova);
    this.driver.map(this.domain, iova, gpa, bytes, { read: true, write });
  }

  /** Through the trapped queue, or through the one that no VMM sees. */
  private invalidate(tlbi: Uint8Array, direct: boolean): void {
    if (!direct) {
      this.driver.issue(tlbi);
      return;
    }
    for (const raw of [tlbi, command("CMD_SYNC")]) {
      this.machine.map.writeBytes(QUEUE + BigInt((this.produced % 256) * 16), raw);
      this.produced = (this.produced + 1) % 512;
    }
    this.machine.guestWrite(CMDQV_BASE + 0x3_0004n, this.produced);
    expect(this.machine.guestRead(CMDQV_BASE + 0x3_0000n)).toBe(BigInt(this.produced));
  }

  private dma(base: bigint, at: bigint, write: boolean): void {
    const iova = base + at;
    const expected = this.oracle(iova, write);
    const got = this.machine.dma(this.fn, iova, write);
    if (this.dirty.has(base)) {
      this.stale++;
      return;
    }
    this.compared++;
    const { status, pa, stage } = got;
    expect({ status, pa, stage, record: recordOf(got.event?.record) }).toEqual({
      status: expected.status,
      pa: expected.pa,
      stage: expected.pa === undefined ? undefined : (expected.stage ?? 0),
      record: recordOf(expected.record),
    });
  }

  /** The physical SMMU's registers and the host's memory, walked from scratch. */
  private oracle(iova: bigint, write: boolean): OracleAnswer {
    const { smmu, map } = this.machine.host;
    const n = ({ offset: o }: { readonly offset: number }): number => Number(smmu.readRegister(o));
    return translateOracle(
      { read64: (pa) => map.readU64(pa) },
      {
        idr0: n(IDR0),
        idr1: n(IDR1),
        idr2: n(IDR2),
        idr3: n(IDR3),
        idr4: n(IDR4),
        idr5: n(IDR5),
        aidr: n(AIDR),
        cr0: n(CR0),
        cr2: n(CR2),
        gbpa: n(GBPA),
        strtabBase: smmu.readRegister(STRTAB_BASE.offset, 8),
        strtabBaseCfg: n(STRTAB_BASE_CFG),
      },
      { sid: this.fn.host.streams[0], iova, write, privileged: false },
      "arch",
    );
  }
}

const recordOf = (record: Uint8Array | undefined): string | undefined =>
  record && Buffer.from(record).toString("hex");

describe("random accelerated guests", () => {
  it("DMA equals the oracle's nested walk wherever the guest has invalidated", async () => {
    let compared = 0;
    let stale = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(OPS, { minLength: 20, maxLength: 80, size: "max" }),
        async (ops) => {
          const run = await Run.start();
          for (const op of ops) run.perform(op);
          expect(run.machine.vmmReads.tables).toBe(0);
          expect(run.machine.host.port.refused).toEqual([]);
          compared += run.compared;
          refused += run.driver.port.refused.length;
          stale += run.stale;
        },
      ),
      { numRuns: 50, seed: 20260926 },
    );
    // The runs would prove nothing if they never compared, or never had anything stale.
    expect(compared).toBeGreaterThan(500);
    expect(stale).toBeGreaterThan(30);
    expect(refused).toBeGreaterThan(5);
  });

  it("what is stale goes with TLBI + SYNC, through either queue", async () => {
    for (const direct of [false, true]) {
      const run = await Run.start();
      run.perform({ op: "map", page: 0, target: 0, write: true });
      const first = run.machine.dma(run.fn, FIRST);
      run.perform({ op: "map", page: 0, target: 1, write: true });
      expect(run.machine.dma(run.fn, FIRST).pa).toBe(first.pa);
      run.perform({ op: "tlbi", page: 0, direct });
      expect(run.machine.dma(run.fn, FIRST).pa).toBe(run.machine.hpaOf(TARGETS[1]));
      run.perform({ op: "dma", page: 0, offset: 0, write: true });
      expect(run.compared).toBe(1);
    }
  });
});
