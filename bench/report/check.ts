// The verdict of `--check`: which targets were missed, and which rows could not be compared.
import { significant } from "../../src/view/number.ts";
import { targetText } from "../question.ts";
import type { AnsweredRow } from "./history.ts";

/** One reason to fail, as a line for people. */
export interface Failure {
  readonly key: string;
  readonly kind: "missed" | "not compared";
  readonly text: string;
}

/** By what part of the target a median is on the wrong side, in percent. */
function missedByPercent(median: number, target: number): string {
  if (target === 0) return `by ${significant(Math.abs(median))}`;
  return `by ${significant((Math.abs(median - target) / target) * 100)} %`;
}

/** Every target that was missed and every row without a value; empty when all is well. */
export function failuresOf(rows: readonly AnsweredRow[]): Failure[] {
  return rows.flatMap((row): Failure[] => {
    const label = `${row.question}: ${row.name} (${row.meaning})`;
    if (row.median === null) {
      const text = `${label}: not compared: ${row.missing ?? "no measurement"}`;
      return [{ key: row.key, kind: "not compared", text }];
    }
    if (row.ok || !row.target) return [];
    const by = missedByPercent(row.median, row.target.value);
    const value = `${significant(row.median)} ${row.unit}`;
    const text = `${label}: ${value}, target ${targetText(row.target)}, missed ${by}`;
    return [{ key: row.key, kind: "missed", text }];
  });
}
