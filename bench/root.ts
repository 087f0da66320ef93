// Where the checkout is, seen from a source file of bench/ and from its bundle in dist/.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder above this file that has the package's description. */
function findRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) {
    const above = dirname(folder);
    if (above === folder) throw new Error("no package.json above the benchmarks");
    folder = above;
  }
  return folder;
}

export const ROOT = findRoot();
/** Programs and compiled contestants that later runs use again. */
export const CACHE = join(ROOT, "node_modules", ".cache", "vsmmu-bench");
