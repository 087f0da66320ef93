// Registers in `arch` mode: reset, read-only ones, guards, acknowledge protocols, GBPA (IHI0070
// 6.3).
import { describe, expect, test } from "vitest";
import { FULL_ID, QEMU_ID } from "../../src/engine/identity.ts";
import { CMDQ_ERR, CMDQEN, EVENTQEN, HOLE, idWith, R, RAM, Rig, SMMUEN } from "./rig.ts";

const ONES = 0xffff_ffff;
const GERROR_IRQEN = 1;
const EVENTQ_IRQEN = 4;
/** Page 0's read-only registers, with the identification at its end. */
const READ_ONLY = [
  0x00, 0x04, 0x08, 0x0c, 0x10, 0x14, 0x18, 0x1c, 0x24, 0x40, 0x54, 0x60, 0xfd0, 0xff0,
];

test("ID registers read as they were given", async () => {
  const rig = await Rig.bare();
  const { idr0, idr1, idr2, idr3, idr4, idr5, iidr, aidr } = FULL_ID;
  const words = [idr0, idr1, idr2, idr3, idr4, idr5, iidr, aidr];
  expect(words.map((_, i) => rig.read(i * 4))).toEqual(words);
});

test("reset leaves everything disabled and keeps the ID registers", async () => {
  const rig = await Rig.ready();
  rig.write(R.IRQ_CTRL, 5);
  rig.submit(new Uint8Array(16).fill(0xff));
  rig.smmu.reset();
  for (const offset of [R.CR0, R.CR0ACK, R.IRQ_CTRL, R.IRQ_CTRLACK, R.GERROR, R.GERRORN]) {
    expect(rig.read(offset), `0x${offset.toString(16)}`).toBe(0);
  }
  expect(rig.read(0)).toBe(FULL_ID.idr0);
  expect(rig.read(R.GBPA) >>> 31).toBe(0);
  expect(rig.smmu.takeInterrupts()).toMatchObject({ eventq: false, gerror: false, msis: [] });
});

test.each(READ_ONLY)("register 0x%s is read-only", async (offset) => {
  const rig = await Rig.ready();
  const before = rig.read(offset);
  rig.write(offset, ~before >>> 0);
  expect(rig.read(offset)).toBe(before);
  rig.smmu.writeRegister(offset & ~7, 0xffff_ffff_ffff_ffffn, 8);
  expect(rig.read(offset)).toBe(before);
});

describe("CR0 and CR0ACK", () => {
  test("each written field is acknowledged, and nothing else", async () => {
    const rig = await Rig.bare();
    for (const bits of [0, SMMUEN, EVENTQEN, CMDQEN, SMMUEN | EVENTQEN | CMDQEN, 0x40, 0x1c0]) {
      rig.write(R.CR0, bits);
      expect([rig.read(R.CR0), rig.read(R.CR0ACK)]).toEqual([bits, bits]);
    }
  });

  test.each([
    ["nothing optional", idWith({ IDR0: { VMW: 0 } }), 0xd],
    ["VMID wildcards", FULL_ID, 0x1cd],
    ["ATS and PRI", idWith({ IDR0: { ATS: 1, PRI: 1 } }), 0x1df],
  ])("reserved fields are not acknowledged: %s", async (_, id, acknowledged) => {
    const rig = await Rig.bare({ id });
    rig.write(R.CR0, ONES);
    expect(rig.read(R.CR0ACK)).toBe(acknowledged);
    rig.write(R.CR0, 0);
    expect(rig.read(R.CR0ACK)).toBe(0);
  });

  test("disabled queues do nothing; commands wait and are consumed on enabling", async () => {
    const rig = await Rig.ready();
    rig.write(R.CR0, SMMUEN);
    rig.smmu.translate({ sid: 3, iova: 0n });
    expect(rig.read(R.EVENTQ_PROD)).toBe(0);
    const sync = new Uint8Array(16);
    sync[0] = 0x46;
    rig.submit(sync, sync);
    expect(rig.queue().cons).toBe(0);
    rig.write(R.CR0, SMMUEN | CMDQEN | EVENTQEN);
    expect(rig.queue().cons).toBe(2);
    // The event of the disabled queue is gone, and was no overflow.
    expect(rig.events()).toEqual([]);
    expect(rig.read(R.EVENTQ_PROD)).toBe(0);
  });

  test("enabling the command queue consumes nothing while CMDQ_ERR is active", async () => {
    const rig = await Rig.ready();
    const bad = new Uint8Array(16).fill(0xff);
    const sync = new Uint8Array(16);
    sync[0] = 0x46;
    rig.submit(bad, sync);
    rig.write(R.CR0, 0);
    rig.map.writeBytes(rig.cmdqAt, sync);
    rig.write(R.CR0, CMDQEN);
    expect(rig.queue()).toEqual({ cons: 0, error: 1, active: true });
    rig.write(R.GERRORN, CMDQ_ERR);
    expect(rig.queue()).toMatchObject({ cons: 2, active: false });
  });
});

