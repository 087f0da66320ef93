// Programs on which walks show QEMU's divergences, one for each quirk of translation.
import {
  big,
  event,
  FAR,
  type Fields,
  IN,
  IOVA,
  nested,
  ok,
  PAGE,
  PNU,
  type QuirkCase,
  RNW,
  S2BIT,
  stage1,
  stage2,
  TT,
  twoLevel,
} from "./case-parts.ts";
import { DATA, EVENTQ, LEAF, LEAF2, S1, S2, STRTAB, world } from "./world.ts";

export const WALK_CASES: QuirkCase[] = [
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
];
