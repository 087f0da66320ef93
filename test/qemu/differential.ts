// Runs one random program on two machines and says where they part.
import fc from "fast-check";
import type { BoardDma, ProgramTarget } from "../../src/conform/board.ts";
import { compareProgram } from "../../src/conform/compare.ts";
import type { Program, ProgramRecord } from "../../src/conform/program.ts";
import type { Mismatch } from "../../src/conform/report.ts";
import { runProgram } from "../../src/conform/run.ts";
import { type MasterChoice, materialize } from "./materialize.ts";
import { type ChangeSpec, type Kind, type ProgramSpec, programSpec } from "./spec.ts";

const EDU = 3 * 8;
const range = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

/** The board's masters: iommu-testdev writes, edu reads and writes, e1000 works on rings. */
const MASTERS: MasterChoice[] = [
  ...[range(8, 16), range(0x3700, 8), range(0xfe00, 8)]
    .flat()
    .map((sid) => ({ sid, does: "writes" as const })),
  { sid: EDU, does: "reads and writes" },
  ...range(4 * 8, 8).map((sid) => ({ sid, does: "rings" as const })),
];

/** Who takes part in programs of a kind. */
function mastersOf(kind: Kind, dma: BoardDma | undefined): MasterChoice[] {
  if (dma === "rings") {
    return MASTERS.flatMap(({ sid }) => (sid === EDU ? [] : [{ sid, does: "rings" as const }]));
  }
  return kind === "rings" ? MASTERS.filter((m) => m.does === "rings") : MASTERS;
}

/** Words of an STE and a CD with S1ContextPtr, S2TTB, TTB0 and TTB1; their bits beyond 48. */
const POINTERS: Record<string, number[]> = { ste: [0, 3], cd: [1, 2] };
const POINTER_HIGH = [48, 55];

/** Tables of this size, and of twice as many streams, are aligned where programs put them. */
const LOG2_OF_STRTAB = 16;

/** A flip of those bits becomes one of the bits below them. */
function mendChange(change: ChangeSpec): ChangeSpec {
  const [low, high] = POINTER_HIGH;
  const { target, how, index } = change;
  const flips = how === "flip" && (POINTERS[target] ?? []).includes(index % 4);
  const mended = flips && change.bit >= low && change.bit <= high;
  return mended ? { ...change, bit: change.bit - 8 } : change;
}

/**
 * Without what QEMU takes otherwise before 11: a reserved SPLIT, a Span beyond it, a stream table
 * that is not aligned to its size, and pointers of an STE or CD beyond 48 bits.
 */
function asBefore11(spec: ProgramSpec): ProgramSpec {
  const { table } = spec;
  const split = [6, 8, 10].includes(table.split) ? table.split : 8;
  const span = Math.min(table.span, 0);
  const log2 = Math.min(table.log2, LOG2_OF_STRTAB);
  return {
    table: { ...table, split, span, log2, low: [0n, table.low[1], table.low[2]] },
    devices: spec.devices.map((d) => ({ ...d, faults: d.faults.map(mendChange) })),
    actions: spec.actions.map((a) =>
      a.do === "change" ? { ...a, change: mendChange(a.change) } : a,
    ),
  };
}

/** A program on which two machines differ. */
export interface Difference {
  program: Program;
  mismatch: Mismatch;
}

/** What a search found. */
export interface SearchResult {
  /** Programs and DMAs that were tried before the first difference, shrinking not counted. */
  programs: number;
  cases: number;
  /** The smallest program on which the machines differ. */
  difference: Difference | undefined;
}

/** Told of every program with the reference's answers. */
export type Recorder = (program: Program, record: ProgramRecord) => void;

async function differ(
  program: Program,
  reference: ProgramTarget,
  subject: ProgramTarget,
  recorder: Recorder | undefined,
): Promise<Difference | undefined> {
  const record = await runProgram(reference, program);
  recorder?.(program, record);
  const got = await runProgram(subject, program);
  const mismatch = compareProgram(0, { program, by: "reference", record }, got);
  return mismatch && { program, mismatch };
}

/** Runs `runs` random programs of one kind on both machines; shrinks the first difference. */
export async function search(
  kind: Kind,
  options: { seed: number; runs: number; recorder?: Recorder },
  reference: ProgramTarget,
  subject: ProgramTarget,
): Promise<SearchResult> {
  let smallest: Difference | undefined;
  let programs = 0;
  let cases = 0;
  const masters = mastersOf(kind, reference.dma);
  const specs = programSpec(kind, masters.length);
  let failure: unknown;
  const property = fc.asyncProperty(specs, async (spec: ProgramSpec) => {
    // A machine that is gone is no difference: it ends the search.
    if (failure !== undefined) throw failure;
    const plain = reference.dma === "rings" ? asBefore11(spec) : spec;
    const program = materialize(kind, plain, masters);
    if (!smallest) {
      programs++;
      cases += program.ops.filter((op) => op.op === "dma" || op.op === "transmit").length;
    }
    const found = await differ(
      program,
      reference,
      subject,
      smallest ? undefined : options.recorder,
    ).catch((error: unknown) => {
      failure = error;
      throw error;
    });
    if (!found) return true;
    smallest = found;
    return false;
  });
  const done = await fc.check(property, { seed: options.seed, numRuns: options.runs });
  if (done.failed && !smallest) throw failure ?? done.errorInstance;
  return { programs, cases, difference: smallest };
}

/** A difference for people: the program's size, the step, both answers side by side. */
export function describeDifference({ program, mismatch }: Difference): string {
  const { differs, request, expected, got } = mismatch;
  const traceOf = (answer: unknown): string[] =>
    (answer as { trace?: string[] } | null)?.trace ?? [JSON.stringify(answer)];
  const [left, right] = [traceOf(expected), traceOf(got)];
  const rows = Array.from({ length: Math.max(left.length, right.length) }, (_, i) => {
    const [a, b] = [left[i] ?? "", right[i] ?? ""];
    return `${a === b ? " " : "!"} ${a.padEnd(48)} | ${b}`;
  });
  return [
    `${program.kind} program of ${program.ops.length} steps: ${differs.join(", ")} differs`,
    JSON.stringify(request),
    ...rows,
    JSON.stringify({ expected, got }),
  ].join("\n");
}
