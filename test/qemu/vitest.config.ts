// The live suite: a real QEMU beside the engine. Needs test/qemu/install-qemu.sh and a built dist/.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { reporters } from "../reporters.ts";

export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  test: {
    include: ["test/qemu/**/*.test.ts"],
    testTimeout: 180_000,
    hookTimeout: 60_000,
    reporters,
    pool: "forks",
    maxWorkers: 2,
  },
});
