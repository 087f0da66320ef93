// The command queue as a ring: indexes, sizes, errors and restart, aborts, stepping (IHI0070 3.5,
// 4.1, 7.1).
import { describe, expect, test } from "vitest";
import { command, sync } from "../../src/tables/command.ts";
import { CMDQ_ERR, CMDQEN, HOLE, idWith, R, RAM, Rig, SMMUEN } from "./rig.ts";

const ILL = 1;
const ABT = 2;
const GERROR_IRQEN = 1;
const BAD = new Uint8Array(16).fill(0xff);
/** Where the MSIs of numbered CMD_SYNCs leave their numbers. */
const MARKS = RAM + 0x40_0000n;

/** A CMD_SYNC that writes its number to a word of its own. */
const mark = (n: number): Uint8Array =>
  command("CMD_SYNC", {
    "SYNC.CS": 1,
    "SYNC.MSIAddress": MARKS + BigInt(n * 4),
    "SYNC.MSIData": n + 1,
  });

/** The numbers of the marks that were executed. */
const marks = (rig: Rig, limit = 64): number[] =>
  Array.from({ length: limit }, (_, n) => n).filter(
    (n) => rig.map.readU32(MARKS + BigInt(n * 4)) === n + 1,
  );

describe("errors", () => {
  test("the queue stops at the failing command and says why", async () => {
    const rig = await Rig.ready();
    rig.write(R.IRQ_CTRL, GERROR_IRQEN);
    rig.submit(mark(0), BAD, mark(1));
    expect(rig.queue()).toEqual({ cons: 1, error: ILL, active: true });
    expect(rig.read(R.GERROR)).toBe(CMDQ_ERR);
    expect(marks(rig)).toEqual([0]);
    expect(rig.smmu.takeInterrupts().gerror).toBe(true);
    // More commands do not move it, and the error is not raised again.
    rig.submit(mark(2));
    expect(rig.queue()).toEqual({ cons: 1, error: ILL, active: true });
    expect(rig.read(R.GERROR)).toBe(CMDQ_ERR);
    expect(rig.smmu.takeInterrupts().gerror).toBe(false);
  });

  test("acknowledging refetches the rewritten entry: no PROD write is needed", async () => {
    const rig = await Rig.ready();
    rig.submit(mark(0), BAD, mark(2));
    rig.map.writeBytes(rig.cmdqAt + 16n, mark(1));
    expect(marks(rig)).toEqual([0]);
    rig.write(R.GERRORN, CMDQ_ERR);
    expect(rig.queue()).toEqual({ cons: 3, error: 0, active: false });
    expect(marks(rig)).toEqual([0, 1, 2]);
  });

  test("an entry that stays bad fails again: GERROR toggles back", async () => {
    const rig = await Rig.ready();
    rig.submit(BAD);
    rig.write(R.GERRORN, CMDQ_ERR);
    expect(rig.read(R.GERROR)).toBe(0);
    expect(rig.queue()).toEqual({ cons: 0, error: ILL, active: true });
    rig.map.writeBytes(rig.cmdqAt, mark(0));
    rig.write(R.GERRORN, 0);
    expect(rig.queue()).toEqual({ cons: 1, error: 0, active: false });
  });

  test("PROD may be lowered to CONS while the error is active", async () => {
    const rig = await Rig.ready();
    rig.submit(mark(0), BAD, mark(1));
    rig.write(R.CMDQ_PROD, 1);
    rig.write(R.GERRORN, CMDQ_ERR);
    expect(rig.queue()).toEqual({ cons: 1, error: 0, active: false });
    rig.submit(mark(2));
    expect(marks(rig)).toEqual([0, 2]);
  });

  test("a queue that nothing backs is an external abort", async () => {
    const rig = await Rig.ready({ cmdqAt: HOLE });
    rig.submit(mark(0), mark(1));
    expect(rig.queue()).toEqual({ cons: 0, error: ABT, active: true });
    rig.map.mapRam(HOLE, 0x1000);
    rig.map.writeBytes(HOLE, mark(0));
    rig.map.writeBytes(HOLE + 16n, mark(1));
    rig.write(R.GERRORN, CMDQ_ERR);
    expect(rig.queue()).toEqual({ cons: 2, error: 0, active: false });
    expect(marks(rig)).toEqual([0, 1]);
  });

  test("a queue that ends in a hole aborts there", async () => {
    const rig = await Rig.ready({ cmdqLog2: 9, cmdqAt: HOLE });
    rig.map.mapRam(HOLE, 0x1000);
    rig.submit(...Array.from({ length: 260 }, () => sync()));
    expect(rig.queue()).toEqual({ cons: 256, error: ABT, active: true });
  });

  test("a base beyond the map's 48 bits aborts", async () => {
    const rig = await Rig.ready({ cmdqAt: 1n << 48n });
    rig.submit(sync());
    expect(rig.queue()).toEqual({ cons: 0, error: ABT, active: true });
  });
});

