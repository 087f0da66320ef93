// Real configuration spaces: lists, BARs, MSI, MSI-X, and the guest's writes replayed.
import { describe, expect, it } from "vitest";
import { plugByBusNumber, requesterIdOfFunction } from "../../src/pci/bus.ts";
import { PciFunction } from "../../src/pci/function.ts";
import { msixTableOf } from "../../src/pci/msix.ts";
import { captureNames, readRawManifest, readReplay } from "../gic/capture.ts";

interface RawFunction {
  bdf: string;
  requester_id: number;
  config_hex: string;
  ext_config_hex_0x100?: string;
  header: number;
  bars: [number, number, 32 | 64 | "io"][];
  caps: [number, number][];
  msi?: { cap: number; enabled: number; n: number; addr: number; data: number };
  msix?: {
    n: number;
    enabled: number;
    masked: number;
    table_addr: number;
    raw_hex: string;
    cap: number;
    control: number;
    entries: { addr: number; data: number; ctrl: number }[];
  };
}

const bytes = (hex: string | undefined) =>
  hex === undefined ? undefined : Buffer.from(hex, "hex");

const functionsOf = (name: string): RawFunction[] => readRawManifest(name).pci;

/** The function as it is at the stop, or with its MSI-X table as after reset. */
const build = (raw: RawFunction, table: "now" | "reset" = "now"): PciFunction =>
  new PciFunction({
    bdf: raw.bdf,
    config: Buffer.from(raw.config_hex, "hex"),
    extended: bytes(raw.ext_config_hex_0x100),
    msixTable: table === "now" ? bytes(raw.msix?.raw_hex) : undefined,
  });

describe.each(captureNames)("functions of %s", (name) => {
  const raws = functionsOf(name);

  it("have the recorded capabilities and base addresses", () => {
    for (const raw of raws) {
      const fn = build(raw);
      expect(fn.config.capabilities().map((c) => [c.offset, c.id])).toEqual(raw.caps);
      const kinds = { io: "io", 32: "memory32", 64: "memory64" } as const;
      expect(fn.bars).toEqual(
        raw.bars.map(([index, address, kind]) => ({
          index,
          kind: kinds[kind],
          address: BigInt(address),
        })),
      );
      expect(fn.isBridge).toBe(raw.header === 1);
    }
    expect(raws.length).toBeGreaterThan(1);
  });

  it("have the recorded MSI-X vectors", () => {
    for (const raw of raws) {
      const { msix } = build(raw);
      expect(msix === undefined).toBe(raw.msix === undefined);
      if (msix === undefined || raw.msix === undefined) continue;
      expect([msix.vectorCount, msix.enabled, msix.tableAddress]).toEqual([
        raw.msix.n,
        raw.msix.enabled === 1,
        BigInt(raw.msix.table_addr),
      ]);
      raw.msix.entries.forEach(({ addr, data, ctrl }, vector) => {
        expect(msix.message(vector)).toEqual({ address: BigInt(addr), data });
        expect(msix.isVectorMasked(vector)).toBe(ctrl % 2 === 1);
      });
      const vectors = raw.msix.entries.map(({ addr, data, ctrl }) => ({
        address: BigInt(addr),
        data,
        masked: ctrl % 2 === 1,
      }));
      expect(Buffer.from(msixTableOf(vectors)).toString("hex")).toBe(raw.msix.raw_hex);
    }
  });

  it("have the recorded MSI messages", () => {
    for (const raw of raws) {
      const { msi } = build(raw);
      expect(msi === undefined).toBe(raw.msi === undefined);
      if (msi === undefined || raw.msi === undefined) continue;
      expect([msi.offset, msi.enabled, msi.vectorCount]).toEqual([
        raw.msi.cap,
        raw.msi.enabled === 1,
        raw.msi.n,
      ]);
      expect(msi.message(0)).toEqual({ address: BigInt(raw.msi.addr), data: raw.msi.data });
    }
  });

  it("have the recorded requester IDs in the tree of buses", () => {
    const functions = raws.map((raw) => build(raw));
    const roots = plugByBusNumber(functions);
    expect(functions.map(requesterIdOfFunction)).toEqual(raws.map((raw) => raw.requester_id));
    expect(functions.map((fn) => fn.bdf)).toEqual(raws.map((raw) => raw.bdf));
    expect(roots[0].number).toBe(0);
  });
});

interface TableWrite {
  op: "msixw";
  a: number;
  v: number;
  s: number;
  n: string;
}

interface TextLine {
  op: "pcw" | "msixc";
  t: string;
}

const CONFIG_WRITE = /^\S+ (\S+) @0x(\w+) <- 0x(\w+)$/;

describe.each(captureNames)("the guest of %s", (name) => {
  const raws = functionsOf(name);
  const lines = readReplay<TableWrite | TextLine>(name, ["msixw", "pcw", "msixc"]);

  it("programs the MSI-X tables to what they are at the stop", () => {
    const fns = raws.filter((raw) => raw.msix !== undefined).map((raw) => build(raw, "reset"));
    for (const line of lines) {
      if (line.op !== "msixw") continue;
      for (const { msix } of fns) {
        const offset = line.a - Number(msix?.tableAddress);
        if (msix && offset >= 0 && offset < msix.vectorCount * 16)
          msix.writeTable(offset, line.s, BigInt(line.v));
      }
    }
    const tables = fns.map((fn) => Buffer.from(fn.msix?.tableBytes ?? []).toString("hex"));
    expect(tables).toEqual(raws.flatMap((raw) => raw.msix?.raw_hex ?? []));
  });

  it("switches MSI-X as recorded", () => {
    const fns = new Map(raws.map((raw) => [raw.bdf.slice(5), build(raw)]));
    let last: PciFunction | undefined;
    let checked = 0;
    for (const line of lines) {
      if (line.op === "pcw") {
        const [, bdf, offset, value] = CONFIG_WRITE.exec(line.t) ?? [];
        const fn = fns.get(bdf);
        if (fn?.msix === undefined || Number.parseInt(offset, 16) !== fn.msix.offset + 2) continue;
        fn.writeConfig(fn.msix.offset + 2, 2, Number.parseInt(value, 16));
        last = fn;
      } else if (line.op === "msixc" && last?.msix !== undefined) {
        const masked = last.config.read(last.msix.offset + 2, 2) >= 0xc000;
        const want = `enabled ${last.msix.enabled ? 1 : 0} masked ${masked ? 1 : 0}`;
        expect(line.t.endsWith(want), `${line.t} after ${last.bdf}: ${want}`).toBe(true);
        checked++;
      }
    }
    for (const raw of raws)
      if (raw.msix)
        expect(fns.get(raw.bdf.slice(5))?.config.read(raw.msix.cap + 2, 2)).toBe(raw.msix.control);
    expect(checked).toBe(lines.filter((line) => line.op === "msixc").length);
  });
});
