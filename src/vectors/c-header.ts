// The vectors as a C header: constant arrays, for users without a JSON parser.
import type {
  EntryVector,
  EventVector,
  Hex,
  RunVector,
  Step,
  StepAnswer,
  Vector,
} from "./types.ts";

const DECLARATIONS = `#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct vsmmu_field { const char *name; uint64_t value; };

/* An STE, CD, L1STD or command: \`count\` 64-bit words; the fields end with a null name. */
struct vsmmu_entry {
    const char *id, *structure;
    unsigned count;
    uint64_t words[8];
    const struct vsmmu_field *fields;
};

/* An event record. */
struct vsmmu_event {
    const char *id, *provenance, *name;
    unsigned type;
    uint64_t record[4];
    const struct vsmmu_field *fields;
};

/* 'w' and 'r': register at offset \`at\`; 's': store of 64 bits; 'a' and 'A': device reads or
   writes \`bytes\` at \`at\`. \`outcome\` and the members after it are the answer: of 'r' the
   value; of an access "ok", "bypass", "abort" or "none", and the event records that it adds. */
struct vsmmu_step {
    char what;
    uint32_t stream, bytes;
    uint64_t at, value;
    const char *outcome;
    uint64_t pa;
    uint8_t perm, stage;
    unsigned events;
    const uint64_t (*records)[4];
};

/* A run out of reset: IDR0 to IDR5, pairs {address, word} of memory, steps. */
struct vsmmu_run {
    const char *id, *provenance, *kind;
    uint32_t idr[6];
    size_t words;
    const uint64_t (*memory)[2];
    size_t count;
    const struct vsmmu_step *steps;
};

/* The value of a field; 0 when there is none of that name. */
static inline int vsmmu_field_value(const struct vsmmu_field *f, const char *name, uint64_t *value)
{
    for (; f->name; f++) {
        if (!strcmp(f->name, name)) {
            *value = f->value;
            return 1;
        }
    }
    return 0;
}
`;

const wide = (value: Hex | bigint): string =>
  `${typeof value === "bigint" ? `0x${value.toString(16)}` : value}ull`;
const text = (value: string): string => JSON.stringify(value);

/** Names of C arrays, made of vector ids. */
const symbol = (id: string): string => id.replace(/[^A-Za-z0-9]/g, "_");

function fieldsArray(id: string, fields: Record<string, Hex>): string {
  const rows = Object.entries(fields).map(
    ([name, value]) => `    { ${text(name)}, ${wide(value)} },`,
  );
  return [
    `static const struct vsmmu_field fields_${symbol(id)}[] = {`,
    ...rows,
    "    { 0, 0 },",
    "};",
  ].join("\n");
}

function recordWords(record: string): string {
  const words = Array.from({ length: 4 }, (_, i) => {
    const bytes = record.slice(i * 16, i * 16 + 16).match(/../g) ?? [];
    return `0x${bytes.reverse().join("")}ull`;
  });
  return `{ ${words.join(", ")} }`;
}

const eventsOf = (answer: StepAnswer): string[] =>
  answer !== null && typeof answer === "object" ? answer.events : [];

const registerRow = (what: "w" | "r", bytes: number, offset: Hex, value: Hex): string =>
  `{ '${what}', 0, ${bytes}, ${wide(offset)}, ${wide(value)}, 0, 0, 0, 0, 0, 0 }`;

function stepRow(step: Step, answer: StepAnswer, records: string): string {
  switch (step.do) {
    case "write":
      return registerRow("w", step.bytes, step.offset, step.value);
    case "read":
      return registerRow("r", step.bytes, step.offset, answer as Hex);
    case "store":
      return `{ 's', 0, 8, ${wide(step.address)}, ${wide(step.value)}, 0, 0, 0, 0, 0, 0 }`;
    case "access": {
      const want = answer as Exclude<StepAnswer, null | Hex>;
      const { outcome, pa = "0x0", perm = 0, stage = 0, events } = want;
      const what = step.write ? "A" : "a";
      const head = `'${what}', ${step.streamId}, ${step.bytes}, ${wide(step.iova)}, 0`;
      const tail = `${text(outcome)}, ${wide(pa)}, ${perm}, ${stage}, ${events.length}, ${records}`;
      return `{ ${head}, ${tail} }`;
    }
  }
}

