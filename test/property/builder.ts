// One generated case while it grows: stage 2, the structures that it maps, stage 1 and the CD.

import {
  drawLeafLevel,
  drawStage1Leaf,
  drawStage2Leaf,
  drawTableBits,
  spoilDescriptor,
} from "./descriptors.ts";
import { type Expose, levelShift, Ram, Tables } from "./layout.ts";
import { drawMachine, type Machine, type Options } from "./machine.ts";
import type { Draw } from "./source.ts";
import { drawStage2Shape, fillSteStage2, put, type Stage2Shape, tg0, tg1 } from "./structures.ts";

/** Stage 2 under construction, with the IPAs it has given to physical structures. */
interface Stage2Build {
  shape: Stage2Shape;
  tables: Tables;
  ipas: Map<number, number>;
}

/** Everything that belongs to one case while it grows. */
export class Builder {
  readonly draw: Draw;
  readonly m: Machine;
  readonly ram: Ram;
  readonly options: Options;
  private s2: Stage2Build | undefined;

  constructor(draw: Draw, options: Options) {
    this.draw = draw;
    this.options = options;
    this.m = drawMachine(draw, options);
    this.ram = new Ram(draw, this.m.oas);
  }

  /** Address of a structure as stage 1 must be told: its own, or an IPA that stage 2 maps there. */
  readonly expose: Expose = (pa, bytes, offset) => {
    const { s2, draw } = this;
    if (s2 === undefined) return pa;
    const { granule } = s2.shape;
    let ipa = s2.ipas.get(pa);
    if (ipa === undefined) {
      const bits = Math.min(64 - s2.shape.tsz, this.m.oas);
      const align = Math.max(granule, Math.ceil(Math.log2(bytes)));
      const inPage = pa % 2 ** granule;
      const anywhere = pa >= 2 ** bits || draw.chance(45);
      ipa = anywhere ? draw.address(bits, align) + (bytes >= 2 ** granule ? 0 : inPage) : pa;
      s2.ipas.set(pa, ipa);
    }
    for (const at of offset === 0 ? [0] : [0, offset]) this.mapOwn(s2, ipa + at, pa + at);
    return ipa;
  };

  /** Maps one page of the SMMU's own structures. */
  private mapOwn(s2: Stage2Build, ipa: number, pa: number): void {
    const { draw } = this;
    const { granule, startLevel } = s2.shape;
    let level = 3;
    const wish = drawLeafLevel(draw, granule, startLevel);
    const block = 2 ** levelShift(granule, wish);
    if (wish < 3 && ipa % block === pa % block) level = wish;
    s2.tables.map(BigInt(ipa), level, (at) => {
      const page = 2 ** levelShift(granule, at);
      return drawStage2Leaf(draw, at, pa - (pa % page), true);
    });
  }

  /** Draws stage 2 and its empty tables. */
  startStage2(ste: bigint[]): { bigEndian: boolean } {
    const { draw, m, ram } = this;
    const shape = drawStage2Shape(draw, m, ram.bits);
    const tables = new Tables(
      ram,
      { stage: 2, ...shape, inputBits: 64 - shape.tsz },
      (pa) => pa,
      drawTableBits(draw, 2),
    );
    this.s2 = { shape, tables, ipas: new Map() };
    return fillSteStage2(draw, m, ste, shape, tables.root);
  }

  /** Maps the IPA of a final output, or the input of a stage-2-only stream. */
  mapOutput(ipa: bigint): void {
    const { s2, draw } = this;
    if (s2 === undefined) return;
    const { granule, startLevel, outputBits } = s2.shape;
    const level = drawLeafLevel(draw, granule, startLevel);
    const bits = draw.chance(4) ? 48 : outputBits;
    s2.tables.map(ipa, level, (at) => {
      return drawStage2Leaf(draw, at, draw.address(bits, levelShift(granule, at)), false);
    });
  }

  /** An IPA (or, without stage 2, a PA) for a stage 1 leaf of this size. */
  drawIntermediate(ipaBits: number, align: number): number {
    const { s2, draw, m } = this;
    let bits = Math.min(ipaBits, m.oas);
    if (s2 !== undefined && !draw.chance(4)) bits = Math.min(bits, 64 - s2.shape.tsz);
    if (draw.chance(3)) bits = 48;
    return draw.address(bits, align);
  }

