// One program for each difference between the architecture and QEMU, with both outcomes.
import { type IdRegisters, QEMU_ID } from "../../src/engine/identity.ts";
import { IDR0, IDR1, IDR3 } from "../../src/spec/register.ts";
import { setField } from "../../src/spec/word.ts";
import { CD, DATA, EDU, EVENTQ, LEAF, LEAF2, S1, S2, STRTAB, type World, world } from "./world.ts";

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
const event = (type: number, word1 = 0n, input = 0n, word3 = 0n, sid = 8): string =>
  record((BigInt(sid) << 32n) | BigInt(type), word1, input, word3);

/** Bits of word 1: class IN, TT or CD; stage 2; RnW; PnU. */
const IN = 2n << 40n;
const TT = 1n << 40n;
const S2BIT = 1n << 39n;
const PNU = 1n << 33n;

const RNW = 1n << 35n;
type Fields = [number, number, bigint | number][];

const IOVA = 0x1234000n;
/** Its 64K descriptor lies beyond the first 4K of the table. */
const FAR = 0x12340000n;
/** The upper half of 39 bits, with a tag in the top byte. */
const UPPER = 0x12ffff8000000000n;
const PAGE = DATA | LEAF;
const stage1 = () => world().ste(5).cd();
const stage2 = (...fields: [number, number, number][]) => world().ste(6, fields);
const nested = () => world().ste(7).cd().identity();
const ok = (pa: bigint, perm = 3, stage = 1) => `ok 0x${pa.toString(16)} ${perm} ${stage}`;

/** Stage 1 with 64K tables: the last one at an IPA that the caller maps (or not). */
const big = (table: bigint) =>
  world()
    .ste(7)
    .cd([[7, 6, 1]])
    .identity()
    .set(S1, table | 3n);

/** A command that the architecture refuses and QEMU passes over: CMDQ_CONS and GERROR. */
const ILLEGAL = { arch: ["0x1000000", "0x1"], qemu: ["0x1", "0x0"] };

/** A level 1 descriptor for StreamIDs 0 to 255, and the STE of StreamID 8 behind it. */
function twoLevel(span: number): World {
  const w = world()
    .set(STRTAB, 0x46000000n | BigInt(span))
    .set(0x46000200n, 0x9n);
  w.strtabCfg = 0x10208;
  return w;
}

/** QEMU's ID registers with one field changed. */
function identity(register: typeof IDR0 | typeof IDR1 | typeof IDR3, name: string, value: number) {
  const key = register.name.toLowerCase() as "idr0" | "idr1" | "idr3";
  const words = setField(register as typeof IDR0, [BigInt(QEMU_ID[key])], name as "Hyp", value);
  return { [key]: Number(words[0]) };
}

