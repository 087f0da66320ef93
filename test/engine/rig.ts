// A small machine for engine tests: RAM, one SMMU, its queues, a linear stream table, room for
// tables.
import { FULL_ID, type IdRegisters } from "../../src/engine/identity.ts";
import { AddressMap, HostMemory } from "../../src/engine/memory.ts";
import { Smmu, type SmmuOptions } from "../../src/engine/smmu.ts";
import { CD } from "../../src/spec/cd.ts";
import { IDR0, IDR1, IDR3, IDR5 } from "../../src/spec/register.ts";
import { STE } from "../../src/spec/ste.ts";
import { bytesOf, getField, packFields, setField } from "../../src/spec/word.ts";
import type { TableMemory } from "../../src/tables/memory.ts";

export const RAM = 0x4000_0000n;
export const RAM_BYTES = 0x0400_0000;
export const CMDQ = RAM + 0x10_0000n;
export const EVENTQ = RAM + 0x20_0000n;
export const STRTAB = RAM + 0x30_0000n;
/** Where `allocate` starts. */
const FREE = RAM + 0x100_0000n;
/** An address that nothing backs. */
export const HOLE = 0x9000_0000n;

/** Register offsets as the architecture gives them (IHI0070 6.2). */
export const R = {
  CR0: 0x20,
  CR0ACK: 0x24,
  CR1: 0x28,
  CR2: 0x2c,
  GBPA: 0x44,
  IRQ_CTRL: 0x50,
  IRQ_CTRLACK: 0x54,
  GERROR: 0x60,
  GERRORN: 0x64,
  GERROR_IRQ_CFG0: 0x68,
  GERROR_IRQ_CFG1: 0x70,
  GERROR_IRQ_CFG2: 0x74,
  STRTAB_BASE: 0x80,
  STRTAB_BASE_CFG: 0x88,
  CMDQ_BASE: 0x90,
  CMDQ_PROD: 0x98,
  CMDQ_CONS: 0x9c,
  EVENTQ_BASE: 0xa0,
  EVENTQ_IRQ_CFG0: 0xb0,
  EVENTQ_IRQ_CFG1: 0xb8,
  EVENTQ_IRQ_CFG2: 0xbc,
  EVENTQ_PROD: 0x100a8,
  EVENTQ_CONS: 0x100ac,
} as const;

/** CR0: SMMUEN, EVENTQEN, CMDQEN. */
export const SMMUEN = 1;
export const EVENTQEN = 4;
export const CMDQEN = 8;
/** GERROR: bits by number (IHI0070 6.3.19). */
export const CMDQ_ERR = 1;
export const EVENTQ_ABT_ERR = 4;

type Change<L extends { field: object }> = Partial<Record<keyof L["field"] & string, number>>;

/** ID registers with every feature, and some fields changed: `{ IDR0: { S2P: 0 } }`. */
export function idWith(changes: {
  IDR0?: Change<typeof IDR0>;
  IDR1?: Change<typeof IDR1>;
  IDR3?: Change<typeof IDR3>;
  IDR5?: Change<typeof IDR5>;
}): IdRegisters {
  const change = (layout: typeof IDR0, word: number, fields: object = {}): number => {
    const words = [BigInt(word)];
    for (const [name, value] of Object.entries(fields))
      setField(layout, words, name as "S1P", value);
    return Number(words[0]);
  };
  return {
    ...FULL_ID,
    idr0: change(IDR0, FULL_ID.idr0, changes.IDR0),
    idr1: change(IDR1 as unknown as typeof IDR0, FULL_ID.idr1, changes.IDR1),
    idr3: change(IDR3 as unknown as typeof IDR0, FULL_ID.idr3, changes.IDR3),
    idr5: change(IDR5 as unknown as typeof IDR0, FULL_ID.idr5, changes.IDR5),
  };
}

/** How a rig is made. */
export interface RigOptions extends SmmuOptions {
  /** log2 of the entries of the queues. Default 6. */
  cmdqLog2?: number;
  eventqLog2?: number;
  cmdqAt?: bigint;
  eventqAt?: bigint;
  shared?: boolean;
}

/** An SMMU and the memory it sees. */
export class Rig implements TableMemory {
  readonly memory: HostMemory;
  readonly map: AddressMap;
  readonly smmu: Smmu;
  readonly options: RigOptions;
  #next = FREE;

  private constructor(memory: HostMemory, map: AddressMap, smmu: Smmu, options: RigOptions) {
    this.memory = memory;
    this.map = map;
    this.smmu = smmu;
    this.options = options;
  }

  /** An SMMU at reset, with every feature unless `id` says otherwise. */
  static async bare(options: RigOptions = {}): Promise<Rig> {
    const memory = HostMemory.create({ shared: options.shared ?? false });
    const map = new AddressMap(memory);
    map.mapRam(RAM, RAM_BYTES);
    const id = options.id ?? (options.compat === "qemu" ? undefined : FULL_ID);
    return Rig.of(await Smmu.create(memory, map, { ...options, ...(id && { id }) }), options);
  }

  /** A rig around an SMMU at reset whose map has RAM_BYTES of RAM at RAM. */
  static of(smmu: Smmu, options: RigOptions = {}): Rig {
    return new Rig(smmu.memory, smmu.map, smmu, options);
  }

