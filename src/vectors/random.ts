// Numbers from a seed: the same seed gives the same numbers everywhere (SplitMix64).

const GAMMA = 0x9e3779b97f4a7c15n;
const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);

/** A generator of pseudo-random numbers. */
export class Random {
  #state: bigint;

  constructor(seed: number | bigint) {
    this.#state = wrap(BigInt(seed));
  }

  /** 64 random bits. */
  word(): bigint {
    this.#state = wrap(this.#state + GAMMA);
    let z = this.#state;
    z = wrap((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = wrap((z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  }

  /** An integer from 0 up to but not including `n`. */
  below(n: number): number {
    return Number(this.word() % BigInt(n));
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** One of several values. */
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }

  /** True once in `n`. */
  once(n: number): boolean {
    return this.below(n) === 0;
  }
}
