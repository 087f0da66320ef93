// The picture of a run: well-formed, readable on light and dark ground, and true to the figures.
import { expect, test } from "vitest";
import { plotOf, shareOfTarget } from "../../bench/report/plot.ts";
import { answers, ROWS } from "./rows.ts";

const svg = plotOf(answers(...Object.values(ROWS)), 'A <subtitle> & "more"');

/** Names of open elements must close in order; attributes must be quoted. */
function unbalanced(xml: string): string[] {
  const open: string[] = [];
  for (const [, close, name, attributes, empty] of xml.matchAll(
    /<(\/?)(\w+)((?:\s[\w-]+(?:="[^"<]*")?)*)\s*(\/?)>/g,
  )) {
    expect(attributes.replace(/\s[\w-]+="[^"<]*"/g, "")).toBe("");
    if (close) expect(open.pop()).toBe(name);
    else if (!empty) open.push(name);
  }
  return open;
}

test("is well-formed XML with nothing unescaped", () => {
  expect(unbalanced(svg)).toEqual([]);
  expect(svg.match(/</g)?.length).toBe(svg.match(/>/g)?.length);
  expect(svg).toContain("A &lt;subtitle&gt; &amp; &quot;more&quot;");
  expect(svg).toContain("a &lt; b &amp; c");
  expect(svg.replace(/&(amp|lt|gt|quot);/g, "")).not.toContain("&");
});

test("follows light and dark, and needs nothing from outside", () => {
  expect(svg).toContain("prefers-color-scheme:dark");
  expect(svg).toContain("fill:currentColor");
  expect(svg.replace("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:|href|@import|url\(/);
});

test("has a bar for each value with a target, in its verdict's colour", () => {
  expect(svg.match(/<rect class="ok"/g)?.length).toBe(1);
  expect(svg.match(/<rect class="bad"/g)?.length).toBe(3);
  expect(svg.match(/>not compared</g)?.length).toBe(1);
  expect(svg).not.toContain("start: engine / C");
});

test("a bar reaches the target's line exactly when the value is the target", () => {
  expect(shareOfTarget(0.75, { relation: "<=", value: 0.75 })).toBe(1);
  expect(shareOfTarget(0.3, { relation: "<=", value: 0.75 })).toBeCloseTo(0.4);
  expect(shareOfTarget(160, { relation: ">=", value: 80 })).toBe(0.5);
  expect(shareOfTarget(40, { relation: ">=", value: 80 })).toBe(2);
  expect(shareOfTarget(0, { relation: "<=", value: 0 })).toBe(0);
  expect(shareOfTarget(3, { relation: "<=", value: 0 })).toBe(2);
});
