// Messages for an ITS, delivered by one call, in linear memory (assembly/its.ts).
import type { HostMemory } from "../engine/memory.ts";
import { offsetOf } from "../spec/abi.ts";
import { ITS_MESSAGE, ITS_STATUS } from "../spec/abi-its.ts";
import type { ItsStatus } from "./delivery.ts";

const ABSENT = 0xffffffff;

/** Room for `capacity` messages and what becomes of them; reuse it for many runs. */
export class MessageRing {
  readonly capacity: number;
  /** Linear address of the ITS_MESSAGE array. */
  readonly lin: number;
  readonly #memory: HostMemory;

  constructor(memory: HostMemory, capacity: number) {
    this.#memory = memory;
    this.capacity = capacity;
    this.lin = memory.alloc(capacity * ITS_MESSAGE.bytes, 64);
  }

  /** Writes message `index`: `eventId` is its data. */
  set(index: number, deviceId: number, eventId: number): void {
    const view = this.#memory.view();
    const at = this.lin + index * ITS_MESSAGE.bytes;
    view.setUint32(at + offsetOf(ITS_MESSAGE, "deviceId"), deviceId, true);
    view.setUint32(at + offsetOf(ITS_MESSAGE, "eventId"), eventId, true);
  }

  /** What became of message `index`; no LPI when it was lost before it had one. */
  get(index: number): { status: ItsStatus; lpi: number | undefined } {
    const view = this.#memory.view();
    const at = this.lin + index * ITS_MESSAGE.bytes;
    const status = view.getUint32(at + offsetOf(ITS_MESSAGE, "status"), true);
    const lpi = view.getUint32(at + offsetOf(ITS_MESSAGE, "intid"), true);
    return {
      status: ITS_STATUS.values[status as keyof typeof ITS_STATUS.values] as ItsStatus,
      lpi: lpi === ABSENT ? undefined : lpi,
    };
  }
}
