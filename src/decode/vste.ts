// Would Linux accept this STE as the vSTE of a nested domain? Which bit does it refuse? (iommufd.h)
import { STE } from "../spec/index.ts";
import { hexOf, type Words } from "./fields.ts";
import type { Verdict, VsteVerdict } from "./types.ts";

/** Fields that a guest may set: word 0 and word 1 of `struct iommu_hwpt_arm_smmuv3`. */
const ALLOWED = [
  "V",
  "Config",
  "S1Fmt",
  "S1ContextPtr",
  "S1CDMax",
  "S1DSS",
  "S1CIR",
  "S1COR",
  "S1CSH",
  "S1STALLD",
  "EATS",
] as const;

/** Linux takes S1ContextPtr up to bit 51, though the field goes to 55. */
const CONTEXT_POINTER_HI = 51;

const OUTCOME: Readonly<Record<number, string>> = {
  0: "abort: DMA of the device is terminated",
  4: "bypass: only the VM's stage 2 translates",
  5: "nested: stage 1 of the guest under stage 2 of the VM, physically Config=7",
};

function isAllowed(bit: number): boolean {
  return ALLOWED.some((name) => {
    const { lo, hi } = STE.field[name];
    return bit >= lo && bit <= (name === "S1ContextPtr" ? CONTEXT_POINTER_HI : hi);
  });
}

const owner = (bit: number): string => {
  const field = STE.fields.find((f) => bit >= f.lo && bit <= f.hi + (f.count - 1) * f.stride);
  return field === undefined || field.kind === "res0" ? "reserved" : field.name;
};

/** Bits of words 0 and 1 that are set and that Linux does not take, field by field. */
function refusedBits(words: Words): Verdict[] {
  const byField = new Map<string, number[]>();
  for (let bit = 0; bit < 128; bit++) {
    const word = words[Math.floor(bit / 64)] ?? 0n;
    if (((word >> BigInt(bit % 64)) & 1n) === 0n || isAllowed(bit)) continue;
    const name = owner(bit);
    byField.set(name, [...(byField.get(name) ?? []), bit]);
  }
  return [...byField].map(([name, bits]) => ({
    rule: "vste-bits",
    text:
      name === "S1ContextPtr"
        ? `S1ContextPtr has ${bitList(bits)}, above bit ${CONTEXT_POINTER_HI} where ` +
          "Linux's mask ends"
        : `${bitList(bits)} (${name}) may not be set by a guest`,
  }));
}

const bitList = (bits: readonly number[]): string =>
  bits.length === 1 ? `bit ${bits[0]}` : `bits ${bits.join(", ")}`;

/**
 * Judges the first two words as Linux does when a VMM asks for a nested domain. A VMM such as QEMU
 * masks the words first, so a refused bit of a full STE reaches the kernel only from other VMMs.
 */
export function judgeVste(words: Words): VsteVerdict | undefined {
  const [word0, word1] = words;
  if (word0 === undefined || word1 === undefined) return undefined;
  if ((word0 & 1n) === 0n)
    return { accepted: true, problems: [], outcome: "abort: V=0 becomes an all-zero entry" };
  const config = Number((word0 >> BigInt(STE.field.Config.lo)) & 7n);
  const eats = Number((word1 >> BigInt(STE.field.EATS.lo % 64)) & 3n);
  const problems = refusedBits(words);
  if (OUTCOME[config] === undefined)
    problems.push({
      rule: "vste-config",
      text: `Config=${config}: only 0 (abort), 4 (bypass) and 5 (stage 1) are taken`,
    });
  if (eats > 1)
    problems.push({ rule: "vste-eats", text: `EATS=${hexOf(eats)}: only 0 and 1 are taken` });
  if (problems.length > 0) return { accepted: false, errno: "EIO", problems };
  return { accepted: true, problems: [], outcome: OUTCOME[config] };
}
