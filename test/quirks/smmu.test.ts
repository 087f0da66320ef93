// Every difference between the architecture and QEMU that an SMMU can show, in both modes.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LocalTarget } from "../../src/conform/local.ts";
import { runProgram } from "../../src/conform/run.ts";
import { AddressMap, HostMemory } from "../../src/engine/memory.ts";
import { Smmu } from "../../src/engine/smmu.ts";
import type { Compat } from "../../src/engine/types.ts";
import { QUIRKS } from "../../src/spec/quirks.ts";
import { CASES } from "./cases.ts";
import { DATA, EVENTQ, LEAF, outcomes, S1, STRTAB, world } from "./world.ts";

const nameOf = (bit: number) => QUIRKS.find((q) => q.bit === bit)?.name;
const shared = new Map<Compat, LocalTarget>();

beforeAll(async () => {
  for (const compat of ["arch", "qemu"] as const) {
    shared.set(compat, await LocalTarget.create(compat));
  }
});
afterAll(() => shared.clear());

describe("one program, two behaviours", () => {
  test.each(CASES.map((c) => [`quirk ${c.bit} ${nameOf(c.bit)}`, c] as const))(
    "%s",
    async (_title, c) => {
      for (const compat of ["arch", "qemu"] as const) {
        const target = c.id ? await LocalTarget.create(compat, c.id) : shared.get(compat);
        const program = c.build().program("quirk");
        expect(outcomes(program, await runProgram(target!, program)), compat).toEqual(c[compat]);
      }
      if (!c.abortsQemu) expect(c.arch).not.toEqual(c.qemu);
    },
  );
});

/** An SMMU over 512 MiB with a world's memory, programmed by its register writes. */
async function directly(compat: Compat, build: ReturnType<typeof world>) {
  const memory = HostMemory.create();
  const map = new AddressMap(memory);
  map.mapRam(0x40000000n, 0x20000000);
  const smmu = await Smmu.create(memory, map, { compat });
  for (const [at, value] of build.words) map.writeU64(at, value);
  for (const op of build.ops) {
    if (op.op === "reg") smmu.writeRegister(Number(op.at), BigInt(op.value), op.size);
  }
  return { smmu, map };
}

test("quirk 7 EVENTQ_IRQ_EVERY", async () => {
  for (const compat of ["arch", "qemu"] as const) {
    const { smmu } = await directly(compat, world().enable().reg(0x50, 4));
    const raised = [1, 2].map(() => {
      expect(smmu.translate({ sid: 8, iova: 0n, write: true }).event?.name).toBe("C_BAD_STE");
      return smmu.takeInterrupts().eventq;
    });
    expect(raised).toEqual(compat === "arch" ? [true, false] : [true, true]);
  }
});

test("quirk 40 IOTLB_256", async () => {
  const build = world().ste(5).cd();
  for (let i = 0n; i < 300n; i++) build.page(S1, i << 12n, (DATA + (i << 12n)) | LEAF);
  const { smmu, map } = await directly("qemu", build.enable());
  const reach = (i: number) => smmu.explain({ sid: 8, iova: BigInt(i) << 12n }).steps;
  const isHit = (i: number) => reach(i).some((s) => s.what === "iotlb-lookup" && s.hit);
  for (let i = 0; i < 256; i++) expect(isHit(i)).toBe(false);
  expect(isHit(0)).toBe(true);
  expect(isHit(256)).toBe(false);
  // The 257th entry emptied the rest.
  expect(isHit(0)).toBe(false);
  expect(isHit(256)).toBe(true);
  expect(map.readU64(STRTAB)).toBe(0n);
  expect(smmu.readRegister(0xa0, 8)).toBe(EVENTQ | 4n);
});

/**
 * No program can tell these two behaviours apart: 52-bit addresses and DS are not modelled, and
 * a flush of more than was asked for is always allowed.
 */
const UNSEEN = [19, 35, 36];

test("every divergence of the SMMU has its case", () => {
  const shown = new Set([...CASES.map((c) => c.bit), 7, 40, ...UNSEEN]);
  const missing = QUIRKS.filter((q) => !q.name.startsWith("ITS_") && !shown.has(q.bit));
  expect(missing.map((q) => q.name)).toEqual([]);
  expect(CASES.map((c) => c.bit)).toEqual([...new Set(CASES.map((c) => c.bit))]);
});
