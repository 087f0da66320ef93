// Requests from a ring, one after the other; the reference for the interleaved drivers.

import { eventIndex } from "./event";
import { faultType } from "./fault";
import {
  ANSWER_BYTES,
  REQUEST_BYTES,
  requestFlags,
  requestIova,
  requestSid,
  setAnswerMeta,
  setAnswerPa,
} from "./layout/abi";
import {
  withAnswermetaEventIndex,
  withAnswermetaEventType,
  withAnswermetaMemAttr,
  withAnswermetaPageBits,
  withAnswermetaPerm,
  withAnswermetaSh,
  withAnswermetaStage,
} from "./layout/words";
import { outAddress, outAttr, outBits, outSh, outStage } from "./mapping";
import { lastPerm, translate } from "./translate";

/** Packs what the last translation left into an answer. */
function answer(at: usize, status: u32): void {
  let meta = withAnswermetaPageBits(<u64>status, outBits);
  meta = withAnswermetaStage(withAnswermetaPerm(meta, lastPerm), outStage);
  meta = withAnswermetaSh(withAnswermetaMemAttr(meta, outAttr), outSh);
  if (faultType) {
    meta = withAnswermetaEventIndex(withAnswermetaEventType(meta, faultType), eventIndex);
  }
  setAnswerPa(at, outAddress);
  setAnswerMeta(at, meta);
}

/** Translates `count` requests from `requests` into `answers`; both are arrays of records. */
export function translateBatch(requests: usize, answers: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const r = requests + <usize>i * REQUEST_BYTES;
    const status = translate(requestSid(r), requestFlags(r), requestIova(r));
    answer(answers + <usize>i * ANSWER_BYTES, status);
  }
}
