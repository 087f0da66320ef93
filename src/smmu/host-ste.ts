// The STEs that the host driver makes: abort, stage 2, and a guest's STE merged over stage 2 (Linux
// 7.2; IHI0070 5.2).
import { STE } from "../spec/ste.ts";
import { getField, packFields, setField } from "../spec/word.ts";
import { type GranuleShift, startOf } from "../tables/page-table.ts";
import { VSTE_CONFIG } from "../vfio/iommufd/vste.ts";
import type { SteWords } from "./entry-writer.ts";

const CONFIG_S1 = 5;
const CONFIG_S2 = 6;
const CONFIG_NESTED = 7;
const EATS_TRANS = 1;
const S1DSS_SSID0 = 2;
/** Walks are inner and outer write-back, inner shareable. */
const WRITE_BACK = 1;
const INNER_SHAREABLE = 3;

/** S2TG and CD.TG0 encodings by granule. */
export const TG0: Readonly<Record<GranuleShift, number>> = { 12: 0, 14: 2, 16: 1 };

/** S2PS, IPS and OAS encodings by bits. */
const PS: Readonly<Record<number, number>> = { 32: 0, 36: 1, 40: 2, 42: 3, 44: 4, 48: 5 };

/** Encoding of an address size. Throws a RangeError on a size that has none. */
export function addressSize(bits: number): number {
  const code = PS[bits];
  if (code === undefined) throw new RangeError(`no address size encoding for ${bits} bits`);
  return code;
}

/** S2SL0 of a start level. */
function startLevelField(granule: GranuleShift, level: number): number {
  return granule === 12 ? 2 - level : 3 - level;
}

/** A stage 2 as the STE names it. */
export interface Stage2 {
  readonly vmid: number;
  readonly root: bigint;
  readonly granule: GranuleShift;
  readonly inputBits: number;
  /** Bits of the output address. */
  readonly outputBits: number;
  readonly s2fwb: boolean;
}

/** V=1, Config=0: every transaction aborts silently. */
export const abortSte = (): SteWords => packFields(STE, { V: 1 });

/** Stage 2 only: what bypass means for a guest. */
export function stage2Ste(s2: Stage2, ats: boolean): SteWords {
  const { level } = startOf({ stage: 2, granule: s2.granule, inputBits: s2.inputBits });
  return packFields(STE, {
    V: 1,
    Config: CONFIG_S2,
    EATS: ats ? EATS_TRANS : 0,
    S2FWB: s2.s2fwb ? 1 : 0,
    S2VMID: s2.vmid,
    S2T0SZ: 64 - s2.inputBits,
    S2SL0: startLevelField(s2.granule, level),
    S2IR0: WRITE_BACK,
    S2OR0: WRITE_BACK,
    S2SH0: INNER_SHAREABLE,
    S2TG: TG0[s2.granule],
    S2PS: addressSize(s2.outputBits),
    S2AA64: 1,
    S2PTW: 1,
    S2R: 1,
    S2TTB: s2.root,
  });
}

/** Stage 1 with the host's own CD table of 2^log2 entries; SubstreamID 0 is the device itself. */
export function stage1Ste(cd: bigint, log2Cds: number, ats: boolean): SteWords {
  return packFields(STE, {
    V: 1,
    Config: CONFIG_S1,
    S1ContextPtr: cd,
    S1CDMax: log2Cds,
    S1DSS: S1DSS_SSID0,
    S1CIR: WRITE_BACK,
    S1COR: WRITE_BACK,
    S1CSH: INNER_SHAREABLE,
    EATS: ats ? EATS_TRANS : 0,
  });
}

/**
 * The physical STE for a guest's: abort and bypass are the host's own; stage 1 is the VM's stage 2
 * with Config made nested, the guest's fields of words 0 and 1 and event merging added.
 */
export function nestedSte(guest: readonly [bigint, bigint], s2: Stage2, ats: boolean): SteWords {
  const valid = getField(STE, guest, "V") === 1n;
  const config = getField(STE, guest, "Config");
  if (!valid || config === VSTE_CONFIG.abort) return abortSte();
  const ste = [...stage2Ste(s2, ats)];
  if (config === VSTE_CONFIG.bypass) return ste;
  ste[0] = setField(STE, [guest[0]], "Config", CONFIG_NESTED)[0];
  ste[1] |= guest[1];
  return setField(STE, ste, "MEV", 1);
}