export const CASES: QuirkCase[] = [
  {
    bit: 1,
    build: () => twoLevel(4).enable().dma(IOVA),
    arch: [event(2)],
    qemu: ["bypass"],
  },
  { bit: 2, build: () => twoLevel(3).enable().dma(IOVA), arch: [event(2)], qemu: [event(4)] },
  {
    bit: 3,
    build: () =>
      twoLevel(9)
        .set(STRTAB + 512n, 0x1n)
        .reg(0x88, 0x10208)
        .reg(0x88, 8)
        .reg(0x80, STRTAB, 8)
        .reg(0x90, 0x42000008n, 8)
        .reg(0xa0, EVENTQ | 4n, 8)
        .reg(0x20, 0xd)
        .dma(IOVA),
    arch: ["abort"],
    qemu: ["bypass"],
  },
  {
    bit: 4,
    build: () => {
      const w = world();
      w.strtabCfg = 3;
      w.cr2 = 0;
      return w.enable().dma(IOVA);
    },
    arch: ["silent"],
    qemu: [event(2)],
  },
  {
    bit: 5,
    build: () => world().enable().reg(0x88, 5).get(0x88),
    arch: ["0x8"],
    qemu: ["0x5"],
  },
  {
    bit: 6,
    build: () => {
      const w = world();
      w.eventqLog2 = 0;
      return w.enable().dma(IOVA).dma(IOVA).get(0x60).get(0x100a8);
    },
    arch: [event(4), "silent", "0x0", "0x80000001"],
    qemu: [event(4), "silent", "0x4", "0x1"],
  },
  {
    bit: 8,
    build: () =>
      world()
        .ste(5)
        .set(STRTAB + 512n, 0x7000000bn + 0x1000n)
        .enable()
        .dma(IOVA),
    arch: [event(9, 0n, 0n, 0x70001000n)],
    qemu: [event(9, 0n, 0x70001000n)],
  },
  {
    bit: 9,
    build: () =>
      stage2()
        .enable()
        .dma(IOVA + 0x567n, { bytes: 1 }),
    arch: [event(0x10, IN | S2BIT | PNU, IOVA + 0x567n, IOVA)],
    qemu: [event(0x10, IN | S2BIT, IOVA + 0x567n, IOVA + 0x567n)],
  },
  {
    bit: 10,
    build: () => nested().set(S1, 0x60000003n).enable().dma(IOVA),
    arch: [event(0x10, TT | S2BIT | PNU, IOVA, 0x60000000n)],
    qemu: [event(0x10, TT, IOVA, 0x60000000n)],
  },
  {
    bit: 11,
    build: () => big(0x60000000n).enable().dma(FAR),
    arch: [event(0x10, TT | S2BIT | PNU, FAR, 0x60009000n)],
    qemu: [event(0x10, TT, FAR, 0x60000000n)],
  },
  {
    bit: 12,
    build: () =>
      big(0x60000000n)
        .page(S2, 0x60000000n, 0x52000000n | LEAF2)
        .page(S2, 0x60009000n, 0x53000000n | LEAF2)
        .set(0x530001a0n, PAGE)
        .set(0x520091a0n, (DATA + 0x10000n) | LEAF)
        .block2(DATA)
        .enable()
        .dma(FAR),
    arch: [ok(DATA, 3, 3)],
    qemu: [ok(DATA + 0x10000n, 3, 3)],
  },
  {
    bit: 13,
    build: () => {
      const half: Fields = [
        [30, 30, 0],
        [21, 16, 25],
        [23, 22, 2],
        [179, 132, 0x70000000n >> 4n],
      ];
      return nested().cd(half).page(S1, IOVA, PAGE).block2(DATA).enable().dma(IOVA);
    },
    arch: [ok(DATA, 3, 3)],
    qemu: [event(0x10, TT | S2BIT | RNW, IOVA, 0x70000000n)],
  },
  {
    bit: 14,
    build: () =>
      stage1()
        .page(S1, IOVA, (1n << 46n) | 0x43n)
        .enable()
        .dma(IOVA),
    arch: [event(0x11, IN | PNU, IOVA)],
    qemu: [event(0x12, IN, IOVA)],
  },
  {
    bit: 15,
    build: () =>
      world()
        .ste(5)
        .cd([[5, 0, 16]])
        .set(S1, 0x441n)
        .enable()
        .dma(DATA),
    arch: [event(0x10, IN | PNU, DATA)],
    qemu: [ok(DATA)],
  },
  {
    bit: 16,
    build: () =>
      stage1()
        .set(S1, (S1 + 0x10000n) | 3n | (1n << 62n))
        .enable()
        .dma(IOVA),
    arch: [event(0x10, IN | PNU, IOVA)],
    qemu: [event(0x13, IN, IOVA)],
  },
  {
    bit: 17,
    build: () =>
      world()
        .ste(5)
        .cd([[40, 40, 1]])
        .page(S1, IOVA, PAGE | 0x40n)
        .enable()
        .dma(IOVA),
    arch: [event(0x13, IN | PNU, IOVA)],
    qemu: [ok(DATA)],
  },
  {
    bit: 20,
    build: () =>
      world()
        .ste(4)
        .enable()
        .dma(1n << 45n),
    arch: [event(0x11, IN | PNU, 1n << 45n)],
    qemu: ["bypass"],
  },
  {
    bit: 21,
    build: () => {
      const upper: Fields = [
        [14, 14, 1],
        [30, 30, 0],
        [21, 16, 25],
        [23, 22, 2],
        [39, 39, 1],
        [179, 132, S1 >> 4n],
      ];
      return world()
        .ste(5)
        .cd(upper)
        .page(S1, IOVA, PAGE)
        .enable()
        .dma(UPPER | IOVA);
    },
    arch: [ok(DATA)],
    qemu: [event(0x10, IN, UPPER | IOVA)],
  },
  {
    bit: 22,
    id: identity(IDR3, "STT", 1),
    build: () =>
      world()
        .ste(5)
        .cd([[5, 0, 40]])
        .set(S1 + 8n, (S1 + 0x20000n) | 3n)
        .set(S1 + 0x201a0n, PAGE)
        .enable()
        .dma(0x234000n),
    arch: [ok(DATA)],
    qemu: [event(0x0a)],
  },
  {
    bit: 23,
    build: () =>
      stage2([165, 160, 20], [167, 166, 2], [178, 176, 2])
        .set(S2, (S2 + 0x10000n) | 3n)
        .set(S2 + 0x10000n, (S2 + 0x20000n) | 3n)
        .set(S2 + 0x20048n, DATA | (LEAF2 & ~2n))
        .enable()
        .dma(IOVA),
    arch: [ok(DATA + 0x34000n, 3, 2)],
    qemu: [event(4)],
  },
  {
    bit: 24,
    build: () =>
      stage2([184, 184, 1])
        .page(S2, IOVA, DATA | LEAF2)
        .enable()
        .dma(IOVA),
    arch: [event(4)],
    qemu: [ok(DATA, 3, 2)],
  },
  {
    bit: 25,
    build: () =>
      world()
        .ste(5, [[63, 59, 1]])
        .cd()
        .page(S1, IOVA, PAGE)
        .enable()
        .dma(IOVA),
    arch: [ok(DATA)],
    qemu: [event(4)],
  },
  {
    bit: 26,
    abortsQemu: true,
    build: () => stage2([179, 179, 0]).enable().dma(IOVA),
    arch: [event(4)],
    qemu: [event(4)],
  },
  {
    bit: 27,
    id: identity(IDR0, "Hyp", 1),
    build: () =>
      world()
        .ste(5, [[95, 94, 1]])
        .cd()
        .page(S1, IOVA, PAGE)
        .enable()
        .dma(IOVA),
    arch: [event(4)],
    qemu: [ok(DATA)],
  },
  {
    bit: 28,
    build: () =>
      stage2([91, 91, 1])
        .page(S2, IOVA, DATA | LEAF2)
        .enable()
        .dma(IOVA),
    arch: [ok(DATA, 3, 2)],
    qemu: [event(4)],
  },
  { bit: 30, build: () => world().enable().command(0x3046n), ...ILLEGAL },
  { bit: 32, build: () => world().enable().command(0x40n), ...ILLEGAL },
  {
    bit: 34,
    build: () =>
      world()
        .enable()
        .command(0x12n, 1n << 10n),
    ...ILLEGAL,
  },
  {
    bit: 37,
    build: () =>
      world()
        .ste(6, [], EDU)
        .page(S2, IOVA, DATA | (LEAF2 & ~0x40n))
        .enable()
        .dma(IOVA, { sid: EDU })
        .dma(IOVA, { sid: EDU, write: false }),
    arch: [ok(DATA, 2, 2), event(0x13, IN | S2BIT | RNW | PNU, IOVA, IOVA, EDU)],
    qemu: [ok(DATA, 2, 2), ok(DATA, 2, 2)],
  },
  {
    bit: 38,
    build: () =>
      stage1()
        .set(CD + 8n, S1 | (1n << 53n))
        .page(S1, IOVA, PAGE)
        .enable()
        .dma(IOVA),
    arch: [event(0x0a)],
    qemu: [ok(DATA)],
  },
  {
    bit: 39,
    build: () => {
      const w = world();
      w.eventqLog2 = 0;
      w.eventqBase = EVENTQ + 0x20n;
      return w.enable().dma(IOVA);
    },
    // The record lies 32 bytes further on than where this looks.
    arch: [""],
    qemu: [event(4)],
  },
  {
    bit: 41,
    build: () =>
      stage2([165, 160, 24])
        .set(S2, (S2 + 0x40000n) | 3n)
        .set(S2 + 0x1000n, (S2 + 0x30000n) | 3n)
        .set(S2 + 0x40048n, (DATA + 0x200000n) | (LEAF2 & ~2n))
        .set(S2 + 0x30048n, DATA | (LEAF2 & ~2n))
        .enable()
        .dma((1n << 39n) | IOVA),
    arch: [ok(DATA + 0x34000n, 3, 2)],
    qemu: [ok(DATA + 0x234000n, 3, 2)],
  },
  {
    bit: 42,
    build: () => stage1().enable().dma(IOVA, { bytes: 16 }),
    arch: [event(0x10, IN | PNU, IOVA)],
    qemu: [0n, 4n, 8n, 12n].map((offset) => event(0x10, IN, IOVA + offset)),
  },
  {
    bit: 43,
    id: identity(IDR0, "TERM_MODEL", 0),
    build: () =>
      world()
        .ste(5)
        .cd([[46, 46, 0]])
        .enable()
        .dma(IOVA),
    arch: [event(0x10, IN | PNU, IOVA)],
    qemu: [event(0x0a)],
  },
  {
    bit: 45,
    build: () => stage2([165, 160, 39], [167, 166, 2]).enable().dma(IOVA),
    arch: [event(4)],
    qemu: [event(0x10, IN | S2BIT, IOVA, IOVA)],
  },
  {
    bit: 46,
    abortsQemu: true,
    build: () =>
      world()
        .ste(5)
        .cd([[34, 32, 6]])
        .page(S1, IOVA, PAGE)
        .enable()
        .dma(IOVA),
    arch: [ok(DATA)],
    qemu: [ok(DATA)],
  },
  {
    bit: 47,
    id: identity(IDR1, "SSIDSIZE", 10),
    build: () =>
      world()
        .ste(5, [
          [63, 59, 1],
          [65, 64, 1],
        ])
        .cd()
        .page(S1, IOVA, PAGE)
        .enable()
        .dma(IOVA),
    arch: ["bypass"],
    qemu: [ok(DATA)],
  },
  {
    bit: 48,
    id: identity(IDR0, "MSI", 1),
    build: () => world().reg(0xb0, 0x5000, 8).get(0xb0, 8),
    arch: ["0x5000"],
    qemu: ["0x0"],
  },
  {
    bit: 49,
    build: () =>
      world()
        .ste(7, [[182, 182, 1]])
        .cd()
        .identity(LEAF2 & ~0x3cn)
        .page(S1, IOVA, PAGE)
        .block2(DATA)
        .enable()
        .dma(IOVA),
    arch: [event(0x13, S2BIT | PNU, IOVA, CD)],
    qemu: [ok(DATA, 3, 3)],
  },
];
