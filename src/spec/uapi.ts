// How kernel structures are declared, packed into bytes and unpacked (Linux 7.2 uapi, LP64).

/** Scalar types of the kernel interfaces. */
export type CScalar = "u8" | "u16" | "u32" | "u64" | "s32";

/** TypeScript value of a scalar. */
type ScalarValue<S extends CScalar> = S extends "u64" ? bigint : number;

/** TypeScript value of an array: bytes as they are, other elements as a list. */
type ArrayValue<S extends CScalar> = S extends "u8" ? Uint8Array : readonly ScalarValue<S>[];

/** A member of a structure; `T` is the TypeScript type of its value. */
export interface CMember<T = unknown> {
  readonly scalar: CScalar;
  readonly offset: number;
  /** Elements: 1 for a scalar, 0 for a flexible array at the end. */
  readonly count: number;
  readonly isArray: boolean;
  /** The bytes belong to other members too (a C union). */
  readonly isShared: boolean;
  readonly meaning: string;
  /** Carries the type only; never set. */
  readonly value?: T;
}

export type CMembers = Readonly<Record<string, CMember>>;

/** Values of all members of a structure. */
export type CValues<M extends CMembers> = {
  -readonly [K in keyof M]: M[K] extends CMember<infer T> ? T : never;
};

/** A kernel structure. */
export interface CStruct<M extends CMembers = CMembers> {
  readonly is: "cstruct";
  readonly name: string;
  readonly bytes: number;
  readonly members: M;
}

const SIZES: Readonly<Record<CScalar, number>> = { u8: 1, u16: 2, u32: 4, u64: 8, s32: 4 };

const scalar =
  <S extends CScalar>(type: S) =>
  (offset: number, meaning = ""): CMember<ScalarValue<S>> => ({
    scalar: type,
    offset,
    count: 1,
    isArray: false,
    isShared: false,
    meaning,
  });

export const u8 = scalar("u8");
export const u16 = scalar("u16");
export const u32 = scalar("u32");
export const u64 = scalar("u64");
export const s32 = scalar("s32");

/** `count` elements at a byte offset; 0 makes the flexible array that ends the structure. */
export function array<S extends CScalar>(
  type: S,
  offset: number,
  count: number,
  meaning = "",
): CMember<ArrayValue<S>> {
  return { scalar: type, offset, count, isArray: true, isShared: false, meaning };
}

/** A member of a C union other than the one that stands for its bytes. */
export const shared = <T>(member: CMember<T>): CMember<T> => ({ ...member, isShared: true });

const sizeOf = (member: CMember): number => SIZES[member.scalar] * member.count;

/** Throws unless the members that are not shared cover the structure exactly once, all aligned. */
function checkMembers(name: string, bytes: number, members: CMembers): void {
  const list = Object.entries(members).sort(([, a], [, b]) => a.offset - b.offset);
  let next = 0;
  for (const [key, member] of list) {
    const size = SIZES[member.scalar];
    if (member.offset % size !== 0) throw new Error(`${name}.${key} is not aligned`);
    if (member.offset + sizeOf(member) > bytes) throw new Error(`${name}.${key} is outside`);
    if (member.isShared) continue;
    if (member.offset !== next)
      throw new Error(
        member.offset < next
          ? `${name}.${key} overlaps another member at offset ${member.offset}`
          : `${name}: no member has bytes ${next} to ${member.offset - 1}`,
      );
    next = member.offset + sizeOf(member);
  }
  if (next !== bytes) throw new Error(`${name}: no member has bytes ${next} to ${bytes - 1}`);
}

/** Declares a structure of `bytes` bytes. Throws on a hole, an overlap or a misaligned member. */
export function cstruct<const M extends CMembers>(
  name: string,
  bytes: number,
  members: M,
): CStruct<M> {
  checkMembers(name, bytes, members);
  return { is: "cstruct", name, bytes, members };
}

const LIMITS: Readonly<Record<CScalar, readonly [bigint, bigint]>> = {
  u8: [0n, 0xffn],
  u16: [0n, 0xffffn],
  u32: [0n, 0xffffffffn],
  u64: [0n, 0xffffffffffffffffn],
  s32: [-0x80000000n, 0x7fffffffn],
};

function putScalar(view: DataView, at: number, type: CScalar, value: number | bigint): void {
  const wide = BigInt(value);
  const [low, high] = LIMITS[type];
  if (wide < low || wide > high) throw new RangeError(`${value} does not fit in ${type}`);
  if (type === "u64") view.setBigUint64(at, wide, true);
  else if (type === "s32") view.setInt32(at, Number(wide), true);
  else if (type === "u32") view.setUint32(at, Number(wide), true);
  else if (type === "u16") view.setUint16(at, Number(wide), true);
  else view.setUint8(at, Number(wide));
}

function takeScalar(view: DataView, at: number, type: CScalar): number | bigint {
  if (type === "u64") return view.getBigUint64(at, true);
  if (type === "s32") return view.getInt32(at, true);
  if (type === "u32") return view.getUint32(at, true);
  if (type === "u16") return view.getUint16(at, true);
  return view.getUint8(at);
}

const elementsOf = (member: CMember, value: unknown): readonly (number | bigint)[] =>
  member.isArray ? Array.from(value as ArrayLike<number | bigint>) : [value as number | bigint];

/**
 * Bytes of a structure. Members that are not given are 0; a flexible array makes the result longer.
 * Throws a RangeError on a value that does not fit, an array that is too long or an unknown member.
 */
export function pack<M extends CMembers>(
  layout: CStruct<M>,
  values: Partial<CValues<M>>,
): Uint8Array {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  let length = layout.bytes;
  const parts = given.map(([name, value]) => {
    const member = layout.members[name];
    if (member === undefined) throw new RangeError(`${layout.name} has no member ${name}`);
    const elements = elementsOf(member, value);
    const flexible = member.isArray && member.count === 0;
    if (!flexible && elements.length > member.count)
      throw new RangeError(`${layout.name}.${name} has ${member.count} elements`);
    if (flexible) length = Math.max(length, member.offset + elements.length * SIZES[member.scalar]);
    return { member, elements };
  });
  const view = new DataView(new ArrayBuffer(length));
  for (const { member, elements } of parts)
    elements.forEach((value, i) => {
      putScalar(view, member.offset + i * SIZES[member.scalar], member.scalar, value);
    });
  return new Uint8Array(view.buffer);
}

function takeMember(view: DataView, base: number, member: CMember): unknown {
  const size = SIZES[member.scalar];
  const at = base + member.offset;
  if (!member.isArray) return takeScalar(view, at, member.scalar);
  const count = member.count === 0 ? Math.floor((view.byteLength - at) / size) : member.count;
  if (member.scalar === "u8")
    return new Uint8Array(view.buffer, view.byteOffset + at, count).slice();
  return Array.from({ length: count }, (_, i) => takeScalar(view, at + i * size, member.scalar));
}

/**
 * Values of all members of a structure that starts at byte `offset`; a flexible array takes all
 * bytes that follow. Throws a RangeError when there are fewer bytes than the structure has.
 */
export function unpack<M extends CMembers>(
  layout: CStruct<M>,
  bytes: Uint8Array,
  offset = 0,
): CValues<M> {
  if (offset < 0 || offset + layout.bytes > bytes.length)
    throw new RangeError(
      `${layout.name} has ${layout.bytes} bytes, there are ${bytes.length - offset}`,
    );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Object.fromEntries(
    Object.entries(layout.members).map(([name, member]) => [
      name,
      takeMember(view, offset, member),
    ]),
  ) as CValues<M>;
}
