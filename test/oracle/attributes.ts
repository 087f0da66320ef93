// Memory type, allocation hints and shareability from input to output (IHI0070 13, DDI0487 D8.6).

import { field } from "./bits.ts";

/**
 * A memory type as one MAIR byte and a shareability (0 NSH, 2 OSH, 3 ISH).
 * Device types are 0x00 nGnRnE, 0x04 nGnRE, 0x08 nGRE, 0x0c GRE; a Normal type holds one nibble
 * per level, outer in [7:4].
 */
export interface Attributes {
  type: number;
  sh: number;
}

/** One cacheability level of a Normal type. */
interface Level {
  /** Ordered by strength: NC beats WT beats WB. */
  cache: "NC" | "WT" | "WB";
  readAllocate: boolean;
  writeAllocate: boolean;
  transient: boolean;
}

/** What a client presents when it gives no attributes: iWB-oWB, RA, WA, NSH (13.1.3). */
export const DEFAULT_INPUT: Attributes = { type: 0xff, sh: 0 };

const OSH = 2;

export function isDevice(type: number): boolean {
  return type < 0x10;
}

function decodeLevel(nibble: number): Level {
  const hints = { readAllocate: (nibble & 2) !== 0, writeAllocate: (nibble & 1) !== 0 };
  if (nibble === 4)
    return { cache: "NC", readAllocate: false, writeAllocate: false, transient: false };
  const cache = (nibble & 4) !== 0 ? "WB" : "WT";
  return { cache, ...hints, transient: nibble < 8 };
}

/** A level that does not allocate is not transient, and NC has no hints (13.1.7). */
function encodeLevel(level: Level): number {
  if (level.cache === "NC") return 4;
  const hints = (level.readAllocate ? 2 : 0) | (level.writeAllocate ? 1 : 0);
  const transient = level.transient && hints !== 0;
  return (level.cache === "WB" ? 4 : 0) | (transient ? 0 : 8) | hints;
}

function levels(type: number): [Level, Level] {
  return [decodeLevel(type >> 4), decodeLevel(type & 15)];
}

function fromLevels(outer: Level, inner: Level): number {
  return (encodeLevel(outer) << 4) | encodeLevel(inner);
}

/** A MAIR byte with its reserved encodings replaced by what they behave as (5.4 MAIR0). */
export function decodeMair(byte: number): number {
  if (byte < 0x10) return byte & 0x0c;
  return (byte & 15) === 0 ? byte | 3 : byte;
}

/** A 4-bit stage 2 MemAttr without FWB; reserved values behave as Device-nGnRnE (5.2 MemAttr). */
export function decodeMemAttr(attr: number): number {
  if (attr < 4) return attr << 2;
  const nibbles = [undefined, 0x4, 0xb, 0xf];
  const outer = nibbles[attr >> 2];
  const inner = nibbles[attr & 3];
  return outer === undefined || inner === undefined ? 0 : (outer << 4) | inner;
}

/** SH with the reserved value taken as non-shareable. */
export function decodeSh(sh: number): number {
  return sh === 1 ? 0 : sh;
}

/** The override fields, equal in STE and GBPA. */
export interface Overrides {
  mtcfg: boolean;
  memAttr: number;
  alloccfg: number;
  shcfg: number;
}

/** Overrides of STE word 1 (5.2). */
export function steOverrides(word1: bigint): Overrides {
  return {
    mtcfg: field(word1, 36, 36) === 1,
    memAttr: field(word1, 35, 32),
    alloccfg: field(word1, 40, 37),
    shcfg: field(word1, 45, 44),
  };
}

/** Overrides of GBPA (6.3.9). */
export function gbpaOverrides(gbpa: number): Overrides {
  const word = BigInt(gbpa);
  return {
    mtcfg: field(word, 4, 4) === 1,
    memAttr: field(word, 3, 0),
    alloccfg: field(word, 11, 8),
    shcfg: field(word, 13, 12),
  };
}

