// Question: how fast are commands consumed, whatever is cached and however long their ranges are?
import type { EngineExports } from "../src/engine/module.ts";
import { cfgiCd, cfgiSte, command, sync, tlbiNhAsid, tlbiNhVa } from "../src/tables/command.ts";
import { batchPass } from "./batch.ts";
import { type Compiler, findCompiler } from "./native/build.ts";
import {
  atLeast,
  atMost,
  type Effort,
  noteTimes,
  type Question,
  type Row,
  rateOf,
  share,
} from "./question.ts";
import { CommandQueue } from "./queue.ts";
import { rangeRow } from "./ranges.ts";
import { READ, type Ring, randomNumbers, shuffled } from "./ring.ts";
import { cpuTimeNs, pairedRounds } from "./rounds.ts";
import { ratioOf } from "./stats.ts";
import { Tables } from "./tables.ts";
import { startTwin } from "./twin.ts";
import { QUEUE_ENTRIES, World } from "./world.ts";

const PAGE = 4096;
const IOVA_BASE = 2 ** 32;
const OUTPUT_BASE = 2 ** 36;
const SID = 5;
/** The stream whose translations are cached, and one that has none. */
const ASID = SID + 1;
const OTHER_ASID = 77;
const STREAMS = 200;
/** Full queues of one pass. */
const FILLS = 8;
const FEW_PAGES = 256;
const MANY_PAGES = 61440;
/** `counter` number of completed commands. */
const COMMANDS_DONE = 5;
/** Pages of a scattered unmapping, and commands between two CMD_SYNCs of a long one. */
const RANGE_PAGES_MAX = 32;
const SYNC_EVERY = 64;

/** A machine with one stream and a request for each of its pages. */
export interface CommandWorld {
  readonly world: World;
  readonly ring: Ring;
  readonly pages: number;
  readonly queue: CommandQueue;
}

/** Builds the machine: `pages` pages in a row, in random order in the ring. */
export function commandWorld(pages: number): CommandWorld {
  const world = new World((16 << 20) + (pages / 512) * PAGE);
  const first = new Tables(world, 1);
  for (let i = 0; i < pages; i++) first.map(IOVA_BASE + i * PAGE, OUTPUT_BASE + i * PAGE);
  world.addStream({ sid: SID, asid: ASID, vmid: 0, stage1: first.root });
  const order = shuffled(pages, randomNumbers(pages));
  const ring = world.ring(pages);
  ring.fill((i) => [SID, IOVA_BASE + order[i] * PAGE, READ]);
  return { world, ring, pages, queue: new CommandQueue(world) };
}

type Make = (random: () => number, index: number) => Uint8Array;

const pageOf = (random: () => number, pages: number): bigint =>
  BigInt(IOVA_BASE + Math.floor(random() * pages) * PAGE);

/** Every second command is the CMD_SYNC that a driver waits for. */
const synced =
  (make: (random: () => number) => Uint8Array): Make =>
  (random, i) =>
    i % 2 ? sync() : make(random);

const range = (asid: number, va: bigint, pages: number): Uint8Array =>
  command("CMD_TLBI_NH_VA", {
    "TLBI.ASID": asid,
    "TLBI.Address": va,
    "TLBI.Leaf": 1,
    "TLBI.NUM": pages - 1,
    "TLBI.TG": 1,
    "TLBI.TTL": 3,
  });

/** What Linux sends, for the stream with `asid`. */
function mixesOf(asid: number, pages: number): [name: string, make: Make][] {
  const unmap = (random: () => number) => tlbiNhVa(asid, pageOf(random, pages));
  const unmapRange = (random: () => number) =>
    range(asid, pageOf(random, pages), 1 + Math.floor(random() * RANGE_PAGES_MAX));
  const other = (random: () => number) => tlbiNhAsid(256 + Math.floor(random() * STREAMS));
  const attach = (random: () => number) => {
    const sid = 16 + Math.floor(random() * STREAMS);
    return random() < 0.5 ? cfgiSte(sid) : cfgiCd(sid, 0);
  };
  const any = (random: () => number) => {
    const which = random();
    if (which < 0.4) return unmap(random);
    if (which < 0.8) return unmapRange(random);
    return which < 0.95 ? other(random) : attach(random);
  };
  return [
    ["page by page, each synced (NH_VA)", synced(unmap)],
    [
      "page by page, synced after 63",
      (random, i) => ((i + 1) % SYNC_EVERY ? unmap(random) : sync()),
    ],
    ["1 to 32 pages, each synced (RIL)", synced(unmapRange)],
    ["whole contexts, each synced (NH_ASID)", synced(other)],
    ["devices attached, each synced (CFGI)", synced(attach)],
    ["all of these mixed", synced(any)],
  ];
}

/** Nanoseconds per command of an engine in WebAssembly. */
function consume(engine: EngineExports, queue: CommandQueue, fills: number): number {
  const ns = cpuTimeNs(() => {
    for (let i = 0; i < fills; i++) engine.mmioWrite(...queue.produce(QUEUE_ENTRIES));
  });
  return ns / (fills * QUEUE_ENTRIES);
}

