// Names and positions of every layout equal the reference rows (IHI0070 G.b, DDI0487 D8, Linux 7.2,
// QEMU 10.0).
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as encoding from "../../src/spec/encoding.ts";
import * as spec from "../../src/spec/index.ts";
import { constantName } from "../../src/spec/name.ts";

type Row = [kind: string, name: string, ...rest: (string | number)[]];

const rowsOf = (file: string): Row[] =>
  JSON.parse(readFileSync(new URL(`../golden/spec/${file}.json`, import.meta.url), "utf8"));

const LAYOUT_FILES = ["ste", "cd", "commands", "events", "descriptors", "registers", "its"];
const ROWS = LAYOUT_FILES.flatMap(rowsOf);

type Item = spec.Struct | spec.Union | spec.Register | spec.Enumeration;
const ITEMS = Object.values({ ...encoding, ...spec }).filter(
  (x): x is Item => typeof x === "object" && x !== null && "is" in x,
);
const WITH_FIELDS = ITEMS.filter((x) => "field" in x);
const BY_NAME = new Map(WITH_FIELDS.map((x) => [x.name, x]));

/** Reference names that we write as the identifiers of one encoding. */
const RENAMED: Record<string, string> = {
  "S1TABLE.NLTA[47:m]": "S1TABLE.NLTA",
  "S2TABLE.NLTA[47:m]": "S2TABLE.NLTA",
  "S1TABLE.XNTable/UXNTable": "S1TABLE.UXNTable",
  "S1LEAF.UXN/XN": "S1LEAF.UXN",
  "S1LEAF.SH / OA[51:50]": "S1LEAF.SH",
  "S2LEAF.SH / OA[51:50]": "S2LEAF.SH",
  "S1LEAF.PBHA/IGNORED": "S1LEAF.PBHA",
  "ITE size QEMU": "QEMU_ITE.BYTES",
  "DTE size QEMU": "QEMU_DTE.BYTES",
  "CTE size QEMU": "QEMU_CTE.BYTES",
  "GITS_BASER.count": "GITS_BASER.COUNT",
};

/** Reserved ranges that the reference lists as rows: they have no name of their own here. */
const RESERVED = new Set(["STE.RES", "S2TABLE.RES0"]);

/** The Realm and Root pages lie outside pages 0 and 1, and nothing here has those states. */
const isExcluded = (name: string): boolean => /^(R_|ROOT_)/.test(name);

const plain = (name: string): string =>
  (RENAMED[name] ?? name)
    .replace(/<[np]>/g, "")
    .replace(/\([a-z,]+\)/g, "")
    .replace("IMPLEMENTATION DEFINED", "IMPDEF");

function splitName(name: string): [owner: string, field: string] {
  const dot = name.indexOf(".");
  return [name.slice(0, dot), name.slice(dot + 1)];
}

/** "4p+451" at p=0, or a plain number. */
const firstElement = (bit: string | number): number =>
  typeof bit === "number" ? bit : Number(/\+(\d+)$/.exec(bit)?.[1]);

/** Highest bit of the last element of a repeated field. */
const topOf = (f: spec.Field): number => f.hi + (f.count - 1) * f.stride;

/** Distance of elements in "4p+451". */
const strideOf = (bit: string | number): number =>
  typeof bit === "number" ? 0 : Number.parseInt(bit, 10);

