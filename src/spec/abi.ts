// Records of engine state that WebAssembly and TypeScript share, laid out once for both.

/** Type of a scalar in a record. */
export type Scalar = "u8" | "u16" | "u32" | "u64" | "i32";

/** A scalar, or an array of them: ["u64", 8]. */
export type MemberType = Scalar | readonly [Scalar, number];

/** A placed member of a record. */
export interface Member {
  readonly name: string;
  readonly type: Scalar;
  readonly bytes: number;
  readonly offset: number;
  readonly count: number;
}

/** A record: members in declaration order at their natural alignment. */
export interface RecordLayout<N extends string = string> {
  readonly is: "record";
  readonly name: string;
  readonly bytes: number;
  readonly align: number;
  readonly members: Readonly<Record<N, Member>>;
}

const SCALAR_BYTES: Readonly<Record<Scalar, number>> = { u8: 1, u16: 2, u32: 4, u64: 8, i32: 4 };

const alignUp = (value: number, align: number): number => Math.ceil(value / align) * align;

/** Declares a record; the size is rounded up to the largest alignment of a member. */
export function record<const M extends Readonly<Record<string, MemberType>>>(
  name: string,
  members: M,
): RecordLayout<Extract<keyof M, string>> {
  let offset = 0;
  let align = 1;
  const placed: Record<string, Member> = {};
  for (const [key, type] of Object.entries<MemberType>(members)) {
    const [scalar, count] = typeof type === "string" ? [type, 1] : type;
    const bytes = SCALAR_BYTES[scalar];
    align = Math.max(align, bytes);
    offset = alignUp(offset, bytes);
    placed[key] = { name: key, type: scalar, bytes, offset, count };
    offset += bytes * count;
  }
  return {
    is: "record",
    name,
    bytes: alignUp(offset, align),
    align,
    members: placed as Record<Extract<keyof M, string>, Member>,
  };
}

/** Byte offset of a member within its record. */
export function offsetOf<N extends string>(layout: RecordLayout<N>, name: N, index = 0): number {
  const member = layout.members[name];
  return member.offset + index * member.bytes;
}

/** Value of a 64-bit member at byte offset `base` of `view`. */
export function getWide<N extends string>(
  layout: RecordLayout<N>,
  view: DataView,
  base: number,
  name: N,
  index = 0,
): bigint {
  return view.getBigUint64(base + offsetOf(layout, name, index), true);
}

/** Value of a member of at most 32 bits at byte offset `base` of `view`. */
export function getNarrow<N extends string>(
  layout: RecordLayout<N>,
  view: DataView,
  base: number,
  name: N,
  index = 0,
): number {
  const at = base + offsetOf(layout, name, index);
  switch (layout.members[name].type) {
    case "u8":
      return view.getUint8(at);
    case "u16":
      return view.getUint16(at, true);
    case "i32":
      return view.getInt32(at, true);
    case "u32":
      return view.getUint32(at, true);
    case "u64":
      throw new RangeError(`${layout.name}.${name} has 64 bits`);
  }
}

/** Sets a member; numbers that do not fit are cut to its width. */
export function setMember<N extends string>(
  layout: RecordLayout<N>,
  view: DataView,
  base: number,
  name: N,
  value: number | bigint,
  index = 0,
): void {
  const at = base + offsetOf(layout, name, index);
  switch (layout.members[name].bytes) {
    case 1:
      view.setUint8(at, Number(value));
      break;
    case 2:
      view.setUint16(at, Number(value), true);
      break;
    case 4:
      view.setUint32(at, Number(BigInt.asUintN(32, BigInt(value))), true);
      break;
    default:
      view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  }
}
