// Which programs the live suite talks to: a real QEMU, and ours.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type BoardDma, type BoardStage, boardArguments, smmuOf } from "../../src/conform/board.ts";
import { Qtest } from "./qtest.ts";

const TRACES = ["smmu*"];

/** Both this folder and the bundle of oracle.ts lie two levels below the root. */
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The launcher that install-qemu.sh has made. Throws when there is none. */
export function qemuCommand(): string[] {
  const named = process.env.VSMMU_QEMU;
  if (named) return [named];
  const found = spawnSync("bash", [here("../../test/qemu/install-qemu.sh"), "--print"], {
    encoding: "utf8",
  });
  if (found.status !== 0) {
    throw new Error("QEMU is not installed; run test/qemu/install-qemu.sh (or set VSMMU_QEMU)");
  }
  return [found.stdout.trim()];
}

/** First line of `--version`. */
export function qemuVersion(): string {
  const [program, ...args] = qemuCommand();
  const answer = spawnSync(program, [...args, "--version"], { encoding: "utf8" });
  return answer.stdout.split("\n")[0];
}

/** What a QEMU lets the suite do. */
export interface QemuFacts {
  /** iommu-testdev came with 11.0; before, e1000 does its work. */
  dma: BoardDma;
  /** The accelerator that runs no guest. */
  accel: string[];
  /** Stages that an SMMU can have alone: needs arm-smmuv3 as a device. */
  stagesAlone: BoardStage[];
}

/** The oldest QEMU whose SMMU answers as 11.1's does, but for what `asBefore11` leaves out. */
const OLDEST = 10;
const NEEDED = ["edu", "e1000", "pcie-root-port"];

function askFacts(): QemuFacts {
  const [program, ...args] = qemuCommand();
  const answer = spawnSync(program, [...args, "-machine", "virt", "-device", "help"], {
    encoding: "utf8",
  });
  const text = answer.stdout + answer.stderr;
  const has = (name: string) => text.includes(`name "${name}"`);
  const missing = NEEDED.filter((name) => !has(name));
  if (missing.length > 0) throw new Error(`this QEMU has no ${missing.join(", ")}`);
  const version = qemuVersion();
  const major = Number(/version (\d+)\./.exec(version)?.[1] ?? 0);
  if (major < OLDEST) {
    throw new Error(
      `${version} is too old: its SMMU has stage 1 only, takes stage 2 commands all the same, ` +
        "records no fault of a disabled half, and traces no VMID",
    );
  }
  return has("iommu-testdev")
    ? { dma: "all", accel: ["-accel", "qtest"], stagesAlone: ["1", "2"] }
    : { dma: "rings", accel: ["-accel", "tcg", "-S"], stagesAlone: [] };
}

let facts: QemuFacts | undefined;

/** What the installed QEMU lets the suite do. Throws an Error that says why it is of no use. */
export function qemuFacts(): QemuFacts {
  facts ??= askFacts();
  return facts;
}

/** Our front end, as built. */
export const ourCommand = (): string[] => [
  process.execPath,
  here("../../dist/vsmmu-system-aarch64.js"),
];

const boardOf = (stage: BoardStage, dma: BoardDma) => ({
  smmu: smmuOf(stage),
  dma,
  traces: TRACES,
});

/** A real QEMU with the board of conformance programs. */
export function startQemu(stage: BoardStage = "nested"): Promise<Qtest> {
  const { dma, accel } = qemuFacts();
  const args = [...boardArguments(stage, dma), ...accel];
  const command = qemuCommand();
  return Qtest.start({ ...boardOf(stage, dma), command, args, sharedRam: true });
}

/** Our front end with the same board. */
export function startOurs(stage: BoardStage = "nested"): Promise<Qtest> {
  const { dma } = qemuFacts();
  const args = boardArguments(stage, dma);
  return Qtest.start({ ...boardOf(stage, dma), command: ourCommand(), args, sharedRam: false });
}
