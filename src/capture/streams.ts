// Reads stream tables, STEs and CDs of a stopped guest as plain data (IHI0070 5.1, 5.2, 5.4).

import { CD } from "../spec/cd.ts";
import { STRTAB_BASE, STRTAB_BASE_CFG } from "../spec/register-queue.ts";
import { L1STD, STE } from "../spec/ste.ts";
import { getField } from "../spec/word.ts";
import { type ReadWord, resolve, type StageTables, startLevelOf } from "./tables.ts";

/** One valid STE and what it leads to. */
export interface Stream {
  readonly sid: number;
  readonly steAddress: bigint;
  readonly ste: readonly bigint[];
  /** STE.Config. */
  readonly config: number;
  /** Stage 2 tables, when Config selects them. */
  readonly stage2: StageTables | undefined;
  /** Physical address of the CD of SubstreamID 0, when it can be reached. */
  readonly cdAddress: bigint | undefined;
  readonly cd: readonly bigint[] | undefined;
  /** Stage 1 tables of both halves, when the CD enables them. */
  readonly stage1: readonly StageTables[];
}

const STE_WORDS = 8;
const STE_BYTES = 64n;
const CD_GRANULES = [12, 16, 14] as const;
const CD_GRANULES_UPPER = [0, 14, 12, 16] as const;

/** log2 of the granule that CD.TG0, CD.TG1 or STE.S2TG names; 0 for a reserved value. */
export function granuleOf(tg: number, which: "TG0" | "TG1" | "S2TG"): number {
  if (which === "TG1") return CD_GRANULES_UPPER[tg] ?? 0;
  return CD_GRANULES[tg] ?? 0;
}

/** `count` consecutive words, or undefined when any is unknown. */
export function readWords(read: ReadWord, pa: bigint, count: number): bigint[] | undefined {
  const words: bigint[] = [];
  for (let i = 0; i < count; i++) {
    const word = read(pa + 8n * BigInt(i));
    if (word === undefined) return undefined;
    words.push(word);
  }
  return words;
}

/** Address of every STE that the stream table has and memory knows: [sid, address]. */
export function* steAddresses(
  regs: Map<string, bigint>,
  read: ReadWord,
): Generator<[number, bigint]> {
  const base = getField(STRTAB_BASE, [regs.get("STRTAB_BASE") ?? 0n], "ADDR");
  const cfg = [regs.get("STRTAB_BASE_CFG") ?? 0n];
  const log2 = Number(getField(STRTAB_BASE_CFG, cfg, "LOG2SIZE"));
  const size = 2 ** Math.min(log2, 32);
  if (getField(STRTAB_BASE_CFG, cfg, "FMT") !== 1n) {
    yield* knownStes(0, size, base, read);
    return;
  }
  const split = Number(getField(STRTAB_BASE_CFG, cfg, "SPLIT"));
  const leafEntries = 2 ** split;
  for (let first = 0, at = base; first < size; first += leafEntries, at += 8n) {
    const word = read(at);
    if (word === undefined) {
      // Unknown page: go on with the next one.
      const skip = (4096n - (at & 0xfffn)) / 8n - 1n;
      first += Number(skip) * leafEntries;
      at += skip * 8n;
      continue;
    }
    const span = Number(getField(L1STD, [word], "Span"));
    if (span === 0 || span > split + 1) continue;
    yield* knownStes(first, 2 ** (span - 1), getField(L1STD, [word], "L2Ptr"), read);
  }
}

function* knownStes(
  first: number,
  entries: number,
  base: bigint,
  read: ReadWord,
): Generator<[number, bigint]> {
  for (let i = 0; i < entries; i++) {
    const address = base + STE_BYTES * BigInt(i);
    if (read(address) !== undefined) yield [first + i, address];
    else i += Number((4096n - (address & 0xfffn)) / STE_BYTES) - 1;
  }
}

/** Decodes the STE at `address`; undefined when it is not valid. */
export function readStream(sid: number, address: bigint, read: ReadWord): Stream | undefined {
  const ste = readWords(read, address, STE_WORDS);
  if (!ste || getField(STE, ste, "V") === 0n) return undefined;
  const config = Number(getField(STE, ste, "Config"));
  const stage2 = (config & 6) === 6 ? stage2Tables(ste) : undefined;
  const plain = { sid, steAddress: address, ste, config, stage2 };
  if ((config & 5) !== 5) return { ...plain, cdAddress: undefined, cd: undefined, stage1: [] };
  const pointer = getField(STE, ste, "S1ContextPtr");
  const cdAddress = stage2 ? resolve(stage2, pointer, read) : pointer;
  const cd = cdAddress === undefined ? undefined : readWords(read, cdAddress, 8);
  return { ...plain, cdAddress, cd, stage1: cd ? stage1Tables(cd) : [] };
}

/** Both halves' tables of a valid CD, in the order TTB0, TTB1. */
export function stage1Tables(cd: readonly bigint[]): StageTables[] {
  if (getField(CD, cd, "V") === 0n) return [];
  const tables: StageTables[] = [];
  const number = (name: keyof typeof CD.field) => Number(getField(CD, cd, name));
  const half = (upper: boolean): void => {
    if (number(upper ? "EPD1" : "EPD0") === 1) return;
    const tg = number(upper ? "TG1" : "TG0");
    const granuleBits = granuleOf(tg, upper ? "TG1" : "TG0");
    const inputBits = 64 - number(upper ? "T1SZ" : "T0SZ");
    if (granuleBits === 0 || inputBits <= granuleBits) return;
    tables.push({
      stage: 1,
      base: getField(CD, cd, upper ? "TTB1" : "TTB0"),
      granuleBits,
      inputBits,
      startLevel: startLevelOf(inputBits, granuleBits),
      high: upper ? (BigInt.asUintN(64, -1n) >> BigInt(inputBits)) << BigInt(inputBits) : 0n,
    });
  };
  half(false);
  half(true);
  return tables;
}

/** Stage 2 tables of an STE; undefined when its granule is reserved. */
export function stage2Tables(ste: readonly bigint[]): StageTables | undefined {
  const granuleBits = granuleOf(Number(getField(STE, ste, "S2TG")), "S2TG");
  if (granuleBits === 0) return undefined;
  const sl0 = Number(getField(STE, ste, "S2SL0"));
  return {
    stage: 2,
    base: getField(STE, ste, "S2TTB"),
    granuleBits,
    inputBits: 64 - Number(getField(STE, ste, "S2T0SZ")),
    startLevel: (granuleBits === 12 ? 2 : 3) - sl0,
    high: 0n,
  };
}
