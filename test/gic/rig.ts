// A small machine for ITS tests: 512 KiB of RAM, flat tables, two redistributors, one device.
import { AddressMap, HostMemory } from "../../src/engine/memory.ts";
import { Its, type ItsOptions } from "../../src/gic/its.ts";
import type { CommandOutcome } from "../../src/gic/outcome.ts";

export const RAM = 0x40000000n;
export const RAM_BYTES = 0x80000;
export const QUEUE = RAM;
export const DEVICES = RAM + 0x10000n;
export const COLLECTIONS = RAM + 0x20000n;
export const ITT = RAM + 0x30000n;
export const CONFIG = RAM + 0x40000n;
export const PENDING = [RAM + 0x50000n, RAM + 0x60000n];
export const HOLE = 0x50000000n;
export const VALID = 1n << 63n;
export const INDIRECT = 1n << 62n;
const PAGES_64K = 0x200n;

const word = (value: bigint, index: number): bigint => value << BigInt(64 * index);

/** Commands as the 256-bit numbers that the queue holds (IHI0069 5.3). */
export const cmd = {
  mapd: (device: number, bits: number, itt: bigint, valid = VALID) =>
    8n | (BigInt(device) << 32n) | word(BigInt(bits - 1), 1) | word(itt | valid, 2),
  mapc: (icid: number, rdbase: number, valid = VALID) =>
    9n | word((BigInt(rdbase) << 16n) | BigInt(icid) | valid, 2),
  mapti: (device: number, event: number, lpi: number, icid: number) =>
    10n |
    (BigInt(device) << 32n) |
    word((BigInt(lpi) << 32n) | BigInt(event), 1) |
    word(BigInt(icid), 2),
  movi: (device: number, event: number, icid: number) =>
    1n | (BigInt(device) << 32n) | word(BigInt(event), 1) | word(BigInt(icid), 2),
  of: (opcode: number, device: number, event: number) =>
    BigInt(opcode) | (BigInt(device) << 32n) | word(BigInt(event), 1),
  movall: (from: number, to: number) =>
    14n | word(BigInt(from) << 16n, 2) | word(BigInt(to) << 16n, 3),
  invall: (icid: number) => 13n | word(BigInt(icid), 2),
  sync: 5n,
};

/** An ITS over its RAM. */
export class Rig {
  readonly memory: HostMemory;
  readonly map: AddressMap;
  readonly its: Its;

  private constructor(memory: HostMemory, map: AddressMap, its: Its) {
    this.memory = memory;
    this.map = map;
    this.its = its;
  }

  /** An ITS after reset. */
  static async bare(options: ItsOptions = {}): Promise<Rig> {
    const memory = HostMemory.create();
    const map = new AddressMap(memory);
    map.mapRam(RAM, RAM_BYTES);
    return new Rig(memory, map, await Its.create(memory, map, options));
  }

  /**
   * Enabled, with flat tables, two redistributors, enabled LPIs and device 8 of 32 events mapped.
   */
  static async ready(options: ItsOptions = {}): Promise<Rig> {
    const rig = await Rig.bare(options);
    rig.redist(0);
    rig.redist(1);
    rig.map.writeBytes(CONFIG, new Uint8Array(64).fill(0xa3));
    rig.enable();
    rig.run(cmd.mapc(0, 0), cmd.mapc(1, 1), cmd.mapd(8, 5, ITT), cmd.mapti(8, 1, 8193, 1));
    return rig;
  }

  redist(index: number, change: { propbaser?: bigint; pendbaser?: bigint; ctlr?: number } = {}) {
    this.its.setRedistributor(index, {
      typer: BigInt(index) << 8n,
      propbaser: change.propbaser ?? CONFIG | 15n,
      pendbaser: change.pendbaser ?? PENDING[index],
      ctlr: change.ctlr ?? 1,
    });
  }

  /** Programs queue and tables and enables the ITS. */
  enable(
    devices = VALID | DEVICES | PAGES_64K,
    collections = VALID | COLLECTIONS | PAGES_64K,
  ): void {
    this.its.setRegister("CTLR", 0);
    this.its.setRegister("CBASER", VALID | QUEUE);
    this.its.setRegister("BASER0", devices);
    this.its.setRegister("BASER1", collections);
    this.its.setRegister("CTLR", 1);
  }

  /** Puts commands into the queue and moves GITS_CWRITER behind them. */
  run(...commands: bigint[]): CommandOutcome[] {
    let at = this.its.register("CWRITER") & 0xfffe0n;
    for (const command of commands) {
      for (let i = 0; i < 4; i++)
        this.map.writeU64(
          QUEUE + at + BigInt(8 * i),
          BigInt.asUintN(64, command >> BigInt(64 * i)),
        );
      at = (at + 32n) % 4096n;
    }
    this.its.setRegister("CWRITER", at);
    return this.its.takeOutcomes().outcomes;
  }

  byte(at: bigint): number | undefined {
    return this.map.readBytes(at, 1)?.[0];
  }
}
