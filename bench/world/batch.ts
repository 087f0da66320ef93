// One timed pass of a ring through a batch call.

import { ANSWER, REQUEST } from "../../src/spec/abi-records.ts";
import { timeNs } from "../rounds.ts";
import type { Ring } from "./ring.ts";
import type { Abi } from "./world.ts";

/** Requests of one call: long ones would finish in the code that they started in. */
const CALL_REQUESTS = 4096;

/** Translates a whole ring; gives nanoseconds per request, by the clock that is given. */
export function batchPass(
  engine: Pick<Abi, "translateBatch">,
  ring: Pick<Ring, "requests" | "answers" | "count">,
  clock: (work: () => void) => number = timeNs,
): number {
  const { requests, answers, count } = ring;
  const ns = clock(() => {
    for (let done = 0; done < count; done += CALL_REQUESTS) {
      engine.translateBatch(
        requests + done * REQUEST.bytes,
        answers + done * ANSWER.bytes,
        Math.min(CALL_REQUESTS, count - done),
      );
    }
  });
  return ns / count;
}
