// `vsmmu scenarios`: lists the built-in scenarios, prints one as a file, or the schema of such
// files.

import { BUILTIN_SCENARIOS, findScenario } from "../scenario/builtin/index.ts";
import { SCENARIO_SCHEMA } from "../scenario/schema.ts";
import { toJson } from "../view/json.ts";
import { painter } from "../view/paint.ts";
import { wrap } from "../view/table.ts";
import { type Command, type Context, EXIT, UsageError } from "./command.ts";
import { flagOption, nearest, textOption } from "./parse.ts";

export const command: Command = {
  name: "scenarios",
  summary: "list the built-in scenarios of the accelerated system",
  usage: "[--print NAME | --schema]",
  description:
    "Each scenario puts one or more machines together, performs steps on them and compares what " +
    "every step comes to. Run one with: vsmmu run --scenario NAME.\n\n" +
    "Your own scenarios are YAML or JSON files; --print gives a built-in one to start from, " +
    "--schema the JSON Schema for an editor.",
  options: {
    print: { type: "string", value: "NAME", help: "print a scenario as a file" },
    schema: { type: "boolean", help: "print the JSON Schema of scenario files" },
  },
  positionals: [],
  examples: [
    ["vsmmu scenarios", "what there is, one sentence each"],
    ["vsmmu scenarios --print torn-ste > mine.json", "a file to change"],
    ["vsmmu scenarios --schema > scenario.schema.json", "for an editor"],
  ],
  run,
};

async function run(c: Context): Promise<number> {
  const name = textOption(c.args, "print");
  if (flagOption(c.args, "schema")) c.out(toJson(SCENARIO_SCHEMA));
  else if (name !== undefined) c.out(toJson(named(name)));
  else if (flagOption(c.args, "json"))
    c.out(toJson(BUILTIN_SCENARIOS.map((s) => ({ name: s.name, summary: s.summary }))));
  else list(c);
  return EXIT.ok;
}

/** The built-in scenario. Throws a UsageError that names the nearest one. */
export function named(name: string) {
  const found = findScenario(name);
  if (found !== undefined) return found;
  const near = nearest(
    name,
    BUILTIN_SCENARIOS.map((s) => s.name),
  );
  throw new UsageError(`no scenario is called "${name}"${near ? `; did you mean ${near}?` : ""}`);
}

function list(c: Context): void {
  const paint = painter(c.color);
  const width = c.width || 100;
  const lines = BUILTIN_SCENARIOS.flatMap(({ name, summary }) => [
    paint("name", name),
    ...wrap(summary, width - 2, 0).map((line) => `  ${line}`),
  ]);
  c.out(lines.join("\n"));
}
