// House rules that no linter knows: sizes, first lines, masks, and who touches memory.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const COLUMNS = 100;
const FUNCTION_LINES = 70;
const FILE_LINES = 400;
/** Hexadecimal numbers below this may stand in an expression. */
const PLAIN_HEX_MAX = 0x10;
const FOLDERS = ["assembly", "src", "test", "bench"];
const SOURCE = /\.(ts|mts|mjs)$/;
/** Generated code, and data that only looks like sources. */
const EXEMPT = /^(assembly\/layout|test\/golden|test\/captures|test\/corpus)\//;
/** Files of the engine that own state in linear memory, and the door to the guest's. */
const OWNERS = [
  ...["guest", "regfile", "command", "event", "stream", "context", "configure"],
  ...["config", "contextid", "tlb", "tlb-qemu"],
  ...["its", "its-state", "its-table", "its-command", "its-kvm-store"],
].map((name) => `assembly/${name}.ts`);

interface Source {
  name: string;
  lines: string[];
}

/** Names of all sources, relative to the root. */
function listSources(): string[] {
  const all = FOLDERS.flatMap((folder) =>
    readdirSync(`${ROOT}/${folder}`, { recursive: true, encoding: "utf8" }).map(
      (name) => `${folder}/${name.replaceAll("\\", "/")}`,
    ),
  );
  return all.filter((name) => SOURCE.test(name) && !EXEMPT.test(name)).sort();
}

const SOURCES: Source[] = listSources().map((name) => ({
  name,
  lines: readFileSync(`${ROOT}/${name}`, "utf8").split("\n"),
}));
const ENGINE = SOURCES.filter(({ name }) => /^assembly\/[^/]+\.ts$/.test(name));

/** A line without comments and strings, for rules about code. */
function codeOf(line: string): string {
  if (/^\s*(\/\/|\/?\*)/.test(line)) return "";
  return line
    .replace(/"(\\.|[^"\\])*"|'(\\.|[^'\\])*'|`(\\.|[^`\\])*`/g, '""')
    .replace(/\/\/.*$/, "");
}

