// Which rooms may import which: data walks through the house one way (ARCHITECTURE.md).
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Rooms of src from the ground up. A room imports rooms below it, and its neighbours one way. */
const FLOORS = [
  ["spec"],
  ["tables", "decode", "engine"],
  ["pci", "gic"],
  ["kvm", "vfio", "smmu"],
  ["machine"],
  ["capture", "scenario", "race", "qtest"],
  ["conform", "vectors"],
  ["view"],
  ["cli", "web", "index.ts"],
];
/** Rooms that may import nothing but the rooms named here. */
const STRICT: Record<string, string[]> = {
  spec: [],
  tables: ["spec"],
  decode: ["spec"],
  engine: ["spec"],
  build: [],
};
/** Rooms that may use packages, and which; `node:` stands for all of Node's own. */
const PACKAGES: Record<string, string[]> = {
  build: ["node:", "assemblyscript", "assemblyscript/asc", "assemblyscript/transform", "esbuild"],
  capture: ["node:"],
  cli: ["node:"],
  engine: ["node:fs/promises", "node:worker_threads"],
  qtest: ["node:"],
  scenario: ["yaml"],
};

interface Import {
  from: string;
  /** A path relative to the root, or a package. */
  to: string;
  /** Nothing that runs when the importer is loaded: types alone, or a dynamic import. */
  idle: boolean;
}

