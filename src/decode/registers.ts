// Register dumps: devmem and xp output, "IDR0 0x…" pairs, and the ID registers (IHI0070 6).

import type { Register } from "../spec/index.ts";
import * as REGISTERS from "../spec/register.ts";
import { fieldValues, hexOf } from "./fields.ts";
import type { IdRegisters } from "./idr.ts";
import type { Feature, FeaturesRecord, RegisterRecord } from "./types.ts";

/** Registers of pages 0 and 1; those of frames found by other registers are left out. */
const MAPPED: readonly Register[] = Object.values(REGISTERS)
  .filter((r): r is Register => typeof r === "object" && "offset" in r)
  .filter((r) => !/^(?:ECMDQ_(?:BASE|PROD|CONS)|VATOS_(?:CTRL|SID|ADDR|PAR))$/.test(r.name));

const BY_NAME = new Map(MAPPED.map((r) => [r.name, r]));

/** One half or the whole of a register at an offset. */
interface Located {
  readonly register: Register;
  readonly index: number;
  /** 0, or 32 for the upper half of a 64-bit register. */
  readonly shift: number;
}

/** What register lies at a byte offset, if any. */
function registerAt(offset: number): Located | undefined {
  for (const register of MAPPED) {
    const step = register.stride || register.bytes;
    const index = Math.floor((offset - register.offset) / step);
    if (index < 0 || index >= register.count) continue;
    const within = offset - register.offset - index * step;
    if (within === 0) return { register, index, shift: 0 };
    if (within === 4 && register.bits === 64) return { register, index, shift: 32 };
  }
  return undefined;
}

/** A register by name, whatever prefix a tool puts before it. */
function registerNamed(name: string): Register | undefined {
  const upper = name.toUpperCase().replace(/^(?:ARM_)?SMMU(?:V3)?_/, "");
  return BY_NAME.get(upper);
}

const nameOf = ({ register, index, shift }: Located): string =>
  `${register.name}${register.count > 1 ? `<${index}>` : ""}${shift === 32 ? "[63:32]" : ""}`;

/** Decodes one value read from or written to an offset. */
export function decodeRegister(
  offset: number,
  value: bigint,
  access?: "read" | "write",
): RegisterRecord {
  const found = registerAt(offset);
  const base = { kind: "register" as const, offset, value, hints: [], fault: false };
  const how = access === undefined ? {} : { access };
  if (found === undefined)
    return {
      ...base,
      ...how,
      register: `offset ${hexOf(offset)}`,
      fields: [],
      notes: ["no Non-secure register is at this offset"],
    };
  const word = value << BigInt(found.shift);
  const shown = fieldValues(found.register, [word]).filter((f) => found.shift === 0 || f.hi >= 32);
  return { ...base, ...how, register: nameOf(found), fields: shown, notes: [] };
}

/** One value of a dump: an address or offset, or a name. */
interface DumpEntry {
  readonly address?: bigint;
  readonly name?: string;
  readonly value: bigint;
}

const NUMBER = "(?:(?:0x)?[0-9a-f]{8,16}|0x[0-9a-f]{1,16})";
const NAMED = new RegExp(
  String.raw`\b(?:ARM_)?(?:SMMU_)?([A-Z][A-Z0-9_]{2,24}\b|idr\[\d\])\s{0,8}[:=]?\s{0,8}` +
    String.raw`(?:\(?0x[0-9a-f]{1,5}\)?\s{0,4}[:=]\s{0,4})?(0x[0-9a-f]{1,16})\b`,
  "gi",
);
const ADDRESSED = new RegExp(
  String.raw`^\s{0,16}(?:0x)?([0-9a-f]{1,16})\s{0,4}[:=]?\s{1,8}` +
    String.raw`(${NUMBER}(?:\s{1,8}${NUMBER})*)(?:\s|$)`,
  "i",
);
const DEVMEM = /\bdevmem2?\s{1,4}(0x[0-9a-f]{1,16})\b/i;
const RESULT =
  /^\s{0,8}(?:Value at address 0x[0-9A-F]{1,16}[^:]{0,30}:\s{0,4})?(0x[0-9a-f]{1,16})\s{0,8}$/i;

function namedEntries(line: string): DumpEntry[] {
  return [...line.matchAll(NAMED)].flatMap((m) => {
    const name = m[1].replace(/^idr\[(\d)\]$/i, "IDR$1").toUpperCase();
    return registerNamed(name) === undefined ? [] : [{ name, value: BigInt(m[2]) }];
  });
}

