// What a run was measured on: processor, system, Node, compilers, and the commit.
import { spawnSync } from "node:child_process";
import { cpus, release, totalmem, type } from "node:os";
import { findCompiler } from "../native/build.ts";
import { ROOT } from "../root.ts";

const GIB = 2 ** 30;

/** A machine, as the history remembers it. */
export interface MachineInfo {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly os: string;
  readonly node: string;
  readonly v8: string;
  /** First line of what each compiler says of its version; null when it is not there. */
  readonly clang: string | null;
  readonly gcc: string | null;
}

/** The machine that this process runs on. */
export function thisMachine(): MachineInfo {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memoryGib: Math.round((totalmem() / GIB) * 10) / 10,
    os: `${type()} ${release()} ${process.arch}`,
    node: process.versions.node,
    v8: process.versions.v8,
    clang: findCompiler("clang")?.version ?? null,
    gcc: findCompiler("gcc")?.version ?? null,
  };
}

function git(...args: string[]): string | undefined {
  const { status, stdout } = spawnSync("git", args, { cwd: ROOT, encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/** The checkout's commit, "-dirty" when files differ from it; undefined outside of one. */
export function thisCommit(): string | undefined {
  const head = git("rev-parse", "HEAD");
  if (head === undefined) return undefined;
  return git("status", "--porcelain", "--untracked-files=no") === "" ? head : `${head}-dirty`;
}
