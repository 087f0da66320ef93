// Explaining names and numbers; comparing host and guest.
import { describe, expect, test } from "vitest";
import { catalogue } from "../../src/decode/catalogue.ts";
import { gateOpen } from "../../src/decode/explain.ts";
import { compareIdr, explain, explanationLines, suggest } from "../../src/decode/index.ts";
import { editDistance } from "../../src/decode/suggest.ts";

const IDR = { IDR0: 0xd44101b, IDR1: 0x2730010, IDR3: 0x1414, IDR5: 0x74 };
const names = (query: string): string[] => explain(query).map((e) => e.topic.name);

describe("explain", () => {
  test.each([
    ["STE.S1DSS", ["STE.S1DSS"]],
    ["s1dss", ["STE.S1DSS"]],
    ["F_TRANSLATION", ["F_TRANSLATION"]],
    ["SMMU_EVT_F_TRANSLATION", ["F_TRANSLATION"]],
    ["cmd_sync", ["CMD_SYNC"]],
    ["TLBI_NH_VA", ["CMD_TLBI_NH_VA"]],
    ["SMMU_CMD_CFGI_STE", ["CMD_CFGI_STE"]],
    ["CERROR_ATC_INV_SYNC", ["CERROR_ATC_INV_SYNC"]],
    ["CMDQ_CONS.ERR", ["CMDQ_CONS.ERR"]],
    ["STE", ["STE"]],
    ["SMMUEN", ["CR0.SMMUEN", "CR0ACK.SMMUEN"]],
    ["GITS_TRANSLATER", ["GITS_TRANSLATER"]],
    ["BBML2", ["ARM_SMMU_FEAT_BBML2"]],
    ["STE.Config.BYPASS", ["STE.Config.BYPASS"]],
    ["F_TL_PF", []],
  ])("%s", (query, want) => {
    expect(names(query)).toEqual(want);
  });

  test("a number is an event, a command and a register", () => {
    const found = explain("0x10").map((e) => `${e.topic.kind} ${e.topic.name}`);
    expect(found).toEqual(
      expect.arrayContaining(["event F_TRANSLATION", "command CMD_TLBI_NH_ALL", "register IDR4"]),
    );
    expect(names("16")).toEqual(names("0x10"));
    expect(explain("0xfffff")).toEqual([]);
  });

  test("a field: place, values, rules, gate, relatives", () => {
    const [e] = explain("STE.EATS");
    expect(e.where).toBe("bits [93:92] of STE (word 1, bits [29:28])");
    expect(e.values.map((v) => v.value)).toEqual(expect.arrayContaining([0, 1, 2]));
    expect(e.rules.join()).toContain("ste-eats-split");
    expect(e.topic.gate).toContain("ATS");
    expect(e.related).toContain("IDR0.ATS");
    expect(e.setBy).toContain("software writes it in memory");
  });

  test("who sets it: events, commands, registers", () => {
    expect(explain("C_BAD_STE")[0].setBy).toContain("the SMMU writes it");
    expect(explain("CMD_SYNC")[0].setBy).toContain("software writes it into the command queue");
    expect(explain("IDR0")[0].setBy).toContain("can only read");
    expect(explain("STRTAB_BASE")[0].setBy).toContain("SMMUEN");
  });

  test("with ID registers: is it there?", () => {
    const here = (q: string) => explain(q, IDR)[0].here.join();
    expect(here("CMD_ATC_INV")).toContain("CERROR_ILL");
    expect(here("CMD_CFGI_STE")).toContain("takes this command");
    expect(here("STE.S1DSS")).toContain("RES0");
    expect(here("STE.S2VMID")).toContain("in use");
    expect(gateOpen("HTTU>=2", IDR)).toBe(false);
    expect(gateOpen("S1P&S2P", IDR)).toBe(true);
    expect(gateOpen("STALL_MODEL!=1", IDR)).toBe(false);
    expect(gateOpen("IDR3.RIL", IDR)).toBe(true);
    expect(gateOpen("Secure STE", IDR)).toBeUndefined();
  });

  test("everything that has a name can be explained by it, and printed", () => {
    const all = catalogue();
    expect(all.length).toBeGreaterThan(700);
    for (const t of all) {
      const found = explain(t.name);
      expect(found.some((e) => e.topic === t || e.topic.name === t.name)).toBe(true);
    }
    for (const t of all.filter((_, i) => i % 5 === 0)) {
      const lines = explanationLines(explain(t.name)[0], { width: 90 });
      expect(lines[0]).toContain(t.name);
      expect(Math.max(...lines.map((l) => l.length))).toBeLessThanOrEqual(100);
      expect(lines.join("\n")).not.toMatch(/undefined|NaN|\[object/);
    }
  });

  test("suggestions for slips", () => {
    expect(suggest("S1DDS")).toContain("S1DSS");
    expect(suggest("F_TRANSLATOIN")[0]).toBe("F_TRANSLATION");
    expect(suggest("CMD_SNYC")[0]).toBe("CMD_SYNC");
    expect(suggest("STRTAB")).toContain("STRTAB_BASE");
    expect(suggest("completely different")).toEqual([]);
    expect(editDistance("kitten", "sitting")).toBe(3);
    expect(editDistance("ab", "ba")).toBe(1);
    expect(editDistance("", "abc")).toBe(3);
  });
});

describe("compare-idr", () => {
  const HOST = { IDR0: 0x0d44101b, IDR1: 0x02730010, IDR3: 0x1414, IDR5: 0x75 };
  /** What QEMU shows an accelerated guest: stage 1 only, 44 bits. */
  const GUEST = { IDR0: 0x0d44101a, IDR1: 0x02730010, IDR3: 0x1404, IDR5: 0x74 };
  const refused = (host: Record<string, number>, guest: Record<string, number> = GUEST): string[] =>
    compareIdr(host, guest)
      .filter((c) => c.verdict === "refused")
      .map((c) => c.field);
  const with0 = (set: number, clear = 0) => ({ ...HOST, IDR0: ((HOST.IDR0 & ~clear) | set) >>> 0 });

  test("a host that fits", () => {
    expect(refused(HOST)).toEqual([]);
    expect(compareIdr(HOST, GUEST).filter((c) => c.verdict === "ok")).toHaveLength(11);
  });

  test.each<[string, Record<string, number>, Record<string, number>, string]>([
    ["linear stream table", with0(0, 3 << 27), GUEST, "IDR0.ST_LEVEL"],
    ["big endian only", with0(3 << 21), GUEST, "IDR0.TTENDIAN"],
    ["LPAE only", with0(1 << 2, 3 << 2), GUEST, "IDR0.TTF"],
    ["15 StreamID bits", { ...HOST, IDR1: 0x0273000f }, GUEST, "IDR1.SIDSIZE"],
    ["fewer SubstreamID bits", HOST, { ...GUEST, IDR1: GUEST.IDR1 | (4 << 6) }, "IDR1.SSIDSIZE"],
    ["no range invalidation", { ...HOST, IDR3: 0x1014 }, GUEST, "IDR3.RIL"],
    ["smaller addresses", { ...HOST, IDR5: 0x73 }, GUEST, "IDR5.OAS"],
    ["no ATS", HOST, { ...GUEST, IDR0: GUEST.IDR0 | (1 << 10) }, "IDR0.ATS"],
    ["no 16K granule", { ...HOST, IDR5: 0x55 }, GUEST, "IDR5.GRAN16K"],
    ["64K only at the host", { ...HOST, IDR5: 0x45 }, GUEST, "IDR5.GRAN4K"],
    ["granule only at the host", HOST, { ...GUEST, IDR5: 0x54 }, "IDR5.GRAN16K"],
  ])("%s", (_, host, guest, field) => {
    expect(refused(host, guest)).toContain(field);
  });

  test("mixed endianness, more bits and more features at the host are no problem", () => {
    expect(refused(with0(0, 3 << 21))).toEqual([]);
    expect(refused({ ...with0(1 << 10), IDR1: 0x02730020 | (20 << 6), IDR5: 0x76 })).toEqual([]);
  });

  test("features that accelerated mode never offers, and missing registers", () => {
    const rows = compareIdr(HOST, { ...GUEST, IDR0: GUEST.IDR0 | (2 << 6) | 1 });
    const unoffered = rows.filter((c) => c.verdict === "unoffered").map((c) => c.field);
    expect(unoffered).toEqual(expect.arrayContaining(["IDR0.HTTU", "IDR0.S2P"]));
    const missing = compareIdr({ IDR0: HOST.IDR0 }, GUEST).filter((c) => c.verdict === "missing");
    expect(missing.map((c) => c.field)).toContain("IDR5.OAS");
  });
});
