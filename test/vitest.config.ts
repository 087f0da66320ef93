// The Node test suite: everything under test/ except the browser and live-QEMU suites.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { reporters } from "./reporters.ts";

export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/browser/**", "test/qemu/**", "node_modules/**"],
    testTimeout: 120_000,
    pool: "forks",
    maxWorkers: 2,
    reporters,
  },
});
