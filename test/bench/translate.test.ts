// The translator of the benchmarks' twin: C computes what the language's own compiler makes of the
// same source, in the places where the two languages differ.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadParser } from "../../bench/native/ast.ts";
import { type Compiler, findCompiler } from "../../bench/native/build.ts";
import { Translator } from "../../bench/native/translate.ts";
import { ROOT } from "../../bench/root.ts";
import { randomNumbers } from "../../bench/world/ring.ts";

const ENTRY = "assembly/sample";
const BESIDE = "assembly/beside";

/** A second file, for names that are imported. */
const BESIDE_TEXT = `
export let count: u32 = 0;
export function step(by: u32): u32 {
  count += by;
  return count;
}
`;

/** Functions of two numbers, one for each thing that can go wrong. */
const SAMPLE_TEXT = `
import { count, step } from "./beside";

const BIG: u64 = 0x9e3779b97f4a7c15;
const SMALL: u32 = 7;

export function shifts(a: u64, b: u64): u64 {
  return (a << b) ^ (a >> (b + 3)) ^ <u64>(<i64>a >> b) ^ <u64>(<u32>a << <u32>b);
}
export function narrow(a: u64, b: u64): u64 {
  const byte = <u8>a;
  const sum = <u8>(byte + <u8>b);
  return <u64>sum | (<u64>(<i8>a) << 8) | (<u64>(<i32>b) ^ <u64>(<u16>a));
}
export function wraps(a: u64, b: u64): u64 {
  let x = <u32>a;
  x *= <u32>b;
  x += 0xffffffff;
  let y = <i32>b;
  y -= <i32>a;
  return <u64>x + <u64>y * BIG + SMALL;
}
export function compares(a: u64, b: u64): u64 {
  const unsigned = a < b;
  const signed = <i64>a < <i64>b;
  const mixed = <u32>a >= 1 && (<i32>a >= 1 || b != 0);
  return u64(unsigned) | (u64(signed) << 1) | (mixed ? 4 : 0) | (!a ? 8 : 0);
}
export function counts(a: u64, b: u64): u64 {
  return ctz(a) + clz(b) * 100 + popcnt(a ^ b) * 10000 + <u64>ctz(<u32>b) * 1000000;
}
export function bounds(a: u64, b: u64): u64 {
  return min(a, b) ^ max<u32>(<u32>a, <u32>b) ^ <u64>min<i32>(<i32>a, <i32>b) ^ u32.MAX_VALUE;
}
export function loops(a: u64, b: u64): u64 {
  let sum: u64 = 0;
  for (let i: u32 = 0; i < <u32>(b & 15) + 1; i++) {
    if (i == 3) continue;
    if (i > 9) break;
    let j = i;
    while (j) {
      sum = sum * 31 + a;
      j--;
    }
  }
  return sum;
}
export function chooses(a: u64, b: u64): u64 {
  switch (<u32>(a & 3)) {
    case 0:
      return b;
    case 1:
    case 2: {
      const c = b ^ BIG;
      return ~c;
    }
    default:
      return -b;
  }
}
export function remembers(a: u64, b: u64): u64 {
  const before = count;
  const after = step(<u32>a & 0xff);
  return (<u64>after << 32) | <u64>(after - before) | (b & 1);
}
export function vectors(a: u64, b: u64): u64 {
  store<u64>(64, a);
  store<u64>(72, b);
  const pair = v128.load(64);
  const swapped = v128.shuffle<u64>(pair, i64x2.splat(a), 1, 2);
  v128.store(80, swapped);
  const equal = i64x2.bitmask(i64x2.eq(pair, i64x2.splat(<i64>b)));
  return load<u64>(80) ^ load<u64>(64, 24) ^ <u64>equal ^ <u64>load<u16>(67) ^ <u64>load<i8>(73);
}
export function atomics(a: u64, b: u64): u64 {
  atomic.store<u64>(128, a);
  const old = atomic.xchg<u64>(128, b);
  atomic.add<u64>(128, old);
  memory.copy(136, 128, 8);
  memory.fill(144, <u8>b, 8);
  return atomic.load<u64>(136) ^ load<u64>(144) ^ bswap(a) ^ <u64>bswap(<u32>b);
}
`;

type Functions = Record<string, (a: bigint, b: bigint) => bigint>;

