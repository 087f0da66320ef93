// Builds dist/: the engine (three ways), the libraries, the command line, the types, the built-in
// capture.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));
const dist = join(root, "dist");
const stamp = join(dist, ".stamp");
const SOURCES = ["src", "assembly", "bench", "package.json", "asconfig.json", "tsconfig.json"];
/** The capture that the program has with it. */
const BUILTIN = "s1-4k-strict-nobg";
/** The script of a pool's threads. */
const WORKER = "pool-worker.js";

/** Newest modification time below a path. */
function newest(path) {
  const s = statSync(path);
  if (!s.isDirectory()) return s.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

const isStale = () =>
  !existsSync(stamp) ||
  Math.max(
    ...SOURCES.map((s) => join(root, s))
      .filter(existsSync)
      .map(newest),
  ) > statSync(stamp).mtimeMs;

/** Runs a tool of node_modules/.bin and ends the build when it fails. */
function run(tool, args) {
  const bin = join(root, "node_modules", ".bin", tool);
  const done = spawnSync(bin, args, { cwd: root, encoding: "utf8" });
  if (done.status === 0) return;
  process.stderr.write(
    `${done.stdout ?? ""}${done.stderr ?? ""}\n${tool} ${args.join(" ")} failed\n`,
  );
  process.exit(1);
}

/** What the engine's WebAssembly uses. */
const FEATURES = ["simd", "threads", "bulk-memory", "sign-ext", "mutable-globals"];

/** Compiles a release; its optimizer finds 650 more bytes when it runs again over the result. */
function compileRelease(target, file) {
  const path = join(dist, file);
  run("asc", ["--target", target, "--transform", "./src/build/inline.mjs"]);
  const enabled = FEATURES.map((name) => `--enable-${name}`);
  run("wasm-opt", [path, ...enabled, "-Oz", "--converge", "-o", path]);
}

function compileEngine() {
  compileRelease("release", "engine.wasm");
  compileRelease("shared", "engine-shared.wasm");
  run("asc", ["--target", "debug"]);
}

/** Points the module URLs at the bundle's own folder. */
const besideBundle = {
  name: "engine-beside-bundle",
  setup(build) {
    build.onLoad({ filter: /engine[\\/]wasm-url\.ts$/ }, (args) => ({
      contents: readFileSync(args.path, "utf8").replaceAll("../../dist/", "./"),
      loader: "ts",
    }));
  },
};

/** Puts the script of a pool's threads, which was built before, inside the bundle. */
const workerInsideBundle = {
  name: "pool-worker-inside-bundle",
  setup(build) {
    build.onLoad({ filter: /pool[\\/]worker-source\.ts$/ }, () => {
      const text = JSON.stringify(readFileSync(join(dist, WORKER), "utf8"));
      return { contents: `export const workerSource = async () => ${text};`, loader: "ts" };
    });
  },
};

/** Puts both modules inside the bundle, and threads of a page, for pages that load one file. */
const insideBundle = {
  name: "engine-inside-bundle",
  setup(build) {
    build.onResolve({ filter: /[\\/]wasm-source\.ts$/ }, (args) => ({
      path: join(dirname(args.importer), "wasm-inline.ts"),
    }));
    build.onResolve({ filter: /[\\/]threads\.ts$/ }, (args) => ({
      path: join(dirname(args.importer), "threads-web.ts"),
    }));
  },
};

const common = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  target: "es2022",
  sourcemap: true,
  logLevel: "warning",
  legalComments: "none",
};

/** Old chunks have other names: they would stay for ever. */
function removeBundles() {
  for (const name of readdirSync(dist)) {
    if (/\.js(\.map)?$/.test(name)) rmSync(join(dist, name));
  }
}

/** One script without imports but Node's own, which it asks for only in Node. */
async function bundleWorker() {
  await esbuild.build({
    ...common,
    entryPoints: ["src/engine/pool/worker.ts"],
    outfile: join(dist, WORKER),
    platform: "browser",
    format: "iife",
    external: ["node:*"],
    minify: true,
    sourcemap: false,
  });
}

async function bundle() {
  removeBundles();
  await bundleWorker();
  const node = { ...common, platform: "node", plugins: [besideBundle, workerInsideBundle] };
  const browser = { ...common, platform: "browser", loader: { ".wasm": "binary" } };
  const exists = (path) => existsSync(join(root, path));
  await esbuild.build({ ...node, entryPoints: { index: "src/index.ts" }, outdir: "dist" });
  await esbuild.build({
    ...browser,
    plugins: [insideBundle, workerInsideBundle],
    entryPoints: { browser: "src/index.ts", "vectors-browser": "src/vectors/index.ts" },
    outdir: "dist",
    minify: true,
  });
  for (const name of ["decode", "vectors"]) {
    const entry = `src/${name}/index.ts`;
    if (!exists(entry)) continue;
    await esbuild.build({
      ...browser,
      plugins: [besideBundle],
      external: ["node:*"],
      entryPoints: { [name]: entry },
      outdir: "dist",
    });
  }
  const programs = {
    cli: "src/cli/bin.ts",
    bench: "bench/run.ts",
    "bench-question": "bench/answer.ts",
    "bench-child": "bench/world/child.ts",
    "bench-nodes": "bench/nodes/run.ts",
    "vsmmu-system-aarch64": "src/qtest/main.ts",
  };
  for (const [name, entry] of Object.entries(programs)) {
    if (!exists(entry)) continue;
    await esbuild.build({
      ...node,
      entryPoints: { [name]: entry },
      outdir: "dist",
      splitting: true,
      minify: true,
      chunkNames: `${name}-[hash]`,
      external: ["assemblyscript", "esbuild"],
      // Its other build is CommonJS, which asks for Node's modules in a way that a bundle has not.
      alias: { yaml: join(root, "node_modules/yaml/browser/index.js") },
      banner: { js: "#!/usr/bin/env node" },
    });
    chmodSync(join(dist, `${name}.js`), 0o755);
  }
  // QEMU's test library goes by the end of the file's name.
  const link = join(dist, "vsmmu-system-aarch64");
  rmSync(link, { force: true });
  symlinkSync("vsmmu-system-aarch64.js", link);
}

function copyCapture() {
  const from = join(root, "test", "captures", BUILTIN);
  const to = join(dist, "captures", BUILTIN);
  mkdirSync(to, { recursive: true });
  for (const name of ["manifest.json", "memory.elf.gz"]) cpSync(join(from, name), join(to, name));
}

/** The licences of what is bundled into the programs. */
function writeLicences() {
  const text = ["yaml"].map((name) => {
    const licence = readFileSync(join(root, "node_modules", name, "LICENSE"), "utf8");
    return `The command line contains ${name}:\n\n${licence}`;
  });
  writeFileSync(join(dist, "THIRD-PARTY-LICENSES.txt"), text.join("\n"));
}

function emitTypes() {
  run("tsc", ["-p", "src/build/types.json"]);
}

async function main(args) {
  if (args.includes("--if-stale") && !isStale()) return;
  const started = Date.now();
  mkdirSync(dist, { recursive: true });
  compileEngine();
  await bundle();
  copyCapture();
  writeLicences();
  if (!args.includes("--no-types")) emitTypes();
  writeFileSync(stamp, "");
  const when = new Date(started);
  utimesSync(stamp, when, when);
  process.stderr.write(`built dist/ in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

await main(process.argv.slice(2));
