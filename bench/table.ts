// The table that a person reads after a run.
import { meets, type Row, short } from "./question.ts";

const pad = (text: string, width: number): string =>
  text + " ".repeat(Math.max(0, width - text.length));

/** "0.71 x (0.70-0.73)", or why there is no value. */
export function valueText(row: Row): string {
  if (!row.value) return `not compared: ${row.missing ?? "no measurement"}`;
  const { median, low, high } = row.value;
  const text = `${short(median)} ${row.unit}`;
  return low === high ? text : `${text} (${short(low)}-${short(high)})`;
}

export const targetText = (row: Row): string =>
  row.target ? `${row.target.relation} ${row.target.value}` : "";

/** Lines of a question's table. */
export function tableOf(title: string, rows: readonly Row[]): string[] {
  const cells = rows.map((row) => [
    row.name,
    row.meaning,
    valueText(row),
    targetText(row),
    row.target ? (meets(row) ? "ok" : "MISSED") : "",
  ]);
  const widths = [0, 1, 2, 3].map((i) => Math.max(...cells.map((c) => c[i].length), 0));
  const lines = [title];
  cells.forEach((cell, i) => {
    const text = cell.map((c, column) => (column < 4 ? pad(c, widths[column]) : c)).join("  ");
    lines.push(`  ${text}`.trimEnd());
    const note = rows[i].note;
    if (note) lines.push(`      ${note}`);
  });
  return lines;
}
