// Whether a physical SMMU can carry the guest's: ID register comparison, and what auto takes from
// it (QEMU 11.1).
import type { Register } from "../spec/field.ts";
import { IDR0, IDR1, IDR3, IDR5 } from "../spec/register-id.ts";
import { getField } from "../spec/word.ts";
import type { HwInfo } from "../vfio/iommufd/driver.ts";
import type { GuestIdRegisters } from "./accel-properties.ts";
import { type AccelProperties, defaultsOf, type ResolvedProperties } from "./accel-properties.ts";

const OAS_BITS = [32, 36, 40, 42, 44, 48, 52, 56];

/** TTENDIAN of a host that has little-endian tables only. */
const LITTLE_ENDIAN = 2;

/** A field that is compared. */
interface Compared {
  readonly host: number;
  readonly guest: number;
}

type Rule = readonly [
  name: string,
  of: (idr: readonly number[]) => number,
  holds: (c: Compared) => boolean,
  refusal: (c: Compared) => string,
];

const field =
  <N extends string>(register: Register<N>, n: number, name: NoInfer<N>) =>
  (idr: readonly number[]): number =>
    Number(getField(register, [BigInt(idr[n])], name));

const same = (c: Compared): boolean => c.host === c.guest;
const atLeast = (c: Compared): boolean => c.host >= c.guest;
const numbers = (c: Compared): string => `host ${c.host}, vSMMU ${c.guest}`;
const granule = (size: string) => (): string => `the host does not have the ${size} granule alike`;

/** In the order in which the host is asked. */
const RULES: readonly Rule[] = [
  [
    "IDR0.ST_LEVEL",
    field(IDR0, 0, "ST_LEVEL"),
    same,
    (c) => `stream table formats differ (${numbers(c)})`,
  ],
  [
    "IDR0.TTENDIAN",
    field(IDR0, 0, "TTENDIAN"),
    (c) => c.host <= LITTLE_ENDIAN,
    () => "the host does not read little-endian translation tables",
  ],
  ["IDR0.TTF", field(IDR0, 0, "TTF"), atLeast, () => "the host does not have AArch64 tables"],
  [
    "IDR1.SIDSIZE",
    field(IDR1, 1, "SIDSIZE"),
    atLeast,
    (c) => `StreamID sizes do not fit (${numbers(c)})`,
  ],
  [
    "IDR1.SSIDSIZE",
    field(IDR1, 1, "SSIDSIZE"),
    atLeast,
    (c) => `SubstreamID sizes do not fit (${numbers(c)})`,
  ],
  ["IDR3.RIL", field(IDR3, 3, "RIL"), atLeast, () => "the host has no range invalidation"],
  [
    "IDR5.OAS",
    field(IDR5, 5, "OAS"),
    atLeast,
    (c) => `the host has IPAs of ${OAS_BITS[c.host]} bits, the vSMMU of ${OAS_BITS[c.guest]}`,
  ],
  ["IDR0.ATS", field(IDR0, 0, "ATS"), atLeast, () => "the host has no ATS"],
  ["IDR5.GRAN4K", field(IDR5, 5, "GRAN4K"), same, granule("4K")],
  ["IDR5.GRAN16K", field(IDR5, 5, "GRAN16K"), same, granule("16K")],
  ["IDR5.GRAN64K", field(IDR5, 5, "GRAN64K"), same, granule("64K")],
];

/** Names of the fields that are compared, in order. */
export const COMPARED_FIELDS: readonly string[] = RULES.map(([name]) => name);

/** Two of them are not on the list of fields that a VMM may trust. */
export const UNTRUSTED_FIELDS: readonly string[] = ["IDR0.ATS", "IDR5.OAS"];

/** A field in which the host does not fit, with the reason. */
export interface Incompatibility {
  readonly field: string;
  readonly reason: string;
}

/** Every field in which the host cannot carry the guest; the first one is the refusal. */
export function incompatibilities(guest: GuestIdRegisters, host: HwInfo): Incompatibility[] {
  const own = [guest.IDR0, guest.IDR1, guest.IDR2, guest.IDR3, guest.IDR4, guest.IDR5];
  return RULES.flatMap(([name, of, holds, refusal]) => {
    const compared = { host: of(host.idr), guest: of(own) };
    return holds(compared) ? [] : [{ field: name, reason: refusal(compared) }];
  });
}

/** Properties with auto taken from the first host: ATS, RIL, SSIDSIZE and OAS. */
export function resolveAuto(p: AccelProperties, host: HwInfo): ResolvedProperties {
  const plain = defaultsOf(p);
  const oas = OAS_BITS[field(IDR5, 5, "OAS")(host.idr)];
  return {
    ats: p.ats === "auto" ? field(IDR0, 0, "ATS")(host.idr) === 1 : plain.ats,
    ril: p.ril === "auto" ? field(IDR3, 3, "RIL")(host.idr) === 1 : plain.ril,
    cmdqv: plain.cmdqv,
    oas: p.oas === "auto" ? oas : plain.oas,
    ssidsize: p.ssidsize === "auto" ? field(IDR1, 1, "SSIDSIZE")(host.idr) : plain.ssidsize,
  };
}
