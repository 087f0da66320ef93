// A queue of virtual events: header with sequence, one overflow marker at the tail (Linux 7.2
// iommufd/eventq.c).
import { pack } from "../../spec/uapi.ts";
import { IOMMU_VEVENTQ_FLAG_LOST_EVENTS, iommufd_vevent_header } from "../../spec/uapi-iommufd.ts";
import { fail } from "../errno.ts";
import { IommufdObject } from "./object.ts";

/** Sequence numbers run from 0 to this and start again. */
const SEQUENCE_LAST = 0x7fff_ffff;

/** Largest queue the kernel allocates. */
export const DEPTH_MAX = 1 << 19;

const HEADER_BYTES = iommufd_vevent_header.bytes;

interface Vevent {
  sequence: number;
  /** Payload, or undefined for the marker of lost events. */
  readonly data: Uint8Array | undefined;
}

/** Who owns a queue: told when it goes. */
interface Owner {
  users: number;
  forget(queue: Veventq): void;
}

/** IOMMUFD_OBJ_VEVENTQ. */
export class Veventq extends IommufdObject {
  override readonly type = "veventq";
  private readonly queue: Vevent[] = [];
  private sequence = 0;
  private events = 0;
  private open = true;
  /** Called after something became readable: what poll would tell. */
  onReadable: (() => void) | undefined;

  constructor(
    readonly owner: Owner,
    readonly eventType: number,
    readonly depth: number,
  ) {
    super();
    // The open file is a user.
    this.users = 2;
    owner.users++;
  }

  /** EINVAL for a depth that the kernel does not allocate. */
  static refuseDepth(depth: number): void {
    if (depth === 0 || depth > DEPTH_MAX) fail("EINVAL", `a vEVENTQ cannot hold ${depth} events`);
  }

  /** Something can be read. */
  get readable(): boolean {
    return this.queue.length > 0;
  }

  /** Adds an event, or notes at the tail that one was lost when `depth` are waiting. */
  push(data: Uint8Array): void {
    if (this.queue.at(-1)?.data === undefined) this.queue.splice(-1, 1);
    const lost = this.events === this.depth;
    if (!lost) this.events++;
    this.queue.push({ sequence: this.sequence, data: lost ? undefined : data.slice() });
    this.sequence = this.sequence === SEQUENCE_LAST ? 0 : this.sequence + 1;
    this.onReadable?.();
  }

  /**
   * read(): as many whole events as fit into `bytes`, headers included; nothing when the queue is
   * empty or the first does not fit.
   */
  read(bytes: number): Uint8Array {
    const out: Uint8Array[] = [];
    let done = 0;
    for (let next = this.queue[0]; next !== undefined; next = this.queue[0]) {
      const size = HEADER_BYTES + (next.data?.length ?? 0);
      if (size > bytes - done) break;
      this.queue.shift();
      if (next.data !== undefined) this.events--;
      out.push(encode(next, size));
      done += size;
    }
    const joined = new Uint8Array(done);
    let at = 0;
    for (const part of out) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }

  /** Closing the fd; IOMMU_DESTROY answers EBUSY before. */
  close(): void {
    if (this.open) this.users--;
    this.open = false;
  }

  override destroy(): void {
    this.queue.length = 0;
    this.owner.forget(this);
    this.owner.users--;
  }
}

function encode(event: Vevent, size: number): Uint8Array {
  const flags = event.data === undefined ? IOMMU_VEVENTQ_FLAG_LOST_EVENTS : 0;
  const bytes = new Uint8Array(size);
  bytes.set(pack(iommufd_vevent_header, { flags, sequence: event.sequence }));
  if (event.data !== undefined) bytes.set(event.data, HEADER_BYTES);
  return bytes;
}
