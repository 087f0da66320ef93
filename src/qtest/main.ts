// The program `vsmmu-system-aarch64`: what QEMU's test library starts in place of QEMU.
import { appendFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { argv, env, exit, stderr, stdin, stdout } from "node:process";
import { type Arguments, parseArguments } from "./arguments.ts";
import { QtestMachine } from "./machine.ts";
import { answerLine, type ProtocolTarget } from "./protocol.ts";
import { answerQmp, qmpGreeting, shutdownEvent } from "./qmp.ts";

const VERSION = "QEMU emulator version 11.1.3 (vsmmu-system-aarch64)";
const HELP = `vsmmu-system-aarch64: a virt-like machine with an SMMUv3, for QEMU's qtest protocol

usage: QTEST_QEMU_BINARY=vsmmu-system-aarch64 iommu-smmuv3-test
       vsmmu-system-aarch64 -machine virt,iommu=smmuv3 -device iommu-testdev -qtest stdio

  -machine virt[,iommu=smmuv3]   the board; other properties are accepted and not used
  -device iommu-testdev|edu|e1000|pcie-root-port|arm-smmuv3[,stage=1|2|nested]
  -m MEGABYTES                   guest RAM
  -qtest unix:PATH | stdio       the line protocol: the program connects to PATH
  -chardev socket,path=P,id=I -mon chardev=I,mode=control    a QMP monitor
  -trace 'smmu*' -D FILE         trace lines in QEMU's form
  -vsmmu-compat arch|qemu        whose behaviour (default: QEMU 11.1's)
  -vsmmu-disable                 let every DMA through, as if no SMMU were there
`;

/** Answers lines as they come; all answers to one chunk go out in one write. */
function serve(socket: Pick<Socket, "on" | "write">, answer: (line: string) => string): void {
  let rest = "";
  socket.on("data", (chunk: Buffer | string) => {
    const lines = (rest + chunk.toString("latin1")).split("\n");
    rest = lines.pop() as string;
    const out = lines.map((line) => line.replace(/\r$/, "")).filter((line) => line !== "");
    if (out.length > 0) socket.write(out.map(answer).join(""));
  });
}

function fail(message: string): never {
  stderr.write(`vsmmu-system-aarch64: ${message}\n`);
  exit(1);
}

/** A machine without a board: memory accesses find nothing. */
async function makeMachine(args: Arguments): Promise<QtestMachine> {
  const { logFile } = args;
  if (logFile !== undefined) writeFileSync(logFile, "");
  const sink = (lines: string[]) => {
    const text = `${lines.join("\n")}\n`;
    if (logFile === undefined) stderr.write(text);
    else appendFileSync(logFile, text);
  };
  const board = args.machine.name === "none" ? { ...args, devices: [], ramBytes: 4096 } : args;
  return QtestMachine.create(board, sink);
}

function connectQmp(path: string, machine: QtestMachine): Socket {
  const socket = connect(path);
  socket.on("error", (error) => fail(`${path}: ${error.message}`));
  socket.once("connect", () => socket.write(qmpGreeting()));
  const actions = { arch: "aarch64", reset: () => machine.reset(), quit: () => exit(0) };
  serve(socket, (line) => answerQmp(line, actions));
  return socket;
}

function connectQtest(where: string, target: ProtocolTarget): void {
  const answer = (line: string) => `${answerLine(target, line)}\n`;
  if (where === "stdio") {
    serve({ on: stdin.on.bind(stdin), write: stdout.write.bind(stdout) } as never, answer);
    stdin.on("end", () => exit(0));
    return;
  }
  const socket = connect(where);
  socket.on("error", (error) => fail(`${where}: ${error.message}`));
  socket.on("close", () => exit(0));
  serve(socket, answer);
}

async function main(): Promise<void> {
  const args = parseArguments(argv.slice(2), env);
  if (args.wantsVersion || args.wantsHelp) {
    stdout.write(args.wantsVersion ? `${VERSION}\n` : HELP);
    return;
  }
  if (args.qtest === undefined) fail("-qtest is missing; see -help");
  const machine = await makeMachine(args);
  const monitors = args.qmp.map((path) => connectQmp(path, machine));
  process.once("SIGTERM", () => {
    for (const monitor of monitors) monitor.write(shutdownEvent());
    setTimeout(() => exit(0), 10);
  });
  connectQtest(args.qtest, machine);
}

main().catch((error) => fail(error instanceof Error ? error.message : String(error)));