/** What the language's own compiler makes of the sample. */
async function compileSample(): Promise<Functions> {
  const { default: asc } = await import("assemblyscript/asc");
  const texts: Record<string, string> = {
    [`${ENTRY}.ts`]: SAMPLE_TEXT,
    [`${BESIDE}.ts`]: BESIDE_TEXT,
  };
  let binary = new Uint8Array();
  const flags = ["--outFile", "out.wasm", "--runtime", "stub", "--initialMemory", "1"];
  const features = ["--enable", "threads", "--enable", "simd", "-O1"];
  const { error, stderr } = await asc.main([`${ENTRY}.ts`, ...flags, ...features], {
    readFile: (name) => texts[name] ?? null,
    writeFile: (_name, content) => {
      if (typeof content !== "string") binary = new Uint8Array(content);
    },
    listFiles: () => [],
  });
  if (error) throw new Error(`${error.message}\n${stderr}`);
  const { instance } = await WebAssembly.instantiate(binary);
  return instance.exports as unknown as Functions;
}

let folder = "";
let names: string[] = [];
let sample: Functions;

/** The sample in C: reads a function's number and two operands a line, writes its result. */
async function buildSample(compiler: Compiler): Promise<void> {
  const translator = new Translator(await loadParser());
  const sources = [
    { path: ENTRY, text: SAMPLE_TEXT },
    { path: BESIDE, text: BESIDE_TEXT },
  ];
  const { code, exports } = translator.translate(sources, [ENTRY]);
  names = exports.map(({ name }) => name);
  const cases = exports.map(({ callable }, i) => `case ${i}: r = ${callable.name}(a, b); break;`);
  const main = `
#include "runtime.h"
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
${code}
int main(void) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  if (mmap(LINEAR, 65536, PROT_READ | PROT_WRITE, flags, -1, 0) != (void *)LINEAR) return 1;
  int which;
  u64 a, b, r = 0;
  while (scanf("%d %" SCNu64 " %" SCNu64, &which, &a, &b) == 3) {
    switch (which) { ${cases.join(" ")} }
    printf("%" PRIu64 "\\n", r);
  }
  return 0;
}`;
  writeFileSync(join(folder, "sample.c"), main);
  const include = `-I${join(ROOT, "bench", "native")}`;
  const args = ["-O2", "-fwrapv", "-w", include, join(folder, "sample.c")];
  const done = spawnSync(compiler.command, [...args, "-o", join(folder, "sample")]);
  expect(done.status, String(done.stderr)).toBe(0);
}

beforeAll(async () => {
  const compiler = findCompiler("clang") ?? findCompiler("gcc");
  expect(compiler, "the twin needs clang or gcc").toBeDefined();
  folder = mkdtempSync(join(tmpdir(), "vsmmu-translate-"));
  sample = await compileSample();
  await buildSample(compiler as Compiler);
});

afterAll(() => rmSync(folder, { recursive: true }));

describe("the translator", () => {
  test("computes what the language's own compiler computes", () => {
    const random = randomNumbers(3);
    const edges = [0n, 1n, 3n, 31n, 32n, 63n, 64n, 0x80n, 0x7fffffffn, 0x80000000n, 2n ** 63n];
    const number = (): bigint => {
      if (random() < 0.4) return edges[Math.floor(random() * edges.length)];
      const high = BigInt(Math.floor(random() * 2 ** 32));
      return (high << 32n) | BigInt(Math.floor(random() * 2 ** 32));
    };
    const calls = Array.from({ length: 300 * names.length }, (_, i) => {
      return { which: i % names.length, a: number(), b: number() };
    });
    const input = calls.map(({ which, a, b }) => `${which} ${a} ${b}`).join("\n");
    const { stdout, status } = spawnSync(join(folder, "sample"), { input, encoding: "utf8" });
    expect(status).toBe(0);
    const theirs = stdout.trim().split("\n");
    const ours = calls.map(({ which, a, b }) => {
      return String(BigInt.asUintN(64, sample[names[which]](a, b)));
    });
    const label = (text: string, i: number) =>
      `${names[calls[i].which]}(${calls[i].a}, ${calls[i].b}) = ${text}`;
    expect(theirs.map(label)).toEqual(ours.map(label));
    expect(names.length).toBe(11);
  });

  test("says where it meets what it does not know", async () => {
    const translate = async (text: string) => {
      const translator = new Translator(await loadParser());
      return translator.translate([{ path: ENTRY, text }], [ENTRY]);
    };
    const body = (text: string) => `export function f(a: u64): u64 { ${text} }`;
    await expect(translate("export class X {}")).rejects.toThrow("is not translated");
    await expect(translate(body("return b;"))).rejects.toThrow("no variable b");
    await expect(translate(body("return g(a);"))).rejects.toThrow("no type g");
    await expect(translate(body("try {} finally {} return a;"))).rejects.toThrow("not translated");
    await expect(translate(body("return a ** 2;"))).rejects.toThrow("operator **");
  });
});
