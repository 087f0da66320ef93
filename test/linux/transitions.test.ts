// Linux's unit tests of STE and CD updates, judged by our decoder and engine: at every point, and
// between them, an entry means what the old one or the new one meant (IHI0070 3.21.3).
import { beforeAll, describe, expect, test } from "vitest";
import { decodeStructure } from "../../src/decode/index.ts";
import { FULL_ID } from "../../src/engine/identity.ts";
import { AddressMap, HostMemory } from "../../src/engine/memory.ts";
import { Smmu } from "../../src/engine/smmu.ts";
import { IDR0 } from "../../src/spec/register.ts";
import { setField } from "../../src/spec/word.ts";
import {
  abortSte,
  bypassSte,
  cdTableSte,
  DSS,
  MADE_UP,
  noCd,
  REAL,
  sharedCd,
  stage1Cd,
  stage2Ste,
  type Values,
} from "./entries.ts";
import { cdUsed, type Entry, steUsed, writeEntry } from "./entry-writer.ts";

interface Transition {
  name: string;
  structure: "STE" | "CD";
  from(v: Values): Entry;
  to(v: Values): Entry;
  /** Synchronisation points that Linux needs, and whether the entry never becomes invalid. */
  syncs: number;
  hitless: boolean;
  /** The way back is a case as well. */
  back?: number;
}

const ATS = { ats: true };
const STALL = { stall: true };
const NESTED = { ats: true, nested: true };
const s1 = (v: Values) => cdTableSte(v, DSS.ssid0, ATS);
const s1Dss = (v: Values) => cdTableSte(v, DSS.bypass, ATS);
const s2 = (v: Values) => stage2Ste(v, ATS);

const ste = (
  name: string,
  from: Transition["from"],
  to: Transition["to"],
  syncs: number,
  more: Partial<Transition> = {},
): Transition => ({ name, structure: "STE", from, to, syncs, hitless: true, ...more });
const cd = (
  name: string,
  from: Transition["from"],
  to: Transition["to"],
  syncs: number,
  hitless: boolean,
): Transition => ({ name, structure: "CD", from, to, syncs, hitless, back: syncs });

const TRANSITIONS: Transition[] = [
  ste("bypass to abort", bypassSte, abortSte, 2),
  ste("abort to bypass", abortSte, bypassSte, 2),
  ste("CD table to abort", s1, abortSte, 2),
  ste("abort to CD table", abortSte, s1, 2),
  ste("CD table to bypass", s1, bypassSte, 3),
  ste("bypass to CD table", bypassSte, s1, 3),
  ste("S1DSS of a CD table", s1, s1Dss, 1, { back: 1 }),
  ste("S1DSS bypass to STE bypass", s1Dss, bypassSte, 2),
  ste("STE bypass to S1DSS bypass", bypassSte, s1Dss, 2),
  ste("stage 2 to abort", s2, abortSte, 2),
  ste("abort to stage 2", abortSte, s2, 2),
  ste("stage 2 to bypass", s2, bypassSte, 2),
  ste("bypass to stage 2", bypassSte, s2, 2),
  ste("stage 1 to stage 2", s1, s2, 3),
  ste("stage 2 to stage 1", s2, s1, 3),
  ste(
    "another CD table and another S1DSS",
    s1,
    (v) => cdTableSte(v, DSS.bypass, ATS, v.otherCdTable),
    3,
    { hitless: false },
  ),
  ste(
    "stage 1 to stage 2 with stalls",
    (v) => cdTableSte(v, DSS.ssid0, STALL),
    (v) => stage2Ste(v, STALL),
    3,
  ),
  ste(
    "stage 2 to stage 1 with stalls",
    (v) => stage2Ste(v, STALL),
    (v) => cdTableSte(v, DSS.ssid0, STALL),
    3,
  ),
  ste(
    "nested with S1DSS bypass to stage 2",
    (v) => cdTableSte(v, DSS.bypass, NESTED),
    (v) => stage2Ste(v),
    3,
  ),
  ste(
    "stage 2 to nested with S1DSS bypass",
    (v) => stage2Ste(v),
    (v) => cdTableSte(v, DSS.bypass, NESTED),
    2,
  ),
  cd("no CD to stage 1", noCd, (v) => stage1Cd(v, 1997), 2, false),
  cd(
    "another ASID",
    (v) => stage1Cd(v, 778),
    (v) => stage1Cd(v, 1997),
    1,
    true,
  ),
  cd("no CD to a process", noCd, (v) => sharedCd(v, 1997), 2, false),
  cd(
    "a process to its end",
    (v) => sharedCd(v, 1997),
    (v) => sharedCd(v, 1997, true),
    2,
    true,
  ),
];

