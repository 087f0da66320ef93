// Colours for a terminal: SGR codes, or nothing.

/** What a piece of text means; the palette below says how it looks. */
export type Style = "head" | "good" | "bad" | "warn" | "dim" | "name" | "number";

/** Colours a text. */
export type Paint = (style: Style, text: string) => string;

const PALETTE: Record<Style, [number, number]> = {
  head: [1, 22],
  good: [32, 39],
  bad: [31, 39],
  warn: [33, 39],
  dim: [2, 22],
  name: [36, 39],
  number: [39, 39],
};

/** A painter that colours when `on`. */
export function painter(on: boolean): Paint {
  if (!on) return (_style, text) => text;
  return (style, text) => {
    const [start, end] = PALETTE[style];
    return text === "" ? text : `\x1b[${start}m${text}\x1b[${end}m`;
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: SGR sequences start with ESC
const SGR = /\x1b\[[0-9;]*m/g;

/** How many columns a text takes, colours not counted. */
export function widthOf(text: string): number {
  return [...text.replace(SGR, "")].length;
}
