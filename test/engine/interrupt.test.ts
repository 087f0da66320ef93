// Interrupts: wired edges, the SMMU's own MSIs, CMD_SYNC's signals, GERROR (IHI0070 3.18, 4.7.3,
// 6.3.19).
import { describe, expect, test } from "vitest";
import { QEMU_ID } from "../../src/engine/identity.ts";
import { command } from "../../src/tables/command.ts";
import { CMDQ_ERR, HOLE, idWith, R, RAM, Rig, type RigOptions } from "./rig.ts";

const GERROR_IRQEN = 1;
const EVENTQ_IRQEN = 4;
const MSI_CMDQ_ABT_ERR = 0x10;
const MSI_EVENTQ_ABT_ERR = 0x20;
const MSI_GERROR_ABT_ERR = 0x80;
const BAD = new Uint8Array(16).fill(0xff);
/** A word of RAM for an MSI to land in. */
const WORD = RAM + 0x50_0000n;
const DATA = 0x1234_5678;
const NOTHING = { eventq: false, priq: false, cmdSync: false, gerror: false, sev: false, msis: [] };

const fault = (rig: Rig, sid = 1) => rig.smmu.translate({ sid, iova: 0n });

const syncWith = (fields: { CS: number; address?: bigint; data?: number }): Uint8Array =>
  command("CMD_SYNC", {
    "SYNC.CS": fields.CS,
    "SYNC.MSIAddress": fields.address ?? 0n,
    "SYNC.MSIData": fields.data ?? DATA,
  });

/** An SMMU whose event queue or GERROR interrupt is an MSI to `address`. */
async function withMsi(
  cfg0: number,
  address: bigint,
  enable: number,
  options: RigOptions = {},
): Promise<Rig> {
  const rig = await Rig.ready(options);
  rig.smmu.writeRegister(cfg0, address, 8);
  rig.write(cfg0 + 8, DATA);
  rig.write(R.IRQ_CTRL, enable);
  return rig;
}

describe("the event queue", () => {
  test("raises an edge when it stops being empty, and only then", async () => {
    const rig = await Rig.ready();
    rig.write(R.IRQ_CTRL, EVENTQ_IRQEN);
    fault(rig);
    expect(rig.smmu.takeInterrupts()).toEqual({ ...NOTHING, eventq: true });
    fault(rig);
    fault(rig);
    expect(rig.smmu.takeInterrupts()).toEqual(NOTHING);
    // Reading some of the records does not empty it.
    rig.write(R.EVENTQ_CONS, 2);
    fault(rig);
    expect(rig.smmu.takeInterrupts()).toEqual(NOTHING);
    rig.events();
    fault(rig);
    expect(rig.smmu.takeInterrupts().eventq).toBe(true);
  });

  test("raises nothing while its interrupt is disabled, nor later", async () => {
    const rig = await Rig.ready();
    rig.write(R.IRQ_CTRL, GERROR_IRQEN);
    fault(rig);
    rig.write(R.IRQ_CTRL, EVENTQ_IRQEN);
    fault(rig);
    expect(rig.smmu.takeInterrupts()).toEqual(NOTHING);
  });

  test("QEMU pulses for every record", async () => {
    const rig = await Rig.ready({ compat: "qemu" });
    rig.write(R.IRQ_CTRL, EVENTQ_IRQEN);
    for (let n = 0; n < 3; n++) {
      fault(rig);
      expect(rig.smmu.takeInterrupts()).toEqual({ ...NOTHING, eventq: true });
    }
  });

  test("writes its MSI into RAM, after the record", async () => {
    const rig = await withMsi(R.EVENTQ_IRQ_CFG0, WORD, EVENTQ_IRQEN);
    fault(rig, 6);
    expect(rig.map.readU32(WORD)).toBe(DATA);
    expect(rig.events().length).toBe(1);
    expect(rig.smmu.takeInterrupts().msis).toEqual([]);
  });

  test("leaves an MSI that no RAM takes to the owner of the bus", async () => {
    const rig = await withMsi(R.EVENTQ_IRQ_CFG0, HOLE, EVENTQ_IRQEN);
    fault(rig);
    const { msis } = rig.smmu.takeInterrupts();
    expect(msis).toEqual([{ address: HOLE, data: DATA, source: "eventq" }]);
    expect(rig.smmu.takeInterrupts().msis).toEqual([]);
    expect(rig.read(R.GERROR)).toBe(0);
    rig.smmu.abortMsi(msis[0]);
    expect(rig.read(R.GERROR)).toBe(MSI_EVENTQ_ABT_ERR);
  });

  test("an address of 0 sends no MSI: the edge is wired", async () => {
    const rig = await withMsi(R.EVENTQ_IRQ_CFG0, 0n, EVENTQ_IRQEN);
    fault(rig);
    expect(rig.smmu.takeInterrupts()).toEqual({ ...NOTHING, eventq: true });
  });

  test("address bits above OAS are dropped", async () => {
    const id = idWith({ IDR5: { OAS: 0 } });
    const rig = await withMsi(R.EVENTQ_IRQ_CFG0, WORD | (1n << 40n), EVENTQ_IRQEN, { id });
    fault(rig);
    expect(rig.map.readU32(WORD)).toBe(DATA);
  });
});

