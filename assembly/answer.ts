// Answers of a batch: from a cached mapping, or from a translation of its own (IHI0070 3.3).

import { PERM_PX } from "./descriptor";
import { eventIndex } from "./event";
import { faultType } from "./fault";
import { requestFlags, requestIova, requestSid, setAnswerMeta, setAnswerPa } from "./layout/abi";
import {
  permsPrivileged,
  permsUnprivileged,
  tlbdataPa,
  tlbdataPerms,
  tlbdataSize,
  tlbviewType,
  withAnswermetaEventIndex,
  withAnswermetaEventType,
  withAnswermetaMemAttr,
  withAnswermetaPageBits,
  withAnswermetaPerm,
  withAnswermetaSh,
  withAnswermetaStage,
  withAnswerviewType,
} from "./layout/words";
import { outAddress, outAttr, outBits, outSh, outStage } from "./mapping";
import { SIZE_BIAS } from "./tlb";
import { lastPerm, translate } from "./translate";

/**
 * Answers with the mapping `data` of a known size; `offset` is the part of the input address below
 * it, `need` tells the privilege of the access, `meta` is CONFIG.meta.
 * @inline
 */
export function answerMapped(
  answer: usize,
  data: u64,
  offset: u64,
  need: u32,
  size: u32,
  meta: u64,
): void {
  const perms = tlbdataPerms(data);
  const granted = need > PERM_PX ? permsUnprivileged(perms) : permsPrivileged(perms);
  const sized = meta | withAnswermetaPageBits(0, size + SIZE_BIAS);
  const typed = withAnswermetaPerm(0, granted) | withAnswerviewType(0, tlbviewType(data));
  setAnswerPa(answer, tlbdataPa(data) | offset);
  setAnswerMeta(answer, sized | typed);
}

/** The same when the size is that of the mapping. @inline */
export function answerWith(answer: usize, data: u64, iova: u64, need: u32, meta: u64): void {
  const size = tlbdataSize(data);
  const bits = <u64>(size + SIZE_BIAS);
  answerMapped(answer, data, iova ^ ((iova >> bits) << bits), need, size, meta);
}

/** Translates by itself, with an event if it faults, and answers; gives the status. */
export function answerOne(answer: usize, sid: u32, flags: u32, iova: u64): u32 {
  const status = translate(sid, flags, iova);
  let meta = withAnswermetaPageBits(<u64>status, outBits);
  meta = withAnswermetaStage(withAnswermetaPerm(meta, lastPerm), outStage);
  meta = withAnswermetaSh(withAnswermetaMemAttr(meta, outAttr), outSh);
  if (faultType) {
    meta = withAnswermetaEventIndex(withAnswermetaEventType(meta, faultType), eventIndex);
  }
  setAnswerPa(answer, outAddress);
  setAnswerMeta(answer, meta);
  return status;
}

/** The same for a request of a ring. */
export function answerAlone(request: usize, answer: usize): void {
  answerOne(answer, requestSid(request), requestFlags(request), requestIova(request));
}
