// Random ID and control registers of a generated SMMU.

import type { Draw } from "./source.ts";

/** The registers a translation depends on. */
export interface MachineRegisters {
  idr0: number;
  idr1: number;
  idr2: number;
  idr3: number;
  idr4: number;
  idr5: number;
  aidr: number;
  cr0: number;
  cr1: number;
  cr2: number;
  gbpa: number;
  strtabBase: bigint;
  strtabBaseCfg: number;
}

/** A machine's registers as [offset, value] pairs, with the event queue that EVENTQ_BASE names. */
export function registerPairs(r: MachineRegisters, eventqBase: bigint): [number, number][] {
  const ids = [r.idr0, r.idr1, r.idr2, r.idr3, r.idr4, r.idr5];
  return [
    ...ids.map((value, k): [number, number] => [k * 4, value]),
    [0x1c, r.aidr],
    [0x2c, r.cr2],
    [0x44, r.gbpa],
    [0x80, Number(BigInt.asUintN(32, r.strtabBase))],
    [0x84, Number(r.strtabBase >> 32n)],
    [0x88, r.strtabBaseCfg],
    [0xa0, Number(eventqBase)],
    [0x20, r.cr0],
  ];
}

/** What the generator needs to know of the registers that it drew. */
export interface Machine {
  registers: MachineRegisters;
  s1p: boolean;
  s2p: boolean;
  hyp: boolean;
  e2h: boolean;
  stt: boolean;
  twoLevelStreams: boolean;
  twoLevelCds: boolean;
  vmid16: boolean;
  asid16: boolean;
  mixedEndian: boolean;
  sidBits: number;
  ssidBits: number;
  /** Output address size in bits. */
  oas: number;
  /** Supported granules, as log2 of bytes. */
  granules: number[];
  termModel: boolean;
}

/** Which machines to draw. */
export interface Options {
  /** `qemu`: the ID registers of QEMU's SMMUv3, and no input that ends the QEMU process. */
  target?: "arch" | "qemu";
  /** Allow TTENDIAN=0 with big-endian tables. */
  mixedEndian?: boolean;
}

const OAS_BITS: readonly number[] = [32, 36, 40, 42, 44, 48];

function bits(...list: readonly (readonly [number, number | boolean])[]): number {
  let word = 0;
  for (const [lo, value] of list) word += Number(value) * 2 ** lo;
  return word;
}

/** Control registers: mostly enabled. */
function control(draw: Draw): { cr0: number; cr1: number; cr2: number; gbpa: number } {
  const smmuen = !draw.chance(2);
  const eventqen = !draw.chance(4);
  const recinvsid = !draw.chance(20);
  return {
    cr0: bits([0, smmuen], [2, eventqen], [3, true]),
    cr1: draw.u32() & 0xfff,
    cr2: bits([0, draw.chance(50)], [1, recinvsid]),
    gbpa: draw.u32() & 0x001f3f1f & (draw.chance(30) ? -1 : ~0x00100000),
  };
}

/** QEMU's own ID registers: stage 1, stage 2 or both; OAS 44 or 48. */
function drawQemu(draw: Draw): Machine {
  const stages = draw.weighted([
    [6, 3],
    [2, 2],
    [2, 1],
  ]);
  const oasField = draw.chance(25) ? 5 : 4;
  const s2p = (stages & 1) !== 0;
  const registers = {
    idr0: 0x0d441018 | stages,
    idr1: 0x02730010,
    idr2: 0,
    idr3: s2p ? 0x1414 : 0x1404,
    idr4: 0,
    idr5: 0x70 | oasField,
    aidr: 1,
    ...control(draw),
    strtabBase: 0n,
    strtabBaseCfg: 0,
  };
  return {
    registers,
    s1p: (stages & 2) !== 0,
    s2p,
    hyp: false,
    e2h: false,
    stt: false,
    twoLevelStreams: true,
    twoLevelCds: false,
    vmid16: true,
    asid16: true,
    mixedEndian: false,
    sidBits: 16,
    ssidBits: 0,
    oas: OAS_BITS[oasField],
    granules: [12, 14, 16],
    termModel: true,
  };
}

/** IDR3 of an SMMU with any mixture of HAD, XNX, FWB, STT, RIL, BBML, E0PD, PTWNNC and EPAN. */
function drawIdr3(draw: Draw, s2p: boolean, stt: boolean): number {
  return bits(
    [2, !draw.chance(10)],
    [4, s2p && !draw.chance(30)],
    [8, s2p && !draw.chance(40)],
    [9, stt],
    [10, draw.chance(50)],
    [11, draw.below(3)],
    [13, draw.chance(60)],
    [14, s2p && draw.chance(50)],
    [17, draw.chance(50)],
  );
}

/** An SMMU with any mixture of the modelled features. */
function drawArch(draw: Draw, options: Options): Machine {
  const stages = draw.weighted([
    [20, 3],
    [2, 2],
    [1, 1],
  ]);
  const s1p = (stages & 2) !== 0;
  const s2p = (stages & 1) !== 0;
  const granuleBits = draw.chance(12) ? draw.between(1, 7) : 7;
  const oasField = draw.pick([4, 5, 4, 5, 2, 3, 1, 0]);
  const features = {
    s1p,
    s2p,
    hyp: s1p && s2p && draw.chance(70),
    stt: draw.chance(40),
    twoLevelStreams: !draw.chance(12),
    twoLevelCds: !draw.chance(15),
    vmid16: !draw.chance(20),
    asid16: !draw.chance(20),
    mixedEndian: options.mixedEndian === true && draw.chance(10),
    sidBits: draw.pick([16, 16, 16, 16, 16, 8, 24, 32, 6]),
    ssidBits: draw.pick([0, 8, 10, 16, 20, 5, 1]),
    oas: OAS_BITS[oasField],
    granules: [12, 14, 16].filter((_, i) => ((granuleBits >> i) & 1) !== 0),
    termModel: !draw.chance(50),
  };
  const f = features;
  const idr0 = [
    ...([
      [0, stages],
      [2, 2],
      [4, 1],
      [9, f.hyp],
      [12, f.asid16],
      [18, f.vmid16],
    ] as const),
    ...([
      [19, f.twoLevelCds],
      [21, f.mixedEndian ? 0 : 2],
      [24, 1],
      [26, f.termModel],
    ] as const),
    [27, f.twoLevelStreams] as const,
  ];
  const overrides = [!draw.chance(30), !draw.chance(30)];
  const registers = {
    idr0: bits(...idr0),
    idr1: bits(
      [0, f.sidBits],
      [6, f.ssidBits],
      [16, 10],
      [21, 10],
      [26, overrides[0]],
      [27, overrides[1]],
    ),
    idr2: 0,
    idr3: drawIdr3(draw, s2p, f.stt),
    idr4: 0,
    idr5: bits([0, oasField], [4, granuleBits]),
    aidr: draw.between(1, 4),
    ...control(draw),
    strtabBase: 0n,
    strtabBaseCfg: 0,
  };
  return { registers, ...features, e2h: (registers.cr2 & 1) !== 0 };
}

/** Draws the registers of one SMMU. */
export function drawMachine(draw: Draw, options: Options): Machine {
  return options.target === "qemu" ? drawQemu(draw) : drawArch(draw, options);
}
