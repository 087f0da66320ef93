// Entries, commands, descriptors, registers: fields, legality, the vSTE question, dumps.
import { describe, expect, test } from "vitest";
import {
  type CommandRecord,
  decodeCommand,
  decodeDescriptor,
  decodeStructure,
  decodeWords,
  judgeVste,
  readingText,
  type StructureRecord,
} from "../../src/decode/index.ts";
import { packFields, STE } from "../../src/spec/index.ts";

/** QEMU 11's nested SMMU. */
const IDR = { IDR0: 0xd44101b, IDR1: 0x2730010, IDR3: 0x1414, IDR5: 0x74 };
const S1 = {
  V: 1,
  Config: 5,
  S1ContextPtr: 0x47305000n,
  S1DSS: 2,
  S1CIR: 1,
  S1COR: 1,
  S1CSH: 3,
} as const;
const NESTED = {
  ...S1,
  Config: 7,
  S2VMID: 1,
  S2T0SZ: 20,
  S2SL0: 2,
  S2IR0: 1,
  S2OR0: 1,
  S2SH0: 3,
  S2PS: 4,
  S2AA64: 1,
  S2R: 1,
  S2TTB: 0x43ffe000n,
} as const;

type Values = Parameters<typeof packFields<keyof typeof STE.field & string>>[1];
const ste = (values: Values): bigint[] => packFields(STE, values);
const judge = (values: Values, idr: Record<string, number> = IDR): StructureRecord =>
  decodeStructure("STE", ste(values), { options: { idr } });

describe("STE legality", () => {
  test("what Linux writes is legal", () => {
    expect(judge(S1)).toMatchObject({
      legality: "legal",
      illegal: [],
      undecided: [],
      fault: false,
    });
    expect(judge(NESTED)).toMatchObject({ legality: "legal", illegal: [], undecided: [] });
    expect(judge({ V: 1, Config: 4 }).legality).toBe("legal");
    expect(judge({ V: 1, Config: 0 }).summary).toContain("Aborts");
    expect(judge({}).legality).toBe("invalid");
  });

  const cases: [string, Values, Record<string, number>, string][] = [
    ["no stage 1", S1, { ...IDR, IDR0: IDR.IDR0 & ~2 }, "ste-s1p"],
    ["no stage 2", NESTED, { ...IDR, IDR0: IDR.IDR0 & ~1 }, "ste-s2p"],
    [
      "split ATS without nesting",
      { ...S1, EATS: 2 },
      { ...IDR, IDR0: IDR.IDR0 | (1 << 10) },
      "ste-eats-split",
    ],
    [
      "full ATS with stalls",
      { ...NESTED, EATS: 1, S2S: 1 },
      { ...IDR, IDR0: (IDR.IDR0 & ~(3 << 24)) | (1 << 10) },
      "ste-eats-stall",
    ],
    ["reserved STRW", { ...S1, STRW: 1 }, { ...IDR, IDR0: IDR.IDR0 | (1 << 9) }, "ste-strw"],
    ["S1STALLD where nothing stalls", { ...S1, S1STALLD: 1 }, IDR, "ste-s1stalld"],
    [
      "too many substreams",
      { ...S1, S1CDMax: 9 },
      { ...IDR, IDR1: IDR.IDR1 | (8 << 6) },
      "ste-s1cdmax",
    ],
    [
      "2-level CDs without CD2L",
      { ...S1, S1CDMax: 8, S1Fmt: 1 },
      { ...IDR, IDR0: IDR.IDR0 & ~(1 << 19), IDR1: IDR.IDR1 | (8 << 6) },
      "ste-s1fmt",
    ],
    ["context pointer beyond OAS", { ...S1, S1ContextPtr: 1n << 44n }, IDR, "ste-s1contextptr"],
    ["S2S without stalls", { ...NESTED, S2S: 1 }, IDR, "ste-s2s-terminate"],
    [
      "no S2S where all stalls",
      NESTED,
      { ...IDR, IDR0: (IDR.IDR0 & ~(3 << 24)) | (2 << 24) },
      "ste-s2s-stall",
    ],
    ["LPAE stage 2 without LPAE", { ...NESTED, S2AA64: 0 }, IDR, "ste-s2aa64"],
    ["S2HA without HTTU", { ...NESTED, S2HA: 1 }, IDR, "ste-s2ha"],
    [
      "S2HD with HTTU=1",
      { ...NESTED, S2HA: 1, S2HD: 1 },
      { ...IDR, IDR0: IDR.IDR0 | (1 << 6) },
      "ste-s2hd",
    ],
    ["reserved S2TG", { ...NESTED, S2TG: 3 }, IDR, "ste-s2tg"],
    ["missing granule", { ...NESTED, S2TG: 2, S2SL0: 2 }, { ...IDR, IDR5: 0x54 }, "ste-s2tg"],
    ["S2TTB beyond S2PS", { ...NESTED, S2TTB: 1n << 44n }, IDR, "ste-s2ttb"],
    ["S2T0SZ too small", { ...NESTED, S2T0SZ: 15 }, IDR, "ste-s2t0sz"],
    ["S2T0SZ too large", { ...NESTED, S2T0SZ: 40, S2SL0: 0 }, IDR, "ste-s2t0sz"],
    ["start level does not fit", { ...NESTED, S2SL0: 0 }, IDR, "ste-s2sl0"],
    ["big endian stage 2", { ...NESTED, S2ENDI: 1 }, IDR, "ste-s2endi"],
    [
      "wide VMID",
      { ...NESTED, S2VMID: 0x100 },
      { ...IDR, IDR0: IDR.IDR0 & ~(1 << 18) },
      "ste-s2vmid",
    ],
  ];
  test.each(cases)("%s", (_, values, idr, rule) => {
    const r = judge(values, idr);
    expect(r.illegal.map((v) => v.rule)).toContain(rule);
    expect(r).toMatchObject({ legality: "illegal", fault: true });
  });

  test("ignored fields do not matter: stage 2 fields of a stage 1 entry", () => {
    expect(judge({ ...S1, S2TG: 3, S2T0SZ: 63, S2HA: 1, S2S: 1 }).legality).toBe("legal");
    expect(judge({ ...NESTED, Config: 6, S1CDMax: 31, S1STALLD: 1 }).legality).toBe("legal");
  });

  test("without ID registers what needs them is undecided, the rest is judged", () => {
    const r = decodeStructure("STE", ste(NESTED));
    expect(r).toMatchObject({ legality: "undecided", illegal: [] });
    expect(r.undecided.map((v) => v.rule)).toContain("ste-s1p");
    const bad = decodeStructure("STE", ste({ ...NESTED, S2TG: 3 }));
    expect(bad.illegal.map((v) => v.rule)).toEqual(["ste-s2tg"]);
  });
});