describe("IRQ_CTRL and IRQ_CTRLACK", () => {
  test("each enable is acknowledged", async () => {
    const rig = await Rig.bare();
    for (const bits of [GERROR_IRQEN, EVENTQ_IRQEN, GERROR_IRQEN | EVENTQ_IRQEN, 0]) {
      rig.write(R.IRQ_CTRL, bits);
      expect(rig.read(R.IRQ_CTRLACK)).toBe(bits);
    }
  });

  test.each([
    [0, 5],
    [1, 7],
  ])("with PRI=%i all ones give 0x%i", async (PRI, acknowledged) => {
    const rig = await Rig.bare({ id: idWith({ IDR0: { ATS: PRI, PRI } }) });
    rig.write(R.IRQ_CTRL, ONES);
    expect(rig.read(R.IRQ_CTRLACK)).toBe(acknowledged);
  });
});

/** Registers with their guards: what must be 0 for a write to count, and a legal value. */
const GUARDED: [string, number, "cr0" | "irq", number, number][] = [
  ["CR2", R.CR2, "cr0", SMMUEN, 3],
  ["STRTAB_BASE", R.STRTAB_BASE, "cr0", SMMUEN, 0x4567_8000],
  ["STRTAB_BASE (high)", R.STRTAB_BASE + 4, "cr0", SMMUEN, 0x4000_1234],
  ["STRTAB_BASE_CFG", R.STRTAB_BASE_CFG, "cr0", SMMUEN, 0x1_0209],
  ["CMDQ_BASE", R.CMDQ_BASE, "cr0", CMDQEN, 0x4567_8005],
  ["CMDQ_BASE (high)", R.CMDQ_BASE + 4, "cr0", CMDQEN, 0x1234],
  ["CMDQ_CONS", R.CMDQ_CONS, "cr0", CMDQEN, 3],
  ["EVENTQ_BASE", R.EVENTQ_BASE, "cr0", EVENTQEN, 0x4567_8005],
  ["EVENTQ_BASE (high)", R.EVENTQ_BASE + 4, "cr0", EVENTQEN, 0x1234],
  ["EVENTQ_PROD", R.EVENTQ_PROD, "cr0", EVENTQEN, 0x8000_0003],
  ["GERROR_IRQ_CFG0", R.GERROR_IRQ_CFG0, "irq", GERROR_IRQEN, 0x4567_8004],
  ["GERROR_IRQ_CFG1", R.GERROR_IRQ_CFG1, "irq", GERROR_IRQEN, 0x1234_5678],
  ["GERROR_IRQ_CFG2", R.GERROR_IRQ_CFG2, "irq", GERROR_IRQEN, 0x3f],
  ["EVENTQ_IRQ_CFG0", R.EVENTQ_IRQ_CFG0, "irq", EVENTQ_IRQEN, 0x4567_8004],
  ["EVENTQ_IRQ_CFG1", R.EVENTQ_IRQ_CFG1, "irq", EVENTQ_IRQEN, 0x1234_5678],
  ["EVENTQ_IRQ_CFG2", R.EVENTQ_IRQ_CFG2, "irq", EVENTQ_IRQEN, 0x3f],
];

