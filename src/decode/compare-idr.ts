// Can a guest SMMU with these ID registers be accelerated on that host SMMU? (QEMU 11)
import { IDR0, IDR1, IDR3, IDR5 } from "../spec/index.ts";
import {
  addressBits,
  type FeatureName,
  type Features,
  featuresOf,
  type IdRegisters,
} from "./idr.ts";

/** How one field compares. */
export interface IdrComparison {
  /** "IDR0.ATS". */
  readonly field: FeatureName;
  readonly host: number | undefined;
  readonly guest: number | undefined;
  /**
   * "ok" and "refused" are rules of the accelerated mode; "missing" is a rule whose register was
   * not
   * given; "unoffered" is a feature the guest has that accelerated mode never offers; "differs" and
   * "same" are fields that no rule looks at.
   */
  readonly verdict: "ok" | "refused" | "missing" | "unoffered" | "differs" | "same";
  readonly text: string;
}

interface Rule {
  readonly field: FeatureName;
  readonly rule: string;
  readonly fits: (host: number, guest: number) => boolean;
  readonly refusal: (host: number, guest: number) => string;
}

/** StreamIDs of a guest are RequesterIDs. */
const SID_BITS_MIN = 16;

const atLeast = (host: number, guest: number): boolean => host >= guest;
const granule = (size: "4K" | "16K" | "64K"): Rule => ({
  field: `IDR5.GRAN${size}`,
  rule: "equal",
  fits: (h, g) => h === g,
  refusal: () => `the host does not agree about the ${size} translation granule`,
});

const RULES: readonly Rule[] = [
  {
    field: "IDR0.ST_LEVEL",
    rule: "equal",
    fits: (h, g) => h === g,
    refusal: (h, g) => `stream table formats differ (host ${h}, guest ${g})`,
  },
  {
    field: "IDR0.TTENDIAN",
    rule: "host does little endian",
    fits: (h) => h === 0 || h === 2,
    refusal: () => "the host has no little-endian translation tables",
  },
  {
    field: "IDR0.TTF",
    rule: "host at least guest",
    fits: atLeast,
    refusal: () => "the host has no AArch64 translation tables",
  },
  {
    field: "IDR1.SIDSIZE",
    rule: `host at least ${SID_BITS_MIN}`,
    fits: (h) => h >= SID_BITS_MIN,
    refusal: (h) => `the host has only ${h} StreamID bits, a RequesterID needs ${SID_BITS_MIN}`,
  },
  {
    field: "IDR1.SSIDSIZE",
    rule: "host at least guest",
    fits: atLeast,
    refusal: (h, g) => `the host has ${h} SubstreamID bits, the guest promises ${g}`,
  },
  {
    field: "IDR3.RIL",
    rule: "host at least guest",
    fits: atLeast,
    refusal: () => "the host has no range invalidation",
  },
  {
    field: "IDR5.OAS",
    rule: "host at least guest",
    fits: atLeast,
    refusal: (h, g) =>
      `the host has ${addressBits(h)}-bit addresses, the guest promises ${addressBits(g)}`,
  },
  {
    field: "IDR0.ATS",
    rule: "host at least guest",
    fits: atLeast,
    refusal: () => "the host has no ATS",
  },
  granule("4K"),
  granule("16K"),
  granule("64K"),
];

/**
 * Features that accelerated mode never offers to a guest, and the value that means "not offered".
 */
const NEVER: readonly [FeatureName, number][] = [
  ["IDR0.HTTU", 0],
  ["IDR0.PRI", 0],
  ["IDR0.Hyp", 0],
  ["IDR0.BTM", 0],
  ["IDR0.MSI", 0],
  ["IDR0.SEV", 0],
  ["IDR0.S2P", 0],
  ["IDR0.STALL_MODEL", 1],
];

/** Fields that the kernel lets a VMM rely on; others are read at the VMM's own risk. */
const TRUSTED = new Set<string>([
  "IDR0.ST_LEVEL",
  "IDR0.TERM_MODEL",
  "IDR0.STALL_MODEL",
  "IDR0.TTENDIAN",
  "IDR0.CD2L",
  "IDR0.ASID16",
  "IDR0.TTF",
  "IDR1.SIDSIZE",
  "IDR1.SSIDSIZE",
  "IDR3.BBML",
  "IDR3.RIL",
  "IDR5.VAX",
  "IDR5.GRAN4K",
  "IDR5.GRAN16K",
  "IDR5.GRAN64K",
]);

const FIELDS: readonly FeatureName[] = [IDR0, IDR1, IDR3, IDR5].flatMap((register) =>
  register.fields
    .filter((f) => f.kind === "bits")
    .map((f) => `${register.name}.${f.name}` as FeatureName),
);

function ruled(rule: Rule, host: number | undefined, guest: number | undefined): IdrComparison {
  const base = { field: rule.field, host, guest };
  if (host === undefined || guest === undefined)
    return { ...base, verdict: "missing", text: `not given; the rule is: ${rule.rule}` };
  const trust = TRUSTED.has(rule.field) ? "" : "; the kernel does not list it for VMMs to use";
  return rule.fits(host, guest)
    ? { ...base, verdict: "ok", text: `${rule.rule}${trust}` }
    : { ...base, verdict: "refused", text: rule.refusal(host, guest) };
}

function unruled(field: FeatureName, host: Features, guest: Features): IdrComparison | undefined {
  const [h, g] = [host(field), guest(field)];
  if (h === undefined || g === undefined) return undefined;
  const never = NEVER.find(([name]) => name === field);
  const base = { field, host: h, guest: g };
  if (never !== undefined && g !== never[1])
    return { ...base, verdict: "unoffered", text: "accelerated mode never offers this to a guest" };
  return h === g
    ? { ...base, verdict: "same", text: "no rule looks at it" }
    : { ...base, verdict: "differs", text: "no rule looks at it" };
}

/**
 * Compares the ID registers of a host SMMU with those of a guest's, field by field, by the rules
 * under
 * which QEMU 11 admits a device to an accelerated SMMU. `refused` fields stop it.
 */
export function compareIdr(host: IdRegisters, guest: IdRegisters): IdrComparison[] {
  const [h, g] = [featuresOf(host), featuresOf(guest)];
  const byRule = RULES.map((r) => ruled(r, h(r.field), g(r.field)));
  const others = FIELDS.filter((f) => !RULES.some((r) => r.field === f)).flatMap(
    (f) => unruled(f, h, g) ?? [],
  );
  return [...byRule, ...others];
}
