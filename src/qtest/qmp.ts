// The QMP monitor: greeting, capability negotiation, the few commands that tests send.

const GREETING = {
  QMP: {
    version: { qemu: { micro: 3, minor: 1, major: 11 }, package: "vsmmu" },
    capabilities: [],
  },
};
const MACHINES = [
  { name: "virt", "cpu-max": 512, "hotpluggable-cpus": false },
  { name: "none", "cpu-max": 1, "hotpluggable-cpus": false },
];

/** What the monitor can do to the machine. */
export interface QmpActions {
  reset(): void;
  quit(): void;
  arch: string;
}

/** A message as it goes over the wire. */
export const qmpLine = (message: unknown): string => `${JSON.stringify(message)}\r\n`;

/** The first bytes after connecting. */
export const qmpGreeting = (): string => qmpLine(GREETING);

function event(name: string, data: Record<string, unknown>): string {
  const now = Date.now();
  const seconds = Math.floor(now / 1000);
  const timestamp = { seconds, microseconds: (now % 1000) * 1000 };
  return qmpLine({ timestamp, event: name, data });
}

/** The message that a machine sends when it ends. */
export const shutdownEvent = (): string =>
  event("SHUTDOWN", { guest: false, reason: "host-signal" });

function result(command: string, actions: QmpActions): [unknown, string] | undefined {
  switch (command) {
    case "qmp_capabilities":
      return [{}, ""];
    case "query-machines":
      return [MACHINES, ""];
    case "query-version":
      return [GREETING.QMP.version, ""];
    case "query-target":
      return [{ arch: actions.arch }, ""];
    case "query-status":
      return [{ running: true, status: "running" }, ""];
    case "system_reset":
      actions.reset();
      return [{}, event("RESET", { guest: false, reason: "host-qmp-system-reset" })];
    case "quit":
      actions.quit();
      return [{}, ""];
    default:
      return undefined;
  }
}

/** Answers one line of a client. */
export function answerQmp(line: string, actions: QmpActions): string {
  let request: { execute?: unknown; id?: unknown };
  try {
    request = JSON.parse(line) as typeof request;
  } catch {
    return qmpLine({ error: { class: "GenericError", desc: "Invalid JSON syntax" } });
  }
  const command = String(request?.execute ?? "");
  const found = result(command, actions);
  const id = request?.id === undefined ? {} : { id: request.id };
  if (!found) {
    const desc = `The command ${command} has not been found`;
    return qmpLine({ error: { class: "CommandNotFound", desc }, ...id });
  }
  return qmpLine({ return: found[0], ...id }) + found[1];
}
