// A machine for the fuzz of invalidations: streams of every kind, edits of their structures, and
// what the architecture asks for after each edit (IHI0070 4.3, 4.4).
import { FULL_ID } from "../../src/engine/identity.ts";
import { Smmu } from "../../src/engine/smmu.ts";
import { command } from "../../src/tables/command.ts";
import type { GranuleShift } from "../../src/tables/page-table.ts";
import { CMDQEN, EVENTQEN, R, Rig, SMMUEN, STRTAB } from "../engine/rig.ts";
import { contextOf, nested, PAGE, Space, stage1, stage2, tlbi } from "../engine/streams.ts";
import type { Draw } from "./source.ts";

/** Every command whose effect the fuzz must be able to miss. */
export const OPCODES = [
  ...["NH_ALL", "NH_ASID", "NH_VA", "NH_VAA", "S12_VMALL", "S2_IPA", "NSNH_ALL"],
  ...["EL2_ALL", "EL2_ASID", "EL2_VA", "EL2_VAA"],
  ...["CFGI_STE", "CFGI_STE_RANGE", "CFGI_CD", "CFGI_CD_ALL"],
] as const;
export type Opcode = (typeof OPCODES)[number];

/** One command and its opcode. */
export type Sent = readonly [opcode: Opcode, bytes: Uint8Array];

/** A change of memory was made; any one of these lists of commands makes it seen by everyone. */
type Demand = readonly (readonly Sent[])[];

const GiB = 1n << 30n;
const MiB2 = 1n << 21n;
/** Where mappings can point to: 2^36 bytes for each version. */
const VERSION = 1n << 36n;
const VERSIONS = 4;
/** Window of inputs of each stream: pages lie in it, sparse. */
const WINDOW = 0x4000_0000n;
const TG = { 12: 1, 14: 2, 16: 3 } as const;
const RANGE_COUNT_MAX = 32;
/** First StreamID of each kind; a kind has fewer than 8 streams. */
const SID = { stage1: 8, global: 16, stage2: 24, nested: 32, cut: 40, el2: 48, ste: 56, cd: 64 };

type Sender = (o: Parameters<typeof tlbi>[1]) => Sent;
const send =
  (opcode: Opcode): Sender =>
  (o) => [opcode, tlbi(opcode, o)];
const cfgi = (opcode: Opcode, o: object): Sent => [
  opcode,
  command(`CMD_${opcode}` as "CMD_SYNC", o),
];

/** One translation table and the pages that are mapped in it. */
interface Area {
  readonly space: Space;
  readonly sids: readonly number[];
  readonly granule: GranuleShift;
  readonly pages: readonly bigint[];
  /** Commands that drop the pages from `first` on, `bytes` long. */
  demand(first: bigint, bytes: bigint): Demand;
}

/** Requests that are compared after each edit. */
export interface Probe {
  readonly sid: number;
  readonly iova: bigint;
  readonly ssid?: number;
}

/** The machine: a cached SMMU, one without caches over the same memory, and what can be edited. */
export class TlbiWorld {
  readonly probes: Probe[] = [];
  private readonly areas: Area[] = [];
  /** Edits of tables that are not areas, and of STEs and CDs. */
  private readonly edits: (() => Demand)[] = [];
  private readonly configurations: (() => Demand)[] = [];

  private constructor(
    readonly rig: Rig,
    readonly plain: Smmu,
    private readonly draw: Draw,
    private readonly e2h: boolean,
  ) {}

