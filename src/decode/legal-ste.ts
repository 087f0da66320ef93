// What makes a Non-secure STE ILLEGAL, in the architecture's order (IHI0070 5.2.2).
import { addressBits, all, any, hasGranule, iasBits, is, oasBits } from "./idr.ts";
import type { Entry, Rule } from "./legal.ts";

const config = (e: Entry): number | undefined => e.num("Config");
const stage1 = (e: Entry) => is(config(e), (c) => c >= 4 && c % 2 === 1);
const stage2 = (e: Entry) => is(config(e), (c) => c >= 6);
const eq = (e: Entry, field: string, value: number) => is(e.num(field), (v) => v === value);
const not = (fact: boolean | undefined) => (fact === undefined ? undefined : !fact);
const above = (address: bigint | undefined, bits: number | undefined): boolean | undefined =>
  address === undefined || bits === undefined ? undefined : address >> BigInt(bits) !== 0n;

const S2_GRANULES = ["4K", "64K", "16K"] as const;

/** Granule of stage 2, or undefined when S2TG is reserved or missing. */
function s2Granule(e: Entry): (typeof S2_GRANULES)[number] | undefined {
  const tg = e.num("S2TG");
  return tg === undefined ? undefined : S2_GRANULES[tg];
}

/** Start level of stage 2 by S2TG, S2SL0 and S2SL0_2; undefined for reserved combinations. */
function s2StartLevel(
  granule: "4K" | "16K" | "64K",
  sl0: number,
  sl0_2: number,
): number | undefined {
  if (granule === "4K") return sl0_2 === 1 ? (sl0 === 0 ? -1 : undefined) : [2, 1, 0, 3][sl0];
  return granule === "16K" ? [3, 2, 1, 0][sl0] : [3, 2, 1][sl0];
}

const SHIFT = { "4K": 12, "16K": 14, "64K": 16 };

/** Do input size, start level and granule fit: one to 16 concatenated tables that are not empty? */
function s2StartFits(granule: "4K" | "16K" | "64K", level: number, t0sz: number): boolean {
  const stride = SHIFT[granule] - 3;
  const indexBits = 64 - t0sz - (SHIFT[granule] + (3 - level) * stride);
  return indexBits >= 1 && indexBits <= stride + 4;
}

function inconsistentStart(e: Entry): boolean | undefined {
  const granule = s2Granule(e);
  const [t0sz, sl0, ds, high] = ["S2T0SZ", "S2SL0", "S2DS", "S2SL0_2"].map(e.num);
  if (t0sz === undefined || sl0 === undefined || ds === undefined) return undefined;
  if (granule === undefined) return false;
  const level = s2StartLevel(granule, sl0, ds === 1 ? (high ?? 0) : 0);
  if (level === undefined) return true;
  if (granule !== "64K" && ds === 0 && level < (granule === "4K" ? 0 : 1)) return true;
  return !s2StartFits(granule, level, t0sz);
}

function s2SizeOutOfRange(e: Entry): boolean | undefined {
  const t0sz = e.num("S2T0SZ");
  const granule = s2Granule(e);
  const stt = e.features("IDR3.STT");
  const ias = iasBits(e.features);
  const ds = e.num("S2DS");
  if (t0sz === undefined || granule === undefined) return granule === undefined ? false : undefined;
  if (t0sz > 48) return true;
  const max = stt === undefined ? undefined : stt === 1 ? (granule === "64K" ? 47 : 48) : 39;
  const floor = granule !== "64K" && ds === 0 ? 16 : 12;
  const min = ias === undefined ? undefined : Math.max(floor, 64 - ias);
  return any(
    t0sz < floor,
    max === undefined ? (t0sz > 39 ? undefined : false) : t0sz > max,
    min === undefined ? undefined : t0sz < min,
  );
}

function s2TableOutOfRange(e: Entry): boolean | undefined {
  const ttb = e.get("S2TTB");
  const ps = e.num("S2PS");
  const oas = oasBits(e.features);
  if (ttb === undefined || ps === undefined) return undefined;
  const small = e.num("S2TG") !== 1 && e.num("S2DS") === 0;
  if (small && ttb >> 48n !== 0n) return true;
  if (ttb >> BigInt(addressBits(ps)) !== 0n) return true;
  return above(ttb, oas);
}

const atsUsed = (e: Entry) =>
  all(
    is(e.features("IDR0.ATS"), (v) => v === 1),
    is(config(e), (c) => c >= 5),
  );

