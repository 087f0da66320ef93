// Real guests: every programmed vector, command and message gives what QEMU recorded.
import { describe, expect, it } from "vitest";
import { Its } from "../../src/gic/its.ts";
import {
  captureNames,
  loadMemory,
  programRedistributors,
  readManifest,
  readRawManifest,
  readReplay,
  restoreIts,
} from "./capture.ts";

const withIts = captureNames.filter((name) => readManifest(name).its !== null);

interface ItsLine {
  op: "its";
  i: number;
  c: number;
  raw: string;
}

interface MsiLine {
  op: "msi";
  dev: number;
  data: number;
  ev_: number;
  lpi: number;
  icid: number;
  rd: number;
  v: number;
}

describe.each(withIts)("%s at the stop", (name) => {
  it("reads back the registers", async () => {
    const { its } = await restoreIts(name);
    const { regs } = readManifest(name).its ?? { regs: new Map<string, bigint>() };
    const read = new Map(
      [...regs.keys()].filter((r) => r !== "PIDR2").map((r) => [r, its.register(r)]),
    );
    read.set("PIDR2", its.readRegister(0xffe8));
    expect(read).toEqual(regs);
  });

  it("delivers every programmed vector to the recorded LPI", async () => {
    const { its } = await restoreIts(name);
    const wanted = readManifest(name).msis.filter((msi) => msi.lpi !== undefined);
    const got = wanted.map((msi) => its.deliver(msi.deviceId, msi.data));
    expect(got.map((d) => [d.lpi, d.icid, d.rdbase, d.config])).toEqual(
      wanted.map((msi) => [msi.lpi, msi.icid, msi.rdbase, msi.lpiConfig]),
    );
    expect(got.map((d) => d.outcome)).toEqual(
      wanted.map((msi) => ((msi.lpiConfig ?? 0) % 2 === 1 ? "delivered" : "pending")),
    );
    expect(wanted.length).toBeGreaterThan(0);
  });
});

/** A page of zeroes for each table that commands write; what the guest's CPUs wrote stays. */
const REBUILT = ["its_dte", "its_itt", "its_cte", "its_cmdq", "lpi_pend"];
const PAGE = 4096n;

async function emptyIts(name: string, commands: readonly ItsLine[]) {
  const manifest = readManifest(name);
  const { memory, map } = loadMemory(name);
  for (const [at, bytes, kinds] of readRawManifest(name).image.chunks)
    if (kinds.every((kind: string) => REBUILT.includes(kind)))
      map.writeBytes(BigInt(at), new Uint8Array(bytes));
  for (const { c, raw } of commands) {
    if (c !== 8) continue;
    const page = (Buffer.from(raw, "hex").readBigUInt64LE(16) & 0xffffffffff000n) / PAGE;
    for (const at of [page * PAGE, (page + 1n) * PAGE]) if (map.lin(at) < 0) map.mapRam(at, PAGE);
  }
  const its = await Its.create(memory, map, { base: manifest.its?.base, compat: "qemu" });
  const regs = new Map(manifest.its?.regs);
  for (const reg of ["CWRITER", "CREADR"]) regs.set(reg, 0n);
  its.restoreRegisters(regs);
  programRedistributors(its, manifest);
  return { its, map };
}

describe.each(withIts)("%s replayed", (name) => {
  const lines = readReplay<ItsLine | MsiLine>(name, ["its", "msi"]);
  const commands = lines.filter((line): line is ItsLine => line.op === "its");

  it("runs every command and delivers every message as recorded", async () => {
    const { its, map } = await emptyIts(name, commands);
    const queue = its.register("CBASER") & 0xffffffffff000n;
    const messages: (number | undefined)[][] = [];
    for (const line of lines) {
      if (line.op === "msi") {
        const d = its.deliver(line.dev, line.data);
        messages.push([
          d.deviceId,
          d.eventId,
          d.lpi,
          d.icid,
          d.rdbase,
          d.outcome === "lost" ? 0 : 1,
        ]);
        continue;
      }
      map.writeBytes(queue + BigInt(line.i * 32), Buffer.from(line.raw, "hex"));
      its.setRegister("CWRITER", ((line.i + 1) * 32) % 65536);
      const { outcomes } = its.takeOutcomes();
      expect(outcomes.map((o) => [o.index, o.opcode, o.status])).toEqual([[line.i, line.c, "OK"]]);
    }
    const recorded = lines.filter((line): line is MsiLine => line.op === "msi");
    expect(messages).toEqual(recorded.map((m) => [m.dev, m.ev_, m.lpi, m.icid, m.rd, m.v]));
    expect(commands.length).toBeGreaterThan(0);
  });

  it("leaves the tables byte for byte as QEMU's", async () => {
    const { its, map } = await emptyIts(name, commands);
    const kept = loadMemory(name).map;
    const queue = its.register("CBASER") & 0xffffffffff000n;
    for (const { i, raw } of commands)
      map.writeBytes(queue + BigInt(i * 32), Buffer.from(raw, "hex"));
    its.setRegister("CWRITER", (commands.length * 32) % 65536);
    const { devices, tables } = readRawManifest(name).its;
    for (const { dte_addr, dte, itt, event_bits } of devices) {
      expect(map.readU64(BigInt(dte_addr))).toBe(BigInt(dte));
      const bytes = 12 * 2 ** event_bits;
      expect(map.readBytes(BigInt(itt), bytes)).toEqual(kept.readBytes(BigInt(itt), bytes));
    }
    const collections = BigInt(tables[1].addr);
    expect(map.readBytes(collections, 64)).toEqual(kept.readBytes(collections, 64));
    expect(devices.length).toBeGreaterThan(0);
  });
});
