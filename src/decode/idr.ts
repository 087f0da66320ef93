// What an SMMU implements, read from its ID registers by name (IHI0070 6.3.1 to 6.3.8).
import { IDR0, IDR1, IDR3, IDR5, type Register, readField } from "../spec/index.ts";

/** Values of ID registers by name: { IDR0: 0xd44101b, IDR1: … }. Registers may be missing. */
export type IdRegisters = Readonly<Record<string, number>>;

/** Feature values of an SMMU. An undefined one is not known, because its register was not given. */
export type Features = (name: FeatureName) => number | undefined;

type Of<R> = R extends Register<infer N> ? N : never;

/** "IDR0.S1P", "IDR5.OAS": a field of an ID register. */
export type FeatureName =
  | `IDR0.${Of<typeof IDR0>}`
  | `IDR1.${Of<typeof IDR1>}`
  | `IDR3.${Of<typeof IDR3>}`
  | `IDR5.${Of<typeof IDR5>}`;

const REGISTERS = { IDR0, IDR1, IDR3, IDR5 };

/** Looks features up in the registers that are known. */
export function featuresOf(idr: IdRegisters = {}): Features {
  return (name) => {
    const [register, field] = name.split(".");
    const value = idr[register];
    if (value === undefined) return undefined;
    const fields = REGISTERS[register as keyof typeof REGISTERS].field as Record<string, IDR0Field>;
    return Number(readField(fields[field], [BigInt(value)]));
  };
}

type IDR0Field = (typeof IDR0.field)[keyof typeof IDR0.field];

const SIZES = [32, 36, 40, 42, 44, 48, 52, 56];

/** Bits of an OAS, IPS or S2PS encoding. */
export const addressBits = (encoding: number): number => SIZES[encoding] ?? 56;

/** Output address bits: IDR5.OAS. */
export function oasBits(f: Features): number | undefined {
  const oas = f("IDR5.OAS");
  return oas === undefined ? undefined : addressBits(oas);
}

/**
 * Intermediate address bits: at least 40 with the LPAE format, OAS with VMSAv8-64 (IHI0070 3.4).
 */
export function iasBits(f: Features): number | undefined {
  const ttf = f("IDR0.TTF");
  const oas = oasBits(f);
  if (ttf === undefined || oas === undefined) return undefined;
  return Math.max(ttf % 2 === 1 ? 40 : 0, ttf >= 2 ? oas : 0);
}

/** Is a granule implemented? */
export function hasGranule(f: Features, granule: "4K" | "16K" | "64K"): boolean | undefined {
  const value = f(`IDR5.GRAN${granule}`);
  return value === undefined ? undefined : value === 1;
}

/** "implies" for facts that may be unknown: false decides, unknown otherwise stays unknown. */
export function all(...facts: (boolean | undefined)[]): boolean | undefined {
  if (facts.includes(false)) return false;
  return facts.includes(undefined) ? undefined : true;
}

/** One of several, with the same care. */
export function any(...facts: (boolean | undefined)[]): boolean | undefined {
  if (facts.includes(true)) return true;
  return facts.includes(undefined) ? undefined : false;
}

/** Compares a value that may be unknown. */
export const is = <T>(value: T | undefined, test: (v: T) => boolean): boolean | undefined =>
  value === undefined ? undefined : test(value);
