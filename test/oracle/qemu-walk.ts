// QEMU's table walks: the quirks of its stage 1, stage 2 and nested flows (QEMU 11.1, hw/arm/smmu).

import { bit, EVENT, exceeds, field, inPlace, mask } from "./bits.ts";
import type { Fetcher } from "./model.ts";
import type { IotlbEntry, QemuIotlb } from "./qemu-iotlb.ts";

/** Access flags as QEMU counts them. */
export const READ_ONLY = 1;
export const WRITE_ONLY = 2;

/** One half of the VA space as QEMU keeps it; a disabled half keeps zeros. */
export interface QemuTable {
  disabled: boolean;
  tsz: number;
  granule: number;
  /** Physical when nested: translated when the CD was decoded. */
  ttb: bigint;
  had: boolean;
}

/** A decoded configuration, as QEMU caches it. */
export interface QemuConfig {
  aborted: boolean;
  bypassed: boolean;
  /** 1, 2, or 3 for nested. */
  stage: 1 | 2 | 3;
  /** Output bits of stage 1; the input limit of stage 2. */
  oas: number;
  asid: number;
  vmid: number;
  tbi: number;
  affd: boolean;
  recordFaults: boolean;
  tables: [QemuTable, QemuTable];
  s2: {
    granule: number;
    tsz: number;
    sl0: number;
    ttb: bigint;
    outputBits: number;
    affd: boolean;
    recordFaults: boolean;
  };
}

/** Why a walk stopped, in the terms of QEMU's own report. */
export interface WalkFault {
  event: number;
  /** Stage the fault is attributed to. */
  stage: 1 | 2;
  /** Goes to the IPA/FetchAddr words, all 64 bits. */
  address: bigint;
  /** The fault hit the IPA of a lower stage 1 table. */
  tableIpa: boolean;
}

export function isWalkFault(x: IotlbEntry | WalkFault | bigint): x is WalkFault {
  return typeof x === "object" && "event" in x;
}

/** What a walk needs besides its configuration. */
export interface QemuWalker {
  fetcher: Fetcher;
  iotlb: QemuIotlb;
}

/** Address that an entry gives to `address`. */
export function applyEntry(entry: IotlbEntry, address: bigint): bigint {
  return entry.translated + (address & mask(entry.pageBits));
}

function levelShift(granule: number, level: number): number {
  return granule + (3 - level) * (granule - 3);
}

/** Mask of the first table's bytes. The shift count wraps at 64, as on the host. */
function indexMask(inputSize: number, stride: number, level: number): bigint {
  return mask((inputSize - stride * (4 - level)) & 63);
}

function indexOf(address: bigint, inputSize: number, level: number, granule: number): bigint {
  const shift = BigInt(levelShift(granule, level));
  return ((address & mask(inputSize)) >> shift) & mask(granule - 3);
}

/** Start level from the input size; an 8-bit number in QEMU. */
export function startLevelOf(inputSize: number, granule: number): number {
  return (4 - Math.trunc((inputSize - 4) / ((granule - 3) & 0xff))) & 0xff;
}

/** Start level of stage 2 from SL0. */
export function stage2StartLevel(sl0: number, granule: number): number {
  return granule === 12 ? 2 - sl0 : 3 - sl0;
}

/** Which of the concatenated tables an address falls into. */
export function concatenatedIndex(level: number, granule: number, ipa: bigint): bigint {
  return ipa >> BigInt(levelShift(granule, level - 1));
}

/** Chooses a half; undefined for an address between them. TBI1 is read from TBI0. */
export function selectTable(cfg: QemuConfig, iova: bigint): QemuTable | undefined {
  const top = (cfg.tbi & 1) !== 0 ? 56 : 64;
  const [t0, t1] = cfg.tables;
  const high = (tsz: number): bigint => inPlace(iova, top - 1, 64 - tsz);
  if (t0.tsz !== 0 && high(t0.tsz) === 0n) return t0;
  if (t1.tsz !== 0 && high(t1.tsz) === inPlace(mask(64), top - 1, 64 - t1.tsz)) return t1;
  if (t0.tsz === 0) return t0;
  return t1.tsz === 0 ? t1 : undefined;
}

/** An invalid or reserved descriptor ends a walk; blocks are accepted at every level below 3. */
function isUnusable(word: bigint, level: number): boolean {
  return !bit(word, 0) || (level === 3 && !bit(word, 1));
}

function isTable(word: bigint, level: number): boolean {
  return level < 3 && bit(word, 1);
}

