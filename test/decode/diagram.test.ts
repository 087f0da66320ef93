// Bit diagrams: every field once, to scale, and no label on another or on a line.
import { describe, expect, test } from "vitest";
import { diagramText } from "../../src/decode/diagram.ts";
import { diagramSvg } from "../../src/decode/diagram-svg.ts";
import { CD, CMD, EVENT, IDR0, IDR1, L1STD, S1LEAF, STE } from "../../src/spec/index.ts";

const LAYOUTS = [
  STE,
  CD,
  L1STD,
  IDR0,
  IDR1,
  ...Object.values(EVENT.cases),
  ...Object.values(CMD.cases),
  ...Object.values(S1LEAF.cases),
];

interface Label {
  text: string;
  x0: number;
  x1: number;
  y0: number;
  y1: number;
}

const CHARACTER = 6.7;
const attribute = (tag: string, name: string): number =>
  Number(new RegExp(`\\b${name}="([-0-9.]+)"`).exec(tag)?.[1]);

/** Rectangles that the texts of a class cover. */
function labels(svg: string): Label[] {
  return [...svg.matchAll(/<text class="(.)" [^>]*>([^<]*)<\/text>/g)].map((m) => {
    const size = m[1] === "n" ? 8 : 11;
    const text = m[2].replaceAll(/&[a-z]+;/g, "<");
    const width = text.length * CHARACTER * (size / 11);
    const [x, y] = [attribute(m[0], "x"), attribute(m[0], "y")];
    const x0 = m[1] === "h" ? x : x - width / 2;
    return { text: m[2], x0, x1: x0 + width, y0: y - size + 2, y1: y };
  });
}

const meet = (a: Label, b: Label): boolean =>
  a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1;

describe("SVG", () => {
  test.each(LAYOUTS.map((l) => [l.name, l] as const))(
    "%s: no label meets another or a line",
    (_, layout) => {
      const svg = diagramSvg(layout);
      const all = labels(svg);
      const pairs = all.flatMap((a, i) =>
        all
          .slice(i + 1)
          .filter((b) => meet(a, b))
          .map((b) => [a.text, b.text]),
      );
      expect(pairs).toEqual([]);
      for (const m of svg.matchAll(/<line [^>]*>/g)) {
        const x = attribute(m[0], "x1");
        const line = {
          text: "",
          x0: x - 0.1,
          x1: x + 0.1,
          y0: attribute(m[0], "y1"),
          y1: attribute(m[0], "y2"),
        };
        expect(all.filter((l) => meet(l, line))).toEqual([]);
      }
      const width = attribute(svg, "width");
      expect(all.every((l) => l.x0 >= 0 && l.x1 <= width)).toBe(true);
    },
  );

  test("every named field of an STE has its label, and cells are to scale", () => {
    const svg = diagramSvg(STE);
    for (const f of STE.fields)
      if (f.kind === "bits" && f.count === 1) expect(svg).toContain(`>${f.name}</text>`);
    const cells = [...svg.matchAll(/<rect [^>]*>/g)].map((m) => attribute(m[0], "width"));
    const bit = Math.min(...cells);
    expect(cells.every((c) => c % bit === 0)).toBe(true);
    expect(cells.reduce((a, b) => a + b, 0) % (32 * bit)).toBe(0);
  });

  test("is well-formed: names with < are escaped, tags are closed", () => {
    const svg = diagramSvg(STE);
    expect(svg).toContain("S2POI&lt;0&gt;");
    expect(svg.match(/<text/g)?.length).toBe(svg.match(/<\/text>/g)?.length);
    expect(svg.startsWith("<svg ") && svg.endsWith("</svg>")).toBe(true);
  });

  test("a marked field has a thick line", () => {
    expect(diagramSvg(STE, { marked: "EATS" }).match(/stroke-width:2.5/g)).toHaveLength(1);
  });
});

describe("text", () => {
  test("an L1STD in full", () => {
    expect(diagramText(L1STD)).toEqual([
      "  63:56   55:6    5   4:0",
      "┌───────┬───────┬───┬──────┐",
      "│   0   │ L2Ptr │ 0 │ Span │",
      "└───────┴───────┴───┴──────┘",
    ]);
  });

  test.each([[60], [80], [100], [140]])("an STE fits %i columns", (width) => {
    const lines = diagramText(STE, { width });
    expect(Math.max(...lines.map((l) => l.length))).toBeLessThanOrEqual(width);
    for (const f of STE.fields)
      if (f.kind === "bits" && f.count === 1) expect(lines.join("\n")).toContain(f.name);
  });

  test("only the word of a marked field, with a double line", () => {
    const lines = diagramText(STE, { marked: "S2TTB", only: true });
    expect(lines.join("\n")).toContain("═");
    expect(lines.join("\n")).not.toContain("S1ContextPtr");
  });
});
