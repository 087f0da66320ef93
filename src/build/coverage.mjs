// `npm run coverage`: which statements of assembly/ the tests reach.
//
// Builds dist/engine-coverage{,-shared}.wasm and their map engine-coverage.json, runs test suites
// on them, prints a table and writes .vsmmu/coverage/: the table, and each source with marks.
// Arguments other than --json are test paths for vitest.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import { annotate, mergeWords, summarize, tableOf } from "./coverage-report.mjs";
import Coverage from "./coverage-transform.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const OUT = join(ROOT, ".vsmmu", "coverage");
const RAW = join(OUT, "raw");
/** The suites that drive the engine from their own process. */
const SUITES = [
  "engine",
  "property",
  "capture",
  "gic",
  "kvm",
  "conform",
  "linux",
  "smmu",
  "machine",
];
/** asc's arguments beside the common ones of asconfig.json, which has no target of this name. */
export const ENGINE = ["--target", "coverage", "--optimizeLevel", "1"];
const SHARED = ["--sharedMemory", "--maximumMemory", "65536"];
/** Random cases per property: enough to reach what they can reach. */
const CASES = "5000";

/**
 * Compiles with the points put in. `args` are asc's, without the output file `outFile`; gives the
 * places of the points by file. Throws when asc fails.
 */
export async function compileCoverage(args, outFile, baseDir = ROOT) {
  const transform = new Coverage();
  const { error, stderr } = await asc.main([...args, "--baseDir", baseDir, "--outFile", outFile], {
    transforms: [transform],
  });
  if (error) throw new Error(`${stderr.toString()}\n${error.message}`);
  return transform.files;
}

/** Compiles both modules of the engine into `folder`; gives the map, which it also writes. */
export async function buildCoverage(folder) {
  await compileCoverage([...ENGINE, ...SHARED], join(folder, "engine-coverage-shared.wasm"));
  const map = await compileCoverage(ENGINE, join(folder, "engine-coverage.wasm"));
  writeFileSync(join(folder, "engine-coverage.json"), `${JSON.stringify(map)}\n`);
  return map;
}

/** Runs vitest with the coverage modules; true when all tests passed. */
function runTests(paths) {
  const vitest = join(ROOT, "node_modules", "vitest", "vitest.mjs");
  const config = join(ROOT, "test", "coverage", "vitest.config.ts");
  const done = spawnSync(process.execPath, [vitest, "run", "--config", config, ...paths], {
    cwd: ROOT,
    env: { VSMMU_CASES: CASES, ...process.env, VSMMU_COVERAGE: RAW },
    stdio: ["ignore", 2, 2],
  });
  return done.status === 0;
}

/** What all processes of the run recorded. */
const collect = () =>
  mergeWords(readdirSync(RAW).map((name) => JSON.parse(readFileSync(join(RAW, name), "utf8"))));

/** The text of each file that has points. */
const sourcesOf = (map) =>
  Object.fromEntries(
    Object.keys(map).map((file) => [file, readFileSync(join(ROOT, file), "utf8")]),
  );

/** Writes the table and one annotated file per source. */
function writeReport(map, sources, summary) {
  writeFileSync(join(OUT, "summary.txt"), `${tableOf(summary)}\n`);
  for (const { file, hits } of summary) {
    const text = annotate(sources[file], map[file], hits);
    writeFileSync(join(OUT, `${basename(file)}.txt`), `${text}\n`);
  }
}

async function main(args) {
  const json = args.includes("--json");
  const paths = args.filter((arg) => arg !== "--json");
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(RAW, { recursive: true });
  const map = await buildCoverage(join(ROOT, "dist"));
  // The sources as compiled: they may change while the tests run.
  const sources = sourcesOf(map);
  const passed = runTests(paths.length > 0 ? paths : SUITES.map((name) => `test/${name}/`));
  const summary = summarize(map, collect());
  writeReport(map, sources, summary);
  const plain = summary.map(({ hits: _, ...rest }) => rest);
  process.stdout.write(`${json ? JSON.stringify(plain, null, 2) : tableOf(summary)}\n`);
  process.exitCode = passed ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
