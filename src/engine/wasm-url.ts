// Where the engine modules lie: beside the bundle once built.

export const ENGINE_URL: URL = new URL("../../dist/engine.wasm", import.meta.url);
export const ENGINE_SHARED_URL: URL = new URL("../../dist/engine-shared.wasm", import.meta.url);