/** The arrays that a run needs, and its row. */
function runParts(run: RunVector): { arrays: string[]; row: string } {
  const name = symbol(run.id);
  const { memory, steps, id } = run.given;
  const arrays: string[] = [];
  const rows = steps.map((step, i) => {
    const answer = run.expect.answers[i];
    const events = eventsOf(answer);
    if (events.length > 0) {
      const list = events.map((record) => `    ${recordWords(record)},`);
      arrays.push(`static const uint64_t records_${name}_${i}[][4] = {\n${list.join("\n")}\n};`);
    }
    return `    ${stepRow(step, answer, events.length > 0 ? `records_${name}_${i}` : "0")},`;
  });
  const pairs = memory.map(([at, value]) => `    { ${wide(at)}, ${wide(value)} },`);
  if (pairs.length > 0) {
    arrays.push(`static const uint64_t memory_${name}[][2] = {\n${pairs.join("\n")}\n};`);
  }
  arrays.push(`static const struct vsmmu_step steps_${name}[] = {\n${rows.join("\n")}\n};`);
  const where = pairs.length > 0 ? `memory_${name}` : "0";
  const ids = Object.values(id).map((value) => `${value}u`);
  const head = `${text(run.id)}, ${text(run.provenance)}, ${text(run.kind)}, { ${ids.join(", ")} }`;
  const tail = `${pairs.length}, ${where}, ${rows.length}, steps_${name}`;
  return { arrays, row: `    { ${head}, ${tail} },` };
}

function table(type: string, name: string, rows: string[]): string {
  if (rows.length === 0) return `#define ${name.toUpperCase()} 0`;
  return [
    `static const struct ${type} ${name}[] = {`,
    ...rows,
    "};",
    `#define ${name.toUpperCase()} ${rows.length}`,
  ].join("\n");
}

/** A header with arrays `vsmmu_entries`, `vsmmu_events` and `vsmmu_runs` and their lengths. */
export function cHeader(vectors: readonly Vector[]): string {
  const entries = vectors.filter((v): v is EntryVector => v.kind === "entry");
  const events = vectors.filter((v): v is EventVector => v.kind === "event");
  const runs = vectors.filter((v): v is RunVector => "steps" in v.given).map(runParts);
  const entryRows = entries.map(({ id, given }) => {
    const words = given.words.map(wide).join(", ");
    const head = `${text(id)}, ${text(given.structure)}, ${given.words.length}`;
    return `    { ${head}, { ${words} }, fields_${symbol(id)} },`;
  });
  const eventRows = events.map(({ id, provenance, given, expect }) => {
    const head = `${text(id)}, ${text(provenance)}, ${text(expect.name)}, ${expect.type}`;
    return `    { ${head}, { ${given.record.map(wide).join(", ")} }, fields_${symbol(id)} },`;
  });
  return [
    "/* Conformance vectors of vsmmu: see its README. */",
    "#ifndef VSMMU_VECTORS_H",
    "#define VSMMU_VECTORS_H",
    DECLARATIONS,
    ...[...entries, ...events].map((v) => fieldsArray(v.id, v.expect.fields)),
    ...runs.flatMap((r) => r.arrays),
    table("vsmmu_entry", "vsmmu_entries", entryRows),
    table("vsmmu_event", "vsmmu_events", eventRows),
    table(
      "vsmmu_run",
      "vsmmu_runs",
      runs.map((r) => r.row),
    ),
    "#endif",
  ].join("\n");
}
