// The program starts fast: nothing that a command needs is loaded before the command is chosen.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

/**
 * Files that `entry` imports statically, itself included, by their path from the project's root.
 */
function staticImports(entry: URL, root: URL): string[] {
  const seen = new Set<string>();
  const visit = (file: URL): void => {
    if (seen.has(file.href)) return;
    seen.add(file.href);
    const text = readFileSync(file, "utf8");
    for (const m of text.matchAll(/^(?:import|export)\s+([^;]*?)from\s+"([^"]+)"/gms)) {
      const typesOnly = m[1].startsWith("type ");
      if (!typesOnly && m[2].startsWith(".")) visit(new URL(m[2], file));
    }
  };
  visit(entry);
  return [...seen].map((href) => href.slice(root.href.length)).sort();
}

test("the start loads the framework only", () => {
  const root = new URL("../../", import.meta.url);
  expect(staticImports(new URL("src/cli/bin.ts", root), root)).toEqual([
    "src/capture/errors.ts",
    "src/cli/bin.ts",
    "src/cli/command.ts",
    "src/cli/commands.ts",
    "src/cli/help.ts",
    "src/cli/main.ts",
    "src/cli/parse.ts",
    "src/cli/this-process.ts",
    "src/cli/version.ts",
    "src/view/paint.ts",
    "src/view/table.ts",
  ]);
});
