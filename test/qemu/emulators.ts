// Which programs the live suite talks to: a real QEMU, and ours.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type BoardStage, boardArguments, smmuOf } from "../../src/conform/board.ts";
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

/** Devices that this suite needs and this QEMU does not have. */
export function missingInQemu(): string[] {
  const [program, ...args] = qemuCommand();
  const ask = (...more: string[]) => {
    const answer = spawnSync(program, [...args, ...more], { encoding: "utf8" });
    return answer.stdout + answer.stderr;
  };
  const devices = ask("-machine", "virt", "-device", "help");
  return ["iommu-testdev", "edu", "e1000", "pcie-root-port"].filter(
    (name) => !devices.includes(`name "${name}"`),
  );
}

/** Our front end, as built. */
export const ourCommand = (): string[] => [
  process.execPath,
  here("../../dist/vsmmu-system-aarch64.js"),
];

/** A real QEMU with the board of conformance programs. */
export function startQemu(stage: BoardStage = "nested"): Promise<Qtest> {
  const args = boardArguments(stage);
  const smmu = smmuOf(stage);
  return Qtest.start({ command: qemuCommand(), args, smmu, sharedRam: true, traces: TRACES });
}

/** Our front end with the same board. */
export function startOurs(stage: BoardStage = "nested"): Promise<Qtest> {
  const args = boardArguments(stage);
  const smmu = smmuOf(stage);
  return Qtest.start({ command: ourCommand(), args, smmu, sharedRam: false, traces: TRACES });
}