function granuleMissing(e: Entry): boolean | undefined {
  const tg = e.num("S2TG");
  if (tg === undefined) return undefined;
  const granule = S2_GRANULES[tg];
  return granule === undefined ? true : not(hasGranule(e.features, granule));
}

function contextPointerOutOfRange(e: Entry): boolean | undefined {
  const bits = config(e) === 7 ? iasBits(e.features) : oasBits(e.features);
  return above(e.get("S1ContextPtr"), bits);
}

const substreams = (e: Entry) => is(e.features("IDR1.SSIDSIZE"), (v) => v !== 0);
const feature = (e: Entry, name: Parameters<Entry["features"]>[0], test: (v: number) => boolean) =>
  is(e.features(name), test);

const STAGE_1: readonly Rule[] = [
  {
    rule: "ste-s1p",
    text: "Config asks for stage 1, which IDR0.S1P says is not implemented",
    broken: (e) =>
      all(
        stage1(e),
        feature(e, "IDR0.S1P", (v) => v === 0),
      ),
  },
  {
    rule: "ste-s2p",
    text: "Config asks for stage 2, which IDR0.S2P says is not implemented",
    broken: (e) =>
      all(
        stage2(e),
        feature(e, "IDR0.S2P", (v) => v === 0),
      ),
  },
  {
    rule: "ste-eats-split",
    text: "EATS=2 (split-stage ATS) needs Config=7, S2S=0 and IDR0.NS1ATS=0",
    broken: (e) =>
      all(
        atsUsed(e),
        eq(e, "EATS", 2),
        any(
          is(config(e), (c) => c !== 7),
          eq(e, "S2S", 1),
          feature(e, "IDR0.NS1ATS", (v) => v === 1),
        ),
      ),
  },
  {
    rule: "ste-eats-stall",
    text: "EATS=1 (full ATS) together with S2S=1 (stage 2 stalls)",
    broken: (e) => all(stage2(e), atsUsed(e), eq(e, "EATS", 1), eq(e, "S2S", 1)),
  },
  {
    rule: "ste-strw",
    text: "STRW holds a reserved StreamWorld (1 or 3)",
    broken: (e) =>
      all(
        is(config(e), (c) => c === 5),
        is(e.num("STRW"), (v) => v % 2 === 1),
        feature(e, "IDR0.Hyp", (v) => v === 1),
      ),
  },
  {
    rule: "ste-s1stalld",
    text: "S1STALLD=1 on an SMMU whose IDR0.STALL_MODEL is not 0",
    broken: (e) =>
      all(
        stage1(e),
        eq(e, "S1STALLD", 1),
        feature(e, "IDR0.STALL_MODEL", (v) => v !== 0),
      ),
  },
  {
    rule: "ste-s1cdmax",
    text: "S1CDMax is larger than IDR1.SSIDSIZE",
    broken: (e) => {
      const max = e.num("S1CDMax");
      const size = e.features("IDR1.SSIDSIZE");
      if (max === 0) return false;
      const larger = max === undefined || size === undefined ? undefined : size !== 0 && max > size;
      return all(stage1(e), larger);
    },
  },
  {
    rule: "ste-s1fmt",
    text: "S1Fmt asks for a 2-level CD table, which IDR0.CD2L says is not implemented",
    broken: (e) =>
      all(
        stage1(e),
        is(e.num("S1CDMax"), (v) => v !== 0),
        is(e.num("S1Fmt"), (v) => v === 1 || v === 2),
        substreams(e),
        feature(e, "IDR0.CD2L", (v) => v === 0),
      ),
  },
  {
    rule: "ste-s1contextptr",
    text: "S1ContextPtr lies beyond the address size (OAS, or IAS when nested)",
    broken: (e) => all(stage1(e), contextPointerOutOfRange(e)),
  },
];

const lpae = (e: Entry) => eq(e, "S2AA64", 0);

