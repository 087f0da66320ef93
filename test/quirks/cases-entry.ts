// Divergences from 20 on: what entries, commands and caches mean.
import { IDR0, IDR1, IDR3 } from "../../src/spec/register.ts";
import {
  event,
  type Fields,
  ILLEGAL,
  IN,
  IOVA,
  identity,
  ok,
  PAGE,
  PNU,
  type QuirkCase,
  RNW,
  S2BIT,
  stage1,
  stage2,
  UPPER,
} from "./case-parts.ts";
import { CD, DATA, EDU, EVENTQ, LEAF2, S1, S2, world } from "./world.ts";

export const ENTRY_CASES: QuirkCase[] = [
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