describe("fields", () => {
  const facts = ROWS.filter(([kind, name]) => kind === "field" && !isExcluded(name));

  it.each(facts)("%s %s is at [%s:%s]", (_, name, hi, lo) => {
    const [owner, field] = splitName(plain(name));
    const layout = BY_NAME.get(owner);
    expect(layout, owner).toBeDefined();
    if (RESERVED.has(name)) {
      const readings = layout?.is === "union" ? Object.values<spec.Struct>(layout.cases) : [layout];
      for (const one of readings as spec.Struct[])
        expect(one.fields.some((f) => f.kind === "res0" && f.hi === hi && f.lo === lo)).toBe(true);
      return;
    }
    const found: spec.Field | undefined = layout?.field[field];
    expect(found, `${owner}.${field}`).toBeDefined();
    const top = name === "VMS.PARTID_MAP" ? topOf(found as spec.Field) : found?.hi;
    expect([top, found?.lo]).toEqual([firstElement(hi), firstElement(lo)]);
    if (typeof lo === "string") expect(found?.stride).toBe(strideOf(lo));
  });

  /** Declared here beyond the reference rows, and why they may be. */
  const EXTRA: Record<string, string> = {
    "EVENT.Reason": "the reference describes it in the row of STAG, whose bits it shares",
    "S2PII.PI": "the reference gives the 16 fields of 4 bits in the register's row",
    "GERRORN.CMDQP_ERR": "GERRORN has the layout of GERROR",
    "S2TABLE.AF": "S2HAFT gives stage 2 tables the Access flag of stage 1 tables",
    "S2LEAF.nT": "stage 2 blocks have the nT bit of stage 1 blocks",
    "S1TABLE.NLTA[51:48]": "in the row of NLTA: 64KB with 52 bits",
    "S2TABLE.NLTA[51:48]": "in the row of NLTA: 64KB with 52 bits",
    "S1LEAF.OA[51:48]": "in the row of OA: 64KB with 52 bits",
    "S2LEAF.OA[51:48]": "in the row of OA: 64KB with 52 bits",
    "S1LEAF.OA[51:50]": "shares a row with SH",
    "S2LEAF.OA[51:50]": "shares a row with SH",
    "S_S2PII.PI": "as S2PII",
    "GITS_TYPER.CCT": "GICv3; zero in every model",
    "GICR_CTLR.EnableLPIs": "IHI0069 12.11; read and written by Linux irq-gic-v3-its.c",
    "GICR_TYPER.PLPIS": "IHI0069 12.11; read by Linux irq-gic-v3-its.c",
    "GICR_TYPER.Processor_Number": "IHI0069 12.11; read by Linux irq-gic-v3-its.c",
    "QEMU_L1E.Address": "QEMU 10.0 arm_gicv3_its.c masks the level 1 entry in its own way",
    "QEMU_L1E.Valid": "QEMU 10.0 arm_gicv3_its.c masks the level 1 entry in its own way",
    "TEGRA241_VCMDQ_CONS.RD": "a VCMDQ is an SMMU command queue",
    "TEGRA241_VCMDQ_PROD.WR": "a VCMDQ is an SMMU command queue",
  };
  /** Registers whose fields the reference gives in the row of the register, or not at all. */
  const WHOLE = /^(IDREGS|GITS_(IIDR|MPIDR|PIDR4|TRANSLATER|SGIR)|GICR_\w+BASER|TEGRA241_\w+)$/;

  it("has no named field that the reference does not have", () => {
    const known = new Set(facts.map(([, name]) => plain(name)));
    const own = WITH_FIELDS.filter((x) => !/^(PCI|MSI)/.test(x.name)).flatMap((x) =>
      Object.values<spec.Field>(x.field).map((f) => `${x.name}.${f.name}`),
    );
    const unknown = own.filter(
      (name) => !known.has(name) && !WHOLE.test(splitName(name)[0]) && !(name in EXTRA),
    );
    expect(unknown).toEqual([]);
    expect(Object.keys(EXTRA).filter((name) => !own.includes(name))).toEqual([]);
  });

  it("says in a sentence what every field of the reference means", () => {
    const silent = facts.flatMap(([, name]) => {
      const [owner, field] = splitName(plain(name));
      const found: spec.Field | undefined = BY_NAME.get(owner)?.field[field];
      const isSaid = found?.kind === "impdef" || /^\S.*\.$/.test(found?.meaning ?? "");
      return isSaid || RESERVED.has(name) ? [] : [name];
    });
    expect(silent).toEqual([]);
  });

  it("covers all 770 reference fields", () => {
    expect(facts.length).toBe(770);
  });
});

