// The engine modules inside the bundle: the build puts this in place of wasm-source.ts for pages.

import unshared from "../../dist/engine.wasm";
import shared from "../../dist/engine-shared.wasm";

/** Bytes of the module for shared or unshared memory. */
export async function engineBytes(wantShared: boolean): Promise<BufferSource> {
  return wantShared ? shared : unshared;
}
