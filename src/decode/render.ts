// Results as text: one line per field, then what it means, likely causes, and what to look at next.

import { readingText } from "./descriptor.ts";
import { hexOf } from "./fields.ts";
import { repetitions, stormText } from "./storms.ts";
import type {
  DecodedRecord,
  DecodeResult,
  DescriptorRecord,
  EventRecord,
  FeaturesRecord,
  FieldValue,
  Hint,
  StructureRecord,
} from "./types.ts";

/** How a piece of text should look; the caller knows the terminal. */
export type TextStyle = "head" | "good" | "bad" | "warn" | "dim" | "name" | "number";

/** Colours a text, or returns it unchanged. */
export type TextPaint = (style: TextStyle, text: string) => string;

/** Where the text goes. */
export interface RenderOptions {
  readonly paint?: TextPaint;
  /** Columns to wrap at; 0 for no limit. */
  readonly width?: number;
  /** Show every record in full, also repetitions. */
  readonly everything?: boolean;
}

interface Page {
  readonly paint: TextPaint;
  readonly width: number;
}

const plain: TextPaint = (_, text) => text;

/** Widest text; longer lines are hard to read even on wide terminals. */
const TEXT_COLUMNS_MAX = 100;

/** Lines of at most `width` columns, continuation lines indented. */
function wrapped(text: string, first: string, rest: string, width: number): string[] {
  const room = Math.max(
    24,
    (width === 0 ? TEXT_COLUMNS_MAX : Math.min(width, TEXT_COLUMNS_MAX)) - rest.length,
  );
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  if (line !== "" || lines.length === 0) lines.push(line);
  return lines.map((l, i) => (i === 0 ? first : rest) + l);
}

const positionOf = (f: FieldValue): string => (f.hi === f.lo ? `${f.hi}` : `${f.hi}:${f.lo}`);

/** The value, small ones in decimal, and the name of the encoding: "2 IN". */
function shownValue(f: FieldValue): string {
  const number = f.hi - f.lo < 4 && f.value < 10n ? `${f.value}` : hexOf(f.value);
  return f.encoding === undefined ? number : `${number} ${f.encoding}`;
}

/** One line per field: `41:40  CLASS  2 IN  the input address caused the fault`. */
export function fieldLines(fields: readonly FieldValue[], page: Partial<Page> = {}): string[] {
  const { paint = plain, width = 0 } = page;
  const columns = fields.map((f) => [positionOf(f), f.name, shownValue(f)]);
  const widths = [0, 1, 2].map((i) => Math.max(0, ...columns.map((c) => c[i].length)));
  const indent = " ".repeat(widths.reduce((sum, w) => sum + w + 2, 2));
  return fields.flatMap((f, i) => {
    const [at, name, value] = columns[i];
    const style: TextStyle = f.kind === "reserved" ? "bad" : f.kind === "field" ? "name" : "warn";
    const head = [
      paint("dim", at.padStart(widths[0])),
      paint(style, name.padEnd(widths[1])),
      paint(f.kind === "reserved" ? "bad" : "number", value.padEnd(widths[2])),
    ].join("  ");
    const source = f.from === "text" ? " (from the kernel's text)" : "";
    const lines = wrapped(`${f.meaning ?? ""}${source}`, "", indent, width);
    return lines.map((l, n) =>
      (n === 0 ? `  ${head}  ${tint(paint, f, l)}` : tint(paint, f, l)).trimEnd(),
    );
  });
}

const tint = (paint: TextPaint, f: FieldValue, text: string): string =>
  f.kind === "reserved" ? paint("bad", text) : text;

const PARTS = [
  ["meaning", "What this means"],
  ["cause", "Likely causes"],
  ["next", "What to look at next"],
] as const;

/** Holds the words of a tag together while lines are broken. */
const NO_BREAK = "\u00a0";

function hintLines(hints: readonly Hint[], page: Page): string[] {
  return PARTS.flatMap(([part, title]) => {
    const some = hints.filter((h) => h.part === part);
    if (some.length === 0) return [];
    const lines = some.flatMap((h) => {
      const tag = `[${h.id},${NO_BREAK}${h.confidence}]`;
      return wrapped(`${h.text} ${tag}`, "  - ", "    ", page.width).map((l) =>
        l.replace(tag, page.paint("dim", tag.replace(NO_BREAK, " "))),
      );
    });
    return [page.paint("head", title), ...lines];
  });
}