  static async create(draw: Draw): Promise<TlbiWorld> {
    const rig = await Rig.bare({ cache: "fast" });
    const e2h = draw.chance(50);
    rig.enable(0);
    rig.write(R.CR2, 2 | Number(e2h));
    rig.write(R.CR0, SMMUEN | EVENTQEN | CMDQEN);
    const plain = await Smmu.create(rig.memory, rig.map, { id: FULL_ID, cache: "none" });
    plain.writeRegister(R.CR2, 2 | Number(e2h));
    plain.writeRegister(R.STRTAB_BASE, STRTAB, 8);
    plain.writeRegister(R.STRTAB_BASE_CFG, 8);
    plain.writeRegister(R.CR0, SMMUEN);
    const world = new TlbiWorld(rig, plain, draw, e2h);
    world.#addStage1();
    world.#addStage2();
    world.#addNested();
    world.#addCut();
    world.#addEl2();
    world.#addConfigurations();
    return world;
  }

  /** Makes one random edit and gives the commands of one way to make it seen. */
  edit(): readonly Sent[] {
    if (this.draw.chance(25)) return this.draw.pick(this.draw.pick(this.configurations)());
    const areas = this.areas.map((area) => () => this.#editArea(area));
    return this.draw.pick(this.draw.pick([...areas, ...this.edits])());
  }

  /** Pages at random places of a window, some of them neighbours. */
  #pages(granule: GranuleShift, window = WINDOW): bigint[] {
    const size = 1n << BigInt(granule);
    const pages = new Set<bigint>();
    while (pages.size < 12) {
      const at = window + (BigInt(this.draw.below(0x4000_0000)) & -size);
      pages.add(at);
      if (this.draw.chance(50)) pages.add(at + size);
    }
    return [...pages];
  }

