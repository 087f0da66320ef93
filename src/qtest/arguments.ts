// The command line that QEMU's test library starts: the few options that matter, all others
// skipped.

/** `driver,key=value,…` taken apart. A key without a value is "on". */
export interface Spec {
  name: string;
  props: Record<string, string>;
}

/** What the command line asks for. */
export interface Arguments {
  /** Where to connect for the line protocol: a socket path, or "stdio". */
  qtest: string | undefined;
  /** Socket paths of the QMP monitors. */
  qmp: string[];
  machine: Spec;
  devices: Spec[];
  ramBytes: number;
  /** Patterns of -trace, and the file that -D names. */
  traces: string[];
  logFile: string | undefined;
  /** The SMMU is there but lets everything through: a check that passes now checks nothing. */
  disableSmmu: boolean;
  compat: "arch" | "qemu";
  wantsVersion: boolean;
  wantsHelp: boolean;
}

/** Options without a value. */
const SWITCHES = new Set([
  "-nodefaults",
  "-nographic",
  "-S",
  "-snapshot",
  "-no-shutdown",
  "-no-reboot",
]);
const MIB = 1048576;
const UNITS: Record<string, number> = { K: 1024, M: MIB, G: 1024 * MIB };
const RAM_DEFAULT = 128 * MIB;
const RAM_MAX = 2048 * MIB;

/** Takes `name,key=value,…` apart; "" when the first part is a property already. */
export function parseSpec(text: string): Spec {
  const parts = text.split(",");
  const first = parts[0].includes("=") ? "" : (parts.shift() as string);
  const props = parts.map((part): [string, string] => {
    const at = part.indexOf("=");
    return at < 0 ? [part, "on"] : [part.slice(0, at), part.slice(at + 1)];
  });
  return { name: first, props: Object.fromEntries(props) };
}

/** Bytes of `-m 512`, `-m 512M` or `-m size=1G`. Throws an Error on anything else. */
function ramBytes(text: string): number {
  const size = /^(?:size=)?(\d+)([KMG]?)\b/.exec(text);
  if (!size) throw new Error(`-m ${text}: not a size`);
  const bytes = Number(size[1]) * (UNITS[size[2]] ?? MIB);
  if (bytes < MIB || bytes > RAM_MAX) throw new Error(`-m ${text}: 1 MiB to 2 GiB can be had`);
  return Math.ceil(bytes / 4096) * 4096;
}

/** Parses the arguments after the program's name. Throws an Error with one clear sentence. */
export function parseArguments(argv: string[], env: Record<string, string | undefined>): Arguments {
  const parsed: Arguments = {
    qtest: undefined,
    qmp: [],
    machine: { name: "virt", props: {} },
    devices: [],
    ramBytes: RAM_DEFAULT,
    traces: [],
    logFile: undefined,
    disableSmmu: env.VSMMU_DISABLE === "1",
    compat: env.VSMMU_COMPAT === "arch" ? "arch" : "qemu",
    wantsVersion: false,
    wantsHelp: false,
  };
  const chardevs = new Map<string, string>();
  const monitors: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const option = argv[i].replace(/^--/, "-");
    if (option === "-version") parsed.wantsVersion = true;
    else if (option === "-help" || option === "-h") parsed.wantsHelp = true;
    else if (option === "-vsmmu-disable") parsed.disableSmmu = true;
    else if (!SWITCHES.has(option)) take(option, argv[++i] ?? "", parsed, chardevs, monitors);
  }
  parsed.qmp.push(...monitors.flatMap((id) => chardevs.get(id) ?? []));
  return parsed;
}

function take(
  option: string,
  value: string,
  parsed: Arguments,
  chardevs: Map<string, string>,
  monitors: string[],
): void {
  const spec = parseSpec(value);
  const { props } = spec;
  switch (option) {
    case "-qtest":
      parsed.qtest = value.startsWith("unix:") ? socketPath(value) : value;
      break;
    case "-qmp":
      if (value.startsWith("unix:")) parsed.qmp.push(socketPath(value));
      break;
    case "-chardev":
      if (props.id && props.path) chardevs.set(props.id, props.path);
      break;
    case "-mon":
      if (props.mode === "control" && props.chardev) monitors.push(props.chardev);
      break;
    case "-object":
      if (spec.name === "monitor-qmp" && props.chardev) monitors.push(props.chardev);
      break;
    case "-machine":
    case "-M":
      if (spec.name !== "") parsed.machine.name = spec.name;
      Object.assign(parsed.machine.props, props);
      break;
    case "-device":
      parsed.devices.push(spec);
      break;
    case "-m":
      parsed.ramBytes = ramBytes(value);
      break;
    case "-trace":
      parsed.traces.push(value.replace(/^enable=/, ""));
      break;
    case "-D":
      parsed.logFile = value;
      break;
    case "-vsmmu-compat":
      if (value !== "arch" && value !== "qemu") throw new Error("-vsmmu-compat wants arch or qemu");
      parsed.compat = value;
      break;
  }
}

/** `unix:PATH,server=off` → PATH */
const socketPath = (value: string): string => value.slice("unix:".length).split(",")[0];
