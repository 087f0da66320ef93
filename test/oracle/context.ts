// SubstreamID to CD, and whether the CD is ILLEGAL (IHI0070 3.3.2, 5.3, 5.4).

import {
  alignDown,
  bit,
  EVENT,
  exceeds,
  inPlace,
  SIZE_BITS,
  structBit,
  structField,
  TG0_BITS,
  TG1_BITS,
} from "./bits.ts";
import { type Fault, isFault } from "./events.ts";
import { type Features, granuleSupported } from "./features.ts";
import type { Fetcher } from "./model.ts";
import type { Ste } from "./stream.ts";

/** One half of the VA space. */
export interface TableBase {
  /** Effective EPDx: no walks through this half. */
  disabled: boolean;
  tsz: number;
  granule: number;
  ttb: bigint;
  /** Top byte ignored. */
  tbi: boolean;
  /** Hierarchical attributes disabled. */
  had: boolean;
  /** Unprivileged access gives F_TRANSLATION. */
  e0pd: boolean;
}

/** A legal CD. */
export interface Cd {
  halves: readonly [TableBase, TableBase];
  /** Effective intermediate (output) size in bits. */
  outputBits: number;
  /** One level of privilege only: the EL2 world without E2H. */
  singlePrivilege: boolean;
  affd: boolean;
  wxn: boolean;
  pan: boolean;
  epan: boolean;
  bigEndian: boolean;
  /** A: terminate with abort; R: record. */
  abort: boolean;
  record: boolean;
  mair: bigint;
}

/** How a transaction uses stage 1: not at all, or with the CD of this index. */
export type Selection = { stage1: false } | { stage1: true; index: number };

/** Applies the SubstreamID rules of an STE whose Config lets traffic pass (5.2 S1CDMax, S1DSS). */
export function selectContext(f: Features, ste: Ste, ssid: number | undefined): Selection | Fault {
  const badSubstream = { event: EVENT.C_BAD_SUBSTREAMID };
  if ((ste.config & 1) === 0) return ssid === undefined ? { stage1: false } : badSubstream;
  const cdMax = f.ssidBits === 0 ? 0 : structField(ste.words, 63, 59);
  const dss = structField(ste.words, 65, 64);
  if (ssid === undefined) {
    if (cdMax === 0 || dss === 2) return { stage1: true, index: 0 };
    return dss === 1 ? { stage1: false } : { event: EVENT.F_STREAM_DISABLED };
  }
  if (cdMax === 0 || ssid >= 2 ** cdMax) return badSubstream;
  if (ssid === 0 && dss === 2) return { event: EVENT.F_STREAM_DISABLED };
  return { stage1: true, index: ssid };
}

/** Turns the address of an L1CD or CD into a physical one (through stage 2 when nested). */
export type ToPhysical = (address: bigint) => { pa: bigint } | Fault;

/** Finds and reads the CD of an index (5.2 S1Fmt, 5.3). */
export function fetchCd(
  f: Features,
  fetcher: Fetcher,
  ste: Ste,
  index: number,
  toPhysical: ToPhysical,
): readonly bigint[] | Fault {
  const cdMax = f.ssidBits === 0 ? 0 : structField(ste.words, 63, 59);
  const format = structField(ste.words, 5, 4);
  const base = inPlace(ste.words[0], 55, 6);
  let address: bigint;
  if (cdMax !== 0 && (format === 1 || format === 2)) {
    const leafBits = format === 1 ? 6 : 10;
    const l1 = alignDown(base, Math.max(6, cdMax - leafBits + 3));
    const at = toPhysical(l1 + BigInt(Math.floor(index / 2 ** leafBits)) * 8n);
    if (isFault(at)) return at;
    const l1cd = fetcher.word("l1cd", 0, 0, at.pa);
    if (l1cd === undefined) return { event: EVENT.F_CD_FETCH, address: at.pa };
    const leaf = alignDown(inPlace(l1cd, 55, 12), leafBits + 6);
    const outOfRange = exceeds(inPlace(l1cd, 55, 12), ste.config === 7 ? f.ias : f.oas);
    if (!bit(l1cd, 0) || outOfRange) return { event: EVENT.C_BAD_SUBSTREAMID };
    address = leaf + BigInt(index % 2 ** leafBits) * 64n;
  } else {
    address = alignDown(base, 6 + cdMax) + BigInt(index) * 64n;
  }
  const at = toPhysical(address);
  if (isFault(at)) return at;
  return fetcher.structure("cd", at.pa) ?? { event: EVENT.F_CD_FETCH, address: at.pa };
}

