// The VMM's use of VFIO with iommufd: bind, one IOAS per address space, page tables that devices
// share (QEMU 11.1).
import type { AddressSpace } from "../pci/iommu.ts";
import { errnoName } from "../spec/errno.ts";
import { type CMembers, type CStruct, type CValues, pack, unpack } from "../spec/uapi.ts";
import { IOMMU_HWPT_ALLOC_NEST_PARENT, IOMMU_HWPT_ALLOC_PASID } from "../spec/uapi-iommufd.ts";
import * as uapi from "../spec/uapi-vfio.ts";
import type { VfioCdev } from "./cdev.ts";
import { KernelError } from "./errno.ts";
import type { IommufdClient } from "./iommufd/client.ts";

/** What the IOMMU in front of a function wants of the page table that mirrors guest memory. */
export interface ViommuFlags {
  readonly nestParent: boolean;
  readonly pasid: boolean;
}

/** A range of guest memory, and where it is in the process. */
export interface RamRange {
  readonly gpa: bigint;
  readonly bytes: bigint;
  readonly va: bigint;
  readonly readonly?: boolean;
}

/** A call of the device's file, after it ran. */
export interface VfioCall {
  readonly nr: number;
  readonly in: Uint8Array;
  readonly out: Uint8Array;
  readonly result: number;
}

/** Runs one ioctl of a device's file with the members given. Throws the KernelError. */
function callDevice<M extends CMembers>(
  cdev: VfioCdev,
  nr: number,
  layout: CStruct<M>,
  values: Partial<CValues<M>>,
  onCall: (call: VfioCall) => void,
): CValues<M> {
  const bytes = pack(layout, { argsz: layout.bytes, ...values });
  const before = bytes.slice();
  const result = cdev.ioctl(nr, bytes);
  onCall({ nr, in: before, out: bytes.slice(), result });
  const code = errnoName(result);
  if (code !== undefined) throw new KernelError(code, `VFIO ioctl 0x${nr.toString(16)}`);
  return unpack(layout, bytes);
}

interface Container {
  readonly space: AddressSpace;
  readonly ioas: number;
  readonly tables: { readonly id: number; users: number }[];
  devices: number;
}

/** A function's file as the VMM holds it: bound and attached. */
export class VfioConnection {
  constructor(
    readonly cdev: VfioCdev,
    readonly client: IommufdClient,
    readonly devid: number,
    /** The page table that mirrors guest memory. */
    readonly s2HwptId: number,
    private readonly onCall: (call: VfioCall) => void,
    private readonly drop: () => void,
  ) {}

  /** VFIO_DEVICE_ATTACH_IOMMUFD_PT. Throws the KernelError. */
  attach(pt_id: number): void {
    attachTo(this.cdev, pt_id, this.onCall);
  }

  /** VFIO_DEVICE_SET_IRQS with its bytes: 0 or the negative errno. */
  setIrqs(argument: Uint8Array): number {
    const out = argument.slice();
    const result = this.cdev.ioctl(uapi.VFIO_DEVICE_SET_IRQS, out);
    this.onCall({ nr: uapi.VFIO_DEVICE_SET_IRQS, in: argument, out, result });
    return result;
  }

  /** Detaches and closes the file; the last user of a page table or address space destroys it. */
  close(): void {
    const layout = uapi.vfio_device_detach_iommufd_pt;
    callDevice(this.cdev, uapi.VFIO_DEVICE_DETACH_IOMMUFD_PT, layout, {}, this.onCall);
    this.drop();
    this.cdev.close();
  }
}

const attachTo = (cdev: VfioCdev, pt_id: number, onCall: (call: VfioCall) => void): void => {
  const layout = uapi.vfio_device_attach_iommufd_pt;
  const bytes: Partial<CValues<typeof layout.members>> = { pt_id };
  callDevice(cdev, uapi.VFIO_DEVICE_ATTACH_IOMMUFD_PT, layout, bytes, onCall);
};

/** The VFIO side of one VMM process with one iommufd. */
export class VfioProcess {
  private readonly containers: Container[] = [];

  /** `populate` maps guest memory into a new address space; `onCall` hears of every VFIO call. */
  constructor(
    readonly client: IommufdClient,
    readonly iommufd: number,
    private readonly populate: (ioas: number) => void,
    private readonly onCall: (call: VfioCall) => void = () => {},
  ) {}

  /**
   * Binds a function and attaches it where its address space is mirrored. Throws the KernelError of
   * the call that failed, with everything undone.
   */
  connect(cdev: VfioCdev, space: AddressSpace, want: ViommuFlags): VfioConnection {
    const { iommufd } = this;
    const layout = uapi.vfio_device_bind_iommufd;
    const bound = callDevice(cdev, uapi.VFIO_DEVICE_BIND_IOMMUFD, layout, { iommufd }, this.onCall);
    const devid = bound.out_devid;
    try {
      const { container, table } = this.place(cdev, devid, space, want);
      callDevice(cdev, uapi.VFIO_DEVICE_GET_INFO, uapi.vfio_device_info, {}, this.onCall);
      this.client.hwInfo(devid);
      const drop = () => this.drop(container, table);
      return new VfioConnection(cdev, this.client, devid, table.id, this.onCall, drop);
    } catch (error) {
      cdev.close();
      throw error;
    }
  }

  private place(cdev: VfioCdev, devid: number, space: AddressSpace, want: ViommuFlags) {
    const known = this.containers.find((c) => c.space === space);
    const container = known ?? this.open(space);
    try {
      const table = this.attachAny(cdev, devid, container, want);
      if (known === undefined) {
        this.client.iovaRanges(container.ioas);
        this.populate(container.ioas);
      }
      container.devices++;
      return { container, table };
    } catch (error) {
      if (known === undefined) this.forget(container);
      throw error;
    }
  }

  private open(space: AddressSpace): Container {
    const made = { space, ioas: this.client.allocIoas(), tables: [], devices: 0 };
    this.containers.push(made);
    return made;
  }

  /** The first page table that the kernel lets the device attach to; else a new one. */
  private attachAny(cdev: VfioCdev, devid: number, container: Container, want: ViommuFlags) {
    const { client, onCall } = this;
    for (const table of container.tables) {
      try {
        attachTo(cdev, table.id, onCall);
        table.users++;
        return table;
      } catch (error) {
        if (!(error instanceof KernelError) || error.code !== "EINVAL") throw error;
      }
    }
    client.hwInfo(devid);
    const flags =
      (want.nestParent ? IOMMU_HWPT_ALLOC_NEST_PARENT : 0) +
      (want.pasid ? IOMMU_HWPT_ALLOC_PASID : 0);
    const table = { id: client.allocPaging(devid, container.ioas, flags), users: 1 };
    try {
      attachTo(cdev, table.id, onCall);
    } catch (error) {
      client.destroy(table.id);
      throw error;
    }
    container.tables.push(table);
    return table;
  }

  private drop(container: Container, table: { readonly id: number; users: number }): void {
    table.users--;
    if (table.users === 0) {
      container.tables.splice(container.tables.indexOf(table), 1);
      this.client.destroy(table.id);
    }
    container.devices--;
    if (container.devices === 0) this.forget(container);
  }

  private forget(container: Container): void {
    for (const { id } of container.tables) this.client.destroy(id);
    this.client.destroy(container.ioas);
    this.containers.splice(this.containers.indexOf(container), 1);
  }
}
