// What the cases of divergences are built from: worlds, event records, identities.
import { type IdRegisters, QEMU_ID } from "../../src/engine/identity.ts";
import type { IDR0, IDR1, IDR3 } from "../../src/spec/register.ts";
import { setField } from "../../src/spec/word.ts";
import { DATA, LEAF, S1, STRTAB, type World, world } from "./world.ts";

/** A divergence at work. Outcomes are those of outcomes() in world.ts. */
export interface QuirkCase {
  /** Number in src/spec/quirks.ts. */
  bit: number;
  build(): World;
  arch: string[];
  qemu: string[];
  /** ID registers other than QEMU's: then a real QEMU cannot show it. */
  id?: Partial<IdRegisters>;
  /** A real QEMU ends on it. */
  abortsQemu?: boolean;
}

/** Little-endian words of an event record as hexadecimal, trailing zeros cut. */
function record(...words: bigint[]): string {
  const bytes = Buffer.alloc(words.length * 8);
  words.forEach((word, i) => {
    bytes.writeBigUInt64LE(word, i * 8);
  });
  return bytes.toString("hex").replace(/(00)+$/, "");
}

/** An event of StreamID 8 (or another): type, then word 1, input address, word 3. */
export const event = (type: number, word1 = 0n, input = 0n, word3 = 0n, sid = 8): string =>
  record((BigInt(sid) << 32n) | BigInt(type), word1, input, word3);

/** Bits of word 1: class IN, TT or CD; stage 2; RnW; PnU. */
export const IN = 2n << 40n;
export const TT = 1n << 40n;
export const S2BIT = 1n << 39n;
export const PNU = 1n << 33n;

export const RNW = 1n << 35n;
export type Fields = [number, number, bigint | number][];

export const IOVA = 0x1234000n;
/** Its 64K descriptor lies beyond the first 4K of the table. */
export const FAR = 0x12340000n;
/** The upper half of 39 bits, with a tag in the top byte. */
export const UPPER = 0x12ffff8000000000n;
export const PAGE = DATA | LEAF;
export const stage1 = () => world().ste(5).cd();
export const stage2 = (...fields: [number, number, number][]) => world().ste(6, fields);
export const nested = () => world().ste(7).cd().identity();
export const ok = (pa: bigint, perm = 3, stage = 1) => `ok 0x${pa.toString(16)} ${perm} ${stage}`;

/** Stage 1 with 64K tables: the last one at an IPA that the caller maps (or not). */
export const big = (table: bigint) =>
  world()
    .ste(7)
    .cd([[7, 6, 1]])
    .identity()
    .set(S1, table | 3n);

/** A command that the architecture refuses and QEMU passes over: CMDQ_CONS and GERROR. */
export const ILLEGAL = { arch: ["0x1000000", "0x1"], qemu: ["0x1", "0x0"] };

/** A level 1 descriptor for StreamIDs 0 to 255, and the STE of StreamID 8 behind it. */
export function twoLevel(span: number): World {
  const w = world()
    .set(STRTAB, 0x46000000n | BigInt(span))
    .set(0x46000200n, 0x9n);
  w.strtabCfg = 0x10208;
  return w;
}

/** QEMU's ID registers with one field changed. */
export function identity(
  register: typeof IDR0 | typeof IDR1 | typeof IDR3,
  name: string,
  value: number,
) {
  const key = register.name.toLowerCase() as "idr0" | "idr1" | "idr3";
  const words = setField(register as typeof IDR0, [BigInt(QEMU_ID[key])], name as "Hyp", value);
  return { [key]: Number(words[0]) };
}
