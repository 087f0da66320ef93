// An independent GICv3 ITS with tables in memory in QEMU's formats, written from the facts.
import { MemoryFault, type OracleMemory, Refusal } from "./its-memory.ts";

/** A redistributor as the ITS sees it. */
export interface OracleRedist {
  propbaser: bigint;
  pendbaser: bigint;
  lpis: boolean;
}

/** What a command or message came to. */
export interface OracleEvent {
  status: string;
  lpi?: number;
  icid?: number;
  rdbase?: number;
  config?: number;
}

const bits = (value: bigint, hi: number, lo: number): bigint =>
  (value >> BigInt(lo)) & ((1n << BigInt(hi - lo + 1)) - 1n);

const num = (value: bigint, hi: number, lo: number): number => Number(bits(value, hi, lo));

const TYPER = 0x1f0001efb1n;
const LPI0 = 8192;
const FULL_INTIDS = 65536;

/** The ITS. `qemu` picks QEMU's behaviour where it differs from the architecture. */
export class OracleIts {
  readonly memory: OracleMemory;
  readonly redists: OracleRedist[];
  readonly qemu: boolean;
  enabled = false;
  cbaser = 0n;
  cwriter = 0n;
  creadr = 0n;
  stalled = false;
  readonly baser: bigint[];
  outcomes: OracleEvent[] = [];

  constructor(memory: OracleMemory, redists: OracleRedist[], qemu: boolean) {
    this.memory = memory;
    this.redists = redists;
    this.qemu = qemu;
    const fixed = (type: bigint) => (type << 56n) | (7n << 48n) | (2n << 8n);
    this.baser = [fixed(1n), fixed(4n), 0n, 0n, 0n, 0n, 0n, 0n];
  }

  /** 64-bit view of the registers that the tests read. */
  register(name: "CTLR" | "CBASER" | "CWRITER" | "CREADR" | "TYPER" | number): bigint {
    if (typeof name === "number") return this.baser[name];
    if (name === "CTLR") return 0x80000000n | (this.enabled ? 1n : 0n);
    if (name === "CBASER") return this.cbaser;
    if (name === "CWRITER") return this.cwriter;
    if (name === "TYPER") return TYPER;
    return this.creadr | (this.stalled ? 1n : 0n);
  }

  writeCtlr(value: bigint): void {
    this.enabled = (value & 1n) === 1n;
    this.run();
  }

  writeCbaser(value: bigint): void {
    if (this.enabled) return;
    this.cbaser = value;
    this.creadr = 0n;
    this.stalled = false;
  }

  writeBaser(index: number, value: bigint): void {
    if (this.enabled || index > 1) return;
    const fixed = (7n << 56n) | (0x1fn << 48n);
    this.baser[index] = (this.baser[index] & fixed) | (value & ~fixed);
  }

  writeCwriter(value: bigint): void {
    this.cwriter = value & ~1n;
    if (this.stalled && !this.qemu) {
      if ((value & 1n) === 0n) return;
      this.stalled = false;
    }
    this.run();
  }

  /** A message: DeviceID beside the write, EventID as its data. */
  deliver(deviceId: number, eventId: number): OracleEvent {
    const event: OracleEvent = { status: "OK" };
    if (!this.enabled) return { status: "DISABLED" };
    this.guard(event, () => {
      this.resolve(event, deviceId, eventId);
      this.setPending(event, true);
    });
    return event;
  }

  private guard(event: OracleEvent, body: () => void): boolean {
    try {
      body();
      return false;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      event.status = error.status;
      return error.stall;
    }
  }

  private run(): void {
    const valid = bits(this.cbaser, 63, 63) === 1n;
    const size = valid ? (bits(this.cbaser, 7, 0) + 1n) * 4096n : 0n;
    const end = this.cwriter & 0xfffe0n;
    if (!this.enabled || end >= size || this.creadr >= size) return;
    while (this.creadr !== end) {
      if (this.step(this.creadr)) {
        this.stalled = true;
        return;
      }
      this.creadr = (this.creadr + 32n) % size;
    }
  }

