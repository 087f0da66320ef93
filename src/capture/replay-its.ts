// Checks the ITS: recorded commands run from empty tables, then messages give the recorded LPIs.

import { AddressMap, type HostMemory } from "../engine/memory.ts";
import type { Compat } from "../engine/types.ts";
import type { Delivery } from "../gic/delivery.ts";
import { Its, processorNumber } from "../gic/its.ts";
import { ITS_CMD } from "../spec/its-command.ts";
import { GICR_PENDBASER, GICR_PROPBASER, GITS_CBASER, GITS_CREADR } from "../spec/its-register.ts";
import { getField, wordsOf } from "../spec/word.ts";
import { bytesFromHex } from "./field.ts";
import type { MemoryImage } from "./image.ts";
import { itsEntryAddress, itsTable } from "./its-tables.ts";
import type { ItsState, Manifest, RedistributorState } from "./manifest.ts";
import { ReplayMemory } from "./replay-memory.ts";
import type { ItsOp, MsiOp } from "./replay-ops.ts";
import type { ReportBuilder } from "./replay-report.ts";

const COMMAND_BYTES = 32;
const QUEUE_PAGE_BYTES = 4096;
const ITE_BYTES = 12;
const FIRST_LPI = 8192;

/** Programs an ITS's redistributors as the manifest has them. */
export function restoreRedistributors(its: Its, redistributors: RedistributorState[]): void {
  for (const { regs } of redistributors) {
    const typer = regs.get("TYPER") ?? 0n;
    its.setRedistributor(processorNumber(typer), {
      typer,
      propbaser: regs.get("PROPBASER") ?? 0n,
      pendbaser: regs.get("PENDBASER") ?? 0n,
      ctlr: Number(regs.get("CTLR") ?? 0n),
    });
  }
}

/** Feeds the ITS of a replay. */
export class ItsChecker {
  readonly #its: Its;
  readonly #state: ItsState;
  readonly #memory: ReplayMemory;
  readonly #manifest: Manifest;
  readonly #report: ReportBuilder;
  readonly #file: string;

  private constructor(
    its: Its,
    state: ItsState,
    memory: ReplayMemory,
    context: { manifest: Manifest; report: ReportBuilder; file: string },
  ) {
    this.#its = its;
    this.#state = state;
    this.#memory = memory;
    this.#manifest = context.manifest;
    this.#report = context.report;
    this.#file = context.file;
  }

  /**
   * An ITS before its first command. Its own memory starts empty, but for the level 1 tables: the
   * guest's CPUs write those, and the lists do not say when.
   */
  static async create(
    host: HostMemory,
    image: MemoryImage,
    compat: Compat,
    context: { manifest: Manifest; report: ReportBuilder; file: string },
  ): Promise<ItsChecker | undefined> {
    const { manifest } = context;
    const state = manifest.its;
    if (!state) return undefined;
    const memory = new ReplayMemory(new AddressMap(host), host.memory, manifest.ram);
    for (const type of ["DEVICE", "COLLECTION"] as const) {
      const table = itsTable(state.regs, type);
      if (!table?.indirect) continue;
      for (let at = 0; at < table.bytes; at += QUEUE_PAGE_BYTES) {
        const page = image.page(BigInt(table.base + at));
        if (page) memory.writeBytes(table.base + at, page);
      }
    }
    const its = await Its.create(host, memory.map, { base: state.base, model: "qemu", compat });
    const regs = new Map(state.regs);
    regs.set("CREADR", 0n);
    regs.set("CWRITER", 0n);
    its.restoreRegisters(regs);
    restoreRedistributors(its, manifest.redistributors);
    return new ItsChecker(its, state, memory, context);
  }

  /** An `its` line: the command goes into the queue and is run. */
  command(op: ItsOp, line: number): void {
    const name = ITS_CMD.caseOf(op.c)?.name ?? `opcode ${op.c}`;
    const differs = this.#run(op, name);
    if (differs === undefined) {
      this.#report.match("its");
      return;
    }
    const [expected, got] = differs;
    const what = `${name} at entry ${op.i}`;
    this.#report.mismatch({ kind: "its", file: this.#file, line, what, expected, got });
  }

