// Question: what does an MSI route cost by walking the guest's tables, and by the direct doorbell?
import { machineOf } from "../../src/capture/machine.ts";
import { openNamed } from "../../src/cli/source.ts";
import type { EngineExports } from "../../src/engine/module.ts";
import { kvmArchFixupMsiRoute } from "../../src/kvm/fixup.ts";
import { msiRoute } from "../../src/kvm/route.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { programmedVectors } from "../../src/machine/route.ts";
import {
  atMost,
  type Effort,
  exactly,
  noteTimes,
  type Question,
  type Row,
  share,
} from "../question.ts";
import { cpuTimeNs, pairedRounds, WARM_UP_PASSES } from "../rounds.ts";
import { ratioOf, spreadOf } from "../stats.ts";
import { batchPass } from "../world/batch.ts";
import { type Case, COLD_TABLES, dense, sparse } from "../world/cases.ts";
import type { Ring } from "../world/ring.ts";
import { randomNumbers, WRITE } from "../world/ring.ts";
import { Tables } from "../world/tables.ts";
import { World } from "../world/world.ts";

const DOORBELL = 0x8090040;
const DEVICES = 64;
/** As many routes as KVM has room for, and how often one pass answers them all. */
const ROUTES = 4096;
const REPEATS = 16;
const GUEST_READS = 0;
/** Fix-ups of one pass through the captured machine. */
const FIXUPS = 20_000;

export const question: Question = {
  name: "doorbell",
  title: "An MSI route: walk versus direct doorbell",
  async run(effort) {
    const captured = await capturedRows(effort);
    return [...captured, ...(await batchedRows(effort)), ...(await coldRows(effort))];
  },
};

/** The built-in capture's vectors through VFIO's route fix-up, one by one. */
async function capturedRows(effort: Effort): Promise<Row[]> {
  effort.note?.("a captured guest's vectors");
  const count = share(effort, FIXUPS);
  const machine = await machineOf(await openNamed(undefined));
  const vectors = programmedVectors(machine).filter(({ fn }) => machine.smmuOf(fn) !== null);
  const fixup = () => {
    for (let i = 0; i < count; i += vectors.length) {
      for (const { fn, vector } of vectors) {
        const { address, data } = vector.message;
        kvmArchFixupMsiRoute(msiRoute(0, address, data), address, fn, machine.fixup);
      }
    }
  };
  const by = (name: "walk" | "direct") => ({
    name,
    prepare: () => machine.takePath(name),
    pass: () => cpuTimeNs(fixup) / count,
  });
  const times = await pairedRounds([by("walk"), by("direct")], effort.rounds);
  const reads = vectors.map(({ fn, vector }) =>
    machine.countFetches(fn, vector.message.address, true),
  );
  const mean = reads.reduce((sum, n) => sum + n, 0) / reads.length;
  return [
    {
      name: `fix-up of a captured guest's ${vectors.length} vectors, nothing cached`,
      meaning: "walk / direct",
      value: ratioOf(times.walk, times.direct),
      unit: "x",
      note:
        `${noteTimes(times)}; ${mean.toFixed(1)} fetches a walk, ` +
        `${directReads(machine)} direct`,
    },
  ];
}

/** Loads of guest memory that all fix-ups by the direct doorbell make. */
function directReads(machine: Machine): number {
  machine.takePath("direct");
  for (const smmu of machine.smmus) smmu.resetCounters();
  for (const { fn, vector } of programmedVectors(machine)) {
    const { address, data } = vector.message;
    kvmArchFixupMsiRoute(msiRoute(0, address, data), address, fn, machine.fixup);
  }
  return machine.smmus.reduce((sum, s) => sum + s.counters.guestReads, 0);
}

/** Streams whose MSI page is mapped by stage 1 alone, and through both stages. */
function msiWorld(routes: number): { world: World; stage1: Ring; nested: Ring } {
  const world = new World(16 << 20);
  const second = new Tables(world, 2);
  const random = randomNumbers(7);
  const iovas = Array.from(
    { length: DEVICES },
    () => 0x8000000 + Math.floor(random() * 256) * 4096,
  );
  for (let device = 0; device < DEVICES; device++) {
    for (const nested of [false, true]) {
      const first = new Tables(world, 1);
      first.map(iovas[device], DOORBELL - (DOORBELL % 4096));
      world.addStream({
        sid: device + (nested ? DEVICES : 0),
        asid: device + 1,
        vmid: nested ? 2 : 1,
        stage1: first.root,
        stage2: nested ? second.root : undefined,
      });
    }
  }
  // The guest sees its memory, and the doorbell, where they are.
  for (let at = 0x80000000; at < 0x80000000 + (16 << 20); at += 4096) second.map(at, at);
  second.map(DOORBELL - (DOORBELL % 4096), DOORBELL - (DOORBELL % 4096));
  const fill = (first: number): Ring => {
    const ring = world.ring(routes);
    ring.fill(() => {
      const device = Math.floor(random() * DEVICES);
      return [first + device, iovas[device] + (DOORBELL % 4096), WRITE];
    });
    return ring;
  };
  return { world, stage1: fill(0), nested: fill(DEVICES) };
}

