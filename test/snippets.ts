// Code blocks of a Markdown file.

/** One fenced block. */
export interface Snippet {
  index: number;
  language: string;
  code: string;
  /** Line of the opening fence. */
  line: number;
}

/** All fenced blocks in order. */
export function readSnippets(markdown: string): Snippet[] {
  const out: Snippet[] = [];
  let open: { language: string; line: number; lines: string[] } | undefined;
  for (const [i, text] of markdown.split("\n").entries()) {
    const fence = /^```(\w*)$/.exec(text);
    if (open && fence) {
      out.push({
        index: out.length,
        language: open.language,
        code: `${open.lines.join("\n")}\n`,
        line: open.line,
      });
      open = undefined;
    } else if (open) {
      open.lines.push(text);
    } else if (fence) {
      open = { language: fence[1], line: i + 1, lines: [] };
    }
  }
  return out;
}
