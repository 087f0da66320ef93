// A one-stream machine for the oracle's own tests: fields by name, tables by hand.

import type { OracleAnswer, OracleMode, OracleRegisters, OracleRequest } from "./model.ts";
import { translateOracle } from "./oracle.ts";

/** Absolute bit ranges of the STE fields that the tests set (IHI0070 5.2). */
const STE_FIELDS = {
  V: [0, 0],
  Config: [3, 1],
  S1Fmt: [5, 4],
  S1CDMax: [63, 59],
  S1DSS: [65, 64],
  S2FWB: [89, 89],
  S1STALLD: [91, 91],
  EATS: [93, 92],
  STRW: [95, 94],
  MemAttr: [99, 96],
  MTCFG: [100, 100],
  ALLOCCFG: [104, 101],
  SHCFG: [109, 108],
  PRIVCFG: [113, 112],
  INSTCFG: [115, 114],
  S2VMID: [143, 128],
  S2T0SZ: [165, 160],
  S2SL0: [167, 166],
  S2TG: [175, 174],
  S2PS: [178, 176],
  S2AA64: [179, 179],
  S2ENDI: [180, 180],
  S2AFFD: [181, 181],
  S2PTW: [182, 182],
  S2HA: [184, 184],
  S2S: [185, 185],
  S2R: [186, 186],
} as const;

/** Absolute bit ranges of the CD fields that the tests set (IHI0070 5.4). */
const CD_FIELDS = {
  T0SZ: [5, 0],
  TG0: [7, 6],
  EPD0: [14, 14],
  ENDI: [15, 15],
  T1SZ: [21, 16],
  TG1: [23, 22],
  EPD1: [30, 30],
  V: [31, 31],
  IPS: [34, 32],
  AFFD: [35, 35],
  WXN: [36, 36],
  TBI0: [38, 38],
  TBI1: [39, 39],
  PAN: [40, 40],
  AA64: [41, 41],
  HA: [43, 43],
  S: [44, 44],
  R: [45, 45],
  A: [46, 46],
  ASID: [63, 48],
  HAD0: [65, 65],
  E0PD0: [66, 66],
  EPAN: [123, 123],
} as const;

export type SteFields = Partial<Record<keyof typeof STE_FIELDS, number>>;
export type CdFields = Partial<Record<keyof typeof CD_FIELDS, number>>;

/** Where things are. */
export const AT = {
  strtab: 0x4010_0000n,
  cd: 0x4020_0000n,
  s1Root: 0x4040_0000n,
  s2Root: 0x4080_0000n,
} as const;

export const SID = 5;

/** An SMMU with every modelled feature, 44 bits out, single-level tables of 256 streams. */
export function registers(): OracleRegisters {
  return {
    idr0: 0x094c_121b,
    idr1: 0x0c00_0000 | (10 << 6) | 16,
    idr2: 0,
    idr3: 0x0002_2114,
    idr4: 0,
    idr5: 0x74,
    aidr: 2,
    cr0: 0x5,
    cr2: 2,
    gbpa: 0x1000,
    strtabBase: AT.strtab,
    strtabBaseCfg: 8,
  };
}

function encode(
  fields: Record<string, readonly [number, number]>,
  values: Record<string, number | undefined>,
): bigint[] {
  const words = [0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n];
  for (const [name, value] of Object.entries(values)) {
    const lo = fields[name][1];
    words[lo >> 6] |= BigInt(value ?? 0) << BigInt(lo & 63);
  }
  return words;
}

/** One machine: memory reads zero where nothing is, and aborts outside 1 GiB - 2 GiB. */
export class World {
  readonly regs = registers();
  readonly memory = new Map<bigint, bigint>();

  store(address: bigint, ...words: bigint[]): this {
    words.forEach((word, i) => {
      this.memory.set(address + BigInt(8 * i), word);
    });
    return this;
  }

  /** Writes the STE of SID; S1ContextPtr and S2TTB point to AT. */
  ste(values: SteFields): this {
    const words = encode(STE_FIELDS, { V: 1, S2AA64: 1, S2R: 1, SHCFG: 1, ...values });
    words[0] |= AT.cd;
    words[3] |= AT.s2Root;
    return this.store(AT.strtab + BigInt(SID * 64), ...words);
  }

  /** Writes the CD; both table bases are AT.s1Root. */
  cd(values: CdFields, mair = 0xffn): this {
    const plain = { V: 1, AA64: 1, R: 1, A: 1, IPS: 5, T0SZ: 16, T1SZ: 16, TG1: 2, EPD1: 1 };
    const words = encode(CD_FIELDS, { ...plain, ...values });
    words[1] |= AT.s1Root;
    words[2] |= AT.s1Root;
    words[3] = mair;
    return this.store(AT.cd, ...words);
  }

  run(request: Partial<OracleRequest> = {}, mode: OracleMode = "arch"): OracleAnswer {
    const read64 = (pa: bigint) => {
      if (pa >> 30n !== 1n) return undefined;
      return this.memory.get(pa) ?? 0n;
    };
    return translateOracle({ read64 }, this.regs, { sid: SID, iova: 0n, ...request }, mode);
  }
}

/** Fields of a record, for short expectations. */
export function decodeRecord(record: Uint8Array | undefined) {
  if (record === undefined) return undefined;
  const view = new DataView(record.buffer);
  const word = (i: number) => view.getBigUint64(8 * i, true);
  return {
    event: record[0],
    ssv: (record[1] >> 3) & 1,
    ssid: view.getUint32(0, true) >>> 12,
    sid: view.getUint32(4, true),
    pnu: (record[12] >> 1) & 1,
    ind: (record[12] >> 2) & 1,
    rnw: (record[12] >> 3) & 1,
    s2: (record[12] >> 7) & 1,
    class: record[13] & 3,
    ttrnw: (record[13] >> 4) & 1,
    input: word(2),
    address: word(3),
  };
}
