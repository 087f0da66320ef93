// vsmmu man: the manual page, made from the command table (roff with man macros).

import { type Command, EXIT, type OptionSpec } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { COMMON_OPTIONS, flagOption } from "./parse.ts";
import { readVersion } from "./version.ts";

/** Text that roff leaves alone: no dots or quotes at the start of a line, dashes as typed. */
function roff(text: string): string {
  return text
    .replace(/\\/g, "\\e")
    .replace(/-/g, "\\-")
    .replace(/…/g, "...")
    .replace(/^([.'])/gm, "\\&$1");
}

function optionLines(name: string, o: OptionSpec): string[] {
  const value = o.type === "boolean" ? "" : ` \\fI${roff(o.value ?? "VALUE")}\\fR`;
  const short = o.short === undefined ? "" : `\\fB\\-${o.short}\\fR, `;
  return [".TP", `${short}\\fB\\-\\-${roff(name)}\\fR${value}`, roff(o.help)];
}

function commandLines(c: Command): string[] {
  const about = c.description ?? `${c.summary}.`;
  const paragraphs = about
    .split("\n\n")
    .flatMap((p, i) => (i === 0 ? [roff(p)] : [".PP", roff(p)]));
  return [
    `.SS "vsmmu ${roff(c.name)} ${roff(c.usage)}"`,
    ...paragraphs,
    ...c.positionals.flatMap((p) => [".TP", `\\fI${roff(p.name)}\\fR`, roff(p.help)]),
    ...Object.entries(c.options).flatMap(([name, o]) => optionLines(name, o)),
  ];
}

const EXIT_CODES: readonly [number, string][] = [
  [EXIT.ok, "Nothing wrong was found."],
  [EXIT.found, "A fault was decoded, or a mismatch found."],
  [EXIT.usage, "The command line was not understood."],
  [EXIT.input, "An input could not be read or understood."],
  [EXIT.internal, "A defect of the program."],
];

/** The manual page of these commands. */
export function manPage(commands: readonly Command[], version: string): string {
  const examples = commands.flatMap((c) =>
    c.examples.flatMap(([line, what]) => [".TP", `\\fB${roff(line)}\\fR`, roff(what)]),
  );
  return [
    `.TH VSMMU 1 "" "vsmmu ${roff(version)}" "User Commands"`,
    ".SH NAME",
    "vsmmu \\- an Arm SMMUv3, its ITS doorbell and KVM's MSI routes",
    ".SH SYNOPSIS",
    ".B vsmmu",
    "\\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]",
    ".SH COMMANDS",
    ...commands.flatMap(commandLines),
    ".SH COMMON OPTIONS",
    ...Object.entries(COMMON_OPTIONS).flatMap(([name, o]) => optionLines(name, o)),
    ".SH EXIT STATUS",
    ...EXIT_CODES.flatMap(([code, text]) => [".TP", `\\fB${code}\\fR`, text]),
    ".SH ENVIRONMENT",
    ".TP",
    "\\fBNO_COLOR\\fR",
    "No colours, unless \\-\\-color says otherwise.",
    ".TP",
    "\\fBFORCE_COLOR\\fR",
    "Colours even when the output is no terminal.",
    ".SH EXAMPLES",
    ...examples,
  ].join("\n");
}

export const command: Command = {
  name: "man",
  summary: "print the manual page",
  usage: "",
  description: "Prints the manual page in roff, made from the same table as the help texts.",
  options: {},
  positionals: [],
  examples: [["vsmmu man | man -l -", "read it"]],
  async run(context) {
    const loaded = await Promise.all(COMMANDS.map(async (row) => (await row.load()).command));
    const page = manPage(loaded, await readVersion());
    context.out(flagOption(context.args, "json") ? JSON.stringify({ page }) : page);
    return EXIT.ok;
  },
};
