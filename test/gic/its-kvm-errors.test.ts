// The errors of KVM's ITS: registers that userspace may not set, tables that cannot be saved or
// read back; and what MOVALL does where a pending table is not there.
import { describe, expect, it } from "vitest";
import { COLLECTIONS, cmd, DEVICES, HOLE, INDIRECT, ITT, PENDING, Rig, VALID } from "./rig.ts";

const kvm = { model: "kvm" as const };
const EFAULT = -14;
const ENOMEM = -12;
const EEXIST = -17;
const EINVAL = -22;
/** Reads as zeros. */
const ZEROS = 0x60000000n;

const dte = (itt: bigint, bits = 5n, next = 0n) =>
  VALID | (next << 49n) | ((itt >> 8n) << 5n) | (bits - 1n);
const cte = (icid: bigint, target = 0n) => VALID | (target << 16n) | icid;
const ite = (lpi: bigint, icid = 0n, next = 0n) => (next << 48n) | (lpi << 16n) | icid;

/** A rig with tables in place, not enabled, with one redistributor. */
async function stopped(options = {}): Promise<Rig> {
  const rig = await Rig.bare({ ...kvm, ...options });
  rig.redist(0);
  rig.its.setRegister("BASER0", VALID | DEVICES);
  rig.its.setRegister("BASER1", VALID | COLLECTIONS);
  return rig;
}

describe("GITS_CREADR from userspace", () => {
  const restore = (rig: Rig, value: bigint) =>
    rig.its.restoreRegisters(new Map([["CREADR", value]]));

  it("is refused while the ITS is enabled", async () => {
    const rig = await Rig.ready(kvm);
    expect(() => restore(rig, 0n)).toThrow("GITS_CREADR: -16");
  });

  it("is refused beyond the queue, and taken within", async () => {
    const rig = await stopped();
    rig.its.setRegister("CBASER", VALID | 0x40000000n);
    expect(() => restore(rig, 0x1000n)).toThrow("GITS_CREADR: -22");
    restore(rig, 0xfe0n);
    expect(rig.its.register("CREADR")).toBe(0xfe0n);
  });
});

describe("tables that cannot be saved", () => {
  const saved = async (change: (rig: Rig) => void): Promise<number> => {
    const rig = await Rig.ready(kvm);
    rig.map.mapZero(ZEROS, 0x20000n);
    change(rig);
    return rig.its.saveTables();
  };

  it.each<[string, (rig: Rig) => void, number]>([
    [
      "an ITT that is not there",
      (r) => r.run(cmd.mapd(8, 5, HOLE), cmd.mapti(8, 1, 8200, 0)),
      EFAULT,
    ],
    ["a device table that is not there", (r) => moveTable(r, "BASER0", HOLE), EINVAL],
    ["a device beyond the table", (r) => moveTable(r, "BASER0", INDIRECT | ZEROS), EINVAL],
    ["a collection table that is not there", (r) => moveTable(r, "BASER1", HOLE), EFAULT],
  ])("%s", async (_name, change, error) => {
    expect(await saved(change)).toBe(error);
  });

  it("without a table there is nothing to save", async () => {
    const rig = await stopped();
    for (const table of ["BASER0", "BASER1"]) rig.its.setRegister(table, 0n);
    expect(rig.its.saveTables()).toBe(0);
    expect(rig.its.restoreTables()).toBe(0);
  });
});

/** Points a table elsewhere; what is mapped stays, for the register stays valid. */
function moveTable(rig: Rig, name: string, table: bigint): void {
  rig.its.setRegister("CTLR", 0);
  rig.its.setRegister(name, VALID | table);
}

