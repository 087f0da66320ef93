// Built-in scenarios come to what they say; files are checked against the schema; a wrong
// expectation is found.
import { describe, expect, it } from "vitest";
import { BUILTIN_SCENARIOS, findScenario } from "../../src/scenario/builtin/index.ts";
import { parseScenario, ScenarioFileError } from "../../src/scenario/load.ts";
import { jumpOverGuard, rcuDepths } from "../../src/scenario/rcu.ts";
import { ACTION_NAMES, runScenario } from "../../src/scenario/run.ts";
import { ACTION_SCHEMAS, SCENARIO_SCHEMA } from "../../src/scenario/schema.ts";
import type { Scenario, Step } from "../../src/scenario/types.ts";

const DIRECT_CASES = ["doorbell-after-return", "no-shared-space", "torn-ste", "passthrough-walk"];

describe("built-in scenarios", () => {
  it.each(BUILTIN_SCENARIOS.map((s) => [s.name, s] as const))("%s", async (_, scenario) => {
    const result = await runScenario(scenario);
    const wrong = result.cases.flatMap((c) => c.steps.flatMap((s) => s.wrong));
    expect(wrong).toEqual([]);
    expect(result.ok).toBe(true);
    // A scenario without expectations would prove nothing.
    for (const { steps } of scenario.cases)
      expect(steps.some(({ expect: wanted }) => wanted !== undefined)).toBe(true);
  });

  it("have names and one sentence each", () => {
    const names = BUILTIN_SCENARIOS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { summary } of BUILTIN_SCENARIOS) expect(summary).toMatch(/^[A-Z].*\.$/);
  });

  it.each(BUILTIN_SCENARIOS.map((s) => [s.name, s] as const))(
    "%s is a file of the published schema",
    (_, scenario) => {
      expect(parseScenario(JSON.stringify(scenario))).toEqual(JSON.parse(JSON.stringify(scenario)));
    },
  );

  it.each(DIRECT_CASES)(
    "%s: a machine that walks reads tables, one with a doorbell none",
    async (name) => {
      const scenario = findScenario(name) as Scenario;
      const { cases } = await runScenario(scenario);
      for (const { machine, vmmReads } of cases)
        if (machine.doorbell === "walk") expect(vmmReads.tables).toBeGreaterThan(0);
        else expect(vmmReads.tables).toBe(0);
    },
  );
});

describe("the schema", () => {
  it("has every action and nothing else", () => {
    expect(Object.keys(ACTION_SCHEMAS).sort()).toEqual([...ACTION_NAMES].sort());
  });

  it("is JSON", () => {
    expect(JSON.parse(JSON.stringify(SCENARIO_SCHEMA))).toEqual(SCENARIO_SCHEMA);
  });
});

const YAML = `name: mine
summary: A page of the guest's memory.
cases:
  - name: one
    steps:
      - plug: { function: nvme, at: "01.0", sid: 0x28 }
      - start: smmu
      - attach: { function: nvme, domain: dma }
      - map: { domain: dma, iova: 0xffff0000, gpa: 0x40100000 }
      - dma: { function: nvme, iova: 0xffff0010, write: true }
        expect: { status: ok, gpa: 0x40100010 }
`;

