// A VFIO device file with the kernel's checks, through its bytes.
import { beforeEach, describe, expect, it } from "vitest";
import { ERRNO, type ErrnoName } from "../../src/spec/errno.ts";
import { pack, unpack } from "../../src/spec/uapi.ts";
import * as uapi from "../../src/spec/uapi-vfio.ts";
import { VfioCdev } from "../../src/vfio/cdev.ts";
import { disableIndex, packIrqSet, triggerEventfds } from "../../src/vfio/irqset.ts";
import { Host } from "./host.ts";

const FD = 18;
const MSIX = uapi.VFIO_PCI_MSIX_IRQ_INDEX;

let host: Host;
let cdev: VfioCdev;

beforeEach(() => {
  host = new Host();
  cdev = new VfioCdev({
    host: host.device("0000:00:05.0", 0x28),
    iommufdOf: (fd) => (fd === FD ? host.iommufd : undefined),
    msixVectors: 5,
  });
});

const bindBytes = (iommufd = FD, flags = 0): Uint8Array =>
  pack(uapi.vfio_device_bind_iommufd, {
    argsz: uapi.vfio_device_bind_iommufd.bytes,
    flags,
    iommufd,
  });

const bind = (): number => cdev.ioctl(uapi.VFIO_DEVICE_BIND_IOMMUFD, bindBytes());

const attachBytes = (pt_id: number, more: { argsz?: number; flags?: number } = {}): Uint8Array =>
  pack(uapi.vfio_device_attach_iommufd_pt, {
    argsz: uapi.vfio_device_attach_iommufd_pt.bytes,
    pt_id,
    ...more,
  });

const attach = (pt: number): number =>
  cdev.ioctl(uapi.VFIO_DEVICE_ATTACH_IOMMUFD_PT, attachBytes(pt));

const setIrqs = (set: Parameters<typeof packIrqSet>[0]): number =>
  cdev.ioctl(uapi.VFIO_DEVICE_SET_IRQS, packIrqSet(set));

const failsWith = (code: ErrnoName): number => -ERRNO[code];

describe("binding and attaching", () => {
  it("gives the device id where the recorded call has it", () => {
    const bytes = bindBytes();
    expect(cdev.ioctl(uapi.VFIO_DEVICE_BIND_IOMMUFD, bytes)).toBe(0);
    expect(Buffer.from(bytes).toString("hex")).toBe(
      "180000000000000012000000010000000000000000000000",
    );
    expect(cdev.device?.id).toBe(1);
  });

  it.each<[string, Uint8Array, ErrnoName]>([
    ["too small", pack(uapi.vfio_device_bind_iommufd, { argsz: 12, iommufd: FD }), "EINVAL"],
    ["unknown flags", bindBytes(FD, 2), "EINVAL"],
    ["a negative file", bindBytes(-1), "EINVAL"],
    ["another file", bindBytes(3), "EBADF"],
    ["longer than given", pack(uapi.vfio_device_bind_iommufd, { argsz: 64 }), "EFAULT"],
    ["no size at all", new Uint8Array(2), "EFAULT"],
  ])("refuses to bind: %s", (_, bytes, code) => {
    expect(cdev.ioctl(uapi.VFIO_DEVICE_BIND_IOMMUFD, bytes)).toBe(failsWith(code));
    expect(host.iommufd.objects.list()).toEqual([]);
  });

  it("binds once, and does nothing else before", () => {
    expect(attach(1)).toBe(failsWith("EINVAL"));
    expect(bind()).toBe(0);
    expect(bind()).toBe(failsWith("EINVAL"));
    expect(cdev.ioctl(0x3bff, new Uint8Array(16))).toBe(failsWith("ENOTTY"));
  });

  it("attaches to an address space and returns the page table; detaches", () => {
    bind();
    const ioas = host.client.allocIoas();
    const bytes = attachBytes(ioas);
    expect(cdev.ioctl(uapi.VFIO_DEVICE_ATTACH_IOMMUFD_PT, bytes)).toBe(0);
    const { pt_id } = unpack(uapi.vfio_device_attach_iommufd_pt, bytes);
    expect(pt_id).toBe(cdev.device?.hwpt?.id);
    const detach = pack(uapi.vfio_device_detach_iommufd_pt, { argsz: 12 });
    expect(cdev.ioctl(uapi.VFIO_DEVICE_DETACH_IOMMUFD_PT, detach)).toBe(0);
    expect(cdev.device?.hwpt).toBeUndefined();
    expect(cdev.ioctl(uapi.VFIO_DEVICE_DETACH_IOMMUFD_PT, detach)).toBe(0);
  });

  it.each<[string, Uint8Array, ErrnoName]>([
    ["an unknown object", attachBytes(77), "ENOENT"],
    ["an object of another type", attachBytes(1), "EINVAL"],
    ["too small", attachBytes(1, { argsz: 8 }), "EINVAL"],
    ["unknown flags", attachBytes(1, { flags: 4 }), "EINVAL"],
    ["a PASID that is not in the structure", attachBytes(1, { argsz: 12, flags: 1 }), "EINVAL"],
  ])("refuses to attach: %s", (_, bytes, code) => {
    bind();
    expect(cdev.ioctl(uapi.VFIO_DEVICE_ATTACH_IOMMUFD_PT, bytes)).toBe(failsWith(code));
  });

  it("gives everything back when it is closed", () => {
    bind();
    attach(host.client.allocIoas());
    cdev.close();
    expect(host.iommufd.objects.list().map((o) => o.type)).toEqual(["ioas"]);
  });
});

