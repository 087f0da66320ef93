// vIOMMUs, vDEVICEs, hardware queues: a guest's slice of a physical SMMU (Linux 7.2
// iommufd/viommu.c).
import {
  IOMMU_VEVENTQ_TYPE_ARM_SMMUV3,
  IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV,
  IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV,
} from "../../spec/uapi-iommufd.ts";
import { fail } from "../errno.ts";
import { PAGE_BYTES } from "../user-memory.ts";
import { COMMAND_BYTES, convertCommand, type KernelVersion } from "./convert.ts";
import type { IommufdDevice } from "./device.ts";
import type { HostSmmu, HostVintf } from "./driver.ts";
import type { HwptPaging } from "./hwpt.ts";
import { IommufdObject, type ObjectTable } from "./object.ts";
import type { Veventq } from "./veventq.ts";

/** Commands the kernel converts before it issues them, followed by one CMD_SYNC. */
const BATCH_COMMANDS = 63;

/** Largest guest StreamID that SID_MATCH can hold. */
const SID_MATCH_LAST = (1n << 20n) - 1n;

/** Smallest hardware queue: two commands. */
const QUEUE_BYTES_MIN = 32n;

/** Highest address bit of a hardware queue. */
const QUEUE_ADDRESS_BITS = 48n;

/** IOMMUFD_OBJ_VIOMMU. */
export class Viommu extends IommufdObject {
  override readonly type = "viommu";
  private readonly vdevices = new Map<bigint, Vdevice>();
  private readonly queues = new Map<number, Veventq>();
  readonly hwQueues: (HwQueue | undefined)[] = [];
  readonly vintf: HostVintf | undefined;

  constructor(
    readonly viommuType: number,
    readonly smmu: HostSmmu,
    readonly parent: HwptPaging,
  ) {
    super();
    if (parent.host.smmu !== smmu) fail("EINVAL", "the nest parent belongs to another SMMU");
    if (viommuType === IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV) {
      this.vintf = smmu.allocVintf(this.vmid);
      this.vintf.onErrors = (map) => this.reportCmdqvErrors(map);
    }
    parent.users++;
  }

  /** The VM's VMID on the physical SMMU. */
  get vmid(): number {
    return this.parent.host.tag;
  }

  vdeviceOf(device: IommufdDevice): Vdevice | undefined {
    return device.vdevice?.viommu === this ? device.vdevice : undefined;
  }

  addVdevice(vdevice: Vdevice): void {
    if (this.vdevices.has(vdevice.virtId))
      fail("EEXIST", `guest StreamID 0x${vdevice.virtId.toString(16)} is taken`);
    this.vdevices.set(vdevice.virtId, vdevice);
  }

  removeVdevice(vdevice: Vdevice): void {
    this.vdevices.delete(vdevice.virtId);
  }

  /** EEXIST when there is a queue of that type. */
  refuseQueue(eventType: number): void {
    if (this.queues.has(eventType))
      fail("EEXIST", `the vIOMMU has an event queue of type ${eventType}`);
  }

  addQueue(queue: Veventq): void {
    this.queues.set(queue.eventType, queue);
  }

  forget(queue: Veventq): void {
    this.queues.delete(queue.eventType);
  }

  /** The event queue of a type. */
  queueOf(eventType: number): Veventq | undefined {
    return this.queues.get(eventType);
  }

  /** Queues an SMMU event for the guest; lost without a queue. */
  reportSmmuEvent(record: Uint8Array): void {
    this.queues.get(IOMMU_VEVENTQ_TYPE_ARM_SMMUV3)?.push(record);
  }

  /** Queues a VINTF error map for the guest. */
  reportCmdqvErrors(map: Uint8Array): void {
    this.queues.get(IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV)?.push(map);
  }

  /**
   * Converts and issues an array of commands. `done` counts entries as the kernel reports them:
   * 7.2 counts what it converted although a later error kept it from being issued, the next kernel
   * only what was issued.
   */
  invalidate(
    commands: readonly Uint8Array[],
    kernel: KernelVersion,
    done: (n: number) => void,
  ): void {
    const how = {
      vmid: this.vmid,
      sidOf: (vsid: bigint) => this.vdevices.get(vsid)?.device.host.streams[0],
      info: this.smmu.info,
      kernel,
    };
    let batch: Uint8Array[] = [];
    for (const [i, raw] of commands.entries()) {
      if (raw.length !== COMMAND_BYTES) fail("EINVAL", "a command has 16 bytes");
      if (kernel === "next") {
        this.smmu.issue([convertCommand(raw, how)]);
        done(i + 1);
        continue;
      }
      done(i);
      batch.push(convertCommand(raw, how));
      done(i + 1);
      if (batch.length < BATCH_COMMANDS && i + 1 < commands.length) continue;
      this.smmu.issue(batch);
      batch = [];
    }
  }