/** Stage 1 walk, also the first half of a nested one. */
export function walkStage1(
  w: QemuWalker,
  cfg: QemuConfig,
  iova: bigint,
  perm: number,
): IotlbEntry | WalkFault {
  const fail = (event: number, address = 0n, tableIpa = false): WalkFault => {
    return { event, stage: 1, address, tableIpa };
  };
  const table = selectTable(cfg, iova);
  if (table === undefined || table.disabled) return fail(EVENT.F_TRANSLATION);
  const { granule } = table;
  const inputSize = 64 - table.tsz;
  let level = startLevelOf(inputSize, granule);
  let base = table.ttb & mask(cfg.oas) & ~indexMask(inputSize, granule - 3, level);
  for (; level < 4; level++) {
    const address = base + indexOf(iova, inputSize, level, granule) * 8n;
    const word = w.fetcher.word("pte", 1, level, address);
    if (word === undefined) return fail(EVENT.F_WALK_EABT, address);
    if (isUnusable(word, level)) break;
    if (isTable(word, level)) {
      if ((perm & WRITE_ONLY) !== 0 && bit(word, 62) && !table.had) return fail(EVENT.F_PERMISSION);
      base = inPlace(word, 47, granule);
      if (cfg.stage === 3) {
        const at = lookupOrWalk(w, asStage2(cfg), base, READ_ONLY);
        if (isWalkFault(at)) return fail(at.event, base, true);
        base = applyEntry(at, base);
      }
      continue;
    }
    const shift = levelShift(granule, level);
    const output = inPlace(word, 47, shift);
    if (!bit(word, 10) && !cfg.affd) return fail(EVENT.F_ACCESS);
    if ((perm & WRITE_ONLY) !== 0 && bit(word, 7)) return fail(EVENT.F_PERMISSION);
    if (exceeds(output, cfg.oas)) return fail(EVENT.F_ADDR_SIZE);
    const allowed = bit(word, 7) ? READ_ONLY : READ_ONLY | WRITE_ONLY;
    return {
      iova: iova & ~mask(shift),
      translated: output,
      pageBits: shift,
      perm: allowed,
      parentPerm: allowed,
      level,
      granule,
    };
  }
  return fail(EVENT.F_TRANSLATION);
}

/** Stage 2 walk. */
export function walkStage2(
  w: QemuWalker,
  cfg: QemuConfig,
  ipa: bigint,
  perm: number,
): IotlbEntry | WalkFault {
  const fail = (event: number, address = ipa): WalkFault => {
    return { event, stage: 2, address, tableIpa: false };
  };
  const { granule, outputBits } = cfg.s2;
  const inputSize = 64 - cfg.s2.tsz;
  const stride = granule - 3;
  let level = stage2StartLevel(cfg.s2.sl0, granule);
  const table = concatenatedIndex(level, granule, ipa) << BigInt(stride + 3);
  let base = ((cfg.s2.ttb & mask(outputBits)) + table) & ~indexMask(inputSize, stride, level);
  if (exceeds(ipa, inputSize)) return fail(EVENT.F_TRANSLATION);
  for (; level < 4; level++) {
    const address = base + indexOf(ipa, inputSize, level, granule) * 8n;
    const word = w.fetcher.word("pte", 2, level, address);
    if (word === undefined) return fail(EVENT.F_WALK_EABT, address);
    if (isUnusable(word, level)) break;
    if (isTable(word, level)) {
      base = inPlace(word, 47, granule);
      continue;
    }
    const shift = levelShift(granule, level);
    const output = inPlace(word, 47, shift);
    if (!bit(word, 10) && !cfg.s2.affd) return fail(EVENT.F_ACCESS);
    const allowed = field(word, 7, 6);
    if ((allowed & perm) !== perm) return fail(EVENT.F_PERMISSION);
    if (exceeds(output, outputBits)) return fail(EVENT.F_ADDR_SIZE);
    return {
      iova: ipa & ~mask(shift),
      translated: output,
      pageBits: shift,
      perm: allowed,
      parentPerm: allowed,
      level,
      granule,
    };
  }
  return fail(EVENT.F_TRANSLATION);
}

/** The same configuration seen as stage 2 only, for CD and table addresses. */
export function asStage2(cfg: QemuConfig): QemuConfig {
  return { ...cfg, stage: 2, asid: -1 };
}

/** Walks the stages of a configuration. */
function walk(
  w: QemuWalker,
  cfg: QemuConfig,
  address: bigint,
  perm: number,
): IotlbEntry | WalkFault {
  if (cfg.stage === 1) return walkStage1(w, cfg, address, perm);
  if (cfg.stage === 2) {
    if (exceeds(address, cfg.oas)) {
      return { event: EVENT.F_ADDR_SIZE, stage: 1, address: 0n, tableIpa: false };
    }
    return walkStage2(w, cfg, address, perm);
  }
  const first = walkStage1(w, cfg, address, perm);
  if (isWalkFault(first)) return first;
  const second = walkStage2(w, cfg, applyEntry(first, address), perm);
  if (isWalkFault(second)) return second;
  const smaller = second.pageBits < first.pageBits ? second : first;
  return {
    iova: address & ~mask(smaller.pageBits),
    translated: applyEntry(second, first.translated),
    pageBits: smaller.pageBits,
    perm: first.perm,
    parentPerm: second.perm,
    level: smaller.level,
    granule: smaller.granule,
  };
}

/** IOTLB lookup, else a walk and an insert. On a hit only a write is checked. */
export function lookupOrWalk(
  w: QemuWalker,
  cfg: QemuConfig,
  address: bigint,
  perm: number,
): IotlbEntry | WalkFault {
  let shape: { granule: number; tsz: number };
  if (cfg.stage === 2) {
    shape = cfg.s2;
  } else {
    const table = selectTable(cfg, address);
    if (table === undefined) {
      return { event: EVENT.F_TRANSLATION, stage: 1, address: 0n, tableIpa: false };
    }
    shape = table;
  }
  const hit = w.iotlb.lookup(cfg, shape, address);
  if (hit !== undefined) {
    if ((perm & WRITE_ONLY) === 0 || (hit.perm & hit.parentPerm & WRITE_ONLY) !== 0) return hit;
    const stage = (hit.perm & WRITE_ONLY) === 0 ? 1 : 2;
    return { event: EVENT.F_PERMISSION, stage, address: 0n, tableIpa: false };
  }
  const entry = walk(w, cfg, address, perm);
  if (!isWalkFault(entry)) w.iotlb.insert(cfg, entry);
  return entry;
}
