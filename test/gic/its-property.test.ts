// Random ITS programs: registers, outcomes, messages and memory agree with the oracles.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AddressMap, HostMemory } from "../../src/engine/memory.ts";
import { Its } from "../../src/gic/its.ts";
import type { CommandOutcome } from "../../src/gic/outcome.ts";
import { type OracleEvent, OracleIts, type OracleRedist } from "../oracle/its.ts";
import { OracleKvmIts } from "../oracle/its-kvm.ts";
import { OracleMemory } from "../oracle/its-memory.ts";
import {
  type Action,
  CONFIG,
  PENDING,
  program,
  RAM,
  RAM_BYTES,
  type RedistState,
} from "./its-actions.ts";

const RUNS = 400;

/** The two sides: an ITS under test and an oracle, each over its own copy of the RAM. */
interface Sides {
  readonly its: Its;
  readonly ram: Uint8Array;
  readonly oracle: OracleIts | OracleKvmIts;
  readonly oracleRam: Uint8Array;
  readonly redists: OracleRedist[];
}

type Kind = "arch" | "qemu" | "kvm";

function programRedist(sides: Sides, rd: number, state: RedistState): void {
  // KVM keeps one PROPBASER for all redistributors.
  const all = sides.its.model === "kvm" ? sides.redists : [sides.redists[rd]];
  if (sides.oracle instanceof OracleKvmIts) sides.oracle.switchLpis(rd, state.lpis);
  else sides.redists[rd].lpis = state.lpis;
  sides.redists[rd].pendbaser = state.pending;
  for (const one of all) one.propbaser = state.config | BigInt(state.idBits);
  sides.redists.forEach((one, index) => {
    // PTZ: nothing of the pending table is taken when LPIs are switched on.
    const pendbaser = one.pendbaser | (1n << 62n);
    const typer = BigInt(index) << 8n;
    const { propbaser } = one;
    sides.its.setRedistributor(index, { typer, propbaser, pendbaser, ctlr: one.lpis ? 1 : 0 });
  });
}

async function makeSides(kind: Kind): Promise<Sides> {
  const memory = HostMemory.create();
  const map = new AddressMap(memory);
  const lin = map.mapRam(RAM, RAM_BYTES);
  const model = kind === "kvm" ? "kvm" : "qemu";
  const compat = kind === "qemu" ? "qemu" : "arch";
  const its = await Its.create(memory, map, { model, compat, events: 64 });
  const oracleMemory = new OracleMemory();
  const oracleRam = oracleMemory.add(RAM, RAM_BYTES);
  const redists = PENDING.map((pendbaser) => ({ propbaser: CONFIG | 15n, pendbaser, lpis: true }));
  const oracle =
    kind === "kvm"
      ? new OracleKvmIts(oracleMemory, redists)
      : new OracleIts(oracleMemory, redists, kind === "qemu");
  const sides = { its, ram: memory.bytes(lin, RAM_BYTES), oracle, oracleRam, redists };
  programRedist(sides, 0, { idBits: 15, lpis: true, config: CONFIG, pending: PENDING[0] });
  return sides;
}