describe("indexes", () => {
  test("CONS wraps with PROD, over and over", async () => {
    const rig = await Rig.ready({ cmdqLog2: 2 });
    for (let n = 0; n < 40; n += 4) {
      rig.run(mark(n), mark(n + 1), mark(n + 2), mark(n + 3));
      expect(rig.queue().cons).toBe((n + 4) % 8);
    }
    expect(marks(rig)).toEqual(Array.from({ length: 40 }, (_, n) => n));
  });

  test.each(Array.from({ length: 20 }, (_, log2) => log2))(
    "2^%i entries: the last entry, the wrap, the first; the base is aligned to the size",
    async (log2) => {
      const size = 2 ** log2;
      const bytes = BigInt(Math.max(32, 16 * size));
      const at = RAM + 0x200_0000n;
      const rig = await Rig.bare({ cmdqLog2: log2, cmdqAt: at });
      // Bits below the alignment are taken as zero; bits above the wrap flag do not count.
      const misaligned = bytes > 32n ? bytes >> 1n : 0n;
      rig.smmu.writeRegister(R.CMDQ_BASE, (at + misaligned) | BigInt(log2), 8);
      const lastEntry = size - 1;
      rig.map.writeBytes(at + BigInt(lastEntry * 16), mark(1));
      rig.map.writeBytes(at, mark(size === 1 ? 1 : 2));
      const start = lastEntry;
      const end = size === 1 ? 1 : size + 1;
      const above = (0xfffff & ~(2 * size - 1)) >>> 0;
      rig.write(R.CMDQ_CONS, start);
      rig.write(R.CMDQ_PROD, end | above);
      rig.write(R.CR0, CMDQEN);
      expect(rig.read(R.CMDQ_CONS)).toBe(end);
      expect(rig.queue().active).toBe(false);
      expect(marks(rig)).toEqual(size === 1 ? [1] : [1, 2]);
    },
  );

  test("a full queue is consumed whole, and only once", async () => {
    const rig = await Rig.ready({ cmdqLog2: 3 });
    rig.run(sync(), sync(), sync());
    rig.smmu.resetCounters();
    rig.run(...Array.from({ length: 8 }, () => sync()));
    expect(rig.smmu.counters.commands).toBe(8);
    expect(rig.queue().cons).toBe(11);
    rig.write(R.CMDQ_PROD, 11);
    expect(rig.smmu.counters.commands).toBe(8);
  });

  test("LOG2SIZE is capped by IDR1.CMDQS", async () => {
    const id = idWith({ IDR1: { CMDQS: 2 } });
    const rig = await Rig.bare({ id });
    rig.smmu.writeRegister(R.CMDQ_BASE, rig.cmdqAt | 9n, 8);
    for (let n = 0; n < 4; n++) rig.map.writeBytes(rig.cmdqAt + BigInt(n * 16), mark(n));
    rig.write(R.CR0, CMDQEN);
    rig.write(R.CMDQ_PROD, 4);
    expect(rig.queue()).toEqual({ cons: 4, error: 0, active: false });
    // Entry 0 again: four entries, wrap flag in bit 2.
    rig.map.writeBytes(rig.cmdqAt, mark(9));
    rig.write(R.CMDQ_PROD, 5);
    expect(marks(rig)).toEqual([0, 1, 2, 3, 9]);
  });

  test("QEMU takes bits 51 to 6 of the base, whatever the size", async () => {
    const at = RAM + 0x200_0040n;
    const rig = await Rig.ready({ compat: "qemu", cmdqLog2: 8, cmdqAt: at });
    rig.smmu.writeRegister(R.CMDQ_BASE, (0xfn << 52n) | (at + 0x20n) | 8n, 8);
    rig.submit(sync(), BAD);
    expect(rig.queue()).toEqual({ cons: 1, error: ILL, active: true });
  });

  test("inconsistent indexes end, and leave CONS at PROD or the queue stopped", async () => {
    for (const [prod, cons] of [
      [3, 9],
      [0x1f, 0x05],
      [0, 0x10],
      [0x10, 0x0f],
    ]) {
      const rig = await Rig.bare({ cmdqLog2: 4 });
      rig.smmu.writeRegister(R.CMDQ_BASE, rig.cmdqAt | 4n, 8);
      for (let n = 0; n < 16; n++) rig.map.writeBytes(rig.cmdqAt + BigInt(n * 16), sync());
      rig.write(R.CMDQ_CONS, cons);
      rig.write(R.CMDQ_PROD, prod);
      rig.write(R.CR0, CMDQEN);
      const { cons: end, active } = rig.queue();
      expect(active || end === prod || end === cons).toBe(true);
    }
  });
});

