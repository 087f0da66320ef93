// Permissions of the oracle against the architecture's tables (DDI0487 D8.4, IHI0070 13.4).

import { expect, test } from "vitest";
import { EVENT } from "./bits.ts";
import { AT, type CdFields, type SteFields, World } from "./world.ts";

/** UXN, PXN, AP[2:1] and what they give: PR PW UR UW PX UX. */
const TWO_LEVELS: readonly [number, number, number, string][] = [
  [0, 0, 0, "PR PW PX UX"],
  [0, 0, 1, "PR PW UR UW UX"],
  [0, 0, 2, "PR PX UX"],
  [0, 0, 3, "PR UR PX UX"],
  [0, 1, 0, "PR PW UX"],
  [0, 1, 1, "PR PW UR UW UX"],
  [0, 1, 2, "PR UX"],
  [0, 1, 3, "PR UR UX"],
  [1, 0, 0, "PR PW PX"],
  [1, 0, 1, "PR PW UR UW"],
  [1, 0, 2, "PR PX"],
  [1, 0, 3, "PR UR PX"],
  [1, 1, 0, "PR PW"],
  [1, 1, 1, "PR PW UR UW"],
  [1, 1, 2, "PR"],
  [1, 1, 3, "PR UR"],
];

const ACCESSES = {
  PR: { privileged: true },
  PW: { privileged: true, write: true },
  PX: { privileged: true, instruction: true },
  UR: {},
  UW: { write: true },
  UX: { instruction: true },
} as const;
type Access = keyof typeof ACCESSES;

function leaf(uxn: number, pxn: number, ap: number): bigint {
  return 0x4000_0000n | 0x403n | (BigInt(ap) << 6n) | (BigInt(pxn) << 53n) | (BigInt(uxn) << 54n);
}

/** A world with one 4 KiB page at VA 0; `table` adds bits to the level 2 table descriptor. */
function page(word: bigint, cd: CdFields = {}, ste: SteFields = {}, table = 0n): World {
  const world = new World().ste({ Config: 5, ...ste }).cd({ T0SZ: 25, ...cd });
  world.store(AT.s1Root, (AT.s1Root + 0x1000n) | 3n);
  world.store(AT.s1Root + 0x1000n, (AT.s1Root + 0x2000n) | 3n | table);
  return world.store(AT.s1Root + 0x2000n, word);
}

/** Which of the six accesses pass; every other one must be a stage 1 F_PERMISSION. */
function allowed(world: World): string {
  return (Object.keys(ACCESSES) as Access[])
    .filter((name) => {
      const answer = world.run(ACCESSES[name]);
      if (answer.status === "ok") return true;
      expect([answer.status, answer.record?.[0]]).toEqual(["event", EVENT.F_PERMISSION]);
      return false;
    })
    .sort()
    .join(" ");
}

const sorted = (list: string) => list.split(" ").filter(Boolean).sort().join(" ");

test.each(TWO_LEVELS)("UXN %i PXN %i AP %i", (uxn, pxn, ap, list) => {
  const names = list.split(" ");
  const without = (drop: (name: string) => boolean) => {
    return sorted(names.filter((name) => !drop(name)).join(" "));
  };
  const word = leaf(uxn, pxn, ap);
  expect(allowed(page(word))).toBe(sorted(list));
  const wxn = (name: string) => {
    return (name === "PX" && names.includes("PW")) || (name === "UX" && names.includes("UW"));
  };
  expect(allowed(page(word, { WXN: 1 }))).toBe(without(wxn));
  const data = (name: string) => name === "PR" || name === "PW";
  const pan = (name: string) => data(name) && names.includes("UR");
  expect(allowed(page(word, { PAN: 1 }))).toBe(without(pan));
  const epan = (name: string) => data(name) && (names.includes("UR") || names.includes("UX"));
  expect(allowed(page(word, { PAN: 1, EPAN: 1 }))).toBe(without(epan));
});

