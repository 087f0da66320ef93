// The table that a person reads after a run.
import { significant } from "../../src/view/number.ts";
import type { Paint } from "../../src/view/paint.ts";
import { type Cell, formatTable } from "../../src/view/table.ts";
import { meets, type Row, targetText } from "../question.ts";

const NOTE_INDENT = "      ";
const COLUMNS = [
  { title: "case", shrink: true },
  { title: "value is", shrink: true },
  { title: "median (quartiles)" },
  { title: "target" },
  { title: "" },
];

/** "0.71 x (0.70-0.73)", or "not compared". */
export function valueText(row: Row): string {
  if (!row.value) return "not compared";
  const { median, low, high } = row.value;
  const text = `${significant(median)} ${row.unit}`;
  return low === high ? text : `${text} (${significant(low)}-${significant(high)})`;
}

function verdict(row: Row): Cell {
  if (!row.value) return { text: "none", style: "warn" };
  if (!row.target) return "";
  return meets(row) ? { text: "ok", style: "good" } : { text: "MISSED", style: "bad" };
}

/** Lines of a question's table; each row's note, or why it has no value, stands below it. */
export function tableOf(
  title: string,
  rows: readonly Row[],
  view: { readonly paint: Paint; readonly width: number },
): string[] {
  const cells = rows.map((row) => [
    row.name,
    row.meaning,
    valueText(row),
    targetText(row.target),
    verdict(row),
  ]);
  const [header, ...lines] = formatTable(COLUMNS, cells, view);
  const body = lines.flatMap((line, i) => {
    const { missing, note } = rows[i];
    const below = rows[i].value ? note : (missing ?? "no measurement");
    return below ? [line, view.paint("dim", NOTE_INDENT + below)] : [line];
  });
  return [view.paint("head", title), header, ...body];
}
