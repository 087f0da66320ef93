// `vsmmu scenarios` and `vsmmu run --scenario`: lists, files, exit codes.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BUILTIN_SCENARIOS } from "../../src/scenario/builtin/index.ts";
import { call } from "./call.ts";

const directory = mkdtempSync(join(tmpdir(), "vsmmu-"));

const fileOf = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};

test("the list has one sentence for every scenario", async () => {
  const text = await call(["scenarios"]);
  expect(text.code).toBe(0);
  for (const { name } of BUILTIN_SCENARIOS) expect(text.out).toContain(`${name}\n`);
  const json = await call(["scenarios", "--json"]);
  expect(JSON.parse(json.out)).toEqual(
    BUILTIN_SCENARIOS.map(({ name, summary }) => ({ name, summary })),
  );
});

test("a printed scenario runs as a file, and so does the schema print", async () => {
  const printed = await call(["scenarios", "--print", "msi-remap"]);
  const run = await call(["run", "--scenario", fileOf("mine.json", printed.out), "--json"]);
  expect(run).toMatchObject({ code: 0, err: "" });
  expect(JSON.parse(run.out)).toMatchObject({ scenario: "msi-remap", ok: true });
  const schema = await call(["scenarios", "--schema"]);
  expect(JSON.parse(schema.out)).toMatchObject({ $schema: expect.any(String), type: "object" });
});

test.each(BUILTIN_SCENARIOS.map(({ name }) => name))("%s exits with 0", async (name) => {
  const { code, out, err } = await call(["run", "--scenario", name]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toContain("Every step came to what was expected.");
  expect(out).toMatch(/The VMM read guest memory for .* of tables and CDs\./);
});

test("a wrong expectation exits with 1 and shows both values", async () => {
  const text = `name: wrong
summary: A wrong expectation.
cases:
  - name: one
    steps:
      - plug: { function: f, at: "01.0", sid: 8 }
        expect: { refused: "no" }
`;
  const r = await call(["run", "--scenario", fileOf("wrong.yaml", text)]);
  expect(r.code).toBe(1);
  expect(r.out).toContain("refused: expected no, got none");
});

test("a file that does not fit exits with 3 and names line and path", async () => {
  const path = fileOf("bad.yml", "name: bad\nsummary: Bad.\ncases:\n  - name: one\n    steps: 5\n");
  const r = await call(["run", "--scenario", path]);
  expect(r.code).toBe(3);
  expect(r.err).toContain("bad.yml at line 5: cases[0].steps must be an array, not 5");
});

test("a step that cannot be performed exits with 3", async () => {
  const text = JSON.stringify({
    name: "x",
    summary: "X.",
    cases: [{ name: "one", steps: [{ dma: { function: "none", iova: 0 } }] }],
  });
  const r = await call(["run", "--scenario", fileOf("x.json", text)]);
  expect(r.code).toBe(3);
  expect(r.err).toContain('case "one", step 1: no function is called "none"');
});

test("what does not exist is refused", async () => {
  const missing = await call(["run", "--scenario", join(directory, "none.yaml")]);
  expect(missing.code).toBe(3);
  expect(missing.err).toContain("no such file");
  const unknown = await call(["run", "--scenario", "torn-stes"]);
  expect(unknown.code).toBe(2);
  expect(unknown.err).toContain("did you mean torn-ste?");
  const both = await call(["run", "somewhere", "--scenario", "torn-ste"]);
  expect(both.code).toBe(2);
});
