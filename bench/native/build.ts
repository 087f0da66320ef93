// Native contestants: translated or written C, built with the compilers that this machine has.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { CACHE, ROOT } from "../root.ts";
import { loadParser } from "./ast.ts";
import { layoutHeader } from "./layout.ts";
import { type Source, type Translation, Translator } from "./translate.ts";

/** Names under which compilers are looked for; the first that answers is taken. */
const COMPILERS = {
  clang: ["clang", "clang-22", "clang-19", "clang-16", "clang-15", "clang-14"],
  gcc: ["gcc", "gcc-14", "gcc-13", "gcc-12"],
} as const;
const FLAGS = ["-O3", "-march=native", "-std=gnu11", "-fwrapv", "-w"];

export type CompilerKind = keyof typeof COMPILERS;

/** A compiler of this machine. */
export interface Compiler {
  readonly kind: CompilerKind;
  readonly command: string;
  readonly version: string;
}

const here = join(ROOT, "bench", "native");

/** The compiler of a kind, or undefined when this machine has none. */
export function findCompiler(kind: CompilerKind): Compiler | undefined {
  for (const command of COMPILERS[kind]) {
    const { status, stdout } = spawnSync(command, ["--version"], { encoding: "utf8" });
    if (status === 0) return { kind, command, version: stdout.split("\n")[0] };
  }
  return undefined;
}

/** The engine's sources. */
function readSources(): Source[] {
  const read = (folder: string): Source[] =>
    readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return read(path);
      if (!entry.name.endsWith(".ts")) return [];
      return [{ path: path.slice(0, -3), text: readFileSync(join(ROOT, path), "utf8") }];
    });
  return read("assembly");
}

/** The tables by which the server finds functions. */
function dispatchOf({ exports }: Translation): string {
  const calls = exports.map(({ name, callable }) => {
    const args = callable.parameters.map((type, i) => `(${type})a[${i}]`).join(", ");
    const call = `${callable.name}(${args})`;
    const run = callable.result === "void" ? `${call};` : `*result = (u64)${call};`;
    return `  if (!strcmp(name, "${name}")) { ${run} return true; }`;
  });
  const batches = exports
    .filter(({ callable }) => `${callable.result}(${callable.parameters})` === "void(u32,u32,u32)")
    .map(({ name, callable }) => `  if (!strcmp(name, "${name}")) return ${callable.name};`);
  return [
    "static bool abi_call(const char *name, const u64 *a, u64 *result) {",
    ...calls,
    "  return false;\n}",
    "typedef void (*batch_function)(u32, u32, u32);",
    "static batch_function batch_named(const char *name) {",
    ...batches,
    "  return 0;\n}\n",
  ].join("\n");
}

/** Compiles C files in a folder of the cache whose name is their content; gives the program. */
function compile(
  compiler: Compiler,
  name: string,
  files: Readonly<Record<string, string>>,
): string {
  const hash = createHash("sha256").update(JSON.stringify([compiler, FLAGS, name, files]));
  const folder = join(CACHE, `${name}-${compiler.kind}-${hash.digest("hex").slice(0, 16)}`);
  const program = join(folder, name);
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  const sources = Object.keys(files).filter((file) => file.endsWith(".c"));
  // Another process may build the same: what is at `program` is always whole.
  const fresh = `${program}-${process.pid}`;
  const args = [...FLAGS, ...sources.map((file) => join(folder, file)), "-o", fresh, "-lpthread"];
  const done = spawnSync(compiler.command, args, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${compiler.command} failed:\n${done.stderr}`);
  renameSync(fresh, program);
  return program;
}

const fileOf = (name: string): string => readFileSync(join(here, name), "utf8");

const WRITTEN = ["server.c", "runtime.h", "qemu-shaped.c", "qemu-shaped.h", "hash.c", "hash.h"];

/** Builds the translated engine and what stands beside it; gives the path of the program. */
export async function buildTwin(compiler: Compiler): Promise<string> {
  const translator = new Translator(await loadParser());
  const translation = translator.translate(readSources(), ["assembly/index", "assembly/batch"]);
  return compile(compiler, "server", {
    ...Object.fromEntries(WRITTEN.map((name) => [name, fileOf(name)])),
    "layout.h": layoutHeader(),
    "engine.inc": `${translation.code}\n${dispatchOf(translation)}`,
  });
}
