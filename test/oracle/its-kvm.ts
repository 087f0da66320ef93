// An independent KVM ITS of plain maps and objects, written from the facts of Linux 7.2.

import type { OracleEvent, OracleRedist } from "./its.ts";
import { MemoryFault, type OracleMemory, Refusal } from "./its-memory.ts";

interface Collection {
  target: number | null;
}

interface Lpi {
  target: number | null;
  config: number;
  pending: boolean;
}

interface Mapped {
  readonly lpi: number;
  collection: Collection | null;
  icid: number;
}

interface Device {
  readonly itt: bigint;
  readonly bits: number;
  readonly events: Map<number, Mapped>;
}

const bits = (value: bigint, hi: number, lo: number): bigint =>
  (value >> BigInt(lo)) & ((1n << BigInt(hi - lo + 1)) - 1n);
const num = (value: bigint, hi: number, lo: number): number => Number(bits(value, hi, lo));
const put = (value: bigint, hi: number, lo: number, field: bigint): bigint =>
  value - (bits(value, hi, lo) << BigInt(lo)) + (field << BigInt(lo));

/** What the kernel makes of shareability and cacheability. */
function sanitise(value: bigint): bigint {
  let v = value;
  if (bits(v, 11, 10) === 2n) v = put(v, 11, 10, 1n);
  if (bits(v, 61, 59) < 2n) v = put(v, 61, 59, 3n);
  if (bits(v, 55, 53) > 1n) v = put(v, 55, 53, 0n);
  return v;
}

/** The ITS of one virtual machine. */
export class OracleKvmIts {
  readonly memory: OracleMemory;
  readonly redists: OracleRedist[];
  enabled = false;
  cbaser = 0n;
  cwriter = 0n;
  creadr = 0n;
  readonly baser: bigint[];
  outcomes: OracleEvent[] = [];
  private readonly devices = new Map<number, Device>();
  private readonly collections = new Map<number, Collection>();
  private readonly lpis = new Map<number, Lpi>();
  private cache = new Map<bigint, number>();

  constructor(memory: OracleMemory, redists: OracleRedist[]) {
    this.memory = memory;
    this.redists = redists;
    const start = (type: bigint) => (3n << 59n) | (type << 56n) | (7n << 48n) | 0x600n;
    this.baser = [start(1n), start(4n)];
  }

  get ctlr(): bigint {
    return (this.creadr === this.cwriter ? 0x80000000n : 0n) | (this.enabled ? 1n : 0n);
  }

  writeCtlr(value: bigint): void {
    const enable = (value & 1n) === 1n;
    const ready = [this.cbaser, ...this.baser].every((r) => bits(r, 63, 63) === 1n);
    if (enable && !this.enabled && !ready) return;
    this.enabled = enable;
    if (!enable) this.cache.clear();
    this.run();
  }

  writeCbaser(value: bigint): void {
    if (this.enabled) return;
    this.cbaser = put(sanitise(value), 15, 12, 0n);
    this.creadr = 0n;
    this.cwriter = 0n;
  }

  writeBaser(index: number, value: bigint): void {
    if (this.enabled || index > 1) return;
    let v = put(put(value, 52, 48, 7n), 58, 56, index === 0 ? 1n : 4n);
    if (index === 1) v = put(v, 62, 62, 0n);
    this.baser[index] = put(sanitise(v), 9, 8, 2n);
    if (bits(v, 63, 63) === 1n) return;
    if (index === 0) for (const id of [...this.devices.keys()]) this.freeDevice(id);
    else for (const icid of [...this.collections.keys()]) this.freeCollection(icid);
  }

  writeCwriter(value: bigint): void {
    const offset = value & 0xfffe0n;
    if (offset >= (bits(this.cbaser, 7, 0) + 1n) * 4096n) return;
    this.cwriter = offset;
    this.run();
  }

  /** LPIs on or off at a redistributor. Off: every cached translation goes. */
  switchLpis(rd: number, on: boolean): void {
    if (this.redists[rd].lpis && !on) this.cache.clear();
    this.redists[rd].lpis = on;
  }

  deliver(deviceId: number, eventId: number): OracleEvent {
    const event: OracleEvent = { status: "OK" };
    this.guard(event, () => this.resolve(event, deviceId, eventId));
    return event;
  }

  deliverCached(deviceId: number, eventId: number): OracleEvent | undefined {
    const lpi = this.cache.get((BigInt(deviceId) << 16n) | BigInt(eventId));
    if (lpi === undefined) return undefined;
    const event: OracleEvent = { status: "OK" };
    this.guard(event, () => this.trigger(event, lpi));
    return event;
  }

  private guard(event: OracleEvent, body: () => void): void {
    try {
      body();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      event.status = error.status;
    }
  }