describe("enabling", () => {
  test("clearing CMDQEN leaves CONS where it is; the queue goes on from there", async () => {
    const rig = await Rig.ready();
    rig.run(mark(0));
    rig.write(R.CR0, SMMUEN);
    rig.submit(mark(1));
    expect(rig.queue().cons).toBe(1);
    expect(marks(rig)).toEqual([0]);
    rig.write(R.CR0, SMMUEN | CMDQEN);
    expect(marks(rig)).toEqual([0, 1]);
  });

  test("commands work with SMMUEN=0", async () => {
    const rig = await Rig.bare();
    rig.enable(CMDQEN);
    rig.run(
      command("CMD_TLBI_NSNH_ALL"),
      command("CMD_CFGI_STE_RANGE", { "CFGI.Range": 31 }),
      mark(0),
    );
    expect(marks(rig)).toEqual([0]);
  });
});

describe("stepping", () => {
  test("commands wait until they are stepped", async () => {
    const rig = await Rig.ready();
    rig.smmu.autoConsume(false);
    rig.submit(mark(0), mark(1), mark(2));
    expect(rig.queue().cons).toBe(0);
    expect(rig.smmu.stepCommands()).toBe(1);
    expect(rig.queue().cons).toBe(1);
    expect([...rig.smmu.lastCommand()]).toEqual([...mark(0)]);
    expect(rig.smmu.stepCommands(5)).toBe(2);
    expect(rig.smmu.stepCommands()).toBe(0);
    expect(marks(rig)).toEqual([0, 1, 2]);
    rig.smmu.autoConsume(true);
    rig.run(mark(3));
    expect(marks(rig)).toEqual([0, 1, 2, 3]);
  });

  test("the owner refuses a command: CONS goes back, the code and GERROR tell", async () => {
    const rig = await Rig.ready({ cmdqLog2: 2 });
    rig.run(sync(), sync(), sync(), sync());
    rig.smmu.autoConsume(false);
    rig.submit(mark(0));
    rig.smmu.stepCommands();
    rig.smmu.rejectCommand(ILL);
    expect(rig.queue()).toEqual({ cons: 4, error: ILL, active: true });
    expect(rig.smmu.stepCommands()).toBe(0);
    rig.write(R.GERRORN, CMDQ_ERR);
    expect(rig.smmu.stepCommands()).toBe(1);
    expect(rig.queue().cons).toBe(5);
  });

  test("a step that is held stops before each CMD_SYNC, and only there", async () => {
    const rig = await Rig.ready();
    const { engine } = rig.smmu;
    rig.smmu.autoConsume(false);
    const all = command("CMD_TLBI_NSNH_ALL");
    rig.submit(all, all, mark(0), all, mark(1));
    expect([engine.step(9, 1), rig.queue().cons, marks(rig)]).toEqual([2, 2, []]);
    expect([engine.step(9, 1), rig.queue()]).toEqual([0, { cons: 2, error: 0, active: false }]);
    expect([engine.step(1, 0), marks(rig)]).toEqual([1, [0]]);
    expect([engine.step(9, 1), rig.queue().cons]).toEqual([1, 4]);
    expect([engine.step(9), rig.queue().cons, marks(rig)]).toEqual([1, 5, [0, 1]]);
    expect(rig.smmu.counters.commands).toBe(5);
  });
});
