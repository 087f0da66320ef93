// A translator written for speed in JavaScript: addresses in halves of 32 bits, translations in one
// typed array that is indexed by a hash. It answers what the BigInt one does: streams of stage 1,
// or of both stages with write-back memory in stage 2, with 4 KiB granules and 48 bits; faults are
// answered and not recorded.
import { S1LEAF, S1TABLE, S2LEAF } from "../../src/spec/descriptor.ts";
import type { Ring } from "../world/ring.ts";
import type { World } from "../world/world.ts";
import {
  Contexts,
  decodeStream,
  FAULT,
  grantOf,
  highMask,
  lowMask,
  metaHigh,
  metaLow,
  metaOfFault,
  needOf,
  type Stream,
  stage1Perms,
  stage2Perms,
  UR,
  wider,
} from "./plain-stream.ts";

const VALID = lowMask(S1LEAF.field.valid);
const TYPE = lowMask(S1LEAF.field.type);
const TABLE_LOW = lowMask(S1TABLE.field.NLTA);
const TABLE_HIGH = highMask(S1TABLE.field.NLTA);
const OUTPUT_HIGH = highMask(S1LEAF.field.OA);
const AF = lowMask(S1LEAF.field.AF);
const AP1 = lowMask(S1LEAF.field["AP[1]"]);
const AP2 = lowMask(S1LEAF.field["AP[2]"]);
const PXN = highMask(S1LEAF.field.PXN);
const UXN = highMask(S1LEAF.field.UXN);
const S2_READ = lowMask(S2LEAF.field["S2AP[0]"]);
const S2_WRITE = lowMask(S2LEAF.field["S2AP[1]"]);
const XN_AT = S2LEAF.field.XN.lo - 32;
const ATTR_AT = S1LEAF.field.AttrIndx.lo;
const SH_AT = S1LEAF.field.SH.lo;
const LAST_LEVEL = 3;
const SHIFT = [39, 30, 21, 12];
const TWO_32 = 2 ** 32;
/** Upper half of the largest address of 48 bits. */
const HIGH_MAX = 0xffff;

/** Cached translations, eight words each: a tag, an output, the answer's second word. */
const ENTRIES_LOG2 = 14;
const TAG_LOW = 0;
const TAG_HIGH = 1;
const OUT_LOW = 2;
const OUT_HIGH = 3;
const META_LOW = 4;
const META_HIGH = 5;
const PERMS = 6;
const ENTRY_LOG2 = 3;

/** A stream as its requests need it. */
interface Half {
  readonly stream: Stream;
  readonly ttbLow: number;
  readonly ttbHigh: number;
  readonly vttbLow: number;
  readonly vttbHigh: number;
  readonly mair: Uint8Array;
  /** What tells the tags of its translations, and of its stage 2, from others'. */
  readonly tag: number;
  readonly tagS2: number;
}

/** One translator over a machine. */
export class PlainUint32 {
  readonly #streams = new Map<number, Half>();
  readonly #entries = new Uint32Array(1 << (ENTRIES_LOG2 + ENTRY_LOG2));
  readonly #contexts = new Contexts();
  #words: Uint32Array;
  /** What a walk found: an address, the leaf's size, permissions, attributes; 0 or an event. */
  #low = 0;
  #high = 0;
  #bits = 0;
  #perms = 0;
  #attr = 0;
  #sh = 0;
  #fault = 0;

  constructor(private readonly world: World) {
    this.#words = new Uint32Array(world.memory.memory.buffer);
  }

  /** Forgets what is cached. */
  flush(): void {
    this.#streams.clear();
    this.#entries.fill(0);
  }