/** A function, a method, an arrow function; and the end of a header that takes several lines. */
const HEADERS = [
  /^(\s*)(?:export )?(?:default )?(?:async )?function \*?\w*[(<]/,
  /^(\s*)(?:(?:static|private|public|get|set|async) )*#?\w+\(.*\)(?:: .+)? \{$/,
  /^(\s*)(?:export )?const \w+ = (?:async )?\(.*=> \{$/,
  /^(\s*)\)(?:: .+)? \{$/,
];
/** Lines that look like the header of a function and are none. */
const NO_FUNCTION = /^\s*(if|for|while|switch|return|else|catch|test|it|describe|expect)\b/;

/**
 * Functions that are too long: a header that ends in `{`, up to the brace at its own indentation.
 */
function longFunctions({ name, lines }: Source): string[] {
  const found: string[] = [];
  lines.forEach((line, start) => {
    const header = HEADERS.map((pattern) => pattern.exec(line)).find(Boolean);
    if (!header || NO_FUNCTION.test(line)) return;
    const end = lines.findIndex((l, i) => i > start && l.startsWith(`${header[1]}}`));
    const length = end - start + 1;
    if (length > FUNCTION_LINES) found.push(`${name}:${start + 1}: ${length} lines`);
  });
  return found;
}

/** Hexadecimal masks in expressions; a named constant may hold any number. */
function rawMasks({ name, lines }: Source): string[] {
  return lines.flatMap((line, i) => {
    const code = codeOf(line);
    if (/^(export )?const \w+(: \w+)? =/.test(code)) return [];
    const raw = code.match(/\b0x[0-9a-f_]+\b/gi)?.filter((hex) => Number(hex) >= PLAIN_HEX_MAX);
    return raw?.length ? [`${name}:${i + 1}: ${raw.join(" ")}`] : [];
  });
}

/** A shift and a mask of numbers in one expression is a field that belongs to a layout. */
function rawFields({ name, lines }: Source): string[] {
  return lines.flatMap((line, i) => {
    const found = /(>>>?|<<) ?(<\w+>)?\d+\)? & (<\w+>)?\(?\d+/.test(codeOf(line));
    return found ? [`${name}:${i + 1}: ${line.trim()}`] : [];
  });
}

describe("sizes", () => {
  test(`no line has more than ${COLUMNS} columns`, () => {
    const long = SOURCES.flatMap(({ name, lines }) =>
      lines.flatMap((line, i) => ([...line].length > COLUMNS ? [`${name}:${i + 1}`] : [])),
    );
    expect(long).toEqual([]);
  });

  test(`no function has more than ${FUNCTION_LINES} lines`, () => {
    expect(SOURCES.flatMap(longFunctions)).toEqual([]);
  });

  test(`no file has more than ${FILE_LINES} lines`, () => {
    const long = SOURCES.filter(({ lines }) => lines.length - 1 > FILE_LINES);
    expect(long.map(({ name, lines }) => `${name}: ${lines.length - 1}`)).toEqual([]);
  });
});

describe("files", () => {
  test("begin with a comment that says in a sentence what they are", () => {
    const bad = SOURCES.filter(({ lines }) => {
      const first = lines[0].startsWith("#!") ? lines[1] : lines[0];
      return !/^\/\/ \S.{15,}/.test(first);
    });
    expect(bad.map(({ name }) => name)).toEqual([]);
  });

  test("hold no leftovers: no skipped tests, no focus, no to-dos, no debugger", () => {
    const LEFTOVER =
      /\b(TODO|FIXME|XXX|HACK)\b|\b(test|it|describe)\.(only|skip|todo)\b|\bdebugger\b/;
    const found = SOURCES.filter(({ name }) => name !== "test/tidy.test.ts").flatMap((source) =>
      source.lines.flatMap((line, i) => (LEFTOVER.test(line) ? [`${source.name}:${i + 1}`] : [])),
    );
    expect(found).toEqual([]);
  });
});

describe("the engine", () => {
  test("has no raw masks outside assembly/layout and named constants", () => {
    expect(ENGINE.flatMap(rawMasks)).toEqual([]);
  });

  test("takes fields out of words by their accessors", () => {
    expect(ENGINE.flatMap(rawFields)).toEqual([]);
  });

  test("touches linear memory only where its state, or the door to the guest's, is", () => {
    const ACCESS = /\b(load|store)<|\batomic\.|\bv128\.(load|store)|\bmemory\.(fill|copy|grow)/;
    const found = ENGINE.filter(({ lines }) => lines.some((line) => ACCESS.test(codeOf(line))));
    const strangers = found.map(({ name }) => name).filter((name) => !OWNERS.includes(name));
    expect(strangers).toEqual([]);
    // The list of owners is no longer than it has to be.
    expect(OWNERS.filter((name) => !found.some((f) => f.name === name))).toEqual([]);
  });

  test("uses no static data and nothing that needs a runtime", () => {
    const FORBIDDEN =
      /\b(class|new|throw|assert|StaticArray|Array|Map|Set|String|string)\b|=> *\{|@/;
    const found = ENGINE.flatMap(({ name, lines }) =>
      lines.flatMap((line, i) => {
        const code = codeOf(line);
        const bad = !/^(import|export \{|\} from)/.test(code) && FORBIDDEN.test(code);
        return bad ? [`${name}:${i + 1}: ${line.trim()}`] : [];
      }),
    );
    expect(found).toEqual([]);
  });
});

test("the rules notice what they forbid", () => {
  const source = (text: string): Source => ({ name: "x", lines: text.split("\n") });
  const body = "  a();\n".repeat(FUNCTION_LINES);
  for (const header of ["export function f(a: u32): void {", "const f = () => {"]) {
    expect(longFunctions(source(`${header}\n${body}}\n`)).length, header).toBe(1);
  }
  expect(longFunctions(source(`class X {\n  #m(a: string): void {\n${body}  }\n}`)).length).toBe(1);
  expect(longFunctions(source(`function f() {\n}\n${body}`))).toEqual([]);
  expect(rawMasks(source("return value & 0xff;")).length).toBe(1);
  expect(rawMasks(source("const MASK: u32 = 0xff;\n// 0xff\nreturn x & 0xf;"))).toEqual([]);
  expect(rawFields(source("const a = (word >> 12) & 31;")).length).toBe(1);
});
