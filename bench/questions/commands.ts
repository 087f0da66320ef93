// Question: how fast are commands consumed, whatever is cached and however long their ranges are?
import type { EngineExports } from "../../src/engine/module.ts";
import { cfgiCd, cfgiSte, command, sync, tlbiNhAsid, tlbiNhVa } from "../../src/tables/command.ts";
import { type Compiler, findCompiler } from "../native/build.ts";
import {
  atLeast,
  atMost,
  type Effort,
  noteTimes,
  type Question,
  type Row,
  rateOf,
  share,
} from "../question.ts";
import { startTwin } from "../rivals/twin.ts";
import { cpuTimeNs, pairedRounds } from "../rounds.ts";
import { ratioOf } from "../stats.ts";
import { batchPass } from "../world/batch.ts";
import { CommandQueue } from "../world/queue.ts";
import { READ, type Ring, randomNumbers, shuffled } from "../world/ring.ts";
import { Tables } from "../world/tables.ts";
import { QUEUE_ENTRIES, World } from "../world/world.ts";
import { rangeRow } from "./ranges.ts";

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
/** Pages of a scattered unmapping. */
const RANGE_PAGES_MAX = 32;

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

const pageOf = (random: () => number, pages: number): bigint =>
  BigInt(IOVA_BASE + Math.floor(random() * pages) * PAGE);

const range = (asid: number, va: bigint, pages: number): Uint8Array =>
  command("CMD_TLBI_NH_VA", {
    "TLBI.ASID": asid,
    "TLBI.Address": va,
    "TLBI.Leaf": 1,
    "TLBI.NUM": pages - 1,
    "TLBI.TG": 1,
    "TLBI.TTL": 3,
  });

/** Commands of one kind, for the stream with `asid`, whose pages are mapped. */
type Kind = (random: () => number, asid: number, pages: number) => Uint8Array;

const unmap: Kind = (random, asid, pages) => tlbiNhVa(asid, pageOf(random, pages));

const unmapRange: Kind = (random, asid, pages) =>
  range(asid, pageOf(random, pages), 1 + Math.floor(random() * RANGE_PAGES_MAX));

/** Contexts that hold nothing, and half of the time the one that does. */
const dropOther: Kind = (random) => tlbiNhAsid(256 + Math.floor(random() * STREAMS));
const dropContext: Kind = (random, asid, pages) =>
  random() < 0.5 ? tlbiNhAsid(asid) : dropOther(random, asid, pages);

const attach: Kind = (random) => {
  const sid = 16 + Math.floor(random() * STREAMS);
  return random() < 0.5 ? cfgiSte(sid) : cfgiCd(sid, 0);
};

const any: Kind = (random, asid, pages) => {
  const which = random();
  if (which < 0.4) return unmap(random, asid, pages);
  if (which < 0.8) return unmapRange(random, asid, pages);
  return which < 0.95 ? dropOther(random, asid, pages) : attach(random, asid, pages);
};

/** What Linux sends: a name, and the commands of a whole queue. */
const MIXES: readonly [name: string, kind: Kind, syncEvery: number][] = [
  ["page by page, each synced (NH_VA)", unmap, 2],
  ["page by page, synced after 63", unmap, 64],
  ["1 to 32 pages, each synced (RIL)", unmapRange, 2],
  ["whole contexts, each synced (NH_ASID)", dropContext, 2],
  ["devices attached, each synced (CFGI)", attach, 2],
  ["all of these mixed", any, 2],
];

/** Fills the queue: every `syncEvery`-th command is the CMD_SYNC that a driver waits for. */
function fillQueue(c: CommandWorld, kind: Kind, syncEvery: number, asid: number): void {
  c.queue.fill((random, i) => ((i + 1) % syncEvery ? kind(random, asid, c.pages) : sync()));
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
  [name, kind, syncEvery]: (typeof MIXES)[number],
  compiler: Compiler | undefined,
  effort: Effort,
): Promise<Row[]> {
  effort.note?.(name);
  fillQueue(c, kind, syncEvery, ASID);
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
      fillQueue(c, any, 2, asid);
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
    for (const mix of MIXES) {
      rows.push(...(await mixRows(few, mix, compiler, effort)));
    }
    rows.push(...(await fillRows(effort)));
    rows.push(await rangeRow(commandWorld(share(effort, 16384, FEW_PAGES)), ASID, effort));
    return rows;
  },
};
