// Starts the front end as QEMU's test library does: it listens, the program connects, SIGTERM ends
// it.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../../dist/vsmmu-system-aarch64.js", import.meta.url));
const CONNECT_MS = 50_000;

/** One text channel: what came, and a way to wait for more. */
class Channel {
  readonly socket: Socket;
  #text = "";
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("latin1").on("data", (text: string) => {
      this.#text += text;
      this.#wake();
    });
    socket.on("error", () => {}).on("close", () => this.#wake());
  }

  /** Everything up to and with `end`. */
  async until(end: string): Promise<string> {
    for (;;) {
      const at = this.#text.indexOf(end);
      if (at >= 0) {
        const taken = this.#text.slice(0, at + end.length);
        this.#text = this.#text.slice(at + end.length);
        return taken;
      }
      if (this.socket.destroyed) throw new Error("the program has closed the connection");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async ask(line: string): Promise<string> {
    this.socket.write(`${line}\n`);
    return (await this.until("\n")).slice(0, -1);
  }
}

/** A running front end. */
export class FrontEnd {
  readonly folder: string;
  readonly qtest: Channel;
  readonly qmp: Channel;
  readonly #child: ChildProcess;
  readonly #servers: Server[];
  readonly #exit: Promise<{ code: number | null; signal: string | null }>;

  private constructor(
    folder: string,
    child: ChildProcess,
    servers: Server[],
    channels: [Channel, Channel],
  ) {
    this.folder = folder;
    this.#child = child;
    this.#servers = servers;
    [this.qtest, this.qmp] = channels;
    this.#exit = new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
  }

  /**
   * Starts with an argument list in which TMPDIR/qtest-PID stands for the sockets' place. The
   * program goes through a shell, as libqtest starts it.
   */
  static async start(argv: string[], env: Record<string, string> = {}): Promise<FrontEnd> {
    const folder = mkdtempSync(join(tmpdir(), "vsmmu-qtest-"));
    const args = argv.map((a) => a.replaceAll("TMPDIR/qtest-PID", join(folder, "qtest")));
    const servers = [createServer(), createServer()];
    const accepted = ["qtest.sock", "qtest.qmp"].map(
      (name, i) =>
        new Promise<Channel>((resolve, reject) => {
          const late = () => reject(new Error("the program did not connect"));
          const timer = setTimeout(late, CONNECT_MS);
          servers[i].listen(join(folder, name));
          servers[i].once("connection", (socket) => {
            clearTimeout(timer);
            resolve(new Channel(socket));
          });
        }),
    );
    const quoted = args.map((a) => `'${a}'`).join(" ");
    const command = `exec ${process.execPath} ${PROGRAM} ${quoted}`;
    const child = spawn("/bin/sh", ["-c", command], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, ...env },
    });
    const channels = (await Promise.all(accepted)) as [Channel, Channel];
    return new FrontEnd(folder, child, servers, channels);
  }

  /** The whole of a file in the program's folder. */
  file(name: string): string {
    return readFileSync(join(this.folder, name), "latin1");
  }

  /** Ends the program as libqtest does. */
  async stop(): Promise<{ code: number | null; signal: string | null }> {
    this.#child.kill("SIGTERM");
    const exit = await this.#exit;
    for (const channel of [this.qtest, this.qmp]) channel.socket.destroy();
    for (const server of this.#servers) server.close();
    rmSync(this.folder, { recursive: true, force: true });
    return exit;
  }
}