describe("would Linux accept this vSTE?", () => {
  const verdict = (values: Values) => judgeVste(ste(values));

  test("abort, bypass, stage 1", () => {
    expect(verdict({})).toMatchObject({ accepted: true });
    expect(verdict({ V: 1, Config: 0 })).toMatchObject({ accepted: true });
    expect(verdict({ V: 1, Config: 4 })).toMatchObject({ accepted: true });
    expect(verdict({ ...S1, S1CDMax: 10, S1Fmt: 1, EATS: 1, S1STALLD: 1 })).toMatchObject({
      accepted: true,
    });
  });

  test.each<[string, Values, string]>([
    ["stage 2 configurations", { ...S1, Config: 7 }, "Config=7"],
    ["other abort encodings", { V: 1, Config: 1 }, "Config=1"],
    ["split ATS", { ...S1, EATS: 2 }, "EATS=0x2"],
    ["context pointer bits above 51", { ...S1, S1ContextPtr: 1n << 52n }, "bit 52"],
    ["a field a guest may not set", { ...S1, MEV: 1 }, "bit 83 (MEV)"],
    ["STRW", { ...S1, STRW: 2 }, "bit 95 (STRW)"],
    ["memory attributes", { ...S1, MTCFG: 1 }, "bit 100 (MTCFG)"],
  ])("refuses %s and says which bit", (_, values, say) => {
    const v = verdict(values);
    expect(v).toMatchObject({ accepted: false, errno: "EIO" });
    expect(v?.problems.map((p) => p.text).join()).toContain(say);
  });

  test("reserved bits are refused by name", () => {
    expect(judgeVste([ste(S1)[0] | (1n << 57n), 0n])?.problems[0].text).toContain("reserved");
    expect(judgeVste([ste(S1)[0]])).toBeUndefined();
  });
});

describe("level-1 descriptors", () => {
  const one = (kind: "l1std" | "l1cd", w: bigint) =>
    decodeWords(kind, [w]).records[0] as StructureRecord;
  test("spans and pointers", () => {
    expect(one("l1std", 0x5ae20009n).summary).toContain("2^8 = 256 STEs at 0x5ae20000");
    expect(one("l1std", 0n).summary).toContain("C_BAD_STREAMID");
    expect(one("l1std", 12n).summary).toContain("reserved");
    expect(one("l1cd", 0x40001001n).summary).toContain("0x40001000");
    expect(one("l1cd", 0x40001000n).summary).toContain("C_BAD_SUBSTREAMID");
  });
});

