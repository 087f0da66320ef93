// Ten thousand damaged logs: the decoder never throws, never invents a field, never takes long.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type DecodedRecord,
  decodeText,
  type FieldValue,
  LogDecoder,
  resultJson,
} from "../../src/decode/index.ts";
import { captureText, corpus, kernelLines } from "./kernel-text.ts";

const RUNS = 10_000;

/** Texts to damage: every form at least once. */
const SEEDS: string[] = [
  ...corpus.map((r) => kernelLines(r.w).join("\n")),
  ...corpus.map((r, i) =>
    kernelLines(r.w, { prefix: (n) => `> > [ ${i}.${100000 + n}] ` }).join("\n"),
  ),
  ...corpus
    .slice(0, 3)
    .map((r) => kernelLines(r.w, { device: "(XEN) SMMUv3: /smmuv3@9050000" }).join("\n")),
  kernelLines(corpus[0].w).join("\n").replace("00018", "000=\n18"),
  kernelLines(corpus[1].w).join("\n").replace("0x0000ffff", "0x0000ffff "),
  ...captureText("faults-4k/dmesg.txt").split("\n").slice(108, 148).join("\n").split("\n\n"),
  captureText("faults-4k/dmesg.txt").split("\n").slice(998).join("\n"),
  "arm-smmu-v3 a: CMD_SYNC timeout at 0x00000146 [hwprod 0x00000146, hwcons 0x00000000]",
  "arm-smmu-v3 a: ias 48-bit, oas 48-bit (features 0x001c1eaf)",
  "arm-smmu x: Unhandled context fault: fsr=0x402, iova=0xf9030040, fsynr=0x12, cb=0",
  "SMMUv3 STE values for device: 0000:7d:02.1\n0x000000004730500b\n0x00000000000000d6\n0x0\n0x0",
  "smmu_ptw_invalid_pte stage=1 level=0 base@=0x47204000 pte@=0x47204000 offset=0 pte=0x0\n" +
    "smmuv3-iommu-memory-region-48-16 translation failed for iova=0x1000 " +
    "(SMMU_EVT_F_TRANSLATION)\n" +
    "smmuv3_record_event SMMU_EVT_F_TRANSLATION sid=0x30",
  "IDR0 0x0d44101b\nIDR1: 0x02730010\n0x9050014: 0x00000074",
  "0x1800000010 0x20000000000 0xfffef040 0x0",
];

const NOISE = [
  "\n",
  "> ",
  "=\n",
  "=3D",
  "0x",
  "0x0000000000000010",
  "0x00000180 00000010",
  "ffffffffffffffff",
  "event 0x10 received:",
  "arm-smmu-v3 x: ",
  "\u0000",
  "\ud83d\ude00",
  " ",
  "\t",
  ":",
  "]",
  "&gt;",
  "<br>",
  "\\x09",
  "STE:",
  "CD:",
  "sid: 0x",
  "iova: 0x",
  " stall",
  "[0]",
  "word3: ",
];

type Damage = (text: string) => string;

const cut = (text: string, at: number): number => Math.floor(at * (text.length + 1));

/** One change to a text. */
const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(40)).map(
    ([at, n]): Damage =>
      (t) => {
        const i = cut(t, at);
        return t.slice(0, i) + t.slice(i + n);
      },
  ),
  fc
    .tuple(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.oneof(fc.constantFrom(...NOISE), fc.string({ maxLength: 12 })),
    )
    .map(
      ([at, s]): Damage =>
        (t) =>
          t.slice(0, cut(t, at)) + s + t.slice(cut(t, at)),
    ),
  fc.tuple(fc.nat(30), fc.nat(30)).map(
    ([a, b]): Damage =>
      (t) => {
        const lines = t.split("\n");
        const [i, j] = [a % lines.length, b % lines.length];
        [lines[i], lines[j]] = [lines[j], lines[i]];
        return lines.join("\n");
      },
  ),
  fc.nat(30).map(
    (a): Damage =>
      (t) =>
        t
          .split("\n")
          .filter((_, i, all) => i !== a % all.length)
          .join("\n"),
  ),
  fc.nat(30).map(
    (a): Damage =>
      (t) =>
        t
          .split("\n")
          .flatMap((l, i, all) => (i === a % all.length ? [l, l] : [l]))
          .join("\n"),
  ),
  fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(..."0123456789abcdefx")).map(
    ([at, c]): Damage =>
      (t) =>
        t.slice(0, cut(t, at)) + c + t.slice(cut(t, at) + 1),
  ),
  fc.constantFrom<Damage>(
    (t) => t.toUpperCase(),
    (t) => t.replaceAll("\n", "\r\n"),
    (t) =>
      t
        .split("\n")
        .map((l) => `> ${l}`)
        .join("\n"),
    (t) => t.replaceAll("\n", " "),
    (t) => t.replaceAll(": ", ":\n"),
    (t) => `${t}\n${t}`,
  ),
);

const damaged = fc
  .tuple(fc.constantFrom(...SEEDS), fc.array(damage, { minLength: 1, maxLength: 6 }))
  .map(([seed, changes]) => changes.reduce((text, change) => change(text).slice(0, 20_000), seed));

/** The text's hexadecimal digits in order, everything else gone. */
const digitsOf = (text: string): string =>
  text
    .toLowerCase()
    .replace(/=3d/g, "")
    .replace(/[^0-9a-f]/g, "");