  /** Enabled, with empty queues and a linear stream table of 256 invalid STEs. */
  static async ready(options: RigOptions = {}): Promise<Rig> {
    const rig = await Rig.bare(options);
    rig.enable();
    return rig;
  }

  get cmdqLog2(): number {
    return this.options.cmdqLog2 ?? 6;
  }

  get eventqLog2(): number {
    return this.options.eventqLog2 ?? 6;
  }

  get cmdqAt(): bigint {
    return this.options.cmdqAt ?? CMDQ;
  }

  get eventqAt(): bigint {
    return this.options.eventqAt ?? EVENTQ;
  }

  read(offset: number): number {
    return Number(this.smmu.readRegister(offset));
  }

  read64(pa: bigint): bigint {
    return this.map.readU64(pa) ?? 0n;
  }

  write64(pa: bigint, value: bigint): void {
    this.map.writeU64(pa, value);
  }

  write(offset: number, value: number): void {
    this.smmu.writeRegister(offset, value);
  }

  /** What a driver does at start, in its order. */
  enable(cr0 = SMMUEN | EVENTQEN | CMDQEN): void {
    const { smmu } = this;
    this.write(R.CR2, 2);
    smmu.writeRegister(R.STRTAB_BASE, STRTAB, 8);
    this.write(R.STRTAB_BASE_CFG, 8);
    smmu.writeRegister(R.CMDQ_BASE, this.cmdqAt | BigInt(this.cmdqLog2), 8);
    this.write(R.CMDQ_PROD, 0);
    this.write(R.CMDQ_CONS, 0);
    smmu.writeRegister(R.EVENTQ_BASE, this.eventqAt | BigInt(this.eventqLog2), 8);
    this.write(R.EVENTQ_PROD, 0);
    this.write(R.EVENTQ_CONS, 0);
    this.write(R.CR0, cr0);
  }

  /** Appends commands and moves PROD past them; nothing is checked. */
  submit(...commands: Uint8Array[]): void {
    const wrap = 2 ** (this.cmdqLog2 + 1);
    let prod = this.read(R.CMDQ_PROD) % wrap;
    for (const bytes of commands) {
      this.map.writeBytes(this.cmdqAt + BigInt((prod % (wrap / 2)) * 16), bytes);
      prod = (prod + 1) % wrap;
    }
    this.write(R.CMDQ_PROD, prod);
  }

  /** Appends commands that must all be consumed. */
  run(...commands: Uint8Array[]): void {
    this.submit(...commands);
    const { cons, error } = this.queue();
    if (error || cons !== this.read(R.CMDQ_PROD)) {
      throw new Error(`the queue stopped at ${cons} with CERROR ${error}`);
    }
  }

  /** CONS, the CERROR code while CMDQ_ERR is active, and whether it is. */
  queue(): { cons: number; error: number; active: boolean } {
    const word = this.read(R.CMDQ_CONS);
    const active = ((this.read(R.GERROR) ^ this.read(R.GERRORN)) & CMDQ_ERR) !== 0;
    return { cons: word & 0xfffff, error: active ? (word >>> 24) & 0x7f : 0, active };
  }

  /** The records between CONS and PROD; CONS moves past them. */
  events(): Uint8Array[] {
    const wrap = 2 ** (this.eventqLog2 + 1);
    const prod = this.read(R.EVENTQ_PROD);
    let cons = this.read(R.EVENTQ_CONS) % wrap;
    const records: Uint8Array[] = [];
    for (; cons !== prod % wrap; cons = (cons + 1) % wrap) {
      const at = this.eventqAt + BigInt((cons % (wrap / 2)) * 32);
      records.push(this.map.readBytes(at, 32) ?? new Uint8Array());
    }
    this.write(R.EVENTQ_CONS, (cons | (prod & 0x8000_0000)) >>> 0);
    return records;
  }

  /** Fresh zeroed memory of `bytes`, aligned to its size. */
  allocate(bytes: number): bigint {
    const size = BigInt(Math.max(bytes, 64));
    const pa = ((this.#next + size - 1n) / size) * size;
    this.#next = pa + size;
    return pa;
  }

  release(): void {}

  /** Writes the STE of a stream: V=1 and the fields given. */
  ste(sid: number, fields: Parameters<typeof packFields<keyof typeof STE.field>>[1]): void {
    const words = packFields(STE, { V: 1, SHCFG: 1, ...fields });
    this.map.writeBytes(STRTAB + BigInt(sid * 64), bytesOf(words));
  }

  /** Writes a CD at `at`, or at a fresh address, and gives the address. */
  cd(
    fields: Parameters<typeof packFields<keyof typeof CD.field>>[1],
    at = this.allocate(64),
  ): bigint {
    const words = packFields(CD, { V: 1, AA64: 1, A: 1, R: 1, IPS: 5, EPD1: 1, ...fields });
    this.map.writeBytes(at, bytesOf(words));
    return at;
  }
}

/** A named field of a little-endian structure in bytes. */
export function fieldOf<N extends string>(
  layout: Parameters<typeof getField<N>>[0],
  bytes: Uint8Array,
  name: N,
): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words: bigint[] = [];
  for (let at = 0; at < bytes.length; at += 8) words.push(view.getBigUint64(at, true));
  return getField(layout, words, name);
}