  /** True when the queue stalls at this command. */
  private step(offset: bigint): boolean {
    const base = bits(this.cbaser, 51, 12) << 12n;
    const aligned = this.qemu ? base : base & ~0xffffn;
    const event: OracleEvent = { status: "OK" };
    this.outcomes.push(event);
    let command = 0n;
    const unreadable = this.guard(event, () => {
      command = this.read(aligned + offset, 32, "COMMAND_FAULT");
    });
    return unreadable || this.guard(event, () => this.execute(event, command));
  }

  private execute(event: OracleEvent, c: bigint): void {
    const device = num(c, 63, 32);
    const id = num(c, 95, 64);
    const icid = num(c, 143, 128);
    const valid = bits(c, 191, 191) === 1n;
    const pend = (pending: boolean) => {
      this.resolve(event, device, id);
      this.setPending(event, pending);
    };
    const commands: Record<number, () => void> = {
      1: () => this.movi(event, device, id, icid),
      3: () => this.quietly(() => pend(true)),
      4: () => this.quietly(() => pend(false)),
      5: () => {},
      8: () => this.mapd(device, num(c, 68, 64), bits(c, 179, 136) << 8n, valid),
      9: () => this.mapc(event, icid, bits(c, 179, 144), valid),
      10: () => this.mapti(event, device, id, num(c, 127, 96), icid),
      11: () => this.mapti(event, device, id, id, icid),
      12: () => this.inv(event, device, id),
      13: () => this.invall(event, icid),
      14: () => this.movall(event, bits(c, 179, 144), bits(c, 243, 208)),
      15: () => this.quietly(() => this.discard(event, device, id)),
    };
    const command = commands[num(c, 7, 0)];
    if (command === undefined) throw new Refusal("COMMAND_UNKNOWN");
    command();
  }

  private inv(event: OracleEvent, device: number, id: number): void {
    this.resolve(event, device, id);
    this.note(event);
  }

  private invall(event: OracleEvent, icid: number): void {
    event.icid = icid;
    if (!this.qemu) event.rdbase = this.collection(icid);
  }

  /** QEMU goes on when a collection cannot be read for INT, CLEAR and DISCARD. */
  private quietly(body: () => void): void {
    try {
      body();
    } catch (error) {
      const passes = error instanceof Refusal && error.status === "COLLECTION_FAULT" && this.qemu;
      throw passes ? new Refusal("COLLECTION_FAULT") : error;
    }
  }

  private read(at: bigint, size: number, fault: string): bigint {
    try {
      return this.memory.load(at, size);
    } catch (error) {
      if (error instanceof MemoryFault) throw new Refusal(fault, true);
      throw error;
    }
  }

  private write(at: bigint, size: number, value: bigint, fault: string): void {
    try {
      this.memory.store(at, size, value);
    } catch (error) {
      if (error instanceof MemoryFault) throw new Refusal(fault, true);
      throw error;
    }
  }

  private entries(index: number): bigint {
    const b = this.baser[index];
    if (bits(b, 63, 63) === 0n) return 0n;
    const page = [4096n, 16384n, 65536n, 65536n][num(b, 9, 8)];
    const bytes = (bits(b, 7, 0) + 1n) * page;
    let count = bytes / 8n;
    if (bits(b, 62, 62) === 1n) count *= page / 8n;
    if (this.qemu && bits(b, 62, 62) === 1n) count &= 0xffffffffn;
    return count < 65536n ? count : 65536n;
  }

  /** Address of entry `id` of the device (0) or collection (1) table. */
  private locate(index: number, id: number): bigint {
    const kind = index === 0 ? "DEVICE" : "COLLECTION";
    if (BigInt(id) >= this.entries(index)) throw new Refusal(`${kind}_OOR`);
    const b = this.baser[index];
    const page = [4096n, 16384n, 65536n, 65536n][num(b, 9, 8)];
    const base =
      page === 65536n
        ? (bits(b, 47, 16) << 16n) | (bits(b, 15, 12) << 48n)
        : bits(b, 47, 12) << 12n;
    if (bits(b, 62, 62) === 0n) return base + BigInt(id) * 8n;
    const per = page / 8n;
    const first = this.read(base + (BigInt(id) / per) * 8n, 8, `${kind}_FAULT`);
    if (bits(first, 63, 63) === 0n) throw new Refusal(`${kind}_L2_INVALID`);
    const table = this.qemu ? bits(first, 50, 0) : (bits(first, 51, 12) << 12n) & ~(page - 1n);
    return table + (BigInt(id) % per) * 8n;
  }

