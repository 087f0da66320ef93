// What the coverage build recorded, as numbers, as a table and as annotated sources.
import { WORD_BITS } from "./coverage-transform.mjs";

/** The union of recorded words: `{ "<file>:<word>": bits }` of any number of processes. */
export function mergeWords(records) {
  const all = {};
  for (const record of records) {
    for (const [name, bits] of Object.entries(record)) all[name] = (all[name] ?? 0) | bits;
  }
  return all;
}

/** Whether point `id` of a file was reached. */
const isHit = (words, file, id) =>
  (((words[`${file}:${Math.floor(id / WORD_BITS)}`] ?? 0) >>> (id % WORD_BITS)) & 1) === 1;

/** Line ranges of neighbouring statements that were not reached. */
function missedRanges(places, hits) {
  const ranges = [];
  let open;
  places.forEach(([line, , endLine], id) => {
    if (hits[id]) open = undefined;
    else if (open) open[1] = Math.max(open[1], endLine);
    else {
      open = [line, endLine];
      ranges.push(open);
    }
  });
  return ranges;
}

/** Per file: its statements, how many were reached, which, and the lines of the others. */
export function summarize(map, words) {
  return Object.entries(map)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([file, places]) => {
      const hits = places.map((_, id) => isHit(words, file, id));
      const hit = hits.filter(Boolean).length;
      return { file, statements: places.length, hit, missed: missedRanges(places, hits), hits };
    });
}

const percent = (hit, all) => (all === 0 ? "-" : `${((100 * hit) / all).toFixed(1)}`);
const rangeText = ([from, to]) => (from === to ? `${from}` : `${from}-${to}`);

/** The table: file, statements, reached, percent, lines never reached. */
export function tableOf(summary) {
  const sum = (key) => summary.reduce((total, one) => total + one[key], 0);
  const total = { file: "all", statements: sum("statements"), hit: sum("hit"), missed: [] };
  const rows = [...summary, total].map(({ file, statements, hit, missed }) => [
    file,
    `${statements}`,
    `${hit}`,
    percent(hit, statements),
    missed.map(rangeText).join(" "),
  ]);
  const head = ["file", "statements", "hit", "%", "missed lines"];
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i].length)));
  const line = ([file, ...rest]) =>
    [
      file.padEnd(widths[0]),
      ...rest.slice(0, 3).map((cell, i) => cell.padStart(widths[i + 1])),
      rest[3],
    ]
      .join("  ")
      .trimEnd();
  return [head, ...rows].map(line).join("\n");
}

/** What of a line was reached: all `+`, nothing `!`, a part `~`, nothing to reach ` `. */
function markOf(hits) {
  if (hits.length === 0) return " ";
  if (hits.every(Boolean)) return "+";
  return hits.some(Boolean) ? "~" : "!";
}

/** The source with a mark and a number before each line. */
export function annotate(text, places, hits) {
  const lines = text.replace(/\n$/, "").split("\n");
  const width = `${lines.length}`.length;
  return lines
    .map((line, i) => {
      const here = hits.filter((_, id) => places[id][0] <= i + 1 && i + 1 <= places[id][2]);
      return `${markOf(here)} ${`${i + 1}`.padStart(width)}  ${line}`.trimEnd();
    })
    .join("\n");
}