describe("scenario files", () => {
  it("are YAML", async () => {
    const result = await runScenario(parseScenario(YAML));
    expect(result.ok).toBe(true);
    expect(result.cases[0].steps.at(-1)?.outcome).toMatchObject({ status: "ok", stage: 3 });
  });

  it("share steps by aliases", async () => {
    const text = [
      "name: shared",
      "summary: Twice.",
      "cases:",
      "  - name: a",
      "    steps: &s",
      '      - plug: { function: f, at: "01.0", sid: 8 }',
      "        expect: { refused: null }",
      "  - name: b",
      "    machine: { compat: qemu }",
      "    steps: *s",
      "",
    ].join("\n");
    const result = await runScenario(parseScenario(text));
    expect(result.cases.map((c) => c.steps.length)).toEqual([1, 1]);
    expect(result.ok).toBe(true);
  });

  const change = (from: string, to: string): string => {
    const changed = YAML.replace(from, to);
    expect(changed).not.toBe(YAML);
    return changed;
  };

  it.each<[string, string, string, number, RegExp]>([
    [
      "an unknown member",
      "domain: dma, iova",
      "domian: dma, iova",
      9,
      /cases\[0\]\.steps\[3\]\.map has no domain/,
    ],
    [
      "an unknown action",
      "- start: smmu",
      "- begin: smmu",
      7,
      /cases\[0\]\.steps\[1\]\.begin is not known here/,
    ],
    [
      "two actions",
      "start: smmu",
      "start: smmu\n        reset: {}",
      7,
      /steps\[1\] has start and reset: only one action/,
    ],
    ["no action", "- start: smmu", "- note: nothing", 7, /steps\[1\] needs one of plug, unplug/],
    [
      "a wrong choice",
      "start: smmu",
      "start: gic",
      7,
      /steps\[1\]\.start must be smmu or its, not "gic"/,
    ],
    [
      "a text for a number",
      "sid: 0x28",
      "sid: many",
      6,
      /plug\.sid must be a number or a text like "0x1000", not "many"/,
    ],
    ["a negative number", "sid: 0x28", "sid: -1", 6, /plug\.sid must be/],
    ["a bad slot", '"01.0"', '"1"', 6, /plug\.at "1" does not match/],
    ["a member that is there twice", "name: one", "name: one\n    name: two", 5, /unique/],
    [
      "a name with a space",
      "name: mine",
      "name: my scenario",
      1,
      /name "my scenario" does not match/,
    ],
    [
      "a missing summary",
      "summary: A page of the guest's memory.\n",
      "",
      1,
      /the document has no summary/,
    ],
    ["broken YAML", "cases:", "cases: [", 4, /./],
    ["a list", YAML, "- 1", 1, /the document must be an object, not an array/],
    ["nothing", YAML, "", 1, /the document must be an object, not null/],
  ])("%s is named with line and path", (_, from, to, line, message) => {
    let error: unknown;
    try {
      parseScenario(change(from, to));
    } catch (e) {
      error = e;
    }
    expect(error).toBeInstanceOf(ScenarioFileError);
    const { what, line: found } = error as ScenarioFileError;
    expect(what).toMatch(message);
    expect(found).toBe(line);
  });

  it("with endless aliases are refused", () => {
    const lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
    for (let i = 0; i < 8; i++) {
      const [from, to] = [String.fromCharCode(97 + i), String.fromCharCode(98 + i)];
      lines.push(`${to}: &${to} [${Array(10).fill(`*${from}`).join(", ")}]`);
    }
    expect(() => parseScenario(lines.join("\n"))).toThrow(ScenarioFileError);
    expect(() => parseScenario("x".repeat((1 << 20) + 1))).toThrow("1 MiB");
  });
});

describe("performing", () => {
  const perform = async (...steps: Step[]) =>
    await runScenario({ name: "t", summary: "T.", cases: [{ name: "c", steps }] });

  it("finds every member that is not as expected", async () => {
    const { ok, cases } = await perform({
      plug: { function: "f", at: "01.0", sid: 8 },
      expect: { refused: "never", other: 1 },
    });
    expect(ok).toBe(false);
    expect(cases[0].steps[0].wrong).toEqual([
      { member: "refused", expected: "never", got: null },
      { member: "other", expected: 1, got: null },
    ]);
  });

  it.each<[string, Step[], RegExp]>([
    [
      "a function that is not there",
      [{ dma: { function: "f", iova: 0 } }],
      /step 1: no function is called "f"/,
    ],
    [
      "a driver that is not started",
      [{ map: { domain: "d", iova: 0, gpa: 0 } }],
      /SMMU driver is not started/,
    ],
    [
      "an ITS that is not started",
      [{ plug: { function: "f", at: "01.0", sid: 8 } }, { itsMap: { function: "f", event: 1 } }],
      /step 2: the ITS driver is not started/,
    ],
    ["an unknown register", [{ register: { name: "NONE" } }], /no register NONE/],
    [
      "an unknown command",
      [{ start: "smmu" }, { command: { name: "CMD_NONE" } }],
      /no command is called/,
    ],
    [
      "an unknown field",
      [{ start: "smmu" }, { command: { name: "CMD_SYNC", fields: { X: 1 } } }],
      /no command has a field X/,
    ],
    ["no action", [{}], /exactly one action/],
  ])("names the step with %s", async (_, steps, message) => {
    await expect(perform(...steps)).rejects.toThrow(message);
  });
});

describe("the RCU read section", () => {
  it("is left by every exit, however often", () => {
    expect(rcuDepths(5000)).toEqual({
      doorbell: 0,
      translated: 0,
      "no translation": 0,
      "no memory there": 0,
    });
  });

  it("would not be left rightly by a guard that the doorbell's path jumps over", () => {
    expect(jumpOverGuard()).toBe("RCU read section left without being entered");
  });
});
