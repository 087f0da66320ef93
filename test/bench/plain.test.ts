// The JavaScript baselines of the benchmarks answer what the engine answers, faults included; only
// the event records are the engine's alone.
import { describe, expect, test } from "vitest";
import { PlainBigInt } from "../../bench/rivals/plain-bigint.ts";
import { PlainUint32 } from "../../bench/rivals/plain-uint32.ts";
import { batchPass } from "../../bench/world/batch.ts";
import type { Ring } from "../../bench/world/ring.ts";
import { ANSWER_META } from "../../src/spec/abi-words.ts";
import { decodeAll, setField } from "../../src/spec/word.ts";
import { randomMachine } from "./machines.ts";

const MACHINES = 50;
/** All kinds of accesses: write, privileged, instruction. */
const FLAGS_MAX = 7;

/** Answers as words, without the place of the event record. */
function answersOf({ memory, answers, count }: Ring): bigint[][] {
  return Array.from({ length: count }, (_, i) => {
    const meta = [memory.readU64(answers + i * 16 + 8)];
    return [memory.readU64(answers + i * 16), setField(ANSWER_META, meta, "eventIndex", 0)[0]];
  });
}

const describeAnswer = ([pa, meta]: bigint[]): string =>
  `${pa.toString(16)} ${decodeAll(ANSWER_META, [meta]).map((f) => `${f.field.name}=${f.value}`)}`;

/** What each machine's uncached engine answers, and what the baseline does, in two passes. */
async function compare(make: typeof PlainBigInt | typeof PlainUint32): Promise<Set<string>> {
  const kinds = new Set<string>();
  for (let seed = 1; seed <= MACHINES; seed++) {
    const { world, ring } = randomMachine(seed, FLAGS_MAX);
    batchPass(await world.engine("none"), ring);
    const right = answersOf(ring).map(describeAnswer);
    const plain = new make(world);
    for (const pass of ["cold", "cached", "flushed"]) {
      if (pass === "flushed") plain.flush();
      ring.clear();
      plain.translateAll(ring);
      expect(answersOf(ring).map(describeAnswer), `machine ${seed}, ${pass}`).toEqual(right);
    }
    for (const text of right) kinds.add(text.replace(/^\S+ /, ""));
  }
  return kinds;
}

describe("the JavaScript baselines", () => {
  for (const make of [PlainBigInt, PlainUint32]) {
    test(`${make.name} answers what the uncached engine answers`, async () => {
      const kinds = [...(await compare(make))];
      // The machines show pages of three sizes, both kinds of streams, and all four faults.
      for (const bits of [12, 21, 30]) {
        expect(kinds.some((k) => k.includes(`status=0,pageBits=${bits}`))).toBe(true);
      }
      for (const stage of [1, 3])
        expect(kinds.some((k) => k.includes(`stage=${stage}`))).toBe(true);
      for (const event of [11, 16, 18, 19]) {
        expect(kinds.some((k) => k.includes(`eventType=${event}`))).toBe(true);
      }
    });
  }
});
