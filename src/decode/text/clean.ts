// Undoes what mail, browsers and loggers did to a kernel log, so that it is plain lines again.

/** One line of the input after cleaning, with its number in the original text (from 1). */
export interface Line {
  readonly number: number;
  readonly text: string;
}

/** Limit on a line's length: longer ones are cut, so that no pattern ever sees unbounded text. */
const LINE_LENGTH_MAX = 4096;

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are removed here
const ANSI = /\x1b\[[0-9;?]*[A-Za-z]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of them but tab and line ends
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b-\u200f\u2028\u2029\u2060\ufeff]/g;
const SPACES = /[\u00a0\u2000-\u200a\u202f\u3000]/g;

const ENTITIES: Readonly<Record<string, string>> = {
  "&gt;": ">",
  "&lt;": "<",
  "&amp;": "&",
  "&quot;": '"',
  "&#34;": '"',
  "&#39;": "'",
  "&apos;": "'",
  "&nbsp;": " ",
  "&#160;": " ",
  "&#9;": "\t",
};
const ENTITY = /&(?:gt|lt|amp|quot|apos|nbsp|#34|#39|#160|#9);/g;
const LINE_TAG = /<(?:br|\/p|\/div|\/li|\/tr)\b[^<>]{0,200}>/gi;
const TAG_NAMES =
  "code|pre|p|span|div|b|i|em|strong|li|ul|ol|tr|td|tt|blockquote|samp|kbd|a|h[1-6]";
const TAG = new RegExp(`</?(?:${TAG_NAMES})\\b[^<>]{0,200}>`, "gi");

/** Leading quote marks of mail and chat ("> > ", ">>", "| "), with their spaces. */
const QUOTE = /^[ \t]{0,8}(?:[>|][ \t]{0,3}){1,32}/;

/** The quote prefix of a line, or "". */
function quoteOf(line: string): string {
  return QUOTE.exec(line)?.[0] ?? "";
}

/**
 * Is the text quoted-printable? Soft breaks in a word, or encoded equals signs and tabs, say so.
 */
function isQuotedPrintable(text: string): boolean {
  return /=3D|=09|=20\r?$|[^=\s]=\r?\n/m.test(text);
}

const HEX_ESCAPE = /=([0-9A-F]{2})/g;

const unescapeLine = (line: string): string =>
  line.replace(HEX_ESCAPE, (all, digits: string) => {
    const code = Number.parseInt(digits, 16);
    return code === 9 || (code >= 32 && code < 127) ? String.fromCharCode(code) : all;
  });

/**
 * Joins the soft-broken lines of quoted-printable text; a quoted continuation loses its quote
 * marks.
 */
function joinSoftBreaks(lines: readonly Line[]): Line[] {
  const joined: Line[] = [];
  for (let i = 0; i < lines.length; i++) {
    const first = lines[i];
    let text = first.text;
    const quote = quoteOf(text).trim();
    while (text.endsWith("=") && i + 1 < lines.length && text.length < LINE_LENGTH_MAX) {
      const next = lines[++i].text;
      const again = quoteOf(next);
      text =
        text.slice(0, -1) +
        (quote !== "" && again.trim() === quote ? next.slice(again.length) : next);
    }
    joined.push({ number: first.number, text: unescapeLine(text) });
  }
  return joined;
}

/**
 * Removes mark-up and escapes of one line: colours, HTML, kmsg's `\x09`, a quoted string's `\t`.
 */
function plain(text: string): string {
  return text
    .replace(ANSI, "")
    .replace(ENTITY, (e) => ENTITIES[e] ?? e)
    .replace(TAG, "")
    .replace(/\\x09|\\t/g, "\t")
    .replace(CONTROL, "")
    .replace(SPACES, " ");
}

/** Ends of lines inside a line: HTML breaks, a literal `\n`, the border of two quoted strings. */
const INNER_END = /\\n|"[ \t]{0,4},[ \t]{0,4}"/g;

/** Splits text at every kind of line end. */
function split(text: string): Line[] {
  return text.split(/\r\n|\n|\r/).flatMap((line, i) =>
    line
      .replace(LINE_TAG, "\n")
      .replace(INNER_END, "\n")
      .split("\n")
      .map((part) => ({ number: i + 1, text: part.slice(0, LINE_LENGTH_MAX) })),
  );
}

/**
 * Turns pasted text into plain lines: line ends, quoted-printable, HTML, colours, quote marks.
 * Numbers are those of the original lines. Linear in the length of the text.
 */
export function cleanText(text: string): Line[] {
  const lines = split(text);
  return (isQuotedPrintable(text) ? joinSoftBreaks(lines) : lines).map((line) => cleanLine(line));
}

/** The same for a single line of a stream, which is never quoted-printable. */
export function cleanLine(line: Line): Line {
  const text = plain(line.text);
  return { number: line.number, text: text.slice(quoteOf(text).length).trimEnd() };
}
