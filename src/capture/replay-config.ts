// Makes memory hold the configuration that a translation says it saw (IHI0070 5.1, 5.2, 5.4).

import { CD } from "../spec/cd.ts";
import { STRTAB_BASE, STRTAB_BASE_CFG } from "../spec/register-queue.ts";
import { L1STD, STE } from "../spec/ste.ts";
import { getField, setField } from "../spec/word.ts";
import type { Int } from "./json.ts";
import type { ReplayMemory } from "./replay-memory.ts";
import type { TranslationOp } from "./replay-ops.ts";
import { granuleOf, readWords, stage2Tables } from "./streams.ts";
import { levelShift, resolve, type StageTables } from "./tables.ts";

/** What the keeper asks of the SMMU whose stream table it edits. */
export interface StreamTableState {
  /** STRTAB_BASE and STRTAB_BASE_CFG as they are now. */
  strtab(): { base: bigint; cfg: bigint };
  /** Output address size of the SMMU in bits (IDR5.OAS). */
  oasBits: number;
}

/** Entries to copy what a line does not say from: any of the capture's own. */
export interface Templates {
  /** An STE with stage 2 tables. */
  stage2?: readonly bigint[];
  cd?: readonly bigint[];
}

const STE_BYTES = 64;
const OAS_BITS = [32, 36, 40, 42, 44, 48, 52, 56];
const DEFAULT_STAGE2 = { S2T0SZ: 20, S2SL0: 2, S2PS: 4, S2AA64: 1, S2R: 1, S2PTW: 1 } as const;
/** V, AA64, R, A, ASET and inner-shareable write-back walks, as Linux writes a CD. */
const DEFAULT_CD = { V: 1, AA64: 1, R: 1, A: 1, ASET: 1, IR0: 1, OR0: 1, SH0: 3 } as const;

/**
 * Prepares memory before a translation that missed the configuration cache. Entries that already
 * say what the line says are left alone; otherwise the line wins.
 */
export class ConfigKeeper {
  readonly #memory: ReplayMemory;
  readonly #templates: Templates;
  readonly #read = (pa: bigint) => this.#memory.read(pa);

  constructor(memory: ReplayMemory, templates: Templates) {
    this.#memory = memory;
    this.#templates = templates;
  }

