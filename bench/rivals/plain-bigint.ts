// A translator as one writes it in JavaScript first: BigInt addresses, Maps for what is cached. It
// answers streams of stage 1, or of both stages with write-back memory in stage 2, with 4 KiB
// granules and 48 bits; faults are answered and not recorded.
import { S1LEAF, S1TABLE, S2LEAF } from "../../src/spec/descriptor.ts";
import type { Ring } from "../world/ring.ts";
import type { World } from "../world/world.ts";
import {
  Contexts,
  decodeStream,
  FAULT,
  grantOf,
  maskOf,
  metaHigh,
  metaLow,
  metaOfFault,
  needOf,
  PR,
  type Stream,
  stage1Perms,
  stage2Perms,
  UR,
  wider,
} from "./plain-stream.ts";

const VALID = maskOf(S1LEAF.field.valid);
const TYPE = maskOf(S1LEAF.field.type);
const TABLE = maskOf(S1TABLE.field.NLTA);
const OUTPUT = maskOf(S1LEAF.field.OA);
const AF = maskOf(S1LEAF.field.AF);
const AP1 = maskOf(S1LEAF.field["AP[1]"]);
const AP2 = maskOf(S1LEAF.field["AP[2]"]);
const PXN = maskOf(S1LEAF.field.PXN);
const UXN = maskOf(S1LEAF.field.UXN);
const S2_READ = maskOf(S2LEAF.field["S2AP[0]"]);
const S2_WRITE = maskOf(S2LEAF.field["S2AP[1]"]);
const XN_AT = BigInt(S2LEAF.field.XN.lo);
const ATTR_AT = BigInt(S1LEAF.field.AttrIndx.lo);
const SH_AT = BigInt(S1LEAF.field.SH.lo);
/** Cached translations; more empty the cache. */
const ENTRIES_MAX = 16384;
/** Address bits below an entry of each level. */
const SHIFT = [39n, 30n, 21n, 12n];
const LAST_LEVEL = 3;
const INPUT_BITS = 48n;
/** Address bits of a page. */
const PAGE = ~0xfffn;

/** What a page is mapped to; the output is that of its 4 KiB. */
interface Mapping {
  readonly output: bigint;
  /** log2 of the leaf's bytes. */
  readonly bits: number;
  readonly perms: number;
  readonly attr: number;
  readonly sh: number;
  /** The second words of answers to privileged and unprivileged accesses. */
  readonly privileged: bigint;
  readonly unprivileged: bigint;
}

/** A stream, and what its tags name. */
interface Known {
  readonly stream: Stream;
  readonly tag: bigint;
  readonly tagS2: bigint;
}

/** A walk that ended in an event. */
class Fault extends Error {
  constructor(readonly type: number) {
    super(`event ${type}`);
  }
}

/** One translator over a machine. */
export class PlainBigInt {
  readonly #streams = new Map<number, Known>();
  readonly #contexts = new Contexts();
  readonly #mappings = new Map<bigint, Mapping>();
  #words: BigUint64Array;

  constructor(private readonly world: World) {
    this.#words = new BigUint64Array(world.memory.memory.buffer);
  }

  /** Forgets what is cached. */
  flush(): void {
    this.#streams.clear();
    this.#mappings.clear();
  }

  /** Translates all requests of a ring. */
  translateAll({ requests, answers, count }: Ring): void {
    this.#words = new BigUint64Array(this.world.memory.memory.buffer);
    const words = this.#words;
    for (let i = 0; i < count; i++) {
      const request = requests / 8 + i * 2;
      const answer = answers / 8 + i * 2;
      const iova = words[request];
      const sid = Number(words[request + 1] & 0xffff_ffffn);
      const need = needOf(Number(words[request + 1] >> 32n));
      try {
        const mapping = this.#translate(sid, iova, need);
        words[answer] = mapping.output | (iova & 0xfffn);
        words[answer + 1] = need < UR ? mapping.privileged : mapping.unprivileged;
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        words[answer] = 0n;
        words[answer + 1] = BigInt(metaOfFault(error.type));
      }
    }
  }

