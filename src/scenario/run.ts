// Performs a scenario: a fresh machine for every case, its steps in order, each outcome against
// what is expected.
import { ACTIONS } from "./actions.ts";
import type {
  ActionName,
  CaseResult,
  Outcome,
  Scenario,
  ScenarioCase,
  ScenarioResult,
  Step,
  StepResult,
} from "./types.ts";
import { ScenarioError, World } from "./world.ts";

/** Names of all actions. */
export const ACTION_NAMES = Object.keys(ACTIONS) as ActionName[];

/** The action of a step; undefined when there is none, or more than one. */
function actionOf(step: Step): ActionName | undefined {
  const found = ACTION_NAMES.filter((name) => step[name] !== undefined);
  return found.length === 1 ? found[0] : undefined;
}

/**
 * Performs a scenario.
 * @throws ScenarioError naming the case and the step that cannot be performed
 */
export async function runScenario(scenario: Scenario): Promise<ScenarioResult> {
  const cases: CaseResult[] = [];
  for (const one of scenario.cases) cases.push(await runCase(one));
  const { name, summary } = scenario;
  return { scenario: name, summary, cases, ok: cases.every(({ ok }) => ok) };
}

async function runCase({ name, machine = {}, steps }: ScenarioCase): Promise<CaseResult> {
  const world = await World.create(machine);
  const results = steps.map((step, i) => {
    try {
      return perform(world, step);
    } catch (error) {
      if (!(error instanceof ScenarioError)) throw error;
      throw new ScenarioError(`case "${name}", step ${i + 1}: ${error.message}`);
    }
  });
  const vmmReads = { ...world.machine.vmmReads };
  const ok = results.every(({ wrong }) => wrong.length === 0);
  return { name, machine, steps: results, vmmReads, ok };
}

function perform(world: World, step: Step): StepResult {
  const action = actionOf(step);
  if (action === undefined) throw new ScenarioError("a step needs exactly one action");
  const what = step[action];
  // The map pairs every name with a function of its own arguments.
  const act = ACTIONS[action] as (world: World, what: unknown) => Outcome;
  const outcome = act(world, what);
  return { action, what, note: step.note, outcome, wrong: compare(step.expect ?? {}, outcome) };
}

/** Members that are expected but have another value. */
function compare(expect: Record<string, unknown>, outcome: Outcome): StepResult["wrong"] {
  return Object.entries(expect).flatMap(([member, expected]) => {
    const got = outcome[member];
    return equals(expected, got) ? [] : [{ member, expected, got: got ?? null }];
  });
}

/**
 * Numbers are equal whatever their form. A text that is expected may be any part of the text, but
 * a word of a fixed list only as a whole.
 */
function equals(expected: unknown, got: unknown): boolean {
  if (isNumber(got))
    return isNumber(expected) ? BigInt(expected) === BigInt(got) : isHexOf(expected, got);
  if (typeof expected === "string" && typeof got === "string")
    return expected === got || (expected.includes(" ") && got.includes(expected));
  if (Array.isArray(expected))
    return (
      Array.isArray(got) &&
      got.length === expected.length &&
      expected.every((e, i) => equals(e, got[i]))
    );
  if (expected !== null && typeof expected === "object")
    return (
      got !== null &&
      typeof got === "object" &&
      Object.entries(expected).every(([k, v]) => equals(v, (got as Outcome)[k]))
    );
  return expected === (got ?? null);
}

const isNumber = (value: unknown): value is number | bigint =>
  typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));

const isHexOf = (text: unknown, value: number | bigint): boolean =>
  typeof text === "string" && /^0x[0-9a-f]+$/i.test(text) && BigInt(text) === BigInt(value);
