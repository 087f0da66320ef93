// A GICv3 ITS over an engine: frames, redistributors, commands, messages (IHI0069 5, 12.19).
import type { AddressMap, HostMemory } from "../engine/memory.ts";
import { type EngineExports, instantiate, loadModule } from "../engine/module.ts";
import { getNarrow, offsetOf } from "../spec/abi.ts";
import { GICR_TYPER, ITS, ITS_BLOCK, ITS_EVENT, ITS_FLAG, ITS_LIMIT } from "../spec/abi-its.ts";
import {
  GITS_BASER,
  GITS_CBASER,
  GITS_CREADR,
  GITS_CTLR,
  GITS_CWRITER,
  GITS_IIDR,
  GITS_TRANSLATER,
  GITS_TYPER,
} from "../spec/its-register.ts";
import { quirkWord } from "../spec/quirks.ts";
import { getField } from "../spec/word.ts";
import { type Delivery, readDelivery } from "./delivery.ts";
import type { MessageRing } from "./message-ring.ts";
import { type CommandOutcome, readOutcome } from "./outcome.ts";

/** Bytes of the control and the translation frame together. */
export const ITS_FRAME_BYTES = 0x20000n;

/** Which ITS, and where. */
export interface ItsOptions {
  /** Guest-physical address of the control frame; QEMU's virt machine has it at 0x08080000. */
  readonly base?: bigint;
  /**
   * "qemu" (default): tables are in guest memory in QEMU's formats and are read for each message.
   * "kvm": the in-kernel ITS, whose state is private; guest tables only hold saved state.
   */
  readonly model?: "qemu" | "kvm";
  /** "qemu": QEMU's own behaviour where it differs from the architecture. Default "arch". */
  readonly compat?: "arch" | "qemu";
  /** GICD_CTLR.DS: one security state. Default true, as without TrustZone. */
  readonly securityDisabled?: boolean;
  /**
   * KVM model: how many mapped events fit (default 4096, the routes of KVM); MAPTI fails beyond.
   */
  readonly events?: number;
}

/** The LPI registers of one redistributor. */
export interface Redistributor {
  readonly typer: bigint;
  readonly propbaser: bigint;
  readonly pendbaser: bigint;
  readonly ctlr: number;
}

/** Registers of the control frame by name; BASER0 to BASER7 are the tables. */
const REGISTERS: Readonly<Record<string, readonly [offset: number, size: 4 | 8]>> = {
  CTLR: [GITS_CTLR.offset, 4],
  IIDR: [GITS_IIDR.offset, 4],
  TYPER: [GITS_TYPER.offset, 8],
  CBASER: [GITS_CBASER.offset, 8],
  CWRITER: [GITS_CWRITER.offset, 8],
  CREADR: [GITS_CREADR.offset, 8],
  ...Object.fromEntries(
    Array.from({ length: GITS_BASER.count }, (_, n) => [
      `BASER${n}`,
      [GITS_BASER.offset + n * GITS_BASER.stride, 8],
    ]),
  ),
};

/** The order in which a restore sets them: everything before the ITS is enabled. */
const RESTORE_ORDER = ["CBASER", "CREADR", "CWRITER", "CTLR"];

const OUTCOMES_MAX = Number(Object.keys(ITS_LIMIT.values)[0]);
const DEFAULT_EVENTS = 4096;

function flagOf(name: string): number {
  const found = Object.entries(ITS_FLAG.values).find(([, value]) => value === name);
  return Number(found?.[0]);
}

/** An ITS with its redistributors. */
export class Its {
  /** Guest-physical address of the control frame. */
  readonly base: bigint;
  readonly model: "qemu" | "kvm";
  private readonly memory: HostMemory;
  private readonly engine: EngineExports;
  private readonly block: number;
  private readonly initialise: () => void;
  private taken = 0;

  private constructor(memory: HostMemory, engine: EngineExports, options: ItsOptions) {
    this.memory = memory;
    this.engine = engine;
    this.base = options.base ?? 0x08080000n;
    this.model = options.model ?? "qemu";
    this.block = memory.alloc(engine.itsBlockBytes(), 16);
    const kvm = this.model === "kvm";
    const events = options.events ?? DEFAULT_EVENTS;
    const store = kvm ? memory.alloc(engine.itsStoreBytes(events), 16) : 0;
    const ds = options.securityDisabled ?? true;
    const flags = (kvm ? flagOf("KVM") : 0) + (ds ? flagOf("SECURITY_DISABLED") : 0);
    const quirks = quirkWord(options.compat ?? "arch");
    this.initialise = () => engine.itsInit(this.block, flags, quirks, store, events);
    this.initialise();
  }

  /** Back to power-on state, redistributors included. */
  reset(): void {
    this.initialise();
    this.taken = 0;
  }

  /** Makes an ITS after reset that sees guest memory through `map`. */
  static async create(memory: HostMemory, map: AddressMap, options: ItsOptions = {}): Promise<Its> {
    const engine = await instantiate(memory.memory, await loadModule(memory.shared));
    map.attach(({ root, base, bytes, lin }) => engine.attach(root, base, bytes, lin));
    return new Its(memory, engine, options);
  }