/** Each transition, and the way back where that is a case too. */
const WAYS = TRANSITIONS.flatMap((t) => [
  t,
  ...(t.back === undefined
    ? []
    : [{ ...t, name: `${t.name}, and back`, from: t.to, to: t.from, syncs: t.back }]),
]);
const usedOf = (t: Transition) => (t.structure === "STE" ? steUsed : cdUsed);

describe("the sequence", () => {
  test("has the 20 STE and 4 CD cases of Linux 7.2", () => {
    expect(TRANSITIONS.filter((t) => t.structure === "STE")).toHaveLength(20);
    expect(TRANSITIONS.filter((t) => t.structure === "CD")).toHaveLength(4);
  });

  test.each(WAYS.map((t) => [t.name, t] as const))("%s", (_name, t) => {
    const points = writeEntry(t.from(MADE_UP), t.to(MADE_UP), usedOf(t));
    expect(points).toHaveLength(t.syncs);
    expect(points.at(-1)?.entry).toEqual(t.to(MADE_UP));
    expect(points.some((p) => p.entry[0] === 0n)).toBe(!t.hitless);
  });
});

/** What the decoder says an entry does. */
const meaning = (structure: "STE" | "CD", entry: Entry): string =>
  decodeStructure(structure, [...entry]).summary;

describe("the decoder's reading of every intermediate entry", () => {
  test.each(WAYS.map((t) => [t.name, t] as const))("%s", (_name, t) => {
    const [from, to] = [t.from(MADE_UP), t.to(MADE_UP)];
    const allowed = [from, to].map((entry) => meaning(t.structure, entry));
    const invalid = meaning(t.structure, noCd());
    for (const { partial } of writeEntry(from, to, usedOf(t))) {
      for (const entry of partial) {
        const isValid = (entry[0] >> (t.structure === "STE" ? 0n : 31n)) & 1n;
        if (isValid || t.hitless) expect(allowed).toContain(meaning(t.structure, entry));
        else expect(meaning(t.structure, entry)).toBe(invalid);
      }
    }
  });
});

const SID = 5;
const STRTAB = 0x44000000n;
const DATA = 0x50000000n;
const PROBES = [0x1234000n, 0x40001000n, 0x7fffff000n];

/** Maps the probe pages in both stages: stage 1 to DATA and up, stage 2 to itself or 16 MiB up. */
function fillTables(map: AddressMap): void {
  const table = (root: bigint, address: bigint, leaf: bigint) => {
    const index = (shift: bigint) => ((address >> shift) & 511n) * 8n;
    const l2 = root + 0x10000n + ((address >> 30n) & 15n) * 0x1000n;
    const l3 = root + 0x40000n + ((address >> 21n) & 0x7fn) * 0x1000n;
    map.writeU64(root + index(30n), l2 | 3n);
    map.writeU64(l2 + index(21n), l3 | 3n);
    map.writeU64(l3 + index(12n), leaf);
  };
  for (const [i, probe] of PROBES.slice(0, 2).entries()) {
    const page = DATA + BigInt(i) * 0x1000n;
    table(REAL.s1Table, probe, page | 0x443n);
    table(REAL.s2Table, probe, (page + 0x1000000n) | 0x4ffn);
    table(REAL.s2Table, page, (page + 0x2000000n) | 0x4ffn);
  }
  for (const at of [REAL.cdTable, REAL.s1Table]) table(REAL.s2Table, at, at | 0x4ffn);
}

