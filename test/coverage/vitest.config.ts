// The Node suite on the coverage build of the engine; started by src/build/coverage.mjs.
import { fileURLToPath } from "node:url";
import { defineConfig, mergeConfig } from "vitest/config";
import base from "../vitest.config.ts";

export default mergeConfig(
  base,
  defineConfig({
    test: {
      setupFiles: [fileURLToPath(new URL("setup.ts", import.meta.url))],
      // About the release module's bytes, not about what it does.
      exclude: ["test/engine/module.test.ts"],
      testTimeout: 600_000,
    },
  }),
);