/** Was this number in the text? Its digits must be there without a gap. */
const isIn = (digits: string, value: bigint): boolean => digits.includes(value.toString(16));

/** The value of bits [hi:lo], computed apart from the decoder. */
function bitsOf(words: readonly (bigint | undefined)[], f: FieldValue): bigint {
  let whole = 0n;
  words.forEach((w, i) => {
    whole |= (w ?? 0n) << BigInt(64 * i);
  });
  return (whole >> BigInt(f.lo)) & ((1n << BigInt(f.hi - f.lo + 1)) - 1n);
}

/** A plain check: `expect` would take most of the time of a million comparisons. */
function check(fact: boolean, about: string): void {
  if (!fact) throw new Error(about);
}

function expectFieldsOfWords(
  words: readonly (bigint | undefined)[],
  fields: readonly FieldValue[],
): void {
  for (const f of fields) {
    if (f.from !== "words") continue;
    for (let i = Math.floor(f.lo / 64); i <= Math.floor(f.hi / 64); i++)
      check(words[i] !== undefined, `${f.name} lies in word ${i}, which is missing`);
    const raw = bitsOf(words, f);
    check(
      f.value === raw || f.value === raw << BigInt(f.lo % 64),
      `${f.name} is ${f.value}, its bits are ${raw}`,
    );
  }
}

function expectNothingInvented(r: DecodedRecord, digits: string): void {
  if (r.kind === "event" || r.kind === "command" || r.kind === "structure") {
    for (const w of r.words)
      if (w !== undefined) check(isIn(digits, w), `word ${w.toString(16)} is not in the text`);
    expectFieldsOfWords(r.words, r.fields);
  }
  if (r.kind !== "event") return;
  for (const f of r.fields)
    if (f.from === "text" && f.hi - f.lo > 7)
      check(isIn(digits, f.value), `${f.name} is not in the text`);
  const inFields = (name: string): bigint | undefined =>
    r.fields.find((f) => f.name.endsWith(name))?.value;
  if (r.sid !== undefined) check(inFields("StreamID") === BigInt(r.sid), "sid");
  if (r.iova !== undefined && r.source !== "trace") check(inFields("InputAddr") === r.iova, "iova");
  if (r.direction !== undefined)
    check(inFields("RnW") === (r.direction === "read" ? 1n : 0n), "direction");
  for (const h of r.hints) check(!h.text.includes("{"), h.text);
}

describe("damaged inputs", () => {
  test(`${RUNS} of them: no exception, no invented field, hexadecimal JSON`, () => {
    const started = performance.now();
    fc.assert(
      fc.property(damaged, (text) => {
        const result = decodeText(text);
        const digits = digitsOf(text);
        for (const r of result.records) expectNothingInvented(r, digits);
        for (const v of JSON.stringify(resultJson(result)).match(/"value":"[^"]*"/g) ?? [])
          check(/^"value":"(?:0x(?:0|[1-9a-f][0-9a-f]*)|bit \d+|1|[0-9]+(?: \w+)?)"$/.test(v), v);
        expect(result.faults).toBe(result.records.filter((r) => r.fault).length);
      }),
      { numRuns: RUNS, seed: 20260731 },
    );
    expect(performance.now() - started).toBeLessThan(60_000);
  });

  test("line by line gives the same events as all at once", () => {
    fc.assert(
      fc.property(damaged, (text) => {
        if (/=3D|=09|=\r?\n|=20|<|\\n|\r/i.test(text)) return;
        const decoder = new LogDecoder();
        const streamed = [...text.split("\n").flatMap((l) => decoder.push(l)), ...decoder.flush()];
        const events = (rs: readonly DecodedRecord[]) =>
          rs.filter((r) => r.kind === "event").map((r) => [r.event, r.words, r.line]);
        const whole = decodeText(text, "dmesg").records;
        expect(events(streamed)).toEqual(events(whole));
      }),
      { numRuns: 2000, seed: 20260801 },
    );
  });
});

describe("hostile inputs take linear time", () => {
  const long = 200_000;
  test.each([
    ["one endless line", "0x".repeat(long)],
    ["endless hex", "f".repeat(long)],
    ["endless quotes", "> ".repeat(long)],
    ["endless soft breaks", "=\n".repeat(long)],
    ["endless prefix", `${"[ 1.0] ".repeat(long / 8)}arm-smmu-v3 x: event 0x10 received:`],
    ["endless event names", `event: ${"C_BAD_".repeat(long / 6)} client: sid: 0x1`],
    ["endless headers", "arm-smmu-v3 x: event 0x10 received:\n".repeat(long / 40)],
    [
      "endless SMMUs",
      Array.from({ length: 5000 }, (_, i) => `arm-smmu-v3 ${i}.smmu: event 0x10 received:`).join(
        "\n",
      ),
    ],
    ["endless colons", `smmu ${":".repeat(long)}`],
    ["endless tags", "<p ".repeat(long / 3)],
    ["endless escapes", "\x1b[".repeat(long / 2)],
    ["endless trace", "smmu_ptw_level stage=1 level=0 pte=0x1\n".repeat(long / 40)],
  ])("%s", (_, text) => {
    const started = performance.now();
    const result = decodeText(text);
    expect(result.records.length).toBeLessThanOrEqual(text.length);
    // A second on a free machine; a quadratic step would need minutes.
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});