/** One mix with few pages cached: its rate, and C's time for it when a compiler is there. */
async function mixRows(
  c: CommandWorld,
  mix: [name: string, make: Make],
  compiler: Compiler | undefined,
  effort: Effort,
): Promise<Row[]> {
  const [name, make] = mix;
  effort.note?.(name);
  c.queue.fill(make);
  const fills = share(effort, FILLS);
  const stateAt = await c.world.stateAt();
  const engine = await c.world.engine("fast");
  const ours = {
    name: "engine" as const,
    prepare: () => void batchPass(engine, c.ring),
    pass: () => consume(engine, c.queue, fills),
  };
  if (!compiler) {
    const times = await pairedRounds([ours], effort.rounds);
    proveDone(name, engine.counter(COMMANDS_DONE), fills);
    return [rateRow(name, times.engine)];
  }
  const native = await startTwin(c.world, compiler, "fast", stateAt);
  const theirQueue = new CommandQueue(c.world);
  const theirs = {
    name: "C" as const,
    prepare: async () => void (await native.pass("translateBatch", c.ring)),
    pass: async () => {
      let ns = 0;
      for (let i = 0; i < fills; i++) {
        ns += Number(await native.ask("time", "mmioWrite", ...theirQueue.produce(QUEUE_ENTRIES)));
      }
      return ns / (fills * QUEUE_ENTRIES);
    },
  };
  try {
    const times = await pairedRounds([ours, theirs], effort.rounds);
    const done = engine.counter(COMMANDS_DONE);
    proveDone(name, done, fills);
    const theirDone = Number(await native.ask("call", "counter", COMMANDS_DONE));
    batchPass(engine, c.ring);
    await native.pass("translateBatch", c.ring);
    const sums = [c.ring.checksum(), await native.checksum(c.ring)];
    if (sums[0] !== sums[1] || done !== theirDone) {
      throw new Error(`${name}: the engines differ (${sums}, ${done} and ${theirDone} commands)`);
    }
    return [rateRow(name, times.engine), { ...againstC(name, compiler), ...ratio(times) }];
  } finally {
    native.end();
  }
}

const ratio = (times: Record<"engine" | "C", number[]>) => ({
  value: ratioOf(times.engine, times.C),
  note: noteTimes(times),
});

const againstC = (name: string, { kind }: Compiler) => ({
  name,
  meaning: `engine / ${kind}`,
  unit: "x" as const,
});

const rateRow = (name: string, ns: readonly number[]): Row => ({
  name,
  meaning: "commands consumed",
  value: rateOf(ns),
  unit: "M/s",
  target: atLeast(80),
  note: noteTimes({ command: ns }),
});

/** A queue that stopped at an error would look fast. */
function proveDone(name: string, done: number, fills: number): void {
  if (done === 0 || done % (fills * QUEUE_ENTRIES) !== 0) {
    throw new Error(`${name}: only ${done} commands were consumed`);
  }
}

/** Cost with a full IOTLB over the cost with a small working set. */
async function fillRows(effort: Effort): Promise<Row[]> {
  const few = commandWorld(FEW_PAGES);
  const many = commandWorld(share(effort, MANY_PAGES, FEW_PAGES));
  const fills = share(effort, FILLS);
  const rows: Row[] = [];
  for (const [asid, what] of [
    [ASID, "the cached pages"],
    [OTHER_ASID, "pages that are not cached"],
  ] as const) {
    const name = `unmapping ${what}, mixed`;
    effort.note?.(name);
    const contestant = async <N extends string>(label: N, c: CommandWorld) => {
      const engine = await c.world.engine("fast");
      c.queue.fill(mixesOf(asid, c.pages)[5][1]);
      return {
        name: label,
        prepare: () => void batchPass(engine, c.ring),
        pass: () => consume(engine, c.queue, fills),
      };
    };
    const times = await pairedRounds(
      [await contestant("256 pages", few), await contestant("61440 pages", many)],
      effort.rounds,
    );
    rows.push({
      name,
      meaning: `${many.pages} pages translated before / ${few.pages}`,
      value: ratioOf(times["61440 pages"], times["256 pages"]),
      unit: "x",
      target: atMost(1.3),
      note: noteTimes(times),
    });
  }
  return rows;
}

/** Answers: what invalidations cost. */
export const commands: Question = {
  name: "commands",
  title: "The command queue: what Linux sends, consumed from guest memory",
  async run(effort: Effort): Promise<Row[]> {
    const compiler = findCompiler("clang") ?? findCompiler("gcc");
    const few = commandWorld(FEW_PAGES);
    const rows: Row[] = [];
    for (const mix of mixesOf(ASID, FEW_PAGES)) {
      rows.push(...(await mixRows(few, mix, compiler, effort)));
    }
    rows.push(...(await fillRows(effort)));
    rows.push(await rangeRow(commandWorld(share(effort, 16384, FEW_PAGES)), ASID, effort));
    return rows;
  },
};
