// Judges an entry by a list of rules in the order in which the architecture applies them.
import type { Features } from "./idr.ts";
import type { Verdict } from "./types.ts";

/** Reads a field of the entry; undefined when its word is missing. */
export type Get = (field: string) => bigint | undefined;

/** What the rules may look at. */
export interface Entry {
  readonly get: Get;
  /** The same as a number; for fields of at most 32 bits. */
  readonly num: (field: string) => number | undefined;
  readonly features: Features;
  /** The STE through which a CD is reached, when it is known. */
  readonly ste?: Get;
}

/**
 * One condition that makes an entry ILLEGAL. `broken` answers undefined when it cannot be judged.
 */
export interface Rule {
  readonly rule: string;
  readonly text: string;
  readonly broken: (e: Entry) => boolean | undefined;
}

/** All broken rules, and those that need what was not given. */
export interface Judgement {
  readonly illegal: readonly Verdict[];
  readonly undecided: readonly Verdict[];
}

/** Applies the rules in order. */
export function judge(rules: readonly Rule[], entry: Entry): Judgement {
  const illegal: Verdict[] = [];
  const undecided: Verdict[] = [];
  for (const { rule, text, broken } of rules) {
    const answer = broken(entry);
    if (answer === true) illegal.push({ rule, text });
    if (answer === undefined) undecided.push({ rule, text });
  }
  return { illegal, undecided };
}
