// Bytes of VFIO_DEVICE_SET_IRQS: which eventfds a device's interrupts signal (Linux 7.2 vfio.h).

import { pack, unpack } from "../spec/uapi.ts";
import {
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  vfio_irq_set,
} from "../spec/uapi-vfio.ts";

/** An interrupt index, and what the call does with vectors [start, start + count) of it. */
export interface IrqSet {
  /** One VFIO_IRQ_SET_DATA_* plus one VFIO_IRQ_SET_ACTION_*. */
  readonly flags: number;
  /** VFIO_PCI_*_IRQ_INDEX. */
  readonly index: number;
  readonly start: number;
  readonly count: number;
  /** One eventfd for each vector, -1 for none; absent unless the data are eventfds. */
  readonly eventfds?: readonly number[];
}

const EVENTFD_BYTES = 4;

/** The argument of VFIO_DEVICE_SET_IRQS. */
export function packIrqSet(set: IrqSet): Uint8Array {
  const eventfds = set.eventfds ?? [];
  const data = new Uint8Array(eventfds.length * EVENTFD_BYTES);
  const view = new DataView(data.buffer);
  eventfds.forEach((fd, i) => {
    view.setInt32(i * EVENTFD_BYTES, fd, true);
  });
  const { flags, index, start, count } = set;
  const argsz = vfio_irq_set.bytes + data.length;
  return pack(vfio_irq_set, { argsz, flags, index, start, count, data });
}

/** Reads the argument of VFIO_DEVICE_SET_IRQS. Throws a RangeError when it is too short. */
export function unpackIrqSet(argument: Uint8Array): IrqSet {
  const { flags, index, start, count, data } = unpack(vfio_irq_set, argument);
  const set = { flags, index, start, count };
  if (Math.floor(flags / VFIO_IRQ_SET_DATA_EVENTFD) % 2 === 0) return set;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const eventfds = Array.from({ length: Math.floor(data.length / EVENTFD_BYTES) }, (_, i) =>
    view.getInt32(i * EVENTFD_BYTES, true),
  );
  return { ...set, eventfds };
}

/** Vectors from `start` on signal these eventfds; -1 takes a vector's eventfd away. */
export const triggerEventfds = (
  index: number,
  start: number,
  eventfds: readonly number[],
): IrqSet => ({
  flags: VFIO_IRQ_SET_DATA_EVENTFD + VFIO_IRQ_SET_ACTION_TRIGGER,
  index,
  start,
  count: eventfds.length,
  eventfds,
});

/** Turns an interrupt index off. */
export const disableIndex = (index: number): IrqSet => ({
  flags: VFIO_IRQ_SET_DATA_NONE + VFIO_IRQ_SET_ACTION_TRIGGER,
  index,
  start: 0,
  count: 0,
});
