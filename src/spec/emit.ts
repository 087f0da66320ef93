// Writes the AssemblyScript accessors of assembly/layout from the layouts of this directory.
import type { RecordLayout } from "./abi.ts";
import * as abiIts from "./abi-its.ts";
import * as abi from "./abi-records.ts";
import * as words from "./abi-words.ts";
import * as cd from "./cd.ts";
import * as command from "./command.ts";
import * as descriptor from "./descriptor.ts";
import { emitRecord } from "./emit-record.ts";
import * as encoding from "./encoding.ts";
import * as event from "./event.ts";
import type { Case, Enumeration, Field, Register, Struct, Union } from "./field.ts";
import { position } from "./field.ts";
import * as its from "./its.ts";
import { constantName, getterName, hex, setterName, withName } from "./name.ts";
import * as priq from "./priq.ts";
import { QUIRKS } from "./quirks.ts";
import * as register from "./register.ts";
import * as ste from "./ste.ts";

type Exported = Struct | Register | Union | Enumeration | RecordLayout;

const MODULES: Readonly<Record<string, object>> = {
  abi,
  "abi-its": abiIts,
  cd,
  command,
  descriptor,
  encoding,
  event,
  its,
  priq,
  register,
  ste,
  words,
};

/** Structures that the engine writes, field by field. */
const WRITTEN = new Set(["CMD", "EVENT", "PRIQ", "ITS_CMD", "QEMU_ITE"]);

const isAccessible = (f: Field): boolean => f.kind === "bits" || f.kind === "address";

const mask = (width: number): bigint => (1n << BigInt(width)) - 1n;

/** Getter of a field in a word that is at hand. */
function wordGetter(owner: string, size: number, f: Field): string {
  const type = size > 32 ? "u64" : "u32";
  const wide = f.kind === "address" || f.width > 32;
  const name = getterName(owner, f.name);
  const index = f.count > 1 ? ", i: u32" : "";
  const shift = f.count > 1 ? `(${f.lo} + i * ${f.stride})` : `${f.lo}`;
  const from = size > 32 && f.count > 1 ? `(${shift} as u64)` : shift;
  const inPlace = f.kind === "address" && f.low === f.lo;
  if (inPlace) return fn(owner, f, `${name}(w: ${type}): u64`, address64(`w`, type, f));
  const shifted = f.lo === 0 && f.count === 1 ? "w" : `(w >> ${from})`;
  if (f.kind === "address")
    return fn(owner, f, `${name}(w: ${type}): u64`, `(${masked(shifted, f, size)}) << ${f.low}`);
  const value = masked(shifted, f, size);
  const result = wide || type === "u32" ? value : `(${value}) as u32`;
  return fn(owner, f, `${name}(w: ${type}${index}): ${wide ? "u64" : "u32"}`, result);
}

const masked = (value: string, f: Field, size: number): string =>
  f.hi + 1 === size && f.count === 1 ? value : `${value} & ${hex(mask(f.width))}`;

function address64(word: string, type: string, f: Field): string {
  const value = type === "u32" ? `(${word} as u64)` : word;
  return `${value} & ${hex(mask(f.width) << BigInt(f.lo % 64))}`;
}

/** Function that returns the word with the field replaced. */
function wordWith(owner: string, size: number, f: Field): string {
  const type = size > 32 ? "u64" : "u32";
  const arg = f.kind === "address" || f.width > 32 ? "u64" : "u32";
  const all = (1n << BigInt(size)) - 1n;
  const here = mask(f.width) << BigInt(f.lo);
  const index = f.count > 1 ? ", i: u32" : "";
  const head = `${withName(owner, f.name)}(w: ${type}${index}, v: ${arg}): ${type}`;
  if (f.kind === "address" && f.low === f.lo)
    return fn(owner, f, head, `(w & ${hex(all & ~here)}) | (v & ${hex(here)})`);
  const cast = type === "u64" && arg === "u32" ? "(v as u64)" : "v";
  const low = f.kind === "address" ? `(v >> ${f.low})` : cast;
  if (f.count > 1) {
    const at =
      type === "u64" ? `((${f.lo} + i * ${f.stride}) as u64)` : `(${f.lo} + i * ${f.stride})`;
    const m = hex(mask(f.width));
    const one = type === "u64" ? `(${m} as u64)` : m;
    return fn(owner, f, head, `(w & ~(${one} << ${at})) | ((${low} & ${m}) << ${at})`);
  }
  const part = `(${low} & ${hex(mask(f.width))})`;
  const placed = f.lo === 0 ? part : `(${part} << ${f.lo})`;
  return fn(owner, f, head, `(w & ${hex(all & ~here)}) | ${placed}`);
}

