// What a command is: the shape that the command table, the help and the parser share.

/** One option of a command. */
export interface OptionSpec {
  type: "string" | "boolean";
  /** One-letter form. */
  short?: string;
  /** Placeholder in the help: "N", "FILE". */
  value?: string;
  help: string;
  /** The option may be given several times. */
  multiple?: boolean;
}

/** One positional argument. */
export interface PositionalSpec {
  /** Upper case, as the help prints it. */
  name: string;
  help: string;
  optional?: boolean;
  /** Takes all the remaining arguments. */
  variadic?: boolean;
}

/** Parsed arguments of one command. */
export interface Args {
  values: Record<string, string | boolean | (string | boolean)[] | undefined>;
  positionals: string[];
}

/** What a command may use of the outside world. */
export interface Context {
  args: Args;
  /** Writes a line (or lines) to the standard output. */
  out(text: string): void;
  /** Writes a line to the standard error. */
  err(text: string): void;
  /** Writes to the standard error without a line end; for progress bars. */
  errRaw(text: string): void;
  /** Whether the standard output takes colours. */
  color: boolean;
  /** Columns of the standard output; 0 when it is not a terminal. */
  width: number;
  /** Whether the standard error is a terminal (then its width), else 0. */
  errWidth: number;
  /** Whether the standard output is a terminal. */
  isTTY: boolean;
  /** All of the standard input. */
  stdin(): Promise<Uint8Array>;
}

/** One command of the program. */
export interface Command {
  name: string;
  /** One line for the list of commands. */
  summary: string;
  /** What follows "vsmmu NAME" in the usage line. */
  usage: string;
  /** A paragraph or two for the command's own help. */
  description?: string;
  options: Record<string, OptionSpec>;
  positionals: PositionalSpec[];
  /** [command line, what it does] */
  examples: [string, string][];
  /** @returns the exit code, see EXIT */
  run(context: Context): Promise<number>;
}

/** Exit codes of every command. */
export const EXIT = {
  /** Nothing wrong. */
  ok: 0,
  /** A mismatch or a fault was found. */
  found: 1,
  /** The command line was not understood. */
  usage: 2,
  /** An input could not be read. */
  input: 3,
  /** A defect of this program. */
  internal: 70,
} as const;

/** A command line that cannot be understood. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}
