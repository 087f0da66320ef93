// Counts of what a replay checked.

/** How many items were checked and how many of them agreed. */
export interface Tally {
  checked: number;
  matched: number;
}

/** Nothing checked yet. */
export const emptyTally = (): Tally => ({ checked: 0, matched: 0 });
