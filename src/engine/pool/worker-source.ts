// The text of the workers' script, from its file; the build puts the text itself in place of this.

/** The script that every thread of a pool runs. */
export async function workerSource(): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  return await readFile(new URL("../../../dist/pool-worker.js", import.meta.url), "utf8");
}
