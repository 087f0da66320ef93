// The command line's framework: help, usage errors, exit codes, colours.

import { expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/commands.ts";
import { main } from "../../src/cli/main.ts";
import { call } from "./call.ts";

test("no command prints the help and is a usage error; --help is not", async () => {
  const bare = await call([]);
  expect(bare.code).toBe(2);
  expect(bare.err).toContain("Usage  vsmmu COMMAND");
  const help = await call(["--help"]);
  expect(help.code).toBe(0);
  for (const { name, summary } of COMMANDS) {
    expect(help.out).toContain(`  ${name} `);
    expect(help.out.replace(/\s+/g, " ")).toContain(summary);
  }
});

test("--version prints the version of package.json", async () => {
  const { default: manifest } = await import("../../package.json");
  expect(await call(["--version"])).toEqual({ code: 0, out: `${manifest.version}\n`, err: "" });
});

test("an unknown command is a usage error that names the nearest one", async () => {
  const r = await call(["wlak"]);
  expect(r.code).toBe(2);
  expect(r.err).toContain('vsmmu: unknown command "wlak"; did you mean walk?');
});

test.each(COMMANDS)("$name describes itself as the table does", async (row) => {
  const { command } = await row.load();
  expect(command.name).toBe(row.name);
  expect(command.summary).toBe(row.summary);
  expect(command.examples.length).toBeGreaterThan(0);
  const r = await call([row.name, "--help"]);
  expect(r.code).toBe(0);
  expect(r.err).toBe("");
  expect(r.out).toContain(`Usage  vsmmu ${row.name}`);
  for (const [line] of command.examples) expect(r.out).toContain(line);
  for (const option of Object.keys(command.options)) expect(r.out).toContain(`--${option}`);
  const viaHelp = await call(["help", row.name]);
  expect(viaHelp.out).toBe(r.out);
});

test("help fits the terminal", async () => {
  const r = await call(["walk", "--help"], { columns: 60 });
  const long = r.out.split("\n").filter((l) => l.length > 60 && !l.includes("vsmmu "));
  expect(long).toEqual([]);
});

test.each([
  [["walk", "--sdi", "1"], "unknown option --sdi; did you mean --sid?"],
  [["walk", "--sid"], "--sid wants a value"],
  [["walk", "--sid", "abc", "--iova", "0"], '--sid wants a number like 0x10 or 16, not "abc"'],
  [["walk", "--sid", "0x1ffffffff", "--iova", "0"], "--sid 0x1ffffffff exceeds 32 bits"],
  [["walk", "--sid", "1"], "--iova is missing"],
  [["walk", "extra"], 'unexpected argument "extra"'],
  [["run", "a", "b"], 'unexpected argument "b"'],
  [["run", "--json=yes"], "--json takes no value"],
  [["run", "--color", "pink"], '--color must be auto or always or never, not "pink"'],
  [["replay", "--compat", "kvm", "x"], '--compat must be arch or qemu, not "kvm"'],
])("%j is a usage error", async (argv, message) => {
  const r = await call(argv);
  expect(r.err).toContain(message);
  expect(r.err).toContain(`Try: vsmmu ${argv[0]} --help`);
  expect(r.code).toBe(2);
  expect(r.out).toBe("");
});

test("an input that is not there exits with 3 and says what to give", async () => {
  const r = await call(["run", "/no/such/capture"]);
  expect(r.code).toBe(3);
  expect(r.err).toBe(
    "vsmmu run: /no/such/capture: no such capture; give a directory with manifest.json\n",
  );
});

test.each([
  [{ isTTY: true }, {}, [], true],
  [{ isTTY: true }, { NO_COLOR: "1" }, [], false],
  [{ isTTY: true }, { TERM: "dumb" }, [], false],
  [{}, {}, [], false],
  [{}, { FORCE_COLOR: "1" }, [], true],
  [{}, { NO_COLOR: "1" }, ["--color", "always"], true],
  [{ isTTY: true }, {}, ["--color", "never"], false],
])("colours: %j %j %j -> %j", async (stream, env, flags, expected) => {
  let out = "";
  const write = (text: string) => {
    out += text;
  };
  await main({
    argv: ["run", "--help", ...flags],
    env,
    stdout: { ...stream, write },
    stderr: { write() {} },
    stdin: async () => new Uint8Array(0),
  });
  expect(out.includes("\x1b[")).toBe(expected);
});
