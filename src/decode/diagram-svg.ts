// Bit diagrams as SVG: rows of 32 bits to scale; names that do not fit hang below on leader lines.
import { type Box, boxesOf, type Drawable } from "./diagram.ts";

/** Sizes in pixels. The font is monospaced, so widths of labels are known. */
const BIT = 26;
const ROW_BITS = 32;
const CELL = 30;
const CHARACTER = 6.7;
const LABEL_STEP = 15;
const TOP = 16;
const MARGIN = 12;
const GAP = 8;

/** A label outside its cell: it starts under its leader line and hangs in one of the tiers. */
interface Hanging {
  readonly box: Box;
  readonly x: number;
  readonly tier: number;
}

/** A text between tags or in an attribute. */
export const escapeXml = (text: string): string =>
  text.replace(
    /[&<>"]/g,
    (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c] ?? c,
  );

const labelWidth = (text: string): number => text.length * CHARACTER;

const isQuiet = (b: Box): boolean => b.kind === "res0" || b.kind === "ignored";

const leftOf = (b: Box, top: number): number => MARGIN + (top - b.hi) * BIT;
const widthOf = (b: Box): number => (b.hi - b.lo + 1) * BIT;
const fits = (b: Box): boolean => labelWidth(b.label) + 4 <= widthOf(b);

/**
 * Places the labels that do not fit, from the right: each starts at its own leader line and takes
 * the
 * highest tier where it ends before every leader line that goes as deep. So no label meets another
 * label or a line.
 */
function hang(boxes: readonly Box[], top: number): Hanging[] {
  const placed: Hanging[] = [];
  for (const box of [...boxes].reverse()) {
    if (fits(box) || isQuiet(box)) continue;
    const x = leftOf(box, top) + widthOf(box) / 2;
    const end = x + labelWidth(box.label) + GAP;
    const lowest = placed.filter((p) => p.x < end).reduce((t, p) => Math.max(t, p.tier + 1), 0);
    placed.push({ box, x, tier: lowest });
  }
  return placed;
}

/** Fill by what the bits are; works on light and dark pages. */
const FILL: Readonly<Record<Box["kind"], string>> = {
  bits: "#7aa2f722",
  address: "#9ece6a22",
  res0: "#88888818",
  ignored: "#88888818",
  impdef: "#e0af6822",
  unverified: "#f7768e22",
};

function cell(b: Box, top: number, y: number, marked: boolean): string[] {
  const x = leftOf(b, top);
  const width = widthOf(b);
  const middle = x + width / 2;
  const numbers =
    b.hi === b.lo
      ? [[middle, b.hi]]
      : [
          [x + BIT / 2, b.hi],
          [x + width - BIT / 2, b.lo],
        ];
  const stroke = marked ? ' style="stroke-width:2.5"' : "";
  return [
    `<rect x="${x}" y="${y}" width="${width}" height="${CELL}" fill="${FILL[b.kind]}"${stroke}/>`,
    ...numbers.map(([at, n]) => `<text class="n" x="${at}" y="${y - 4}">${n}</text>`),
    ...(fits(b)
      ? [`<text class="l" x="${middle}" y="${y + CELL / 2 + 4}">${escapeXml(b.label)}</text>`]
      : []),
  ];
}

function leader({ box, x, tier }: Hanging, y: number): string[] {
  const bottom = y + CELL;
  const at = bottom + (tier + 1) * LABEL_STEP;
  return [
    `<line x1="${x}" y1="${bottom}" x2="${x}" y2="${at}"/>`,
    `<text class="h" x="${x + 3}" y="${at}">${escapeXml(box.label)}</text>`,
  ];
}

/** Pixels that hanging labels reach beyond the last cell. */
const overhang = (hanging: readonly Hanging[], width: number): number =>
  Math.max(0, ...hanging.map((h) => h.x + labelWidth(h.box.label) + GAP - width));

/** Rows of a layout from bit 0 up; rows that are all reserved are left out. */
function rowsOf(layout: Drawable): { top: number; boxes: Box[] }[] {
  const count = Math.ceil(layout.bits / ROW_BITS);
  return Array.from({ length: count }, (_, i) => {
    const bottom = i * ROW_BITS;
    const top = Math.min(bottom + ROW_BITS, layout.bits) - 1;
    return { top, boxes: boxesOf(layout, top, bottom) };
  }).filter(({ boxes }) => boxes.some((b) => b.kind !== "res0"));
}

const STYLE = [
  "svg{color:#222;font:11px ui-monospace,Menlo,Consolas,monospace}",
  "@media (prefers-color-scheme:dark){svg{color:#ddd}}",
  "rect,line{stroke:currentColor}line{opacity:.4}",
  "text{fill:currentColor;text-anchor:middle}.h{text-anchor:start}.n{font-size:8px;opacity:.7}",
].join("");

/**
 * Draws a layout as an SVG document. Labels never overlap: those wider than their cell hang below
 * it
 * in as many tiers as they need. `marked` names a field to draw with a thick line.
 */
export function diagramSvg(layout: Drawable, options: { readonly marked?: string } = {}): string {
  let width = MARGIN * 2 + ROW_BITS * BIT;
  const parts: string[] = [];
  let y = TOP;
  for (const { top, boxes } of rowsOf(layout)) {
    const hanging = hang(boxes, top);
    width += overhang(hanging, width);
    for (const b of boxes) parts.push(...cell(b, top, y, b.label === options.marked));
    for (const h of hanging) parts.push(...leader(h, y));
    const tiers = Math.max(0, ...hanging.map((h) => h.tier + 1));
    y += CELL + tiers * LABEL_STEP + TOP + 6;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" ` +
      `width="${width}" height="${y}" role="img">`,
    `<title>${escapeXml(layout.name)}</title><style>${STYLE}</style>`,
    ...parts,
    "</svg>",
  ].join("\n");
}
