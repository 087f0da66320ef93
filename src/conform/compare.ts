// Compares what the engine did with what was recorded, by the rules of the golden files.
import type { Compat } from "../engine/types.ts";
import { EVENT } from "../spec/event.ts";
import type { GoldenAnswer } from "./golden.ts";
import type { GoldenCase, Outcome } from "./golden-case.ts";
import type { ProgramRecord, RecordedProgram } from "./program.ts";
import type { Mismatch } from "./report.ts";

const STAGE_NAMES = ["", " stage 1", " stage 2", " nested"];

/** Name of a case by its recorded answer: "success stage 1", "F_TRANSLATION", "silent". */
export function kindOf({ t, ev }: GoldenCase): string {
  if (t) return `${t.kind}${STAGE_NAMES[t.stage ?? 0]}`;
  if (ev.length === 0) return "silent";
  const type = Number.parseInt(ev[0].slice(0, 2), 16);
  return EVENT.caseOf(type)?.name ?? `event ${type}`;
}

const sameInserts = (a: Outcome["tlb"], b: Outcome["tlb"]): boolean =>
  a.length === b.length && a.every((entry, i) => entry.every((value, k) => value === b[i][k]));

/** What differs between the recorded and the new answer of a case. */
function differences(expected: GoldenCase, got: GoldenAnswer, compat: Compat): string[] {
  const { t, ev } = expected;
  const found: string[] = [];
  if ((t === null) !== (got.t === null)) return ["outcome"];
  if (t && got.t) {
    if (t.kind !== got.t.kind) found.push("kind");
    for (const name of ["pa", "perm", "stage"] as const) {
      if (t[name] !== got.t[name]) found.push(name);
    }
    // The architecture leaves open what a TLB holds: inserts are QEMU's alone.
    if (compat === "qemu" && !sameInserts(t.tlb, got.t.tlb)) found.push("IOTLB inserts");
  }
  if (ev.length !== got.ev.length || ev.some((record, i) => record !== got.ev[i])) {
    found.push("event records");
  }
  return found;
}

/** Compares one golden case; undefined when both answers agree. */
export function compareCase(
  line: number,
  expected: GoldenCase,
  got: GoldenAnswer,
  compat: Compat,
): Mismatch | undefined {
  const differs = differences(expected, got, compat);
  if (differs.length === 0) return undefined;
  const { sid, iova, t, ev } = expected;
  return {
    line,
    kind: kindOf(expected),
    differs,
    request: { sid, iova },
    expected: { t, ev },
    got,
  };
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Compares a program's answers; undefined when all agree. The first difference is reported. */
export function compareProgram(
  line: number,
  { program, record }: RecordedProgram,
  got: ProgramRecord,
): Mismatch | undefined {
  const { kind, ops } = program;
  const step = record.answers.findIndex((answer, i) => !same(answer, got.answers[i]));
  if (step >= 0) {
    const expected = record.answers[step];
    const differs = [`step ${step}`];
    return { line, kind, differs, request: ops[step], expected, got: got.answers[step] };
  }
  for (const part of ["events", "data"] as const) {
    if (!same(record[part], got[part])) {
      const differs = [part === "events" ? "event queue" : "data written by DMA"];
      return { line, kind, differs, request: null, expected: record[part], got: got[part] };
    }
  }
  return undefined;
}
