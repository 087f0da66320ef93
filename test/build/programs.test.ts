// The built program, as it is installed: what bundling may break.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/commands.ts";

const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));

function vsmmu(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const options = { encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } } as const;
  return spawnSync(process.execPath, [join(DIST, "cli.js"), ...args], options);
}

const SCENARIO = `# one function, nothing else
name: quiet
summary: A function is plugged in and nothing else happens.
cases:
  - name: only
    steps:
      - plug: { function: nvme, at: "01.0", sid: 40 }
      - start: smmu
`;

test.each(COMMANDS.map((c) => c.name))("%s loads and prints its help", (name) => {
  const { status, stdout, stderr } = vsmmu(name, "--help");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toContain(`vsmmu ${name}`);
});

test("scenario files are read in YAML and in JSON, and bad ones are named", () => {
  const directory = mkdtempSync(join(tmpdir(), "vsmmu-"));
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const json = vsmmu("scenarios", "--print", "torn-ste").stdout;
  expect(vsmmu("run", "--scenario", file("torn.json", json)).status).toBe(0);
  expect(vsmmu("run", "--scenario", file("quiet.yaml", SCENARIO))).toMatchObject({ status: 0 });
  const bad = vsmmu("run", "--scenario", file("bad.yaml", "name: x\nsteps: 5\n"));
  expect(bad).toMatchObject({ status: 3, stdout: "" });
  expect(bad.stderr).toContain("bad.yaml at line 1");
});

test("the licences of bundled packages are beside the program", () => {
  const text = readFileSync(join(DIST, "THIRD-PARTY-LICENSES.txt"), "utf8");
  expect(text).toMatch(/contains yaml:\s+Copyright/);
  expect(text).toContain("this permission notice appear in all copies");
});