describe("guards", () => {
  test.each(GUARDED)("%s is written only while its enable is 0", async (_, at, by, bit, value) => {
    const rig = await Rig.bare();
    const control = by === "cr0" ? R.CR0 : R.IRQ_CTRL;
    // An empty command queue: nothing is fetched.
    if (at === R.CMDQ_CONS) rig.write(R.CMDQ_PROD, value);
    rig.write(at, value);
    expect(rig.read(at)).toBe(value);
    rig.write(control, bit);
    rig.write(at, 0);
    rig.smmu.writeRegister(at & ~7, 0n, 8);
    expect(rig.read(at)).toBe(value);
    // The other enables do not guard it.
    rig.write(R.CMDQ_PROD, 0);
    rig.write(control, (by === "cr0" ? SMMUEN | CMDQEN | EVENTQEN : 5) & ~bit);
    rig.write(at, 0);
    expect(rig.read(at)).toBe(0);
  });

  test("CR1: tables by SMMUEN, queues by any queue enable", async () => {
    const rig = await Rig.bare();
    const TABLES = 0xfc0;
    const QUEUES = 0x3f;
    rig.write(R.CR1, ONES);
    expect(rig.read(R.CR1)).toBe(TABLES | QUEUES);
    for (const [cr0, kept] of [
      [SMMUEN, TABLES],
      [CMDQEN, QUEUES],
      [EVENTQEN, QUEUES],
      [SMMUEN | CMDQEN, TABLES | QUEUES],
    ]) {
      rig.write(R.CR0, 0);
      rig.write(R.CR1, ONES);
      rig.write(R.CR0, cr0);
      rig.write(R.CR1, 0);
      expect(rig.read(R.CR1)).toBe(kept);
    }
  });

  test("PROD of commands and CONS of events are always written", async () => {
    const rig = await Rig.ready({ cmdqAt: HOLE });
    rig.write(R.CMDQ_PROD, 5);
    expect(rig.read(R.CMDQ_PROD)).toBe(5);
    rig.write(R.EVENTQ_CONS, 0x8000_0007);
    expect(rig.read(R.EVENTQ_CONS)).toBe(0x8000_0007);
  });

  test("interrupt configuration is RES0 without MSIs", async () => {
    const rig = await Rig.bare({ id: QEMU_ID });
    for (const base of [R.GERROR_IRQ_CFG0, R.EVENTQ_IRQ_CFG0]) {
      for (let at = base; at < base + 16; at += 4) {
        rig.write(at, ONES);
        expect(rig.read(at)).toBe(0);
      }
    }
  });
});