function titleOf(r: DecodedRecord): string {
  switch (r.kind) {
    case "event":
      return `event ${r.id < 0 ? "" : `${hexOf(r.id)} `}${r.event}`;
    case "command":
      return `command ${r.opcode < 0 ? "" : `${hexOf(r.opcode)} `}${r.command}`;
    case "structure":
      return [
        r.structure,
        r.owner === undefined ? "" : ` of ${r.owner}`,
        r.ssid === undefined ? "" : `, SubstreamID ${hexOf(r.ssid)}`,
      ].join("");
    case "descriptor":
      return `descriptor ${hexOf(r.value)}`;
    case "register":
      return `${r.access === undefined ? "" : `${r.access} of `}${r.register} = ${hexOf(r.value)}`;
    case "features":
      return r.source === "boot" ? `boot line, features ${hexOf(r.mask ?? 0)}` : "ID registers";
    default:
      return r.text;
  }
}

function placeText(r: DecodedRecord): string {
  const parts = [
    r.line === undefined ? undefined : `line ${r.line}`,
    r.time === undefined ? undefined : `${r.time} s`,
    r.device,
  ].filter((p) => p !== undefined);
  return parts.length === 0 ? "" : `  (${parts.join(", ")})`;
}

const wordText = (words: readonly (bigint | undefined)[]): string =>
  words
    .map((w) => (w === undefined ? "(missing)" : `0x${w.toString(16).padStart(16, "0")}`))
    .join(" ");

function structureLines(r: StructureRecord, page: Page): string[] {
  const lines = wrapped(r.summary, "  ", "  ", page.width);
  if (r.legality !== undefined) {
    const style = r.legality === "illegal" ? "bad" : r.legality === "legal" ? "good" : "warn";
    lines.push(`  ${page.paint(style, r.legality.toUpperCase())}`);
  }
  for (const v of r.illegal)
    lines.push(
      ...wrapped(
        `${v.text} [${v.rule}]`,
        `  ${page.paint("bad", "broken")}  `,
        " ".repeat(10),
        page.width,
      ),
    );
  if (r.undecided.length > 0)
    lines.push(
      ...wrapped(
        `not judged without --idr: ${r.undecided.map((v) => v.rule).join(", ")}`,
        "  ",
        "  ",
        page.width,
      ),
    );
  if (r.vste !== undefined) lines.push(...vsteLines(r.vste, page));
  return lines;
}

function vsteLines(vste: NonNullable<StructureRecord["vste"]>, page: Page): string[] {
  if (vste.accepted)
    return wrapped(`as a vSTE Linux accepts it: ${vste.outcome}`, "  ", "  ", page.width);
  return [
    `  as a vSTE Linux refuses it with ${page.paint("warn", "-EIO")}:`,
    ...vste.problems.flatMap((p) => wrapped(p.text, "    - ", "      ", page.width)),
  ];
}

function descriptorLines(r: DescriptorRecord, page: Page): string[] {
  return r.readings.flatMap((reading) => [
    ...wrapped(
      `stage ${reading.stage}, ${reading.granule} granule, level ${reading.level}: ` +
        `${readingText(reading)}`,
      "  ",
      "    ",
      page.width,
    ),
    ...fieldLines(reading.fields, page),
  ]);
}

function featureLines(r: FeaturesRecord, page: Page): string[] {
  const name = Math.max(0, ...r.features.map((f) => f.name.length));
  const value = Math.max(0, ...r.features.map((f) => f.value.length));
  const sizes = [
    r.ias === undefined ? undefined : `ias ${r.ias} bits`,
    r.oas === undefined ? undefined : `oas ${r.oas} bits`,
  ].filter((s) => s !== undefined);
  return [
    ...(sizes.length === 0 ? [] : [`  ${sizes.join(", ")}`]),
    ...r.features.flatMap((f) => {
      const head = `  ${page.paint("name", f.name.padEnd(name))}  ${f.value.padEnd(value)}  `;
      const lines = wrapped(f.meaning, "", " ".repeat(name + value + 6), page.width);
      return lines.map((l, i) => (i === 0 ? head + l : l).trimEnd());
    }),
  ];
}

function bodyLines(r: DecodedRecord, page: Page): string[] {
  if (r.kind === "structure") return [...structureLines(r, page), ...fieldLines(r.fields, page)];
  if (r.kind === "descriptor") return descriptorLines(r, page);
  if (r.kind === "features") return featureLines(r, page);
  const words =
    "words" in r && r.words.length > 0 ? [`  ${page.paint("dim", wordText(r.words))}`] : [];
  return [...words, ...fieldLines(r.fields, page)];
}