  #translate(sid: number, iova: bigint, need: number): Mapping {
    const of = this.#stream(sid);
    const key = (iova & PAGE) | of.tag;
    const found = this.#mappings.get(key);
    if (found && found.perms & need) return found;
    let mapping = this.#walkStage1(of, iova, need);
    if (of.stream.nested) mapping = this.#throughStage2(of, mapping, need);
    this.#keep(key, mapping);
    return mapping;
  }

  #stream(sid: number): Known {
    const known = this.#streams.get(sid);
    if (known) return known;
    const toPa = (vttb: bigint, ipa: bigint) =>
      this.#walkStage2(vttb, ipa, UR).output | (ipa & 0xfffn);
    const stream = decodeStream(this.world, sid, toPa);
    const { input, stage2 } = this.#contexts.of(stream);
    const fresh = { stream, tag: BigInt(input), tagS2: BigInt(stage2) };
    this.#streams.set(sid, fresh);
    return fresh;
  }

  #keep(key: bigint, mapping: Mapping): void {
    if (this.#mappings.size >= ENTRIES_MAX) this.#mappings.clear();
    this.#mappings.set(key, mapping);
  }

  #load(pa: bigint): bigint {
    const { ramLin, base, bytes } = this.world;
    const offset = Number(pa) - base;
    if (offset < 0 || offset >= bytes) throw new Fault(FAULT.abort);
    return this.#words[(ramLin + offset) / 8];
  }

  /** An IPA through stage 2, from the cache if it is there. */
  #stage2({ stream, tagS2 }: Known, ipa: bigint, need: number): Mapping {
    const key = (ipa & PAGE) | tagS2;
    const found = this.#mappings.get(key);
    if (found && found.perms & need) return found;
    const mapping = this.#walkStage2(stream.vttb, ipa, need);
    this.#keep(key, mapping);
    return mapping;
  }

  #walkStage1(of: Known, iova: bigint, need: number): Mapping {
    const { stream } = of;
    if (iova >> BigInt(stream.inputBits)) throw new Fault(FAULT.translation);
    let table = stream.ttb;
    for (let level = 0; level <= LAST_LEVEL; level++) {
      let at = table + ((iova >> SHIFT[level]) & 511n) * 8n;
      if (stream.nested) at = this.#stage2(of, at, UR).output | (at & 0xfffn);
      const word = this.#load(at);
      checkKind(word, level);
      if (level < LAST_LEVEL && word & TYPE) {
        table = word & TABLE;
        continue;
      }
      if (!(word & AF)) throw new Fault(FAULT.access);
      const perms = stage1Perms(!!(word & AP1), !!(word & AP2), !!(word & PXN), !!(word & UXN));
      if (!(perms & need)) throw new Fault(FAULT.permission);
      const attr = Number((stream.mair >> (((word >> ATTR_AT) & 7n) * 8n)) & 0xffn);
      const sh = Number((word >> SH_AT) & 3n);
      return mappingOf(outputOf(word, iova, level), Number(SHIFT[level]), perms, attr, sh, 1);
    }
    throw new Fault(FAULT.translation);
  }

  #walkStage2(vttb: bigint, ipa: bigint, need: number): Mapping {
    if (ipa >> INPUT_BITS) throw new Fault(FAULT.translation);
    let table = vttb;
    for (let level = 0; level <= LAST_LEVEL; level++) {
      const word = this.#load(table + ((ipa >> SHIFT[level]) & 511n) * 8n);
      checkKind(word, level);
      if (level < LAST_LEVEL && word & TYPE) {
        table = word & TABLE;
        continue;
      }
      if (!(word & AF)) throw new Fault(FAULT.access);
      const xn = Number((word >> XN_AT) & 3n);
      const perms = stage2Perms(!!(word & S2_READ), !!(word & S2_WRITE), xn);
      if (!(perms & need)) throw new Fault(FAULT.permission);
      const sh = Number((word >> SH_AT) & 3n);
      return mappingOf(outputOf(word, ipa, level), Number(SHIFT[level]), perms, 0, sh, 2);
    }
    throw new Fault(FAULT.translation);
  }

  /** Puts stage 2 on top of a stage 1 mapping. */
  #throughStage2(of: Known, first: Mapping, need: number): Mapping {
    const second = this.#stage2(of, first.output, need);
    const bits = Math.min(first.bits, second.bits);
    const perms = first.perms & second.perms;
    return mappingOf(second.output, bits, perms, first.attr, wider(first.sh, second.sh), 3);
  }
}

/** Refuses invalid descriptors, and blocks where there are none. */
function checkKind(word: bigint, level: number): void {
  const bare = level === 0 || level === LAST_LEVEL;
  if (!(word & VALID) || (bare && !(word & TYPE))) throw new Fault(FAULT.translation);
}

/** Output of the 4 KiB around an input in a leaf. */
function outputOf(word: bigint, input: bigint, level: number): bigint {
  const below = (1n << SHIFT[level]) - 1n;
  return (word & OUTPUT & ~below) | (input & below & PAGE);
}

function mappingOf(
  output: bigint,
  bits: number,
  perms: number,
  attr: number,
  sh: number,
  stage: number,
): Mapping {
  const high = BigInt(metaHigh(attr, sh, stage)) << 32n;
  const privileged = high | BigInt(metaLow(bits) | grantOf(perms, PR));
  const unprivileged = high | BigInt(metaLow(bits) | grantOf(perms, UR));
  return { output, bits, perms, attr, sh, privileged, unprivileged };
}