  /** Fills the CD, builds stage 1 and returns a VA that it maps. */
  buildStage1(cd: bigint[], world: "EL1" | "EL2" | "EL2-E2H"): { va: bigint; bigEndian: boolean } {
    const { draw, m, ram } = this;
    const half = world !== "EL2" && draw.chance(35) ? 1 : 0;
    const granule = draw.pick(m.granules);
    const largest = m.stt && draw.chance(30) ? (granule === 16 ? 47 : 48) : 39;
    const tsz = draw.chance(40) ? draw.pick([16, 25, 28, 32, 39]) : draw.between(16, largest);
    const startLevel = 4 - Math.ceil((64 - tsz - granule) / (granule - 3));
    const ips = this.drawIps();
    const ipaBits = Math.min([32, 36, 40, 42, 44, 48, 48, 48][ips], m.oas);
    const tables = new Tables(
      ram,
      { stage: 1, granule, startLevel, inputBits: 64 - tsz },
      this.expose,
      drawTableBits(draw, 1),
    );
    const bigEndian = this.fillCd(cd, { half, granule, tsz, ips, ttb: tables.rootAddress() });
    const low = BigInt.asUintN(64 - tsz, draw.u64());
    for (let n = draw.chance(30) ? 2 : 1; n > 0; n--) {
      // A second mapping next to the first shares its tables.
      const at = n === 2 ? low ^ (1n << BigInt(draw.between(granule, 63 - tsz))) : low;
      const level = drawLeafLevel(draw, granule, startLevel);
      const shift = levelShift(granule, level);
      const output = this.drawIntermediate(ipaBits, shift);
      tables.map(at, level, (real) => drawStage1Leaf(draw, real, output));
      this.mapOutput(BigInt(output) + BigInt.asUintN(shift, at));
    }
    const va = half === 1 ? low | (BigInt.asUintN(tsz, -1n) << BigInt(64 - tsz)) : low;
    return { va, bigEndian };
  }

  /** CD.IPS: mostly wide enough for the tables. */
  private drawIps(): number {
    const { draw, ram } = this;
    if (!draw.chance(30)) return 5;
    const ips = draw.below(this.options.target === "qemu" ? 6 : 8);
    return ram.bits > 32 && !draw.chance(10) ? Math.max(ips, ram.bits === 36 ? 1 : 5) : ips;
  }

  /** Fills a CD whose one half is in use. */
  private fillCd(
    cd: bigint[],
    use: { half: 0 | 1; granule: number; tsz: number; ips: number; ttb: number },
  ): boolean {
    const { draw, m } = this;
    const low = 16 * use.half;
    const other = 16 - low;
    put(cd, low + 5, low, use.tsz);
    put(cd, low + 7, low + 6, use.half === 0 ? tg0(use.granule) : tg1(use.granule));
    put(cd, low + 13, low + 8, draw.below(64));
    const otherOn = draw.chance(25);
    put(cd, other + 14, other + 14, otherOn ? 0 : 1);
    if (otherOn) {
      const granule = draw.pick(m.granules);
      put(cd, other + 5, other, draw.between(16, 39));
      put(cd, other + 7, other + 6, use.half === 1 ? tg0(granule) : tg1(granule));
      cd[2 - use.half] |= BigInt(use.ttb);
    } else if (draw.chance(50)) {
      put(cd, other + 13, other, draw.u32());
      cd[2 - use.half] |= draw.u64() & 0x00ff_ffff_ffff_fff0n;
    }
    put(cd, 31, 31, 1);
    put(cd, 34, 32, use.ips);
    put(cd, 35, 35, draw.chance(20) ? 1 : 0);
    put(cd, 36, 36, draw.chance(20) ? 1 : 0);
    put(cd, 37, 37, draw.below(2));
    put(cd, 39, 38, draw.below(4));
    put(cd, 40, 40, draw.chance(25) ? 1 : 0);
    put(cd, 41, 41, 1);
    put(cd, 45, 45, draw.chance(15) ? 0 : 1);
    put(cd, 46, 46, !m.termModel && draw.chance(40) ? 0 : 1);
    put(cd, 63, 48, draw.below(m.asid16 ? 0x10000 : 0x100));
    cd[1 + use.half] |= BigInt(use.ttb + (draw.chance(8) ? 16 * draw.below(4) : 0));
    for (const base of [64, 128]) {
      put(cd, base + 1, base + 1, draw.chance(25) ? 1 : 0);
      put(cd, base + 2, base + 2, draw.chance(20) ? 1 : 0);
    }
    put(cd, 123, 123, draw.chance(30) ? 1 : 0);
    cd[3] = draw.chance(50) ? draw.u64() : 0xff44_bb0c_0400_f4ffn;
    const bigEndian = m.mixedEndian && draw.chance(50);
    put(cd, 15, 15, bigEndian ? 1 : 0);
    return bigEndian;
  }

  /** Spoils descriptors: faults of all kinds, and loops. */
  spoilDescriptors(): void {
    const { draw, ram } = this;
    if (!draw.chance(28)) return;
    for (
      let n = draw.weighted([
        [3, 1],
        [1, 2],
      ]);
      n > 0;
      n--
    ) {
      const w = draw.pick(ram.written);
      if (w === undefined) return;
      const old = ram.words.get(w.address) ?? 0n;
      ram.set(w.address, spoilDescriptor(draw, old, w.address));
    }
  }
}
