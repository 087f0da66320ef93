// One system emulator under qtest: starts the program, speaks the line protocol, keeps its RAM.
import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type BoardDma,
  type ProgramTarget,
  RAM_BASE,
  RAM_BYTES,
  SMMU,
} from "../../src/conform/board.ts";
import { Qmp } from "./qmp.ts";

export interface QtestOptions {
  /** Program to start: a path, plus leading arguments when it is run through an interpreter. */
  command: string[];
  /** Arguments after the machine and transport ones, the devices for example. */
  args: string[];
  /** Guest RAM lies in a file that both sides map; otherwise it goes through the socket. */
  sharedRam: boolean;
  /** Which devices the board has; default: all. */
  dma?: BoardDma;
  /** Where the SMMU is; default: the machine-wide one. */
  smmu?: bigint;
  /** Patterns for -trace. */
  traces: string[];
  /** Milliseconds to wait for the program to connect. */
  startTimeout?: number;
}

/** What is left to do when this process ends before it has stopped a machine. */
const leftOver = new Map<ChildProcess, string>();
process.once("exit", () => {
  for (const [child, folder] of leftOver) {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
});

const DEVICE_TREE_ROOM = Buffer.alloc(0x100000);

/** A running emulator. Answers come back in the order of the requests. */
export class Qtest implements ProgramTarget {
  readonly smmu: bigint;
  readonly dma: BoardDma;
  readonly #folder: string;
  readonly #server: Server;
  readonly #child: ChildProcess;
  readonly #qmp: Qmp;
  #socket: Socket | undefined;
  #received = "";
  #waiting: { resolve: (answer: string) => void; reject: (error: Error) => void }[] = [];
  #ram = -1;
  #trace = -1;
  #traceOffset = 0;
  #stderr = "";
  #exit: { code: number | null; signal: string | null } | undefined;

  private constructor(
    folder: string,
    server: Server,
    child: ChildProcess,
    qmp: Qmp,
    { smmu, dma }: QtestOptions,
  ) {
    this.smmu = smmu ?? SMMU;
    this.dma = dma ?? "all";
    this.#folder = folder;
    this.#server = server;
    this.#child = child;
    this.#qmp = qmp;
  }

  /** Starts the program and waits until it has connected. */
  static async start(options: QtestOptions): Promise<Qtest> {
    const shm = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
    const folder = mkdtempSync(join(shm, "vsmmu-qtest-"));
    const qmpPath = join(folder, "qmp.sock");
    const qmp = await Qmp.listen(qmpPath);
    const socketPath = join(folder, "qtest.sock");
    const tracePath = join(folder, "trace.log");
    const ramPath = join(folder, "ram");
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(socketPath, resolve);
    });
    const args = ["-qtest", `unix:${socketPath}`, "-qtest-log", "/dev/null"];
    args.push("-chardev", `socket,path=${qmpPath},id=char0`, "-mon", "chardev=char0,mode=control");
    args.push("-nodefaults", "-display", "none", "-cpu", "max", "-m", `${RAM_BYTES >> 20}`);
    if (options.sharedRam) {
      args.push("-machine", "memory-backend=ram0", "-object");
      args.push(
        `memory-backend-file,id=ram0,size=${RAM_BYTES >> 20}M,mem-path=${ramPath},share=on`,
      );
    }
    for (const pattern of options.traces) args.push("-trace", pattern);
    if (options.traces.length > 0) args.push("-D", tracePath);
    const [program, ...leading] = options.command;
    const child = spawn(program, [...leading, ...options.args, ...args], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    leftOver.set(child, folder);
    const machine = new Qtest(folder, server, child, qmp, options);
    child.stderr?.on("data", (text) => {
      machine.#stderr += text;
    });
    child.once("exit", (code, signal) => {
      machine.#exit = { code, signal };
      machine.#fail();
    });
    await machine.#accept(options.startTimeout ?? 20_000);
    await qmp.handshake();
    if (options.sharedRam) machine.#ram = openSync(ramPath, "r+");
    if (options.traces.length > 0) machine.#trace = openSync(tracePath, "r+");
    return machine;
  }

  #accept(timeout: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("the emulator did not connect")), timeout);
      const gone = () => reject(this.#error());
      this.#child.once("exit", gone);
      this.#server.once("connection", (socket) => {
        clearTimeout(timer);
        this.#child.off("exit", gone);
        this.#socket = socket;
        socket.setEncoding("latin1").on("data", (text: string) => this.#receive(text));
        socket.on("error", () => this.#fail()).on("close", () => this.#fail());
        resolve();
      });
    });
  }

  #receive(text: string): void {
    const lines = (this.#received + text).split("\n");
    this.#received = lines.pop() as string;
    for (const line of lines) this.#waiting.shift()?.resolve(line);
  }

  #error(): Error {
    const how = this.#exit ? `code ${this.#exit.code}, signal ${this.#exit.signal}` : "closed";
    return new Error(`the emulator is gone (${how}): ${this.#stderr.trim()}`);
  }

  #fail(): void {
    const error = this.#error();
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  /** Sends requests in one write; resolves with one answer each, without the leading "OK ". */
  async send(requests: string[]): Promise<string[]> {
    if (this.#exit || !this.#socket) throw this.#error();
    if (requests.length === 0) return [];
    const answers = requests.map(
      () =>
        new Promise<string>((resolve, reject) => {
          this.#waiting.push({ resolve, reject });
        }),
    );
    this.#socket.write(requests.join("\n") + "\n");
    const lines = await Promise.all(answers);
    return lines.map((line, i) => {
      if (!line.startsWith("OK")) throw new Error(`${requests[i]}: ${line}`);
      return line.slice(3);
    });
  }

  /** Sends one request and returns its answer as a number. */
  async value(request: string): Promise<bigint> {
    return BigInt((await this.send([request]))[0]);
  }

  /** Resets the machine: every device as after power-on, RAM kept. */
  async reset(): Promise<void> {
    await this.#qmp.reset();
    // QEMU puts its device tree back to the start of RAM, where programs expect zeros.
    if (this.#ram >= 0) await this.writeRam([{ address: RAM_BASE, bytes: DEVICE_TREE_ROOM }]);
  }

  /** Guest stores that are visible to every later request. */
  async writeRam(blocks: { address: bigint; bytes: Uint8Array }[]): Promise<void> {
    if (this.#ram >= 0) {
      for (const { address, bytes } of blocks) {
        writeSync(this.#ram, bytes, 0, bytes.length, Number(address - RAM_BASE));
      }
      return;
    }
    const requests = blocks.map(({ address, bytes }) => {
      const text = Buffer.from(bytes).toString("base64");
      return `b64write 0x${address.toString(16)} 0x${bytes.length.toString(16)} ${text}`;
    });
    if (requests.length > 0) await this.send(requests);
  }

  /** Guest RAM as it is now. */
  async readRam(address: bigint, length: number): Promise<Buffer> {
    if (this.#ram < 0) {
      const request = `b64read 0x${address.toString(16)} 0x${length.toString(16)}`;
      return Buffer.from((await this.send([request]))[0], "base64");
    }
    const bytes = Buffer.alloc(length);
    readSync(this.#ram, bytes, 0, length, Number(address - RAM_BASE));
    return bytes;
  }

  /** The trace lines written since the last call. */
  takeTrace(): string[] {
    const chunks: string[] = [];
    const chunk = Buffer.alloc(1 << 20);
    for (;;) {
      const n = readSync(this.#trace, chunk, 0, chunk.length, this.#traceOffset);
      if (n === 0) break;
      this.#traceOffset += n;
      chunks.push(chunk.toString("latin1", 0, n));
    }
    const lines = chunks.join("").split("\n");
    this.#traceOffset -= lines.pop()!.length;
    // What has been read is given back; the writer goes on at its own offset.
    if (chunks.length > 16) ftruncateSync(this.#trace, 0);
    return lines;
  }

  /** True while the program runs. */
  get alive(): boolean {
    return this.#exit === undefined;
  }

  /** What the program has printed on its standard error. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Ends the program by SIGTERM, removes its files, and returns its exit code. */
  async stop(): Promise<number | null> {
    const ended = this.#exit
      ? Promise.resolve()
      : new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    if (!this.#exit) this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 30_000);
    await ended;
    clearTimeout(timer);
    this.#socket?.destroy();
    this.#server.close();
    this.#qmp.close();
    for (const file of [this.#ram, this.#trace]) if (file >= 0) closeSync(file);
    rmSync(this.#folder, { recursive: true, force: true });
    leftOver.delete(this.#child);
    return this.#exit!.code;
  }
}
