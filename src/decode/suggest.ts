// Finds the names closest to a mistyped one.

/** Single-character insertions, deletions, changes and swaps of neighbours between two words. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(row[j - 1] + same, row[j] + 1, next[j - 1] + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, before[j - 2] + 1);
      next.push(best);
    }
    before = row;
    row = next;
  }
  return row[b.length];
}

/** Longest word that is compared; anything longer is no name. */
const WORD_LENGTH_MAX = 48;

/** At most `count` names near `word`, nearest first; letter case does not count. */
export function nearestNames(word: string, names: Iterable<string>, count = 5): string[] {
  const wanted = word.toLowerCase().slice(0, WORD_LENGTH_MAX);
  const limit = Math.max(1, Math.floor(wanted.length / 3));
  const found = new Map<string, number>();
  for (const name of names) {
    const lower = name.toLowerCase();
    const part = wanted.length >= 3 && lower.includes(wanted);
    const distance = part ? 0.5 : editDistance(wanted, lower);
    if (distance <= limit) found.set(name, Math.min(distance, found.get(name) ?? distance));
  }
  return [...found]
    .sort((a, b) => a[1] - b[1] || a[0].length - b[0].length || a[0].localeCompare(b[0]))
    .slice(0, count)
    .map(([name]) => name);
}