/** Where a field of a structure in memory is loaded from. */
interface Access {
  readonly type: "u32" | "u64";
  readonly offset: number;
  readonly shift: number;
}

function accessOf(f: Field): Access {
  const narrow = f.kind !== "address" && Math.floor(f.hi / 32) === Math.floor(f.lo / 32);
  return narrow
    ? { type: "u32", offset: Math.floor(f.lo / 32) * 4, shift: f.lo % 32 }
    : { type: "u64", offset: Math.floor(f.lo / 64) * 8, shift: f.lo % 64 };
}

function repeatedGetter(owner: string, f: Field): string {
  const name = getterName(owner, f.name);
  const perWord = 64 / f.stride;
  const base = Math.floor(f.lo / 64) * 8;
  const head = `${name}(p: usize, i: u32): u32`;
  if (f.stride % 8 === 0 && f.width === f.stride)
    return fn(owner, f, head, `load<u${f.width}>(p + i * ${f.stride / 8}, ${f.lo / 8})`);
  const word =
    f.count <= perWord ? `load<u64>(p, ${base})` : `load<u64>(p + i / ${perWord} * 8, ${base})`;
  const at = f.count <= perWord ? "i" : `i % ${perWord}`;
  return fn(
    owner,
    f,
    head,
    `((${word} >> ((${at}) * ${f.stride})) as u32) & ${hex(mask(f.width))}`,
  );
}

/** Getter of a field in a private copy of a structure. */
function pointerGetter(owner: string, f: Field): string {
  if (f.count > 1) return repeatedGetter(owner, f);
  const { type, offset, shift } = accessOf(f);
  const word = `load<${type}>(p, ${offset})`;
  const name = getterName(owner, f.name);
  if (f.kind === "address" && f.low === f.lo % 64)
    return fn(
      owner,
      f,
      `${name}(p: usize): u64`,
      `${word} & ${hex(mask(f.width) << BigInt(shift))}`,
    );
  const shifted = shift === 0 ? word : `(${word} >> ${shift})`;
  const size = type === "u32" ? 32 : 64;
  const top = shift + f.width === size;
  const value = top ? shifted : `${shifted} & ${hex(mask(f.width))}`;
  if (f.kind === "address") return fn(owner, f, `${name}(p: usize): u64`, `(${value}) << ${f.low}`);
  const wide = f.width > 32;
  const result = type === "u64" && !wide ? `(${value}) as u32` : value;
  return fn(owner, f, `${name}(p: usize): ${wide ? "u64" : "u32"}`, result);
}

/** Setter of a field in a structure in memory; leaves the other bits of its word alone. */
function pointerSetter(owner: string, f: Field): string {
  const { type, offset, shift } = accessOf(f);
  const all = type === "u32" ? mask(32) : mask(64);
  const here = mask(f.width) << BigInt(shift);
  const arg = f.kind === "address" || f.width > 32 ? "u64" : "u32";
  const head = `${setterName(owner, f.name)}(p: usize, v: ${arg}): void`;
  const whole = here === all;
  const inPlace = f.kind === "address" && f.low === shift;
  const low =
    f.kind === "address" && !inPlace
      ? `(v >> ${f.low})`
      : type === "u64" && arg === "u32"
        ? "(v as u64)"
        : "v";
  const part = inPlace
    ? `(v & ${hex(here)})`
    : `((${low} & ${hex(mask(f.width))})${shift === 0 ? "" : ` << ${shift}`})`;
  const value = whole ? low : `(load<${type}>(p, ${offset}) & ${hex(all & ~here)}) | ${part}`;
  return `${comment(owner, f)}export function ${head} {\n  store<${type}>(p, ${value}, ${offset});\n}\n`;
}