/** Decodes one half of the CD; undefined when it makes the CD ILLEGAL. */
function decodeHalf(
  f: Features,
  words: readonly bigint[],
  half: 0 | 1,
  world: Ste["world"],
  outputBits: number,
): TableBase | undefined {
  const low = 16 * half;
  const single = world === "EL2";
  const disabled = single ? half === 1 : structBit(words, low + 14);
  const granules = half === 0 ? TG0_BITS : TG1_BITS;
  const granule = granules[structField(words, low + 7, low + 6)];
  const tsz = structField(words, low + 5, low);
  const ttb = inPlace(words[1 + half], 55, 4);
  if (!disabled) {
    const largest = f.stt ? (granule === 16 ? 47 : 48) : 39;
    if (tsz < 16 || tsz > largest) return undefined;
    if (!granuleSupported(f, granule)) return undefined;
    if (exceeds(ttb, outputBits)) return undefined;
  }
  return {
    disabled,
    tsz,
    granule,
    ttb,
    tbi: structBit(words, 38 + half),
    had: f.had && structBit(words, 65 + 64 * half),
    e0pd: f.e0pd && !single && structBit(words, 66 + 64 * half),
  };
}

/** Checks and decodes a CD: C_BAD_CD when it is not valid or ILLEGAL (5.4.2). */
export function decodeCd(f: Features, ste: Ste, words: readonly bigint[]): Cd | Fault {
  const bad = { event: EVENT.C_BAD_CD };
  const single = ste.world === "EL2";
  const stall = structBit(words, 44);
  const abort = structBit(words, 46);
  if (!structBit(words, 31)) return bad;
  if (structBit(ste.words, 91) && stall) return bad;
  if (f.termModel && !abort) return bad;
  if (stall ? f.stallModel === 1 : f.stallModel === 2) return bad;
  const epd0 = !single && structBit(words, 14);
  const epd1 = single || structBit(words, 30);
  const bigEndian = structBit(words, 15);
  if (!(epd0 && epd1)) {
    if (f.ttEndian === 2 && bigEndian) return bad;
    if (f.ttEndian === 3 && !bigEndian) return bad;
  }
  if (!structBit(words, 41) || !f.aa64) return bad;
  const ha = structBit(words, 43);
  const hd = structBit(words, 42);
  if ((ha || hd) && f.httu === 0) return bad;
  if (hd && f.httu === 1) return bad;
  if (f.httu === 3 && structBit(words, 67) && !ha) return bad;
  if (!single && !f.asid16 && structField(words, 63, 56) !== 0) return bad;
  const outputBits = Math.min(SIZE_BITS[structField(words, 34, 32)], f.oas);
  const half0 = decodeHalf(f, words, 0, ste.world, outputBits);
  const half1 = decodeHalf(f, words, 1, ste.world, outputBits);
  if (half0 === undefined || half1 === undefined) return bad;
  return {
    halves: [half0, half1],
    outputBits,
    singlePrivilege: single,
    affd: structBit(words, 35),
    wxn: structBit(words, 36),
    pan: !single && structBit(words, 40),
    epan: !single && f.epan && structBit(words, 123),
    bigEndian,
    abort,
    record: structBit(words, 45),
    mair: words[3],
  };
}
