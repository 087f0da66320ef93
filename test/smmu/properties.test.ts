// Properties of an accelerated vSMMU, the host it needs, and the order in which a live STE is
// rewritten.
import { describe, expect, it } from "vitest";
import {
  type AccelProperties,
  DEFAULT_PROPERTIES,
  defaultsOf,
  guestIdRegisters,
  refuseMachineDone,
  refuseProperties,
} from "../../src/smmu/accel-properties.ts";
import { updateStages, usedBits } from "../../src/smmu/entry-writer.ts";
import {
  COMPARED_FIELDS,
  incompatibilities,
  resolveAuto,
  UNTRUSTED_FIELDS,
} from "../../src/smmu/host-compat.ts";
import { nestedSte, stage1Ste, stage2Ste } from "../../src/smmu/host-ste.ts";

const MACHINE = { kvmIrqchip: true, bootsWithDeviceTree: false, coldPluggedVfio: true };
const HOST = { flags: 0, idr: [0xd44101b, 0x2730010, 0, 0x1414, 0, 0x74], iidr: 0, aidr: 1 };

const refuse = (p: Partial<AccelProperties>, m: Partial<typeof MACHINE> = {}) =>
  refuseProperties({ ...DEFAULT_PROPERTIES, ...p }, { ...MACHINE, ...m });

describe("properties", () => {
  it.each<[Partial<AccelProperties>, Partial<typeof MACHINE>, RegExp | undefined]>([
    [{}, {}, undefined],
    [{}, { kvmIrqchip: false }, /in-kernel interrupt controller/],
    [{}, { bootsWithDeviceTree: true }, /ACPI/],
    [{ stage: "2" }, {}, /stage 1 only/],
    [{ stage: "nested" }, {}, /stage 1 only/],
    [{ oas: 40 }, {}, /44 or 48/],
    [{ ssidsize: 21 }, {}, /0 to 20/],
    [{ oas: 48, ssidsize: 20 }, {}, undefined],
    [{ accel: false }, {}, undefined],
    [{ accel: false, ril: "off" }, {}, /ril=off needs accel/],
    [{ accel: false, ats: "on" }, {}, /ats=on needs accel/],
    [{ accel: false, cmdqv: "on" }, {}, /cmdqv=on needs accel/],
    [{ accel: false, ssidsize: 4 }, {}, /ssidsize above 0 needs accel/],
    [{ accel: false, oas: 48 }, {}, /44 bits when accel is off/],
    [{ accel: false, stage: "nested" }, { kvmIrqchip: false }, undefined],
  ])("%j on %j", (properties, machine, refusal) => {
    const text = refuse(properties, machine);
    if (refusal === undefined) expect(text).toBeUndefined();
    else expect(text).toMatch(refusal);
  });

  it("on auto need a cold-plugged function; cmdqv=on with all else explicit escapes it", () => {
    const bare = { ...MACHINE, coldPluggedVfio: false };
    const explicit: AccelProperties = {
      ...DEFAULT_PROPERTIES,
      ats: "off",
      ril: "on",
      cmdqv: "on",
      oas: 44,
      ssidsize: 0,
    };
    expect(refuseMachineDone(DEFAULT_PROPERTIES, bare)).toMatch(/cold-plugged/);
    expect(refuseMachineDone(DEFAULT_PROPERTIES, MACHINE)).toBeUndefined();
    expect(refuseMachineDone(explicit, bare)).toBeUndefined();
  });

  it("give the ID registers that the recorded guest read", () => {
    expect(guestIdRegisters(defaultsOf(DEFAULT_PROPERTIES))).toEqual({
      IDR0: 0xd44101a,
      IDR1: 0x2730010,
      IDR2: 0,
      IDR3: 0x1404,
      IDR4: 0,
      IDR5: 0x74,
      IIDR: 0,
      AIDR: 1,
    });
  });
});

