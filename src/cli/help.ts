// Help texts, made from the command table and the commands' own specifications.

import { painter, widthOf } from "../view/paint.ts";
import { wrap } from "../view/table.ts";
import type { Command, OptionSpec } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { COMMON_OPTIONS } from "./parse.ts";

/** The program's help: the list of commands. */
export function programHelp(version: string, color: boolean, width: number): string {
  const paint = painter(color);
  const rows = COMMANDS.map((c): [string, string] => [paint("name", c.name), c.summary]);
  return [
    `${paint("head", "vsmmu")} ${version}: an Arm SMMUv3, its ITS doorbell and KVM's MSI routes`,
    "",
    `${paint("head", "Usage")}  vsmmu COMMAND [OPTIONS]`,
    "",
    paint("head", "Commands"),
    ...pairs(rows, width),
    "",
    paint("head", "Options"),
    ...pairs(
      [
        ["-h, --help", "show this help; vsmmu COMMAND --help shows a command's"],
        ["--version", "show the version"],
      ],
      width,
    ),
    "",
    `Exit codes: 0 nothing wrong, 1 a mismatch or fault found, 2 usage, 3 unreadable input.`,
  ].join("\n");
}

/** One command's help; `label` is what a user types for it. */
export function commandHelp(
  command: Command,
  color: boolean,
  width: number,
  label = `vsmmu ${command.name}`,
): string {
  const paint = painter(color);
  const room = width > 0 ? Math.min(width, 100) : 100;
  const usage = command.usage ? ` ${command.usage}` : "";
  const lines = [`${paint("head", "Usage")}  ${label}${usage}`, ""];
  const about = command.description ?? `${command.summary}.`;
  for (const paragraph of about.split("\n\n")) lines.push(...wrap(paragraph, room), "");
  if (command.positionals.length > 0) {
    const rows = command.positionals.map((p): [string, string] => [paint("name", p.name), p.help]);
    lines.push(paint("head", "Arguments"), ...pairs(rows, width), "");
  }
  const options = { ...command.options, ...COMMON_OPTIONS };
  const rows = Object.entries(options).map(([name, spec]): [string, string] => [
    paint("name", flagText(name, spec)),
    spec.help,
  ]);
  lines.push(paint("head", "Options"), ...pairs(rows, width), "");
  lines.push(paint("head", "Examples"));
  for (const [line, what] of command.examples) {
    lines.push(`  ${paint("name", line)}`, `      ${what}`);
  }
  return lines.join("\n");
}

function flagText(name: string, spec: OptionSpec): string {
  const short = spec.short ? `-${spec.short}, ` : "";
  return `${short}--${name}${spec.type === "string" ? ` ${spec.value ?? "VALUE"}` : ""}`;
}

/** Two aligned columns; the second wraps under itself. */
function pairs(rows: [string, string][], width: number): string[] {
  const start = Math.max(...rows.map(([label]) => widthOf(label))) + 4;
  const room = width > 0 ? Math.min(width, 100) : 100;
  return rows.flatMap(([label, text]) => {
    const [head = "", ...rest] = wrap(text, room, start);
    const gap = " ".repeat(start - 2 - widthOf(label));
    return [`  ${label}${gap}${head.trimStart()}`, ...rest];
  });
}
