// The accelerated vSMMU: trapped registers, guest STEs installed on the host, invalidations
// forwarded (QEMU 11.1).
import { CERROR, CMD } from "../spec/command.ts";
import { CMDQ_PROD, CR0, CR0ACK, EVENTQ_BASE, GBPA, GERRORN, IDR0 } from "../spec/register.ts";
import { getField, wordsOf } from "../spec/word.ts";
import { AccelEndpoint, type InstallContext } from "./accel-endpoint.ts";
import { VeventReader } from "./accel-events.ts";
import type { AccelEvent, GuestSmmu, HostIommuDevice } from "./accel-port.ts";
import { type AccelQuirkName, accelQuirks } from "./accel-quirks.ts";
import { AccelViommu, plainViommu, type ViommuMaker } from "./accel-viommu.ts";

/** Page 1 shares page 0's registers. */
const PAGE_BYTES = 0x10000;
const CERROR_ILL = Number(Object.entries(CERROR.values).find(([, name]) => name === "ILL")?.[0]);
/** CMD_CFGI_STE_RANGE covers 2^(Range+1) StreamIDs. */
const RANGE_BIAS = 1n;

const opcodeOf = (name: keyof typeof CMD.cases): number => CMD.cases[name].value as number;

const CFGI_STE = opcodeOf("CMD_CFGI_STE");
const CFGI_STE_RANGE = opcodeOf("CMD_CFGI_STE_RANGE");
const ATC_INV = opcodeOf("CMD_ATC_INV");
/** Forwarded when the host knows the StreamID. */
const BY_STREAM = new Set([opcodeOf("CMD_CFGI_CD"), opcodeOf("CMD_CFGI_CD_ALL"), ATC_INV]);
const TLBI = new Set(
  (
    [
      "CMD_TLBI_NH_ASID",
      "CMD_TLBI_NH_ALL",
      "CMD_TLBI_NSNH_ALL",
      "CMD_TLBI_NH_VA",
      "CMD_TLBI_NH_VAA",
    ] as const
  ).map(opcodeOf),
);

/** How an accelerated vSMMU is made. */
export interface AccelOptions {
  readonly guest: GuestSmmu;
  readonly compat?: "arch" | "qemu";
  /** Single switches instead of those of `compat`. */
  readonly quirks?: ReadonlySet<AccelQuirkName>;
  readonly makeViommu?: ViommuMaker;
  readonly onEvent?: (event: AccelEvent) => void;
}

/** Loads of guest memory that the VMM made for one accelerated vSMMU, by their reason. */
export interface VmmReads {
  /** Entries of the command queue. */
  readonly commands: number;
  /** Stream table entries and level-1 descriptors, only while a CFGI_STE is handled. */
  readonly streamTable: number;
  /** Everything else: page tables and CDs. Zero is the claim. */
  readonly tables: number;
}

/** The accelerated half of one vSMMU. */
export class AccelSmmu {
  readonly guest: GuestSmmu;
  readonly quirks: ReadonlySet<AccelQuirkName>;
  private readonly makeViommu: ViommuMaker;
  private readonly onEvent: (event: AccelEvent) => void;
  private readonly endpoints: AccelEndpoint[] = [];
  private viommu: AccelViommu | undefined;
  private reader: VeventReader;
  private reads = { commands: 0, streamTable: 0 };

  constructor(options: AccelOptions) {
    this.guest = options.guest;
    this.quirks = options.quirks ?? accelQuirks(options.compat ?? "arch");
    this.makeViommu = options.makeViommu ?? plainViommu;
    this.onEvent = options.onEvent ?? (() => {});
    this.reader = new VeventReader(this.quirks.has("SEQUENCE_WRAP"));
  }

  /** Devices in the order in which the vSMMU visits them: the newest first. */
  get devices(): readonly AccelEndpoint[] {
    return this.endpoints;
  }

  /** Object id of the vIOMMU; undefined while there is no device. */
  get viommuId(): number | undefined {
    return this.viommu?.id;
  }

  get vmmReads(): VmmReads {
    const { commands, streamTable } = this.reads;
    return { commands, streamTable, tables: this.guest.guestReads - commands - streamTable };
  }

