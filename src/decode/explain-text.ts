// An explanation as text: what it is, its bits, values, rules, causes and relatives.
import { diagramText } from "./diagram.ts";
import type { Explanation } from "./explain.ts";
import type { RenderOptions, TextPaint } from "./render.ts";

const plain: TextPaint = (_, text) => text;

/** Label and text, the text broken at `width` and indented under itself. */
function labelled(label: string, text: string, width: number, paint: TextPaint): string[] {
  if (text === "") return [];
  const indent = 12;
  const room = Math.max(24, (width === 0 ? 100 : Math.min(width, 100)) - indent);
  const lines: string[] = [""];
  for (const word of text.split(" ")) {
    const last = lines[lines.length - 1];
    if (last !== "" && last.length + 1 + word.length > room) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  const head = `  ${paint("dim", label.padEnd(indent - 2))}`;
  return lines.map((l, i) => (i === 0 ? head : " ".repeat(indent)) + l);
}

function valueLines(e: Explanation, paint: TextPaint): string[] {
  if (e.values.length === 0) return [];
  const width = Math.max(...e.values.map((v) => v.name.length));
  return e.values.map((v, i) => {
    const head = i === 0 ? `  ${paint("dim", "values".padEnd(10))}` : " ".repeat(12);
    return `${head}${v.value}  ${v.name.padEnd(width)}  ${v.meaning}`.trimEnd();
  });
}

function diagramLines(e: Explanation, width: number): string[] {
  const { topic } = e;
  if (topic.layout === undefined) return [];
  const field = topic.kind === "field" || topic.kind === "encoding" ? topic.field?.name : undefined;
  const options = {
    width: (width || 100) - 2,
    ...(field === undefined ? {} : { marked: field, only: true }),
  };
  return diagramText(topic.layout, options).map((l) => `  ${l}`);
}

/** Renders one explanation. */
export function explanationLines(e: Explanation, options: RenderOptions = {}): string[] {
  const { paint = plain, width = 0 } = options;
  const { topic } = e;
  const say = (label: string, text: string | undefined): string[] =>
    labelled(label, text ?? "", width, paint);
  return [
    `${paint("head", topic.name)}  ${paint("dim", topic.kind)}`,
    ...say("where", e.where),
    ...say("meaning", topic.meaning),
    ...valueLines(e, paint),
    ...say("set by", e.setBy),
    ...say("reset", topic.reset),
    ...say("gate", topic.gate),
    ...say("since", topic.since),
    ...e.here.flatMap((h) => say("here", h)),
    ...e.rules.flatMap((r, i) => say(i === 0 ? "rules" : "", r)),
    ...e.causes.flatMap((c, i) => say(i === 0 ? "causes" : "", c)),
    ...say("section", topic.section),
    ...say("related", e.related.join(", ")),
    ...diagramLines(e, width),
  ];
}
