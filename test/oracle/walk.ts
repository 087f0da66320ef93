// Stage 1, stage 2 and nested table walks of the architecture (IHI0070 3.4, 7.3.22; DDI0487 D8.2).

import { type Attributes, applyStage1, applyStage2, isStage2Device } from "./attributes.ts";
import {
  alignDown,
  bigField,
  bit,
  CLASS,
  EVENT,
  exceeds,
  type FaultClass,
  field,
  inPlace,
  mask,
  swapBytes,
} from "./bits.ts";
import type { Cd, TableBase } from "./context.ts";
import { type Access, type Fault, isFault } from "./events.ts";
import type { Features } from "./features.ts";
import type { Fetcher } from "./model.ts";
import {
  needed,
  READ,
  restrict,
  stage1Permission,
  stage2Permission,
  UNRESTRICTED,
} from "./permissions.ts";
import type { Stage2 } from "./stream.ts";

/** A translated address: where it points, how far the mapping reaches, what it allows. */
export interface Mapped {
  pa: bigint;
  pageBits: number;
  perm: number;
  attributes: Attributes;
}

/** Everything that one walk may consult. */
export interface Walker {
  features: Features;
  fetcher: Fetcher;
  s2?: Stage2;
}

/** log2 of the bytes that one entry of a level maps. */
function levelShift(granule: number, level: number): number {
  return granule + (3 - level) * (granule - 3);
}

/** What one descriptor says at its level (Table D8-48). */
type Descriptor = { kind: "invalid" } | { kind: "table" | "leaf"; address: bigint };

function decode(word: bigint, granule: number, level: number): Descriptor {
  if (!bit(word, 0)) return { kind: "invalid" };
  const type = bit(word, 1);
  if (level === 3) {
    if (!type) return { kind: "invalid" };
    return { kind: "leaf", address: inPlace(word, 47, granule) };
  }
  if (type) return { kind: "table", address: inPlace(word, 47, granule) };
  const blockAllowed = level === 2 || (level === 1 && granule === 12);
  if (!blockAllowed) return { kind: "invalid" };
  return { kind: "leaf", address: inPlace(word, 47, levelShift(granule, level)) };
}

/** Base of the first table, aligned to its own size (all concatenated tables together). */
function alignFirstTable(ttb: bigint, tsz: number, shift: number): bigint {
  return alignDown(ttb, Math.max(4, 64 - tsz - shift + 3));
}

/** Who asks stage 2: the transaction itself, or the SMMU for a CD or a stage 1 descriptor. */
export interface Stage2Purpose {
  class: FaultClass;
  /** Ignored, like the privilege, unless the class is IN. */
  access: Access;
  input: Attributes;
}

const STRUCTURE_INPUT: Attributes = { type: 0xff, sh: 0 };

/** Translates an IPA by stage 2. */
export function translateStage2(
  w: Walker,
  s2: Stage2,
  ipa: bigint,
  why: Stage2Purpose,
): Mapped | Fault {
  const fail = (event: number): Fault => {
    return { event, stage2: true, class: why.class, address: ipa };
  };
  if (exceeds(ipa, 64 - s2.tsz)) return fail(EVENT.F_TRANSLATION);
  const { granule } = s2;
  let level = s2.startLevel;
  let shift = levelShift(granule, level);
  let address = alignFirstTable(s2.ttb, s2.tsz, shift) + (ipa >> BigInt(shift)) * 8n;
  for (;;) {
    const raw = w.fetcher.word("pte", 2, level, address);
    if (raw === undefined) {
      return { event: EVENT.F_WALK_EABT, stage2: true, class: why.class, address };
    }
    const word = s2.bigEndian ? swapBytes(raw) : raw;
    const d = decode(word, granule, level);
    if (d.kind === "invalid") return fail(EVENT.F_TRANSLATION);
    if (exceeds(d.address, s2.outputBits)) return fail(EVENT.F_ADDR_SIZE);
    if (d.kind === "leaf") return finishStage2(w, s2, word, d.address, shift, ipa, why, fail);
    level++;
    shift = levelShift(granule, level);
    address = d.address + bigField(ipa, shift + granule - 4, shift) * 8n;
  }
}