  private device(id: number): { itt: bigint; events: bigint } {
    const entry = this.read(this.locate(0, id), 8, "DEVICE_FAULT");
    if (bits(entry, 0, 0) === 0n) throw new Refusal("DEVICE_UNMAPPED");
    return { itt: bits(entry, 49, 6) << 8n, events: 1n << (bits(entry, 5, 1) + 1n) };
  }

  private collection(icid: number): number {
    const entry = this.read(this.locate(1, icid), 8, "COLLECTION_FAULT");
    if (bits(entry, 0, 0) === 0n) throw new Refusal("COLLECTION_UNMAPPED");
    const target = num(entry, 16, 1);
    if (target >= this.redists.length) throw new Refusal("RDBASE_OOR");
    return target;
  }

  private resolve(event: OracleEvent, deviceId: number, eventId: number): bigint {
    const { itt, events } = this.device(deviceId);
    if (BigInt(eventId) >= events) throw new Refusal("EVENT_OOR");
    const at = itt + BigInt(eventId) * 12n;
    const entry = this.read(at, 12, "ITT_FAULT");
    if (bits(entry, 0, 0) === 0n) throw new Refusal("EVENT_UNMAPPED");
    if (bits(entry, 1, 1) === 0n) throw new Refusal("EVENT_VIRTUAL");
    event.lpi = num(entry, 25, 2);
    event.icid = num(entry, 47, 32);
    event.rdbase = this.collection(event.icid);
    return at;
  }

  private limit(rd: number): number {
    return 2 ** Math.min(num(this.redists[rd].propbaser, 4, 0) + 1, 16);
  }

  private pendingByte(rd: number, lpi: number): bigint {
    return (bits(this.redists[rd].pendbaser, 51, 16) << 16n) + BigInt(lpi >> 3);
  }

  /** Changes a pending bit; gives what it was. */
  private flip(rd: number, lpi: number, pending: boolean): boolean {
    const at = this.pendingByte(rd, lpi);
    const mask = 1n << BigInt(lpi & 7);
    try {
      const byte = this.memory.load(at, 1);
      this.memory.store(at, 1, pending ? byte | mask : byte & ~mask);
      return (byte & mask) !== 0n;
    } catch (error) {
      if (error instanceof MemoryFault) throw new Refusal("PENDING_FAULT");
      throw error;
    }
  }

  private setPending(event: OracleEvent, pending: boolean): void {
    const rd = event.rdbase as number;
    const lpi = event.lpi as number;
    if (!this.redists[rd].lpis) throw new Refusal("LPIS_DISABLED");
    if (lpi < LPI0 || lpi >= this.limit(rd)) throw new Refusal("INTID_OOR");
    this.flip(rd, lpi, pending);
    if (!pending) return;
    this.note(event);
    if (event.config === undefined) throw new Refusal("CONFIG_FAULT");
    if ((event.config & 1) === 0) throw new Refusal("LPI_DISABLED");
  }

  /** Reads the configuration byte, if it is there. */
  private note(event: OracleEvent): void {
    const table = bits(this.redists[event.rdbase as number].propbaser, 51, 12) << 12n;
    const at = table + BigInt((event.lpi as number) - LPI0);
    if ((event.lpi as number) >= LPI0 && this.memory.has(at))
      event.config = Number(this.memory.load(at, 1));
  }