describe("GERROR", () => {
  test("raises an edge with each activation, if enabled", async () => {
    const rig = await Rig.ready();
    rig.submit(BAD);
    expect(rig.smmu.takeInterrupts()).toEqual(NOTHING);
    rig.write(R.IRQ_CTRL, GERROR_IRQEN);
    rig.write(R.GERRORN, CMDQ_ERR);
    expect(rig.smmu.takeInterrupts()).toEqual({ ...NOTHING, gerror: true });
    rig.write(R.GERRORN, 0);
    expect(rig.smmu.takeInterrupts()).toEqual({ ...NOTHING, gerror: true });
  });

  test("an error that is active already is lost", async () => {
    const rig = await Rig.ready();
    rig.write(R.IRQ_CTRL, GERROR_IRQEN);
    for (let n = 0; n < 2; n++) {
      rig.run(syncWith({ CS: 1, address: HOLE }));
      const { msis, gerror } = rig.smmu.takeInterrupts();
      expect(gerror).toBe(false);
      rig.smmu.abortMsi(msis[0]);
      expect(rig.read(R.GERROR)).toBe(MSI_CMDQ_ABT_ERR);
      expect(rig.smmu.takeInterrupts().gerror).toBe(n === 0);
    }
  });

  test("sends its MSI; an abort of it raises no further interrupt", async () => {
    const rig = await withMsi(R.GERROR_IRQ_CFG0, HOLE, GERROR_IRQEN);
    rig.submit(BAD);
    const { msis } = rig.smmu.takeInterrupts();
    expect(msis).toEqual([{ address: HOLE, data: DATA, source: "gerror" }]);
    rig.smmu.abortMsi(msis[0]);
    expect(rig.read(R.GERROR)).toBe(CMDQ_ERR | MSI_GERROR_ABT_ERR);
    expect(rig.smmu.takeInterrupts()).toEqual(NOTHING);
  });

  test("GERRORN is the software's: the SMMU never changes it", async () => {
    const rig = await Rig.ready();
    rig.write(R.GERRORN, 0);
    rig.submit(BAD);
    fault(rig);
    expect(rig.read(R.GERRORN)).toBe(0);
    rig.write(R.GERROR, 0xffff_ffff);
    expect(rig.read(R.GERROR)).toBe(CMDQ_ERR);
  });
});

describe("CMD_SYNC", () => {
  test("CS=0 signals nothing", async () => {
    const rig = await Rig.ready();
    rig.run(syncWith({ CS: 0, address: WORD }));
    expect(rig.smmu.takeInterrupts()).toEqual(NOTHING);
    expect(rig.map.readU32(WORD)).toBe(0);
  });

  test("CS=1 writes the MSI into RAM, its own queue slot included", async () => {
    const rig = await Rig.ready();
    rig.run(syncWith({ CS: 1, address: WORD, data: 0xffff_ffff }));
    expect(rig.map.readU32(WORD)).toBe(0xffff_ffff);
    expect(rig.smmu.takeInterrupts().msis).toEqual([]);
    // Linux lets the SMMU overwrite the command's first word with 0.
    const slot = rig.cmdqAt + 16n;
    rig.run(syncWith({ CS: 1, address: slot, data: 0 }));
    expect(rig.map.readU32(slot)).toBe(0);
  });

  test("CS=1 does not depend on IRQ_CTRL; address 0 and MSI=0 leave the wired edge", async () => {
    const rig = await Rig.ready();
    rig.run(syncWith({ CS: 1 }));
    expect(rig.smmu.takeInterrupts()).toEqual({ ...NOTHING, cmdSync: true });
    const wired = await Rig.ready({ id: QEMU_ID });
    wired.run(syncWith({ CS: 1, address: WORD }));
    expect(wired.smmu.takeInterrupts()).toEqual({ ...NOTHING, cmdSync: true });
    expect(wired.map.readU32(WORD)).toBe(0);
  });

  test("CS=2 sends an event where SEV exists", async () => {
    const rig = await Rig.ready();
    rig.run(syncWith({ CS: 2, address: WORD }));
    expect(rig.smmu.takeInterrupts()).toEqual({ ...NOTHING, sev: true });
    expect(rig.map.readU32(WORD)).toBe(0);
    const without = await Rig.ready({ id: idWith({ IDR0: { SEV: 0 } }) });
    without.run(syncWith({ CS: 2 }));
    expect(without.smmu.takeInterrupts()).toEqual(NOTHING);
  });

  test("MSIs that no RAM takes come out in order; beyond the outbox they abort", async () => {
    const rig = await Rig.ready({ cmdqLog2: 8 });
    const count = 70;
    rig.run(
      ...Array.from({ length: count }, (_, data) =>
        syncWith({ CS: 1, address: HOLE + BigInt(data * 4), data }),
      ),
    );
    const { msis } = rig.smmu.takeInterrupts();
    expect(msis.length).toBe(64);
    msis.forEach((msi, data) => {
      expect(msi).toEqual({ address: HOLE + BigInt(data * 4), data, source: "cmd-sync" });
    });
    expect(rig.read(R.GERROR)).toBe(MSI_CMDQ_ABT_ERR);
  });

  test("an MSI into memory that drops stores is taken", async () => {
    const rig = await Rig.ready();
    rig.map.mapZero(HOLE, 0x1000);
    rig.run(syncWith({ CS: 1, address: HOLE }));
    expect(rig.smmu.takeInterrupts().msis).toEqual([]);
    expect(rig.map.readU32(HOLE)).toBe(0);
  });
});
