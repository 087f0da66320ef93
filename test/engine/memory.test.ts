// Linear memory and address maps: regions, holes, blocks, constants, growth, errors; what engines
// see.
import { describe, expect, test } from "vitest";
import { FULL_ID } from "../../src/engine/identity.ts";
import { AddressMap, HostMemory } from "../../src/engine/memory.ts";
import { Smmu } from "../../src/engine/smmu.ts";
import { Draw, Prng } from "../property/source.ts";
import { EVENTQEN, R } from "./rig.ts";

const MIB = 1 << 20;
const GIB = 1n << 30n;
const ONES_64 = (1n << 64n) - 1n;

function fresh(): { memory: HostMemory; map: AddressMap } {
  const memory = HostMemory.create();
  return { memory, map: new AddressMap(memory) };
}

/** What an engine loads and stores through its map, by way of an STE and an event queue entry. */
class Probe {
  private readonly smmu: Smmu;

  private constructor(smmu: Smmu) {
    this.smmu = smmu;
  }

  static async create(memory: HostMemory, map: AddressMap): Promise<Probe> {
    return new Probe(await Smmu.create(memory, map, { id: FULL_ID, cache: "none" }));
  }

  /** The 64-bit word at a multiple of 64, undefined when the engine's load aborts. */
  load(pa: bigint): bigint | undefined {
    this.smmu.writeRegister(R.CR0, 0);
    this.smmu.writeRegister(R.STRTAB_BASE, pa, 8);
    this.smmu.writeRegister(R.STRTAB_BASE_CFG, 0);
    const words = this.smmu.findSte(0);
    return typeof words === "number" ? undefined : words[0];
  }

  /** Stores 32 bytes at a multiple of 32; false when the engine's store aborts. */
  store(pa: bigint, bytes: Uint8Array): boolean {
    this.smmu.reset();
    this.smmu.writeRegister(R.EVENTQ_BASE, pa, 8);
    this.smmu.writeRegister(R.CR0, EVENTQEN);
    return this.smmu.appendEvent(bytes);
  }
}

describe("HostMemory", () => {
  test("gives zeroed, aligned, disjoint places and grows", () => {
    const memory = HostMemory.create();
    const before = memory.memory.buffer.byteLength;
    const places = [1, 17, 4096, 3 * MIB, 5].map((bytes, i) => {
      const align = [16, 64, 4096, 65536, 1][i];
      const at = memory.alloc(bytes, align);
      expect(at % align).toBe(0);
      expect(memory.bytes(at, bytes).every((byte) => byte === 0)).toBe(true);
      memory.bytes(at, bytes).fill(0xff);
      return [at, at + bytes];
    });
    expect(memory.memory.buffer.byteLength).toBeGreaterThan(before);
    places.sort((a, b) => a[0] - b[0]);
    expect(places[0][0]).toBeGreaterThan(0);
    for (let i = 1; i < places.length; i++) {
      expect(places[i][0]).toBeGreaterThanOrEqual(places[i - 1][1]);
    }
  });

  test("views follow growth", () => {
    const memory = HostMemory.create();
    const at = memory.alloc(8, 8);
    memory.writeU64(at, 0x1122_3344_5566_7788n);
    memory.alloc(4 * MIB);
    expect(memory.readU64(at)).toBe(0x1122_3344_5566_7788n);
    expect(memory.readU32(at + 4)).toBe(0x1122_3344);
    memory.writeU32(at, 5);
    expect(memory.view().getUint32(at, true)).toBe(5);
  });

  test("ends at its maximum with an error, and is usable afterwards", () => {
    const memory = HostMemory.create({ maximumPages: 32 });
    expect(() => memory.alloc(33 * 65536)).toThrow(RangeError);
    expect(() => memory.alloc(33 * 65536)).toThrow(/full/);
    expect(memory.alloc(65536)).toBeGreaterThan(0);
  });

  test("is shared when asked for", () => {
    expect(HostMemory.create().memory.buffer).toBeInstanceOf(ArrayBuffer);
    const memory = HostMemory.create({ shared: true, maximumPages: 64 });
    expect(memory.memory.buffer).toBeInstanceOf(SharedArrayBuffer);
    const at = memory.alloc(4 * 65536 * 8, 65536);
    memory.writeU32(at, 7);
    expect(memory.readU32(at)).toBe(7);
  });
});

