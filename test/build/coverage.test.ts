// The coverage build: which statements count as reached, that it changes no answer and no release.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Counters } from "../coverage/counters.ts";
import { randomCase } from "../property/generate.ts";
import type { Subject } from "../property/subject.ts";

/** A source file of the report: its statements, the reached ones, and the lines of the others. */
interface FileSummary {
  file: string;
  statements: number;
  hit: number;
  missed: [number, number][];
  hits: boolean[];
}
/** Line, column, last line, last column of each statement, by file. */
type PointMap = Record<string, number[][]>;

interface Build {
  compileCoverage(args: string[], outFile: string, baseDir?: string): Promise<PointMap>;
  ENGINE: string[];
}
interface Report {
  annotate(text: string, places: number[][], hits: boolean[]): string;
  mergeWords(records: Record<string, number>[]): Record<string, number>;
  summarize(map: PointMap, words: Record<string, number>): FileSummary[];
  tableOf(summary: FileSummary[]): string;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const tool = (name: string) => import(pathToFileURL(join(ROOT, "src", "build", name)).href);
const CASES = 500;
const PROGRAM = `export function grade(x: i32): i32 {
  let sum = 0;
  if (x < 0) return -1;
  else if (x == 0) sum = 7;
  for (let i = 0; i < x; i++) sum += i;
  while (sum > 100)
    sum -= 100;
  do { sum++; } while (sum < 0);
  switch (x) {
    case 1:
      sum = 40;
      break;
    default: {
      sum += 2;
    }
  }
  return sum;
}

function unused(): i32 {
  return 1;
}

export function other(): i32 {
  const x =
    unused();
  return x;
}
`;

let folder: string;
let build: Build;
let report: Report;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "vsmmu-coverage-"));
  [build, report] = await Promise.all([tool("coverage.mjs"), tool("coverage-report.mjs")]);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Instantiates a module with counters of its own. */
async function instantiateCounted(bytes: Uint8Array<ArrayBuffer>, counters: Counters) {
  counters.attach();
  try {
    const module = await WebAssembly.compile(bytes);
    return await WebAssembly.instantiate(module, {});
  } finally {
    counters.detach();
  }
}

test("a small program: what ran is reached, line by line, and the answers stay", async () => {
  writeFileSync(join(folder, "small.ts"), PROGRAM);
  const args = ["small.ts", "--runtime", "stub", "--noExportMemory"];
  const map = await build.compileCoverage(args, "small.wasm", folder);
  const counters = new Counters();
  const bytes = new Uint8Array(readFileSync(join(folder, "small.wasm")));
  const { exports } = await instantiateCounted(bytes, counters);
  const grade = exports.grade as (x: number) => number;

  const before = report.summarize(map, counters.words());
  expect(before).toMatchObject([{ file: "small.ts", hit: 0, statements: 19 }]);
  expect([-5, 3].map(grade)).toEqual([-1, 6]);
  const [small] = report.summarize(map, counters.words());
  // `sum = 7` shares its line with a condition that ran; both functions below never ran.
  expect(small.missed).toEqual([
    [4, 4],
    [7, 7],
    [11, 12],
    [21, 27],
  ]);
  const marks = report.annotate(PROGRAM, map["small.ts"], small.hits).split("\n");
  expect(marks.map((line) => line[0]).join("")).toBe(" ++~++!++ !! +  +   !   !!! ");
  expect(report.tableOf([small])).toMatch(/small\.ts +19 +12 +63\.2 {2}4 7 11-12 21-27\n/);

  const elsewhere = new Counters();
  const second = await instantiateCounted(bytes, elsewhere);
  expect((second.exports.grade as (x: number) => number)(1)).toBe(40);
  const both = report.summarize(map, report.mergeWords([counters.words(), elsewhere.words()]));
  expect(both[0].missed).toEqual([
    [4, 4],
    [7, 7],
    [21, 27],
  ]);
});

test.each(["engine.wasm", "engine-shared.wasm"])("%s imports its memory alone", (name) => {
  const module = new WebAssembly.Module(readFileSync(join(ROOT, "dist", name)));
  expect(WebAssembly.Module.imports(module).map((i) => `${i.module}.${i.name}`)).toEqual([
    "env.memory",
  ]);
});

test("nothing that is shipped knows of it", () => {
  const { files } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  expect(files).toContain("!dist/engine-coverage*");
  expect(readFileSync(join(ROOT, "asconfig.json"), "utf8")).not.toMatch(/transform/);
  const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" });
  const modules = sources.filter((name) => name.endsWith(".ts"));
  expect(modules.length).toBeGreaterThan(50);
  const naming = modules.filter((name) =>
    /engine-coverage|VSMMU_COVERAGE/.test(readFileSync(join(ROOT, "src", name), "utf8")),
  );
  expect(naming).toEqual([]);
});

/** Subjects of the property tests on another build of the engine. */
async function subjectsOn(wasm: string, make: (module: typeof Subject) => Promise<Subject[]>) {
  vi.resetModules();
  vi.doMock("../../src/engine/wasm-url.ts", () => ({ ENGINE_URL: pathToFileURL(wasm) }));
  try {
    const module = await import("../property/subject.ts");
    return await make(module.Subject);
  } finally {
    vi.doUnmock("../../src/engine/wasm-url.ts");
    vi.resetModules();
  }
}

test(`${CASES} random machines are answered as by the release module`, async () => {
  const wasm = join(folder, "engine.wasm");
  const map = await build.compileCoverage(build.ENGINE, wasm);
  const both = (kind: typeof Subject) =>
    Promise.all([kind.create("arch", "fast"), kind.create("qemu", "qemu")]);
  const plain = await subjectsOn(join(ROOT, "dist", "engine.wasm"), both);
  const counters = new Counters();
  counters.attach();
  const counted = await subjectsOn(wasm, both).finally(() => counters.detach());

  let answers = 0;
  for (let seed = 1; seed <= CASES; seed++) {
    const index = seed % 2;
    const c = randomCase(seed, index === 1 ? { target: "qemu" } : { mixedEndian: true });
    plain[index].load(c);
    counted[index].load(c);
    for (const request of c.requests) {
      expect(counted[index].run(request)).toEqual(plain[index].run(request));
      answers++;
    }
  }
  expect(answers).toBeGreaterThan(CASES);

  const summary = report.summarize(map, counters.words());
  const hitOf = (name: string) => summary.find(({ file }) => file === `assembly/${name}`);
  const stage1 = hitOf("stage1.ts");
  expect(stage1?.hit).toBeGreaterThan(0.8 * (stage1?.statements ?? 0));
  expect(hitOf("its.ts")).toMatchObject({ hit: 0 });
  expect(summary.some(({ file }) => file.includes("layout"))).toBe(false);
});