const STAGE_2: readonly Rule[] = [
  {
    rule: "ste-s2fwb-lpae",
    text: "S2FWB=1 with the LPAE stage 2 format",
    broken: (e) =>
      all(
        stage2(e),
        lpae(e),
        eq(e, "S2FWB", 1),
        feature(e, "IDR3.FWB", (v) => v === 1),
      ),
  },
  {
    rule: "ste-s2s-terminate",
    text: "S2S=1 on an SMMU that cannot stall (STALL_MODEL=1)",
    broken: (e) =>
      all(
        stage2(e),
        eq(e, "S2S", 1),
        feature(e, "IDR0.STALL_MODEL", (v) => v === 1),
      ),
  },
  {
    rule: "ste-s2s-stall",
    text: "S2S=0 on an SMMU that always stalls (STALL_MODEL=2)",
    broken: (e) =>
      all(
        stage2(e),
        eq(e, "S2S", 0),
        feature(e, "IDR0.STALL_MODEL", (v) => v === 2),
      ),
  },
  {
    rule: "ste-s2aa64",
    text: "S2AA64 picks a table format that IDR0.TTF does not offer",
    broken: (e) =>
      all(
        stage2(e),
        any(
          all(
            lpae(e),
            feature(e, "IDR0.TTF", (v) => v % 2 === 0),
          ),
          all(
            eq(e, "S2AA64", 1),
            feature(e, "IDR0.TTF", (v) => v < 2),
          ),
        ),
      ),
  },
  {
    rule: "ste-s2ha",
    text: "S2HA or S2HD without hardware updates (IDR0.HTTU=0), or with LPAE",
    broken: (e) =>
      all(
        stage2(e),
        any(eq(e, "S2HA", 1), eq(e, "S2HD", 1)),
        any(
          lpae(e),
          feature(e, "IDR0.HTTU", (v) => v === 0),
        ),
      ),
  },
  {
    rule: "ste-s2hd",
    text: "S2HD on an SMMU that updates only the Access flag (HTTU=1)",
    broken: (e) =>
      all(
        stage2(e),
        eq(e, "S2HD", 1),
        feature(e, "IDR0.HTTU", (v) => v === 1),
      ),
  },
  {
    rule: "ste-s2haft",
    text: "S2HAFT without S2HA",
    broken: (e) =>
      all(
        stage2(e),
        eq(e, "S2HAFT", 1),
        eq(e, "S2HA", 0),
        feature(e, "IDR0.HTTU", (v) => v === 3),
      ),
  },
  {
    rule: "ste-s2tg",
    text: "S2TG is reserved (3) or names a granule the SMMU does not have",
    broken: (e) => all(stage2(e), not(lpae(e)), granuleMissing(e)),
  },
  {
    rule: "ste-s2ttb",
    text: "S2TTB lies beyond the effective stage 2 output size",
    broken: (e) => all(stage2(e), s2TableOutOfRange(e)),
  },
  {
    rule: "ste-s2t0sz",
    text: "S2T0SZ is out of range",
    broken: (e) => all(stage2(e), not(lpae(e)), s2SizeOutOfRange(e)),
  },
  {
    rule: "ste-s2sl0",
    text: "S2T0SZ, S2SL0 and S2TG do not fit together",
    broken: (e) => all(stage2(e), not(lpae(e)), inconsistentStart(e)),
  },
  {
    rule: "ste-s2endi",
    text: "S2ENDI asks for an endianness that IDR0.TTENDIAN does not offer",
    broken: (e) =>
      all(
        stage2(e),
        any(
          all(
            eq(e, "S2ENDI", 1),
            feature(e, "IDR0.TTENDIAN", (v) => v === 2),
          ),
          all(
            eq(e, "S2ENDI", 0),
            feature(e, "IDR0.TTENDIAN", (v) => v === 3),
          ),
        ),
      ),
  },
  {
    rule: "ste-s2poe",
    text: "S2POE without S2PIE, or S2PIE with LPAE",
    broken: (e) =>
      all(
        stage2(e),
        any(
          all(
            eq(e, "S2PIE", 1),
            lpae(e),
            feature(e, "IDR3.S2PI", (v) => v === 1),
          ),
          all(
            eq(e, "S2POE", 1),
            eq(e, "S2PIE", 0),
            feature(e, "IDR3.S2PO", (v) => v === 1),
          ),
        ),
      ),
  },
  {
    rule: "ste-s2vmid",
    text: "S2VMID needs more than the 8 bits that IDR0.VMID16=0 allows",
    broken: (e) =>
      all(
        is(config(e), (c) => c >= 5),
        is(e.num("S2VMID"), (v) => v > 0xff),
        feature(e, "IDR0.S2P", (v) => v === 1),
        feature(e, "IDR0.VMID16", (v) => v === 0),
      ),
  },
  {
    rule: "ste-vmsptr",
    text: "VMSPtr lies beyond OAS",
    broken: (e) =>
      all(
        is(config(e), (c) => c === 7),
        eq(e, "S1MPAM", 1),
        above(e.get("VMSPtr"), oasBits(e.features)),
      ),
  },
];

/** Rules for a valid STE that does not abort; V=0 and Config 0xx are looked at before. */
export const STE_RULES: readonly Rule[] = [...STAGE_1, ...STAGE_2];
