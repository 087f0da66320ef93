// QEMU's `smmu*` trace lines, reduced to what a translation looked up, read and inserted.

type Rewrite = [prefix: string, pattern: RegExp, to: (m: RegExpMatchArray) => string];

const REWRITES: Rewrite[] = [
  ["smmuv3_config_cache_hit ", /./, () => "cfg hit"],
  ["smmuv3_config_cache_miss ", /./, () => "cfg miss"],
  ["smmuv3_find_ste_2lvl ", /l1ptr:(\S+) l1_off:/, (m) => `l1std ${m[1]}`],
  ["smmuv3_get_ste ", /addr: (\S+)/, (m) => `ste ${m[1]}`],
  ["smmuv3_get_cd ", /addr: (\S+)/, (m) => `cd ${m[1]}`],
  [
    "smmu_iotlb_lookup_",
    /lookup_(hit|miss) .*asid=(\S+) vmid=(-?\d+) addr=(\S+)/,
    (m) => `look ${m[2]} ${m[3]} ${m[4]} ${m[1]}`,
  ],
  [
    "smmu_iotlb_insert ",
    /asid=(\S+) vmid=(-?\d+) addr=(\S+) tg=(\d+) level=(\d+)/,
    (m) => `ins ${m[1]} ${m[2]} ${m[3]} ${m[4]} ${m[5]}`,
  ],
  ["smmu_get_pte ", /pteaddr=(\S+), pte=(\S+)/, (m) => `pte? ${m[1]} ${m[2]}`],
  ["smmu_ptw_level ", /stage=(\d) level=(\d)/, (m) => `level ${m[1]} ${m[2]}`],
  [
    "smmuv3_translate_success ",
    /translated=(\S+) perm=(\S+) stage=(\d)/,
    (m) => `ok ${m[1]} ${Number(m[2])} ${m[3]}`,
  ],
  ["smmuv3_translate_bypass ", /./, () => "bypass"],
  ["smmuv3_translate_abort ", /./, () => "abort"],
  ["smmuv3_translate_disable ", /./, () => "disabled"],
  ["smmuv3_read_mmio ", /addr: (\S+) /, (m) => `read ${m[1]}`],
];

/** One trace line in short form, or undefined when it says nothing about a translation. */
function shorten(line: string): string | undefined {
  for (const [prefix, pattern, to] of REWRITES) {
    if (!line.startsWith(prefix)) continue;
    const match = line.match(pattern);
    if (!match) throw new Error(`unknown form of trace line: ${line}`);
    return to(match);
  }
  return undefined;
}

/** Lines about translations in short form (src/conform/program.ts), all others left out. */
export function shortenTrace(lines: readonly string[]): string[] {
  return splitTrace([...lines, "smmuv3_read_mmio addr: 0xa8 "]).flat();
}

/**
 * Splits a trace at the reads of EVENTQ_PROD, which follow every DMA of a program.
 * The lines of a part are those of src/conform/program.ts.
 */
export function splitTrace(lines: readonly string[]): string[][] {
  const parts: string[][] = [];
  let part: string[] = [];
  for (const line of lines) {
    const short = shorten(line);
    if (short === undefined) continue;
    if (short.startsWith("read ")) {
      // Registers of page 0 and their alias; only EVENTQ_PROD ends a part.
      if (short === "read 0xa8" || short === "read 0x100a8") {
        parts.push(part);
        part = [];
      }
    } else if (short.startsWith("level ")) {
      const [, stage, level] = short.split(" ");
      const last = part.length - 1;
      part[last] = part[last].replace("pte?", `pte ${stage} ${level}`);
    } else {
      part.push(short);
    }
  }
  return parts;
}
