// The Tegra241 CMDQV as a VMM shows it to a guest: trapped frames around one page that is not
// trapped (QEMU 11.1).
import type { Register } from "../spec/field.ts";
import {
  TEGRA241_CMDQV_CMDQ_ALLOC,
  TEGRA241_CMDQV_CMDQ_ERR_MAP,
  TEGRA241_CMDQV_CONFIG,
  TEGRA241_CMDQV_PARAM,
  TEGRA241_CMDQV_STATUS,
  TEGRA241_CMDQV_VINTF_ERR_MAP,
  TEGRA241_CMDQV_VINTF_INT_MASK,
  TEGRA241_VINTF_CONFIG,
  TEGRA241_VINTF_SID_MATCH,
  TEGRA241_VINTF_SID_REPLACE,
  TEGRA241_VINTF_STATUS,
} from "../spec/tegra241.ts";
import {
  IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV,
  iommu_vevent_tegra241_cmdqv,
  iommufd_vevent_header,
} from "../spec/uapi-iommufd.ts";
import { getField, packFields, setField, wordsOf } from "../spec/word.ts";
import { KernelError } from "../vfio/errno.ts";
import type { VeventqHandle } from "../vfio/iommufd/client.ts";
import type { CmdqvInfo, DevicePage } from "../vfio/iommufd/driver.ts";
import type { HostIommuDevice } from "./accel-port.ts";
import type { ViommuMaker } from "./accel-viommu.ts";
import { CmdqvQueue } from "./cmdqv-queue.ts";
import { CMDQV_PAGE, QUEUE_STRIDE } from "./cmdqv-registers.ts";

/** What a guest sees: this version, one interface, two queues, 16 StreamIDs. */
const VERSION = 1;
const QUEUES_LOG2 = 1;
const SIDS_LOG2 = 4;
const QUEUES = 2 ** QUEUES_LOG2;
const SIDS = 2 ** SIDS_LOG2;
/** As deep as the kernel allows. */
const EVENT_DEPTH = 2 ** 19;
const FRAMES = { config: 0, queue0: 1, queue1: 2, vintf0: 3, vintf1: 4 } as const;

/** Bytes of the whole frame in guest-physical memory. */
export const CMDQV_BYTES = 5 * CMDQV_PAGE;

const one = (...args: Parameters<typeof packFields>): number => Number(packFields(...args)[0]);
const isSet = <N extends string>(layout: Register<N>, value: number, name: NoInfer<N>): boolean =>
  getField(layout, [BigInt(value)], name) === 1n;

/** Why a host's CMDQV cannot serve a guest; undefined when it can. */
export function refuseCmdqv(info: CmdqvInfo): string | undefined {
  if (info.version !== VERSION) return `the host's CMDQV has version ${info.version}`;
  if (info.log2vcmdqs < QUEUES_LOG2) return "the host has too few queues in an interface";
  if (info.log2vsids < SIDS_LOG2) return "the host has too few StreamIDs in an interface";
  return undefined;
}

/** How the CMDQV reaches the machine. */
export interface CmdqvOptions {
  /** mmap() of the iommufd. Throws the KernelError. */
  readonly mapPage: (offset: bigint, bytes: bigint) => DevicePage;
  /** Pulses the CMDQV's interrupt. */
  readonly interrupt?: () => void;
}

/** One guest's CMDQV. */
export class Cmdqv {
  private readonly queues: readonly CmdqvQueue[];
  private readonly alloc = new Array<number>(QUEUES).fill(0);
  private readonly match = new Array<number>(SIDS).fill(0);
  private readonly replace = new Array<number>(SIDS).fill(0);
  private config = one(TEGRA241_CMDQV_CONFIG, { CMDQV_EN: 1 });
  private vintfConfig = 0;
  private vintfStatus = 0;
  private mask = 0;
  private errors = 0n;
  private page: DevicePage | undefined;
  private viommu: { readonly id: number; readonly mmapOffset: bigint } | undefined;
  private device: HostIommuDevice | undefined;
  private events: VeventqHandle | undefined;

  constructor(private readonly options: CmdqvOptions) {
    this.queues = Array.from({ length: QUEUES }, (_, i) => new CmdqvQueue(i));
  }

  /** Why the host cannot serve this CMDQV; undefined when it can. */
  static probe({ client, devid }: HostIommuDevice): string | undefined {
    try {
      return refuseCmdqv(client.cmdqvInfo(devid));
    } catch (error) {
      if (error instanceof KernelError) return "the host has no CMDQV";
      throw error;
    }
  }

