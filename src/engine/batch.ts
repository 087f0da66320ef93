// A ring of translation requests and answers in linear memory (assembly/batch.ts).
import { offsetOf } from "../spec/abi.ts";
import { ANSWER, REQUEST } from "../spec/abi-records.ts";
import { ANSWER_META } from "../spec/abi-words.ts";
import { readHalves } from "../spec/word.ts";
import { requestFlags } from "./request.ts";
import type { Smmu } from "./smmu.ts";
import type { TranslateRequest, TranslateStatus } from "./types.ts";

/** The answer to one request of a ring. */
export interface BatchAnswer {
  status: TranslateStatus;
  pa: bigint;
  /** log2 of the mapping's bytes. */
  pageBits: number;
  /** 1 read, 2 write, 4 execute. */
  perm: number;
  stage: number;
  memAttr: number;
  shareability: number;
  /** Event number of a fault, else 0, and the event queue entry of its record. */
  eventType: number;
  eventIndex: number;
}

/** Where `capacity` REQUEST and as many ANSWER records lie in linear memory. */
export interface RingPlace {
  readonly capacity: number;
  readonly requestsLin: number;
  readonly answersLin: number;
}

/** Requests and answers for up to `capacity` translations; reuse it for many runs. */
export class BatchRing implements RingPlace {
  readonly capacity: number;
  /** Linear addresses of the REQUEST and ANSWER arrays. */
  readonly requestsLin: number;
  readonly answersLin: number;
  readonly #smmu: Smmu;

  constructor(smmu: Smmu, capacity: number) {
    this.#smmu = smmu;
    this.capacity = capacity;
    this.requestsLin = smmu.memory.alloc(capacity * REQUEST.bytes, 64);
    this.answersLin = smmu.memory.alloc(capacity * ANSWER.bytes, 64);
  }

  /** Writes request `index`. */
  set(index: number, request: TranslateRequest): void {
    const view = this.#smmu.memory.view();
    const at = this.requestsLin + index * REQUEST.bytes;
    view.setBigUint64(at + offsetOf(REQUEST, "iova"), request.iova, true);
    view.setUint32(at + offsetOf(REQUEST, "sid"), request.sid, true);
    view.setUint32(at + offsetOf(REQUEST, "flags"), requestFlags(request), true);
  }

  /** Translates requests 0 to `count` - 1. */
  run(count: number): void {
    if (count < 0 || count > this.capacity) {
      throw new RangeError(`${count} requests in a ring of ${this.capacity}`);
    }
    this.#smmu.engine.translateBatch(this.requestsLin, this.answersLin, count);
  }

  /** Answer `index` of the last run. */
  get(index: number): BatchAnswer {
    const view = this.#smmu.memory.view();
    const at = this.answersLin + index * ANSWER.bytes;
    const meta = at + offsetOf(ANSWER, "meta");
    const [low, high] = [view.getUint32(meta, true), view.getUint32(meta + 4, true)];
    const field = (name: keyof typeof ANSWER_META.field): number =>
      readHalves(ANSWER_META.field[name], low, high);
    const status = ANSWER_META.field.status.values?.[field("status")] ?? "ABORT";
    return {
      status: status.toLowerCase() as TranslateStatus,
      pa: view.getBigUint64(at + offsetOf(ANSWER, "pa"), true),
      pageBits: field("pageBits"),
      perm: field("perm"),
      stage: field("stage"),
      memAttr: field("memAttr"),
      shareability: field("sh"),
      eventType: field("eventType"),
      eventIndex: field("eventIndex"),
    };
  }
}
