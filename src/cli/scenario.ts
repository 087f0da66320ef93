// `vsmmu run --scenario`: performs a scenario, built in or from a file, and prints what every step
// came to.

import { readFile } from "node:fs/promises";
import { InputError, reasonOf } from "../capture/errors.ts";
import { findScenario } from "../scenario/builtin/index.ts";
import { runScenario } from "../scenario/run.ts";
import type { Scenario, ScenarioResult } from "../scenario/types.ts";
import { ScenarioError } from "../scenario/world.ts";
import { toJson } from "../view/json.ts";
import { painter } from "../view/paint.ts";
import { formatScenario } from "../view/scenario.ts";
import { type Context, EXIT } from "./command.ts";
import { flagOption } from "./parse.ts";
import { named } from "./scenarios.ts";

/** What a file's name looks like; anything else is the name of a built-in scenario. */
const FILE_NAME = /[/\\]|\.(?:ya?ml|json)$/i;

/** Performs the scenario of that name or file. */
export async function performScenario(c: Context, name: string): Promise<number> {
  const scenario = findScenario(name) ?? (await fromFile(name));
  const result = await perform(scenario, name);
  if (flagOption(c.args, "json")) c.out(toJson(jsonResult(result)));
  else c.out(formatScenario(result, { paint: painter(c.color), width: c.width }).join("\n"));
  return result.ok ? EXIT.ok : EXIT.found;
}

async function perform(scenario: Scenario, name: string): Promise<ScenarioResult> {
  try {
    return await runScenario(scenario);
  } catch (error) {
    if (error instanceof ScenarioError) throw new InputError(name, error.message);
    throw error;
  }
}

async function fromFile(name: string): Promise<Scenario> {
  if (!FILE_NAME.test(name)) return named(name);
  const text = await readFile(name, "utf8").catch((error: unknown) => {
    throw new InputError(name, reasonOf(error));
  });
  const { parseScenario, ScenarioFileError } = await import("../scenario/load.ts");
  try {
    return parseScenario(text);
  } catch (error) {
    if (!(error instanceof ScenarioFileError)) throw error;
    throw new InputError(name, error.what, { line: error.line });
  }
}

/** The result without members that a JSON document cannot hold. */
const jsonResult = ({ cases, ...rest }: ScenarioResult) => ({
  ...rest,
  cases: cases.map(({ steps, ...one }) => ({
    ...one,
    steps: steps.map(({ note, ...step }) => ({ ...step, note: note ?? null })),
  })),
});