  /** Links a device; the first one makes the vIOMMU. Throws what the kernel answered. */
  addDevice(devfn: number, host: HostIommuDevice, sid = (): number => devfn): AccelEndpoint {
    const endpoint = new AccelEndpoint(devfn, host, sid);
    const first = this.viommu === undefined;
    this.viommu ??= this.openViommu(endpoint);
    if (!first && !this.quirks.has("LATER_DEVICES_ON_S2"))
      endpoint.attach(this.viommu.gbpaHwpt(this.gbpaAbort));
    this.endpoints.unshift(endpoint);
    this.onEvent({ kind: "device", devfn, devid: host.devid });
    return endpoint;
  }

  private openViommu(endpoint: AccelEndpoint): AccelViommu {
    const viommu = new AccelViommu(endpoint.host.client, endpoint.host, this.makeViommu);
    try {
      if (this.eventsEnabled) viommu.openEvents(this.eventDepth);
      endpoint.attach(viommu.gbpaHwpt(this.gbpaAbort));
    } catch (error) {
      viommu.destroy();
      throw error;
    }
    this.reader = new VeventReader(this.quirks.has("SEQUENCE_WRAP"));
    return viommu;
  }

  /** Unlinks a device; the last one takes the vIOMMU with it. */
  removeDevice(endpoint: AccelEndpoint): void {
    const at = this.endpoints.indexOf(endpoint);
    if (at < 0) return;
    this.endpoints.splice(at, 1);
    endpoint.detach();
    if (this.endpoints.length > 0) return;
    this.viommu?.destroy();
    this.viommu = undefined;
  }

  readRegister(offset: number, size: 4 | 8 = 4): bigint {
    return this.guest.readRegister(offset, size);
  }

  /** A trapped register write with everything that follows from it on the host. */
  writeRegister(offset: number, value: bigint | number, size: 4 | 8 = 4): void {
    const at = offset % PAGE_BYTES;
    const wasEnabled = this.enabled;
    this.guest.writeRegister(offset, value, size);
    if (at === CR0.offset || at === CMDQ_PROD.offset || at === GERRORN.offset) this.consume();
    if (at === CR0.offset) this.followCr0(wasEnabled);
    if (at === GBPA.offset && getField(GBPA, [BigInt(value)], "Update") === 1n) this.followGbpa();
  }

  /** System reset: GBPA's choice for every device, then the registers. */
  reset(): void {
    this.guest.reset();
    this.attachGbpa();
    if (!this.quirks.has("RESET_KEEPS_NESTED")) for (const e of this.endpoints) e.dropNested();
  }

  private field(register: typeof CR0 | typeof CR0ACK, name: "SMMUEN" | "EVENTQEN"): boolean {
    return getField(register, [this.guest.readRegister(register.offset)], name) === 1n;
  }

  private get enabled(): boolean {
    return this.field(CR0ACK, "SMMUEN");
  }

  private get eventsEnabled(): boolean {
    return this.field(CR0ACK, "EVENTQEN");
  }

  /** The vSMMU offers ATS to the guest. */
  private get ats(): boolean {
    return getField(IDR0, [this.guest.readRegister(IDR0.offset)], "ATS") === 1n;
  }

  private get gbpaAbort(): boolean {
    return getField(GBPA, [this.guest.readRegister(GBPA.offset)], "ABORT") === 1n;
  }

  private get eventDepth(): number {
    const base = this.guest.readRegister(EVENTQ_BASE.offset, 8);
    return 2 ** Number(getField(EVENTQ_BASE, [base], "LOG2SIZE"));
  }

  private followCr0(wasEnabled: boolean): void {
    if (this.viommu !== undefined && this.eventsEnabled)
      this.attempt(() => this.viommu?.openEvents(this.eventDepth));
    if (this.enabled === wasEnabled || this.quirks.has("SMMUEN_NO_REINSTALL")) return;
    if (this.enabled) for (const e of this.endpoints) this.installOne(e);
    else this.attachGbpa();
  }

  private followGbpa(): void {
    if (!this.enabled || this.quirks.has("GBPA_IGNORES_SMMUEN")) this.attachGbpa();
  }