  private run(): void {
    if (!this.enabled) return;
    const size = (bits(this.cbaser, 7, 0) + 1n) * 4096n;
    while (this.cwriter !== this.creadr) {
      const event: OracleEvent = { status: "OK" };
      this.outcomes.push(event);
      const at = (bits(this.cbaser, 51, 12) << 12n) + this.creadr;
      this.guard(event, () => this.execute(event, this.load(at, 32, "COMMAND_FAULT")));
      this.creadr = (this.creadr + 32n) % size;
    }
  }

  private execute(event: OracleEvent, c: bigint): void {
    const device = num(c, 63, 32);
    const id = num(c, 95, 64);
    const icid = num(c, 143, 128);
    const target = num(c, 175, 144);
    const valid = bits(c, 191, 191) === 1n;
    const commands: Record<number, () => void> = {
      1: () => this.movi(event, device, id, icid),
      3: () => this.resolve(event, device, id),
      4: () => this.clear(device, id),
      5: () => {},
      8: () => this.mapd(device, num(c, 68, 64) + 1, bits(c, 179, 136) << 8n, valid),
      9: () => this.mapc(event, icid, target, valid),
      10: () => this.mapti(event, device, id, num(c, 127, 96), icid),
      11: () => this.mapti(event, device, id, id, icid),
      12: () => this.reload(this.find(device, id).lpi),
      13: () => this.invall(icid),
      14: () => this.movall(target, num(c, 239, 208)),
      15: () => this.discard(device, id),
    };
    const command = commands[num(c, 7, 0)];
    if (command === undefined) throw new Refusal("COMMAND_UNKNOWN");
    command();
  }

  private load(at: bigint, size: number, fault: string): bigint {
    try {
      return this.memory.load(at, size);
    } catch (error) {
      throw error instanceof MemoryFault ? new Refusal(fault) : error;
    }
  }

  private store(at: bigint, value: bigint, fault: string): void {
    try {
      this.memory.store(at, 8, value);
    } catch (error) {
      throw error instanceof MemoryFault ? new Refusal(fault) : error;
    }
  }

  /** Address of the entry of an ID, which must lie in memory. */
  private checkId(index: number, id: number): bigint {
    const kind = index === 0 ? "DEVICE" : "COLLECTION";
    const b = this.baser[index];
    const table = (bits(b, 47, 16) << 16n) | (bits(b, 15, 12) << 48n);
    const entries = (bits(b, 7, 0) + 1n) * 8192n;
    if (id > 0xffff) throw new Refusal(`${kind}_OOR`);
    let at = table + BigInt(id) * 8n;
    if (bits(b, 62, 62) === 0n) {
      if (BigInt(id) >= entries) throw new Refusal(`${kind}_OOR`);
    } else {
      if (BigInt(id >> 13) >= entries) throw new Refusal(`${kind}_OOR`);
      const first = this.load(table + BigInt(id >> 13) * 8n, 8, `${kind}_FAULT`);
      if (bits(first, 63, 63) === 0n) throw new Refusal(`${kind}_L2_INVALID`);
      at = (bits(first, 51, 16) << 16n) + BigInt(id & 0x1fff) * 8n;
    }
    if (!this.memory.has(at)) throw new Refusal(`${kind}_FAULT`);
    return at;
  }

  private find(deviceId: number, eventId: number): Mapped {
    const device = this.devices.get(deviceId);
    if (device === undefined) throw new Refusal("DEVICE_UNMAPPED");
    if (eventId >= 2 ** device.bits) throw new Refusal("EVENT_OOR");
    const mapped = device.events.get(eventId);
    if (mapped === undefined) throw new Refusal("EVENT_UNMAPPED");
    return mapped;
  }

  private resolve(event: OracleEvent, deviceId: number, eventId: number): void {
    if (!this.enabled) throw new Refusal("DISABLED");
    const mapped = this.find(deviceId, eventId);
    const target = mapped.collection?.target ?? null;
    if (target === null) throw new Refusal("COLLECTION_UNMAPPED");
    if (!this.redists[target].lpis) throw new Refusal("LPIS_DISABLED");
    this.cache.set((BigInt(deviceId) << 16n) | BigInt(eventId), mapped.lpi);
    this.trigger(event, mapped.lpi);
  }

  private trigger(event: OracleEvent, number: number): void {
    const lpi = this.lpis.get(number) as Lpi;
    lpi.pending = true;
    event.lpi = number;
    event.rdbase = lpi.target ?? undefined;
    event.config = lpi.config;
    if ((lpi.config & 1) === 0) throw new Refusal("LPI_DISABLED");
  }

  /** An LPI lives as long as an event maps to it. */
  private prune(): void {
    const used = new Set(
      [...this.devices.values()].flatMap((d) => [...d.events.values()].map((e) => e.lpi)),
    );
    for (const lpi of [...this.lpis.keys()]) if (!used.has(lpi)) this.lpis.delete(lpi);
  }

  private freeDevice(id: number): void {
    this.devices.delete(id);
    this.cache.clear();
    this.prune();
  }

  private freeCollection(icid: number): void {
    const gone = this.collections.get(icid);
    for (const device of this.devices.values())
      for (const mapped of device.events.values())
        if (mapped.collection === gone) mapped.collection = null;
    this.collections.delete(icid);
  }