describe("accesses", () => {
  test("64-bit registers take one access or two halves in any order", async () => {
    const rig = await Rig.bare();
    const value = 0x4012_3456_789a_bc00n;
    rig.smmu.writeRegister(R.STRTAB_BASE, value, 8);
    expect(rig.smmu.readRegister(R.STRTAB_BASE, 8)).toBe(0x4012_3456_789a_bc00n);
    rig.write(R.STRTAB_BASE + 4, 0x0000_0001);
    rig.write(R.STRTAB_BASE, 0x4000_0040);
    expect(rig.smmu.readRegister(R.STRTAB_BASE, 8)).toBe(0x1_4000_0040n);
    expect(rig.read(R.STRTAB_BASE)).toBe(0x4000_0040);
    expect(rig.read(R.STRTAB_BASE + 4)).toBe(1);
  });

  test("reserved bits of bases, and bits above the address, are not kept", async () => {
    const rig = await Rig.bare();
    rig.smmu.writeRegister(R.STRTAB_BASE, (1n << 64n) - 1n, 8);
    expect(rig.smmu.readRegister(R.STRTAB_BASE, 8)).toBe(0x40ff_ffff_ffff_ffc0n);
    rig.smmu.writeRegister(R.CMDQ_BASE, (1n << 64n) - 1n, 8);
    expect(rig.smmu.readRegister(R.CMDQ_BASE, 8)).toBe(0x40ff_ffff_ffff_ffffn);
    rig.smmu.writeRegister(R.EVENTQ_BASE, (1n << 64n) - 1n, 8);
    expect(rig.smmu.readRegister(R.EVENTQ_BASE, 8)).toBe(0x40ff_ffff_ffff_ffffn);
    rig.smmu.writeRegister(R.GERROR_IRQ_CFG0, (1n << 64n) - 1n, 8);
    expect(rig.smmu.readRegister(R.GERROR_IRQ_CFG0, 8)).toBe(0x00ff_ffff_ffff_fffcn);
  });

  test("misaligned and odd-sized accesses change nothing", async () => {
    const rig = await Rig.bare();
    rig.write(R.CMDQ_BASE, 0x1000);
    for (const size of [1, 2, 3, 16]) {
      rig.smmu.engine.mmioWrite(R.CMDQ_BASE, size, -1n);
      expect(rig.smmu.engine.mmioRead(R.CMDQ_BASE, size)).toBe(0n);
    }
    for (const at of [R.CMDQ_BASE + 1, R.CMDQ_BASE + 2, R.CMDQ_BASE + 3]) {
      rig.write(at, ONES);
      rig.smmu.writeRegister(at, (1n << 64n) - 1n, 8);
      expect(rig.read(at)).toBe(0);
    }
    rig.smmu.writeRegister(R.CMDQ_BASE + 4, (1n << 64n) - 1n, 8);
    expect(rig.smmu.readRegister(R.CMDQ_BASE, 8)).toBe(0x1000n);
  });

  test("undefined offsets are RES0", async () => {
    const rig = await Rig.bare();
    for (const at of [
      0x30, 0x78, 0x100, 0x180, 0xdc, 0x200, 0x800, 0xe00, 0x1000, 0x4000, 0x8000, 0xffc0,
    ]) {
      rig.write(at, ONES);
      expect(rig.read(at), `0x${at.toString(16)}`).toBe(0);
    }
  });
});

describe("GBPA", () => {
  test("only a write with Update=1 counts, and Update reads 0 afterwards", async () => {
    const rig = await Rig.bare();
    const before = rig.read(R.GBPA);
    rig.write(R.GBPA, 0x0010_0000);
    expect(rig.read(R.GBPA)).toBe(before);
    rig.write(R.GBPA, 0x8010_0000);
    expect(rig.read(R.GBPA)).toBe(0x0010_0000);
    rig.write(R.GBPA, ONES);
    expect(rig.read(R.GBPA)).toBe(0x001f_3f1f);
  });

  test("decides what happens while SMMUEN is 0", async () => {
    const rig = await Rig.bare();
    const iova = RAM + 0x1234n;
    rig.write(R.CR0, EVENTQEN);
    expect(rig.smmu.translate({ sid: 9, ssid: 3, iova })).toMatchObject({
      status: "bypass",
      pa: iova,
    });
    // Beyond OAS, and with ABORT: an abort without an event.
    expect(rig.smmu.translate({ sid: 9, iova: 1n << 48n }).status).toBe("abort");
    rig.write(R.GBPA, 0x8010_0000);
    expect(rig.smmu.translate({ sid: 9, iova })).toMatchObject({ status: "abort", fetches: 0 });
    expect(rig.read(R.EVENTQ_PROD)).toBe(0);
    // Enabled, the stream table decides.
    rig.enable();
    expect(rig.smmu.translate({ sid: 9, iova }).event?.name).toBe("C_BAD_STE");
  });

  test("overrides memory type and shareability", async () => {
    const rig = await Rig.bare();
    rig.write(R.GBPA, 0x8000_0000 | (1 << 4) | 0x5 | (2 << 12));
    const { attributes } = rig.smmu.translate({ sid: 0, iova: 0n });
    // MemAttr 0101 is Normal, inner and outer non-cacheable: outer shareable whatever SHCFG says.
    expect(attributes).toEqual({ memAttr: 0x44, shareability: 2 });
  });
});