  private attachGbpa(): void {
    const { viommu } = this;
    if (viommu === undefined) return;
    const hwpt = viommu.gbpaHwpt(this.gbpaAbort);
    for (const e of this.endpoints) this.attempt(() => e.attach(hwpt));
  }

  /** Runs a step; what goes wrong is reported and false returned. */
  private attempt(step: () => void): boolean {
    try {
      step();
      return true;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.onEvent({ kind: "error", text: error.message });
      return false;
    }
  }

  /**
   * Takes commands one by one; one that the host does not carry stops the queue with CERROR_ILL.
   */
  private consume(): void {
    for (;;) {
      const before = this.guest.guestReads;
      const command = this.guest.stepCommand();
      this.reads.commands += this.guest.guestReads - before;
      if (command === undefined) return;
      if (!this.accelerate(command)) this.guest.rejectCommand(CERROR_ILL);
    }
  }

  /** What a command means for the host. False when the host refused it. */
  private accelerate(raw: Uint8Array): boolean {
    const words = wordsOf(raw);
    const opcode = Number(getField(CMD, words, "Opcode"));
    const sid = Number(getField(CMD, words, "StreamID"));
    if (this.viommu === undefined) return true;
    if (opcode === CFGI_STE) return this.installRange(sid, sid);
    if (opcode === CFGI_STE_RANGE) {
      const range = 1n << (getField(CMD, words, "CFGI.Range") + RANGE_BIAS);
      const first = (BigInt(sid) / range) * range;
      return this.installRange(Number(first), Number(first + range - 1n));
    }
    if (BY_STREAM.has(opcode)) {
      const known = this.endpointOf(sid)?.vdevice !== undefined;
      return !known || (opcode === ATC_INV && !this.ats) || this.forward(raw);
    }
    return !TLBI.has(opcode) || this.forward(raw);
  }

  private endpointOf(sid: number): AccelEndpoint | undefined {
    return this.endpoints.find((e) => e.sid === sid);
  }

  /** Every device is tried; one failure fails the command. */
  private installRange(first: number, last: number): boolean {
    const hit = this.endpoints.filter(({ sid }) => sid >= first && sid <= last);
    return hit.map((e) => this.installOne(e)).every((ok) => ok);
  }

  private installOne(endpoint: AccelEndpoint): boolean {
    const { viommu } = this;
    if (viommu === undefined) return true;
    const context: InstallContext = {
      viommu,
      quirks: this.quirks,
      enabled: this.enabled,
      gbpaAbort: this.gbpaAbort,
      findSte: (s) => this.findSte(s),
      log: this.onEvent,
    };
    return this.attempt(() => endpoint.install(endpoint.sid, context));
  }

  private findSte(sid: number): bigint[] | undefined {
    const before = this.guest.guestReads;
    const ste = this.guest.findSte(sid);
    this.reads.streamTable += this.guest.guestReads - before;
    return ste;
  }

  private forward(command: Uint8Array): boolean {
    const viommu = this.viommu as AccelViommu;
    const { client } = this.endpoints[0].host;
    const { done, error } = client.invalidate(viommu.id, [command]);
    if (error === undefined) this.onEvent({ kind: "forward", command, done });
    else this.onEvent({ kind: "error", text: `invalidation failed with ${error}` });
    return error === undefined;
  }

  /**
   * Moves events of the host into the guest's queue until none is left; returns how many arrived.
   */
  pollEvents(): number {
    const fd = this.viommu?.eventFd;
    if (fd === undefined) return 0;
    const { client } = this.endpoints[0].host;
    for (let count = 0; ; ) {
      const event = this.reader.next((bytes) => client.read(fd, bytes));
      if (event.kind === "empty") return count;
      if (event.kind === "overflow") this.onEvent({ kind: "error", text: "events were lost" });
      if (event.kind === "short")
        this.onEvent({ kind: "error", text: `short read of ${event.bytes} bytes` });
      if (event.kind !== "record") continue;
      if (event.lost > 0) this.onEvent({ kind: "error", text: `${event.lost} event(s) were lost` });
      const appended = this.guest.appendEvent(event.record);
      this.onEvent({ kind: "event", record: event.record, appended });
      count++;
    }
  }
}
