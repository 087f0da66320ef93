// Medians and quartiles: what a timing is worth when other programs run beside it.

/** Median and quartiles of repeated measurements. */
export interface Spread {
  readonly median: number;
  /** First and third quartile. */
  readonly low: number;
  readonly high: number;
}

function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}

/** Median and quartiles. Throws a RangeError without values. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError("no measurements");
  const sorted = [...values].sort((a, b) => a - b);
  return {
    low: quantile(sorted, 0.25),
    median: quantile(sorted, 0.5),
    high: quantile(sorted, 0.75),
  };
}

/** Spread of the quotients of two contestants, taken round by round. */
export function ratioOf(over: readonly number[], under: readonly number[]): Spread {
  return spreadOf(over.map((value, round) => value / under[round]));
}

/** A spread with every value changed by `f`, which must not fall. */
export function mapSpread(spread: Spread, f: (value: number) => number): Spread {
  return { median: f(spread.median), low: f(spread.low), high: f(spread.high) };
}
