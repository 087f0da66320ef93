// Every snippet of the README does what it says.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readSnippets, type Snippet } from "./snippets.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const PACKAGE = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
};
/** Languages that another suite executes: the page in Chromium, C beside the live oracle. */
const ELSEWHERE = new Set(["html", "c", "rust"]);
const snippets = readSnippets(README);

/** What follows a snippet as its output, if anything does. */
const outputOf = (s: Snippet): string | undefined =>
  snippets[s.index + 1]?.language === "text" ? snippets[s.index + 1].code : undefined;

function run(command: string, args: string[], input?: string): string {
  const done = spawnSync(command, args, { cwd: ROOT, encoding: "utf8", input });
  expect(done.stderr).toBe("");
  return done.stdout;
}

test("every snippet has a language that a test knows", () => {
  const known = new Set(["js", "sh", "text", ...ELSEWHERE]);
  expect(snippets.filter((s) => !known.has(s.language))).toEqual([]);
  expect(snippets.length).toBeGreaterThan(5);
});

for (const s of snippets.filter((x) => x.language === "js")) {
  test(`line ${s.line}: the program runs and prints what the README shows`, () => {
    expect(s.code.trim().split("\n").length).toBeLessThan(16);
    const printed = run(process.execPath, ["--input-type=module"], s.code);
    expect(printed.trim()).toBe(outputOf(s)?.trim());
  });
}

for (const s of snippets.filter((x) => x.language === "sh")) {
  for (const line of s.code.trim().split("\n")) {
    test(`line ${s.line}: ${line}`, () => runLine(line, outputOf(s)));
  }
}

/** npm lines must name scripts that exist; vsmmu lines are run. */
function runLine(line: string, output: string | undefined): void {
  if (line.startsWith("npm ")) {
    for (const part of line.split("&&")) {
      const words = part.trim().split(/\s+/);
      if (["ci", "cit"].includes(words[1])) continue;
      const script = words[1] === "run" ? words[2] : words[1];
      expect(PACKAGE.scripts).toHaveProperty([script]);
    }
    return;
  }
  const shell = line.replaceAll("npx vsmmu", `${process.execPath} dist/cli.js`);
  const done = spawnSync("bash", ["-c", shell], { cwd: ROOT, encoding: "utf8" });
  expect(done.status === 0 || done.status === 1, `${line}: ${done.stderr}`).toBe(true);
  if (output !== undefined) expect(matches(done.stdout, output)).toBe(true);
}

/** Compares output with what is shown, where a line of "…" stands for any lines. */
function matches(printed: string, shown: string): boolean {
  const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const pattern = shown
    .trimEnd()
    .split("\n")
    .map((l) => (l.trim() === "…" ? "[^]*" : literal(l.trimEnd())))
    .join("\\s*\\n");
  const found = new RegExp(`^${pattern}\\s*$`).test(printed);
  if (!found) expect(printed).toBe(shown);
  return found;
}

test("the first lines show what npm start prints", () => {
  const shown = snippets[0].code.split("\n").slice(1);
  const printed = run(process.execPath, ["dist/cli.js", "run"]);
  for (const line of shown.filter((l) => l.trim() !== "" && l.trim() !== "…")) {
    expect(printed.split("\n").map((l) => l.trimEnd())).toContain(line.trimEnd());
  }
});