function addressedEntries(line: string): DumpEntry[] {
  const m = ADDRESSED.exec(line);
  if (m === null) return [];
  const tokens = m[2]
    .trim()
    .split(/\s+/)
    .map((t) => t.replace(/^0x/i, ""));
  const step = tokens.some((t) => t.length > 8) ? 8n : 4n;
  const start = BigInt(`0x${m[1]}`);
  return tokens.map((t, i) => ({ address: start + BigInt(i) * step, value: BigInt(`0x${t}`) }));
}

/** Reads every "name value" and "address: value …" of a dump. */
function entriesOf(lines: readonly string[]): DumpEntry[] {
  const entries: DumpEntry[] = [];
  let asked: bigint | undefined;
  for (const line of lines) {
    const named = namedEntries(line);
    const result = RESULT.exec(line);
    if (asked !== undefined && result !== null) {
      entries.push({ address: asked, value: BigInt(result[1]) });
      asked = undefined;
    } else if (named.length > 0) entries.push(...named);
    else entries.push(...addressedEntries(line));
    const command = DEVMEM.exec(line);
    if (command !== null) asked = BigInt(command[1]);
  }
  return entries;
}

/**
 * Base of the frame: what the caller says, 0 for offsets, else the lowest address rounded to 128
 * KiB.
 */
function baseOf(entries: readonly DumpEntry[], given: bigint | undefined): bigint {
  if (given !== undefined) return given;
  const addresses = entries.flatMap((e) => (e.address === undefined ? [] : [e.address]));
  const lowest = addresses.sort((a, b) => Number(a - b))[0] ?? 0n;
  return lowest < 0x20000n ? 0n : lowest & ~0xffffn;
}

/** Decodes a register dump; values at addresses where no register lies are kept and say so. */
export function decodeRegisterDump(lines: readonly string[], base?: bigint): RegisterRecord[] {
  const entries = entriesOf(lines);
  const start = baseOf(entries, base);
  return entries.flatMap((e) => {
    if (e.name !== undefined) {
      const offset = registerNamed(e.name)?.offset as number;
      return [decodeRegister(offset, e.value)];
    }
    const offset = Number((e.address as bigint) - start);
    return offset < 0 || offset > 0x1ffff ? [] : split(offset, e.value);
  });
}

/** A 64-bit value at two 32-bit registers is two records. */
function split(offset: number, value: bigint): RegisterRecord[] {
  const found = registerAt(offset);
  if (value >> 32n === 0n || found === undefined || found.register.bits === 64)
    return [decodeRegister(offset, value)];
  return [decodeRegister(offset, value & 0xffffffffn), decodeRegister(offset + 4, value >> 32n)];
}

/** The ID registers of a dump by name. */
export function idRegistersOf(records: readonly RegisterRecord[]): IdRegisters {
  return Object.fromEntries(
    records
      .filter((r) => /^(?:IDR\d|IIDR|AIDR)$/.test(r.register) && r.access !== "write")
      .map((r) => [r.register, Number(r.value)]),
  );
}

const REVISIONS = ["SMMUv3.0", "SMMUv3.1", "SMMUv3.2", "SMMUv3.3", "SMMUv3.4"];

/** A table of what ID registers say, field by field. */
export function featureTable(idr: IdRegisters): FeaturesRecord | undefined {
  const features: Feature[] = [];
  for (const name of ["IDR0", "IDR1", "IDR2", "IDR3", "IDR4", "IDR5", "AIDR"]) {
    const value = idr[name];
    const register = registerNamed(name);
    if (value === undefined || register === undefined) continue;
    for (const f of fieldValues(register, [BigInt(value)])) {
      const shown = f.encoding === undefined ? `${f.value}` : `${f.value} ${f.encoding}`;
      features.push({ name: `${name}.${f.name}`, value: shown, meaning: f.meaning ?? "" });
    }
  }
  if (features.length === 0) return undefined;
  const revision = idr.AIDR === undefined ? undefined : REVISIONS[idr.AIDR & 0xf];
  return {
    kind: "features",
    source: "registers",
    features,
    fields: [],
    hints: [],
    notes: revision === undefined ? [] : [`architecture revision ${revision}`],
    fault: false,
  };
}