/** Fetches of one answer of an instance without caches. */
function readsPerRoute(engine: EngineExports, ring: Ring): number {
  engine.resetCounters();
  batchPass(engine, ring);
  return engine.counter(GUEST_READS) / ring.count;
}

function directPass(engine: EngineExports, { requests, answers, count }: Ring): number {
  const all = () => {
    for (let i = 0; i < REPEATS; i++) engine.answerDoorbells(requests, answers, count);
  };
  return cpuTimeNs(all) / (REPEATS * count);
}

function walkPass(engine: EngineExports, { requests, answers, count }: Ring): number {
  const all = () => {
    for (let i = 0; i < REPEATS; i++) engine.translateBatch(requests, answers, count);
  };
  return cpuTimeNs(all) / (REPEATS * count);
}

/** Walks of tables that the processor's caches do not hold. */
async function coldRows(effort: Effort): Promise<Row[]> {
  const tables = share(effort, COLD_TABLES);
  const passes = effort.rounds + WARM_UP_PASSES;
  const rows: Row[] = [];
  const makes: (() => Case)[] = [() => sparse(passes, tables), () => dense(true, passes, tables)];
  for (const make of makes) {
    const { world, rings, name } = make();
    effort.note?.(name);
    const engine = await world.engine("fast");
    engine.setDoorbell(BigInt(DOORBELL));
    let ring = rings[0];
    let next = 0;
    const walk = {
      name: "walk" as const,
      prepare: () => {
        engine.flushCaches();
        ring = rings[next++];
      },
      pass: () => batchPass(engine, ring, cpuTimeNs),
    };
    const direct = { name: "direct" as const, pass: () => directPass(engine, ring) };
    const times = await pairedRounds([walk, direct], effort.rounds);
    rows.push({
      name: `${name}, batched`,
      meaning: "walk / direct",
      value: ratioOf(times.walk, times.direct),
      unit: "x",
      note: noteTimes(times),
    });
  }
  return rows;
}

async function batchedRows(effort: Effort): Promise<Row[]> {
  effort.note?.("batches");
  const routes = share(effort, ROUTES, DEVICES);
  const { world, stage1, nested } = msiWorld(routes);
  const cached = await world.engine("fast");
  const warm = await world.engine("walk");
  const uncached = await world.engine("none");
  cached.setDoorbell(BigInt(DOORBELL));
  const direct = { name: "direct" as const, pass: () => directPass(cached, stage1) };
  cached.resetCounters();
  const one = await pairedRounds([direct], effort.rounds);
  const rows: Row[] = [
    {
      name: "direct doorbell, batched",
      meaning: "time of a route",
      value: spreadOf(one.direct),
      unit: "ns",
      target: atMost(2),
    },
    {
      name: "direct doorbell, batched",
      meaning: "loads of guest memory",
      value: exactly(cached.counter(GUEST_READS)),
      unit: "reads",
      target: atMost(0),
    },
  ];
  const cases: [string, EngineExports, Ring][] = [
    ["stage 1 walk, everything cached", cached, stage1],
    ["nested walk, everything cached", cached, nested],
    ["stage 1 walk, configuration cached", warm, stage1],
    ["nested walk, configuration cached", warm, nested],
    ["stage 1 walk, nothing cached", uncached, stage1],
    ["nested walk, nothing cached", uncached, nested],
  ];
  for (const [name, engine, ring] of cases) {
    const walk = { name: "walk" as const, pass: () => walkPass(engine, ring) };
    const times = await pairedRounds([walk, direct], effort.rounds);
    rows.push({
      name: `${name}, batched`,
      meaning: "walk / direct",
      value: ratioOf(times.walk, times.direct),
      unit: "x",
      note:
        `${noteTimes(times)}; ${readsPerRoute(engine, ring).toFixed(1)} fetches a walk, ` +
        "0 direct",
    });
  }
  return rows;
}
