// StreamID to STE, and whether the STE is ILLEGAL (IHI0070 3.3.1, 5.1, 5.2).

import {
  alignDown,
  bit,
  EVENT,
  exceeds,
  field,
  inPlace,
  SIZE_BITS,
  structBit,
  structField,
  TG0_BITS,
} from "./bits.ts";
import type { Fault } from "./events.ts";
import { type Features, granuleSupported } from "./features.ts";
import type { Fetcher, OracleRegisters } from "./model.ts";

/** The translation regime a stream belongs to (5.2 STRW, Non-secure only). */
export type StreamWorld = "EL1" | "EL2" | "EL2-E2H";

/** Stage 2 configuration of an STE. */
export interface Stage2 {
  granule: number;
  tsz: number;
  startLevel: number;
  /** Table base, not yet aligned. */
  ttb: bigint;
  /** Effective output size in bits. */
  outputBits: number;
  affd: boolean;
  ptw: boolean;
  fwb: boolean;
  bigEndian: boolean;
  record: boolean;
}

/** A legal STE. */
export interface Ste {
  words: readonly bigint[];
  config: number;
  world: StreamWorld;
  /** Present when Config[1] is set. */
  s2?: Stage2;
}

/** Finds and reads the STE of a StreamID. */
export function fetchSte(
  f: Features,
  regs: OracleRegisters,
  fetcher: Fetcher,
  sid: number,
): readonly bigint[] | Fault {
  const cfg = BigInt(regs.strtabBaseCfg);
  const log2Size = field(cfg, 5, 0);
  if (sid >= 2 ** Math.min(log2Size, f.sidBits)) return { event: EVENT.C_BAD_STREAMID };
  const base = inPlace(regs.strtabBase, 55, 6);
  const twoLevel = f.twoLevelStreams && field(cfg, 17, 16) === 1;
  let address: bigint;
  if (twoLevel) {
    const splitField = field(cfg, 10, 6);
    const split = splitField === 8 || splitField === 10 ? splitField : 6;
    const l1 = alignDown(base, Math.max(6, log2Size - split + 3));
    const found = lookupLevel2(f, fetcher, l1 + BigInt(Math.floor(sid / 2 ** split)) * 8n, {
      split,
      index: sid % 2 ** split,
    });
    if (typeof found !== "bigint") return found;
    address = found;
  } else {
    address = alignDown(base, log2Size + 6) + BigInt(sid) * 64n;
  }
  if (exceeds(address, f.oas)) return { event: EVENT.F_STE_FETCH, address };
  return fetcher.structure("ste", address) ?? { event: EVENT.F_STE_FETCH, address };
}

/** Follows one L1STD to the address of an STE. */
function lookupLevel2(
  f: Features,
  fetcher: Fetcher,
  address: bigint,
  at: { split: number; index: number },
): bigint | Fault {
  const abort = { event: EVENT.F_STE_FETCH, address };
  if (exceeds(address, f.oas)) return abort;
  const l1std = fetcher.word("l1std", 0, 0, address);
  if (l1std === undefined) return abort;
  const span = field(l1std, 4, 0);
  const reachable = span >= 1 && span <= 11 && span <= at.split + 1 && at.index < 2 ** (span - 1);
  if (!reachable) return { event: EVENT.C_BAD_STREAMID };
  return alignDown(inPlace(l1std, 55, 6), 5 + span) + BigInt(at.index) * 64n;
}

/** Start level that STE.S2SL0 selects, or undefined for a reserved value. */
function startLevelOf(sl0: number, granule: number, stt: boolean): number | undefined {
  if (granule === 12) return sl0 === 3 ? (stt ? 3 : undefined) : 2 - sl0;
  return sl0 === 3 ? undefined : 3 - sl0;
}