/** Replaces incoming attributes by the override fields (13.1.4). */
export function override(input: Attributes, o: Overrides): Attributes {
  let { type, sh } = input;
  if (o.mtcfg) type = decodeMemAttr(o.memAttr);
  if (o.alloccfg >= 8 && !isDevice(type)) {
    const hints = {
      readAllocate: (o.alloccfg & 4) !== 0,
      writeAllocate: (o.alloccfg & 2) !== 0,
      transient: (o.alloccfg & 1) !== 0,
    };
    const [outer, inner] = levels(type);
    type = fromLevels({ ...outer, ...hints }, { ...inner, ...hints });
  }
  if (o.shcfg !== 1) sh = o.shcfg;
  return { type, sh };
}

/** Hints of one level after stage 1: the stronger of both where the input is cacheable (13.4.2). */
function mergeHints(input: Level, stage1: Level): Level {
  if (input.cache === "NC") return stage1;
  return {
    cache: stage1.cache,
    readAllocate: input.readAllocate && stage1.readAllocate,
    writeAllocate: input.writeAllocate && stage1.writeAllocate,
    transient: input.transient || stage1.transient,
  };
}

/** Attributes behind stage 1: type and shareability of the descriptor, hints merged (13.4.2). */
export function applyStage1(input: Attributes, mairByte: number, sh: number): Attributes {
  const type = decodeMair(mairByte);
  const out = { type, sh: decodeSh(sh) };
  if (isDevice(type) || isDevice(input.type)) return out;
  const [outerIn, innerIn] = levels(input.type);
  const [outer, inner] = levels(type);
  out.type = fromLevels(mergeHints(outerIn, outer), mergeHints(innerIn, inner));
  return out;
}

const STRENGTH = { NC: 2, WT: 1, WB: 0 } as const;

function strongerLevel(first: Level, second: Level): Level {
  const cache = STRENGTH[first.cache] >= STRENGTH[second.cache] ? first.cache : second.cache;
  return { ...first, cache };
}

/** The stronger of two types; hints come from the first. */
function combineTypes(first: number, second: number): number {
  if (isDevice(first)) return isDevice(second) ? Math.min(first, second) : first;
  if (isDevice(second)) return second;
  const [outer1, inner1] = levels(first);
  const [outer2, inner2] = levels(second);
  return fromLevels(strongerLevel(outer1, outer2), strongerLevel(inner1, inner2));
}

/** Write-back with the hints of a cacheable level, else allocating. */
function forceWriteBack(level: Level): Level {
  if (level.cache !== "NC") return { ...level, cache: "WB" };
  return { cache: "WB", readAllocate: true, writeAllocate: true, transient: false };
}

/** The type behind stage 2 with FWB (D8-100, D8-101). MemAttr[3] is RES0; reserved 4 acts as 5. */
function applyFwb(type: number, attr: number): number {
  if ((attr & 4) === 0) return combineTypes(type, (attr & 3) << 2);
  if ((attr & 3) === 3) return type;
  if ((attr & 3) === 2) {
    if (isDevice(type)) return 0xff;
    const [outer, inner] = levels(type);
    return fromLevels(forceWriteBack(outer), forceWriteBack(inner));
  }
  return isDevice(type) ? type : 0x44;
}

/** True when the stage 2 descriptor maps any Device type (STE.S2PTW). */
export function isStage2Device(memAttr: number, fwb: boolean): boolean {
  return fwb ? (memAttr & 4) === 0 : isDevice(decodeMemAttr(memAttr));
}

const SH_STRENGTH: readonly number[] = [0, 0, 2, 1];

/** Attributes behind stage 2: combined with, or forced by, the descriptor's (13.4.3). */
export function applyStage2(
  input: Attributes,
  memAttr: number,
  sh: number,
  fwb: boolean,
): Attributes {
  const type = fwb
    ? applyFwb(input.type, memAttr)
    : combineTypes(input.type, decodeMemAttr(memAttr));
  // A Device or non-cacheable input is Outer Shareable before it is combined.
  const first = makeConsistent(input).sh;
  const second = decodeSh(sh);
  return { type, sh: SH_STRENGTH[first] >= SH_STRENGTH[second] ? first : second };
}

/** Consistent output: Device and iNC-oNC are Outer Shareable (13.1.7). */
export function makeConsistent(a: Attributes): Attributes {
  if (isDevice(a.type)) return { type: a.type & 0x0c, sh: OSH };
  const [outer, inner] = levels(a.type);
  const type = fromLevels(outer, inner);
  return { type, sh: type === 0x44 ? OSH : decodeSh(a.sh) };
}
