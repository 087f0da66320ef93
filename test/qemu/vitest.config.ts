// The live suite: a real QEMU beside the engine. Needs test/qemu/install-qemu.sh and a built dist/.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { reporters } from "../reporters.ts";
import { qemuFacts, qemuVersion } from "./emulators.ts";

/** What 11.1 does differently from the architecture is shown by its iommu-testdev. */
const QUIRKS = "test/qemu/quirks.test.ts";
const exclude = qemuFacts().dma === "all" ? [] : [QUIRKS];
if (exclude.length > 0) console.log(`${QUIRKS} is about QEMU 11.1, not about ${qemuVersion()}`);

export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  test: {
    include: ["test/qemu/**/*.test.ts"],
    exclude,
    testTimeout: 180_000,
    hookTimeout: 60_000,
    reporters,
    pool: "forks",
    maxWorkers: 2,
  },
});
