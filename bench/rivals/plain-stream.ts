// What the JavaScript baselines have in common: decoded streams, and masks of the fields they read.
import { ANSWER_META, REQUEST_FLAGS, REQUEST_VIEW } from "../../src/spec/abi-words.ts";
import { CD } from "../../src/spec/cd.ts";
import { S2LEAF } from "../../src/spec/descriptor.ts";
import { EVENT } from "../../src/spec/event.ts";
import type { Field } from "../../src/spec/field.ts";
import { STE } from "../../src/spec/ste.ts";
import { getField } from "../../src/spec/word.ts";
import type { World } from "../world/world.ts";

/** A stream with stage 1, or with stage 1 through stage 2. Tables have 4 KiB granules. */
export interface Stream {
  readonly nested: boolean;
  readonly asid: number;
  readonly vmid: number;
  readonly ttb: bigint;
  readonly vttb: bigint;
  /** Eight attribute bytes. */
  readonly mair: bigint;
  readonly inputBits: number;
}

/** Events that a walk can end in. */
export const FAULT = {
  abort: Number(EVENT.cases.F_WALK_EABT.value),
  translation: Number(EVENT.cases.F_TRANSLATION.value),
  access: Number(EVENT.cases.F_ACCESS.value),
  permission: Number(EVENT.cases.F_PERMISSION.value),
} as const;

/** Bits of a field where they lie in its 64-bit word. */
export const maskOf = (field: Field): bigint =>
  ((1n << BigInt(field.width)) - 1n) << BigInt(field.lo % 64);

/** The halves of such a mask. */
export const lowMask = (field: Field): number => Number(maskOf(field) & 0xffff_ffffn);
export const highMask = (field: Field): number => Number(maskOf(field) >> 32n);

/** Number of a named encoding of a field. */
const encodingOf = (field: Field, name: string): number =>
  Number(Object.entries(field.values ?? {}).find(([, other]) => other === name)?.[0]);

const STATUS = {
  ok: encodingOf(ANSWER_META.field.status, "OK"),
  event: encodingOf(ANSWER_META.field.status, "EVENT"),
};
const XN = {
  EXEC: encodingOf(S2LEAF.field.XN, "EXEC"),
  EXEC_EL0: encodingOf(S2LEAF.field.XN, "EXEC_EL0"),
  EXEC_EL1: encodingOf(S2LEAF.field.XN, "EXEC_EL1"),
};

const META = ANSWER_META.field;
const HALF = 32;

/** Lower half of a good answer's second word, without permissions: 2^bits bytes are mapped. */
export const metaLow = (bits: number): number => STATUS.ok | (bits << META.pageBits.lo);

/** Permissions that an answer gives to an access that needs the bit `need`, in that half. */
export const grantOf = (perms: number, need: number): number =>
  (need > PX ? perms >> UNPRIVILEGED : perms & ALL) << META.perm.lo;

/** Its upper half: attributes, and stages that translated. */
export const metaHigh = (attr: number, sh: number, stage: number): number =>
  attr | (sh << (META.sh.lo - HALF)) | (stage << (META.stage.lo - HALF));

/** The second word of a faulting request's answer. */
export const metaOfFault = (type: number): number =>
  (STATUS.event | (type << META.eventType.lo)) >>> 0;

/** Permissions of a mapping: read, write, execute for privileged and for unprivileged accesses. */
export const PR = 1;
const PW = 2;
const PX = 4;
export const UR = 8;
const UW = 16;
const UX = 32;
const UNPRIVILEGED = 3;
const ALL = PR | PW | PX;

const ACCESS_WORD = REQUEST_VIEW.field.access;

/** The permission that each kind of access needs; writes are always data. */
const NEEDS = Array.from({ length: 2 ** ACCESS_WORD.width }, (_, access) => {
  const has = (name: "write" | "privileged" | "instruction") =>
    (access & lowMask(REQUEST_FLAGS.field[name])) !== 0;
  const need = has("write") ? PW : has("instruction") ? PX : PR;
  return has("privileged") ? need : need << UNPRIVILEGED;
});

/** The permission that a request with these flags needs. */
export const needOf = (flags: number): number => NEEDS[flags & (NEEDS.length - 1)];

/** What the permission bits of a stage 1 leaf mean. */
export function stage1Perms(ap1: boolean, ap2: boolean, pxn: boolean, uxn: boolean): number {
  const data = ap2 ? PR : PR | PW;
  let perms = ap1 ? data | (data << UNPRIVILEGED) : data;
  if (!pxn && !(perms & UW)) perms |= PX;
  if (!uxn) perms |= UX;
  return perms;
}

/** The same of a stage 2 leaf; `xn` is the field's value. */
export function stage2Perms(read: boolean, write: boolean, xn: number): number {
  let perms = read ? PR | UR : 0;
  if (write) perms |= PW | UW;
  if (xn === XN.EXEC || xn === XN.EXEC_EL1) perms |= PX;
  if (xn === XN.EXEC || xn === XN.EXEC_EL0) perms |= UX;
  return perms;
}

/** The wider of two shareabilities: 2 is outer, 3 inner, 0 none. */
export const wider = (a: number, b: number): number => (a === 2 || b === 2 ? 2 : Math.max(a, b));

/** Numbers from 1 for the address spaces that tags of cached translations name. */
export class Contexts {
  readonly #numbers = new Map<string, number>();

  /** Those of a stream's input, and of its stage 2. */
  of({ vmid, asid }: Stream): { input: number; stage2: number } {
    return { input: this.#number(`${vmid}.${asid}`), stage2: this.#number(`${vmid}`) };
  }

  #number(name: string): number {
    const number = this.#numbers.get(name) ?? this.#numbers.size + 1;
    this.#numbers.set(name, number);
    return number;
  }
}

const NESTED = 7n;
const BYTES = 64n;

/**
 * Reads STE and CD. `toPa` sends an IPA of the stream through its stage 2, given the root; what it
 * gives when that faults need not be memory.
 */
export function decodeStream(
  world: World,
  sid: number,
  toPa: (vttb: bigint, ipa: bigint) => bigint,
): Stream {
  const entry = (at: bigint): bigint[] => {
    const inside = Number(at) >= world.base && Number(at) + Number(BYTES) <= world.top;
    const lin = world.lin(Number(at));
    return Array.from({ length: 8 }, (_, i) => (inside ? world.memory.readU64(lin + i * 8) : 0n));
  };
  const ste = entry(BigInt(world.streamTable) + BigInt(sid) * BYTES);
  const nested = getField(STE, ste, "Config") === NESTED;
  const vttb = getField(STE, ste, "S2TTB");
  const at = getField(STE, ste, "S1ContextPtr");
  const cd = entry(nested ? toPa(vttb, at) : at);
  return {
    nested,
    asid: Number(getField(CD, cd, "ASID")),
    vmid: nested ? Number(getField(STE, ste, "S2VMID")) : 0,
    ttb: getField(CD, cd, "TTB0"),
    vttb,
    mair: getField(CD, cd, "MAIR0") | (getField(CD, cd, "MAIR1") << 32n),
    inputBits: 64 - Number(getField(CD, cd, "T0SZ")),
  };
}
