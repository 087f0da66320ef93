// vsmmu completion: shell completions made from the command table.

import { type Command, EXIT, type OptionSpec, UsageError } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { COMMON_OPTIONS, flagOption } from "./parse.ts";

/** Values of the options that take one of a few words. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  color: ["auto", "always", "never"],
  from: "auto dmesg trace event cmd ste cd l1std l1cd priq pte regs".split(" "),
  granule: ["4k", "16k", "64k"],
  stage: ["1", "2"],
};

const SHELLS = ["bash", "zsh", "fish"] as const;

const optionsOf = (c: Command): [string, OptionSpec][] =>
  Object.entries({ ...c.options, ...COMMON_OPTIONS });

const flagsOf = (name: string, o: OptionSpec): string[] => [
  `--${name}`,
  ...(o.short === undefined ? [] : [`-${o.short}`]),
];

/** First arguments that are words rather than files. */
function wordsOf(c: Command): readonly string[] {
  return c.name === "completion" ? SHELLS : [];
}

/** A word of the command line in bash. */
const at = (index: string): string => `\${COMP_WORDS[${index}]}`;

function bash(commands: readonly Command[]): string {
  const cases = commands.map((c) => {
    const flags = optionsOf(c).flatMap(([name, o]) => flagsOf(name, o));
    return `    ${c.name}) words="${[...flags, ...wordsOf(c)].join(" ")}" ;;`;
  });
  const choices = Object.entries(CHOICES).map(
    ([name, values]) =>
      `    --${name}) COMPREPLY=($(compgen -W "${values.join(" ")}" -- "$cur")); return ;;`,
  );
  return [
    "# bash completion for vsmmu; put it into ~/.local/share/bash-completion/completions/vsmmu",
    "_vsmmu() {",
    `  local cur=${at("COMP_CWORD")} prev=${at("COMP_CWORD-1")} words=`,
    "  if [[ $COMP_CWORD -eq 1 ]]; then",
    `    COMPREPLY=($(compgen -W "${commands.map((c) => c.name).join(" ")} --help ` +
      `--version" -- "$cur"))`,
    "    return",
    "  fi",
    "  case $prev in",
    ...choices,
    "  esac",
    `  case ${at("1")} in`,
    ...cases,
    "  esac",
    '  COMPREPLY=($(compgen -W "$words" -- "$cur"))',
    '  [[ -z $COMPREPLY ]] && COMPREPLY=($(compgen -f -- "$cur"))',
    "}",
    "complete -o filenames -F _vsmmu vsmmu",
  ].join("\n");
}

/** Text inside single quotes of zsh and fish. */
const quoted = (text: string): string => text.replace(/'/g, "'\\''");
const zshText = (text: string): string => quoted(text.replace(/([\\[\]:])/g, "\\$1"));

function zshOption(name: string, o: OptionSpec): string[] {
  const values = CHOICES[name];
  const take =
    o.type === "boolean"
      ? ""
      : `:${o.value ?? "value"}:${values ? `(${values.join(" ")})` : "_files"}`;
  const many = o.multiple ? "*" : "";
  return flagsOf(name, o).map((flag) => `'${many}${flag}[${zshText(o.help)}]${take}'`);
}

function zsh(commands: readonly Command[]): string {
  const list = commands.map((c) => `    '${c.name}:${zshText(c.summary)}'`);
  const cases = commands.map((c) => {
    const words = wordsOf(c);
    const rest = words.length > 0 ? `'1:shell:(${words.join(" ")})'` : "'*:file:_files'";
    const options = optionsOf(c).flatMap(([name, o]) => zshOption(name, o));
    return `    ${c.name}) _arguments ${[...options, rest].join(" ")} ;;`;
  });
  return [
    "#compdef vsmmu",
    "# zsh completion for vsmmu; put it as _vsmmu into a directory of $fpath",
    "_vsmmu() {",
    "  local -a commands=(",
    ...list,
    "  )",
    "  if (( CURRENT == 2 )); then",
    "    _describe command commands",
    "    return",
    "  fi",
    "  local command=$words[2]",
    "  shift words",
    "  (( CURRENT-- ))",
    "  case $command in",
    ...cases,
    "  esac",
    "}",
    '_vsmmu "$@"',
  ].join("\n");
}

function fish(commands: readonly Command[]): string {
  const lines = commands.map(
    (c) => `complete -c vsmmu -n __fish_use_subcommand -f -a ${c.name} -d '${quoted(c.summary)}'`,
  );
  for (const c of commands) {
    const when = `-n '__fish_seen_subcommand_from ${c.name}'`;
    for (const [name, o] of optionsOf(c)) {
      const values = CHOICES[name];
      const take = o.type === "boolean" ? "" : values ? ` -x -a '${values.join(" ")}'` : " -r";
      const short = o.short === undefined ? "" : ` -s ${o.short}`;
      lines.push(`complete -c vsmmu ${when} -l ${name}${short}${take} -d '${quoted(o.help)}'`);
    }
    if (wordsOf(c).length > 0)
      lines.push(`complete -c vsmmu ${when} -f -a '${wordsOf(c).join(" ")}'`);
  }
  return [
    "# fish completion for vsmmu; put it into ~/.config/fish/completions/vsmmu.fish",
    ...lines,
  ].join("\n");
}

const WRITERS = { bash, zsh, fish };

/** The completion script of one shell for these commands. */
export function completionScript(
  shell: keyof typeof WRITERS,
  commands: readonly Command[],
): string {
  return WRITERS[shell](commands);
}

export const command: Command = {
  name: "completion",
  summary: "print a completion script for bash, zsh or fish",
  usage: "bash|zsh|fish",
  options: {},
  positionals: [{ name: "SHELL", help: "bash, zsh or fish" }],
  examples: [
    ["source <(vsmmu completion bash)", "in ~/.bashrc"],
    ["vsmmu completion fish > ~/.config/fish/completions/vsmmu.fish", "for fish"],
  ],
  async run(context) {
    const shell = SHELLS.find((s) => s === context.args.positionals[0]);
    if (shell === undefined)
      throw new UsageError(
        `SHELL must be ${SHELLS.join(", ")}, not "${context.args.positionals[0]}"`,
      );
    const loaded = await Promise.all(COMMANDS.map(async (row) => (await row.load()).command));
    const script = completionScript(shell, loaded);
    context.out(flagOption(context.args, "json") ? JSON.stringify({ shell, script }) : script);
    return EXIT.ok;
  },
};