  /** Translates all requests of a ring. */
  translateAll({ requests, answers, count }: Ring): void {
    this.#words = new Uint32Array(this.world.memory.memory.buffer);
    const words = this.#words;
    const entries = this.#entries;
    let sid = -1;
    let half: Half | undefined;
    for (let i = 0; i < count; i++) {
      const request = (requests >>> 2) + i * 4;
      const answer = (answers >>> 2) + i * 4;
      const low = words[request];
      const high = words[request + 1];
      const need = needOf(words[request + 3]);
      if (words[request + 2] !== sid || half === undefined) {
        sid = words[request + 2];
        half = this.#stream(sid);
      }
      const at = half ? this.#translate(half, low, high, need) : -1;
      if (at < 0) {
        words.fill(0, answer, answer + 4);
        words[answer + 2] = metaOfFault(this.#fault);
        continue;
      }
      words[answer] = entries[at + OUT_LOW] | (low & 0xfff);
      words[answer + 1] = entries[at + OUT_HIGH];
      words[answer + 2] = entries[at + META_LOW] | grantOf(entries[at + PERMS], need);
      words[answer + 3] = entries[at + META_HIGH];
    }
  }

  /** The entry that answers an access, or -1 with the fault set. */
  #translate(half: Half, low: number, high: number, need: number): number {
    const at = this.#find(low, high, half.tag);
    if (at >= 0 && this.#entries[at + PERMS] & need) return at;
    return this.#walk(half, low, high, need);
  }

  /** The decoded stream, or undefined with the fault set that the way to its CD met. */
  #stream(sid: number): Half | undefined {
    let half = this.#streams.get(sid);
    if (half) return half;
    this.#fault = 0;
    const stream = decodeStream(this.world, sid, (vttb, ipa) => {
      const low = Number(ipa % BigInt(TWO_32));
      const root = Number(vttb);
      this.#walkStage2(root % TWO_32, Math.floor(root / TWO_32), low, Number(ipa >> 32n), UR);
      return BigInt(this.#high) * BigInt(TWO_32) + BigInt(this.#low);
    });
    if (this.#fault) return undefined;
    const { input, stage2 } = this.#contexts.of(stream);
    half = {
      stream,
      ttbLow: Number(stream.ttb % BigInt(TWO_32)),
      ttbHigh: Number(stream.ttb >> 32n),
      vttbLow: Number(stream.vttb % BigInt(TWO_32)),
      vttbHigh: Number(stream.vttb >> 32n),
      mair: Uint8Array.from({ length: 8 }, (_, i) => Number((stream.mair >> BigInt(i * 8)) & 255n)),
      tag: input,
      tagS2: stage2,
    };
    this.#streams.set(sid, half);
    return half;
  }

  /** Place of the entry for the page of an address under a tag. */
  #place(low: number, high: number, tag: number): number {
    const page = (low >>> 12) | (high << 20);
    const hash = Math.imul(page ^ Math.imul(tag, 0x85ebca6b), 0x9e3779b1);
    return (hash >>> (32 - ENTRIES_LOG2)) << ENTRY_LOG2;
  }

  /** The entry that holds the page, or -1. Tags hold its 36 address bits and the context. */
  #find(low: number, high: number, tag: number): number {
    if (high > HIGH_MAX) return -1;
    const at = this.#place(low, high, tag);
    const entries = this.#entries;
    const tagLow = (low & ~0xfff) | (high & 0xfff);
    if (entries[at + TAG_LOW] !== tagLow >>> 0) return -1;
    return entries[at + TAG_HIGH] === ((tag << 16) | (high >>> 12)) >>> 0 ? at : -1;
  }

  /** Keeps what a walk found of an address, whose answer is made by `stage` stages. */
  #keep(low: number, high: number, tag: number, stage: number): number {
    const at = this.#place(low, high, tag);
    const entries = this.#entries;
    entries[at + TAG_LOW] = (low & ~0xfff) | (high & 0xfff);
    entries[at + TAG_HIGH] = (tag << 16) | (high >>> 12);
    entries[at + OUT_LOW] = this.#low & ~0xfff;
    entries[at + OUT_HIGH] = this.#high;
    entries[at + META_LOW] = metaLow(this.#bits);
    entries[at + META_HIGH] = metaHigh(this.#attr, this.#sh, stage);
    entries[at + PERMS] = this.#perms;
    return at;
  }

  /** Walks what is not cached; gives the new entry, or -1 with the fault set. */
  #walk(half: Half, low: number, high: number, need: number): number {
    if (!this.#walkStage1(half, low, high, need)) return -1;
    if (!half.stream.nested) return this.#keep(low, high, half.tag, 1);
    const bits = this.#bits;
    const perms = this.#perms;
    const attr = this.#attr;
    const sh = this.#sh;
    if (!this.#stage2(half, this.#low, this.#high, need)) return -1;
    this.#bits = Math.min(bits, this.#bits);
    this.#perms &= perms;
    this.#attr = attr;
    this.#sh = wider(sh, this.#sh);
    return this.#keep(low, high, half.tag, 3);
  }

  /** Index into the words of a descriptor, or -1 where there is no RAM. */
  #wordAt(low: number, high: number): number {
    const { ramLin, base, bytes } = this.world;
    const offset = high * TWO_32 + low - base;
    return offset >= 0 && offset < bytes ? (ramLin + offset) / 4 : -1;
  }

  #fail(type: number): false {
    this.#fault = type;
    return false;
  }

