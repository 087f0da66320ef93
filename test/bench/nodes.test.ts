// Other Node versions: which program runs, what cannot be had, and the table side by side.
import { existsSync, readdirSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { NODE_VERSIONS, nodeOf, UnavailableError } from "../../bench/nodes/node-package.ts";
import { nodesCommand, nodesTable } from "../../bench/nodes/nodes-command.ts";
import type { Entry } from "../../bench/report/history.ts";
import { CACHE } from "../../bench/root.ts";
import { runCommand } from "../../src/cli/main.ts";
import { entryOf, MACHINE, ROWS } from "./rows.ts";

test("this process's own version needs no package, whatever the platform", async () => {
  expect(await nodeOf(process.versions.node, "plan9-mips")).toBe(process.execPath);
});

test("other platforms and half versions are refused with a reason", async () => {
  await expect(nodeOf("99.0.0", "darwin-arm64")).rejects.toThrow(
    "the packages of Node are for linux-x64, this is darwin-arm64",
  );
  await expect(nodeOf("99", "linux-x64")).rejects.toBeInstanceOf(UnavailableError);
});

test("without npm or a network the reason is told, and nothing is left behind", async () => {
  const kept = () => (existsSync(CACHE) ? readdirSync(CACHE) : []);
  vi.stubEnv("PATH", "/nonexistent");
  await expect(nodeOf("98.0.0", "linux-x64")).rejects.toThrow(/npm pack .*is the network there\?/);
  vi.unstubAllEnvs();
  expect(kept().filter((name) => name.startsWith("node-98"))).toEqual([]);
});

test("a version that cannot be had ends the command with 3, a bad list with 2", async () => {
  let err = "";
  const run = (...argv: string[]) =>
    runCommand(
      nodesCommand,
      argv,
      {
        argv: [],
        env: {},
        stdout: { write: () => true },
        stderr: { write: (text) => (err += text) },
        stdin: async () => new Uint8Array(),
      },
      "npm run bench:nodes --",
    );
  expect(await run("--versions", "99")).toBe(3);
  expect(err).toContain("Node 99: of Node 99 the whole version is needed");
  expect(await run("--versions", "latest")).toBe(2);
  expect(err).toContain('--versions wants numbers like 20 or 22.19.0, not "latest"');
});

test("majors from the oldest that the package runs on, each with a whole version", () => {
  expect(Object.keys(NODE_VERSIONS)).toEqual(["20", "22", "24", "26"]);
  for (const [major, exact] of Object.entries(NODE_VERSIONS)) {
    expect(exact).toMatch(new RegExp(`^${major}\\.\\d+\\.\\d+$`));
  }
});

test("the table has a column for each version, and says what is missed or missing there", () => {
  const under = (node: string, ...rows: (typeof ROWS)[keyof typeof ROWS][]): Entry => ({
    ...entryOf(...rows),
    machine: { ...MACHINE, node },
  });
  const missed = { ...ROWS.ok, value: { median: 0.8, low: 0.8, high: 0.8 } };
  const lines = nodesTable([under("20.1.0", ROWS.ok, ROWS.free), under("26.2.0", missed)], {
    color: false,
    width: 0,
  });
  expect(lines[0]).toMatch(/case +value is +target +Node 20\.1\.0 +Node 26\.2\.0/);
  expect(lines[1]).toMatch(/cached +engine \/ C +<= 0\.75 +0\.5 x +0\.8 x MISSED/);
  expect(lines[2]).toMatch(/start .* 12\.3 ms +not compared/);
});