const comment = (owner: string, f: Field): string => `/** ${owner}.${f.name} ${position(f)} */\n`;

const fn = (owner: string, f: Field, head: string, body: string): string =>
  `${comment(owner, f)}export function ${head} {\n  return ${body};\n}\n`;

const constant = (name: string, value: number | bigint, type = "u32"): string =>
  `export const ${name}: ${type} = ${hex(BigInt(value))};\n`;

function encodings(owner: string, f: Field): string[] {
  if (f.values === undefined || f.enumeration !== undefined) return [];
  return Object.entries(f.values).map(([value, name]) =>
    constant(constantName(owner, f.name, name), Number(value)),
  );
}

function emitStruct(s: Struct): string[] {
  const fields = s.fields.filter(isAccessible);
  const lines = [constant(`${s.name}_BYTES`, s.bytes, "usize")];
  for (const f of fields) {
    lines.push(...encodings(s.name, f));
    lines.push(s.bits > 64 ? pointerGetter(s.name, f) : wordGetter(s.name, s.bits, f));
    if (s.bits <= 64) lines.push(wordWith(s.name, s.bits, f));
    else if (WRITTEN.has(s.name)) lines.push(pointerSetter(s.name, f));
  }
  return lines;
}

function emitUnion(u: Union): string[] {
  const lines = [constant(`${u.name}_BYTES`, u.bytes, "usize")];
  for (const c of Object.values<Case>(u.cases))
    if (c.value !== undefined) lines.push(constant(c.name, c.value));
  for (const f of u.fields) {
    lines.push(...encodings(u.name, f));
    lines.push(u.bits > 64 ? pointerGetter(u.name, f) : wordGetter(u.name, u.bits, f));
    if (WRITTEN.has(u.name)) lines.push(pointerSetter(u.name, f));
  }
  return lines;
}

/** All bits of a register that some field holds. */
const definedMask = (r: Register): bigint =>
  r.fields
    .filter(isAccessible)
    .flatMap((f) =>
      Array.from({ length: f.count }, (_, i) => mask(f.width) << BigInt(f.lo + i * f.stride)),
    )
    .reduce((all, one) => all | one, 0n);

function emitRegister(r: Register): string[] {
  const lines = [constant(`REG_${r.name}`, r.offset)];
  if (r.count > 1) {
    lines.push(constant(`${r.name}_COUNT`, r.count));
    lines.push(constant(`${r.name}_STRIDE`, r.stride));
  }
  lines.push(constant(`${r.name}_FIELDS`, definedMask(r), r.bits > 32 ? "u64" : "u32"));
  for (const f of Object.values<Field>(r.field).filter(isAccessible)) {
    lines.push(...encodings(r.name, f));
    lines.push(wordGetter(r.name, r.bits, f), wordWith(r.name, r.bits, f));
  }
  return lines;
}

function emitEnumeration(e: Enumeration): string[] {
  return Object.entries(e.values).map(([value, name]) =>
    constant(constantName(e.name, name), Number(value)),
  );
}

function emitOne(item: Exported): string[] {
  switch (item.is) {
    case "enumeration":
      return emitEnumeration(item);
    case "record":
      return emitRecord(item);
    case "union":
      return emitUnion(item);
    case "register":
      return emitRegister(item as Register);
    default:
      return emitStruct(item as Struct);
  }
}

const isExported = (value: unknown): value is Exported =>
  typeof value === "object" && value !== null && "is" in value;

const headOf = (name: string): string =>
  `// Layouts of ${name}.ts in src/spec. Generated by src/build/generate.mjs: do not edit.\n`;

/** Text of every generated file by its name in assembly/layout. */
export function emitAll(): Record<string, string> {
  const files: Record<string, string> = {};
  for (const [name, module] of Object.entries(MODULES)) {
    const items = Object.values(module).filter(isExported);
    files[`${name}.ts`] = `${headOf(name)}\n${items.flatMap(emitOne).join("")}`;
  }
  files["quirks.ts"] =
    `${headOf("quirks")}\n` +
    QUIRKS.map((q) => constant(`Q_${q.name}`, 1n << BigInt(q.bit), "u64")).join("");
  return files;
}
