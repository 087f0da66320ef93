// The control side of an emulator: QMP over a socket that the test listens on.
import { createServer, type Server, type Socket } from "node:net";

interface Message {
  QMP?: unknown;
  return?: unknown;
  error?: { desc: string };
  event?: string;
}

/** A QMP connection. Commands are answered in order; events are waited for by name. */
export class Qmp {
  readonly #server: Server;
  #socket: Socket | undefined;
  #text = "";
  #messages: Message[] = [];
  #wake: (() => void) | undefined;
  #ended = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens on `path`; the emulator connects when it starts. */
  static async listen(path: string): Promise<Qmp> {
    const server = createServer();
    const qmp = new Qmp(server);
    server.once("connection", (socket) => {
      qmp.#socket = socket;
      socket.setEncoding("utf8").on("data", (text: string) => qmp.#receive(text));
      socket.on("error", () => {}).on("close", () => qmp.#end());
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(path, resolve);
    });
    return qmp;
  }

  #receive(text: string): void {
    const lines = (this.#text + text).split("\r\n");
    this.#text = lines.pop() as string;
    for (const line of lines) if (line !== "") this.#messages.push(JSON.parse(line));
    this.#wake?.();
  }

  #end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async #next(wanted: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const at = this.#messages.findIndex(wanted);
      if (at >= 0) return this.#messages.splice(at, 1)[0];
      if (this.#ended) throw new Error("the emulator's monitor is gone");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Takes the greeting and leaves capability negotiation. */
  async handshake(): Promise<void> {
    await this.#next((m) => m.QMP !== undefined);
    await this.execute("qmp_capabilities");
  }

  /** Runs one command and returns what it returned. */
  async execute(command: string): Promise<unknown> {
    this.#socket!.write(JSON.stringify({ execute: command }) + "\n");
    const answer = await this.#next((m) => m.return !== undefined || m.error !== undefined);
    if (answer.error) throw new Error(`${command}: ${answer.error.desc}`);
    return answer.return;
  }

  /** Resets the whole machine and waits until that is done. */
  async reset(): Promise<void> {
    await this.execute("system_reset");
    await this.#next((m) => m.event === "RESET");
  }

  /** Closes both ends. */
  close(): void {
    this.#socket?.destroy();
    this.#server.close();
  }
}
