// The STEs and CDs that Linux makes, with values of its tests or with values that translate.
import { put } from "../qemu/tables.ts";
import { type Entry, WORDS } from "./entry-writer.ts";

const TRANS = 1;
const INCOMING = 1;
const WBRA = 1;
const ISH = 3;

/** What the drivers fill in: addresses, and the geometry of stage 2. */
export interface Values {
  cdTable: bigint;
  otherCdTable: bigint;
  s1Fmt: number;
  s1CdMax: number;
  s2Table: bigint;
  s2: { t0sz: number; sl0: number; ir: number; or: number; sh: number; tg: number; ps: number };
  s1Table: bigint;
  s1: { t0sz: number; ir: number; or: number; sh: number; tg: number; ips: number };
}

/** The made-up values of Linux's tests: no table is there. */
export const MADE_UP: Values = {
  cdTable: 0xf0f0f0f0f0c0n,
  otherCdTable: 0x4b4b4b4b40n,
  s1Fmt: 2,
  s1CdMax: 31,
  s2Table: 0xebeefdeadbee0n,
  s2: { t0sz: 4, sl0: 3, ir: 2, or: 1, sh: 3, tg: 2, ps: 1 },
  s1Table: 0xebeefdeadbee0n,
  s1: { t0sz: 4, ir: 2, or: 1, sh: 3, tg: 2, ips: 1 },
};

/** Values for tables that lie in memory: see transitions.test.ts. */
export const REAL: Values = {
  cdTable: 0x42200000n,
  otherCdTable: 0x42300000n,
  s1Fmt: 0,
  s1CdMax: 1,
  s2Table: 0x49000000n,
  s2: { t0sz: 25, sl0: 1, ir: 1, or: 1, sh: 3, tg: 0, ps: 4 },
  s1Table: 0x48000000n,
  s1: { t0sz: 25, ir: 1, or: 1, sh: 3, tg: 0, ips: 4 },
};

const entry = (): bigint[] => new Array<bigint>(WORDS).fill(0n);

export const abortSte = (): Entry => [1n, ...entry().slice(1)];

export function bypassSte(): Entry {
  const ste = entry();
  put(ste, 3, 0, (4 << 1) | 1);
  put(ste, 109, 108, INCOMING);
  return ste;
}

export interface Features {
  ats?: boolean;
  stall?: boolean;
  nested?: boolean;
}

/** S1DSS of a stage 1 STE: bypass, or the CD of SubstreamID 0. */
export const DSS = { bypass: 1, ssid0: 2 } as const;

export function cdTableSte(
  v: Values,
  s1dss: number,
  features: Features = {},
  table = v.cdTable,
): Entry {
  const ste = entry();
  put(ste, 3, 0, ((features.nested ? 7 : 5) << 1) | 1);
  put(ste, 5, 4, v.s1Fmt);
  ste[0] |= table;
  put(ste, 63, 59, v.s1CdMax);
  put(ste, 65, 64, s1dss);
  put(ste, 67, 66, WBRA);
  put(ste, 69, 68, WBRA);
  put(ste, 71, 70, ISH);
  if (!features.stall) put(ste, 91, 91, 1);
  if (features.ats) put(ste, 93, 92, TRANS);
  if (s1dss === DSS.bypass) put(ste, 109, 108, INCOMING);
  if (!features.nested) return ste;
  put(ste, 83, 83, 1);
  return [...ste.slice(0, 2), ...stage2Ste(v, { ats: features.ats }).slice(2)];
}

export function stage2Ste(v: Values, features: Features = {}): Entry {
  const ste = entry();
  put(ste, 3, 0, (6 << 1) | 1);
  if (features.ats) put(ste, 93, 92, TRANS);
  put(ste, 109, 108, INCOMING);
  put(ste, 165, 160, v.s2.t0sz);
  put(ste, 167, 166, v.s2.sl0);
  put(ste, 169, 168, v.s2.ir);
  put(ste, 171, 170, v.s2.or);
  put(ste, 173, 172, v.s2.sh);
  put(ste, 175, 174, v.s2.tg);
  put(ste, 178, 176, v.s2.ps);
  put(ste, 179, 179, 1);
  put(ste, 182, 182, 1);
  put(ste, 186, 186, 1);
  if (features.stall) put(ste, 185, 185, 1);
  ste[3] = v.s2Table;
  return ste;
}

/** A CD of a DMA domain. */
export function stage1Cd(v: Values, asid: number): Entry {
  const cd = entry();
  put(cd, 5, 0, v.s1.t0sz);
  put(cd, 7, 6, v.s1.tg);
  put(cd, 9, 8, v.s1.ir);
  put(cd, 11, 10, v.s1.or);
  put(cd, 13, 12, v.s1.sh);
  put(cd, 30, 30, 1);
  put(cd, 31, 31, 1);
  put(cd, 34, 32, v.s1.ips);
  put(cd, 41, 41, 1);
  put(cd, 47, 45, 7);
  put(cd, 63, 48, asid);
  cd[1] = v.s1Table;
  cd[3] = 0xabcdef012345678n;
  return cd;
}

/** A CD of a process's address space; without one (`released`) its half is switched off. */
export function sharedCd(v: Values, asid: number, released = false): Entry {
  const cd = [...stage1Cd(v, asid)];
  put(cd, 47, 47, 0);
  if (!released) return cd;
  put(cd, 13, 0, 0);
  put(cd, 14, 14, 1);
  cd[1] = 0n;
  return cd;
}

export const noCd = (): Entry => entry();
