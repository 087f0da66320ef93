// Bound devices and what they are attached to: attach, replace, detach (Linux 7.2
// iommufd/device.c).
import { fail } from "../errno.ts";
import type { HostDevice } from "./driver.ts";
import type { Hwpt, HwptPaging } from "./hwpt.ts";
import { IommufdObject } from "./object.ts";
import type { Vdevice } from "./viommu.ts";

/** IOMMUFD_OBJ_DEVICE: made by binding a VFIO device, gone when that is closed. */
export class IommufdDevice extends IommufdObject {
  override readonly type = "device";
  hwpt: Hwpt | undefined;
  vdevice: Vdevice | undefined;
  /** Doorbell pages that the device's interrupts need, by their number in the fd's list. */
  readonly doorbells = new Set<number>();
  /** PASIDs attached beside the device itself. */
  readonly pasids = new Map<number, Hwpt>();

  constructor(readonly host: HostDevice) {
    super();
    // The driver that bound it is a user, so user space cannot destroy it.
    this.users = 2;
  }

  /**
   * Attaches to a page table, or moves there in one step; `onTable` prepares the table that will
   * hold the doorbells. Nothing changes on failure.
   */
  attach(hwpt: Hwpt, onTable: (paging: HwptPaging) => void = () => {}): void {
    const old = this.hwpt;
    if (old === hwpt) return;
    if (hwpt.host.smmu !== this.host.smmu)
      fail("EINVAL", `HWPT ${hwpt.id} is for another SMMU than ${this.host.name}`);
    if (this.pasids.size > 0 && !hwpt.pasidCompatible)
      fail("EINVAL", `${this.host.name} has PASIDs attached and HWPT ${hwpt.id} allows none`);
    if (hwpt.type === "hwpt-nested" && this.host.smmu.ssidsInUse(this.host))
      fail("EBUSY", `SubstreamIDs of ${this.host.name} use the host's CD table`);
    const to = hwpt.vmasterFor(this);
    this.reserve(hwpt);
    try {
      onTable(hwpt.paging);
      this.host.smmu.attach(this.host, hwpt.host, to);
    } catch (error) {
      if (hwpt.ioas !== old?.ioas) hwpt.ioas.unreserve(this);
      throw error;
    }
    if (old !== undefined && old.ioas !== hwpt.ioas) old.ioas.unreserve(this);
    hwpt.users++;
    if (old === undefined) this.users++;
    else old.users--;
    this.hwpt = hwpt;
  }

  /** Keeps the MSI window of the device's SMMU free in the address space behind a page table. */
  private reserve(hwpt: Hwpt): void {
    const { swMsiStart, swMsiBytes } = this.host.smmu;
    if (hwpt.ioas === this.hwpt?.ioas || swMsiStart === undefined) return;
    hwpt.ioas.reserve({ start: swMsiStart, last: swMsiStart + swMsiBytes - 1n }, this);
  }

  /** Back to blocked DMA. */
  detach(): void {
    const old = this.hwpt;
    if (old === undefined) fail("EINVAL", `${this.host.name} is not attached`);
    this.host.smmu.attach(this.host, undefined);
    old.ioas.unreserve(this);
    old.users--;
    this.users--;
    this.hwpt = undefined;
  }

  /** Attaches one PASID of the device to a page table that was allocated for PASIDs. */
  attachPasid(pasid: number, hwpt: Hwpt): void {
    if (!hwpt.pasidCompatible || hwpt.host.is !== "paging" || hwpt.host.stage !== 1)
      fail("EINVAL", `HWPT ${hwpt.id} cannot serve a PASID`);
    if (this.hwpt !== undefined && !this.hwpt.pasidCompatible)
      fail("EINVAL", `HWPT ${this.hwpt.id} of ${this.host.name} allows no PASIDs`);
    if (this.hwpt === undefined || this.hwpt.host.is !== "paging" || this.hwpt.host.stage !== 1)
      fail("EINVAL", `${this.host.name} has no host CD table`);
    if (pasid === 0 || pasid >= 1 << this.host.pasidBits)
      fail("EINVAL", `PASID ${pasid} is invalid`);
    this.host.smmu.attachPasid(this.host, pasid, hwpt.host);
    const old = this.pasids.get(pasid);
    if (old !== undefined) old.users--;
    hwpt.users++;
    this.pasids.set(pasid, hwpt);
  }

  /** Undoes attachPasid. */
  detachPasid(pasid: number): void {
    const old = this.pasids.get(pasid);
    if (old === undefined) fail("ENOENT", `PASID ${pasid} is not attached`);
    this.host.smmu.attachPasid(this.host, pasid, undefined);
    old.users--;
    this.pasids.delete(pasid);
  }

  override destroy(): void {
    for (const pasid of [...this.pasids.keys()]) this.detachPasid(pasid);
    if (this.hwpt !== undefined) this.detach();
  }
}
