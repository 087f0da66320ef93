// Register values of a stopped SMMU, from the manifest's names to offsets and words (IHI0070 6.1).

import type { IdRegisters } from "../engine/identity.ts";
import type { Register } from "../spec/field.ts";
import * as registers from "../spec/register.ts";

const PAGE1_PREFIX = "PAGE1_";
const byName = new Map<string, Register>(
  Object.values(registers)
    .filter((r): r is Register => typeof r === "object" && "is" in r && r.is === "register")
    .map((r) => [r.name, r]),
);

/** [offset, 32-bit value] of every register whose name is known; 64-bit ones give two words. */
export function registerWords(regs: ReadonlyMap<string, bigint>): [number, number][] {
  const words: [number, number][] = [];
  for (const [name, value] of regs) {
    const bare = name.startsWith(PAGE1_PREFIX) ? name.slice(PAGE1_PREFIX.length) : name;
    const register = byName.get(bare);
    if (!register) continue;
    words.push([register.offset, Number(BigInt.asUintN(32, value))]);
    if (register.bits === 64) words.push([register.offset + 4, Number(value >> 32n)]);
  }
  return words;
}

/** The ID registers among them. */
export function idRegisters(regs: ReadonlyMap<string, bigint>): Partial<IdRegisters> {
  const id: Partial<IdRegisters> = {};
  for (const name of ["idr0", "idr1", "idr2", "idr3", "idr4", "idr5", "iidr", "aidr"] as const) {
    const value = regs.get(name.toUpperCase());
    if (value !== undefined) id[name] = Number(BigInt.asUintN(32, value));
  }
  return id;
}
