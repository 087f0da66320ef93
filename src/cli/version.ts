// The program's version, read from package.json next to dist/.

import { readFile } from "node:fs/promises";

/** The version in package.json, searched upwards from this file. */
export async function readVersion(): Promise<string> {
  for (const up of ["../", "../../"]) {
    const text = await readFile(new URL(`${up}package.json`, import.meta.url), "utf8").catch(
      () => undefined,
    );
    const found = text && (JSON.parse(text) as { name?: string; version?: string });
    if (found && found.name === "vsmmu" && found.version) return found.version;
  }
  return "unknown";
}