  /** Sets the address that a leaf maps an input to. */
  #setLeaf(wordLow: number, wordHigh: number, low: number, level: number): void {
    const shift = SHIFT[level];
    const below = 2 ** shift - 1;
    this.#low = ((wordLow & ~below) | (low & below)) >>> 0;
    this.#high = wordHigh & OUTPUT_HIGH;
    this.#bits = shift;
    this.#sh = (wordLow >>> SH_AT) & 3;
  }

  #walkStage1(half: Half, low: number, high: number, need: number): boolean {
    if (high >= 2 ** (half.stream.inputBits - 32)) return this.#fail(FAULT.translation);
    let tableLow = half.ttbLow;
    let tableHigh = half.ttbHigh;
    for (let level = 0; level <= LAST_LEVEL; level++) {
      tableLow = (tableLow | (indexOf(low, high, level) << 3)) >>> 0;
      if (half.stream.nested) {
        if (!this.#stage2(half, tableLow, tableHigh, UR)) return false;
        tableLow = this.#low;
        tableHigh = this.#high;
      }
      const at = this.#wordAt(tableLow, tableHigh);
      if (at < 0) return this.#fail(FAULT.abort);
      const wordLow = this.#words[at];
      const wordHigh = this.#words[at + 1];
      if (isInvalid(wordLow, level)) return this.#fail(FAULT.translation);
      if (level < LAST_LEVEL && wordLow & TYPE) {
        tableLow = wordLow & TABLE_LOW;
        tableHigh = wordHigh & TABLE_HIGH;
        continue;
      }
      if (!(wordLow & AF)) return this.#fail(FAULT.access);
      const ap1 = (wordLow & AP1) !== 0;
      const ap2 = (wordLow & AP2) !== 0;
      const perms = stage1Perms(ap1, ap2, (wordHigh & PXN) !== 0, (wordHigh & UXN) !== 0);
      if (!(perms & need)) return this.#fail(FAULT.permission);
      this.#setLeaf(wordLow, wordHigh, low, level);
      this.#perms = perms;
      this.#attr = half.mair[(wordLow >>> ATTR_AT) & 7];
      return true;
    }
    return this.#fail(FAULT.translation);
  }

  /** An IPA through stage 2, from the entries if it is there; the address is left behind. */
  #stage2(half: Half, low: number, high: number, need: number): boolean {
    const entries = this.#entries;
    const at = this.#find(low, high, half.tagS2);
    if (at >= 0 && entries[at + PERMS] & need) {
      this.#low = (entries[at + OUT_LOW] | (low & 0xfff)) >>> 0;
      this.#high = entries[at + OUT_HIGH];
      this.#bits = (entries[at + META_LOW] >>> 8) & 0xff;
      this.#perms = entries[at + PERMS];
      this.#sh = (entries[at + META_HIGH] >>> 8) & 3;
      return true;
    }
    if (!this.#walkStage2(half.vttbLow, half.vttbHigh, low, high, need)) return false;
    this.#keep(low, high, half.tagS2, 2);
    return true;
  }

  #walkStage2(rootLow: number, rootHigh: number, low: number, high: number, need: number): boolean {
    if (high > HIGH_MAX) return this.#fail(FAULT.translation);
    let tableLow = rootLow;
    let tableHigh = rootHigh;
    for (let level = 0; level <= LAST_LEVEL; level++) {
      const at = this.#wordAt((tableLow | (indexOf(low, high, level) << 3)) >>> 0, tableHigh);
      if (at < 0) return this.#fail(FAULT.abort);
      const wordLow = this.#words[at];
      const wordHigh = this.#words[at + 1];
      if (isInvalid(wordLow, level)) return this.#fail(FAULT.translation);
      if (level < LAST_LEVEL && wordLow & TYPE) {
        tableLow = wordLow & TABLE_LOW;
        tableHigh = wordHigh & TABLE_HIGH;
        continue;
      }
      if (!(wordLow & AF)) return this.#fail(FAULT.access);
      const xn = (wordHigh >>> XN_AT) & 3;
      const perms = stage2Perms((wordLow & S2_READ) !== 0, (wordLow & S2_WRITE) !== 0, xn);
      if (!(perms & need)) return this.#fail(FAULT.permission);
      this.#setLeaf(wordLow, wordHigh, low, level);
      this.#perms = perms;
      return true;
    }
    return this.#fail(FAULT.translation);
  }
}

/** Index of an address into the table of a level. */
function indexOf(low: number, high: number, level: number): number {
  switch (level) {
    case 0:
      return (high >>> 7) & 511;
    case 1:
      return ((high << 2) | (low >>> 30)) & 511;
    case 2:
      return (low >>> 21) & 511;
    default:
      return (low >>> 12) & 511;
  }
}

/** Whether a descriptor is invalid, or a block where there are none. */
function isInvalid(word: number, level: number): boolean {
  if (!(word & VALID)) return true;
  return (level === 0 || level === LAST_LEVEL) && !(word & TYPE);
}
