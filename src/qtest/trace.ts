// Trace lines in the form that QEMU 11.1 prints for the same events.
import type { Explanation, Step } from "../engine/types.ts";
import { STE } from "../spec/ste.ts";
import { getField } from "../spec/word.ts";

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
/** QEMU numbers granules 4K 1, 16K 2, 64K 3. */
const NO_COUNTS = "(hits=0, misses=0, hit rate=0)";
const L1STD_BYTES = 8n;
/** STE.Config: both stages translate. */
const NESTED = 7n;

/** The lines of one step of a translation for a StreamID. */
function stepLines(step: Step, sid: number, stage: number, iova: bigint): string[] {
  const { address, asid, vmid, level } = step;
  switch (step.what) {
    case "config-lookup":
      return step.hit
        ? [`smmuv3_config_cache_hit Config cache HIT for sid=${hex(sid)} ${NO_COUNTS}`]
        : [`smmuv3_config_cache_miss Config cache MISS for sid=${hex(sid)} ${NO_COUNTS}`];
    case "l1std":
      return [
        `smmuv3_find_ste_2lvl strtab_base:0x0 l1ptr:${hex(address)} ` +
          `l1_off:${hex(address / L1STD_BYTES)}, l2ptr:0x0 l2_off:0x0 max_l2_ste:0`,
      ];
    case "ste":
      return [`smmuv3_get_ste STE addr: ${hex(address)}`];
    case "cd":
      return [`smmuv3_get_cd CD addr: ${hex(address)}`];
    case "iotlb-lookup": {
      const [name, word] = step.hit ? ["hit", "HIT"] : ["miss", "MISS"];
      return [
        `smmu_iotlb_lookup_${name} IOTLB cache ${word} asid=${asid} vmid=${vmid} ` +
          `addr=${hex(address)} hit=0 miss=0 hit rate=0`,
      ];
    }
    case "iotlb-insert":
      return [
        `smmu_iotlb_insert IOTLB ++ asid=${asid} vmid=${vmid} addr=${hex(address)} ` +
          `tg=${step.aux} level=${level}`,
      ];
    case "pte":
      return step.unbacked
        ? []
        : [
            `smmu_get_pte baseaddr=0x0 index=0x0, pteaddr=${hex(address)}, pte=${hex(step.value)}`,
            `smmu_ptw_level stage=${stage} level=${level} iova=${hex(iova)} subpage_sz=0x0 ` +
              `baseaddr=0x0 offset=0 => pte=${hex(step.value)}`,
          ];
    default:
      return [];
  }
}

/** Whether the STE that a translation read asks for both stages; undefined when it read none. */
export function readsNestedSte(steps: readonly Step[]): boolean | undefined {
  const ste = steps.find((s) => s.what === "ste");
  return ste && getField(STE, [ste.value], "Config") === NESTED;
}

/**
 * All lines of one translation. QEMU calls stage 1 of a nested walk stage 3, and its `is_write`
 * says whether the access may go on, be it a read or a write.
 */
export function translationLines(
  sid: number,
  iova: bigint,
  result: Explanation,
  nested: boolean,
): string[] {
  // QEMU prints the level 1 descriptor once it has found it good.
  const badL1std = result.event?.name === "C_BAD_STREAMID";
  const steps = result.steps.filter((s) => s.what !== "l1std" || !(s.unbacked || badL1std));
  const lines = steps.flatMap((step) =>
    stepLines(step, sid, step.stage === 1 && nested ? 3 : step.stage, iova),
  );
  const region = `smmuv3-iommu-memory-region-${sid % 256}-0 sid=${hex(sid)}`;
  const looked = result.steps.some((s) => s.what === "config-lookup");
  if (result.status === "ok") {
    const { pa = 0n, perm = 0, stage = 0 } = result;
    lines.push(
      `smmuv3_translate_success ${region} iova=${hex(iova)} translated=${hex(pa)} ` +
        `perm=${hex(perm % 4)} stage=${stage}`,
    );
  } else if (result.status === "bypass") {
    const [name, how] = looked ? ["bypass", "STE bypass"] : ["disable", "bypass (smmu disabled)"];
    lines.push(`smmuv3_translate_${name} ${region} ${how} iova:${hex(iova)} is_write=1`);
  } else if (result.status === "abort") {
    lines.push(`smmuv3_translate_abort ${region} abort on iova:${hex(iova)} is_write=0`);
  }
  return lines;
}

/** A -trace pattern: a name with `*` for any run of characters. */
export function matcher(patterns: readonly string[]): (name: string) => boolean {
  const sources = patterns.map((p) => p.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*"));
  const expression = new RegExp(`^(?:${sources.join("|")})$`);
  return (name) => sources.length > 0 && expression.test(name);
}