/** Decodes the S2 fields; undefined when they are ILLEGAL (5.2.2, from S2S to S2ENDI). */
function decodeStage2(f: Features, words: readonly bigint[]): Stage2 | undefined {
  const stall = structBit(words, 185);
  if (stall ? f.stallModel === 1 : f.stallModel === 2) return undefined;
  if (!structBit(words, 179) || !f.aa64) return undefined;
  const ha = structBit(words, 184);
  const hd = structBit(words, 183);
  if ((ha || hd) && f.httu === 0) return undefined;
  if (hd && f.httu === 1) return undefined;
  if (structBit(words, 187) && !ha && f.httu === 3) return undefined;
  const granule = TG0_BITS[structField(words, 175, 174)];
  if (!granuleSupported(f, granule)) return undefined;
  const outputBits = Math.min(SIZE_BITS[structField(words, 178, 176)], f.oas);
  const ttb = inPlace(words[3], 55, 4);
  if (exceeds(ttb, outputBits)) return undefined;
  const tsz = structField(words, 165, 160);
  const largest = f.stt ? (granule === 16 ? 47 : 48) : 39;
  const smallest = Math.max(granule === 16 ? 12 : 16, 64 - f.ias);
  if (tsz < smallest || tsz > largest) return undefined;
  const startLevel = startLevelOf(structField(words, 167, 166), granule, f.stt);
  if (startLevel === undefined) return undefined;
  const startBits = 64 - tsz - (granule + (3 - startLevel) * (granule - 3));
  if (startBits < 1 || startBits > granule - 3 + 4) return undefined;
  const bigEndian = structBit(words, 180);
  if (f.ttEndian === 2 && bigEndian) return undefined;
  if (f.ttEndian === 3 && !bigEndian) return undefined;
  return {
    granule,
    tsz,
    startLevel,
    ttb,
    outputBits,
    affd: structBit(words, 181),
    ptw: structBit(words, 182),
    fwb: f.fwb && structBit(words, 89),
    bigEndian,
    record: structBit(words, 186),
  };
}

/** ILLEGAL conditions of the S1 fields (5.2.2, from S1STALLD to S1ContextPtr). */
function stage1Illegal(f: Features, words: readonly bigint[], config: number): boolean {
  if (structBit(words, 91) && f.stallModel !== 0) return true;
  if (f.ssidBits !== 0) {
    const cdMax = structField(words, 63, 59);
    const format = structField(words, 5, 4);
    if (cdMax > f.ssidBits) return true;
    if (cdMax !== 0 && !f.twoLevelCds && (format === 1 || format === 2)) return true;
  }
  return exceeds(inPlace(words[0], 55, 6), config === 7 ? f.ias : f.oas);
}

/** ILLEGAL values of EATS for an SMMU with ATS (5.2 EATS). */
function eatsIllegal(f: Features, words: readonly bigint[], config: number): boolean {
  if (!f.ats || config === 4) return false;
  const eats = structField(words, 93, 92);
  const stall = structBit(words, 185);
  if (eats === 2) return config !== 7 || stall || f.ns1ats;
  return eats === 1 && stall && config >= 6;
}

/** Checks and decodes an STE: C_BAD_STE when it is not valid or ILLEGAL (5.2.2). */
export function decodeSte(
  f: Features,
  regs: OracleRegisters,
  words: readonly bigint[],
): Ste | Fault {
  const bad = { event: EVENT.C_BAD_STE };
  if (!structBit(words, 0)) return bad;
  const config = structField(words, 3, 1);
  if (config < 4) return { words, config, world: "EL1" };
  const s1 = (config & 1) !== 0;
  const s2 = (config & 2) !== 0;
  if (s1 && !f.s1p) return bad;
  if (s2 && !f.s2p) return bad;
  if (eatsIllegal(f, words, config)) return bad;
  const strwUsed = f.s1p && f.hyp && config === 5;
  const strw = structField(words, 95, 94);
  if (strwUsed && (strw & 1) !== 0) return bad;
  if (s1 && stage1Illegal(f, words, config)) return bad;
  const stage2 = s2 ? decodeStage2(f, words) : undefined;
  if (s2 && stage2 === undefined) return bad;
  const world = !strwUsed || strw === 0 ? "EL1" : bit(BigInt(regs.cr2), 0) ? "EL2-E2H" : "EL2";
  const vmidUsed = f.s2p && config !== 4 && world === "EL1";
  if (vmidUsed && !f.vmid16 && structField(words, 143, 136) !== 0) return bad;
  return { words, config, world, s2: stage2 };
}
