// One queue of a guest's CMDQV: cached registers until the hardware runs it from guest memory (QEMU
// 11.1).
import {
  TEGRA241_VCMDQ_BASE,
  TEGRA241_VCMDQ_CONFIG,
  TEGRA241_VCMDQ_STATUS,
} from "../spec/tegra241.ts";
import { IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV } from "../spec/uapi-iommufd.ts";
import { getField, packFields } from "../spec/word.ts";
import { KernelError } from "../vfio/errno.ts";
import type { IommufdClient } from "../vfio/iommufd/client.ts";
import { COMMAND_BYTES } from "../vfio/iommufd/convert.ts";
import type { DevicePage } from "../vfio/iommufd/driver.ts";
import {
  INIT_ERR,
  PAGE0,
  PAGE1,
  QUEUE_STRIDE,
  type QueueRegisters,
  queueMember,
  resetQueue,
} from "./cmdqv-registers.ts";

const WORD = 2n ** 32n;
/** Registers of page 0 that software may write. */
const WRITABLE: readonly number[] = [PAGE0.CONS, PAGE0.PROD, PAGE0.CONFIG, PAGE0.GERRORN];

/** A queue of the guest. */
export class CmdqvQueue {
  private registers: QueueRegisters = resetQueue();
  private base = 0n;
  private report = 0n;
  /** Object of the running queue in the iommufd. */
  private object: number | undefined;

  constructor(readonly index: number) {}

  /** The hardware runs it. */
  get live(): boolean {
    return this.object !== undefined;
  }

  /** The guest has given it memory. */
  get hasBase(): boolean {
    return getField(TEGRA241_VCMDQ_BASE, [this.base], "ADDR") !== 0n;
  }

  reset(): void {
    this.registers = resetQueue();
    this.base = 0n;
    this.report = 0n;
  }

  /** A register of page 0: the hardware's own while it runs. */
  read(offset: number, page: DevicePage | undefined): number {
    if (this.live && page !== undefined) return page.read(this.index * QUEUE_STRIDE + offset);
    const member = queueMember(offset);
    return member === undefined ? 0 : this.registers[member];
  }

  write(offset: number, value: number, page: DevicePage | undefined): void {
    if (!WRITABLE.includes(offset)) return;
    if (this.live && page !== undefined) {
      page.write(this.index * QUEUE_STRIDE + offset, value);
      return;
    }
    const member = queueMember(offset);
    if (member === undefined) return;
    this.registers[member] = value;
    if (offset !== PAGE0.CONFIG) return;
    const on = getField(TEGRA241_VCMDQ_CONFIG, [BigInt(value)], "EN") === 1n;
    const ENABLED = on && this.registers.gerror !== INIT_ERR ? 1 : 0;
    this.registers.status = Number(packFields(TEGRA241_VCMDQ_STATUS, { ENABLED })[0]);
  }

  /** BASE and CONS_INDX_BASE, whole or by half. */
  readBase(offset: number, size: 4 | 8): bigint {
    const whole = offset < PAGE1.CONS_INDX_BASE ? this.base : this.report;
    const isHigh = offset % 8 === 4;
    if (size === 8) return whole;
    return isHigh ? whole / WORD : whole % WORD;
  }

  /** True when the base was written. */
  writeBase(offset: number, value: bigint, size: 4 | 8): boolean {
    const isBase = offset >= PAGE1.BASE && offset < PAGE1.BASE + 8;
    const isReport = offset >= PAGE1.CONS_INDX_BASE && offset < PAGE1.CONS_INDX_BASE + 8;
    const before = isBase ? this.base : this.report;
    const isHigh = offset % 8 === 4;
    const low = isHigh ? before % WORD : value % WORD;
    const high = isHigh ? value % WORD : before / WORD;
    const after = size === 8 ? value : high * WORD + low;
    if (isBase) this.base = after;
    else if (isReport) this.report = after;
    return isBase;
  }

  /** Gives the queue to the hardware, an older one first taken back; its registers follow. */
  start(client: IommufdClient, viommu: number, page: DevicePage | undefined): void {
    this.free(client);
    const words = [this.base];
    const log2 = getField(TEGRA241_VCMDQ_BASE, words, "LOG2SIZE");
    const at = getField(TEGRA241_VCMDQ_BASE, words, "ADDR");
    const bytes = BigInt(COMMAND_BYTES) * 2n ** log2;
    try {
      const type = IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV;
      this.object = client.allocHwQueue(viommu, type, this.index, at, bytes);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      this.registers.gerror = INIT_ERR;
      this.registers.status = 0;
      return;
    }
    this.registers.gerror = 0;
    const { cons, prod, config, gerrorn } = this.registers;
    const first = this.index * QUEUE_STRIDE;
    page?.write(first + PAGE0.CONS, cons);
    page?.write(first + PAGE0.PROD, prod);
    page?.write(first + PAGE0.CONFIG, config);
    page?.write(first + PAGE0.GERRORN, gerrorn);
  }

  /** Takes the queue back from the hardware. */
  free(client: IommufdClient | undefined): void {
    if (this.object !== undefined) client?.destroy(this.object);
    this.object = undefined;
  }
}