let map: AddressMap;
let smmu: Smmu;

beforeAll(async () => {
  const memory = HostMemory.create();
  map = new AddressMap(memory);
  map.mapRam(0x40000000n, 0x20000000);
  // Stalls are possible, so that S1STALLD and S2S are legal.
  const idr0 = setField(IDR0, [BigInt(FULL_ID.idr0)], "STALL_MODEL", 0)[0];
  smmu = await Smmu.create(memory, map, { id: { ...FULL_ID, idr0: Number(idr0) } });
  for (const [at, value, size] of [
    [0x90, 0x42000008n, 8],
    [0xa0, 0x42100008n, 8],
    [0x88, 8n, 4],
    [0x80, STRTAB, 8],
    [0x20, 0xdn, 4],
  ] as const) {
    smmu.writeRegister(at, value, size);
  }
  fillTables(map);
});

function store(at: bigint, entry: Entry): void {
  entry.forEach((word, i) => {
    map.writeU64(at + BigInt(i * 8), word);
  });
}

/** What the engine does to transactions with an entry in place: addresses or event names. */
function behaviour(structure: "STE" | "CD", entry: Entry): string[] {
  store(REAL.cdTable, structure === "CD" ? entry : stage1Cd(REAL, 3));
  store(REAL.otherCdTable, stage1Cd(REAL, 4));
  store(STRTAB + BigInt(SID * 64), structure === "STE" ? entry : cdTableSte(REAL, DSS.ssid0));
  smmu.flushCaches();
  return PROBES.flatMap((iova) =>
    [undefined, 0, 1].map((ssid) => {
      const t = smmu.translate({ sid: SID, iova, ...(ssid === undefined ? {} : { ssid }) });
      return t.pa === undefined ? (t.event?.name ?? t.status) : `0x${t.pa.toString(16)}`;
    }),
  );
}

describe("the engine's behaviour with every intermediate entry", () => {
  test.each(WAYS.map((t) => [t.name, t] as const))("%s", (_name, t) => {
    const [from, to] = [t.from(REAL), t.to(REAL)];
    const allowed = [from, to].map((entry) => behaviour(t.structure, entry));
    const invalid = behaviour(t.structure, noCd());
    const points = writeEntry(from, to, usedOf(t));
    expect(points).toHaveLength(t.syncs);
    for (const { partial } of points) {
      for (const entry of partial) {
        const isValid = (entry[0] >> (t.structure === "STE" ? 0n : 31n)) & 1n;
        const seen = behaviour(t.structure, entry);
        if (isValid || t.hitless) expect(allowed).toContainEqual(seen);
        else expect(seen).toEqual(invalid);
      }
    }
  });

  test("the entries of these tests really differ in what they do", () => {
    const seen = [abortSte(), bypassSte(), s1(REAL), s1Dss(REAL), s2(REAL)].map((entry) =>
      behaviour("STE", entry).join(),
    );
    expect(new Set(seen).size).toBe(5);
    expect(behaviour("STE", s1(REAL))[0]).toBe("0x50000000");
    expect(behaviour("STE", s2(REAL))[0]).toBe("0x51000000");
    expect(behaviour("STE", noCd())[0]).toBe("C_BAD_STE");
    expect(behaviour("CD", noCd())[0]).toBe("C_BAD_CD");
  });

  test("the order matters: words of a whole entry in one go are seen half written", () => {
    const [from, to] = [s1(REAL), s2(REAL)];
    const allowed = [from, to].map((entry) => behaviour("STE", entry));
    const early = [to[0], from[1], from[2], from[3], ...from.slice(4)];
    expect(allowed).not.toContainEqual(behaviour("STE", early));
  });
});