/** Access flag, permission and attributes of a stage 2 leaf. */
function finishStage2(
  w: Walker,
  s2: Stage2,
  word: bigint,
  base: bigint,
  shift: number,
  ipa: bigint,
  why: Stage2Purpose,
  fail: (event: number) => Fault,
): Mapped | Fault {
  if (!bit(word, 10) && !s2.affd) return fail(EVENT.F_ACCESS);
  const perm = stage2Permission(word, w.features.xnx, why.access.privileged);
  const want = why.class === CLASS.IN ? needed(why.access) : READ;
  if ((perm & want) === 0) return fail(EVENT.F_PERMISSION);
  const memAttr = field(word, 5, 2);
  const ownAccess = why.class !== CLASS.IN;
  if (ownAccess && s2.ptw && isStage2Device(memAttr, s2.fwb)) return fail(EVENT.F_PERMISSION);
  return {
    pa: base | (ipa & mask(shift)),
    pageBits: shift,
    perm,
    attributes: applyStage2(why.input, memAttr, field(word, 9, 8), s2.fwb),
  };
}

/** Chooses the half of the VA space by VA[55] and checks the range; undefined: F_TRANSLATION. */
function selectHalf(cd: Cd, va: bigint): TableBase | undefined {
  const upper = !cd.singlePrivilege && bit(va, 55);
  const half = cd.halves[upper ? 1 : 0];
  if (half.disabled) return undefined;
  const top = half.tbi ? 55 : 63;
  const high = bigField(va, top, 64 - half.tsz);
  const wanted = upper ? mask(top - (64 - half.tsz) + 1) : 0n;
  return high === wanted ? half : undefined;
}

/** Start level of stage 1: the highest level that still has index bits. */
function stage1StartLevel(tsz: number, granule: number): number {
  return 4 - Math.ceil((64 - tsz - granule) / (granule - 3));
}

/** Translates a VA by stage 1; descriptors go through stage 2 when the walker has one. */
export function translateStage1(
  w: Walker,
  cd: Cd,
  va: bigint,
  access: Access,
  input: Attributes,
): Mapped | Fault {
  const fail = (event: number): Fault => ({ event, class: CLASS.IN });
  const half = selectHalf(cd, va);
  if (half === undefined) return fail(EVENT.F_TRANSLATION);
  if (half.e0pd && !access.privileged) return fail(EVENT.F_TRANSLATION);
  const { granule, tsz } = half;
  let level = stage1StartLevel(tsz, granule);
  let shift = levelShift(granule, level);
  let address = alignFirstTable(half.ttb, tsz, shift) + bigField(va, 63 - tsz, shift) * 8n;
  let hierarchy = UNRESTRICTED;
  for (;;) {
    const at = descriptorAddress(w, address, access);
    if (isFault(at)) return at;
    const raw = w.fetcher.word("pte", 1, level, at.pa);
    if (raw === undefined) return { event: EVENT.F_WALK_EABT, class: CLASS.TT, address: at.pa };
    const word = cd.bigEndian ? swapBytes(raw) : raw;
    const d = decode(word, granule, level);
    if (d.kind === "invalid") return fail(EVENT.F_TRANSLATION);
    if (exceeds(d.address, cd.outputBits)) return fail(EVENT.F_ADDR_SIZE);
    if (d.kind === "leaf") {
      if (!bit(word, 10) && !cd.affd) return fail(EVENT.F_ACCESS);
      const perm = stage1Permission(cd, word, hierarchy, access.privileged);
      if ((perm & needed(access)) === 0) return fail(EVENT.F_PERMISSION);
      const mair = field(cd.mair, 8 * field(word, 4, 2) + 7, 8 * field(word, 4, 2));
      return {
        pa: d.address | (va & mask(shift)),
        pageBits: shift,
        perm,
        attributes: applyStage1(input, mair, field(word, 9, 8)),
      };
    }
    if (!half.had) hierarchy = restrict(hierarchy, word);
    level++;
    shift = levelShift(granule, level);
    address = d.address + bigField(va, shift + granule - 4, shift) * 8n;
  }
}

/** Physical address of a stage 1 descriptor. */
function descriptorAddress(w: Walker, address: bigint, access: Access): { pa: bigint } | Fault {
  if (w.s2 === undefined) return { pa: address };
  const why = { class: CLASS.TT, access, input: STRUCTURE_INPUT };
  return translateStage2(w, w.s2, address, why);
}

/** Physical address of an L1CD or a CD. */
export function contextAddress(w: Walker, address: bigint, access: Access): { pa: bigint } | Fault {
  if (w.s2 === undefined) return { pa: address };
  const why = { class: CLASS.CD, access, input: STRUCTURE_INPUT };
  return translateStage2(w, w.s2, address, why);
}