/** A record in full. */
export function renderRecord(record: DecodedRecord, options: RenderOptions = {}): string[] {
  const page: Page = { paint: options.paint ?? plain, width: options.width ?? 0 };
  const style = record.fault ? "bad" : "head";
  return [
    `${page.paint(style, titleOf(record))}${page.paint("dim", placeText(record))}`,
    ...bodyLines(record, page),
    ...record.notes.flatMap((n) =>
      wrapped(n, `  ${page.paint("warn", "note")}  `, " ".repeat(8), page.width),
    ),
    ...hintLines(record.hints, page),
  ];
}

/** Consecutive repetitions of a fault, in one line. */
function repetitionLine(group: readonly EventRecord[], page: Page): string {
  const first = group[0];
  const addresses = group.flatMap((e) => (e.iova === undefined ? [] : [e.iova]));
  const range =
    addresses.length === 0
      ? ""
      : addresses.length === 1
        ? ` at ${hexOf(addresses[0])}`
        : ` at ${hexOf(addresses[0])} … ${hexOf(addresses[addresses.length - 1])}`;
  const sid = first.sid === undefined ? "" : ` of stream ${hexOf(first.sid)}`;
  return page.paint(
    "dim",
    `again ${group.length} × ${first.event}${sid}${range}  (from line ${first.line ?? "?"})`,
  );
}

function registerLine(r: Extract<DecodedRecord, { kind: "register" }>, page: Page): string {
  const set = r.fields.filter((f) => f.value !== 0n);
  const text = set.map((f) => `${f.name}=${shownValue(f)}`).join(", ");
  return `${page.paint("head", titleOf(r))}${text === "" ? "" : `  ${text}`}`;
}

const isBrief = (r: DecodedRecord): boolean =>
  r.kind === "suppressed" ||
  r.kind === "register" ||
  (r.kind === "log" && !r.fault) ||
  r.kind === "smmuv2";

function briefLine(r: DecodedRecord, page: Page): string {
  if (r.kind === "register") return registerLine(r, page);
  const said = r.hints.length === 0 ? "" : `: ${r.hints.map((h) => h.text).join(" ")}`;
  const title = r.kind === "smmuv2" ? "SMMUv2" : titleOf(r);
  return `${page.paint(r.fault ? "bad" : "head", title)}${said}`;
}

/** A whole result: each kind of fault once in full, repetitions counted, storms at the end. */
export function renderResult(result: DecodeResult, options: RenderOptions = {}): string[] {
  const page: Page = { paint: options.paint ?? plain, width: options.width ?? 0 };
  const repeated = options.everything ? new Set<DecodedRecord>() : repetitions(result.records);
  const blocks: string[][] = [];
  let group: EventRecord[] = [];
  const close = (): void => {
    if (group.length > 0) blocks.push([repetitionLine(group, page)]);
    group = [];
  };
  for (const r of result.records) {
    if (repeated.has(r) && r.kind === "event") {
      const last = group[group.length - 1];
      if (last !== undefined && (last.event !== r.event || last.sid !== r.sid)) close();
      group.push(r);
      continue;
    }
    close();
    blocks.push(
      isBrief(r) ? wrapped(briefLine(r, page), "", "  ", page.width) : renderRecord(r, options),
    );
  }
  close();
  return [...join(blocks), ...summaryLines(result, page)];
}

/** Blocks of several lines get an empty line around them; single lines stand together. */
function join(blocks: readonly (readonly string[])[]): string[] {
  return blocks.flatMap((block, i) => {
    const before = blocks[i - 1];
    const gap = before !== undefined && (block.length > 1 || before.length > 1);
    return gap ? ["", ...block] : block;
  });
}

function summaryLines(result: DecodeResult, page: Page): string[] {
  const lines = result.storms.flatMap((s) => [
    `  ${page.paint("warn", stormText(s))}`,
    ...s.hints.flatMap((h) => wrapped(h.text, "    ", "    ", page.width)),
  ]);
  if (result.suppressed > 0)
    lines.push(`  ${result.suppressed} more events were not printed by the kernel`);
  const trace = Object.entries(result.trace).sort((a, b) => b[1] - a[1]);
  if (trace.length > 0)
    lines.push(
      ...wrapped(
        `trace: ${trace.map(([name, n]) => `${n} × ${name}`).join(", ")}`,
        "  ",
        "  ",
        page.width,
      ),
    );
  return lines.length === 0 ? [] : ["", page.paint("head", "In all"), ...lines];
}
