// The program: finds the command, parses its arguments, runs it, turns errors into exit codes.

import { InputError } from "../capture/errors.ts";
import { painter } from "../view/paint.ts";
import { type Args, type Command, type Context, EXIT, UsageError } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { commandHelp, programHelp } from "./help.ts";
import { choiceOption, nearest, parseCommand } from "./parse.ts";
import { readVersion } from "./version.ts";

/** The parts of a process that the program uses; tests give their own. */
export interface Surroundings {
  argv: string[];
  env: Record<string, string | undefined>;
  stdout: Output;
  stderr: Output;
  stdin(): Promise<Uint8Array>;
}

/** A stream that text goes to. */
export interface Output {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

const COLOR = ["auto", "always", "never"] as const;

/** Runs the program and returns its exit code. */
export async function main(s: Surroundings): Promise<number> {
  const [name, ...rest] = s.argv;
  const color = wantsColor("auto", s.env, s.stdout);
  const width = s.stdout.isTTY ? (s.stdout.columns ?? 80) : 0;
  if (name === "--version" || name === "-V") {
    s.stdout.write(`${await readVersion()}\n`);
    return EXIT.ok;
  }
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    const target = name === "help" ? COMMANDS.find((c) => c.name === rest[0]) : undefined;
    if (target) return main({ ...s, argv: [target.name, "--help"] });
    const help = programHelp(await readVersion(), color, width);
    (name === undefined ? s.stderr : s.stdout).write(`${help}\n`);
    return name === undefined ? EXIT.usage : EXIT.ok;
  }
  const row = COMMANDS.find((c) => c.name === name);
  if (!row) {
    const names = COMMANDS.map((c) => c.name);
    const near = nearest(name, names);
    complain(s, "vsmmu", `unknown command "${name}"${near ? `; did you mean ${near}?` : ""}`);
    s.stderr.write("Try: vsmmu --help\n");
    return EXIT.usage;
  }
  return runCommand((await row.load()).command, rest, s);
}

/** Runs one command with its arguments; `label` is what a user types for it. */
export async function runCommand(
  command: Command,
  argv: string[],
  s: Surroundings,
  label = `vsmmu ${command.name}`,
): Promise<number> {
  try {
    const args = parseCommand(command, argv);
    const context = makeContext(args, s);
    if (args.values.help) {
      context.out(commandHelp(command, context.color, context.width, label));
      return EXIT.ok;
    }
    return await command.run(context);
  } catch (error) {
    if (error instanceof UsageError) {
      complain(s, label, error.message);
      s.stderr.write(`Try: ${label} --help\n`);
      return EXIT.usage;
    }
    if (error instanceof InputError) {
      complain(s, label, error.message);
      return EXIT.input;
    }
    complain(s, label, `internal error: ${error instanceof Error ? error.message : error}`);
    const stack = error instanceof Error ? error.stack : undefined;
    if (s.env.VSMMU_DEBUG && stack) s.stderr.write(`${stack}\n`);
    else s.stderr.write("Set VSMMU_DEBUG=1 to see where; please report it.\n");
    return EXIT.internal;
  }
}

function makeContext(args: Args, s: Surroundings): Context {
  const mode = choiceOption(args, "color", COLOR, "auto");
  return {
    args,
    out: (text) => void s.stdout.write(`${text}\n`),
    err: (text) => void s.stderr.write(`${text}\n`),
    errRaw: (text) => void s.stderr.write(text),
    color: wantsColor(mode, s.env, s.stdout),
    width: s.stdout.isTTY ? (s.stdout.columns ?? 80) : 0,
    errWidth: s.stderr.isTTY ? (s.stderr.columns ?? 80) : 0,
    isTTY: s.stdout.isTTY === true,
    stdin: s.stdin,
  };
}

/** `always` and `never` win; then NO_COLOR, FORCE_COLOR, and whether a terminal is there. */
function wantsColor(
  mode: (typeof COLOR)[number],
  env: Surroundings["env"],
  stdout: Output,
): boolean {
  if (mode !== "auto") return mode === "always";
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "0") return true;
  return stdout.isTTY === true && env.TERM !== "dumb";
}

function complain(s: Surroundings, label: string, message: string): void {
  const paint = painter(wantsColor("auto", s.env, s.stderr));
  s.stderr.write(`${paint("bad", `${label}:`)} ${message}\n`);
}
