// Accessors of one field: AssemblyScript text that reads it from a word or replaces it there.
import { type Field, position } from "./field.ts";
import { getterName, hex, setterName, withName } from "./name.ts";

/** The word that holds a field: its type, what yields it, and where the field starts in it. */
interface Place {
  readonly type: "u32" | "u64";
  /** Bits of the word that mean anything. */
  readonly size: number;
  readonly word: string;
  /** A number, or the expression of an element of a repeated field. */
  readonly shift: number | string;
}

const mask = (width: number): bigint => (1n << BigInt(width)) - 1n;

/** Type in which the value of a field is passed. */
const valueType = (f: Field): "u32" | "u64" =>
  f.kind === "address" || f.width > 32 ? "u64" : "u32";

/** Addresses that need no shift: the field's bits are the address's. */
const isInPlace = (f: Field): boolean => f.kind === "address" && f.low === f.lo % 64;

/** Expression of the value of a field. */
function extract(f: Field, place: Place): string {
  const { type, size, word, shift } = place;
  if (isInPlace(f)) {
    const wide = type === "u32" ? `(${word} as u64)` : word;
    return f.width === 64 ? word : `${wide} & ${hex(mask(f.width) << BigInt(f.lo % 64))}`;
  }
  const shifted = shift === 0 ? word : `(${word} >> ${shift})`;
  const reachesTop = typeof shift === "number" && shift + f.width === size;
  const value = reachesTop ? shifted : `${shifted} & ${hex(mask(f.width))}`;
  if (f.kind === "address") return `(${value}) << ${f.low}`;
  return type === "u64" && valueType(f) === "u32" ? `(${value}) as u32` : value;
}

/** Expression of the word with the field replaced by `v`. */
function insert(f: Field, place: Place): string {
  const { type, size, word, shift } = place;
  const part = mask(f.width);
  const value = type === "u64" && valueType(f) === "u32" ? "(v as u64)" : "v";
  if (typeof shift === "string") {
    const kept = `(${word} & ~((${hex(part)} as ${type}) << ${shift}))`;
    return `${kept} | ((${value} & ${hex(part)}) << ${shift})`;
  }
  const here = part << BigInt(shift);
  if (f.width === size) return value;
  const kept = `(${word} & ${hex(mask(size) & ~here)})`;
  if (isInPlace(f)) return `${kept} | (${value} & ${hex(here)})`;
  const low = f.kind === "address" ? `(v >> ${f.low})` : value;
  const cut = `(${low} & ${hex(part)})`;
  return shift === 0 ? `${kept} | ${cut}` : `${kept} | (${cut} << ${shift})`;
}

const comment = (owner: string, f: Field): string => `/** ${owner}.${f.name} ${position(f)} */\n`;

const body = (owner: string, f: Field, head: string, statement: string): string =>
  `${comment(owner, f)}export function ${head} {\n  ${statement};\n}\n`;

/** Parameter that selects an element of a repeated field. */
const index = (f: Field): string => (f.count > 1 ? ", i: u32" : "");

function placeInWord(size: number, f: Field): Place {
  const type = size > 32 ? "u64" : "u32";
  const element = `(${f.lo} + i * ${f.stride})`;
  const shift = f.count === 1 ? f.lo : type === "u64" ? `(${element} as u64)` : element;
  return { type, size, word: "w", shift };
}

/** `crXField(w)`: the field of a word of `size` bits that is at hand. */
export function wordGetter(owner: string, size: number, f: Field): string {
  const place = placeInWord(size, f);
  const head = `${getterName(owner, f.name)}(w: ${place.type}${index(f)}): ${valueType(f)}`;
  return body(owner, f, head, `return ${extract(f, place)}`);
}

/** `withCrXField(w, v)`: the word with the field replaced. */
export function wordWith(owner: string, size: number, f: Field): string {
  const place = placeInWord(size, f);
  const name = withName(owner, f.name);
  const head = `${name}(w: ${place.type}${index(f)}, v: ${valueType(f)}): ${place.type}`;
  return body(owner, f, head, `return ${insert(f, place)}`);
}

/** Where a field of a structure in memory is loaded from and stored to. */
interface MemoryPlace extends Place {
  readonly pointer: string;
  readonly offset: number;
}

function placeInMemory(f: Field): MemoryPlace {
  const narrow =
    f.count === 1 && f.kind !== "address" && Math.floor(f.hi / 32) === Math.floor(f.lo / 32);
  const size = narrow ? 32 : 64;
  const type = narrow ? "u32" : "u64";
  const offset = Math.floor(f.lo / size) * (size / 8);
  const at = (pointer: string, shift: number | string): MemoryPlace => ({
    type,
    size,
    pointer,
    offset,
    shift,
    word: `load<${type}>(${pointer}, ${offset})`,
  });
  if (f.count === 1) return at("p", f.lo % size);
  if (f.lo % 64 !== 0) throw new Error(`${f.name}: repeated fields start at a word`);
  if (f.count * f.stride <= 64) return at("p", `((i * ${f.stride}) as u64)`);
  if (64 % f.stride !== 0) throw new Error(`${f.name}: an element crosses a 64-bit word`);
  const perWord = 64 / f.stride;
  return at(`p + ((i / ${perWord}) << 3)`, `(((i % ${perWord}) * ${f.stride}) as u64)`);
}

/** `xField(p)`: the field of a structure in linear memory, which must be a private copy. */
export function pointerGetter(owner: string, f: Field): string {
  const head = `${getterName(owner, f.name)}(p: usize${index(f)}): ${valueType(f)}`;
  return body(owner, f, head, `return ${extract(f, placeInMemory(f))}`);
}

/** `setXField(p, v)`: replaces the field in linear memory and leaves the rest of its word alone. */
export function pointerSetter(owner: string, f: Field): string {
  const place = placeInMemory(f);
  const head = `${setterName(owner, f.name)}(p: usize${index(f)}, v: ${valueType(f)}): void`;
  const store = `store<${place.type}>(${place.pointer}, ${insert(f, place)}, ${place.offset})`;
  return body(owner, f, head, store);
}