  /** Runs a command; [expected, got] when something is not as recorded. */
  #run(op: ItsOp, name: string): [string, string] | undefined {
    const raw = bytesFromHex(op.raw);
    const cbaser = [this.#its.register("CBASER")];
    const pages = Number(getField(GITS_CBASER, cbaser, "Size")) + 1;
    const entries = (pages * QUEUE_PAGE_BYTES) / COMMAND_BYTES;
    const offset = getField(GITS_CREADR, [this.#its.register("CREADR")], "Offset");
    const at = Number(offset) / COMMAND_BYTES;
    if (at !== op.i % entries) return [`entry ${op.i}`, `CREADR at entry ${at}`];
    this.#makeRoom(op.c, wordsOf(raw));
    const base = Number(getField(GITS_CBASER, cbaser, "Physical_Address"));
    this.#memory.writeBytes(base + COMMAND_BYTES * at, raw);
    this.#its.setRegister("CWRITER", ((at + 1) % entries) * COMMAND_BYTES);
    const { outcomes } = this.#its.takeOutcomes();
    if (outcomes.length !== 1) return ["one command", `${outcomes.length} commands`];
    const [outcome] = outcomes;
    if (outcome.opcode !== op.c) return [name, outcome.name ?? `opcode ${outcome.opcode}`];
    return outcome.status === "OK" ? undefined : ["done", `${outcome.status}: ${outcome.reason}`];
  }

  /** An `msi` line: the message must become the recorded LPI. */
  message(op: MsiOp, line: number): void {
    if (op.lpi >= FIRST_LPI) this.#lpiRoom(op.lpi);
    const got = this.#its.deliver(op.dev, op.data);
    const expected = op.v === 1 ? describe(op.lpi, op.icid, op.rd, op.ev_) : "no interrupt";
    const found = describeDelivery(got);
    if (expected === found) {
      this.#report.match("msi");
      return;
    }
    const what = `DeviceID ${op.dev} data ${op.data}`;
    this.#report.mismatch({ kind: "msi", file: this.#file, line, what, expected, got: found });
  }

  /** Makes the pages that a command's entries lie in exist. */
  #makeRoom(opcode: number, words: bigint[]): void {
    const name = ITS_CMD.caseOf(opcode)?.name;
    const number = (field: keyof typeof ITS_CMD.field) => Number(getField(ITS_CMD, words, field));
    const read = (pa: bigint) => this.#memory.read(pa);
    const entry = (type: "DEVICE" | "COLLECTION", id: number) => {
      const table = itsTable(this.#state.regs, type);
      const at = table && itsEntryAddress(table, id, read);
      if (at !== undefined) this.#memory.ensure(at);
    };
    if (name === "ITS_MAPC") entry("COLLECTION", number("ICID"));
    if (name !== "ITS_MAPD") return;
    entry("DEVICE", number("DeviceID"));
    const itt = number("MAPD.ITT_addr");
    const bytes = ITE_BYTES * 2 ** (number("MAPD.Size") + 1);
    for (let at = itt; at < itt + bytes; at += 4096 - (at % 4096)) this.#memory.ensure(at);
  }

  /** Configuration and pending tables of an LPI: RAM that no list describes. */
  #lpiRoom(lpi: number): void {
    for (const { regs } of this.#manifest.redistributors) {
      const prop = getField(GICR_PROPBASER, [regs.get("PROPBASER") ?? 0n], "Physical_Address");
      const pend = getField(GICR_PENDBASER, [regs.get("PENDBASER") ?? 0n], "Physical_Address");
      this.#memory.ensure(Number(prop) + lpi - FIRST_LPI);
      this.#memory.ensure(Number(pend) + Math.floor(lpi / 8));
    }
  }
}

/** A delivery in the words of the ground truth. */
export function describeDelivery(d: Delivery): string {
  if (d.lpi === undefined || d.icid === undefined || d.rdbase === undefined) {
    return d.outcome === "lost" ? "no interrupt" : `${d.outcome}: ${d.reason}`;
  }
  return describe(d.lpi, d.icid, d.rdbase, d.eventId);
}

function describe(lpi: number, icid: number, rdbase: number, eventId: number): string {
  return `EventID ${eventId} LPI ${lpi} collection ${icid} redistributor ${rdbase}`;
}
