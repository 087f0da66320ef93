// A VFIO device file: binding to an iommufd, attaching, interrupts (Linux 7.2 vfio/device_cdev.c,
// vfio_pci_core.c).
import { type CMembers, type CStruct, type CValues, pack, unpack } from "../spec/uapi.ts";
import * as uapi from "../spec/uapi-vfio.ts";
import { fail, systemCall } from "./errno.ts";
import type { IommufdDevice } from "./iommufd/device.ts";
import type { HostDevice } from "./iommufd/driver.ts";
import type { Iommufd } from "./iommufd/iommufd.ts";
import { VfioIrqs } from "./irqs.ts";

/** How the function behind a device file is. */
export interface CdevOptions {
  readonly host: HostDevice;
  /** The iommufd that a file descriptor of the process stands for. */
  readonly iommufdOf: (fd: number) => Iommufd | undefined;
  /** Vectors of MSI-X; 0 without the capability. */
  readonly msixVectors?: number;
  readonly msiVectors?: number;
  /** A PCI Express function reports errors with an interrupt of its own. */
  readonly express?: boolean;
  /** The function can be reset alone. */
  readonly canReset?: boolean;
}

/** Flag of attach and detach: the call is about one PASID (VFIO_DEVICE_ATTACH_PASID). */
const ATTACH_PASID = 1;
/** Bytes that a caller must at least give: up to out_devid, pt_id, flags. */
const BIND_BYTES_MIN = 16;
const ATTACH_BYTES_MIN = 12;
const DETACH_BYTES_MIN = 8;
const HEADER_BYTES = 4;

/** One open /dev/vfio/devices/vfioN. */
export class VfioCdev {
  readonly irqs: VfioIrqs;
  private iommufd: Iommufd | undefined;
  private bound: IommufdDevice | undefined;

  constructor(private readonly options: CdevOptions) {
    const { msixVectors = 0, msiVectors = 0, express = true } = options;
    this.irqs = new VfioIrqs({ msix: msixVectors, msi: msiVectors, express });
  }

  /** The object in the iommufd; undefined until BIND. */
  get device(): IommufdDevice | undefined {
    return this.bound;
  }

  /** ioctl(fd, nr, bytes): results are stored in `bytes`. 0, or the negative errno. */
  ioctl(nr: number, bytes: Uint8Array): number {
    return systemCall(() => this.dispatch(nr, bytes));
  }

  /** Closing the file unbinds the device. */
  close(): void {
    if (this.bound !== undefined) this.iommufd?.unbind(this.bound);
    this.bound = undefined;
  }

  private dispatch(nr: number, bytes: Uint8Array): number {
    if (nr === uapi.VFIO_DEVICE_BIND_IOMMUFD) return this.bind(bytes);
    const { iommufd, bound } = this;
    if (iommufd === undefined || bound === undefined) fail("EINVAL", "the device is not bound");
    switch (nr) {
      case uapi.VFIO_DEVICE_ATTACH_IOMMUFD_PT:
        return this.attach(iommufd, bound, bytes);
      case uapi.VFIO_DEVICE_DETACH_IOMMUFD_PT:
        return this.detach(iommufd, bound, bytes);
      case uapi.VFIO_DEVICE_GET_INFO:
        return this.info(bytes);
      case uapi.VFIO_DEVICE_GET_IRQ_INFO:
        return this.irqInfo(bytes);
      case uapi.VFIO_DEVICE_SET_IRQS:
        this.irqs.set(bytes);
        return 0;
      default:
        return fail("ENOTTY", `VFIO ioctl 0x${nr.toString(16)} is not known`);
    }
  }

  private bind(bytes: Uint8Array): number {
    const cmd = take(uapi.vfio_device_bind_iommufd, bytes, BIND_BYTES_MIN);
    if (cmd.flags !== 0 || cmd.iommufd < 0) fail("EINVAL", "flags are set or there is no iommufd");
    if (this.bound !== undefined) fail("EINVAL", "the device is bound already");
    const iommufd = this.options.iommufdOf(cmd.iommufd);
    if (iommufd === undefined) fail("EBADF", `${cmd.iommufd} is no iommufd`);
    this.iommufd = iommufd;
    this.bound = iommufd.bind(this.options.host);
    return give(uapi.vfio_device_bind_iommufd, bytes, { ...cmd, out_devid: this.bound.id });
  }

  private attach(iommufd: Iommufd, device: IommufdDevice, bytes: Uint8Array): number {
    const cmd = take(uapi.vfio_device_attach_iommufd_pt, bytes, ATTACH_BYTES_MIN);
    const pasid = pasidOf(cmd, uapi.vfio_device_attach_iommufd_pt.bytes);
    const pt_id = iommufd.attach(device, cmd.pt_id, pasid);
    return give(uapi.vfio_device_attach_iommufd_pt, bytes, { ...cmd, pt_id });
  }

  private detach(iommufd: Iommufd, device: IommufdDevice, bytes: Uint8Array): number {
    const cmd = take(uapi.vfio_device_detach_iommufd_pt, bytes, DETACH_BYTES_MIN);
    const pasid = pasidOf(cmd, uapi.vfio_device_detach_iommufd_pt.bytes);
    if (pasid === undefined) {
      if (device.hwpt !== undefined) iommufd.detach(device);
    } else device.detachPasid(pasid);
    return 0;
  }

  private info(bytes: Uint8Array): number {
    const cmd = take(uapi.vfio_device_info, bytes, ATTACH_BYTES_MIN + HEADER_BYTES);
    const reset = (this.options.canReset ?? true) ? uapi.VFIO_DEVICE_FLAGS_RESET : 0;
    return give(uapi.vfio_device_info, bytes, {
      ...cmd,
      flags: uapi.VFIO_DEVICE_FLAGS_PCI + reset,
      num_regions: uapi.VFIO_PCI_NUM_REGIONS,
      num_irqs: this.irqs.indexes,
    });
  }

  private irqInfo(bytes: Uint8Array): number {
    const cmd = take(uapi.vfio_irq_info, bytes, uapi.vfio_irq_info.bytes);
    return give(uapi.vfio_irq_info, bytes, { ...cmd, ...this.irqs.describe(cmd.index) });
  }
}

/**
 * Copies a structure in whose first member is its size. EINVAL below `least`, E2BIG for unknown
 * members.
 */
function take<M extends CMembers & { argsz: unknown }>(
  layout: CStruct<M>,
  bytes: Uint8Array,
  least: number,
): CValues<M> {
  if (bytes.length < HEADER_BYTES) fail("EFAULT", "the structure has no size");
  const argsz = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (argsz < least) fail("EINVAL", `${layout.name} needs ${least} bytes, not ${argsz}`);
  if (argsz > bytes.length) fail("EFAULT", "the structure is shorter than its size");
  const copy = new Uint8Array(layout.bytes);
  copy.set(bytes.subarray(0, Math.min(argsz, layout.bytes)));
  return unpack(layout, copy);
}

function give<M extends CMembers>(
  layout: CStruct<M>,
  bytes: Uint8Array,
  values: CValues<M>,
): number {
  const out = pack(layout, values);
  bytes.set(out.subarray(0, Math.min(out.length, bytes.length)));
  return 0;
}

/** The PASID that a call names; EINVAL for other flags or a structure too short for it. */
function pasidOf(
  cmd: { argsz: number; flags: number; pasid: number },
  bytes: number,
): number | undefined {
  if (cmd.flags === 0) return undefined;
  if (cmd.flags !== ATTACH_PASID || cmd.argsz < bytes) fail("EINVAL", "unknown flags, or no PASID");
  return cmd.pasid;
}
