// The generated accessors are fresh, compile without data, and read and write what the tables say.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as asc from "assemblyscript/asc";
import { beforeAll, describe, expect, it } from "vitest";
import { getNarrow, getWide, type RecordLayout, setMember } from "../../src/spec/abi.ts";
import * as encoding from "../../src/spec/encoding.ts";
import type { Case, Enumeration, Field, Register, Struct, Union } from "../../src/spec/field.ts";
import * as spec from "../../src/spec/index.ts";
import { constantName, getterName, setterName, withName } from "../../src/spec/name.ts";
import { readField, wordsOf, writeField } from "../../src/spec/word.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const LAYOUT = `${ROOT}/assembly/layout`;
const FILES = readdirSync(LAYOUT);
const AT = 1024;

type Accessor = (...args: (number | bigint)[]) => number | bigint | undefined;
let exported: Record<string, Accessor & { value: number | bigint }>;
let memory: WebAssembly.Memory;
let wat = "";

beforeAll(async () => {
  const sources = new Map(
    FILES.map((f) => [`layout/${f}`, readFileSync(`${LAYOUT}/${f}`, "utf8")]),
  );
  sources.set("all.ts", FILES.map((f) => `export * from "./layout/${f.slice(0, -3)}";\n`).join(""));
  let binary = new Uint8Array();
  const flags = ["--importMemory", "--runtime", "stub", "--noAssert", "-O1"];
  const { error, stderr } = await asc.main(
    ["all.ts", "--outFile", "all.wasm", "--textFile", "all.wat", ...flags],
    {
      readFile: (name) => sources.get(name) ?? null,
      writeFile: (name, contents) => {
        if (typeof contents === "string") wat = contents;
        else if (name.endsWith(".wasm")) binary = new Uint8Array(contents);
      },
      listFiles: () => [],
    },
  );
  if (error) throw new Error(stderr.toString());
  memory = new WebAssembly.Memory({ initial: 1 });
  const { instance } = await WebAssembly.instantiate(binary, { env: { memory } });
  exported = instance.exports as typeof exported;
}, 120_000);