describe("collections that cannot be read back", () => {
  const restored = async (...entries: bigint[]): Promise<number> => {
    const rig = await stopped();
    entries.forEach((entry, i) => {
      rig.map.writeU64(COLLECTIONS + BigInt(i * 8), entry);
    });
    return rig.its.restoreTables();
  };

  it("of a redistributor that is not there", async () => {
    expect(await restored(cte(0n, 5n))).toBe(EINVAL);
    expect(await restored(cte(0n, 0xffffffffn))).toBe(0);
  });

  it("named twice, or with a number that the table cannot hold", async () => {
    expect(await restored(cte(3n), cte(3n))).toBe(EEXIST);
    expect(await restored(cte(0x2000n))).toBe(EINVAL);
  });

  it("in a table that is not there, or that never ends", async () => {
    const rig = await stopped();
    rig.its.setRegister("BASER1", VALID | HOLE);
    expect(rig.its.restoreTables()).toBe(EFAULT);
    const full = Array.from({ length: 8192 }, (_, i) => cte(BigInt(i)));
    expect(await restored(...full)).toBe(0);
  });
});

describe("devices that cannot be read back", () => {
  const collection = (rig: Rig) => rig.map.writeU64(COLLECTIONS, cte(0n));

  it("when the LPI's pending bit cannot be read", async () => {
    const rig = await stopped();
    rig.redist(0, { pendbaser: HOLE });
    collection(rig);
    rig.map.writeU64(DEVICES, dte(ITT));
    rig.map.writeU64(ITT, ite(8192n));
    expect(rig.its.restoreTables()).toBe(EFAULT);
  });

  it("when there is no room for another event; the device is gone then", async () => {
    const rig = await stopped({ events: 1 });
    collection(rig);
    rig.map.writeU64(DEVICES, dte(ITT));
    rig.map.writeU64(ITT, ite(8192n, 0n, 1n));
    rig.map.writeU64(ITT + 8n, ite(8193n));
    expect(rig.its.restoreTables()).toBe(ENOMEM);
    rig.its.setRegister("CBASER", VALID | 0x40000000n);
    rig.its.setRegister("CTLR", 1);
    expect(rig.its.deliver(0, 0).status).toBe("DEVICE_UNMAPPED");
  });

  it("in a table that is not there, at either level", async () => {
    const rig = await stopped();
    rig.its.setRegister("BASER0", VALID | HOLE);
    expect(rig.its.restoreTables()).toBe(EFAULT);
    rig.its.setRegister("BASER0", VALID | INDIRECT | HOLE);
    expect(rig.its.restoreTables()).toBe(EFAULT);
    rig.its.setRegister("BASER0", VALID | INDIRECT | DEVICES);
    rig.map.writeU64(DEVICES, VALID | HOLE);
    expect(rig.its.restoreTables()).toBe(EFAULT);
  });

  it("and none of a two-level table without pages", async () => {
    const rig = await stopped();
    rig.its.setRegister("BASER0", VALID | INDIRECT | DEVICES);
    expect(rig.its.restoreTables()).toBe(0);
  });

  it("and those that can, of a second page of a two-level table", async () => {
    const rig = await stopped();
    collection(rig);
    rig.its.setRegister("BASER0", VALID | INDIRECT | DEVICES);
    rig.map.writeU64(DEVICES + 8n, VALID | PENDING[1]);
    rig.map.writeU64(PENDING[1] + 8n, dte(ITT));
    rig.map.writeU64(ITT, ite(8192n));
    expect(rig.its.restoreTables()).toBe(0);
    rig.its.setRegister("CBASER", VALID | 0x40000000n);
    rig.its.setRegister("CTLR", 1);
    expect(rig.its.deliver(0x2001, 0).lpi).toBe(8192);
  });
});

describe("MOVALL", () => {
  /** MOVALL with the pending tables of redistributors 0 and 1 at these places. */
  const moveAll = async (from: bigint, to: bigint, pending = 0xffn) => {
    const rig = await Rig.ready({});
    rig.map.writeU64(PENDING[0] + 1024n, pending);
    rig.redist(0, { pendbaser: from });
    rig.redist(1, { pendbaser: to });
    return rig.run(cmd.movall(0, 1))[0].status;
  };

  it.each<[string, bigint, bigint]>([
    ["the source is not there", HOLE, PENDING[1]],
    ["the target is not there", PENDING[0], HOLE],
  ])("is a fault when %s", async (_name, from, to) => {
    expect(await moveAll(from, to)).toBe("PENDING_FAULT");
  });

  it("does not look at the target when nothing is pending", async () => {
    expect(await moveAll(PENDING[0], HOLE, 0n)).toBe("OK");
  });
});
