// Writes assembly/layout from src/spec; with --check only says whether the files are fresh.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { argv, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { runInThisContext } from "node:vm";
import { build } from "esbuild";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const LAYOUT = join(ROOT, "assembly", "layout");

/** Runs the generator of src/spec/emit.ts and returns the text of each file of assembly/layout. */
export async function generate() {
  const bundle = await build({
    entryPoints: [join(ROOT, "src", "spec", "emit.ts")],
    bundle: true,
    write: false,
    format: "iife",
    globalName: "generator",
    platform: "node",
    logLevel: "error",
  });
  const code = `(() => { ${bundle.outputFiles[0].text}; return generator; })()`;
  return runInThisContext(code, { filename: "src/spec/emit.ts" }).emitAll();
}

function textOf(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Names of files of assembly/layout that differ from a fresh run, or that it does not write. */
export async function staleLayouts() {
  const files = await generate();
  const present = readdirSync(LAYOUT).filter((name) => name.endsWith(".ts"));
  const differing = Object.keys(files).filter((n) => textOf(join(LAYOUT, n)) !== files[n]);
  return [...differing, ...present.filter((name) => !(name in files))];
}

/** Writes assembly/layout; returns the names of the files that changed. */
export async function writeLayouts() {
  const files = await generate();
  mkdirSync(LAYOUT, { recursive: true });
  const changed = Object.keys(files).filter((n) => textOf(join(LAYOUT, n)) !== files[n]);
  for (const name of changed) writeFileSync(join(LAYOUT, name), files[name]);
  return changed;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  if (argv.includes("--check")) {
    const stale = await staleLayouts();
    if (stale.length > 0) {
      console.error(
        `assembly/layout is stale: ${stale.join(", ")}; run node src/build/generate.mjs`,
      );
      exit(1);
    }
  } else {
    const changed = await writeLayouts();
    console.log(changed.length === 0 ? "assembly/layout is fresh" : `wrote ${changed.join(", ")}`);
  }
}
