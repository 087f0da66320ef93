// Random runs with the architecture's answers: translations, invalidations, command errors.
import { CD } from "../spec/cd.ts";
import {
  CMDQ_BASE,
  CMDQ_CONS,
  CMDQ_PROD,
  CR0,
  CR1,
  CR2,
  EVENTQ_BASE,
  GERROR,
  GERRORN,
  STRTAB_BASE,
  STRTAB_BASE_CFG,
} from "../spec/register.ts";
import { STE } from "../spec/ste.ts";
import { packFields, wordsOf } from "../spec/word.ts";
import {
  command,
  sync,
  tlbiNhAll,
  tlbiNhAsid,
  tlbiNhVa,
  tlbiS2Ipa,
  tlbiS12Vmall,
} from "../tables/command.ts";
import type { TableMemory } from "../tables/memory.ts";
import { type GranuleShift, levelShift, PageTable } from "../tables/page-table.ts";
import type { Random } from "./random.ts";
import { answerSteps, idOf } from "./run.ts";
import type { Hex, RunVector, Step } from "./types.ts";

const SID_BITS = 6;
const STRTAB = 0x44000000n;
const CMDQ = 0x42000000n;
const EVENTQ = 0x42100000n;
const CDS = 0x42200000n;
const TABLES = 0x48000000n;
const DATA = 0x50000000n;
const QUEUE_LOG2 = 6;
const TG0: Record<GranuleShift, number> = { 12: 0, 14: 2, 16: 1 };

/** CD.MAIR0 lies in this word; its attribute 0. */
const MAIR_WORD = 3;
const NORMAL_WRITE_BACK = 0xffn;

const tlbiNsnhAll = (): Uint8Array => command("CMD_TLBI_NSNH_ALL");

const hex = (value: bigint | number): Hex => `0x${value.toString(16)}`;
const write = (register: { offset: number }, value: bigint | number, bytes: 4 | 8 = 4): Step => ({
  do: "write",
  offset: hex(register.offset),
  value: hex(value),
  bytes,
});
const read = (register: { offset: number }): Step => ({
  do: "read",
  offset: hex(register.offset),
  bytes: 4,
});

/** Words that builders wrote, in order of address. */
class Words implements TableMemory {
  readonly #words = new Map<bigint, bigint>();
  #next = TABLES;

  read64(pa: bigint): bigint {
    return this.#words.get(pa) ?? 0n;
  }

  write64(pa: bigint, value: bigint): void {
    this.#words.set(pa, value);
  }

  allocate(bytes: number): bigint {
    const size = BigInt(bytes);
    this.#next = ((this.#next + size - 1n) / size) * size + size;
    return this.#next - size;
  }

  release(): void {}

  put(at: bigint, words: readonly bigint[]): void {
    words.forEach((word, i) => {
      this.write64(at + BigInt(i * 8), word);
    });
  }

