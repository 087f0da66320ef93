// Replays a capture: the engine is driven through the recorded run and compared at every step.

import { AddressMap, HostMemory } from "../engine/memory.ts";
import type { Compat } from "../engine/types.ts";
import { CD } from "../spec/cd.ts";
import { STE } from "../spec/ste.ts";
import { getField } from "../spec/word.ts";
import { replayAccel } from "./accel-replay.ts";
import { type Capture, readList } from "./capture.ts";
import { replayFallback } from "./fallback-replay.ts";
import { gunzip } from "./files.ts";
import { readLines } from "./lists.ts";
import { machineOf, smmuOfSid } from "./machine.ts";
import { replayPlain } from "./plain-replay.ts";
import type { Templates } from "./replay-config.ts";
import { FaultTests } from "./replay-faults.ts";
import { ItsChecker } from "./replay-its.ts";
import type { ReplayJob, ReplaySection } from "./replay-job.ts";
import { checkMaps } from "./replay-maps.ts";
import { ReplayMemory } from "./replay-memory.ts";
import { checkManifestMsis } from "./replay-msi.ts";
import { parseOp } from "./replay-ops.ts";
import { type ReplayReport, ReportBuilder } from "./replay-report.ts";
import { ReplayRun } from "./replay-run.ts";
import { ReplaySmmu } from "./replay-smmu.ts";
import { readStream, steAddresses } from "./streams.ts";
import { noteVmm } from "./vmm-note.ts";

/** How a replay is done. */
export interface ReplayOptions {
  compat?: Compat;
  /** Told now and then how much of the list has been read (0 to 1) and how many lines. */
  progress?(fraction: number, lines: number): void;
}

/** The sections of a replay, in order. */
export const SECTIONS: ReplaySection[] = [
  { name: "maps", run: replayMaps },
  { name: "run", run: replayRun },
  { name: "msi", run: replayManifestMsis },
  { name: "accel", run: replayAccel },
  { name: "fallback", run: replayFallback },
  { name: "plain", run: replayPlain },
  { name: "vmm", run: noteVmm },
];

/**
 * Checks the engine against everything that the capture recorded.
 * @throws InputError when a list cannot be read
 */
export async function replayCapture(
  capture: Capture,
  options: ReplayOptions = {},
): Promise<ReplayReport> {
  const compat = options.compat ?? "qemu";
  const report = new ReportBuilder(capture.name, compat);
  const progress = options.progress ?? (() => {});
  for (const section of SECTIONS) await section.run({ capture, compat, report, progress });
  return report.report;
}

/** Memory as it was at the stop, with engines in the state of the stop. */
async function replayMaps({ capture, compat, report }: ReplayJob): Promise<void> {
  const list = await readList(capture, "maps.jsonl");
  if (!list) return;
  const { manifest, image } = capture;
  const host = HostMemory.create();
  const map = new AddressMap(host);
  image.attach(map);
  const memory = new ReplayMemory(map, host.memory, []);
  const engines = new Map<string, ReplaySmmu>();
  const engine = async (index: number, rules: Compat): Promise<ReplaySmmu> => {
    const key = `${index} ${rules}`;
    const known = engines.get(key);
    if (known) return known;
    const state = manifest.smmus[index];
    const made = await ReplaySmmu.create(memory, state, { compat: rules, cache: "none" });
    made.restore(state);
    engines.set(key, made);
    return made;
  };
  await checkMaps({
    ...list,
    smmus: manifest.smmus,
    memory,
    engine: (index) => engine(index, compat),
    architectural: (index) => engine(index, "arch"),
    report,
  });
}

/** The run itself, from reset, line by line. */
async function replayRun({ capture, compat, report, progress }: ReplayJob): Promise<void> {
  const list = await readList(capture, "replay.jsonl");
  if (!list) return;
  const { manifest, image } = capture;
  const host = HostMemory.create();
  const memory = new ReplayMemory(new AddressMap(host), host.memory, manifest.ram, image);
  const smmus: ReplaySmmu[] = [];
  for (const state of manifest.smmus) {
    smmus.push(await ReplaySmmu.create(memory, state, { compat, cache: "qemu" }));
  }
  const smmuOf = smmuOfSid(manifest);
  const context = { manifest, report, file: list.file };
  const run = new ReplayRun({
    file: list.file,
    memory,
    smmus,
    its: await ItsChecker.create(host, image, compat, context),
    faults: await readFaultTests(capture, memory),
    templates: findTemplates(capture, memory),
    smmuOf: (sid) => smmuOf(sid) ?? 0,
    report,
  });
  const start = performance.now();
  for await (const batch of readLines(list.bytes, list.file)) {
    for (let i = 0; i < batch.lines.length; i++) {
      const line = batch.first + i;
      const text = batch.lines[i];
      if (text === "") continue;
      const op = parseOp(text, list.file, line);
      if (op) run.step(op, line);
    }
    progress(batch.progress, batch.first + batch.lines.length - 1);
  }
  run.end();
  report.report.runMs = performance.now() - start;
}

async function readFaultTests(
  capture: Capture,
  memory: ReplayMemory,
): Promise<FaultTests | undefined> {
  const list = await readList(capture, "fault-tests.json");
  if (!list) return undefined;
  const text = new TextDecoder().decode(await gunzip(list.bytes, list.file));
  return FaultTests.parse(text, list.file, memory);
}

/** Any STE with stage 2 and any CD of the image, for what a line does not say. */
function findTemplates(capture: Capture, memory: ReplayMemory): Templates {
  const templates: Templates = {};
  const { image, manifest } = capture;
  const read = (pa: bigint) =>
    image.has(pa) && memory.ensure(Number(pa)) ? memory.read(pa) : undefined;
  for (const { regs } of manifest.smmus) {
    for (const [sid, address] of steAddresses(regs, read)) {
      const stream = readStream(sid, address, read);
      if (!stream) continue;
      if (getField(STE, stream.ste, "S2AA64") === 1n) templates.stage2 ??= stream.ste;
      const { cd } = stream;
      if (cd && getField(CD, cd, "V") === 1n) templates.cd ??= cd;
    }
  }
  return templates;
}

/** Every vector of the manifest: IOVA, doorbell, DeviceID and EventID, LPI. */
async function replayManifestMsis({ capture, compat, report }: ReplayJob): Promise<void> {
  if (capture.manifest.msis.length === 0) return;
  checkManifestMsis(capture.manifest, await machineOf(capture, { compat }), report);
}