  /** Edits the stream table entry, STE and CD that `x` names; its PTEs must be in memory. */
  prepare(x: TranslationOp, smmu: StreamTableState): void {
    if (x.cfg !== 0 || x.ste === undefined) return;
    const at = Number(x.ste);
    if (!this.#memory.ensure(at, fetched(x, "F_STE_FETCH"))) return;
    this.#link(x.sid, at, smmu.strtab());
    const ste = readWords(this.#read, BigInt(at), 8);
    if (ste === undefined) return;
    const before = ste.join();
    const config = configOf(x, ste);
    if (config === undefined) return;
    if (getField(STE, ste, "V") === 0n || Number(getField(STE, ste, "Config")) !== config) {
      setField(STE, ste, "V", 1);
      setField(STE, ste, "Config", config);
    }
    const lookup = x.lk?.[0];
    if (lookup && lookup[1] >= 0) setField(STE, ste, "S2VMID", lookup[1]);
    if (config === 6 || config === 7) this.#fixStage2(x, ste, config);
    if (x.cd !== undefined && getField(STE, ste, "S1ContextPtr") !== BigInt(x.cd)) {
      setField(STE, ste, "S1ContextPtr", x.cd);
      setField(STE, ste, "S1CDMax", 0);
      setField(STE, ste, "S1Fmt", 0);
    }
    if (ste.join() !== before) this.#memory.writeWords(at, ste);
    if (x.cd !== undefined) this.#fixCd(x, ste, config, smmu.oasBits);
  }

  /** Points the level 1 descriptor at the STE that was read. */
  #link(sid: number, ste: number, strtab: { base: bigint; cfg: bigint }): void {
    const cfg = [strtab.cfg];
    if (getField(STRTAB_BASE_CFG, cfg, "FMT") !== 1n) return;
    const split = Number(getField(STRTAB_BASE_CFG, cfg, "SPLIT"));
    const base = Number(getField(STRTAB_BASE, [strtab.base], "ADDR"));
    const at = base + 8 * Math.floor(sid / 2 ** split);
    if (!this.#memory.ensure(at)) return;
    const word = [this.#memory.read(BigInt(at)) ?? 0n];
    const pointer = BigInt(ste - STE_BYTES * (sid % 2 ** split));
    const spans = getField(L1STD, word, "Span") !== 0n;
    if (spans && getField(L1STD, word, "L2Ptr") === pointer) return;
    setField(L1STD, word, "L2Ptr", pointer);
    if (!spans) setField(L1STD, word, "Span", split + 1);
    this.#memory.write(at, word[0]);
  }

  /** Table base of stage 2, from the first lookup and the first descriptor. */
  #fixStage2(x: TranslationOp, ste: bigint[], config: number): void {
    if (getField(STE, ste, "S2AA64") === 0n || stage2Tables(ste) === undefined) {
      const template = this.#templates.stage2;
      if (template) [ste[2], ste[3]] = [template[2], template[3]];
      else for (const [name, v] of Object.entries(DEFAULT_STAGE2)) set(STE, ste, name, v);
    }
    const lookup = x.lk?.[0];
    const first = x.pte?.[0];
    const tables = stage2Tables(ste);
    if (lookup?.[3] !== 0 || !first || !tables) return;
    const input = config === 7 ? lookup[2] : (x.iova ?? 0);
    const index = startIndex(tables, BigInt(input));
    const base = BigInt(first[0]) - 8n * index;
    if (base >= 0n && tables.base !== base) setField(STE, ste, "S2TTB", base);
  }

  #fixCd(x: TranslationOp, ste: readonly bigint[], config: number, oasBits: number): void {
    const pointer = BigInt(x.cd as Int);
    const tables = config === 7 ? stage2Tables(ste) : undefined;
    const at = tables ? resolve(tables, pointer, this.#read) : pointer;
    if (at === undefined || !this.#memory.ensure(Number(at), fetched(x, "F_CD_FETCH"))) return;
    if (!x.tt) return;
    const cd = readWords(this.#read, at, 8);
    if (cd === undefined) return;
    const before = cd.join();
    if (getField(CD, cd, "V") === 0n) {
      if (this.#templates.cd) cd.splice(0, 8, ...this.#templates.cd);
      else for (const [name, v] of Object.entries(DEFAULT_CD)) set(CD, cd, name, v);
      setField(CD, cd, "V", 1);
    }
    this.#fixHalves(x, cd, config === 7);
    const lookup = x.lk?.find((l) => l[0] >= 0);
    if (lookup) setField(CD, cd, "ASID", lookup[0]);
    if (x.oas !== undefined && effectiveBits(cd, oasBits) !== x.oas) {
      setField(CD, cd, "IPS", Math.max(0, OAS_BITS.indexOf(x.oas)));
    }
    if (cd.join() !== before) this.#memory.writeWords(Number(at), cd);
  }

  /** TxSZ, TTBx, TGx, HADx and EPDx of both halves. */
  #fixHalves(x: TranslationOp, cd: bigint[], nested: boolean): void {
    const rows = x.tt ?? [];
    for (const half of [0, 1]) {
      const k = rows.findIndex((row) => row[0] === half);
      if (k < 0) {
        set(CD, cd, `EPD${half}`, 1);
        continue;
      }
      const [, tsz, ttb, granule, had] = rows[k];
      // A nested line has the translated address; the CD holds what was looked up: CD, TTB0, TTB1.
      const ipa = nested ? x.lk?.[1 + k]?.[2] : ttb;
      set(CD, cd, `EPD${half}`, 0);
      set(CD, cd, `T${half}SZ`, tsz);
      set(CD, cd, `TG${half}`, encodeGranule(granule, half));
      set(CD, cd, `HAD${half}`, had);
      if (ipa !== undefined) set(CD, cd, `TTB${half}`, ipa);
    }
  }
}

/** STE.Config that the line's outcome needs; undefined: whatever memory says. */
function configOf(x: TranslationOp, ste: readonly bigint[]): number | undefined {
  if (x.res === "ok") return x.stage === undefined ? undefined : [0, 5, 6, 7][x.stage];
  if (x.res === "bypass") return 4;
  if (x.res === "abort") {
    const config = Number(getField(STE, ste, "Config"));
    return config < 4 ? config : 0;
  }
  const stage2 = x.lk !== undefined && x.lk.length > 0 && x.lk[0][0] === -1;
  if (x.cd !== undefined) return stage2 ? 7 : 5;
  return stage2 ? 6 : undefined;
}

/** Whether the entry was read, from RAM or from whatever else answers at its address. */
function fetched(x: TranslationOp, failure: string): boolean {
  return x.ev === undefined || !x.ev.includes(failure);
}

function startIndex(tables: StageTables, input: bigint): bigint {
  const shift = levelShift(tables.startLevel, tables.granuleBits);
  return BigInt.asUintN(tables.inputBits, input) >> BigInt(shift);
}

function effectiveBits(cd: readonly bigint[], oasBits: number): number {
  return Math.min(OAS_BITS[Number(getField(CD, cd, "IPS"))], oasBits);
}

function encodeGranule(bits: number, half: number): number {
  const which = half === 0 ? "TG0" : "TG1";
  return [0, 1, 2, 3].find((tg) => granuleOf(tg, which) === bits) ?? 3;
}

/** setField with a name that is put together at run time. */
function set(layout: typeof STE | typeof CD, words: bigint[], name: string, value: Int): void {
  setField(layout as Parameters<typeof setField<string>>[0], words, name, value);
}
