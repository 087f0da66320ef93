// MSI doorbells that need no walk: the one that the SMMU's owner announced answers every request.

import {
  ANSWER_BYTES,
  REQUEST_BYTES,
  requestFlags,
  setAnswerMeta,
  setAnswerPa,
} from "./layout/abi";
import {
  ANSWER_META_status_ABORT,
  ANSWER_META_status_OK,
  requestflagsWrite,
  withAnswermetaPageBits,
  withAnswermetaPerm,
} from "./layout/words";

const PAGE_BITS: u32 = 12;
/** Write alone, in ANSWER_META.perm. */
const PERM_WRITE: u32 = 2;

let doorbell: u64 = 0;

/** Announces the guest-physical address of the MSI controller's doorbell. */
export function setDoorbell(gpa: u64): void {
  doorbell = gpa;
}

/**
 * Answers `count` MSI writes with the doorbell. No stream, address or table is looked at, so guest
 * memory is not read; a request that is not a write aborts.
 */
export function answerDoorbells(requests: usize, answers: usize, count: u32): void {
  const written = withAnswermetaPageBits(
    withAnswermetaPerm(ANSWER_META_status_OK, PERM_WRITE),
    PAGE_BITS,
  );
  for (let i: u32 = 0; i < count; i++) {
    const r = requests + <usize>i * REQUEST_BYTES;
    const a = answers + <usize>i * ANSWER_BYTES;
    const write = requestflagsWrite(requestFlags(r)) != 0;
    setAnswerPa(a, write ? doorbell : 0);
    setAnswerMeta(a, write ? written : ANSWER_META_status_ABORT);
  }
}
