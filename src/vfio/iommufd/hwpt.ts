// Hardware page tables: paging, nest parent, nested under a vIOMMU; fault queues (Linux 7.2
// iommufd/hw_pagetable.c).

import { STE } from "../../spec/ste.ts";
import { getField } from "../../spec/word.ts";
import { fail } from "../errno.ts";
import type { IommufdDevice } from "./device.ts";
import type { NestedDomain, PagingDomain, Vmaster } from "./driver.ts";
import type { Ioas } from "./ioas.ts";
import { IommufdObject } from "./object.ts";
import type { Viommu } from "./viommu.ts";
import { VSTE_CONFIG } from "./vste.ts";

/**
 * IOMMUFD_OBJ_FAULT: a queue for page requests. Stalls and PRI are not modelled, so it stays empty.
 */
export class FaultQueue extends IommufdObject {
  override readonly type = "fault";

  constructor() {
    super();
    // The open file is a user.
    this.users = 2;
  }

  /** read() of the fd: nothing ever waits here. */
  read(_bytes: number): Uint8Array {
    return new Uint8Array(0);
  }

  /** Closing the fd. */
  close(): void {
    this.users--;
  }

  override destroy(): void {}
}

/** IOMMUFD_OBJ_HWPT_PAGING: a page table that mirrors an address space. */
export class HwptPaging extends IommufdObject {
  override readonly type = "hwpt-paging";
  /** Made by an attach to the IOAS itself; destroyed with its last user. */
  auto = false;
  fault: FaultQueue | undefined;

  constructor(
    readonly ioas: Ioas,
    readonly host: PagingDomain,
    readonly pasidCompatible: boolean,
  ) {
    super();
    ioas.addDomain(host);
    ioas.users++;
  }

  /** Doorbell pages present in the table, by their number in the fd's list. */
  readonly doorbells = new Set<number>();

  get paging(): HwptPaging {
    return this;
  }

  get nestParent(): boolean {
    return this.host.nestParent;
  }

  vmasterFor(_device: IommufdDevice): Vmaster | undefined {
    return undefined;
  }

  override destroy(): void {
    this.ioas.removeDomain(this.host);
    this.host.destroy();
    this.ioas.users--;
    if (this.fault !== undefined) this.fault.users--;
  }
}

/** IOMMUFD_OBJ_HWPT_NESTED: a guest STE over the nest parent of its vIOMMU. */
export class HwptNested extends IommufdObject {
  override readonly type = "hwpt-nested";
  fault: FaultQueue | undefined;

  constructor(
    readonly viommu: Viommu,
    readonly host: NestedDomain,
    readonly pasidCompatible: boolean,
  ) {
    super();
    viommu.users++;
  }

  /** The address space of the nest parent. */
  get ioas(): Ioas {
    return this.viommu.parent.ioas;
  }

  /** The page table that holds the MSI doorbells. */
  get paging(): HwptPaging {
    return this.viommu.parent;
  }

  /** True when the STE makes the device translate with the guest's tables. */
  get translates(): boolean {
    const config = getField(STE, this.host.ste, "Config");
    return getField(STE, this.host.ste, "V") === 1n && config === VSTE_CONFIG.s1;
  }

  /**
   * The guest's name of a device that attaches here. ENOENT when a translating STE has none: events
   * and CD invalidations could not name it. Abort and bypass may do without, and report nothing.
   */
  vmasterFor(device: IommufdDevice): Vmaster | undefined {
    const vdevice = this.viommu.vdeviceOf(device);
    if (vdevice !== undefined)
      return {
        vsid: vdevice.virtId,
        report: (record) => this.viommu.reportSmmuEvent(record),
      };
    if (this.translates)
      fail("ENOENT", `${device.host.name} has no vDEVICE in vIOMMU ${this.viommu.id}`);
    return undefined;
  }

  override destroy(): void {
    this.viommu.users--;
    if (this.fault !== undefined) this.fault.users--;
  }
}

export type Hwpt = HwptPaging | HwptNested;