  /** Makes the vIOMMU with an interface of the host's CMDQV, and the queue for its errors. */
  readonly makeViommu: ViommuMaker = (device) => {
    const { client, devid, s2HwptId } = device;
    const viommu = client.allocCmdqvViommu(devid, s2HwptId);
    try {
      this.events = client.allocVeventq(viommu.id, IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV, EVENT_DEPTH);
    } catch (error) {
      client.destroy(viommu.id);
      throw error;
    }
    this.viommu = viommu;
    this.device = device;
    return { id: viommu.id, release: () => this.release() };
  };

  private release(): void {
    this.disableInterface();
    if (this.events !== undefined) {
      this.device?.client.close(this.events.fd);
      this.device?.client.destroy(this.events.id);
    }
    this.events = undefined;
    this.viommu = undefined;
    this.device = undefined;
  }

  /** The page that the guest reaches without a trap; undefined while the interface is off. */
  get directPage(): DevicePage | undefined {
    return this.page;
  }

  /** Offset of that page in the frame. */
  static readonly directOffset = FRAMES.vintf0 * CMDQV_PAGE;

  /** System reset: queues go, the last one first, and every register is as at start. */
  reset(): void {
    this.disableInterface();
    for (const q of this.queues) q.reset();
    this.alloc.fill(0);
    this.match.fill(0);
    this.replace.fill(0);
    this.config = one(TEGRA241_CMDQV_CONFIG, { CMDQV_EN: 1 });
    this.vintfConfig = 0;
    this.mask = 0;
    this.errors = 0n;
  }

  private get enabled(): boolean {
    return isSet(TEGRA241_CMDQV_CONFIG, this.config, "CMDQV_EN");
  }

  private get interfaceEnabled(): boolean {
    return isSet(TEGRA241_VINTF_CONFIG, this.vintfConfig, "EN");
  }

  /** A trapped read of 4 or 8 bytes at an offset of the frame. */
  read(offset: number, size: 4 | 8 = 4): bigint {
    const frame = Math.floor(offset / CMDQV_PAGE);
    const at = offset % CMDQV_PAGE;
    if (frame === FRAMES.config) return BigInt(this.readConfig(at));
    const queue = this.queues[this.queueAt(frame, at)];
    if (queue === undefined) return 0n;
    const register = at % QUEUE_STRIDE;
    const isPage0 = frame === FRAMES.queue0 || frame === FRAMES.vintf0;
    return isPage0 ? BigInt(queue.read(register, this.page)) : queue.readBase(register, size);
  }

  /** A trapped write. */
  write(offset: number, value: bigint | number, size: 4 | 8 = 4): void {
    const frame = Math.floor(offset / CMDQV_PAGE);
    const at = offset % CMDQV_PAGE;
    if (frame === FRAMES.config) {
      if (size === 4) this.writeConfig(at, Number(value));
      return;
    }
    const index = this.queueAt(frame, at);
    const queue = this.queues[index];
    if (queue === undefined) return;
    const register = at % QUEUE_STRIDE;
    if (frame === FRAMES.queue0 || frame === FRAMES.vintf0) {
      if (size === 4) queue.write(register, Number(value), this.page);
    } else if (queue.writeBase(register, BigInt(value), size)) this.setUp(index);
  }

  /** The queue behind a register: by its own number, or by its number within the interface. */
  private queueAt(frame: number, at: number): number {
    const number = Math.floor(at / QUEUE_STRIDE);
    if (frame === FRAMES.queue0 || frame === FRAMES.queue1) return number;
    return this.alloc.findIndex(
      (word) =>
        isSet(TEGRA241_CMDQV_CMDQ_ALLOC, word, "ALLOCATED") &&
        getField(TEGRA241_CMDQV_CMDQ_ALLOC, [BigInt(word)], "LVCMDQ") === BigInt(number),
    );
  }

