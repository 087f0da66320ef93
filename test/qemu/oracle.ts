// `npm run oracle`: many random cases on a live QEMU and on the engine; the first difference,
// shrunk.
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import type { BoardStage, ProgramTarget } from "../../src/conform/board.ts";
import { compareCase } from "../../src/conform/compare.ts";
import { BATCH, GoldenMachine } from "../../src/conform/golden.ts";
import { parseGoldenCase } from "../../src/conform/golden-case.ts";
import { LocalTarget } from "../../src/conform/local.ts";
import { describeDifference, search } from "./differential.ts";
import { qemuCommand, qemuFacts, qemuVersion, startOurs, startQemu } from "./emulators.ts";
import { type Case, GoldenQemu, randomCases } from "./golden.ts";
import { KINDS } from "./spec.ts";

const USAGE = `usage: npm run oracle -- [--cases N] [--seed S] [--target engine|socket]
                         [--stage nested|1|2] [--record FILE] [--golden FILE]

  --cases N     DMAs to compare (default 20,000): half in batches of 64 configurations, half in
                programs of register writes, commands, edits, DMA and rings of e1000s
  --seed S      first seed (default 1); the same seed gives the same cases
  --target T    engine: in this process (default); socket: vsmmu-system-aarch64 over qtest
  --stage S     stages of the SMMU in programs: nested (default), 1 or 2 (these over the socket)
  --record FILE append each program with QEMU's answers to FILE (JSON lines)
  --golden FILE append each case of the batches with QEMU's answer to FILE
`;
const PROGRAMS_PER_ROUND = 20;
const MISMATCH_FILE = ".vsmmu/oracle-mismatch.json";

interface Options {
  stage: BoardStage;
  cases: number;
  seed: number;
  target: string;
  record: string | undefined;
  golden: string | undefined;
}

const say = (text: string) => process.stderr.write(`${text}\n`);

function report(title: string, text: string, data: unknown): number {
  mkdirSync(dirname(MISMATCH_FILE), { recursive: true });
  writeFileSync(MISMATCH_FILE, JSON.stringify(data, bigints, 1));
  process.stdout.write(`${title}\n${text}\nwritten to ${MISMATCH_FILE}\n`);
  return 1;
}

const bigints = (_key: string, v: unknown) => (typeof v === "bigint" ? `0x${v.toString(16)}` : v);

/** Indexes of the cases of a batch whose answers differ. */
async function differing(qemu: GoldenQemu, ours: GoldenMachine, cases: Case[]) {
  const lines = await qemu.run(cases);
  const expected = lines.map(parseGoldenCase);
  const got = ours.run(expected);
  const mismatches = expected.flatMap((e, i) => compareCase(i + 1, e, got[i], "qemu") ?? []);
  return { lines, mismatches };
}

/** Leaves out cases of a batch as long as some answer still differs. */
async function shrinkBatch(qemu: GoldenQemu, ours: GoldenMachine, cases: Case[]) {
  let kept = cases;
  for (let size = kept.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < kept.length; ) {
      const fewer = [...kept.slice(0, at), ...kept.slice(at + size)];
      const still = fewer.length > 0 && (await differing(qemu, ours, fewer)).mismatches.length > 0;
      if (still) kept = fewer;
      else at += size;
    }
  }
  return { cases: kept, ...(await differing(qemu, ours, kept)) };
}

async function batches(options: Options, target: number): Promise<number> {
  const qemu = await GoldenQemu.start(qemuCommand());
  const ours = await GoldenMachine.create("qemu");
  try {
    for (let done = 0; done < target; done += BATCH) {
      const cases = randomCases(options.seed * 1_000_003 + done / BATCH);
      const { lines, mismatches } = await differing(qemu, ours, cases);
      if (options.golden) appendFileSync(options.golden, `${lines.join("\n")}\n`);
      if (mismatches.length === 0) continue;
      const small = await shrinkBatch(qemu, ours, cases);
      const text = JSON.stringify(small.mismatches[0], bigints, 1);
      return report(`batch ${done / BATCH} of seed ${options.seed} differs:`, text, small);
    }
  } finally {
    await qemu.stop();
  }
  say(`${target} cases in batches: no difference`);
  return 0;
}

async function programs(options: Options, target: number): Promise<number> {
  const { stage } = options;
  const qemu = await startQemu(stage);
  const overSocket = options.target === "socket" || stage !== "nested" || qemu.dma === "rings";
  const socket = overSocket ? await startOurs(stage) : undefined;
  const subject: ProgramTarget = socket ?? (await LocalTarget.create("qemu"));
  const { record } = options;
  const recorder = record
    ? (program: unknown, answers: unknown) =>
        appendFileSync(record, `${JSON.stringify({ program, by: "qemu-11.1", record: answers })}\n`)
    : undefined;
  try {
    let cases = 0;
    for (let round = 0; cases < target; round++) {
      const kind = KINDS[round % KINDS.length];
      const seed = options.seed * 7919 + round;
      const result = await search(
        kind,
        { seed, runs: PROGRAMS_PER_ROUND, recorder },
        qemu,
        subject,
      );
      cases += result.cases;
      if (process.stderr.isTTY) process.stderr.write(`\r${cases} of ${target} in programs `);
      if (!result.difference) continue;
      const text = describeDifference(result.difference);
      return report(`a ${kind} program of seed ${seed} differs:`, text, result.difference);
    }
    say(`${cases} cases in programs: no difference`);
    return 0;
  } finally {
    await qemu.stop();
    await socket?.stop();
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      cases: { type: "string", default: "20000" },
      seed: { type: "string", default: "1" },
      target: { type: "string", default: "engine" },
      stage: { type: "string", default: "nested" },
      record: { type: "string" },
      golden: { type: "string" },
      help: { type: "boolean" },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [cases, seed] = [Number(values.cases), Number(values.seed)];
  const stage = values.stage as BoardStage;
  const known = ["nested", "1", "2"].includes(stage);
  if (!known || !Number.isInteger(cases) || cases < 1 || !Number.isInteger(seed)) {
    say(USAGE);
    return 2;
  }
  const options = { ...values, stage, cases, seed, record: values.record, golden: values.golden };
  say(`${qemuVersion()}, seed ${seed}`);
  // Batches are iommu-testdev's.
  const half = qemuFacts().dma === "all" ? Math.ceil(cases / 2 / BATCH) * BATCH : 0;
  if (half > 0 && (await batches(options, half)) !== 0) return 1;
  return programs(options, Math.max(cases - half, 0));
}

process.exitCode = await main();
