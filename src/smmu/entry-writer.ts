// In which order the host driver rewrites a live STE so that the SMMU never sees a mixture (Linux
// 7.2; IHI0070 3.21.3).
import { STE } from "../spec/ste.ts";
import { getField, packFields } from "../spec/word.ts";

/** An STE as its eight words. */
export type SteWords = readonly bigint[];

/** One stage of an update: the words to store, after which the SMMU is told. */
export type UpdateStage = readonly { readonly word: number; readonly value: bigint }[];

const ALL = -1n;

type SteFields = Parameters<typeof packFields<keyof typeof STE.field & string>>[1];

const maskOf = (fields: SteFields): bigint[] => packFields(STE, fields);

const VALID = maskOf({ V: ALL });
const CONFIG = maskOf({ V: ALL, Config: ALL });
const STAGE1 = maskOf({
  S1Fmt: ALL,
  S1ContextPtr: ALL,
  S1CDMax: ALL,
  S1DSS: ALL,
  S1CIR: ALL,
  S1COR: ALL,
  S1CSH: ALL,
  S1STALLD: ALL,
  STRW: ALL,
  EATS: ALL,
  MEV: ALL,
  S2VMID: ALL,
});
const STAGE2 = maskOf({
  S2FWB: ALL,
  EATS: ALL,
  SHCFG: ALL,
  MEV: ALL,
  S2VMID: ALL,
  S2T0SZ: ALL,
  S2SL0: ALL,
  S2IR0: ALL,
  S2OR0: ALL,
  S2SH0: ALL,
  S2TG: ALL,
  S2PS: ALL,
  S2AA64: ALL,
  S2ENDI: ALL,
  S2PTW: ALL,
  S2S: ALL,
  S2R: ALL,
  S2TTB: ALL,
});
const SHAREABILITY = maskOf({ SHCFG: ALL });

/** Changing these of a live STE never makes it mean something in between. */
const SAFE = maskOf({ MEV: ALL });

const S1DSS_BYPASS = 1n;
const CONFIG_BYPASS = 4n;

/** Bits that the SMMU looks at, given what the STE says. */
export function usedBits(ste: SteWords): bigint[] {
  if (getField(STE, ste, "V") === 0n) return VALID;
  const config = getField(STE, ste, "Config");
  const parts = [CONFIG];
  if (config === 5n || config === 7n) {
    parts.push(STAGE1);
    if (getField(STE, ste, "S1DSS") === S1DSS_BYPASS) parts.push(SHAREABILITY);
  }
  if (config === 6n || config === 7n) parts.push(STAGE2);
  if (config === CONFIG_BYPASS) parts.push(SHAREABILITY);
  return CONFIG.map((_, word) => parts.reduce((bits, part) => bits | part[word], 0n));
}

/**
 * The stages of an update from one STE to another, each to be followed by an invalidation. One word
 * that differs in used bits is changed between two preparations (hitless); more need V=0 in
 * between.
 * A stage that would change nothing is left out.
 */
export function updateStages(current: SteWords, target: SteWords): UpdateStage[] {
  const used = usedBits(current).map((bits, word) => bits & ~SAFE[word]);
  const wanted = usedBits(target);
  const prepared = current.map((value, i) => (value & used[i]) | (target[i] & ~used[i]));
  const critical = target.flatMap((value, i) => ((prepared[i] & wanted[i]) !== value ? [i] : []));
  const now = [...current];
  const stages: UpdateStage[] = [];
  const store = (words: readonly number[], values: SteWords) => {
    const stage = words.filter((w) => now[w] !== values[w]);
    for (const w of stage) now[w] = values[w];
    if (stage.length > 0) stages.push(stage.map((word) => ({ word, value: values[word] })));
  };
  const all = target.map((_, i) => i);
  if (critical.length === 1) {
    store(
      all.filter((w) => w !== critical[0]),
      prepared,
    );
    store(critical, target);
    store(all, target);
  } else if (critical.length > 1) {
    store([0], [0n]);
    store(all.slice(1), target);
    store([0], target);
  } else {
    store(all, target);
  }
  return stages;
}
