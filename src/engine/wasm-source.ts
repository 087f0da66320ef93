// Bytes of the engine modules, read from their files or fetched.
import { ENGINE_SHARED_URL, ENGINE_URL } from "./wasm-url.ts";

/** Bytes of the module for shared or unshared memory. */
export async function engineBytes(shared: boolean): Promise<BufferSource> {
  const url = shared ? ENGINE_SHARED_URL : ENGINE_URL;
  if (url.protocol === "file:") {
    const { readFile } = await import("node:fs/promises");
    return await readFile(url);
  }
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url.href}: ${answer.status} ${answer.statusText}`);
  return await answer.arrayBuffer();
}