  #addArea(area: Area): void {
    this.areas.push(area);
    const size = 1n << BigInt(area.granule);
    for (const at of area.pages) {
      area.space.map(at, size, VERSION);
      for (const sid of area.sids) this.probes.push({ sid, iova: at });
    }
  }

  /** Moves the pages of a part of the window, one or all, to another version. */
  #editArea(area: Area): Demand {
    const size = 1n << BigInt(area.granule);
    const version = VERSION * BigInt(1 + this.draw.below(VERSIONS));
    const first = this.draw.pick(area.pages);
    const log2 = this.draw.pick([0, 0, 0, 1, 5, 9, 12, 16, 30 - area.granule]);
    const bytes = size << BigInt(log2);
    for (const at of area.pages) {
      if (at >= first && at < first + bytes) area.space.map(at, size, version);
    }
    return area.demand(first, bytes);
  }

  /** An address command: one page, or a range that holds `bytes`. */
  #byAddress(granule: GranuleShift, at: bigint, bytes: bigint): Parameters<typeof tlbi>[1] {
    const leaf = this.draw.below(2);
    const count = bytes >> BigInt(granule);
    if (count === 1n && this.draw.chance(50)) return { at, leaf };
    let scale = 0;
    while (count >> BigInt(scale) > BigInt(RANGE_COUNT_MAX)) scale++;
    if (this.draw.chance(50)) while ((count & ((2n << BigInt(scale)) - 1n)) === 0n) scale++;
    const ttl = count === 1n ? 3 : this.draw.pick([0, 3]);
    return { at, leaf, tg: TG[granule], num: Number(count >> BigInt(scale)) - 1, scale, ttl };
  }

  /** EL1 streams with stage 1: two ASIDs of a VMID, one of another, and one with global pages. */
  #addStage1(): void {
    const granules = [12, 12, 14, 16] as const;
    // One global entry makes address commands take another way for all.
    const someGlobal = this.draw.chance(30);
    const tags = [
      [1, 1],
      [1, 2],
      [2, 1],
      [2, 3],
    ] as const;
    tags.forEach(([vmid, asid], n) => {
      const sid = n === 3 ? SID.global : SID.stage1 + n;
      const global = n === 3 && someGlobal;
      const granule = this.draw.pick(granules);
      const shape = { granule, inputBits: 39, vmid, asid };
      const space = stage1(this.rig, { sid, ...shape }, { nG: global ? 0 : 1 });
      const pages = this.#pages(granule);
      const demand = (first: bigint, bytes: bigint): Demand => {
        const at = () => this.#byAddress(granule, first, bytes);
        const other = global && this.draw.chance(50) ? 9 : asid;
        return [
          [send("NH_VA")({ ...at(), vmid, asid: other })],
          [send("NH_VAA")({ ...at(), vmid })],
          ...(global ? [] : [[send("NH_ASID")({ vmid, asid })]]),
          [send("NH_ALL")({ vmid })],
          [send("S12_VMALL")({ vmid })],
          [send("NSNH_ALL")({})],
        ];
      };
      this.#addArea({ space, sids: [sid], granule, pages, demand });
    });
  }

  /** Streams with stage 2 alone. */
  #addStage2(): void {
    for (const [n, granule] of ([12, 16] as const).entries()) {
      const vmid = 1 + n;
      const sid = SID.stage2 + n;
      const space = stage2(this.rig, { sid, vmid, granule, inputBits: 39 });
      const demand = (first: bigint, bytes: bigint): Demand => [
        [send("S2_IPA")({ ...this.#byAddress(granule, first, bytes), vmid })],
        [send("S12_VMALL")({ vmid })],
        [send("NSNH_ALL")({})],
      ];
      this.#addArea({ space, sids: [sid], granule, pages: this.#pages(granule), demand });
    }
  }

  /** A nested stream whose stage 1 and stage 2 are both edited. */
  #addNested(): void {
    const [vmid, asid, granule] = [3, 1, 12] as const;
    const [first, second] = nested(this.rig, { sid: SID.nested, vmid, asid });
    const pages = this.#pages(granule);
    for (let v = 1n; v <= BigInt(VERSIONS); v++) {
      for (const at of pages) second.map(VERSION * v + at, PAGE, VERSION * v);
    }
    const both = [[send("S12_VMALL")({ vmid })], [send("NSNH_ALL")({})]];
    this.#addArea({
      ...{ space: first, sids: [SID.nested], granule, pages },
      demand: (at, bytes) => [
        [send("NH_VA")({ ...this.#byAddress(granule, at, bytes), vmid, asid })],
        [send("NH_VAA")({ ...this.#byAddress(granule, at, bytes), vmid })],
        [send("NH_ASID")({ vmid, asid })],
        [send("NH_ALL")({ vmid })],
        ...both,
      ],
    });
    // Stage 2 entries first, and then what was made with them.
    this.edits.push(() => {
      const at = VERSION * BigInt(1 + this.draw.below(VERSIONS)) + this.draw.pick(pages);
      second.map(at, PAGE, VERSION * BigInt(1 + this.draw.below(VERSIONS)));
      return [[send("S2_IPA")({ vmid, at }), send("NH_ALL")({ vmid })], ...both];
    });
  }

  /** A nested stream whose stage 1 blocks are cached in the pieces that stage 2 makes of them. */
  #addCut(): void {
    const [vmid, asid] = [4, 7];
    const [first, second] = nested(this.rig, { sid: SID.cut, vmid, asid });
    const bases = [WINDOW, WINDOW + 5n * MiB2];
    const offsets = [0n, 0x3000n, 0x1f_f000n];
    for (const base of bases) {
      first.map(base, MiB2, VERSION);
      for (let v = 1n; v <= BigInt(VERSIONS); v++) {
        for (const offset of offsets) second.map(VERSION * v + base + offset, PAGE, VERSION * v);
      }
      for (const offset of offsets) this.probes.push({ sid: SID.cut, iova: base + offset });
    }
    this.edits.push(() => {
      const base = this.draw.pick(bases);
      first.map(base, MiB2, VERSION * BigInt(1 + this.draw.below(VERSIONS)));
      const at = base + BigInt(this.draw.below(512)) * PAGE;
      return [
        [send("NH_VA")({ vmid, asid, at })],
        [send("NH_VA")({ vmid, asid, at: base, tg: 1, num: 0, scale: 9, ttl: 2 })],
        [send("NH_VAA")({ vmid, at })],
        [send("NH_ASID")({ vmid, asid })],
        [send("S12_VMALL")({ vmid })],
      ];
    });
  }

  /** Streams of the EL2 or the EL2-E2H world, with pages and blocks. */
  #addEl2(): void {
    for (const [n, asid] of [1, 2].entries()) {
      const sid = SID.el2 + n;
      const space = stage1(this.rig, { sid, asid, strw: 2, inputBits: 39 });
      const pages = this.#pages(12);
      const block = 2n * GiB + BigInt(n) * MiB2;
      space.map(block, MiB2, VERSION);
      this.probes.push({ sid, iova: block + 0x12_3000n });
      const demand = (first: bigint, bytes: bigint): Demand => {
        const at = () => this.#byAddress(12, first, bytes);
        return [
          [send("EL2_VA")({ ...at(), asid })],
          [send("EL2_VAA")(at())],
          ...(this.e2h ? [[send("EL2_ASID")({ asid })]] : []),
          [send("EL2_ALL")({})],
        ];
      };
      // Without E2H there is one set of tables for everyone.
      if (this.e2h || n === 0) this.#addArea({ space, sids: [sid], granule: 12, pages, demand });
      this.edits.push(() => {
        space.map(block, MiB2, VERSION * BigInt(1 + this.draw.below(VERSIONS)));
        const bytes = PAGE << BigInt(this.draw.pick([0, 0, 5, 12, 16]));
        return demand(block + BigInt(this.draw.below(512)) * PAGE, bytes);
      });
      if (!this.e2h) break;
    }
  }

  /** Streams whose STE or CDs change between tables that have ASIDs of their own. */
  #addConfigurations(): void {
    const { rig, draw } = this;
    const contexts = [20, 21, 22, 23].map((asid, n) => {
      const space = new Space(rig, 1);
      space.map(WINDOW, PAGE, VERSION * BigInt(1 + n));
      return { space, asid, vmid: 0 };
    });
    const cds = contexts.map((c) => contextOf(rig, c.space, c));
    const change = (sid: number) => {
      const Config = draw.pick([0, 4, 5, 5, 5, 5]);
      rig.ste(sid, { Config, S1ContextPtr: draw.pick(cds) });
    };
    const range = (sid: number): readonly Sent[] => [
      cfgi("CFGI_STE_RANGE", { StreamID: sid, "CFGI.Range": draw.pick([0, 3, 5, 6, 9, 31]) }),
    ];
    for (let sid = SID.ste; sid < SID.ste + 4; sid++) {
      change(sid);
      this.probes.push({ sid, iova: WINDOW });
      this.configurations.push(() => {
        change(sid);
        return [[cfgi("CFGI_STE", { StreamID: sid, "CFGI.Leaf": 1 })], range(sid)];
      });
    }
    const bits = 2;
    for (let sid = SID.cd; sid < SID.cd + 2; sid++) {
      const table = rig.allocate(64 << bits);
      const fill = (ssid: number) => {
        const c = draw.pick(contexts);
        contextOf(rig, c.space, c, table + BigInt(64 * ssid));
      };
      rig.ste(sid, { Config: 5, S1ContextPtr: table, S1CDMax: bits, S1DSS: 2 });
      for (let ssid = 1; ssid < 1 << bits; ssid++) {
        fill(ssid);
        this.probes.push({ sid, iova: WINDOW, ssid });
        this.configurations.push(() => {
          fill(ssid);
          return [
            [cfgi("CFGI_CD", { StreamID: sid, SubstreamID: ssid, "CFGI.Leaf": 1 })],
            [cfgi("CFGI_CD_ALL", { StreamID: sid })],
            [cfgi("CFGI_STE", { StreamID: sid, "CFGI.Leaf": 1 })],
            range(sid),
          ];
        });
      }
    }
  }
}
