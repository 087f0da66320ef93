// A picture of a run as SVG: for each target, how much of it the median takes.
import { escapeXml } from "../../src/decode/diagram-svg.ts";
import { significant } from "../../src/view/number.ts";
import { targetText } from "../question.ts";
import type { AnsweredRow } from "./history.ts";

const MARGIN = 12;
const LABEL_WIDTH = 520;
const BAR_WIDTH = 300;
const VALUE_WIDTH = 190;
const LINE = 20;
const BAR = 10;
/** Bars end here, in targets; longer ones end in an arrow. */
const SHARE_MAX = 2;
const TITLE = "How much of each target the median takes";
const LEGEND =
  "The line is the target: a bar that ends before it meets it. Whiskers are quartiles.";

const STYLE = [
  "svg{color:#222;font:12px system-ui,sans-serif}",
  "rect.ok{fill:#2a7d4f}rect.bad{fill:#c0392b}rect.none{fill:#999}",
  "@media (prefers-color-scheme:dark){svg{color:#ddd}rect.ok{fill:#4fb07c}rect.bad{fill:#e06c5e}}",
  "text{fill:currentColor}.head{font-weight:600}.dim{opacity:.7}",
  "line{stroke:currentColor}.target{opacity:.6;stroke-dasharray:3 3}",
].join("");

/** The part of the target that a value takes: at most 1 when it meets it. */
export function shareOfTarget(value: number, target: NonNullable<AnsweredRow["target"]>): number {
  const [over, under] = target.relation === "<=" ? [value, target.value] : [target.value, value];
  if (under === 0) return over === 0 ? 0 : SHARE_MAX;
  return over / under;
}

const xOf = (share: number): number =>
  MARGIN + LABEL_WIDTH + (Math.min(share, SHARE_MAX) / SHARE_MAX) * BAR_WIDTH;

const at = (value: number): string => String(Math.round(value * 10) / 10);

function text(x: number, y: number, content: string, style = ""): string {
  const place = `x="${at(x)}" y="${at(y)}"${style && ` class="${style}"`}`;
  return `<text ${place}>${escapeXml(content)}</text>`;
}

function barOf(row: AnsweredRow, y: number): string[] {
  const label = text(MARGIN, y + BAR, `${row.name}: ${row.meaning}`);
  const valueAt = xOf(SHARE_MAX) + MARGIN;
  const { target, median, low, high } = row;
  if (median === null || low === null || high === null || target === null) {
    return [label, text(valueAt, y + BAR, "not compared", "dim")];
  }
  const [from, end] = [xOf(0), xOf(shareOfTarget(median, target))];
  const edges = [low, high].map((v) => xOf(shareOfTarget(v, target))).sort((a, b) => a - b);
  const middle = y + BAR / 2;
  const value = `${significant(median)} ${row.unit}, target ${targetText(target)}`;
  return [
    label,
    `<rect class="${row.ok ? "ok" : "bad"}" x="${at(from)}" y="${at(y)}" ` +
      `width="${at(Math.max(1, end - from))}" height="${BAR}"/>`,
    `<line x1="${at(edges[0])}" x2="${at(edges[1])}" y1="${at(middle)}" y2="${at(middle)}"/>`,
    text(valueAt, y + BAR, value),
  ];
}

/** Draws every row that has a target, question by question, as an SVG document. */
export function plotOf(rows: readonly AnsweredRow[], subtitle: string): string {
  const parts = [
    text(MARGIN, MARGIN + LINE / 2, TITLE, "head"),
    text(MARGIN, MARGIN + LINE * 1.5, subtitle, "dim"),
    text(MARGIN, MARGIN + LINE * 2.5, LEGEND, "dim"),
  ];
  let y = MARGIN + LINE * 3.5;
  const top = y;
  const wanted = rows.filter((row) => row.target !== null || row.median === null);
  for (const question of new Set(wanted.map((row) => row.question))) {
    parts.push(text(MARGIN, y + BAR, question, "head"));
    y += LINE;
    for (const row of wanted.filter((r) => r.question === question)) {
      parts.push(...barOf(row, y));
      y += LINE;
    }
    y += LINE / 2;
  }
  const line = `x1="${at(xOf(1))}" x2="${at(xOf(1))}" y1="${at(top)}" y2="${at(y)}"`;
  const width = MARGIN * 3 + LABEL_WIDTH + BAR_WIDTH + VALUE_WIDTH;
  const height = y + MARGIN;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
      `width="${width}" height="${height}" role="img">`,
    `<title>${escapeXml(TITLE)}</title><style>${STYLE}</style>`,
    ...parts,
    `<line class="target" ${line}/>`,
    "</svg>",
    "",
  ].join("\n");
}
