// Question: what does one call from JavaScript cost, and the module's size and start?
import { statSync } from "node:fs";
import { join } from "node:path";
import { FULL_ID } from "../../src/engine/identity.ts";
import { Smmu } from "../../src/engine/smmu.ts";
import { atMost, type Effort, exactly, type Question, type Row, share } from "../question.ts";
import { ROOT } from "../root.ts";
import { cpuTimeNs, pairedRounds } from "../rounds.ts";
import { spreadOf } from "../stats.ts";
import { startTimes } from "../world/child-process.ts";
import { randomNumbers } from "../world/ring.ts";
import { Tables } from "../world/tables.ts";
import { enable, World } from "../world/world.ts";

const PAGE = 4096;
const PAGES = 256;
const IOVA_BASE = 2 ** 32;
const OUTPUT_BASE = 2 ** 36;
const SID = 5;
const CALLS = 65536;
const BYTES_PER_KB = 1024;
const NS_PER_MS = 1e6;

/** An SMMU with one stream, and addresses of its pages in random order. */
async function machine(count: number): Promise<{ smmu: Smmu; iovas: bigint[] }> {
  const world = new World(16 << 20);
  const tables = new Tables(world, 1);
  for (let i = 0; i < PAGES; i++) tables.map(IOVA_BASE + i * PAGE, OUTPUT_BASE + i * PAGE);
  world.addStream({ sid: SID, stage1: tables.root });
  const smmu = await Smmu.create(world.memory, world.map, { id: FULL_ID });
  enable(smmu.engine, world.layout);
  const random = randomNumbers(PAGES);
  const offset = () => Math.floor(random() * PAGES * PAGE);
  return { smmu, iovas: Array.from({ length: count }, () => BigInt(IOVA_BASE + offset())) };
}

async function callRows(effort: Effort): Promise<Row[]> {
  effort.note?.("single calls");
  const { smmu, iovas } = await machine(share(effort, CALLS, PAGES));
  for (const iova of iovas) {
    const { status, pa } = smmu.translate({ sid: SID, iova, privileged: false });
    const expected = iova - BigInt(IOVA_BASE) + BigInt(OUTPUT_BASE);
    if (status !== "ok" || pa !== expected) throw new Error(`${iova} became ${pa}: ${status}`);
  }
  const raw = () => {
    for (let i = 0; i < iovas.length; i++) smmu.translateRaw(SID, 0, iovas[i]);
  };
  const object = () => {
    for (let i = 0; i < iovas.length; i++) {
      smmu.translate({ sid: SID, iova: iovas[i], privileged: false });
    }
  };
  const by = <N extends string>(name: N, work: () => void) => ({
    name,
    pass: () => cpuTimeNs(work) / iovas.length,
  });
  const times = await pairedRounds([by("raw", raw), by("object", object)], effort.rounds);
  const row = { meaning: "time of a call", unit: "ns" as const };
  const name = `stage 1, ${PAGES} pages, cached`;
  return [
    { ...row, name: `${name}: translateRaw`, value: spreadOf(times.raw), target: atMost(20) },
    { ...row, name: `${name}: translate, with its object`, value: spreadOf(times.object) },
  ];
}

function sizeRow(): Row {
  const { size } = statSync(join(ROOT, "dist", "engine.wasm"));
  return {
    name: "engine.wasm",
    meaning: "size",
    value: exactly(size / BYTES_PER_KB),
    unit: "KB",
    target: atMost(40),
  };
}

/** Compiled and instantiated in fresh processes: a second time in the same one costs less. */
function startRows(effort: Effort): Row[] {
  effort.note?.("fresh processes");
  startTimes();
  const times = Array.from({ length: effort.rounds }, startTimes);
  const row = (name: "compile" | "instantiate", target: number): Row => ({
    name: `${name} in a fresh process`,
    meaning: "time",
    value: spreadOf(times.map((t) => t[name] / NS_PER_MS)),
    unit: "ms",
    target: atMost(target),
  });
  return [row("compile", 1.5), row("instantiate", 0.5)];
}

/** Answers: what one call costs, and what a program pays before its first. */
export const single: Question = {
  name: "single",
  title: "One call from JavaScript, and the start of the engine",
  async run(effort: Effort): Promise<Row[]> {
    return [...(await callRows(effort)), sizeRow(), ...startRows(effort)];
  },
};
