// /dev/iommu: one open file with its objects, and the ioctl front that takes the UAPI's bytes
// (Linux 7.2 iommufd/main.c).
import type { ErrnoName } from "../../spec/errno.ts";
import { pack, unpack } from "../../spec/uapi.ts";
import { fail, KernelError, systemCall } from "../errno.ts";
import type { UserMemory } from "../user-memory.ts";
import type { KernelVersion } from "./convert.ts";
import { IommufdDevice } from "./device.ts";
import type { DevicePage, HostDevice } from "./driver.ts";
import type { Hwpt, HwptPaging } from "./hwpt.ts";
import type { Ioas } from "./ioas.ts";
import { allocPagingFor } from "./ioctl-hwpt.ts";
import { type IommufdObject, ObjectTable, type ObjectType } from "./object.ts";
import { ioctlName, OPERATIONS } from "./operations.ts";
import { DoorbellWindow } from "./sw-msi.ts";
import type { Viommu } from "./viommu.ts";

/** An object that user space reads through a file of its own. */
export interface EventFile extends IommufdObject {
  read(bytes: number): Uint8Array;
  close(): void;
}

/** What one call was: for logs and replays. */
export interface IoctlRecord {
  readonly name: string;
  readonly in: Uint8Array;
  readonly out: Uint8Array;
  /** 0, or the negative errno. */
  readonly result: number;
  /** Why it failed. */
  readonly reason: string | undefined;
}

/** How a model of /dev/iommu is made. */
export interface IommufdOptions {
  readonly memory: UserMemory;
  /** Which kernel's rules hold; "7.2" unless given. */
  readonly kernel?: KernelVersion;
  /** Gives file descriptors of the process; from 3 upwards unless given. */
  readonly nextFd?: () => number;
}

/** One open /dev/iommu. */
export class Iommufd {
  readonly memory: UserMemory;
  readonly kernel: KernelVersion;
  readonly objects = new ObjectTable();
  readonly files = new Map<number, EventFile>();
  readonly doorbells = new DoorbellWindow();
  limitByProcess = false;
  /** Why the last ioctl failed; undefined when it succeeded. */
  lastReason: string | undefined;
  /** Hears of every ioctl after it ran. */
  onIoctl: ((record: IoctlRecord) => void) | undefined;
  private readonly nextFd: () => number;
  private respondOnFailure = false;

  constructor(options: IommufdOptions) {
    this.memory = options.memory;
    this.kernel = options.kernel ?? "7.2";
    let fd = 3;
    this.nextFd = options.nextFd ?? (() => fd++);
  }

  /**
   * ioctl(fd, nr, bytes): `bytes` is the structure, at least as long as the size in its first word,
   * and holds the results afterwards. Gives 0 or the negative errno; `lastReason` says why.
   */
  ioctl(nr: number, bytes: Uint8Array): number {
    const before = bytes.slice();
    this.lastReason = undefined;
    const result = systemCall(() => {
      try {
        return this.dispatch(nr, bytes);
      } catch (error) {
        if (error instanceof KernelError) this.lastReason = error.reason;
        throw error;
      }
    });
    const name = ioctlName(nr) ?? `0x${nr.toString(16)}`;
    this.onIoctl?.({ name, in: before, out: bytes.slice(), result, reason: this.lastReason });
    return result;
  }

  private dispatch(nr: number, bytes: Uint8Array): number {
    const operation = OPERATIONS.get(nr);
    if (operation === undefined) fail("ENOTTY", `ioctl 0x${nr.toString(16)} is not known`);
    if (bytes.length < 4) fail("EFAULT", "the structure has no size");
    const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    if (size < operation.minBytes)
      fail("EINVAL", `${operation.name} needs ${operation.minBytes} bytes, not ${size}`);
    if (size > bytes.length) fail("EFAULT", "the structure is shorter than its size");
    const kernelBytes = operation.layout.bytes;
    if (bytes.subarray(kernelBytes, size).some((b) => b !== 0))
      fail("E2BIG", "a member that this kernel does not know is set");
    const copy = new Uint8Array(kernelBytes);
    copy.set(bytes.subarray(0, Math.min(size, kernelBytes)));
    const cmd = unpack(operation.layout, copy);
    const respond = () => {
      const out = pack(operation.layout, cmd);
      bytes.set(out.subarray(0, Math.min(size, kernelBytes)));
    };
    this.respondOnFailure = false;
    try {
      operation.run(this, cmd);
    } catch (error) {
      if (this.respondOnFailure) respond();
      throw error;
    }
    respond();
    return 0;
  }

  /** The results of the running ioctl are copied out even when it fails. */
  alwaysRespond(): void {
    this.respondOnFailure = true;
  }

  /** Copies the results out, then fails. */
  respondThenFail(code: ErrnoName, reason: string): never {
    this.respondOnFailure = true;
    fail(code, reason);
  }

  /** The object with that id, or undefined. */
  find(id: number, ...types: ObjectType[]): IommufdObject | undefined {
    try {
      return this.objects.get(id, ...types);
    } catch (error) {
      if (error instanceof KernelError) return undefined;
      throw error;
    }
  }

