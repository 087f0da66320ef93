// The language's built-in functions as calls of runtime.h.
import { convert, type Scalar, scalarOf, type Typed } from "./scalar.ts";

/** Compiles an argument for a parameter of a type, or freely when none is given. */
export type Argument = (index: number, type?: Scalar) => Typed;

/** A call of a built-in function: its arguments and their number, and its type argument. */
interface Call {
  readonly count: number;
  readonly argument: Argument;
  readonly type: Scalar | undefined;
}

const as = (call: Call, index: number, type: Scalar): string =>
  convert(call.argument(index, type), type);

/** Address of a load or store: pointer and constant offset. */
function address(call: Call, offsetIndex: number): string {
  const offset = call.count > offsetIndex ? ` + ${as(call, offsetIndex, "u32")}` : "";
  return `(u32)(${as(call, 0, "u32")}${offset})`;
}

function typeOf(call: Call): Scalar {
  if (!call.type) throw new Error("a type argument is missing");
  return call.type;
}

/** All operands and the result have one type: that of the type argument or of the first operand. */
function uniform(name: string): (call: Call) => Typed {
  return (call) => {
    const first = call.argument(0, call.type);
    const type = call.type ?? first.type;
    const rest = Array.from({ length: call.count - 1 }, (_, i) => as(call, i + 1, type));
    return { code: `${name}_${type}(${[convert(first, type), ...rest].join(", ")})`, type };
  };
}

const fixed =
  (name: string, parameters: readonly Scalar[], type: Scalar) =>
  (call: Call): Typed => ({
    code: `${name}(${parameters.map((p, i) => as(call, i, p)).join(", ")})`,
    type,
  });

const load =
  (name: string) =>
  (call: Call): Typed => ({
    code: `${name}_${typeOf(call)}(${address(call, 1)})`,
    type: typeOf(call),
  });

const store =
  (name: string) =>
  (call: Call): Typed => ({
    code: `${name}_${typeOf(call)}(${address(call, 2)}, ${as(call, 1, typeOf(call))})`,
    type: "void",
  });

const fetchAndOp =
  (name: string) =>
  (call: Call): Typed => ({
    code: `${name}_${typeOf(call)}(${address(call, 2)}, ${as(call, 1, typeOf(call))})`,
    type: typeOf(call),
  });

function vectorLoad(call: Call): Typed {
  return { code: `load_v128(${address(call, 1)})`, type: "v128" };
}

function vectorStore(call: Call): Typed {
  return { code: `store_v128(${address(call, 2)}, ${as(call, 1, "v128")})`, type: "void" };
}

/** Known when the program is built, like a literal: it takes the type of what it meets. */
const size = (call: Call): Typed => ({ code: `((u32)sizeof(${typeOf(call)}))`, type: "u32" });

const BUILTINS: Readonly<Record<string, (call: Call) => Typed>> = {
  load: load("load"),
  store: store("store"),
  "atomic.load": load("atomic_load"),
  "atomic.store": store("atomic_store"),
  "atomic.add": fetchAndOp("atomic_add"),
  "atomic.xchg": fetchAndOp("atomic_xchg"),
  "memory.fill": fixed("memory_fill", ["u32", "u8", "u32"], "void"),
  "memory.copy": fixed("memory_copy", ["u32", "u32", "u32"], "void"),
  sizeof: size,
  min: uniform("min"),
  max: uniform("max"),
  ctz: uniform("ctz"),
  clz: uniform("clz"),
  popcnt: uniform("popcnt"),
  bswap: uniform("bswap"),
  "v128.load": vectorLoad,
  "v128.store": vectorStore,
  "v128.and": fixed("v128_and", ["v128", "v128"], "v128"),
  "v128.or": fixed("v128_or", ["v128", "v128"], "v128"),
  "v128.andnot": fixed("v128_andnot", ["v128", "v128"], "v128"),
  "v128.any_true": fixed("v128_any_true", ["v128"], "bool"),
  "v128.shuffle": fixed("shuffle_64", ["v128", "v128", "i32", "i32"], "v128"),
  "i64x2.splat": fixed("i64x2_splat", ["i64"], "v128"),
  "i64x2.eq": fixed("i64x2_eq", ["v128", "v128"], "v128"),
  "i64x2.gt_s": fixed("i64x2_gt_s", ["v128", "v128"], "v128"),
  "i64x2.sub": fixed("i64x2_sub", ["v128", "v128"], "v128"),
  "i64x2.shl": fixed("i64x2_shl", ["v128", "i32"], "v128"),
  "i64x2.bitmask": fixed("i64x2_bitmask", ["v128"], "i32"),
};

/** Translates the call of a built-in function; undefined when there is none of this name. */
export function builtinCall(
  name: string,
  typeArgument: string | undefined,
  count: number,
  argument: Argument,
): Typed | undefined {
  const build = Object.hasOwn(BUILTINS, name) ? BUILTINS[name] : undefined;
  return build?.({ count, argument, type: typeArgument ? scalarOf(typeArgument) : undefined });
}
