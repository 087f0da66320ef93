// The JSON output follows the published schema, for everything the decoder can find.
import { describe, expect, test } from "vitest";
import {
  decodeText,
  LogDecoder,
  recordLine,
  resultJson,
  SCHEMA_NAME,
  SCHEMA_VERSION,
} from "../../src/decode/index.ts";
import schema from "../../src/decode/schema.json" with { type: "json" };
import { captureText, corpus, kernelLines } from "./kernel-text.ts";

type Schema = { [key: string]: unknown };
const root = schema as unknown as Schema & { $defs: Record<string, Schema> };

const typeOf = (v: unknown): string =>
  v === null ? "null" : Array.isArray(v) ? "array" : Number.isInteger(v) ? "integer" : typeof v;

/** The parts of JSON Schema that the published one uses. Returns what is wrong. */
function violations(s: Schema, v: unknown, at = "$"): string[] {
  const wrong: string[] = [];
  if (typeof s.$ref === "string")
    wrong.push(...violations(root.$defs[s.$ref.replace("#/$defs/", "")], v, at));
  if (
    s.type !== undefined &&
    typeOf(v) !== s.type &&
    !(s.type === "number" && typeof v === "number")
  )
    wrong.push(`${at} is ${typeOf(v)}, not ${s.type}`);
  if (s.const !== undefined && v !== s.const) wrong.push(`${at} is not ${s.const}`);
  if (Array.isArray(s.enum) && !s.enum.includes(v)) wrong.push(`${at} is ${JSON.stringify(v)}`);
  if (typeof s.pattern === "string" && !new RegExp(s.pattern).test(String(v)))
    wrong.push(`${at}: ${v}`);
  if (typeof s.minimum === "number" && (v as number) < s.minimum)
    wrong.push(`${at} < ${s.minimum}`);
  if (Array.isArray(s.allOf)) wrong.push(...s.allOf.flatMap((x: Schema) => violations(x, v, at)));
  if (Array.isArray(s.anyOf) && s.anyOf.every((x: Schema) => violations(x, v, at).length > 0))
    wrong.push(`${at} fits no alternative`);
  if (typeOf(v) === "array" && s.items !== undefined)
    (v as unknown[]).forEach((x, i) => {
      wrong.push(...violations(s.items as Schema, x, `${at}[${i}]`));
    });
  if (typeOf(v) === "object") wrong.push(...memberViolations(s, v as Record<string, unknown>, at));
  return wrong;
}

function memberViolations(s: Schema, v: Record<string, unknown>, at: string): string[] {
  const properties = (s.properties ?? {}) as Record<string, Schema>;
  const wrong = ((s.required ?? []) as string[])
    .filter((k) => !(k in v))
    .map((k) => `${at}.${k} is missing`);
  for (const [key, member] of Object.entries(v)) {
    if (key in properties) wrong.push(...violations(properties[key], member, `${at}.${key}`));
    else if (s.additionalProperties === false) wrong.push(`${at}.${key} is not declared`);
    else if (typeof s.additionalProperties === "object")
      wrong.push(...violations(s.additionalProperties as Schema, member, `${at}.${key}`));
  }
  return wrong;
}

const document = (text: string, kind?: Parameters<typeof decodeText>[1], options = {}): unknown =>
  JSON.parse(JSON.stringify(resultJson(decodeText(text, kind, options))));

const P = "arm-smmu-v3 9050000.smmuv3:";
const INPUTS: [string, unknown][] = [
  ["published records", document(corpus.flatMap((r) => kernelLines(r.w)).join("\n"))],
  ["a captured log", document(captureText("faults-4k/dmesg.txt"))],
  ["a captured trace", document(captureText("l1-accel-uefi/vmm-trace.txt.gz"))],
  [
    "queue errors",
    document(
      [
        `${P} CMD_SYNC timeout at 0x1 [hwprod 0x2, hwcons 0x0]`,
        `${P} CMDQ error (cons 0x01000001): Illegal command`,
        `${P} skipping command in error state:`,
        `${P} \t0x00000000000000ff`,
        `${P} \t0x0000000000000000`,
        `${P} EVTQ overflow detected -- events lost`,
        `${P} sid 0x00000100.0x00001: [5L] unprivileged RW access at iova 0x1000`,
      ].join("\n"),
    ),
  ],
  [
    "boot lines",
    document(`${P} ias 48-bit, oas 48-bit (features 0x001c1eaf)\n${P} option mask 0x2`),
  ],
  [
    "SMMUv2",
    document("arm-smmu x: Unhandled context fault: fsr=0x402, iova=0xf9030040, fsynr=0x12, cb=0"),
  ],
  ["an STE", document("0x4730500b 0xd6", "ste")],
  ["a CD", document("0x1e204c0003510 0x47304000", "cd", { idr: { IDR0: 1 } })],
  ["a descriptor", document("0x60000005c000f47", "pte")],
  ["registers", document("IDR0 0x0d44101b\nCR0 0xd", "regs")],
  ["a command", document("0x46 0x0", "cmd")],
  [
    "labelled words with a hole",
    document(`${P} event 0x10 received:\nword0: 0x0000010000000010\nword2: 0x0000000000001000`),
  ],
  ["nothing", document("hello")],
];

describe("documents", () => {
  test.each(INPUTS)("%s", (_, json) => {
    expect(violations(root, json)).toEqual([]);
    expect(violations(root.$defs.document, json)).toEqual([]);
  });

  test("the hole of labelled words is null, and their fields are absent", () => {
    const { records } = INPUTS[11][1] as {
      records: { words: unknown[]; fields: { lo: number }[] }[];
    };
    expect(records[0].words).toEqual(["0x10000000010", null, "0x1000"]);
    expect(records[0].fields.every((f) => f.lo < 64 || f.lo >= 128)).toBe(true);
  });

  test("the validator sees what is wrong", () => {
    const good = document(kernelLines(corpus[0].w).join("\n")) as {
      records: Record<string, unknown>[];
    };
    const bad = structuredClone(good);
    bad.records[0].sid = "0x0180";
    bad.records[0].class = "ZZ";
    delete bad.records[0].hints;
    expect(violations(root.$defs.document, bad)).toHaveLength(3);
  });
});

describe("lines of a stream", () => {
  test("each is a record with the schema's name and version", () => {
    const decoder = new LogDecoder();
    const lines = captureText("faults-4k/dmesg.txt").split("\n");
    const records = [...lines.flatMap((l) => decoder.push(l)), ...decoder.flush()];
    expect(records.length).toBeGreaterThan(130);
    for (const r of records) {
      const line = recordLine(r);
      expect(line).not.toContain("\n");
      const json = JSON.parse(line);
      expect(json).toMatchObject({ schema: SCHEMA_NAME, version: SCHEMA_VERSION });
      expect(violations(root.$defs.line, json)).toEqual([]);
    }
  });
});