describe("the host", () => {
  const guest = guestIdRegisters(defaultsOf(DEFAULT_PROPERTIES));
  const withIdr = (n: number, value: number) => ({
    ...HOST,
    idr: HOST.idr.map((old, i) => (i === n ? value : old)),
  });

  it("of the record fits in all eleven fields", () => {
    expect(incompatibilities(guest, HOST)).toEqual([]);
    expect(COMPARED_FIELDS).toHaveLength(11);
    expect(UNTRUSTED_FIELDS.every((f) => COMPARED_FIELDS.includes(f))).toBe(true);
  });

  it.each<[string, number, number]>([
    ["IDR0.ST_LEVEL", 0, 0xd44101b & ~0x1800_0000],
    ["IDR0.TTENDIAN", 0, 0xd44101b | 0x0060_0000],
    ["IDR0.TTF", 0, (0xd44101b & ~0xc) | 0x4],
    ["IDR1.SIDSIZE", 1, 0x273000f],
    ["IDR3.RIL", 3, 0x1014],
    ["IDR5.OAS", 5, 0x72],
    ["IDR5.GRAN4K", 5, 0x64],
    ["IDR5.GRAN16K", 5, 0x54],
    ["IDR5.GRAN64K", 5, 0x34],
  ])("is refused for %s", (field, n, value) => {
    expect(incompatibilities(guest, withIdr(n, value)).map((i) => i.field)).toEqual([field]);
  });

  it("is refused for ATS and SubstreamIDs that the guest has", () => {
    const wide = { ...defaultsOf(DEFAULT_PROPERTIES), ats: true, ssidsize: 4 };
    expect(incompatibilities(guestIdRegisters(wide), HOST).map((i) => i.field)).toEqual([
      "IDR1.SSIDSIZE",
      "IDR0.ATS",
    ]);
  });

  it("gives what is on auto", () => {
    const other = { ...HOST, idr: [0xd44141b, 0x2730510, 0, 0x1014, 0, 0x75] };
    expect(resolveAuto(DEFAULT_PROPERTIES, other)).toEqual({
      ats: true,
      ril: false,
      cmdqv: false,
      oas: 48,
      ssidsize: 20,
    });
    const fixed = { ...DEFAULT_PROPERTIES, ats: "off" as const, oas: 44, ssidsize: 0 };
    expect(resolveAuto(fixed, other)).toMatchObject({ ats: false, oas: 44, ssidsize: 0 });
  });
});

describe("the physical STE", () => {
  const S2 = {
    vmid: 1,
    root: 0x43ff_e000n,
    granule: 12,
    inputBits: 44,
    outputBits: 44,
    s2fwb: false,
  } as const;

  it("of a guest's stage 1 is the one that the host wrote", () => {
    const ste = nestedSte([0x4086_600bn, 0xd6n], S2, false);
    expect(ste.slice(0, 4)).toEqual([0x4086_600fn, 0x800d6n, 0x44c359400000001n, 0x43ff_e000n]);
    expect(ste.slice(4)).toEqual([0n, 0n, 0n, 0n]);
  });

  /** What the SMMU may see after each store: only the old meaning, the new one, or V=0. */
  const meanings = (from: readonly bigint[], to: readonly bigint[]): string[] => {
    const now = [...from];
    // Event merging may change at any time: no translation depends on it.
    const MEV = [0n, 0x80000n, 0n, 0n, 0n, 0n, 0n, 0n];
    const used = (ste: readonly bigint[]) =>
      usedBits(ste).map((bits, i) => bits & ste[i] & ~MEV[i]);
    const name = (ste: readonly bigint[]): string => {
      const seen = used(ste);
      const old = used(from);
      const wanted = used(to);
      if (String(seen) === String(old)) return "old";
      if (String(seen) === String(wanted)) return "new";
      return ste[0] % 2n === 0n ? "invalid" : "mixture";
    };
    const found: string[] = [];
    for (const stage of updateStages(from, to)) {
      for (const { word, value } of stage) now[word] = value;
      found.push(name(now));
    }
    expect(now).toEqual([...to]);
    return found;
  };

  const nested = nestedSte([0x4086_600bn, 0xd6n], S2, false);
  const plain = stage2Ste(S2, false);
  const other = nestedSte([0x4090_000bn, 0xd6n], S2, false);

  it.each([
    ["stage 2 to nested", plain, nested, ["old", "new"]],
    ["nested to stage 2", nested, plain, ["old", "new", "new"]],
    ["nested to another CD", nested, other, ["new"]],
    ["stage 1 to nested", stage1Ste(0x4000_0000n, 0, false), nested, ["invalid", "invalid", "new"]],
    ["nothing", nested, nested, []],
  ] as const)("goes from %s without a mixture", (_, from, to, expected) => {
    const found = meanings(from, to);
    expect(found).not.toContain("mixture");
    expect(found).toEqual(expected);
  });
});