  private clear(deviceId: number, eventId: number): void {
    (this.lpis.get(this.find(deviceId, eventId).lpi) as Lpi).pending = false;
  }

  private mapd(id: number, eventBits: number, itt: bigint, valid: boolean): void {
    const at = this.checkId(0, id);
    if (valid && eventBits > 16) throw new Refusal("ITTSIZE_OOR");
    if (this.devices.has(id)) this.freeDevice(id);
    if (valid) this.devices.set(id, { itt, bits: eventBits, events: new Map() });
    else this.store(at, 0n, "DEVICE_FAULT");
  }

  private mapc(event: OracleEvent, icid: number, target: number, valid: boolean): void {
    event.icid = icid;
    if (target >= this.redists.length) throw new Refusal("RDBASE_OOR");
    if (!valid) {
      this.freeCollection(icid);
      this.cache.clear();
      return;
    }
    if (!this.collections.has(icid)) this.checkId(1, icid);
    const collection = this.collections.get(icid) ?? { target };
    collection.target = target;
    this.collections.set(icid, collection);
    for (const device of this.devices.values())
      for (const mapped of device.events.values())
        if (mapped.collection === collection) (this.lpis.get(mapped.lpi) as Lpi).target = target;
  }

  private mapti(event: OracleEvent, device: number, id: number, lpi: number, icid: number): void {
    event.lpi = lpi;
    event.icid = icid;
    const known = this.devices.get(device);
    if (known === undefined) throw new Refusal("DEVICE_UNMAPPED");
    if (id >= 2 ** known.bits) throw new Refusal("EVENT_OOR");
    const limit = 2 ** Math.min(num(this.redists[0].propbaser, 4, 0) + 1, 16);
    if (lpi < 8192 || lpi >= limit) throw new Refusal("INTID_OOR");
    if (known.events.has(id)) throw new Refusal("ALREADY_MAPPED");
    const fresh = !this.collections.has(icid);
    if (fresh) {
      this.checkId(1, icid);
      this.collections.set(icid, { target: null });
    }
    const collection = this.collections.get(icid) as Collection;
    try {
      this.addLpi(lpi, collection.target);
    } catch (error) {
      if (fresh) this.freeCollection(icid);
      throw error;
    }
    known.events.set(id, { lpi, collection, icid });
  }

  private addLpi(number: number, target: number | null): void {
    if (this.lpis.has(number)) return;
    const lpi: Lpi = { target, config: 0, pending: false };
    this.lpis.set(number, lpi);
    try {
      this.reload(number);
      if (target !== null) lpi.pending = this.consume(target, number);
    } catch (error) {
      this.lpis.delete(number);
      throw error;
    }
  }

  /** Takes a pending bit out of the table. */
  private consume(target: number, number: number): boolean {
    const at = (bits(this.redists[target].pendbaser, 51, 16) << 16n) + BigInt(number >> 3);
    const byte = this.load(at, 1, "PENDING_FAULT");
    const mask = 1n << BigInt(number & 7);
    this.memory.store(at, 1, byte & ~mask);
    return (byte & mask) !== 0n;
  }

  private reload(number: number): void {
    const at = (bits(this.redists[0].propbaser, 51, 12) << 12n) + BigInt(number - 8192);
    const config = Number(this.load(at, 1, "CONFIG_FAULT"));
    (this.lpis.get(number) as Lpi).config = config;
  }

  private movi(event: OracleEvent, device: number, id: number, icid: number): void {
    event.icid = icid;
    const mapped = this.find(device, id);
    const to = this.collections.get(icid);
    if (mapped.collection?.target == null || to?.target == null)
      throw new Refusal("COLLECTION_UNMAPPED");
    mapped.collection = to;
    mapped.icid = icid;
    this.cache.clear();
    event.rdbase = to.target;
    (this.lpis.get(mapped.lpi) as Lpi).target = to.target;
  }

  private discard(deviceId: number, eventId: number): void {
    const mapped = this.find(deviceId, eventId);
    if (mapped.collection?.target == null) throw new Refusal("COLLECTION_UNMAPPED");
    const device = this.devices.get(deviceId) as Device;
    this.cache.clear();
    device.events.delete(eventId);
    this.prune();
    this.store(device.itt + BigInt(eventId) * 8n, 0n, "ITT_FAULT");
  }

  private invall(icid: number): void {
    const target = this.collections.get(icid)?.target ?? null;
    if (target === null) throw new Refusal("COLLECTION_UNMAPPED");
    for (const [number, lpi] of this.lpis)
      if (lpi.target === target) this.guard({ status: "" }, () => this.reload(number));
  }

  private movall(from: number, to: number): void {
    if (from >= this.redists.length || to >= this.redists.length) throw new Refusal("RDBASE_OOR");
    if (from === to) return;
    for (const lpi of this.lpis.values()) if (lpi.target === from) lpi.target = to;
    this.cache.clear();
  }
}
