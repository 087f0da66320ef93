// Faults and the 32-byte event records that they leave (IHI0070 7.3).

import { EVENT, type FaultClass, mask } from "./bits.ts";

/** Access attributes as the checks and the records use them, after the STE's overrides. */
export interface Access {
  write: boolean;
  privileged: boolean;
  instruction: boolean;
}

/** Why a transaction stopped: its event, and what only the place of the fault knows. */
export interface Fault {
  event: number;
  /** The S2 bit. */
  stage2?: boolean;
  class?: FaultClass;
  /** IPA or FetchAddr, not yet cut to the record's field. */
  address?: bigint;
  /** Recorded whatever CD.R and STE.S2R say, and never RAZ/WI (stage 1 bypass). */
  forced?: boolean;
}

/** True for the four faults whose outcome the CD or the STE configures (5.5). */
export function isTranslationRelated(event: number): boolean {
  return event >= EVENT.F_TRANSLATION && event <= EVENT.F_PERMISSION;
}

/** Tells a fault from a result. */
export function isFault(outcome: object): outcome is Fault {
  return "event" in outcome;
}

const FETCH_EVENTS: readonly number[] = [EVENT.F_STE_FETCH, EVENT.F_CD_FETCH, EVENT.F_WALK_EABT];

/** Lays four 64-bit words out as 32 little-endian bytes. */
export function recordBytes(words: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 4; i++) view.setBigUint64(8 * i, words[i] & mask(64), true);
  return bytes;
}

/**
 * Writes the record of a fault. UNKNOWN fields are 0. `oas` bounds the FetchAddr and IPA fields:
 * bits above it are RES0.
 */
export function makeRecord(
  fault: Fault,
  request: { sid: number; ssid?: number; iova: bigint },
  access: Access,
  oas: number,
): Uint8Array {
  const { event } = fault;
  const words = [BigInt(event) | (BigInt(request.sid) << 32n), 0n, 0n, 0n];
  if (event === EVENT.C_BAD_SUBSTREAMID) {
    words[0] |= BigInt(request.ssid ?? 0) << 12n;
  } else if (event !== EVENT.F_STREAM_DISABLED && request.ssid !== undefined) {
    words[0] |= (BigInt(request.ssid) << 12n) | (1n << 11n);
  }
  const translating = event === EVENT.F_WALK_EABT || isTranslationRelated(event);
  if (translating) {
    const klass = fault.class ?? 2;
    words[1] |= BigInt(access.privileged) << 33n;
    words[1] |= BigInt(access.instruction) << 34n;
    words[1] |= BigInt(!access.write) << 35n;
    words[1] |= BigInt(fault.stage2 === true) << 39n;
    words[1] |= BigInt(klass) << 40n;
    if (event === EVENT.F_PERMISSION && klass === 1) words[1] |= 1n << 44n;
    words[2] = request.iova;
  }
  const address = (fault.address ?? 0n) & mask(oas);
  if (FETCH_EVENTS.includes(event)) words[3] = address & ~mask(3);
  else if (translating && fault.stage2) words[3] = address & ~mask(12);
  return recordBytes(words);
}
