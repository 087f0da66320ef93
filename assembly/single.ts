// Single translations: a RESULT record for the caller.

import { guestReads } from "./guest";
import { setResultFetches, setResultRecorded } from "./layout/abi";
import { translateInto } from "./quick";
import { RESULT } from "./state";
import { recorded } from "./translate";

/** Translates and leaves a RESULT record for the caller, which begins like an ANSWER. */
export function translateSingle(sid: u32, flags: u32, iova: u64): u32 {
  const reads = guestReads;
  const status = translateInto(RESULT, sid, flags, iova);
  setResultFetches(RESULT, guestReads - reads);
  setResultRecorded(RESULT, u32(recorded));
  return status;
}
