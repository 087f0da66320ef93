// Tables without boxes: aligned columns, two spaces apart, that fit the terminal.

import { type Paint, type Style, widthOf } from "./paint.ts";

/** One column: its title, alignment, and whether it may be cut when the terminal is narrow. */
export interface Column {
  title: string;
  align?: "left" | "right";
  shrink?: boolean;
}

/** A cell: plain text, or text with a style. */
export type Cell = string | { text: string; style: Style };

const GAP = 2;
const SHRINK_MIN = 8;

/**
 * Lays rows out under a header line.
 * @param width columns of the terminal; 0 means unlimited (output goes to a file)
 * @returns lines without trailing spaces
 */
export function formatTable(
  columns: Column[],
  rows: Cell[][],
  options: { paint: Paint; width: number; indent?: number },
): string[] {
  const { paint, width, indent = 2 } = options;
  const widths = columns.map((column, i) =>
    Math.max(widthOf(column.title), ...rows.map((row) => widthOf(textOf(row[i])))),
  );
  if (width > 0) shrink(columns, widths, width - indent);
  const line = (cells: Cell[], style?: Style): string => {
    const parts = cells.map((cell, i) => {
      const fitted = fit(textOf(cell), widths[i], columns[i].align ?? "left");
      const cellStyle = style ?? (typeof cell === "string" ? undefined : cell.style);
      return cellStyle ? colourText(paint, cellStyle, fitted) : fitted;
    });
    return (" ".repeat(indent) + parts.join(" ".repeat(GAP))).trimEnd();
  };
  return [
    line(
      columns.map((c) => c.title),
      "dim",
    ),
    ...rows.map((row) => line(row)),
  ];
}

/** Aligned `label  value` lines. */
export function formatPairs(pairs: [string, string][], paint: Paint, indent = 2): string[] {
  const width = Math.max(0, ...pairs.map(([label]) => widthOf(label)));
  return pairs.map(([label, value]) => {
    const gap = " ".repeat(width - widthOf(label) + GAP);
    return `${" ".repeat(indent)}${paint("dim", label)}${gap}${value}`.trimEnd();
  });
}

/** Breaks a text into lines of at most `width` columns at spaces. */
export function wrap(text: string, width: number, indent = 0): string[] {
  const room = Math.max(20, width - indent);
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && widthOf(line) + 1 + widthOf(word) > room) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  if (line !== "") lines.push(line);
  return lines.map((l) => " ".repeat(indent) + l);
}

function textOf(cell: Cell | undefined): string {
  if (cell === undefined) return "";
  return typeof cell === "string" ? cell : cell.text;
}

/** Colours the text but not the padding, so that trailing spaces can go. */
function colourText(paint: Paint, style: Style, padded: string): string {
  const text = padded.trim();
  if (text === "") return padded;
  const start = padded.indexOf(text);
  return padded.slice(0, start) + paint(style, text) + padded.slice(start + text.length);
}

function fit(text: string, width: number, align: "left" | "right"): string {
  const have = widthOf(text);
  if (have > width) return `${[...text].slice(0, width - 1).join("")}…`;
  const pad = " ".repeat(width - have);
  return align === "right" ? pad + text : text + pad;
}

function shrink(columns: Column[], widths: number[], room: number): void {
  const total = () => widths.reduce((sum, w) => sum + w, 0) + GAP * (widths.length - 1);
  for (let over = total() - room; over > 0; over = total() - room) {
    const candidates = widths
      .map((w, i) => ({ w, i }))
      .filter(({ w, i }) => columns[i].shrink && w > SHRINK_MIN)
      .sort((a, b) => b.w - a.w);
    if (candidates.length === 0) return;
    const { i, w } = candidates[0];
    widths[i] = Math.max(SHRINK_MIN, w - over);
  }
}