describe("assembly/layout", () => {
  it("is what a fresh run of the generator writes", () => {
    const run = () => execFileSync("node", ["src/build/generate.mjs", "--check"], { cwd: ROOT });
    expect(run().toString()).toBe("");
  });

  it("has no data segment, no start function and one import", () => {
    expect(wat).not.toMatch(/\(data|\(start/);
    expect(wat.match(/\(import [^\n]*/g)).toEqual([
      ' (import "env" "memory" (memory $0 0))'.trim(),
    ]);
  });
});

type Item = Struct | Union | Register | Enumeration | RecordLayout;
const ITEMS = Object.values({ ...encoding, ...spec }).filter(
  (x): x is Item => typeof x === "object" && x !== null && "is" in x,
);
const isGenerated = (name: string): boolean =>
  `REG_${name}` in exported || `${name}_BYTES` in exported;

/** Pseudo-random words: a counter through the finalizer of splitmix64. */
function* randomWords(): Generator<bigint> {
  const m = 0xffff_ffff_ffff_ffffn;
  for (let i = 1n; ; i++) {
    let z = (i * 0x9e3779b97f4a7c15n) & m;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & m;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & m;
    yield z ^ (z >> 31n);
  }
}
const random = randomWords();
const draw = (): bigint => random.next().value as bigint;

const unsigned = (value: number | bigint | undefined, width: number): bigint =>
  BigInt.asUintN(width, BigInt(value ?? 0));

const isWide = (f: Field): boolean => f.kind === "address" || f.width > 32;

/** An argument for a parameter that the field's value is passed in. */
const argument = (f: Field, value: bigint): number | bigint =>
  isWide(f) ? value : Number(BigInt.asIntN(32, value));

/** What an accessor returned, as the unsigned number that it stands for. */
const result = (got: number | bigint | undefined): bigint =>
  unsigned(got, typeof got === "bigint" ? 64 : 32);

/** Checks one field of a word that is passed by value. */
function checkWord(name: string, size: number, f: Field): void {
  for (let i = 0; i < f.count; i++) {
    const word = BigInt.asUintN(size, draw());
    const w = size > 32 ? word : Number(BigInt.asIntN(32, word));
    const index = f.count > 1 ? [i] : [];
    const got = exported[getterName(name, f.name)](w, ...index);
    expect(result(got), `${name}.${f.name}`).toBe(readField(f, [word], i));
    const replace = exported[withName(name, f.name)];
    if (replace === undefined) continue;
    const value = draw();
    const words = [word];
    writeField(f, words, isWide(f) ? value : BigInt.asUintN(32, value), i);
    const changed = replace(w, ...index, argument(f, value));
    expect(unsigned(changed, size), withName(name, f.name)).toBe(BigInt.asUintN(size, words[0]));
  }
}

/** Checks one field of a structure in memory. */
function checkMemory(name: string, bytes: number, f: Field): void {
  const view = new Uint8Array(memory.buffer, AT, bytes);
  for (let i = 0; i < f.count; i++) {
    for (let b = 0; b < bytes; b++) view[b] = Number(draw() & 0xffn);
    const index = f.count > 1 ? [i] : [];
    const got = exported[getterName(name, f.name)](AT, ...index);
    expect(result(got), `${name}.${f.name}`).toBe(readField(f, wordsOf(view), i));
    const set = exported[setterName(name, f.name)];
    if (set === undefined) continue;
    const value = draw();
    const words = wordsOf(view);
    writeField(f, words, isWide(f) ? value : BigInt.asUintN(32, value), i);
    set(AT, argument(f, value));
    expect(wordsOf(view), setterName(name, f.name)).toEqual(words);
  }
}

describe("accessors", () => {
  it("agree with the tables on every field of every layout", () => {
    let checked = 0;
    for (const item of ITEMS) {
      if (!("field" in item) || !isGenerated(item.name)) continue;
      for (const f of Object.values<Field>(item.field)) {
        if (f.kind !== "bits" && f.kind !== "address") continue;
        for (let round = 0; round < 8; round++)
          if (item.bits <= 64) checkWord(item.name, item.bits, f);
          else checkMemory(item.name, item.bytes, f);
        checked++;
      }
    }
    expect(checked).toBeGreaterThan(600);
  });

  it("exist for the structures that the model writes", () => {
    for (const name of ["setEventStreamID", "setCmdTLBI_VMID", "setPriqLast", "setItscmdEventID"])
      expect(exported[name], name).toBeTypeOf("function");
    for (const name of ["withCr0SMMUEN", "withQemudteSize", "withGitscreadrStalled"])
      expect(exported[name], name).toBeTypeOf("function");
  });

  it("agree with TypeScript on every member of every record", () => {
    const records = ITEMS.filter((x): x is RecordLayout => x.is === "record");
    expect(records.map((r) => r.name)).toContain("RESULT");
    const view = new DataView(memory.buffer);
    for (const r of records) {
      expect(exported[`${r.name}_BYTES`].value).toBe(r.bytes);
      for (const m of Object.values(r.members)) {
        expect(exported[constantName(r.name, m.name)].value).toBe(m.offset);
        for (let i = 0; i < m.count; i++) {
          const value = BigInt.asUintN(m.bytes * 8, draw());
          const index = m.count > 1 ? [i] : [];
          const arg = m.type === "u64" ? value : Number(BigInt.asIntN(32, value));
          exported[setterName(r.name, m.name)](AT, ...index, arg);
          const seen =
            m.type === "u64" ? getWide(r, view, AT, m.name, i) : getNarrow(r, view, AT, m.name, i);
          expect(unsigned(BigInt(seen), m.bytes * 8), `${r.name}.${m.name}`).toBe(value);
          setMember(r, view, AT, m.name, ~value, i);
          const back = exported[getterName(r.name, m.name)](AT, ...index);
          expect(unsigned(back, m.bytes * 8)).toBe(BigInt.asUintN(m.bytes * 8, ~value));
        }
      }
    }
  });
});

describe("constants", () => {
  it("carry the register offsets, opcodes, event numbers and encodings of the tables", () => {
    let checked = 0;
    const same = (name: string, value: number): void => {
      expect(Number(unsigned(exported[name].value, 32)), name).toBe(value);
      checked++;
    };
    for (const item of ITEMS) {
      if (!("field" in item) || !isGenerated(item.name)) continue;
      if (item.is === "register") same(`REG_${item.name}`, (item as Register).offset);
      if (item.is === "union")
        for (const c of Object.values<Case>(item.cases))
          if (c.value !== undefined) same(c.name, c.value);
      for (const f of Object.values<Field>(item.field))
        for (const [value, name] of Object.entries(f.values ?? {}))
          if (f.enumeration === undefined)
            same(constantName(item.name, f.name, name), Number(value));
    }
    expect(checked).toBeGreaterThan(250);
  });
});
