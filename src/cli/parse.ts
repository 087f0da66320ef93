// Command lines: node:util's parseArgs with this program's messages, and typed option values.

import { parseArgs } from "node:util";
import { type Args, type Command, type OptionSpec, UsageError } from "./command.ts";

/** Options that every command has. */
export const COMMON_OPTIONS: Record<string, OptionSpec> = {
  json: { type: "boolean", help: "print one JSON document instead of text" },
  color: { type: "string", value: "WHEN", help: "auto (default), always or never" },
  help: { type: "boolean", short: "h", help: "show this help" },
};

/**
 * Parses the arguments after the command's name.
 * @throws UsageError with one clear sentence
 */
export function parseCommand(command: Command, argv: string[]): Args {
  const options: Record<string, OptionSpec> = { ...COMMON_OPTIONS, ...command.options };
  const args = parseRaw(argv, options);
  if (args.values.help) return args;
  const wanted = command.positionals.filter((p) => !p.optional);
  if (args.positionals.length < wanted.length) {
    throw new UsageError(`${wanted[args.positionals.length].name} is missing`);
  }
  const last = command.positionals.at(-1);
  if (args.positionals.length > command.positionals.length && !last?.variadic) {
    throw new UsageError(`unexpected argument "${args.positionals[command.positionals.length]}"`);
  }
  return args;
}

function parseRaw(argv: string[], options: Record<string, OptionSpec>): Args {
  const known = Object.fromEntries(
    Object.entries(options).map(([name, { type, short, multiple }]) => [
      name,
      { type, ...(short ? { short } : {}), ...(multiple ? { multiple } : {}) },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      options: known,
      allowPositionals: true,
      strict: true,
    });
    return { values: { ...values } as Args["values"], positionals };
  } catch (error) {
    throw new UsageError(clarify(error as Error & { code?: string }, Object.keys(options)));
  }
}

function clarify(error: Error & { code?: string }, names: string[]): string {
  const option = /'(-{1,2}[^' ,]+)/.exec(error.message)?.[1];
  if (error.code === "ERR_PARSE_ARGS_UNKNOWN_OPTION" && option) {
    const near = nearest(option.replace(/^-+/, ""), names);
    return `unknown option ${option}${near ? `; did you mean --${near}?` : ""}`;
  }
  if (error.code === "ERR_PARSE_ARGS_INVALID_OPTION_VALUE" && option) {
    const full = /'(?:-\w, )?(--[\w-]+)/.exec(error.message)?.[1] ?? option;
    if (/does not take an argument/.test(error.message)) return `${full} takes no value`;
    return `${full} wants a value`;
  }
  return error.message.split("\n")[0];
}

/** The name closest to `word`, when it is close enough to be a slip. */
export function nearest(word: string, names: string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const name of names) {
    const d = editDistance(word, name);
    if (d < bestDistance) {
      best = name;
      bestDistance = d;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}

/** The text of an option, or undefined. */
export function textOption(args: Args, name: string): string | undefined {
  const value = args.values[name];
  return typeof value === "string" ? value : undefined;
}

/** Whether a boolean option was given. */
export function flagOption(args: Args, name: string): boolean {
  return args.values[name] === true;
}

/** An option that is one of `choices`. */
export function choiceOption<T extends string>(
  args: Args,
  name: string,
  choices: readonly T[],
  otherwise: T,
): T {
  const value = textOption(args, name);
  if (value === undefined) return otherwise;
  if ((choices as readonly string[]).includes(value)) return value as T;
  throw new UsageError(`--${name} must be ${choices.join(" or ")}, not "${value}"`);
}

/** An integer option of at most `bits` bits (decimal or 0x…), or undefined. */
export function integerOption(args: Args, name: string, bits = 64): bigint | undefined {
  const value = textOption(args, name);
  if (value === undefined) return undefined;
  if (!/^(0[xX][0-9a-fA-F]+|[0-9]+)$/.test(value)) {
    throw new UsageError(`--${name} wants a number like 0x10 or 16, not "${value}"`);
  }
  const n = BigInt(value);
  if (n >> BigInt(bits) !== 0n) throw new UsageError(`--${name} ${value} exceeds ${bits} bits`);
  return n;
}

/** An integer option that must be there. */
export function requiredInteger(args: Args, name: string, bits = 64): bigint {
  const n = integerOption(args, name, bits);
  if (n === undefined) throw new UsageError(`--${name} is missing`);
  return n;
}
