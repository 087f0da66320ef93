// The kernel's side of a device's interrupts: which eventfd each vector signals, and what SET_IRQS
// refuses (Linux 7.2).
import * as uapi from "../spec/uapi-vfio.ts";
import { fail } from "./errno.ts";
import { type IrqSet, unpackIrqSet } from "./irqset.ts";

const U32_LAST = 0xffff_ffff;
const ACTIONS: readonly number[] = [
  uapi.VFIO_IRQ_SET_ACTION_MASK,
  uapi.VFIO_IRQ_SET_ACTION_UNMASK,
  uapi.VFIO_IRQ_SET_ACTION_TRIGGER,
];
const DATA_BYTES = new Map<number, number>([
  [uapi.VFIO_IRQ_SET_DATA_NONE, 0],
  [uapi.VFIO_IRQ_SET_DATA_BOOL, 1],
  [uapi.VFIO_IRQ_SET_DATA_EVENTFD, 4],
]);

/** What a function has. */
export interface VectorCounts {
  readonly msix: number;
  readonly msi: number;
  readonly express: boolean;
}

/** Interrupts of one VFIO PCI device. */
export class VfioIrqs {
  readonly indexes = uapi.VFIO_PCI_NUM_IRQS;
  private readonly counts: readonly number[];
  /** The index that is on: INTx, MSI and MSI-X exclude each other. */
  private active: number | undefined;
  /** Eventfds of the vectors that the host has allocated; -1 for none. */
  private vectors: number[] = [];
  private readonly single = new Map<number, number>();

  constructor(counts: VectorCounts) {
    this.counts = [1, counts.msi, counts.msix, counts.express ? 1 : 0, 1];
  }

  /** VFIO_DEVICE_GET_IRQ_INFO. EINVAL for an index that the function does not have. */
  describe(index: number): { flags: number; count: number } {
    const count = this.counts[index];
    if (count === undefined) fail("EINVAL", `there is no interrupt index ${index}`);
    if (index === uapi.VFIO_PCI_ERR_IRQ_INDEX && count === 0)
      fail("EINVAL", "only PCI Express functions report errors");
    const extra =
      index === uapi.VFIO_PCI_INTX_IRQ_INDEX
        ? uapi.VFIO_IRQ_INFO_MASKABLE + uapi.VFIO_IRQ_INFO_AUTOMASKED
        : uapi.VFIO_IRQ_INFO_NORESIZE;
    return { flags: uapi.VFIO_IRQ_INFO_EVENTFD + extra, count };
  }

  /** The eventfd that the hardware's vector signals; undefined when it signals nothing. */
  eventfdOf(index: number, vector: number): number | undefined {
    const fd = index === this.active ? this.vectors[vector] : this.single.get(index);
    return fd === undefined || fd < 0 ? undefined : fd;
  }

  /** Vectors that the host has allocated for an index. */
  allocated(index: number): number {
    return index === this.active ? this.vectors.length : 0;
  }

  /** VFIO_DEVICE_SET_IRQS with its bytes. */
  set(bytes: Uint8Array): void {
    if (bytes.length < uapi.vfio_irq_set.bytes) fail("EINVAL", "the structure is too short");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const set = unpackIrqSet(bytes);
    this.check(set, view.getUint32(0, true), bytes.length);
    const { data, action } = split(set.flags);
    if (action !== uapi.VFIO_IRQ_SET_ACTION_TRIGGER) {
      if (set.index !== uapi.VFIO_PCI_INTX_IRQ_INDEX)
        fail("ENOTTY", "only the interrupt pin can be masked through VFIO");
      if (this.active !== set.index) fail("EINVAL", "the interrupt pin is off");
      return;
    }
    if (set.index <= uapi.VFIO_PCI_MSIX_IRQ_INDEX) this.trigger(set, data);
    else this.single.set(set.index, set.eventfds?.[0] ?? -1);
  }

  private check(set: IrqSet, argsz: number, length: number): void {
    const { index, start, count, flags } = set;
    const { data, action } = split(flags);
    const bytes = DATA_BYTES.get(data);
    if (argsz < uapi.vfio_irq_set.bytes || index >= this.indexes || count >= U32_LAST - start)
      fail("EINVAL", "the size, the index or the range is invalid");
    if (bytes === undefined || !ACTIONS.includes(action) || flags !== data + action)
      fail("EINVAL", "exactly one kind of data and one action are needed");
    const total = this.counts[index];
    if (start >= total || start + count > total)
      fail("EINVAL", `vectors ${start} to ${start + count - 1} of ${total}`);
    if (argsz - uapi.vfio_irq_set.bytes < count * bytes || argsz > length)
      fail("EINVAL", "the data are too short");
  }

  private trigger(set: IrqSet, data: number): void {
    const { index, start, count } = set;
    if (data === uapi.VFIO_IRQ_SET_DATA_NONE && count === 0) {
      if (this.active === index) this.turnOff();
      return;
    }
    if (this.active !== undefined && this.active !== index)
      fail("EINVAL", `interrupt index ${this.active} is on`);
    if (set.eventfds === undefined) {
      if (this.active === undefined) fail("EINVAL", "the index is off");
      return;
    }
    if (this.active === undefined) this.turnOn(index, start + count);
    if (start + count > this.vectors.length)
      fail("EINVAL", `the host has allocated ${this.vectors.length} vectors`);
    for (const [i, fd] of set.eventfds.entries()) this.vectors[start + i] = fd;
  }

  private turnOn(index: number, count: number): void {
    this.active = index;
    this.vectors = new Array<number>(count).fill(-1);
  }

  private turnOff(): void {
    this.active = undefined;
    this.vectors = [];
  }
}

/** The kind of data and the action of a call's flags. */
function split(flags: number): { data: number; action: number } {
  const data = flags % (uapi.VFIO_IRQ_SET_DATA_TYPE_MASK + 1);
  return { data, action: flags - data };
}