describe("AddressMap", () => {
  test("maps RAM with 4 KiB pages and 2 MiB blocks; all else is a hole", () => {
    const { map } = fresh();
    const lin = map.mapRam(0x401f_f000n, 4 * MIB + 0x2000);
    for (const offset of [0n, 0xfffn, 0x1000n, 0x10_0000n, 0x40_1000n, 0x40_1fffn]) {
      expect(map.lin(0x401f_f000n + offset)).toBe(lin + Number(offset));
    }
    for (const pa of [
      0n,
      0x401f_efffn,
      0x4060_1000n,
      (1n << 48n) - 1n,
      1n << 48n,
      1n << 60n,
      -1n,
    ]) {
      expect(map.lin(pa), pa.toString(16)).toBe(-1);
    }
  });

  test("reads and writes bytes and words across page borders", () => {
    const { map } = fresh();
    map.mapRam(0x2000n, 0x1000);
    map.mapRam(0x1000n, 0x1000);
    const data = Uint8Array.from({ length: 64 }, (_, i) => i + 1);
    expect(map.writeBytes(0x1fe0n, data)).toBe(true);
    expect(map.readBytes(0x1fe0n, 64)).toEqual(data);
    expect(map.readU64(0x2000n)).toBe(0x28_27_26_25_24_23_22_21n);
    expect(map.writeU64(0x2ff8n, 5n)).toBe(true);
    expect(map.readU32(0x2ff8n)).toBe(5);
    expect(map.writeBytes(0x2ff0n, data)).toBe(false);
    expect(map.readBytes(0x2ff0n, 64)).toBeUndefined();
    expect(map.readU64(0x3000n)).toBeUndefined();
    expect(map.writeU32(0x3000n, 1)).toBe(false);
  });

  test("two places may show the same memory", () => {
    const { map } = fresh();
    const lin = map.mapRam(0x10_0000n, 0x2000);
    map.mapRam(0x7_0000_0000n, 0x2000, lin);
    map.writeU64(0x10_1008n, 99n);
    expect(map.readU64(0x7_0000_1008n)).toBe(99n);
  });

  test("constant windows of any size read their byte and drop stores", () => {
    const { map, memory } = fresh();
    const before = memory.memory.buffer.byteLength;
    map.mapOnes(0x80_0000_0000n, 0x80_0000_0000n);
    map.mapZero(0x8000n, 3n * GIB);
    map.mapOnes(0xff_ffff_f000n, 0x1000);
    expect(memory.memory.buffer.byteLength - before).toBeLessThan(8 * MIB);
    for (const [pa, value] of [
      [0x80_0000_0000n, ONES_64],
      [0xff_ffff_fff8n, ONES_64],
      [0x8000n, 0n],
      [3n * GIB + 0x7ff8n, 0n],
    ]) {
      expect(map.readU64(pa)).toBe(value);
      expect(map.writeU64(pa, 0x55n)).toBe(true);
      expect(map.readU64(pa)).toBe(value);
      expect(map.isWritable(pa)).toBe(false);
    }
    expect(map.lin(0x100_0000_0000n)).toBe(-1);
  });

  test("RAM inside a constant window replaces only its own pages", () => {
    const { map } = fresh();
    map.mapOnes(0n, 4n * GIB);
    map.mapRam(GIB + 0x3000n, 0x1000);
    expect(map.writeU64(GIB + 0x3000n, 5n)).toBe(true);
    expect(map.readU64(GIB + 0x3000n)).toBe(5n);
    for (const pa of [GIB + 0x2ff8n, GIB + 0x4000n, 2n * GIB + 0x3000n, 0x3000n]) {
      expect(map.readU64(pa)).toBe(ONES_64);
    }
  });

  test("windows of many gigabytes are unmapped at once", () => {
    const { map, memory } = fresh();
    map.mapOnes(0x80_0000_0000n, 0x80_0000_0000n);
    map.mapRam(0x80_4000_0000n, 4 * MIB);
    const before = memory.memory.buffer.byteLength;
    map.unmap(0x80_0000_1000n, 0x80_0000_0000n - 0x2000n);
    expect(memory.memory.buffer.byteLength - before).toBeLessThan(MIB);
    expect(map.readU64(0x80_0000_0000n)).toBe(ONES_64);
    expect(map.readU64(0xff_ffff_f000n)).toBe(ONES_64);
    for (const pa of [0x80_0000_1000n, 0x80_4000_0000n, 0xc0_0000_0000n, 0xff_ffff_e000n]) {
      expect(map.readU64(pa)).toBeUndefined();
    }
    // Unmapping what is not mapped costs nothing either.
    map.unmap(0x1000_0000_0000n, 0x1000_0000_0000n);
  });

  test("regions list what is mapped; adjoining RAM is one", () => {
    const { memory, map } = fresh();
    const lin = memory.alloc(0x20_0000, 4096);
    map.mapRam(0x10_0000n, 0x10_0000, lin);
    map.mapRam(0x20_0000n, 0x10_0000, lin + 0x10_0000);
    map.mapZero(0x50_0000n, 0x1000);
    expect(map.regions()).toEqual([
      { base: 0x10_0000n, bytes: 0x20_0000n, lin, kind: "ram" },
      { base: 0x50_0000n, bytes: 0x1000n, lin: expect.any(Number), kind: "zero" },
    ]);
    map.unmap(0x18_0000n, 0x1000);
    expect(map.regions().map(({ base, bytes }) => [base, bytes])).toEqual([
      [0x10_0000n, 0x8_0000n],
      [0x18_1000n, 0x17_f000n],
      [0x50_0000n, 0x1000n],
    ]);
    expect(map.regions()[1].lin).toBe(lin + 0x8_1000);
  });

  test("refuses what is not aligned, empty or beyond 48 bits", () => {
    const { map } = fresh();
    const bad: [bigint, number | bigint, number?][] = [
      [0x800n, 0x1000],
      [0x1000n, 0x800],
      [0x1000n, 0],
      [0x1000n, -0x1000],
      [-0x1000n, 0x2000],
      [0x1000n, 0x1000, 0x801],
      [(1n << 48n) - 0x1000n, 0x2000],
    ];
    for (const [base, bytes, lin] of bad) {
      expect(() => map.mapRam(base, bytes, lin)).toThrow(RangeError);
      if (lin !== undefined) continue;
      expect(() => map.mapZero(base, bytes)).toThrow(RangeError);
      expect(() => map.unmap(base, bytes)).toThrow(RangeError);
    }
    expect(map.regions()).toEqual([]);
    map.mapRam((1n << 48n) - 0x1000n, 0x1000);
    expect(map.readU64((1n << 48n) - 8n)).toBe(0n);
  });
});

