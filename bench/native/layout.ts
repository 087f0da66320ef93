// The fields that hand-written contestants read and write, as a C header made of the layouts
// (IHI0070 5, DDI0487 D8.3).
import { ANSWER_META, REQUEST_FLAGS } from "../../src/spec/abi-words.ts";
import { CD } from "../../src/spec/cd.ts";
import { S1LEAF, S1TABLE, S2LEAF } from "../../src/spec/descriptor.ts";
import { EVENT } from "../../src/spec/event.ts";
import type { Field } from "../../src/spec/field.ts";
import { STE } from "../../src/spec/ste.ts";
import type { Layout } from "../../src/spec/word.ts";

const LAYOUTS: readonly Layout[] = [
  ...[STE, CD, S1TABLE, S1LEAF, S2LEAF],
  ...[REQUEST_FLAGS, ANSWER_META],
];
/** Events that a walk can end in. */
const EVENTS = ["F_WALK_EABT", "F_TRANSLATION", "F_ACCESS", "F_PERMISSION"] as const;

/** A word of C: "AP[1]" is AP1. */
const word = (name: string): string => name.replaceAll(/[^A-Za-z0-9_]/g, "");

/** A function that takes the field out of the words of its entry, and one that puts it into one. */
function accessorsOf(layout: Layout, field: Field): string[] {
  const name = `${layout.name}_${word(field.name)}`;
  const low = field.lo % 64;
  const ones = `0x${((1n << BigInt(field.width)) - 1n).toString(16)}ull`;
  const raw = `(w[${Math.floor(field.lo / 64)}] >> ${low}) & ${ones}`;
  const value = field.kind === "address" ? `(${raw}) << ${field.low}` : raw;
  return [
    `static inline u64 ${name}(const u64 *w) { return ${value}; }`,
    `static inline u64 put_${name}(u64 v) { return (v & ${ones}) << ${low}; }`,
  ];
}

/** The header's text. */
export function layoutHeader(): string {
  const fields = LAYOUTS.flatMap((layout) =>
    Object.values(layout.field)
      .filter(({ count }) => count === 1)
      .flatMap((field) => accessorsOf(layout, field)),
  );
  const statuses = Object.entries(ANSWER_META.field.status.values ?? {});
  return [
    ...statuses.map(([value, name]) => `#define STATUS_${name} ${value}`),
    ...EVENTS.map((name) => `#define ${name} ${EVENT.cases[name].value}`),
    ...fields,
    "",
  ].join("\n");
}
