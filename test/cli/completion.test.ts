// The manual page and the completions say what the command table says.
import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/commands.ts";
import { COMMON_OPTIONS } from "../../src/cli/parse.ts";
import { call } from "./call.ts";

const commands = await Promise.all(COMMANDS.map(async (row) => (await row.load()).command));

const present = (program: string): boolean => {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`]);
    return true;
  } catch {
    return false;
  }
};

describe.each(["bash", "zsh", "fish"])("completion %s", (shell) => {
  test("names every command and option", async () => {
    const { code, out } = await call(["completion", shell]);
    expect(code).toBe(0);
    for (const c of commands) {
      expect(out).toContain(c.name);
      for (const name of Object.keys(c.options))
        expect(out).toMatch(new RegExp(`(--|-l )${name}\\b`));
    }
  });

  if (present(shell))
    test("is a script that the shell can read", async () => {
      const { out } = await call(["completion", shell]);
      const flags = shell === "fish" ? ["--no-execute"] : ["-n"];
      expect(() => execFileSync(shell, flags, { input: out })).not.toThrow();
    });
});

describe("bash completion at work", () => {
  const complete = async (line: string[]): Promise<string[]> => {
    const { out } = await call(["completion", "bash"]);
    const words = line.map((w) => `'${w}'`).join(" ");
    const script =
      `${out}\nCOMP_WORDS=(${words}); COMP_CWORD=${line.length - 1}; _vsmmu; printf ` +
      `'%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync("bash", ["-c", script], { encoding: "utf8" }).trim().split("\n");
  };
  test("commands, options, choices", async () => {
    expect(await complete(["vsmmu", "dec"])).toEqual(["decode"]);
    expect(await complete(["vsmmu", "decode", "--door"])).toEqual(["--doorbell"]);
    expect(await complete(["vsmmu", "decode", "--from", "l1"])).toEqual(["l1std", "l1cd"]);
    expect(await complete(["vsmmu", "completion", "z"])).toEqual(["zsh"]);
    expect(await complete(["vsmmu", "explain", "--color", "al"])).toEqual(["always"]);
  });
});

test("--json wraps the script and the page", async () => {
  const script = (await call(["completion", "zsh"])).out.trimEnd();
  const wrapped = JSON.parse((await call(["completion", "zsh", "--json"])).out);
  expect({ ...wrapped, script: wrapped.script.trimEnd() }).toEqual({ shell: "zsh", script });
  const { page } = JSON.parse((await call(["man", "--json"])).out);
  expect(page).toMatch(/^\.TH VSMMU 1/);
});

test("an unknown shell is a usage error", async () => {
  const r = await call(["completion", "tcsh"]);
  expect(r.code).toBe(2);
  expect(r.err).toContain("bash, zsh, fish");
});

describe("man", () => {
  test("has every command, option, exit code and example", async () => {
    const { code, out } = await call(["man"]);
    expect(code).toBe(0);
    const plain = out.replaceAll("\\-", "-").replaceAll("\\e", "\\");
    for (const c of commands) {
      expect(plain).toContain(`.SS "vsmmu ${c.name} `);
      for (const name of Object.keys({ ...c.options, ...COMMON_OPTIONS }))
        expect(plain).toContain(`--${name}`);
      for (const [example] of c.examples) expect(plain).toContain(example.replaceAll("…", "..."));
    }
    for (const exit of ["0", "1", "2", "3", "70"]) expect(plain).toContain(`\\fB${exit}\\fR`);
  });

  test("no line of text begins with a request that roff would take", async () => {
    const { out } = await call(["man"]);
    const requests = out.split("\n").filter((l) => l.startsWith("."));
    expect(requests.filter((l) => !/^\.(TH|SH|SS|TP|PP|B)( |$)/.test(l))).toEqual([]);
  });
});
