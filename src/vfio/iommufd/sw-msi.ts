// The window in which iommufd maps the physical MSI doorbell pages (Linux 7.2 iommufd_sw_msi).
import { fail } from "../errno.ts";
import { PAGE_BYTES } from "../user-memory.ts";
import type { IommufdDevice } from "./device.ts";
import type { HwptPaging } from "./hwpt.ts";

/** Doorbell pages one fd can map. */
const DOORBELLS_MAX = 64;

const READ_WRITE = { read: true, write: true, device: true };

/**
 * The doorbell pages of one fd in the order of their first use; each has a fixed place in the
 * window.
 */
export class DoorbellWindow {
  private readonly pages: { readonly start: bigint; readonly pa: bigint; readonly iova: bigint }[] =
    [];

  /** The IOVA of a doorbell for a device, mapped into the table it is attached to. */
  iova(device: IommufdDevice, doorbell: bigint): bigint {
    const { swMsiStart: start } = device.host.smmu;
    if (start === undefined || device.hwpt === undefined) return doorbell;
    const offset = doorbell % PAGE_BYTES;
    const index = this.pageOf(start, doorbell - offset);
    this.install(device.hwpt.paging, index);
    device.doorbells.add(index);
    return this.pages[index].iova + offset;
  }

  /** Maps the doorbells that a device already uses into the table it moves to. */
  installAll(device: IommufdDevice, paging: HwptPaging): void {
    for (const index of device.doorbells) this.install(paging, index);
  }

  private pageOf(start: bigint, pa: bigint): number {
    const known = this.pages.findIndex((p) => p.start === start && p.pa === pa);
    if (known >= 0) return known;
    if (this.pages.length >= DOORBELLS_MAX)
      fail("EOVERFLOW", `${DOORBELLS_MAX} doorbell pages are mapped`);
    const used = this.pages.filter((p) => p.start === start).length;
    this.pages.push({ start, pa, iova: start + BigInt(used) * PAGE_BYTES });
    return this.pages.length - 1;
  }

  private install(paging: HwptPaging, index: number): void {
    if (paging.doorbells.has(index)) return;
    const { iova, pa } = this.pages[index];
    paging.host.map(iova, pa, PAGE_BYTES, READ_WRITE);
    paging.doorbells.add(index);
  }
}
