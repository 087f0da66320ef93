// Single translations: a RESULT record for the caller.

import { answerOne, answerWith } from "./answer";
import { guestReads } from "./guest";
import { configMeta, setResultFetches, setResultRecorded } from "./layout/abi";
import { ANSWER_META_status_OK } from "./layout/words";
import { quickConfig, quickMapping, quickNeed } from "./quick";
import { RESULT } from "./state";
import { recorded } from "./translate";

/** Translates and leaves a RESULT record for the caller, which begins like an ANSWER. */
export function translateSingle(sid: u32, flags: u32, iova: u64): u32 {
  const data = quickMapping(sid, flags, iova);
  if (data) {
    answerWith(RESULT, data, iova, quickNeed, configMeta(quickConfig));
    setResultFetches(RESULT, 0);
    setResultRecorded(RESULT, 0);
    return ANSWER_META_status_OK;
  }
  const reads = guestReads;
  const status = answerOne(sid, flags, iova, RESULT);
  setResultFetches(RESULT, guestReads - reads);
  setResultRecorded(RESULT, u32(recorded));
  return status;
}