describe("device and interrupt information", () => {
  it("is what the recorded functions said", () => {
    bind();
    const info = pack(uapi.vfio_device_info, { argsz: 24 });
    expect(cdev.ioctl(uapi.VFIO_DEVICE_GET_INFO, info)).toBe(0);
    expect(Buffer.from(info).toString("hex")).toBe(
      "180000000300000009000000050000000000000000000000",
    );
    const msix = pack(uapi.vfio_irq_info, { argsz: 16, index: MSIX });
    expect(cdev.ioctl(uapi.VFIO_DEVICE_GET_IRQ_INFO, msix)).toBe(0);
    expect(Buffer.from(msix).toString("hex")).toBe("10000000090000000200000005000000");
  });

  it("has no error interrupt for a conventional function, and no index beyond the last", () => {
    const old = new VfioCdev({
      host: host.device("0000:00:06.0", 0x30),
      iommufdOf: () => host.iommufd,
      express: false,
    });
    old.ioctl(uapi.VFIO_DEVICE_BIND_IOMMUFD, bindBytes());
    const ask = (index: number) =>
      old.ioctl(uapi.VFIO_DEVICE_GET_IRQ_INFO, pack(uapi.vfio_irq_info, { argsz: 16, index }));
    expect(ask(uapi.VFIO_PCI_ERR_IRQ_INDEX)).toBe(failsWith("EINVAL"));
    expect(ask(uapi.VFIO_PCI_REQ_IRQ_INDEX)).toBe(0);
    expect(ask(5)).toBe(failsWith("EINVAL"));
  });
});

describe("VFIO_DEVICE_SET_IRQS", () => {
  beforeEach(() => {
    bind();
  });

  it("allocates as many vectors as the first call names", () => {
    expect(setIrqs(triggerEventfds(MSIX, 0, [22, 27]))).toBe(0);
    expect(cdev.irqs.eventfdOf(MSIX, 1)).toBe(27);
    expect(setIrqs(triggerEventfds(MSIX, 2, [30]))).toBe(failsWith("EINVAL"));
    expect(setIrqs(triggerEventfds(MSIX, 0, [-1]))).toBe(0);
    expect(cdev.irqs.eventfdOf(MSIX, 0)).toBeUndefined();
    expect(cdev.irqs.allocated(MSIX)).toBe(2);
    expect(setIrqs(disableIndex(MSIX))).toBe(0);
    expect(cdev.irqs.allocated(MSIX)).toBe(0);
    expect(setIrqs(triggerEventfds(MSIX, 0, [1, 2, 3, 4, 5]))).toBe(0);
  });

  it.each<[string, Partial<Parameters<typeof packIrqSet>[0]>, ErrnoName]>([
    ["no such index", { index: 5 }, "EINVAL"],
    ["no such vector", { start: 5 }, "EINVAL"],
    ["past the last vector", { start: 4, count: 2, eventfds: [1, 2] }, "EINVAL"],
    ["a range that wraps", { start: 0xffff_ffff, count: 1 }, "EINVAL"],
    ["two kinds of data", { flags: 0x26 }, "EINVAL"],
    ["no action", { flags: 0x04 }, "EINVAL"],
    ["two actions", { flags: 0x34 }, "EINVAL"],
    ["unknown flags", { flags: 0x64 }, "EINVAL"],
    ["fewer eventfds than vectors", { count: 2, eventfds: [1] }, "EINVAL"],
    ["masking a message", { flags: 0x0c }, "ENOTTY"],
    ["triggering an index that is off", { flags: 0x21, eventfds: undefined }, "EINVAL"],
  ])("refuses %s", (_, more, code) => {
    const set = { flags: 0x24, index: MSIX, start: 0, count: 1, eventfds: [9], ...more };
    expect(setIrqs(set)).toBe(failsWith(code));
    expect(cdev.irqs.allocated(MSIX)).toBe(0);
  });

  it("has one kind of interrupt at a time", () => {
    expect(setIrqs(triggerEventfds(uapi.VFIO_PCI_INTX_IRQ_INDEX, 0, [21]))).toBe(0);
    expect(setIrqs(triggerEventfds(MSIX, 0, [22]))).toBe(failsWith("EINVAL"));
    expect(setIrqs(disableIndex(uapi.VFIO_PCI_INTX_IRQ_INDEX))).toBe(0);
    expect(setIrqs(triggerEventfds(MSIX, 0, [22]))).toBe(0);
  });

  it("is too short: EINVAL", () => {
    expect(cdev.ioctl(uapi.VFIO_DEVICE_SET_IRQS, new Uint8Array(12))).toBe(failsWith("EINVAL"));
  });
});