  private mapd(device: number, size: number, itt: bigint, valid: boolean): void {
    if (BigInt(device) >= this.entries(0)) throw new Refusal("DEVICE_OOR");
    if (size > 15 && (valid || this.qemu)) throw new Refusal("ITTSIZE_OOR");
    const entry = valid ? 1n | (BigInt(size) << 1n) | ((itt >> 8n) << 6n) : 0n;
    this.write(this.locate(0, device), 8, entry, "DEVICE_FAULT");
  }

  private mapc(event: OracleEvent, icid: number, rdbase: bigint, valid: boolean): void {
    event.icid = icid;
    if (BigInt(icid) >= this.entries(1)) throw new Refusal("COLLECTION_OOR");
    const target = this.qemu ? rdbase & 0xffffn : rdbase;
    if (valid) event.rdbase = Number(target & 0xffffffffn);
    if (valid && target >= BigInt(this.redists.length)) throw new Refusal("RDBASE_OOR");
    this.write(this.locate(1, icid), 8, valid ? 1n | (target << 1n) : 0n, "COLLECTION_FAULT");
  }

  private mapti(event: OracleEvent, device: number, id: number, lpi: number, icid: number): void {
    event.lpi = lpi;
    event.icid = icid;
    let found: { itt: bigint; events: bigint } | Refusal;
    try {
      found = this.device(device);
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== "DEVICE_UNMAPPED") throw error;
      found = error;
    }
    if (BigInt(icid) >= this.entries(1)) throw new Refusal("COLLECTION_OOR");
    if (found instanceof Refusal) throw found;
    if (BigInt(id) >= found.events) throw new Refusal("EVENT_OOR");
    if (lpi < LPI0 || lpi >= FULL_INTIDS) throw new Refusal("INTID_OOR");
    const entry = 3n | (BigInt(lpi) << 2n) | (BigInt(icid) << 32n) | (1023n << 64n);
    this.write(found.itt + BigInt(id) * 12n, 12, entry, "ITT_FAULT");
  }

  private movi(event: OracleEvent, device: number, eventId: number, icid: number): void {
    let at: bigint;
    try {
      at = this.resolve(event, device, eventId);
    } finally {
      event.icid = icid;
    }
    const from = event.rdbase as number;
    const entry = this.memory.load(at, 12);
    const to = this.collection(icid);
    event.rdbase = to;
    if (from !== to) this.move(from, to, event.lpi as number);
    const kept = 0xffffff_ffff_0000_03ffffffn;
    this.write(at, 12, (entry & kept) | (BigInt(icid) << 32n), "ITT_FAULT");
  }

  private move(from: number, to: number, lpi: number): void {
    if (!this.redists[from].lpis || !this.redists[to].lpis) return;
    const limit = Math.min(this.limit(from), this.limit(to));
    if ((this.qemu ? lpi >> 3 : lpi) >= limit) return;
    try {
      if (this.flip(from, lpi, false)) this.flip(to, lpi, true);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
  }

  private movall(event: OracleEvent, from: bigint, to: bigint): void {
    const count = BigInt(this.redists.length);
    if (from >= count || to >= count) throw new Refusal("RDBASE_OOR");
    event.rdbase = Number(to);
    const [source, target] = [Number(from), Number(to)];
    if (source === target || !this.redists[source].lpis || !this.redists[target].lpis) return;
    const limit = Math.min(this.limit(source), this.limit(target));
    for (let lpi = LPI0; lpi < limit; lpi += 8) this.moveByte(source, target, lpi);
  }

  private moveByte(source: number, target: number, lpi: number): void {
    const [from, to] = [this.pendingByte(source, lpi), this.pendingByte(target, lpi)];
    if (!this.memory.has(from)) throw new Refusal("PENDING_FAULT");
    const pending = this.memory.load(from, 1);
    if (pending === 0n) return;
    if (!this.memory.has(to)) throw new Refusal("PENDING_FAULT");
    this.memory.store(from, 1, 0n);
    this.memory.store(to, 1, this.memory.load(to, 1) | pending);
  }

  private discard(event: OracleEvent, device: number, eventId: number): void {
    const at = this.resolve(event, device, eventId);
    try {
      this.setPending(event, false);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
    this.write(at, 12, 0n, "ITT_FAULT");
  }
}
