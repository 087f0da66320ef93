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

/** An SMMU with any mixture of the modelled features. */
function drawArch(draw: Draw, options: Options): Machine {
  const stages = draw.weighted([
    [20, 3],
    [2, 2],
    [1, 1],
  ]);
  const s1p = (stages & 2) !== 0;
  const s2p = (stages & 1) !== 0;
  const hyp = s1p && s2p && draw.chance(70);
  const mixedEndian = options.mixedEndian === true && draw.chance(10);
  const twoLevelStreams = !draw.chance(12);
  const twoLevelCds = !draw.chance(15);
  const asid16 = !draw.chance(20);
  const vmid16 = !draw.chance(20);
  const termModel = !draw.chance(50);
  const sidBits = draw.weighted([
    [6, 16],
    [1, 8],
    [1, 24],
    [1, 32],
    [1, 6],
  ]);
  const ssidBits = draw.pick([0, 8, 10, 16, 20, 5, 1]);
  const granuleBits = draw.chance(12) ? draw.between(1, 7) : 7;
  const oasField = draw.pick([4, 5, 4, 5, 2, 3, 1, 0]);
  const stt = draw.chance(40);
  const idr3 = bits(
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
  const registers = {
    idr0: bits(
      [0, stages],
      [2, 2],
      [4, 1],
      [9, hyp],
      [12, asid16],
      [18, vmid16],
      [19, twoLevelCds],
      [21, mixedEndian ? 0 : 2],
      [24, 1],
      [26, termModel],
      [27, twoLevelStreams],
    ),
    idr1: bits(
      [0, sidBits],
      [6, ssidBits],
      [16, 10],
      [21, 10],
      [26, !draw.chance(30)],
      [27, !draw.chance(30)],
    ),
    idr2: 0,
    idr3,
    idr4: 0,
    idr5: bits([0, oasField], [4, granuleBits]),
    aidr: draw.between(1, 4),
    ...control(draw),
    strtabBase: 0n,
    strtabBaseCfg: 0,
  };
  return {
    registers,
    s1p,
    s2p,
    hyp,
    e2h: (registers.cr2 & 1) !== 0,
    stt,
    twoLevelStreams,
    twoLevelCds,
    vmid16,
    asid16,
    mixedEndian,
    sidBits,
    ssidBits,
    oas: OAS_BITS[oasField],
    granules: [12, 14, 16].filter((_, i) => ((granuleBits >> i) & 1) !== 0),
    termModel,
  };
}

/** Draws the registers of one SMMU. */
export function drawMachine(draw: Draw, options: Options): Machine {
  return options.target === "qemu" ? drawQemu(draw) : drawArch(draw, options);
}
