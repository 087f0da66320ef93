// Reads a vEVENTQ and appends its records to the guest's event queue (QEMU 11.1; Linux 7.2
// iommufd.h).
import { unpack } from "../spec/uapi.ts";
import {
  IOMMU_VEVENTQ_FLAG_LOST_EVENTS,
  iommu_vevent_arm_smmuv3,
  iommufd_vevent_header,
} from "../spec/uapi-iommufd.ts";

const HEADER_BYTES = iommufd_vevent_header.bytes;
const RECORD_BYTES = iommu_vevent_arm_smmuv3.bytes;
const SEQUENCE_LAST = 0x7fff_ffff;

/** One read of the queue. */
export type Vevent =
  | { readonly kind: "record"; readonly record: Uint8Array; readonly lost: number }
  | { readonly kind: "overflow" }
  | { readonly kind: "empty" }
  | { readonly kind: "short"; readonly bytes: number };

/** Follows the sequence of one event queue. */
export class VeventReader {
  private last: number | undefined;

  /** `wrapIsLoss` reports a loss where the sequence starts again at 0. */
  constructor(private readonly wrapIsLoss: boolean) {}

  /** Reads one event; `read` is read() of the queue's file. */
  next(read: (bytes: number) => Uint8Array): Vevent {
    const bytes = read(HEADER_BYTES + RECORD_BYTES);
    if (bytes.length === 0) return { kind: "empty" };
    if (bytes.length < HEADER_BYTES) return { kind: "short", bytes: bytes.length };
    const { flags, sequence } = unpack(iommufd_vevent_header, bytes);
    if (bytes.length === HEADER_BYTES && flags === IOMMU_VEVENTQ_FLAG_LOST_EVENTS) {
      this.last = undefined;
      return { kind: "overflow" };
    }
    if (bytes.length < HEADER_BYTES + RECORD_BYTES) return { kind: "short", bytes: bytes.length };
    const lost = this.gap(sequence);
    this.last = sequence;
    return { kind: "record", record: bytes.slice(HEADER_BYTES), lost };
  }

  /** Events between the last record and this one. */
  private gap(sequence: number): number {
    if (this.last === undefined) return 0;
    if (this.wrapIsLoss) return (sequence - this.last - 1) >>> 0;
    const expected = this.last === SEQUENCE_LAST ? 0 : this.last + 1;
    const ahead = sequence - expected;
    return ahead >= 0 ? ahead : ahead + SEQUENCE_LAST + 1;
  }
}