  pairs(): [Hex, Hex][] {
    const written = [...this.#words].filter(([, value]) => value !== 0n);
    return written.sort(([a], [b]) => (a < b ? -1 : 1)).map(([at, v]) => [hex(at), hex(v)]);
  }
}

/** Register writes that bring an SMMU up. */
const SET_UP: Step[] = [
  write(CR1, 0xd75),
  write(CR2, 2),
  write(CMDQ_BASE, CMDQ + BigInt(QUEUE_LOG2), 8),
  write(EVENTQ_BASE, EVENTQ + BigInt(QUEUE_LOG2), 8),
  write(STRTAB_BASE_CFG, SID_BITS),
  write(STRTAB_BASE, STRTAB, 8),
  write(CR0, 0xd),
];

/** A stream that translates, and where the mapping of `iova` can be changed. */
interface Stream {
  sid: number;
  iova: bigint;
  /** Place and value of the leaf that decides. */
  leaf: { at: bigint; descriptor: bigint };
  asid: number;
  vmid: number;
  stages: number;
}

/** What may be wrong with a stream; most have nothing wrong. */
const FLAWS = [
  ["none", "none", "none", "none"],
  ["no STE", "no CD", "no leaf", "no access flag", "read-only", "output too large", "far IOVA"],
].flat();

interface Stage {
  granule: GranuleShift;
  inputBits: number;
}

const stage = (random: Random, most: number): Stage => ({
  granule: random.pick([12, 14, 16] as const),
  inputBits: random.between(33, most),
});

/** The leaf fields of a stage, with the flaw that concerns it. */
function leafFields(number: 1 | 2, flaw: string): Record<string, number> {
  const af = flaw === "no access flag" ? 0 : 1;
  const readOnly = flaw === "read-only";
  if (number === 2)
    return { AF: af, SH: 3, MemAttr: 15, "S2AP[0]": 1, "S2AP[1]": readOnly ? 0 : 1 };
  return { AF: af, SH: 3, AttrIndx: 0, nG: 1, "AP[2]": readOnly ? 1 : 0 };
}

/** Builds one stream of `stages` (1, 2 or 3 for both) with its tables. */
function buildStream(random: Random, words: Words, stages: number, flaw: string): Stream {
  const sid = random.below(2 ** SID_BITS);
  const [asid, vmid] = [random.between(1, 0xffff), random.between(1, 0xffff)];
  const s1 = stage(random, 48);
  const s2 = stage(random, 44);
  const size = 1n << BigInt(Math.max(s1.granule, s2.granule));
  const pa = DATA + BigInt(random.below(64)) * size;
  const outer = flaw === "output too large" ? pa + (1n << 44n) : pa;
  const bits = stages === 2 ? s2.inputBits : s1.inputBits;
  const iova = ((random.word() % (1n << BigInt(bits))) / size) * size;
  const ste: Record<string, bigint | number> = { V: 1, Config: 4 + stages };
  const ipa = stages === 3 ? pa + size * 0x100n : iova;
  let leaf = { at: 0n, descriptor: 0n };
  const cdAt = CDS + BigInt(sid) * 64n;
  const table2 = new PageTable(words, { stage: 2, ...s2 });
  if (stages >= 2) {
    table2.map(ipa, stages === 2 ? outer : pa, size, leafFields(2, stages === 2 ? flaw : "none"));
    leaf = table2.lookup(ipa);
    const top = s2.granule === 12 ? 2 : 3;
    Object.assign(ste, { S2VMID: vmid, S2T0SZ: 64 - s2.inputBits, S2TG: TG0[s2.granule] });
    Object.assign(ste, { S2SL0: top - table2.startLevel, S2PS: 4, S2AA64: 1, S2R: 1 });
    Object.assign(ste, { S2TTB: table2.root, S2SH0: 3, S2IR0: 1, S2OR0: 1 });
  }
  if (stages % 2 === 1) {
    const table1 = new PageTable(words, { stage: 1, ...s1 });
    table1.map(iova, stages === 3 ? ipa : outer, size, leafFields(1, flaw));
    leaf = table1.lookup(iova);
    ste.S1ContextPtr = cdAt;
    const cd = packFields(CD, {
      V: flaw === "no CD" ? 0 : 1,
      ...{ T0SZ: 64 - s1.inputBits, TG0: TG0[s1.granule], EPD1: 1, AA64: 1, A: 1, R: 1 },
      ...{ IPS: 4, ASID: asid, TTB0: table1.root, SH0: 3, IR0: 1, OR0: 1 },
    });
    cd[MAIR_WORD] = NORMAL_WRITE_BACK;
    words.put(cdAt, cd);
    if (stages === 3) mapForWalk(words, table2, s2.granule, cdAt);
  }
  if (flaw === "no STE") ste.V = 0;
  if (flaw === "no leaf") words.write64(leaf.at, 0n);
  words.put(STRTAB + BigInt(sid) * 64n, packFields(STE, ste));
  const far = flaw === "far IOVA" ? 1n << BigInt(Math.min(bits + 2, 54)) : 0n;
  return { sid, iova: iova + far, leaf, asid, vmid, stages };
}

/** Lets stage 2 reach the CD and every stage 1 table: to themselves. */
function mapForWalk(words: Words, table: PageTable, granule: GranuleShift, cdAt: bigint): void {
  const size = 1n << BigInt(levelShift(granule, 3));
  const pages = new Set([(cdAt / size) * size]);
  for (const [at] of words.pairs()) {
    if (BigInt(at) >= TABLES) pages.add((BigInt(at) / size) * size);
  }
  for (const page of pages) table.map(page, page, size, leafFields(2, "none"));
}

const access = (stream: Stream, isWrite: boolean): Step => ({
  do: "access",
  streamId: stream.sid,
  iova: hex(stream.iova),
  bytes: 4,
  write: isWrite,
});

async function finish(
  id: string,
  kind: RunVector["kind"],
  memory: [Hex, Hex][],
  steps: Step[],
): Promise<RunVector> {
  const given = { id: idOf(), memory, steps };
  const answers = await answerSteps(given, "arch");
  return { id, kind, provenance: "arch", given, expect: { answers } };
}

/** Random streams of all stages and granules, with and without something wrong. */
export async function translationVectors(random: Random, count: number): Promise<RunVector[]> {
  const vectors: RunVector[] = [];
  for (let i = 0; i < count; i++) {
    const words = new Words();
    const flaw = random.pick(FLAWS);
    const stream = buildStream(random, words, random.pick([1, 2, 3]), flaw);
    const steps = [...SET_UP, access(stream, random.once(2))];
    vectors.push(await finish(`translation-${i}`, "translation", words.pairs(), steps));
  }
  return vectors;
}

/** Steps that put 16-byte commands and a CMD_SYNC into the queue and look at the result. */
function queue(commands: Uint8Array[], start: number): { steps: Step[]; next: number } {
  const steps: Step[] = [];
  let next = start;
  for (const bytes of commands) {
    wordsOf(bytes).forEach((word, i) => {
      const at = CMDQ + BigInt((next % 2 ** QUEUE_LOG2) * 16 + i * 8);
      steps.push({ do: "store", address: hex(at), value: hex(word) });
    });
    next = (next + 1) % 2 ** (QUEUE_LOG2 + 1);
  }
  steps.push(write(CMDQ_PROD, next), read(CMDQ_CONS), read(GERROR));
  return { steps, next };
}

/**
 * A mapping is used, moved, and invalidated by a command that reaches it; the next access must find
 * the new place. (Before the invalidation either is right, so nothing is asked there.)
 */
export async function invalidationVectors(random: Random, count: number): Promise<RunVector[]> {
  const vectors: RunVector[] = [];
  for (let i = 0; i < count; i++) {
    const words = new Words();
    const stages = random.pick([1, 2]);
    const stream = buildStream(random, words, stages, "none");
    const { asid, vmid, iova, leaf } = stream;
    const ways =
      stages === 1
        ? [tlbiNhAll(0), tlbiNhAsid(asid), tlbiNhVa(asid, iova), tlbiNsnhAll()]
        : [tlbiS12Vmall(vmid), tlbiS2Ipa(vmid, iova), tlbiNsnhAll()];
    const moved = leaf.descriptor + 0x4000000n;
    const { steps } = queue([random.pick(ways), sync()], 0);
    vectors.push(
      await finish(`invalidation-${i}`, "invalidation", words.pairs(), [
        ...SET_UP,
        access(stream, false),
        { do: "store", address: hex(leaf.at), value: hex(moved) },
        ...steps,
        access(stream, false),
      ]),
    );
  }
  return vectors;
}

/** Commands that stop the queue on an SMMU with these ID registers: opcode, first word, second. */
const BAD_COMMANDS: [bigint, bigint][] = [
  [0x00n, 0n],
  [0x07n, 0n],
  [0x20n, 0n],
  [0x40n, 0n],
  [0x41n, 0n],
  [0x47n, 0n],
  [0x80n, 0n],
  [0xffn, 0n],
  [0x3046n, 0n],
  [0x12n, 0x400n],
];

/** Good commands, a bad one, and the restart behind it. */
export async function commandErrorVectors(random: Random, count: number): Promise<RunVector[]> {
  const vectors: RunVector[] = [];
  for (let i = 0; i < count; i++) {
    const before = Array.from({ length: random.below(4) }, () => sync());
    const [low, high] = random.pick(BAD_COMMANDS);
    const bad = new Uint8Array(16);
    new DataView(bad.buffer).setBigUint64(0, low, true);
    new DataView(bad.buffer).setBigUint64(8, high, true);
    const first = queue([...before, bad, sync()], 0);
    const at = CMDQ + BigInt(before.length * 16);
    const repaired = wordsOf(sync()).map((word, k): Step => {
      return { do: "store", address: hex(at + BigInt(k * 8)), value: hex(word) };
    });
    vectors.push(
      await finish(
        `command-error-${i}`,
        "command-error",
        [],
        [...SET_UP, ...first.steps, ...repaired, write(GERRORN, 1), read(CMDQ_CONS), read(GERROR)],
      ),
    );
  }
  return vectors;
}
