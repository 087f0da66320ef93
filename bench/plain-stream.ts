// What the JavaScript baselines have in common: decoded streams, and masks of the fields they read.
import { ANSWER_META, REQUEST_FLAGS } from "../src/spec/abi-words.ts";
import { CD } from "../src/spec/cd.ts";
import { EVENT } from "../src/spec/event.ts";
import type { Field } from "../src/spec/field.ts";
import { STE } from "../src/spec/ste.ts";
import { getField } from "../src/spec/word.ts";
import type { World } from "./world.ts";

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
  translation: Number(EVENT.cases.F_TRANSLATION.value),
  access: Number(EVENT.cases.F_ACCESS.value),
  permission: Number(EVENT.cases.F_PERMISSION.value),
} as const;

/** Statuses of an answer. */
const statusOf = (name: string): number =>
  Number(Object.entries(ANSWER_META.field.status.values ?? {}).find(([, n]) => n === name)?.[0]);
export const STATUS = { ok: statusOf("OK"), event: statusOf("EVENT") } as const;

const META = ANSWER_META.field;
const HALF = 32;

/** Lower half of a good answer's second word: a mapping of 2^bits bytes. */
export const metaLow = (bits: number, perm: number): number =>
  STATUS.ok | (bits << META.pageBits.lo) | (perm << META.perm.lo);

/** Its upper half: attributes, and stages that translated. */
export const metaHigh = (attr: number, sh: number, stage: number): number =>
  attr | (sh << (META.sh.lo - HALF)) | (stage << (META.stage.lo - HALF));

/** The second word of a faulting request's answer. */
export const metaOfFault = (type: number): number =>
  (STATUS.event | (type << META.eventType.lo)) >>> 0;

/** Permission bits of an answer. */
export const R = 1;
export const W = 2;
export const X = 4;

/** Bits of a field where they lie in its 64-bit word. */
export const maskOf = (field: Field): bigint =>
  ((1n << BigInt(field.width)) - 1n) << BigInt(field.lo % 64);

/** The halves of such a mask. */
export const lowMask = (field: Field): number => Number(maskOf(field) & 0xffff_ffffn);
export const highMask = (field: Field): number => Number(maskOf(field) >> 32n);

/** The bit that makes a request a write. */
export const WRITE_BIT = lowMask(REQUEST_FLAGS.field.write);

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

/** Reads STE and CD. `toPa` sends an IPA of the stream through its stage 2, given the root. */
export function decodeStream(
  world: World,
  sid: number,
  toPa: (vttb: bigint, ipa: bigint) => bigint,
): Stream {
  const entry = (at: bigint): bigint[] =>
    Array.from({ length: 8 }, (_, i) => world.memory.readU64(world.lin(Number(at)) + i * 8));
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