  /**
   * Copies a structure of `want` bytes that user space calls `length` long; E2BIG for unknown
   * members.
   */
  readExtensible(uptr: bigint, length: number, want: number): Uint8Array {
    const out = new Uint8Array(want);
    const raw = this.memory.read(uptr, length);
    if (raw.subarray(want).some((b) => b !== 0))
      fail("E2BIG", "a member that this kernel does not know is set");
    out.set(raw.subarray(0, want));
    return out;
  }

  /** Copies the driver data of a command. EINVAL for another type or too few bytes. */
  readPayload(
    type: number,
    wanted: number,
    cmd: { readonly data_len: number; readonly data_uptr: bigint },
    bytes: number,
  ): Uint8Array {
    if (type !== wanted) fail("EINVAL", `driver data of type ${type}, not ${wanted}`);
    if (cmd.data_len < bytes) fail("EINVAL", `driver data has ${cmd.data_len} bytes, not ${bytes}`);
    if (cmd.data_uptr === 0n) fail("EINVAL", "driver data has no address");
    return this.readExtensible(cmd.data_uptr, cmd.data_len, bytes);
  }

  /** Gives an object a file descriptor. */
  openFile(file: EventFile): number {
    const fd = this.nextFd();
    this.files.set(fd, file);
    return fd;
  }

  /** mmap() of the file: the page of queue registers of a vIOMMU. ENXIO for any other range. */
  mmap(offset: bigint, bytes: bigint): DevicePage {
    const viommus = this.objects.list().filter((o): o is Viommu => o.type === "viommu");
    const found = viommus.find(({ vintf }) => vintf?.mmapOffset === offset)?.vintf;
    if (found === undefined || found.mmapBytes !== bytes)
      fail("ENXIO", `nothing can be mapped at offset 0x${offset.toString(16)}`);
    return found.page;
  }

  /** read() of a descriptor that an ioctl gave. EBADF for any other. */
  readFile(fd: number, bytes: number): Uint8Array {
    const file = this.files.get(fd);
    if (file === undefined) fail("EBADF", `${fd} is not open`);
    return file.read(bytes);
  }

  /** close() of a descriptor that an ioctl gave. */
  closeFile(fd: number): void {
    this.files.get(fd)?.close();
    this.files.delete(fd);
  }

  /** What VFIO_DEVICE_BIND_IOMMUFD does here: a device object for the function. */
  bind(host: HostDevice): IommufdDevice {
    return this.objects.add(new IommufdDevice(host));
  }

  /** Closing the VFIO device: its vDEVICE goes with it, and that id is not given again. */
  unbind(device: IommufdDevice): void {
    if (device.hwpt !== undefined) this.detach(device);
    if (device.vdevice !== undefined) this.objects.bury(device.vdevice);
    this.objects.remove(device);
  }

  /** What VFIO_DEVICE_ATTACH_IOMMUFD_PT does here; returns the id attached to. */
  attach(device: IommufdDevice, ptId: number, pasid?: number): number {
    const target = this.objects.get(ptId);
    if (target.type === "ioas") return this.attachAuto(device, target as Ioas);
    if (target.type !== "hwpt-paging" && target.type !== "hwpt-nested")
      fail("EINVAL", `object ${ptId} is a ${target.type}`);
    const old = device.hwpt;
    if (pasid === undefined) this.attachTo(device, target as Hwpt);
    else device.attachPasid(pasid, target as Hwpt);
    if (pasid === undefined) this.dropAuto(old, device.hwpt);
    return ptId;
  }

  private attachTo(device: IommufdDevice, hwpt: Hwpt): void {
    device.attach(hwpt, (paging) => this.doorbells.installAll(device, paging));
  }

  /**
   * What the interrupt core asks when the host programs an MSI of the device: the IOVA that reaches
   * the doorbell, in the reserved window and the same for every device of this fd.
   */
  msiIova(device: IommufdDevice, doorbell: bigint): bigint {
    return this.doorbells.iova(device, doorbell);
  }

  detach(device: IommufdDevice): void {
    const old = device.hwpt;
    device.detach();
    this.dropAuto(old, undefined);
  }

  /**
   * Attaching to an address space: any page table the kernel made for it that fits, else a new one.
   */
  private attachAuto(device: IommufdDevice, space: Ioas): number {
    const made = this.objects
      .list()
      .filter((o): o is HwptPaging => o.type === "hwpt-paging" && (o as HwptPaging).auto)
      .find((o) => o.ioas === space && o.host.smmu === device.host.smmu);
    const table = made ?? this.objects.add(allocPagingFor(device, space));
    table.auto = true;
    const old = device.hwpt;
    try {
      this.attachTo(device, table);
    } catch (error) {
      if (made === undefined) this.objects.remove(table);
      throw error;
    }
    this.dropAuto(old, table);
    return table.id;
  }

  private dropAuto(old: Hwpt | undefined, now: Hwpt | undefined): void {
    if (old === undefined || old === now || old.type !== "hwpt-paging") return;
    if (old.auto && old.users === 1) this.objects.remove(old);
  }
}
