// What makes a context descriptor ILLEGAL, in the architecture's order (IHI0070 5.4.1).
import { addressBits, all, any, hasGranule, is, oasBits } from "./idr.ts";
import type { Entry, Rule } from "./legal.ts";

const eq = (e: Entry, field: string, value: number) => is(e.num(field), (v) => v === value);
const feature = (e: Entry, name: Parameters<Entry["features"]>[0], test: (v: number) => boolean) =>
  is(e.features(name), test);

const GRANULES = {
  0: ["4K", "64K", "16K", undefined],
  1: [undefined, "16K", "4K", "64K"],
} as const;

/** Granule of one half of the address space, or undefined when TGx is reserved. */
export function cdGranule(half: 0 | 1, tg: number): "4K" | "16K" | "64K" | undefined {
  return GRANULES[half][tg];
}

const enabled = (e: Entry, half: 0 | 1) => eq(e, `EPD${half}`, 0);

function sizeOutOfRange(e: Entry, half: 0 | 1): boolean | undefined {
  const size = e.num(`T${half}SZ`);
  const tg = e.num(`TG${half}`);
  if (size === undefined || tg === undefined) return undefined;
  const granule = cdGranule(half, tg);
  const stt = e.features("IDR3.STT");
  const vax = e.features("IDR5.VAX");
  const ds = all(
    eq(e, "DS", 1),
    feature(e, "IDR5.DS", (v) => v === 1),
  );
  const wide = all(
    is(vax, (v) => v >= 1),
    any(granule === "64K", ds),
  );
  const max = stt === undefined ? undefined : stt === 0 ? 39 : granule === "64K" ? 47 : 48;
  if (size < 12 || size > 48) return true;
  const low = size >= 16 ? false : wide === undefined ? undefined : !wide;
  const high = size <= 39 ? false : max === undefined ? undefined : size > max;
  return any(low, high);
}

function granuleMissing(e: Entry, half: 0 | 1): boolean | undefined {
  const tg = e.num(`TG${half}`);
  if (tg === undefined) return undefined;
  const granule = cdGranule(half, tg);
  if (granule === undefined) return true;
  const has = hasGranule(e.features, granule);
  return has === undefined ? undefined : !has;
}

function tableOutOfRange(e: Entry, half: 0 | 1): boolean | undefined {
  const ttb = e.get(`TTB${half}`);
  const ips = e.num("IPS");
  const tg = e.num(`TG${half}`);
  if (ttb === undefined || ips === undefined || tg === undefined) return undefined;
  if (cdGranule(half, tg) !== "64K" && e.num("DS") === 0 && ttb >> 48n !== 0n) return true;
  if (ttb >> BigInt(addressBits(ips)) !== 0n) return true;
  const oas = oasBits(e.features);
  return oas === undefined ? (ttb === 0n ? false : undefined) : ttb >> BigInt(oas) !== 0n;
}

const aa64 = (e: Entry) => eq(e, "AA64", 1);

function halfRules(half: 0 | 1): Rule[] {
  return [
    {
      rule: `cd-t${half}sz`,
      text: `T${half}SZ is out of range for this SMMU and granule`,
      broken: (e) => all(enabled(e, half), aa64(e), sizeOutOfRange(e, half)),
    },
    {
      rule: `cd-tg${half}`,
      text: `TG${half} is reserved or names a granule the SMMU does not have`,
      broken: (e) => all(enabled(e, half), aa64(e), granuleMissing(e, half)),
    },
    {
      rule: `cd-ttb${half}`,
      text: `TTB${half} lies beyond the effective IPS`,
      broken: (e) => all(enabled(e, half), aa64(e), tableOutOfRange(e, half)),
    },
  ];
}

/** Rules for a valid CD of an EL1 stream; V=0 is looked at before. */
export const CD_RULES: readonly Rule[] = [
  {
    rule: "cd-s-s1stalld",
    text: "S=1 although STE.S1STALLD disables stalls",
    broken: (e) => {
      const disabled = e.ste?.("S1STALLD");
      return disabled === undefined
        ? all(eq(e, "S", 1), undefined)
        : all(eq(e, "S", 1), disabled === 1n);
    },
  },
  {
    rule: "cd-a",
    text: "A=0 (RAZ/WI) on an SMMU that can only abort (TERM_MODEL=1)",
    broken: (e) =>
      all(
        eq(e, "A", 0),
        feature(e, "IDR0.TERM_MODEL", (v) => v === 1),
      ),
  },
  {
    rule: "cd-s-terminate",
    text: "S=1 on an SMMU that cannot stall (STALL_MODEL=1)",
    broken: (e) =>
      all(
        eq(e, "S", 1),
        feature(e, "IDR0.STALL_MODEL", (v) => v === 1),
      ),
  },
  {
    rule: "cd-s-stall",
    text: "S=0 on an SMMU that always stalls (STALL_MODEL=2)",
    broken: (e) =>
      all(
        eq(e, "S", 0),
        feature(e, "IDR0.STALL_MODEL", (v) => v === 2),
      ),
  },
  {
    rule: "cd-endi",
    text: "ENDI asks for an endianness that IDR0.TTENDIAN does not offer",
    broken: (e) =>
      all(
        any(enabled(e, 0), enabled(e, 1)),
        any(
          all(
            eq(e, "ENDI", 1),
            feature(e, "IDR0.TTENDIAN", (v) => v === 2),
          ),
          all(
            eq(e, "ENDI", 0),
            feature(e, "IDR0.TTENDIAN", (v) => v === 3),
          ),
        ),
      ),
  },
  {
    rule: "cd-aa64",
    text: "AA64 picks a table format that IDR0.TTF does not offer",
    broken: (e) =>
      any(
        all(
          eq(e, "AA64", 0),
          feature(e, "IDR0.TTF", (v) => v % 2 === 0),
        ),
        all(
          aa64(e),
          feature(e, "IDR0.TTF", (v) => v < 2),
        ),
      ),
  },
  {
    rule: "cd-ha",
    text: "HA without hardware Access flag updates (IDR0.HTTU=0)",
    broken: (e) =>
      all(
        aa64(e),
        eq(e, "HA", 1),
        feature(e, "IDR0.HTTU", (v) => v === 0),
      ),
  },
  {
    rule: "cd-hd",
    text: "HD without hardware dirty updates (IDR0.HTTU below 2)",
    broken: (e) =>
      all(
        aa64(e),
        eq(e, "HD", 1),
        feature(e, "IDR0.HTTU", (v) => v < 2),
      ),
  },
  {
    rule: "cd-haft",
    text: "HAFT without HA",
    broken: (e) =>
      all(
        eq(e, "HAFT", 1),
        eq(e, "HA", 0),
        feature(e, "IDR0.HTTU", (v) => v === 3),
      ),
  },
  {
    rule: "cd-asid",
    text: "ASID needs more than the 8 bits that IDR0.ASID16=0 allows",
    broken: (e) =>
      all(
        is(e.num("ASID"), (v) => v > 0xff),
        feature(e, "IDR0.ASID16", (v) => v === 0),
      ),
  },
  ...halfRules(0),
  ...halfRules(1),
];