describe("registers", () => {
  const facts = ROWS.filter(([kind, name]) => kind === "register" && !isExcluded(name));

  /** Sum of the hexadecimal numbers of "0x1000+0x100v+0x40+4s" and the factors of its letters. */
  function placeOf(offset: string): { base: number; factors: number[] } {
    const terms = offset.replace(/ .*/, "").replace(/^\+/, "").split("+");
    const numbers = terms.filter((t) => /^0x[0-9a-f]+$/i.test(t)).map(Number);
    const factors = terms.filter((t) => /[a-z]$/.test(t) && !/^0x[0-9a-f]+$/i.test(t));
    return {
      base: numbers.reduce((a, b) => a + b, 0),
      factors: factors.map((t) => Number(t.slice(0, -1))),
    };
  }

  it.each(facts)("%s %s is at %s, bit %s on top", (_, name, offset, top) => {
    const found = BY_NAME.get(plain(name)) as spec.Register;
    expect(found, name).toBeDefined();
    const { base, factors } = placeOf(String(offset));
    expect(found.offset).toBe(base);
    expect(found.bits).toBe(Number(top) + 1);
    for (const factor of factors) expect([found.stride, 0x100]).toContain(factor);
  });

  it("puts no two registers of a frame on the same byte", () => {
    const taken = new Map<string, string>();
    const own = WITH_FIELDS.filter((x) => x.is === "register") as unknown as spec.Register[];
    for (const r of own)
      for (let i = 0; i < r.count; i++)
        for (let b = 0; b < r.bytes; b++) {
          const at = `${r.frame} 0x${(r.offset + i * r.stride + b).toString(16)}`;
          expect(taken.get(at), `${r.name} at ${at}`).toBeUndefined();
          taken.set(at, r.name);
        }
  });

  it("has no register that the reference does not have", () => {
    const known = new Set(facts.map(([, name]) => plain(name)));
    const own = WITH_FIELDS.filter((x) => x.is === "register").map((x) => x.name);
    expect(own.filter((name) => !known.has(name))).toEqual([]);
  });
});

describe("structures", () => {
  const facts = ROWS.filter(([kind]) => kind === "struct");

  it.each(facts)("%s %s has %s bits", (_, name, bits) => {
    if (name === "VMS" || BY_NAME.has(name)) expect(BY_NAME.get(name)?.bits).toBe(bits);
    else expect(name).toMatch(/^(CMD_OPCODE|EVENT_ID|ITS_CMD_OPCODE)$/);
  });

  it("has no structure that the reference does not have", () => {
    const known = new Set(facts.map(([, name]) => name));
    const own = WITH_FIELDS.filter(
      (x) => x.is !== "register" && !/^(PCI|MSI|GICR_|QEMU_L1E)/.test(x.name),
    );
    expect(own.map((x) => x.name).filter((name) => !known.has(name))).toEqual([]);
  });
});

describe("values", () => {
  /** Every named number: encodings of fields, enumerations, opcodes, event numbers, sizes. */
  const values = new Map<string, number>();
  const add = (owner: string[], named: spec.Values): void => {
    for (const [value, name] of Object.entries(named))
      values.set(constantName(...owner, name), Number(value));
  };
  for (const item of ITEMS) {
    if (item.is === "enumeration") add([item.name], item.values);
    if (!("field" in item)) continue;
    for (const f of Object.values<spec.Field>(item.field))
      if (f.values !== undefined) add([item.name, f.name], f.values);
    if (item.is === "union")
      for (const c of Object.values<spec.Case>(item.cases))
        if (c.value !== undefined) values.set(c.name, c.value);
    if (item.is === "register") values.set(`${item.name}_COUNT`, (item as spec.Register).count);
    values.set(`${item.name}_BYTES`, item.bytes);
  }
  const facts = ROWS.filter(([kind]) => kind === "value");

  it.each(facts)("%s %s is %s", (_, name, value) => {
    const ours = plain(name).replace(/[.]/g, "_");
    const found = values.get(ours) ?? values.get(`ITS_${ours}`);
    expect(found, ours).toBe(value);
  });

  it("has no opcode or event number that the reference does not have", () => {
    const known = new Set(facts.map(([, name]) => name));
    const own = [spec.CMD, spec.EVENT, spec.ITS_CMD].flatMap((u: spec.Union) =>
      Object.keys(u.cases),
    );
    expect(own.filter((name) => !known.has(name.replace(/^ITS_/, "")))).toEqual([]);
  });
});
