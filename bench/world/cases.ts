// The cases that engine and baselines are compared on: resident, cold and uncached translations.
import { READ, type Ring, randomNumbers, shuffled, WRITE } from "./ring.ts";
import { Tables } from "./tables.ts";
import { type Policy, World } from "./world.ts";

const PAGE = 4096;
const MIB = 2 ** 20;
/** Bytes that a last table maps, and the table above it. */
const LEAF_SPAN = 2 ** 21;
const TABLE_SPAN = 2 ** 30;
/** Where the I/O virtual addresses and the pages behind them begin. */
const IOVA_BASE = 2 ** 32;
const OUTPUT_BASE = 2 ** 36;
/** What stage 2 adds to the pages behind stage 1. */
const BEHIND = 2 ** 40;
const SID = 5;
/** Requests of a pass whose pages are resident; a cold pass has half as many as last tables. */
export const RESIDENT_REQUESTS = 65536;
/**
 * Last tables of a cold case: 256 MiB, of which a request touches one of eight pages that share a
 * line of the processor's caches.
 */
export const COLD_TABLES = 65536;
const LINES_OF_TABLE = 64;
const PAGES_OF_LINE = 8;
/** Spreads the last tables of the sparse case over the places that point to one. */
const SPREAD = 0x9e3779b1;
const SPREAD_SHIFT = 16;

/** One case: a machine, its requests, and the caches that the contestants use. */
export interface Case {
  readonly name: string;
  readonly world: World;
  /** Requests of a pass; with several, each pass takes the next. */
  readonly rings: readonly Ring[];
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
    this.second?.map(output, output + BEHIND);
  }

  /** Maps whole last tables. */
  fill(iova: number, output: number): void {
    this.first.link(iova, this.first.leaf(output));
    this.second?.link(output, this.second.leaf(output + BEHIND));
  }

  /** Maps the memory of the machine itself through stage 2, once all tables exist. */
  install(sid: number): void {
    const { world, second } = this;
    const stage2 = second?.root;
    world.addStream({ sid, asid: sid + 1, vmid: 1, stage1: this.first.root, stage2 });
    if (!second) return;
    for (let pa = world.base; pa < world.top; pa += LEAF_SPAN) second.link(pa, second.leaf(pa));
  }
}

/** `pages` pages that one stream uses at random. Workers need `shared` memory. */
export function resident(
  pages: number,
  nested: boolean,
  policy: Policy = "fast",
  requests = RESIDENT_REQUESTS,
  shared = false,
): Case {
  const world = new World(16 * MIB, shared);
  const mapper = new Mapper(world, nested);
  const random = randomNumbers(pages);
  for (let i = 0; i < pages; i++) mapper.map(IOVA_BASE + i * PAGE, OUTPUT_BASE + i * PAGE);
  mapper.install(SID);
  const ring = world.ring(requests);
  ring.fill(() => {
    const at = IOVA_BASE + Math.floor(random() * pages) * PAGE + Math.floor(random() * PAGE);
    return [SID, at, random() < 0.5 ? READ : WRITE];
  });
  const stages = nested ? "nested" : "stage 1";
  const done = policy === "walk" ? "walked each time" : "cached";
  return { name: `${stages}, ${pages} pages, ${done}`, world, rings: [ring], policy, cold: false };
}

/** Eight streams with 256 pages each, in random order. */
export function mixedStreams(requests = RESIDENT_REQUESTS): Case {
  const world = new World(32 * MIB);
  const random = randomNumbers(8);
  const streams = Array.from({ length: 8 }, (_, i) => 16 + i * 8);
  for (const sid of streams) {
    const mapper = new Mapper(world, false);
    for (let i = 0; i < 256; i++) mapper.map(IOVA_BASE + i * PAGE, OUTPUT_BASE + i * PAGE);
    mapper.install(sid);
  }
  const ring = world.ring(requests);
  ring.fill(() => {
    const sid = streams[Math.floor(random() * 8)];
    return [sid, IOVA_BASE + Math.floor(random() * 256) * PAGE, random() < 0.5 ? READ : WRITE];
  });
  const name = "8 streams, unsorted, cached";
  return { name, world, rings: [ring], policy: "fast", cold: false };
}

/** Requests of `passes` passes, each over lines that no other pass touches. */
function coldRings(
  world: World,
  passes: number,
  tables: number,
  iovaOf: (line: number) => number,
): Ring[] {
  const requests = tables / 2;
  const all = world.ring(passes * requests);
  const order = shuffled(tables * LINES_OF_TABLE, randomNumbers(passes));
  all.fill((i) => [SID, iovaOf(order[i % order.length]) + (i % PAGE), i % 2 ? READ : WRITE]);
  all.clear();
  return Array.from({ length: passes }, (_, i) => all.part(i * requests, requests));
}

/** Any page of line `line` of the last tables, which follow each other. */
function densePage(random: () => number): (line: number) => number {
  return (line) => IOVA_BASE + (line * PAGES_OF_LINE + Math.floor(random() * PAGES_OF_LINE)) * PAGE;
}

/**
 * Last tables that follow each other in the address space: a request misses the processor's caches
 * at its last descriptor, and with `nested` at that of stage 2 too. `tables` is a power of two.
 */
export function dense(nested: boolean, passes: number, tables = COLD_TABLES): Case {
  const world = new World(tables * PAGE * (nested ? 2 : 1) + 64 * MIB);
  const mapper = new Mapper(world, nested);
  for (let i = 0; i < tables; i++) {
    mapper.fill(IOVA_BASE + i * LEAF_SPAN, OUTPUT_BASE + i * LEAF_SPAN);
  }
  mapper.install(SID);
  const rings = coldRings(world, passes, tables, densePage(randomNumbers(1)));
  const name = `${nested ? "nested" : "stage 1"}, dense tables, cold`;
  return { name, world, rings, policy: "fast", cold: true };
}

/**
 * As many tables above the last ones, full of pointers to them: a request misses the processor's
 * caches at two descriptors, one behind the other.
 */
export function sparse(passes: number, tables = COLD_TABLES, shared = false): Case {
  const world = new World(tables * PAGE * 2 + 64 * MIB, shared);
  const mapper = new Mapper(world, false);
  const { first } = mapper;
  const leaves = Array.from({ length: tables }, (_, i) => first.leaf(OUTPUT_BASE + i * LEAF_SPAN));
  const entries = LINES_OF_TABLE * PAGES_OF_LINE;
  const leafOf = (n: number) => leaves[(Math.imul(n, SPREAD) >>> SPREAD_SHIFT) % tables];
  for (let t = 0; t < tables; t++) {
    first.linkAll(t * TABLE_SPAN, (i) => leafOf(t * entries + i));
  }
  mapper.install(SID);
  const random = randomNumbers(2);
  const rings = coldRings(world, passes, tables, (line) => {
    const last = Math.floor(random() * PAGES_OF_LINE);
    return (line * PAGES_OF_LINE + last) * LEAF_SPAN + Math.floor(random() * entries) * PAGE;
  });
  return { name: "stage 1, sparse tables, cold", world, rings, policy: "fast", cold: true };
}