test("APTable, UXNTable and PXNTable take permissions away unless HAD is set", () => {
  const word = leaf(0, 0, 1);
  const full = "PR PW UR UW UX";
  const cases: [bigint, string][] = [
    [1n << 61n, "PR PW PX UX"],
    [1n << 62n, "PR PX UR UX"],
    [3n << 61n, "PR PX UX"],
    [1n << 60n, "PR PW UR UW"],
    [1n << 59n, full],
    [(1n << 59n) | (1n << 61n), "PR PW UX"],
  ];
  for (const [table, list] of cases) {
    expect(allowed(page(word, {}, {}, table))).toBe(sorted(list));
    expect(allowed(page(word, { HAD0: 1 }, {}, table))).toBe(full);
    const old = page(word, { HAD0: 1 }, {}, table);
    old.regs.idr3 &= ~(1 << 2);
    expect(allowed(old)).toBe(sorted(list));
  }
});

test("EL2 has one level of privilege; EL2-E2H has two", () => {
  const one = (xn: number, ap: number, cd: CdFields = {}) => {
    return allowed(page(leaf(xn, 1, ap), { EPD1: 0, T1SZ: 0, PAN: 1, ...cd }, { STRW: 2 }));
  };
  expect(one(0, 0)).toBe("PR PW PX UR UW UX");
  expect(one(0, 2)).toBe("PR PX UR UX");
  expect(one(1, 0)).toBe("PR PW UR UW");
  expect(one(0, 0, { WXN: 1 })).toBe("PR PW UR UW");
  const e2h = page(leaf(0, 0, 0), {}, { STRW: 2 });
  e2h.regs.cr2 |= 1;
  expect(allowed(e2h)).toBe("PR PW PX UX");
});

test("PRIVCFG and INSTCFG override, INSTCFG for reads alone, and only if implemented", () => {
  const privileged = page(leaf(0, 0, 0), {}, { PRIVCFG: 3 });
  expect(privileged.run({ write: true }).status).toBe("ok");
  privileged.regs.idr1 &= ~(1 << 26);
  expect(privileged.run({ write: true }).record?.[0]).toBe(EVENT.F_PERMISSION);
  const instruction = page(leaf(1, 0, 1), {}, { INSTCFG: 3 });
  expect(instruction.run({}).record?.[12]).toBe(0x0c);
  expect(instruction.run({ write: true }).status).toBe("ok");
  const data = page(leaf(1, 0, 1), {}, { INSTCFG: 2, PRIVCFG: 2 });
  expect(data.run({ instruction: true, privileged: true }).status).toBe("ok");
});

test("E0PD faults unprivileged accesses with F_TRANSLATION", () => {
  const world = page(leaf(0, 0, 1), { E0PD0: 1 });
  expect(world.run({}).record?.[0]).toBe(EVENT.F_TRANSLATION);
  expect(world.run({ privileged: true }).status).toBe("ok");
});

/** XN[1:0] of stage 2 and who may execute, with XNX and without. */
const STAGE2_XN: readonly [number, string, string][] = [
  [0, "PX UX", "PX UX"],
  [1, "UX", "PX UX"],
  [2, "", ""],
  [3, "PX", ""],
];

test.each(STAGE2_XN)("stage 2 XN %i", (xn, withXnx, withoutXnx) => {
  for (let s2ap = 0; s2ap < 4; s2ap++) {
    const world = new World().ste({ Config: 6, S2T0SZ: 25, S2SL0: 1, S2PS: 5 });
    world.store(AT.s2Root, 0x4000_0000n | 0x43dn | BigInt(s2ap << 6) | (BigInt(xn) << 53n));
    const data = ["PR", "PW", "UR", "UW"].filter((name) => s2ap & (name[1] === "R" ? 1 : 2));
    expect(allowed(world)).toBe(sorted([...data, withXnx].join(" ")));
    world.regs.idr3 &= ~(1 << 4);
    expect(allowed(world)).toBe(sorted([...data, withoutXnx].join(" ")));
  }
});
