// `vsmmu vectors`: conformance vectors for other implementations, as JSON.

import { cHeader, type Provenance, VECTOR_KINDS, vectors } from "../vectors/index.ts";
import { type Command, type Context, EXIT, UsageError } from "./command.ts";
import { integerOption, textOption } from "./parse.ts";

const PROVENANCES: readonly Provenance[] = [
  "arch",
  "qemu-11.1",
  "linux capture",
  "hardware record",
];

export const command: Command = {
  name: "vectors",
  summary: "print conformance vectors for other implementations",
  usage: "[--kind KIND] [--seed N] [--count N] [--provenance WHOSE] [--format json|c]",
  description:
    "Prints one JSON document (or a C header): structures and event records taken apart, " +
    "translations with all of memory, invalidation sequences and command errors, each with what " +
    "must come of it and whose answer that is. Generated vectors depend on the seed alone; " +
    "recorded ones are always the same.",
  options: {
    kind: { type: "string", value: "KIND", help: VECTOR_KINDS.join(", ") },
    seed: { type: "string", value: "N", help: "of the generated vectors (default 1)" },
    count: { type: "string", value: "N", help: "generated vectors of each sort (default 16)" },
    format: { type: "string", value: "FORM", help: "json (default), or c for a header" },
    provenance: { type: "string", value: "WHOSE", help: PROVENANCES.join(", ") },
  },
  positionals: [],
  examples: [
    ["vsmmu vectors > vectors.json", "everything"],
    ["vsmmu vectors --format c > vectors.h", "for a C program"],
    ["vsmmu vectors --kind translation --seed 7 --count 1000", "more of one kind"],
  ],
  run,
};

/** The value of an option that must be one of several; undefined when it is not given. */
function choice<T extends string>(c: Context, name: string, choices: readonly T[]): T | undefined {
  const text = textOption(c.args, name);
  if (text === undefined) return undefined;
  const found = choices.find((value) => value === text);
  if (found === undefined) throw new UsageError(`--${name} is one of ${choices.join(", ")}`);
  return found;
}

const number = (c: Context, name: string): number | undefined => {
  const value = integerOption(c.args, name, 32);
  return value === undefined ? undefined : Number(value);
};

async function run(c: Context): Promise<number> {
  const set = await vectors({
    kind: choice(c, "kind", VECTOR_KINDS),
    provenance: choice(c, "provenance", PROVENANCES),
    seed: number(c, "seed"),
    count: number(c, "count"),
  });
  const format = choice(c, "format", ["json", "c"] as const) ?? "json";
  c.out(format === "c" ? cHeader(set.vectors) : JSON.stringify(set, undefined, 1));
  return EXIT.ok;
}