describe("engines", () => {
  test("see what the map shows, also after it changed", async () => {
    const { memory, map } = fresh();
    const probe = await Probe.create(memory, map);
    expect(probe.load(0x4000_0000n)).toBeUndefined();
    map.mapRam(0x4000_0000n, 8 * MIB);
    map.writeU64(0x4000_0040n, 77n);
    expect(probe.load(0x4000_0040n)).toBe(77n);
    // The first byte behind a region is outside it, for loads and stores.
    expect(probe.load(0x4080_0000n)).toBeUndefined();
    expect(probe.store(0x4080_0000n, new Uint8Array(32))).toBe(false);
    expect(probe.load(0x407f_ffc0n)).toBe(0n);
    // The first range that is tried shrinks with its region.
    map.unmap(0x4000_0000n, 0x1000);
    expect(probe.load(0x4000_0040n)).toBeUndefined();
    map.mapOnes(0x4000_0000n, 0x1000);
    expect(probe.load(0x4000_0040n)).toBe(ONES_64);
    expect(probe.store(0x4000_0000n, new Uint8Array(32).fill(1))).toBe(true);
    expect(probe.load(0x4000_0000n)).toBe(ONES_64);
    expect(probe.store(0x4000_1000n, new Uint8Array(32).fill(1))).toBe(true);
    expect(map.readU64(0x4000_1018n)).toBe(0x0101_0101_0101_0101n);
    expect(probe.store(0x3fff_f000n, new Uint8Array(32))).toBe(false);
  });

  test("agree with the map over random programs of mapping and unmapping", async () => {
    for (let seed = 1; seed <= 30; seed++) await runProgram(new Draw(new Prng(seed)));
  });
});

type Page = "ram" | "zero" | "ones";

/** Maps and unmaps at random among a few blocks and compares every page with a plain model. */
async function runProgram(draw: Draw): Promise<void> {
  const { memory, map } = fresh();
  const probe = await Probe.create(memory, map);
  const origin = draw.pick([0x4000_0000n, 0x3fe0_0000n, 0xffff_ff00_0000n]);
  const pages = new Map<number, { kind: Page; lin: number }>();
  const limit = 3 * 512;
  const arena = memory.alloc(limit * 4096, 4096);
  for (let step = 0; step < 25; step++) {
    const first = draw.pick([draw.below(limit), draw.below(3) * 512]);
    const count = Math.min(limit - first, draw.pick([1, 3, 100, 512, 700, 1024]));
    const base = origin + BigInt(first) * 4096n;
    const kind = draw.pick<Page | "hole">(["ram", "ram", "hole", "zero", "ones"]);
    // RAM keeps to its place, so that neighbours may grow together.
    const lin = arena + first * 4096;
    if (kind === "ram") map.mapRam(base, count * 4096, lin);
    else if (kind === "zero") map.mapZero(base, count * 4096);
    else if (kind === "ones") map.mapOnes(base, count * 4096);
    else map.unmap(base, count * 4096);
    for (let page = first; page < first + count; page++) {
      if (kind === "hole") pages.delete(page);
      else pages.set(page, { kind, lin: arena + page * 4096 });
    }
    for (let n = 0; n < 40; n++) {
      const edges = [first, first + count - 1, first + count, Math.max(0, first - 1)];
      const page = draw.chance(30) ? draw.below(limit) : draw.pick(edges);
      const pa = origin + BigInt(page * 4096 + draw.below(64) * 64);
      const found = pages.get(page);
      const value = draw.u64();
      if (found?.kind === "ram") {
        memory.writeU64(found.lin + Number(pa % 4096n), value);
        expect(map.lin(pa)).toBe(found.lin + Number(pa % 4096n));
      }
      const expected = { ram: value, zero: 0n, ones: ONES_64, hole: undefined }[
        found?.kind ?? "hole"
      ];
      expect(map.readU64(pa)).toBe(expected);
      expect(probe.load(pa)).toBe(expected);
    }
    const listed = map.regions().flatMap(({ base: from, bytes, kind: of }) => {
      const at = Number((from - origin) / 4096n);
      return Array.from({ length: Number(bytes / 4096n) }, (_, i) => `${at + i} ${of}`);
    });
    expect(listed.sort()).toEqual([...pages].map(([page, { kind: of }]) => `${page} ${of}`).sort());
  }
}
