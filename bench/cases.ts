// The cases that engine and baselines are compared on: resident, cold and uncached translations.
import { READ, type Ring, randomNumbers, shuffled, WRITE } from "./ring.ts";
import { Tables } from "./tables.ts";
import { type Policy, World } from "./world.ts";

const PAGE = 4096;
const MIB = 1 << 20;
/** Where the I/O virtual addresses and the pages behind them begin. */
const IOVA_BASE = 2 ** 32;
const OUTPUT_BASE = 2 ** 36;
const SID = 5;

/** One case: a machine, its requests, and the caches that the contestants use. */
export interface Case {
  readonly name: string;
  readonly world: World;
  readonly ring: Ring;
  readonly policy: Policy;
  /** Whether caches are emptied before every pass. */
  readonly cold: boolean;
}

/** Both stages' tables of one stream. With `nested`, guest addresses are IPAs equal to PAs. */
class Mapper {
  readonly first: Tables;
  readonly second: Tables | undefined;

  constructor(
    readonly world: World,
    nested: boolean,
  ) {
    this.second = nested ? new Tables(world, 2) : undefined;
    this.first = new Tables(world, 1);
  }

  map(iova: number, output: number): void {
    this.first.map(iova, output);
    this.second?.map(output, output + 2 ** 40);
  }

  /** Maps the memory of the machine itself through stage 2, once all tables exist. */
  install(sid: number): void {
    const { world, second } = this;
    const stage2 = second?.root;
    world.addStream({ sid, asid: sid + 1, vmid: 1, stage1: this.first.root, stage2 });
    if (!second) return;
    for (let pa = world.base; pa < world.top; pa += PAGE) second.map(pa, pa);
  }
}

/** `pages` pages that one stream uses at random. */
export function resident(pages: number, nested: boolean, policy: Policy = "fast"): Case {
  const world = new World(16 * MIB);
  const mapper = new Mapper(world, nested);
  const random = randomNumbers(pages);
  for (let i = 0; i < pages; i++) mapper.map(IOVA_BASE + i * PAGE, OUTPUT_BASE + i * PAGE);
  mapper.install(SID);
  const ring = world.ring(65536);
  ring.fill(() => {
    const at = IOVA_BASE + Math.floor(random() * pages) * PAGE + Math.floor(random() * PAGE);
    return [SID, at, random() < 0.5 ? READ : WRITE];
  });
  const stages = nested ? "nested" : "stage 1";
  return { name: `${stages}, ${pages} pages`, world, ring, policy, cold: false };
}

/** Eight streams with 256 pages each, in random order. */
export function mixedStreams(): Case {
  const world = new World(32 * MIB);
  const random = randomNumbers(8);
  const streams = Array.from({ length: 8 }, (_, i) => 16 + i * 8);
  for (const sid of streams) {
    const mapper = new Mapper(world, false);
    for (let i = 0; i < 256; i++) mapper.map(IOVA_BASE + i * PAGE, OUTPUT_BASE + i * PAGE);
    mapper.install(sid);
  }
  const ring = world.ring(65536);
  ring.fill(() => {
    const sid = streams[Math.floor(random() * 8)];
    return [sid, IOVA_BASE + Math.floor(random() * 256) * PAGE, random() < 0.5 ? READ : WRITE];
  });
  return { name: "8 streams, unsorted", world, ring, policy: "fast", cold: false };
}

/**
 * Each page once, in random order, over `tables` last-level tables. With `spread` every one of them
 * has its own table above it too.
 */
export function cold(tables: number, requests: number, spread: boolean, nested: boolean): Case {
  const bytes = tables * PAGE * (spread ? 2 : 1) * (nested ? 2 : 1) + 64 * MIB;
  const world = new World(bytes);
  const mapper = new Mapper(world, nested);
  const stride = spread ? 2 ** 30 : 2 ** 21;
  const perTable = requests / tables;
  const step = Math.floor(512 / perTable);
  const iovaOf = (i: number) =>
    IOVA_BASE + Math.floor(i / perTable) * stride + (i % perTable) * step * PAGE;
  const outputOf = (i: number) =>
    OUTPUT_BASE +
    (nested ? Math.floor(i / perTable) * 2 ** 21 + (i % perTable) * step * PAGE : i * PAGE);
  for (let i = 0; i < requests; i++) mapper.map(iovaOf(i), outputOf(i));
  mapper.install(SID);
  const order = shuffled(requests, randomNumbers(tables));
  const ring = world.ring(requests);
  ring.fill((i) => [SID, iovaOf(order[i]) + (i % PAGE), i % 2 ? READ : WRITE]);
  const name = `${nested ? "nested" : "stage 1"}, ${spread ? "sparse" : "dense"} tables`;
  return { name, world, ring, policy: "fast", cold: true };
}