  override destroy(): void {
    this.vintf?.release();
    this.parent.users--;
  }
}

/** IOMMUFD_OBJ_VDEVICE: the guest StreamID of a device. */
export class Vdevice extends IommufdObject {
  override readonly type = "vdevice";
  private slot: number | undefined;

  constructor(
    readonly viommu: Viommu,
    readonly device: IommufdDevice,
    readonly virtId: bigint,
  ) {
    super();
    if (viommu.smmu !== device.host.smmu) fail("EINVAL", "the device is behind another SMMU");
    if (device.vdevice !== undefined) fail("EEXIST", `${device.host.name} has a vDEVICE`);
    viommu.addVdevice(this);
    try {
      this.initialise();
    } catch (error) {
      viommu.removeVdevice(this);
      throw error;
    }
    viommu.users++;
    device.vdevice = this;
  }

  private initialise(): void {
    const { vintf } = this.viommu;
    if (vintf !== undefined && this.virtId > SID_MATCH_LAST)
      fail("EINVAL", "the guest StreamID does not fit into SID_MATCH");
    const { streams, name } = this.device.host;
    if (streams.length !== 1)
      fail("EOPNOTSUPP", `${name} has ${streams.length} StreamIDs, not one`);
    this.slot = vintf?.matchSid(this.virtId, streams[0]);
  }

  override destroy(): void {
    if (this.slot !== undefined) this.viommu.vintf?.unmatchSid(this.slot);
    this.viommu.removeVdevice(this);
    this.viommu.users--;
    this.device.vdevice = undefined;
  }
}

/** The kernel's own handle on an address space; user space sees only that its id is taken. */
class Access extends IommufdObject {
  override readonly type = "access";
  override destroy(): void {}
}

/** IOMMUFD_OBJ_HW_QUEUE: a guest command queue that the hardware consumes by itself. */
export class HwQueue extends IommufdObject {
  override readonly type = "hw-queue";
  private unlock: (() => void) | undefined;
  private access: Access | undefined;
  private previous: HwQueue | undefined;

  constructor(
    readonly viommu: Viommu,
    readonly index: number,
    readonly iova: bigint,
    readonly bytes: bigint,
    private readonly objects: ObjectTable,
  ) {
    super();
    viommu.users++;
  }

  /** Pins the guest's queue and starts it; the queue has its id already. Destroy it on failure. */
  start(): void {
    this.access = this.objects.add(new Access());
    this.access.users = 2;
    const aligned = this.iova & ~(PAGE_BYTES - 1n);
    const end = (this.iova + this.bytes + PAGE_BYTES - 1n) & ~(PAGE_BYTES - 1n);
    const { runs, unlock } = this.viommu.parent.ioas.lock(aligned, end - aligned);
    this.unlock = unlock;
    if (runs.length !== 1) fail("EFAULT", "the queue's host pages are not contiguous");
    this.connect(runs[0].pa + (this.iova - aligned));
  }

  private connect(pa: bigint): void {
    const { vintf, hwQueues } = this.viommu;
    if (vintf === undefined) fail("EOPNOTSUPP", "the vIOMMU has no hardware queues");
    if (this.index >= vintf.queues) fail("EINVAL", `the VINTF has ${vintf.queues} queues`);
    if (hwQueues[this.index] !== undefined) fail("EEXIST", `queue ${this.index} exists`);
    const previous = this.index > 0 ? hwQueues[this.index - 1] : undefined;
    if (this.index > 0 && previous === undefined)
      fail("EIO", `queue ${this.index - 1} must be made first`);
    const log2 = Math.log2(Number(this.bytes / BigInt(COMMAND_BYTES)));
    if (this.bytes < QUEUE_BYTES_MIN || !Number.isInteger(log2) || log2 > vintf.maxLog2Entries)
      fail("EINVAL", "the length is not a power of two that the hardware has");
    if (pa >> QUEUE_ADDRESS_BITS !== 0n || pa % this.bytes !== 0n)
      fail("EINVAL", "the queue is not aligned to its length");
    vintf.startQueue(this.index, pa, log2);
    this.previous = previous;
    if (previous !== undefined) previous.users++;
    hwQueues[this.index] = this;
  }

  override destroy(): void {
    if (this.viommu.hwQueues[this.index] === this) {
      this.viommu.vintf?.stopQueue(this.index);
      this.viommu.hwQueues[this.index] = undefined;
    }
    if (this.previous !== undefined) this.previous.users--;
    this.unlock?.();
    if (this.access !== undefined) this.objects.remove(this.access);
    this.viommu.users--;
  }
}