function store(sides: Sides, at: bigint, value: bigint, bytes: number): void {
  for (const ram of [sides.ram, sides.oracleRam])
    for (let i = 0; i < bytes; i++)
      ram[Number(at - RAM) + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}

/** Puts commands where GITS_CWRITER points and tells both sides. */
function submit(sides: Sides, commands: readonly bigint[], retry: boolean): void {
  const cbaser = sides.its.register("CBASER");
  const bytes = ((cbaser & 0xffn) + 1n) * 4096n;
  const base = cbaser & 0xffffffffff000n;
  let at = sides.its.register("CWRITER") & 0xfffe0n;
  for (const command of commands) {
    const place = base + at;
    if (place >= RAM && place + 32n <= RAM + BigInt(RAM_BYTES)) store(sides, place, command, 32);
    at = (at + 32n) % bytes;
  }
  const value = at | (retry ? 1n : 0n);
  sides.its.setRegister("CWRITER", value);
  sides.oracle.writeCwriter(value);
}

const seen = (event: OracleEvent | undefined) =>
  event && [event.status, event.lpi, event.rdbase, event.config];

function deliver(sides: Sides, device: number, event: number): void {
  if (sides.oracle instanceof OracleKvmIts) {
    const cached = sides.its.deliverCached(device, event);
    const want = sides.oracle.deliverCached(device, event);
    expect(cached && [cached.status, cached.lpi, cached.rdbase, cached.config]).toEqual(seen(want));
  }
  const got = sides.its.deliver(device, event);
  const want = sides.oracle.deliver(device, event);
  expect(got.status).toBe(want.status);
  if (got.outcome === "lost") return;
  expect([got.status, got.lpi, got.rdbase, got.config]).toEqual(seen(want));
}

function perform(sides: Sides, action: Action): void {
  const { its, oracle } = sides;
  switch (action.do) {
    case "baser":
      its.setRegister(`BASER${action.index}`, action.value);
      oracle.writeBaser(action.index, action.value);
      break;
    case "cbaser":
      its.setRegister("CBASER", action.value);
      oracle.writeCbaser(action.value);
      break;
    case "ctlr":
      its.setRegister("CTLR", action.value);
      oracle.writeCtlr(action.value);
      break;
    case "cwriter":
      its.setRegister("CWRITER", action.value);
      oracle.writeCwriter(action.value);
      break;
    case "commands":
      submit(sides, action.commands, action.retry);
      break;
    case "deliver":
      deliver(sides, action.device, action.event);
      break;
    case "poke":
      store(sides, action.at, action.value, 8);
      break;
    case "redist":
      programRedist(sides, action.rd, action.redist);
  }
}

function compareRegisters({ its, oracle }: Sides): void {
  const read = ["CTLR", "CBASER", "CWRITER", "CREADR", "BASER0", "BASER1"].map((r) =>
    its.register(r),
  );
  const { cbaser, cwriter } = oracle;
  const want =
    oracle instanceof OracleKvmIts
      ? [oracle.ctlr, cbaser, cwriter, oracle.creadr, ...oracle.baser]
      : [
          oracle.register("CTLR"),
          cbaser,
          cwriter,
          oracle.register("CREADR"),
          ...oracle.baser.slice(0, 2),
        ];
  expect(read).toEqual(want);
}

/** Outcomes of a step: the status always, the mapping where the command names one and succeeds. */
function compareOutcomes({ its, oracle }: Sides): void {
  const { outcomes, lost } = its.takeOutcomes();
  const want = oracle.outcomes.splice(0).slice(-256);
  if (lost > 0) want.splice(0, want.length - outcomes.length);
  expect(outcomes.map((o) => `${o.name} ${o.status}`.replace(/^undefined /, ""))).toEqual(
    outcomes.map((o, i) => (o.name ? `${o.name} ${want[i]?.status}` : want[i]?.status)),
  );
  expect(outcomes.length).toBe(want.length);
  const mapped = (o: CommandOutcome) =>
    o.status === "OK" && /MAPTI|MAPI|INT|MOVI/.test(o.name ?? "");
  outcomes.forEach((o, i) => {
    if (!mapped(o)) return;
    if (want[i].lpi !== undefined) expect(o.lpi).toBe(want[i].lpi);
    if (want[i].icid !== undefined) expect(o.icid).toBe(want[i].icid);
    if (want[i].rdbase !== undefined) expect(o.rdbase).toBe(want[i].rdbase);
  });
}

const u32 = fc.nat(0xffffffff);
const mmio = fc.record({
  offset: fc.oneof(
    u32,
    fc.constantFrom(0, 4, 0x80, 0x84, 0x88, 0x8c, 0x90, 0x100, 0x138, 0xffe8, 0x10040),
  ),
  size: fc.constantFrom(0, 1, 2, 3, 4, 8, 16) as fc.Arbitrary<4>,
  value: fc.bigInt(0n, 2n ** 64n - 1n),
  device: u32,
  event: u32,
});

describe.each(["qemu", "kvm"] as const)("a hostile guest: %s", (kind) => {
  it("traps nothing with any access at any offset and size", async () => {
    const { its } = await makeSides(kind);
    fc.assert(
      fc.property(fc.array(mmio, { minLength: 1, maxLength: 50 }), (accesses) => {
        for (const { offset, size, value, device, event } of accesses) {
          its.writeRegister(offset, value, size);
          expect(its.readRegister(offset, size) >= 0n).toBe(true);
          its.deliver(device, event);
        }
      }),
      { numRuns: 200 },
    );
  });
});

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

describe.each<Kind>(["arch", "qemu", "kvm"])("ITS against its oracle: %s", (kind) => {
  it(`agrees on ${RUNS} random programs`, async () => {
    await fc.assert(
      fc.asyncProperty(program, async (actions) => {
        const sides = await makeSides(kind);
        for (const action of actions) {
          perform(sides, action);
          compareRegisters(sides);
          compareOutcomes(sides);
        }
        expect(sameBytes(sides.ram, sides.oracleRam)).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });
});
