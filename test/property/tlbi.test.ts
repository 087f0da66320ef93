// Random edits, each followed by exactly what the architecture asks for: the caches never tell a
// lie, and every single opcode is needed for that (IHI0070 4.3, 4.4).
//
// VSMMU_CASES sets the number of machines, VSMMU_SEED the first seed.
import { expect, test } from "vitest";
import type { Smmu } from "../../src/engine/smmu.ts";
import { sync } from "../../src/tables/command.ts";
import { Draw, Prng } from "./source.ts";
import { OPCODES, type Opcode, type Probe, TlbiWorld } from "./tlbi-world.ts";

const MACHINES = Math.ceil(Number(process.env.VSMMU_CASES ?? 1000) / 50);
const FIRST = Number(process.env.VSMMU_SEED ?? 1);
const STEPS = 80;
/** Machines for each opcode that is dropped. */
const DROPPED_MACHINES = 3;
const MINUTES = 60_000;

function answer(smmu: Smmu, { sid, iova, ssid }: Probe): string {
  const t = smmu.translate({ sid, iova, ...(ssid !== undefined && { ssid }) });
  return t.status === "ok" || t.status === "bypass" ? `0x${t.pa!.toString(16)}` : t.status;
}

/** Runs one machine, without the effect of `dropped`. Gives the wrong answers. */
async function run(seed: number, dropped?: Opcode): Promise<string[]> {
  const world = await TlbiWorld.create(new Draw(new Prng(seed)));
  const { rig, plain, probes } = world;
  const wrong: string[] = [];
  for (let step = 0; step < STEPS; step++) {
    const sent = step === 0 ? [] : world.edit();
    rig.run(...sent.filter(([opcode]) => opcode !== dropped).map(([, bytes]) => bytes), sync());
    for (const probe of probes) {
      const got = answer(rig.smmu, probe);
      const expected = answer(plain, probe);
      if (got === expected) continue;
      const what = sent.map(([opcode]) => opcode).join(" ");
      wrong.push(`seed ${seed} step ${step} ${what}: sid ${probe.sid}: ${got} not ${expected}`);
    }
  }
  // Most requests translate, and most of those are answered by the cache: there is much to miss.
  const { counters } = rig.smmu;
  expect(counters.lookups).toBeGreaterThan(0.9 * STEPS * probes.length);
  expect(counters.hits).toBeGreaterThan(0.6 * counters.lookups);
  return wrong;
}

test(
  "after exactly the commands that an edit needs every answer is that of a walk",
  async () => {
    for (let seed = FIRST; seed < FIRST + MACHINES; seed++) {
      expect(await run(seed), `seed ${seed}`).toEqual([]);
    }
  },
  20 * MINUTES,
);

test.each(OPCODES)(
  "without the effect of %s some answers are stale",
  async (opcode) => {
    let stale = 0;
    for (let seed = FIRST; seed < FIRST + DROPPED_MACHINES; seed++) {
      stale += (await run(seed, opcode)).length;
    }
    expect(stale).toBeGreaterThan(0);
  },
  MINUTES,
);
