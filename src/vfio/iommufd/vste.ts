// Which guest STE words the host kernel accepts for a nested HWPT, and why not (IHI0070 5.2; Linux
// 7.2).
import { STE } from "../../spec/ste.ts";
import { bytesOf, getField, packFields, readField, setField, wordsOf } from "../../spec/word.ts";
import { fail } from "../errno.ts";

/** Highest address bit the kernel allows in S1ContextPtr. */
const POINTER_TOP = 51n;
const ALL = -1n;

/** STE.Config values that a vSTE may have. */
export const VSTE_CONFIG = { abort: 0n, bypass: 4n, s1: 5n } as const;

const EATS_ABT = 0n;
const EATS_TRANS = 1n;

/** Words 0 and 1 with every bit set that a vSTE may carry. */
const ALLOWED = packFields(STE, {
  V: ALL,
  Config: ALL,
  S1Fmt: ALL,
  S1ContextPtr: (1n << (POINTER_TOP + 1n)) - 1n,
  S1CDMax: ALL,
  S1DSS: ALL,
  S1CIR: ALL,
  S1COR: ALL,
  S1CSH: ALL,
  S1STALLD: ALL,
  EATS: ALL,
});

/** What the kernel made of a vSTE. */
export interface AcceptedVste {
  /** Words 0 and 1 without EATS; both 0 when V is 0. */
  readonly ste: readonly [bigint, bigint];
  readonly enableAts: boolean;
}

/** One objection of the kernel to a vSTE. */
export interface VsteObjection {
  readonly field: string;
  readonly reason: string;
}

/**
 * Every reason why the kernel would answer EIO to these two STE words; empty when it accepts them.
 * An invalid STE (V=0) is always accepted, whatever else it holds.
 */
function vsteObjections(word0: bigint, word1: bigint): VsteObjection[] {
  const words = [word0, word1];
  if (getField(STE, words, "V") === 0n) return [];
  const extra = [word0 & ~ALLOWED[0], word1 & ~ALLOWED[1]];
  const found: VsteObjection[] = STE.fields
    .filter((f) => f.lo < 128 && f.kind !== "address")
    .filter((f) => readField(f, extra) !== 0n)
    .map((f) => ({ field: f.name, reason: "the kernel allows no bit of it in a vSTE" }));
  if (getField(STE, extra, "S1ContextPtr") !== 0n)
    found.push({ field: "S1ContextPtr", reason: `has a bit above ${POINTER_TOP}` });
  const config = getField(STE, words, "Config");
  if (!Object.values<bigint>(VSTE_CONFIG).includes(config))
    found.push({ field: "Config", reason: `is ${config}, not abort (0), bypass (4) or S1 (5)` });
  const eats = getField(STE, words, "EATS");
  if (eats !== EATS_ABT && eats !== EATS_TRANS)
    found.push({ field: "EATS", reason: `is ${eats}; only 0 and 1 (full ATS) are allowed` });
  return found;
}

/** Validates the 16 bytes of iommu_hwpt_arm_smmuv3. EIO for anything a guest must not set. */
export function acceptVste(payload: Uint8Array): AcceptedVste {
  const [word0, word1] = wordsOf(payload);
  if (getField(STE, [word0], "V") === 0n) return { ste: [0n, 0n], enableAts: false };
  const [objection] = vsteObjections(word0, word1);
  if (objection !== undefined) fail("EIO", `vSTE.${objection.field} ${objection.reason}`);
  const words = [word0, word1];
  const s1 = getField(STE, words, "Config") === VSTE_CONFIG.s1;
  const enableAts = s1 && getField(STE, words, "EATS") === EATS_TRANS;
  setField(STE, words, "EATS", 0n);
  return { ste: [words[0], words[1]], enableAts };
}

/**
 * The two words a VMM hands to the kernel for a guest STE: fields it may set, the pointer up to bit
 * 55.
 */
export function maskVste(word0: bigint, word1: bigint): [bigint, bigint] {
  const pointer = packFields(STE, { S1ContextPtr: ALL });
  return [word0 & (ALLOWED[0] | pointer[0]), word1 & ALLOWED[1]];
}

/** iommu_hwpt_arm_smmuv3 of two STE words. */
export const vstePayload = (words: readonly [bigint, bigint]): Uint8Array => bytesOf(words);