describe("commands", () => {
  const cmd = (w0: bigint, w1 = 0n, idr?: Record<string, number>): CommandRecord =>
    decodeCommand([w0, w1], idr === undefined ? {} : { idr });
  const why = (r: CommandRecord): string =>
    r.hints
      .filter((h) => h.id === "cmd-illegal")
      .map((h) => h.text)
      .join();

  test("a range: first and last address", () => {
    const r = cmd(
      0x12n | (3n << 12n) | (2n << 20n) | (7n << 48n),
      0x400000n | (1n << 10n) | (3n << 8n),
    );
    expect(r.command).toBe("CMD_TLBI_NH_VA");
    expect(r.hints[0].text).toContain("0x400000 to 0x40ffff (0x10000 bytes)");
    expect(r.fields.find((f) => f.name === "TLBI.ASID")?.value).toBe(7n);
    expect(r.fault).toBe(false);
  });

  test.each<[string, bigint, bigint, Record<string, number> | undefined, string]>([
    ["undefined opcode", 0xffn, 0n, undefined, "not defined"],
    ["EL3 command", 0x18n, 0n, undefined, "EL3"],
    ["Secure command", 0x50n, 0n, undefined, "Secure"],
    ["SSec", 0x03n | (1n << 10n), 0n, undefined, "SSec=1"],
    ["CS=3", 0x46n | (3n << 12n), 0n, undefined, "CS=3"],
    ["Resp=3", 0x41n, 3n << 12n, { IDR0: 1 << 16 }, "Resp=3"],
    ["ATC_INV without ATS", 0x40n, 0n, IDR, "the SMMU has no ATS (IDR0.ATS=0)"],
    ["PRI_RESP without PRI", 0x41n, 0n, IDR, "the SMMU has no PRI (IDR0.PRI=0)"],
    ["RESUME without stalls", 0x44n, 0n, IDR, "cannot stall"],
    ["EL2 without Hyp", 0x22n, 0n, IDR, "EL2"],
    ["stage 1 without S1P", 0x11n, 0n, { IDR0: 1 }, "stage 1"],
    ["stage 2 without S2P", 0x2an, 0n, { IDR0: 2 }, "stage 2"],
    ["TG without a range", 0x12n, 1n << 10n, undefined, "TG is set"],
  ])("CERROR_ILL: %s", (_, w0, w1, idr, say) => {
    const r = cmd(w0, w1, idr);
    expect(why(r)).toContain(say);
    expect(r.fault).toBe(true);
  });

  test("a missing second word", () => {
    const r = decodeCommand([0x12n]);
    expect(r).toMatchObject({ complete: false, command: "CMD_TLBI_NH_VA" });
    expect(r.fields.every((f) => f.hi < 64)).toBe(true);
  });
});

describe("descriptors", () => {
  const reading = (w: bigint, o: Parameters<typeof decodeDescriptor>[1]) =>
    decodeDescriptor(w, o).readings.map(readingText);
  test("tables, blocks, pages and invalid ones by level and granule", () => {
    expect(reading(0x47205003n, { level: 0 })).toEqual(["table of level 1 at 0x47205000"]);
    expect(reading(0x5c000f45n, { level: 2 })[0]).toContain(
      "block of 0x200000 bytes at 0x5c000000",
    );
    expect(reading(0x40000f45n, { level: 1 })[0]).toContain("block of 0x40000000 bytes");
    expect(reading(0x5c000f47n, { level: 3 })[0]).toContain("page of 0x1000 bytes at 0x5c000000");
    expect(reading(0x5c004f47n, { level: 3, granule: "16K" })[0]).toContain(
      "page of 0x4000 bytes at 0x5c004000",
    );
    expect(reading(0x40000f45n, { level: 2, granule: "64K" })[0]).toContain(
      "block of 0x20000000 bytes",
    );
    expect(reading(0x1n, { level: 3 })[0]).toContain("reserved");
    expect(reading(0x1n, { level: 0 })[0]).toContain("reserved");
    expect(reading(0xff0n, { level: 3 })[0]).toContain("invalid");
  });
  test("permissions of both stages", () => {
    const s1 = (bits: bigint) =>
      decodeDescriptor(0x403n | bits, { stage: 1, level: 3 }).readings[0].permissions;
    expect(s1(0n)).toBe(
      "privileged read-write, unprivileged no access, execute (privileged/unprivileged) yes/yes",
    );
    expect(s1((3n << 6n) | (3n << 53n))).toBe(
      "privileged read-only, unprivileged read-only, execute (privileged/unprivileged) no/no",
    );
    const s2 = (bits: bigint) =>
      decodeDescriptor(0x403n | bits, { stage: 2, level: 3 }).readings[0].permissions;
    expect([s2(0n), s2(1n << 6n), s2(2n << 6n), s2(3n << 6n)]).toEqual([
      "no access, XN 0",
      "read-only, XN 0",
      "write-only, XN 0",
      "read-write, XN 0",
    ]);
  });
  test("without a level every reading is shown, and the note says so", () => {
    const r = decodeDescriptor(0x47205003n);
    expect(r.readings.map((x) => x.type)).toEqual(["table", "page"]);
    expect(r.notes.join()).toContain("level is not given");
  });
});
