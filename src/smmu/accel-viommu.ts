// The vIOMMU of one accelerated vSMMU with its abort and bypass page tables and its event queue
// (QEMU 11.1).
import { STE } from "../spec/ste.ts";
import { IOMMU_VEVENTQ_TYPE_ARM_SMMUV3 } from "../spec/uapi-iommufd.ts";
import { packFields } from "../spec/word.ts";
import type { IommufdClient, VeventqHandle } from "../vfio/iommufd/client.ts";
import { VSTE_CONFIG } from "../vfio/iommufd/vste.ts";
import type { HostIommuDevice } from "./accel-port.ts";

const vste = (config: bigint): [bigint, bigint] => {
  const [word0, word1] = packFields(STE, { V: 1, Config: config });
  return [word0, word1];
};

/** Makes the vIOMMU object: plain, or with a Tegra241 VINTF. */
export type ViommuMaker = (device: HostIommuDevice) => {
  readonly id: number;
  /** Releases what came with the vIOMMU, before it is destroyed. */
  release?(): void;
};

/** A plain vIOMMU. */
export const plainViommu: ViommuMaker = ({ client, devid, s2HwptId }) => ({
  id: client.allocViommu(devid, s2HwptId),
});

/** One vIOMMU and what is always under it. */
export class AccelViommu {
  readonly abortHwpt: number;
  readonly bypassHwpt: number;
  private queue: VeventqHandle | undefined;
  private readonly made: ReturnType<ViommuMaker>;

  /** Builds it on the device's nest parent; a failure takes everything back in reverse order. */
  constructor(
    private readonly client: IommufdClient,
    device: HostIommuDevice,
    maker: ViommuMaker,
  ) {
    this.made = maker(device);
    const undo: (() => void)[] = [() => this.dropViommu()];
    try {
      this.abortHwpt = client.allocNested(device.devid, this.id, vste(VSTE_CONFIG.abort));
      undo.push(() => client.destroy(this.abortHwpt));
      this.bypassHwpt = client.allocNested(device.devid, this.id, vste(VSTE_CONFIG.bypass));
    } catch (error) {
      for (const step of undo.reverse()) step();
      throw error;
    }
  }

  get id(): number {
    return this.made.id;
  }

  /** The page table that GBPA chooses. */
  gbpaHwpt(abort: boolean): number {
    return abort ? this.abortHwpt : this.bypassHwpt;
  }

  /** File of the event queue; undefined while the guest has not enabled its own. */
  get eventFd(): number | undefined {
    return this.queue?.fd;
  }

  /** Allocates the event queue once, as deep as the guest's. */
  openEvents(depth: number): void {
    this.queue ??= this.client.allocVeventq(this.id, IOMMU_VEVENTQ_TYPE_ARM_SMMUV3, depth);
  }

  /** Destroys everything, the vIOMMU last. */
  destroy(): void {
    if (this.queue !== undefined) {
      this.client.close(this.queue.fd);
      this.client.destroy(this.queue.id);
    }
    this.queue = undefined;
    this.client.destroy(this.bypassHwpt);
    this.client.destroy(this.abortHwpt);
    this.dropViommu();
  }

  private dropViommu(): void {
    this.made.release?.();
    this.client.destroy(this.id);
  }
}
