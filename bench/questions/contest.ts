// A case as a contest: equal answers are proved first, then contestants take turns, and the answers
// of every timed pass are compared with the uncached walk's.

import { type Compiler, findCompiler } from "../native/build.ts";
import { type Effort, noteTimes, type Row, type Target } from "../question.ts";
import { type Rival, type RivalName, referenceOf, rivalsOf } from "../rivals/rivals.ts";
import { pairedRounds, WARM_UP_PASSES } from "../rounds.ts";
import { ratioOf } from "../stats.ts";
import type { Case } from "../world/cases.ts";

/** Passes before the warm-up: V8 compiles hot WebAssembly only after a while. */
const PROOF_PASSES = 6;

/** How the engine stands beside a contestant. */
export interface Versus {
  readonly rival: RivalName;
  /** "<=": the engine's time over the other's. ">=", and without one: the other's over its. */
  readonly target?: Target;
  readonly note?: string;
}

/** A case, and whom the engine meets there. */
export interface Measure {
  /** Makes the case, with requests for as many passes. */
  make(passes: number, effort: Effort): Case;
  readonly versus: readonly Versus[];
}

/** Answers of a pass that are to be compared. */
interface Answers {
  readonly rival: RivalName;
  readonly ring: number;
  readonly sum: number;
}

async function sumOf(rival: Rival, c: Case, ring: number): Promise<number> {
  await rival.clear(c.rings[ring]);
  await rival.pass(c.rings[ring]);
  return rival.checksum(c.rings[ring]);
}

/** Throws unless all answers are those of the uncached walk. */
async function compareAnswers(c: Case, reference: Rival, answers: readonly Answers[]) {
  const right = new Map<number, number>();
  for (const { rival, ring, sum } of answers) {
    const expected = right.get(ring) ?? (await sumOf(reference, c, ring));
    right.set(ring, expected);
    if (sum !== expected) throw new Error(`${c.name}: ${rival} answers ${sum}, not ${expected}`);
  }
}

/** All contestants' answers to the first ring, with empty caches and then with full ones. */
async function prove(c: Case, rivals: readonly Rival[], reference: Rival): Promise<void> {
  const answers: Answers[] = [];
  for (const rival of rivals) {
    for (let i = 0; i < PROOF_PASSES; i++) {
      answers.push({ rival: rival.name, ring: 0, sum: await sumOf(rival, c, 0) });
    }
  }
  await compareAnswers(c, reference, answers);
}

/** Nanoseconds of all contestants, round by round. */
async function race(c: Case, rivals: readonly Rival[], reference: Rival, effort: Effort) {
  const answers: Answers[] = [];
  let next = 0;
  const takeRing = () => {
    if (c.rings.length > 1) next = (next % (c.rings.length - 1)) + 1;
    return next;
  };
  const contestants = rivals.map((rival) => ({
    name: rival.name,
    // A cold pass starts with empty caches, any other one with what a pass like it has left.
    prepare: async () => {
      if (c.cold) await rival.flush();
      else await rival.pass(c.rings[0]);
    },
    pass: async () => {
      const ring = takeRing();
      const ns = await rival.pass(c.rings[ring]);
      answers.push({ rival: rival.name, ring, sum: await rival.checksum(c.rings[ring]) });
      return ns;
    },
  }));
  const times = await pairedRounds(contestants, effort.rounds);
  await compareAnswers(c, reference, answers);
  return times;
}

/** How a contestant is named in a table. */
function labelOf(rival: RivalName, compiler: Compiler | undefined): string {
  const c = compiler?.kind ?? "C";
  const labels: Record<RivalName, string> = {
    engine: "engine",
    serial: `${c} one by one`,
    huge: `${c} one by one, 2 MiB pages`,
    batch: `${c} interleaved`,
    qemu: `QEMU-shaped ${c}`,
    bigint: "BigInt JavaScript",
    uint32: "Uint32 JavaScript",
  };
  return labels[rival];
}

function rowOf(
  name: string,
  { rival, target, note }: Versus,
  compiler: Compiler | undefined,
  times: Partial<Record<RivalName, number[]>>,
): Row {
  const label = labelOf(rival, compiler);
  const share = target?.relation === "<=";
  const meaning = share ? `engine / ${label}` : `${label} / engine`;
  const { engine = [], [rival]: other } = times;
  const row = { name, meaning, unit: "x" as const, target };
  if (!other) return { ...row, value: undefined, missing: "neither clang nor gcc is there" };
  const beside = noteTimes({ engine, [label]: other });
  const value = share ? ratioOf(engine, other) : ratioOf(other, engine);
  return { ...row, value, note: note ? `${beside}; ${note}` : beside };
}

/** Runs a case; gives a row for each contestant beside the engine. */
async function measure({ make, versus }: Measure, effort: Effort): Promise<Row[]> {
  const compiler = findCompiler("clang") ?? findCompiler("gcc");
  const passes = (effort.rounds + WARM_UP_PASSES) * (versus.length + 1) + 1;
  const c = make(passes, effort);
  effort.note?.(c.name);
  const reference = await referenceOf(c);
  const names = versus.map(({ rival }) => rival);
  const rivals = await rivalsOf(c, names, compiler);
  try {
    await prove(c, rivals, reference);
    const times = await race(c, rivals, reference, effort);
    return versus.map((v) => rowOf(c.name, v, compiler, times));
  } finally {
    for (const rival of rivals) rival.end();
  }
}

/** Runs cases one after another: some are machines of many megabytes. */
export async function contests(measures: readonly Measure[], effort: Effort): Promise<Row[]> {
  const rows: Row[] = [];
  for (const m of measures) rows.push(...(await measure(m, effort)));
  return rows;
}