function filesOf(folder: string): string[] {
  return readdirSync(`${ROOT}/${folder}`, { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .filter((name) => /\.(ts|mts|mjs)$/.test(name))
    .sort();
}

/** All import and export-from statements of a text, and its dynamic imports. */
function parseImports(text: string): { specifier: string; idle: boolean }[] {
  const code = text.replace(/^\s*\/\/.*$/gm, "").replace(/\/\*[\s\S]*?\*\//g, "");
  const STATEMENT = /^(?:import|export)\b([^;"'`]*?)\bfrom\s*["']([^"']+)["']/gm;
  const BARE = /^import\s*["']([^"']+)["']/gm;
  const DYNAMIC = /\bimport\(\s*["']([^"']+)["']\s*\)/g;
  return [
    ...[...code.matchAll(STATEMENT)].map(([, what, specifier]) => {
      return { specifier, idle: /^\s*type\b/.test(what) };
    }),
    ...[...code.matchAll(BARE)].map(([, specifier]) => ({ specifier, idle: false })),
    ...[...code.matchAll(DYNAMIC)].map(([, specifier]) => ({ specifier, idle: true })),
  ];
}

function importsOf(folder: string): Import[] {
  return filesOf(folder).flatMap((from) =>
    parseImports(readFileSync(`${ROOT}/${from}`, "utf8")).map(({ specifier, idle }) => {
      const relative = specifier.startsWith(".");
      const path = posix.join(posix.dirname(from), specifier);
      // AssemblyScript leaves the ending out.
      const to = relative && existsSync(`${ROOT}/${path}.ts`) ? `${path}.ts` : path;
      return { from, to: relative ? to : specifier, idle };
    }),
  );
}

const SRC = importsOf("src");
const ASSEMBLY = importsOf("assembly");
const TEST = importsOf("test");
const isLocal = (to: string): boolean => /^(src|assembly|test|bench|dist)\//.test(to);
const roomOf = (path: string): string => path.split("/")[1];
const floorOf = (room: string): number => FLOORS.findIndex((floor) => floor.includes(room));
const show = ({ from, to }: Import): string => `${from} -> ${to}`;

/** Room of a path in src, or undefined. */
const sourceRoom = (path: string): string | undefined =>
  path.startsWith("src/") ? roomOf(path) : undefined;

/** A cycle through `edges`, as the list of its members, or undefined. */
function cycleIn(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] | undefined {
  const done = new Set<string>();
  const visit = (node: string, path: string[]): string[] | undefined => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (done.has(node)) return undefined;
    for (const next of edges.get(node) ?? []) {
      const found = visit(next, [...path, node]);
      if (found) return found;
    }
    done.add(node);
    return undefined;
  };
  for (const node of edges.keys()) {
    const found = visit(node, []);
    if (found) return found;
  }
  return undefined;
}

function edgesOf(imports: Import[], nameOf: (path: string) => string): Map<string, Set<string>> {
  const edges = new Map<string, Set<string>>();
  for (const { from, to } of imports.filter((i) => isLocal(i.to))) {
    const [a, b] = [nameOf(from), nameOf(to)];
    if (a !== b) edges.set(a, (edges.get(a) ?? new Set()).add(b));
  }
  return edges;
}

describe("src", () => {
  test("has no room that the plan does not know", () => {
    const rooms = new Set(filesOf("src").map(roomOf));
    const unknown = [...rooms].filter((room) => floorOf(room) < 0 && room !== "build");
    expect(unknown).toEqual([]);
  });

  test("imports nothing from assembly, test or bench", () => {
    const bad = SRC.filter(({ to }) => /^(assembly|test|bench)\//.test(to));
    expect(bad.map(show)).toEqual([]);
  });

  test("imports rooms of lower floors, and neighbours", () => {
    const bad = SRC.filter(({ from, to }) => {
      const [a, b] = [roomOf(from), sourceRoom(to)];
      if (b === undefined || a === b) return false;
      if (a in STRICT) return !STRICT[a].includes(b);
      return floorOf(b) > floorOf(a) || b === "build";
    });
    expect(bad.map(show)).toEqual([]);
  });

  test("has no circle of rooms", () => {
    const edges = edgesOf(
      SRC.filter(({ to }) => to.startsWith("src/")),
      roomOf,
    );
    expect(cycleIn(edges)).toBeUndefined();
  });

  test("has no circle of files, types and lazy imports apart", () => {
    const edges = edgesOf(
      SRC.filter(({ idle }) => !idle),
      (path) => path,
    );
    expect(cycleIn(edges)).toBeUndefined();
  });

  test("uses packages only in the rooms that deal with the outside", () => {
    const bad = SRC.filter(({ from, to }) => {
      if (isLocal(to)) return false;
      const allowed = PACKAGES[roomOf(from)] ?? [];
      return !allowed.some((name) => (name === "node:" ? to.startsWith(name) : to === name));
    });
    expect(bad.map(show)).toEqual([]);
  });

  test("reaches the compiled engine from one place", () => {
    const bad = SRC.filter(({ to }) => to.startsWith("dist/")).map(({ from }) => from);
    expect(new Set(bad)).toEqual(new Set(["src/engine/wasm-inline.ts"]));
  });
});

describe("assembly", () => {
  test("imports nothing outside itself", () => {
    expect(ASSEMBLY.filter(({ to }) => !to.startsWith("assembly/")).map(show)).toEqual([]);
  });

  test("layouts import nothing", () => {
    expect(ASSEMBLY.filter(({ from }) => from.startsWith("assembly/layout/")).map(show)).toEqual(
      [],
    );
  });

  test("has no circle of files", () => {
    expect(cycleIn(edgesOf(ASSEMBLY, (path) => path))).toBeUndefined();
  });
});

describe("test", () => {
  test("the oracle imports neither src nor assembly", () => {
    const bad = TEST.filter(({ from, to }) => {
      return from.startsWith("test/oracle/") && /^(src|assembly|dist)\//.test(to);
    });
    expect(bad.map(show)).toEqual([]);
  });

  test("nothing of the oracle comes in by another way", () => {
    // What the oracle imports of other test folders must not lead to src either.
    const edges = edgesOf(TEST, (path) => path);
    const reached = new Set(filesOf("test/oracle"));
    for (const file of reached) for (const next of edges.get(file) ?? []) reached.add(next);
    expect([...reached].filter((path) => !path.startsWith("test/"))).toEqual([]);
  });
});

describe("the parser", () => {
  test("finds every form of import", () => {
    const text = [
      'import a from "./a.ts";',
      "import type { B } from './b.ts';",
      'import {\n  c,\n  d,\n} from "./c.ts";',
      'export * from "./d.ts";',
      'export { type E } from "./e.ts";',
      'import "./f.ts";',
      'const g = await import("./g.ts");',
      '// import h from "./h.ts";',
      '/* import i from "./i.ts"; */',
    ].join("\n");
    const found = parseImports(text);
    expect(found.map(({ specifier }) => specifier[2]).sort()).toEqual([..."abcdefg"]);
    const idle = found.filter((i) => i.idle).map(({ specifier }) => specifier);
    expect(idle).toEqual(["./b.ts", "./g.ts"]);
  });

  test("finds circles", () => {
    const edges = (...list: [string, string][]) =>
      new Map(
        list.map(([from]) => [from, new Set(list.filter((e) => e[0] === from).map((e) => e[1]))]),
      );
    expect(cycleIn(edges(["a", "b"], ["b", "c"], ["c", "b"]))).toEqual(["b", "c", "b"]);
    expect(cycleIn(edges(["a", "b"], ["a", "c"], ["b", "c"]))).toBeUndefined();
  });
});
