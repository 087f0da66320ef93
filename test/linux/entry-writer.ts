// How Linux 7.2 changes a live STE or CD: which bits count, which word goes last, when it must
// break.
import { put } from "../qemu/tables.ts";

/** An STE or CD as eight 64-bit words. */
export type Entry = readonly bigint[];
export const WORDS = 8;

/** One synchronisation point: the entry as it is then. */
export interface SyncPoint {
  entry: bigint[];
  /** Every entry that the words written since the last point can form, in any order. */
  partial: bigint[][];
}

/** Bits of an entry that the SMMU looks at while it is set up like this. */
export type UsedBits = (entry: Entry) => bigint[];

const zeros = (): bigint[] => new Array<bigint>(WORDS).fill(0n);
const ALL = (1n << 64n) - 1n;

/** Marks the named bit ranges of an entry. */
function marked(ranges: readonly (readonly [hi: number, lo: number])[]): bigint[] {
  const bits = zeros();
  for (const [hi, lo] of ranges) put(bits, hi, lo, ALL);
  return bits;
}

type Range = readonly [number, number];
const V: Range = [0, 0];
const CONFIG: Range = [3, 1];
const STAGE_1: Range[] = [
  [5, 4],
  [55, 6],
  [63, 59],
  [71, 64],
  [91, 91],
  [93, 92],
  [95, 94],
  [83, 83],
];
const SHCFG: Range = [109, 108];
const STAGE_2: Range[] = [SHCFG, [89, 89], [93, 92], [83, 83], [143, 128], [186, 160], [243, 196]];
const S1DSS_BYPASS = 1n;

/** What an STE's Config makes the SMMU read (IHI0070 5.2). */
export const steUsed: UsedBits = (ste) => {
  if ((ste[0] & 1n) === 0n) return marked([V]);
  const config = Number((ste[0] >> 1n) & 7n);
  const ranges: Range[] = [V, CONFIG];
  if (config === 4) ranges.push(SHCFG);
  if (config >= 4 && config & 1) {
    ranges.push(...STAGE_1);
    if ((ste[1] & 3n) === S1DSS_BYPASS) ranges.push(SHCFG);
  }
  if (config >= 4 && config & 2) ranges.push(...STAGE_2);
  return marked(ranges);
};

/** What a CD makes the SMMU read: everything, save a half that EPD0 switches off. */
export const cdUsed: UsedBits = (cd) => {
  if ((cd[0] & (1n << 31n)) === 0n) return marked([[31, 31]]);
  const used = zeros().map(() => ALL);
  if (cd[0] & (1n << 14n)) {
    const off = marked([
      [13, 0],
      [115, 68],
    ]);
    return used.map((bits, i) => bits & ~off[i]);
  }
  return used;
};

/** STE bits that may change at any time: how many events, and ATS, which is off meanwhile. */
const STE_RELAXED = marked([
  [83, 83],
  [93, 92],
]);

/** Every mixture of two entries, word by word. */
function mixtures(from: Entry, to: Entry): bigint[][] {
  const changed = from.flatMap((word, i) => (word === to[i] ? [] : [i]));
  return Array.from({ length: 2 ** changed.length }, (_, choice) => {
    const entry = [...from];
    changed.forEach((at, i) => {
      if ((choice >> i) & 1) entry[at] = to[at];
    });
    return entry;
  });
}

/**
 * Changes `entry` to `target` with as few breaks as possible:
 * 1. bits that the present entry does not use take their new values,
 * 2. the one word that must change in use is written alone,
 * 3. what is no longer used is cleaned up.
 * When several words in use must change, the entry is made invalid in between.
 */
export function writeEntry(entry: Entry, target: Entry, used: UsedBits): SyncPoint[] {
  const [now, then] = [used(entry), used(target)];
  const isSte = used === steUsed;
  const held = now.map((bits, i) => bits & ~(isSte ? STE_RELAXED[i] & then[i] : 0n));
  const prepared = entry.map((word, i) => (word & held[i]) | (target[i] & ~held[i]));
  const critical = prepared.flatMap((word, i) => ((word & then[i]) === target[i] ? [] : [i]));
  const points: SyncPoint[] = [];
  let current = [...entry];
  const set = (to: Entry, words: readonly number[]) => {
    const next = current.map((word, i) => (words.includes(i) ? to[i] : word));
    if (next.every((word, i) => word === current[i])) return;
    points.push({ entry: next, partial: mixtures(current, next) });
    current = next;
  };
  const every = Array.from({ length: WORDS }, (_, i) => i);
  if (critical.length === 1) {
    set(
      prepared,
      every.filter((i) => i !== critical[0]),
    );
    set(target, critical);
    set(target, every);
  } else if (critical.length > 1) {
    set(zeros(), [0]);
    set(target, every.slice(1));
    set(target, [0]);
  } else {
    set(target, every);
  }
  return points;
}
