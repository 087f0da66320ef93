// One generated machine given to the engine and to the oracle, and where their answers differ.
import type { CachePolicy, Compat } from "../../src/engine/types.ts";
import type { OracleAnswer, OracleMemory, OracleMode, OracleRequest } from "../oracle/model.ts";
import { translateOracle } from "../oracle/oracle.ts";
import type { GeneratedCase } from "./generate.ts";
import { type Comparable, ofOracle, Subject } from "./subject.ts";

/** Physical memory of a case as the oracle reads it. Changes of `words` show at once. */
export function memoryOf(c: GeneratedCase, words = new Map(c.memory)): OracleMemory {
  const ranges = c.ramRanges.map(({ base, bytes }) => [base, base + bytes] as const);
  return {
    read64(pa) {
      for (const [from, to] of ranges) if (pa >= from && pa < to) return words.get(pa) ?? 0n;
      return undefined;
    },
  };
}

/** What predicts an answer: the oracle, or one with caches of its own. */
export type Predict = (request: OracleRequest) => OracleAnswer;

/** The oracle without caches. */
export function predictor(c: GeneratedCase, mode: OracleMode, words = new Map(c.memory)): Predict {
  const memory = memoryOf(c, words);
  return (request) => translateOracle(memory, c.registers, request, mode);
}

/** One engine of a mode for each cache policy, under names for messages. */
export async function subjectsOf(
  mode: Compat,
  policies: readonly CachePolicy[],
): Promise<Record<string, Subject>> {
  const subjects: Record<string, Subject> = {};
  for (const cache of policies) subjects[`${mode}, ${cache}`] = await Subject.create(mode, cache);
  return subjects;
}

/** A request that was answered differently. */
export interface Difference {
  request: number;
  subject: string;
  expected: Comparable;
  got: Comparable;
}

/** Whether two answers are the same in every part. */
export function sameAnswer(a: Comparable, b: Comparable): boolean {
  return (
    a.status === b.status &&
    a.pa === b.pa &&
    a.record === b.record &&
    a.recorded === b.recorded &&
    a.pageBits === b.pageBits &&
    a.perm === b.perm &&
    a.stage === b.stage &&
    a.memAttr === b.memAttr &&
    a.sh === b.sh
  );
}

/**
 * Gives one case to every subject, `rounds` times over (later rounds hit the caches), and finds the
 * first answer that is not the predicted one.
 */
export function firstDifference(
  c: GeneratedCase,
  subjects: Readonly<Record<string, Subject>>,
  predict: Predict,
  rounds = 1,
): Difference | undefined {
  for (const subject of Object.values(subjects)) subject.load(c);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < c.requests.length; i++) {
      const answer = predict(c.requests[i]);
      for (const [name, subject] of Object.entries(subjects)) {
        const expected = ofOracle(answer, subject.mode);
        const got = subject.run(c.requests[i]);
        if (!sameAnswer(expected, got)) return { request: i, subject: name, expected, got };
      }
    }
  }
  return undefined;
}

const bigints = (_: string, value: unknown): unknown =>
  typeof value === "bigint" ? `0x${value.toString(16)}` : value;

/** A difference as text that names the seed, for a failing test. */
export function describeDifference(seed: number, c: GeneratedCase, d: Difference): string {
  return [
    `seed ${seed}, request ${d.request}, ${d.subject}`,
    `request  ${JSON.stringify(c.requests[d.request], bigints)}`,
    `expected ${JSON.stringify(d.expected)}`,
    `got      ${JSON.stringify(d.got)}`,
    `registers ${JSON.stringify(c.registers, bigints)}`,
  ].join("\n");
}
