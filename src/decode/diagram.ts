// Bit diagrams as text: one box per 64-bit (or 32-bit) word, names inside, bit numbers above.
import type { Field } from "../spec/index.ts";

/** What a diagram is drawn from. */
export interface Drawable {
  readonly name: string;
  readonly bits: number;
  readonly fields: readonly Field[];
}

/** One box of a row: a field, or the part of it that lies in the row. */
export interface Box {
  readonly label: string;
  readonly hi: number;
  readonly lo: number;
  readonly kind: Field["kind"];
}

const labelOf = (f: Field, index: number): string => {
  if (f.kind === "res0") return "0";
  if (f.kind === "ignored") return "IGN";
  if (f.kind === "impdef") return "IMPDEF";
  if (f.kind === "unverified") return "?";
  return f.count > 1 ? `${f.name}<${index}>` : f.name;
};

/** Boxes from the highest bit down, for bits [top:bottom] of the layout. */
export function boxesOf(layout: Drawable, top: number, bottom: number): Box[] {
  return layout.fields
    .flatMap((f) =>
      Array.from({ length: f.count }, (_, i) => ({
        label: labelOf(f, i),
        hi: f.hi + i * f.stride,
        lo: f.lo + i * f.stride,
        kind: f.kind,
      })),
    )
    .filter((b) => b.hi >= bottom && b.lo <= top)
    .map((b) => ({ ...b, hi: Math.min(b.hi, top), lo: Math.max(b.lo, bottom) }))
    .sort((a, b) => b.hi - a.hi);
}

const numbersOf = (b: Box): string => (b.hi === b.lo ? `${b.hi}` : `${b.hi}:${b.lo}`);

const centred = (text: string, width: number): string => {
  const left = Math.floor((width - text.length) / 2);
  return " ".repeat(left) + text + " ".repeat(width - text.length - left);
};

/** Boxes cut into lines that fit. */
function linesOf(boxes: readonly Box[], width: number): Box[][] {
  const lines: Box[][] = [];
  let line: Box[] = [];
  let used = 1;
  for (const box of boxes) {
    const need = widthOf(box) + 1;
    if (line.length > 0 && used + need > width) {
      lines.push(line);
      line = [];
      used = 1;
    }
    line.push(box);
    used += need;
  }
  if (line.length > 0) lines.push(line);
  return lines;
}

const widthOf = (b: Box): number => Math.max(b.label.length, numbersOf(b).length) + 2;

function drawLine(boxes: readonly Box[], marked: string | undefined): string[] {
  const bar = (l: string, m: string, r: string): string =>
    l + boxes.map((b) => (isMarked(b, marked) ? "═" : "─").repeat(widthOf(b))).join(m) + r;
  const row = (text: (b: Box) => string): string =>
    boxes.map((b) => centred(text(b), widthOf(b))).join(" ");
  return [
    ` ${row(numbersOf)} `.trimEnd(),
    bar("┌", "┬", "┐"),
    `│${boxes.map((b) => centred(b.label, widthOf(b))).join("│")}│`,
    bar("└", "┴", "┘"),
  ];
}

const isMarked = (b: Box, marked: string | undefined): boolean =>
  marked !== undefined && (b.label === marked || b.label.startsWith(`${marked}<`));

/** Words of a layout that hold something: reserved ones are left out. */
function wordsOf(layout: Drawable): { top: number; bottom: number }[] {
  const size = Math.min(64, layout.bits);
  return Array.from({ length: Math.ceil(layout.bits / size) }, (_, i) => ({
    top: Math.min((i + 1) * size, layout.bits) - 1,
    bottom: i * size,
  })).filter(({ top, bottom }) => boxesOf(layout, top, bottom).some((b) => b.kind !== "res0"));
}

/**
 * Draws a layout as lines of text, highest bit first, word by word. A field called `marked` gets a
 * double line; with `only`, just the words that hold it are drawn.
 */
export function diagramText(
  layout: Drawable,
  options: { readonly width?: number; readonly marked?: string; readonly only?: boolean } = {},
): string[] {
  const { marked, only = false } = options;
  const width = Math.max(40, options.width || 100);
  const words = wordsOf(layout).filter(
    ({ top, bottom }) => !only || boxesOf(layout, top, bottom).some((b) => isMarked(b, marked)),
  );
  return words.flatMap(({ top, bottom }) =>
    linesOf(boxesOf(layout, top, bottom), width).flatMap((boxes) => drawLine(boxes, marked)),
  );
}