  private readConfig(at: number): number {
    const low = Number(BigInt.asUintN(32, this.errors));
    switch (at) {
      case TEGRA241_CMDQV_CONFIG.offset:
        return this.config;
      case TEGRA241_CMDQV_PARAM.offset:
        return one(TEGRA241_CMDQV_PARAM, {
          VER: VERSION,
          NUM_VCMDQ_LOG2: QUEUES_LOG2,
          NUM_SID_PER_VM_LOG2: SIDS_LOG2,
        });
      case TEGRA241_CMDQV_STATUS.offset:
        return one(TEGRA241_CMDQV_STATUS, { CMDQV_ENABLED: this.enabled ? 1 : 0 });
      case TEGRA241_CMDQV_VINTF_ERR_MAP.offset:
        return this.errors === 0n ? 0 : 1;
      case TEGRA241_CMDQV_VINTF_INT_MASK.offset:
        return this.mask;
      case TEGRA241_CMDQV_CMDQ_ERR_MAP.offset:
        return low;
      case TEGRA241_VINTF_CONFIG.offset:
        return this.vintfConfig;
      case TEGRA241_VINTF_STATUS.offset:
        return this.vintfStatus;
      case VINTF_ERRORS:
        return low;
      default:
        return this.wordOf(at)?.read() ?? 0;
    }
  }

  /** An element of an array of words in the configuration frame. */
  private wordOf(at: number): { read(): number; write(value: number): void } | undefined {
    const arrays = [
      [TEGRA241_CMDQV_CMDQ_ALLOC.offset, this.alloc],
      [TEGRA241_VINTF_SID_MATCH.offset, this.match],
      [TEGRA241_VINTF_SID_REPLACE.offset, this.replace],
    ] as const;
    for (const [base, list] of arrays) {
      const i = (at - base) / 4;
      if (!Number.isInteger(i) || i < 0 || i >= list.length) continue;
      return {
        read: () => list[i],
        write: (value) => {
          list[i] = value;
        },
      };
    }
    return undefined;
  }

  private writeConfig(at: number, value: number): void {
    switch (at) {
      case TEGRA241_CMDQV_CONFIG.offset:
        this.config = value;
        this.setUpAll();
        break;
      case TEGRA241_CMDQV_VINTF_INT_MASK.offset:
        this.mask = value;
        break;
      case TEGRA241_VINTF_CONFIG.offset:
        this.writeInterface(value);
        break;
      default:
        this.wordOf(at)?.write(value);
        this.allocated(at);
    }
  }

  /** A queue that stops being allocated goes; one that becomes so may start. */
  private allocated(at: number): void {
    const index = (at - TEGRA241_CMDQV_CMDQ_ALLOC.offset) / 4;
    if (!(index in this.alloc)) return;
    if (this.isAllocated(index)) this.setUp(index);
    else this.queues[index].free(this.device?.client);
  }

  private isAllocated(index: number): boolean {
    return isSet(TEGRA241_CMDQV_CMDQ_ALLOC, this.alloc[index], "ALLOCATED");
  }

  /** The guest never owns the interface as a hypervisor would. */
  private writeInterface(value: number): void {
    this.vintfConfig = Number(setField(TEGRA241_VINTF_CONFIG, [BigInt(value)], "HYP_OWN", 0)[0]);
    if (!this.interfaceEnabled) {
      this.disableInterface();
      return;
    }
    if (this.page === undefined && this.viommu !== undefined)
      this.page = this.options.mapPage(this.viommu.mmapOffset, BigInt(CMDQV_PAGE));
    this.vintfStatus = one(TEGRA241_VINTF_STATUS, { ENABLED: 1 });
    this.setUpAll();
  }

  private disableInterface(): void {
    this.page = undefined;
    for (const queue of [...this.queues].reverse()) queue.free(this.device?.client);
    this.vintfStatus = 0;
  }

  private setUpAll(): void {
    for (const index of this.queues.keys()) this.setUp(index);
  }

  /** Starts a queue in the hardware once everything that it needs is there. */
  private setUp(index: number): void {
    const queue = this.queues[index];
    const ready = this.isAllocated(index) && this.enabled && this.interfaceEnabled && queue.hasBase;
    if (!ready || this.viommu === undefined || this.device === undefined) return;
    queue.start(this.device.client, this.viommu.id, this.page);
  }

  /** Errors that the hardware reported since the last call. */
  pollErrors(): void {
    if (this.events === undefined || this.device === undefined) return;
    const bytes = iommufd_vevent_header.bytes + iommu_vevent_tegra241_cmdqv.bytes;
    for (;;) {
      const event = this.device.client.read(this.events.fd, bytes);
      if (event.length === 0) return;
      if (event.length < bytes) continue;
      const [map] = wordsOf(event.subarray(iommufd_vevent_header.bytes));
      this.errors = map;
      if (this.mask % 2 === 0) this.options.interrupt?.();
    }
  }
}

/** Errors of the queues of interface 0, by their number in it. */
const VINTF_ERRORS = 0x10c0;
