// Types of the engine's language and their conversions in C.

/** A type by its name in C; usize is u32 and bool holds 0 or 1. */
export type Scalar =
  | "void"
  | "bool"
  | "u8"
  | "u16"
  | "u32"
  | "u64"
  | "i8"
  | "i16"
  | "i32"
  | "i64"
  | "v128";

const BITS: Readonly<Record<Scalar, number>> = {
  void: 0,
  bool: 1,
  u8: 8,
  i8: 8,
  u16: 16,
  i16: 16,
  u32: 32,
  i32: 32,
  u64: 64,
  i64: 64,
  v128: 128,
};

/** An expression in C with the type that its value has. */
export interface Typed {
  readonly code: string;
  readonly type: Scalar;
}

/** The type behind a name of the language. */
export function scalarOf(name: string): Scalar {
  if (name === "usize") return "u32";
  if (name === "isize") return "i32";
  if (name in BITS) return name as Scalar;
  throw new Error(`no type ${name}`);
}

export const bitsOf = (type: Scalar): number => BITS[type];

/** The expression as a value of another type. */
export function convert({ code, type }: Typed, to: Scalar): string {
  if (type === to || to === "void") return code;
  if (to === "bool") return `((${code}) != 0)`;
  return `((${to})(${code}))`;
}

/** The type that both operands of an operation get: the wider one, else the left one. */
export function commonType(left: Scalar, right: Scalar): Scalar {
  return bitsOf(right) <= bitsOf(left) ? left : right;
}

/**
 * An integer literal: in the type that is wanted if it fits, else in the smallest of i32 and i64.
 */
export function literal(value: bigint, wanted: Scalar | undefined): Typed {
  const type = wanted && fits(value, wanted) ? wanted : fits(value, "i32") ? "i32" : "i64";
  const suffix = bitsOf(type) === 64 ? (type === "u64" ? "ull" : "ll") : type === "u32" ? "u" : "";
  return { code: `${value}${suffix}`, type };
}

function fits(value: bigint, type: Scalar): boolean {
  if (type === "void" || type === "v128" || type === "bool") return false;
  const bits = BigInt(bitsOf(type));
  return type.startsWith("u") ? value < 1n << bits : value < 1n << (bits - 1n);
}