  /** Guest-physical address of GITS_TRANSLATER: where devices write their messages. */
  get doorbell(): bigint {
    return this.base + BigInt(GITS_TRANSLATER.offset);
  }

  /** True for every address of the two frames. */
  contains(gpa: bigint): boolean {
    return gpa >= this.base && gpa < this.base + ITS_FRAME_BYTES;
  }

  /** A 4- or 8-byte read at an offset of the 128 KiB; reserved space reads as 0. */
  readRegister(offset: number, size: 4 | 8 = 4): bigint {
    return BigInt.asUintN(64, this.engine.itsMmioRead(offset, size));
  }

  /** A write at an offset of the 128 KiB. A write to GITS_CWRITER runs the commands before it. */
  writeRegister(offset: number, value: bigint | number, size: 2 | 4 | 8 = 4): void {
    this.engine.itsMmioWrite(offset, size, BigInt(value));
  }

  /** A register by name: "CTLR", "CBASER", "BASER0", …. Throws a RangeError on another name. */
  register(name: string): bigint {
    const [offset, size] = placeOf(name);
    return this.readRegister(offset, size);
  }

  /** A guest's write to a register by name. */
  setRegister(name: string, value: bigint | number): void {
    const [offset, size] = placeOf(name);
    this.writeRegister(offset, value, size);
  }

  /**
   * Sets registers as a restore does, in the order that KVM asks for: tables and queue, then CTLR.
   * Unknown names are left out. In the qemu model no command runs. In the kvm model `restoreTables`
   * comes between: leave CTLR out and set it afterwards. Throws when KVM refuses one.
   */
  restoreRegisters(registers: ReadonlyMap<string, bigint>): void {
    const tables = [...registers.keys()].filter((name) => /^BASER[0-7]$/.test(name));
    for (const name of [...tables, ...RESTORE_ORDER]) {
      const value = registers.get(name);
      if (value === undefined) continue;
      const result = this.engine.itsLoadRegister(placeOf(name)[0], value);
      if (result !== 0) throw new Error(`GITS_${name}: ${result}`);
    }
  }

  /** Programs the LPI registers of redistributor `index`, the number that RDbase holds. */
  setRedistributor(index: number, redist: Redistributor): void {
    const { typer, propbaser, pendbaser, ctlr } = redist;
    this.engine.itsRedistributor(index, typer, propbaser, pendbaser, ctlr);
  }

  /** A message of a device: `eventId` is its data. */
  deliver(deviceId: number, eventId: number): Delivery {
    this.engine.itsDeliver(deviceId, eventId);
    return this.delivery();
  }

  /** KVM model: the same from the translation cache alone; undefined when that misses. */
  deliverCached(deviceId: number, eventId: number): Delivery | undefined {
    const missed = BigInt.asUintN(32, BigInt(this.engine.itsDeliverCached(deviceId, eventId)));
    return missed === 0xffffffffn ? undefined : this.delivery();
  }

  /**
   * Delivers messages 0 to `count` - 1 of a ring in order, each from the KVM model's translation
   * cache where that answers. Throws a RangeError beyond the ring's capacity.
   */
  deliverBatch(ring: MessageRing, count: number): void {
    if (count < 0 || count > ring.capacity) {
      throw new RangeError(`${count} messages in a ring of ${ring.capacity}`);
    }
    this.engine.itsDeliverBatch(ring.lin, count);
  }

  /**
   * Outcomes of commands since the last call, oldest first. The ITS keeps 256; `lost` counts those
   * that were overwritten before anybody asked.
   */
  takeOutcomes(): { outcomes: CommandOutcome[]; lost: number } {
    const view = this.memory.view();
    const written = getNarrow(ITS, view, this.place("state"), "outcomes");
    const unread = (written - this.taken + 2 ** 32) % 2 ** 32;
    const kept = Math.min(unread, OUTCOMES_MAX);
    const outcomes = Array.from({ length: kept }, (_, i) => {
      const slot = (written - kept + i + 2 ** 32) % OUTCOMES_MAX;
      return readOutcome(view, this.place("outcomes") + slot * ITS_EVENT.bytes);
    });
    this.taken = written;
    return { outcomes, lost: unread - kept };
  }

  /**
   * KVM model: writes its tables to guest memory (ABI revision 0). 0, or a negative error number.
   */
  saveTables(): number {
    return this.engine.itsSaveTables();
  }

  /** KVM model: reads its tables from guest memory. 0, or a negative error number. */
  restoreTables(): number {
    return this.engine.itsRestoreTables();
  }

  private place(part: keyof typeof ITS_BLOCK.members): number {
    return this.block + offsetOf(ITS_BLOCK, part);
  }

  private delivery(): Delivery {
    return readDelivery(this.memory.view(), this.place("result"));
  }
}

function placeOf(name: string): readonly [number, 4 | 8] {
  const place = REGISTERS[name];
  if (place === undefined) throw new RangeError(`the ITS has no register ${name}`);
  return place;
}

/** Number that RDbase holds for a redistributor: GICR_TYPER.Processor_Number. */
export const processorNumber = (typer: bigint): number =>
  Number(getField(GICR_TYPER, [typer], "Processor_Number"));
