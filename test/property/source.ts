// Where generated machines get their choices from: a seeded generator, or a list that can shrink.

/** Gives 32 random bits at a time. Zero always stands for the plainest choice. */
export interface Source {
  next(): number;
}

/** A small fast seeded generator (sfc32). Same seed, same choices. */
export class Prng implements Source {
  private a: number;
  private b = 0x9e3779b9;
  private c = 0x243f6a88;
  private counter = 1;

  constructor(seed: number) {
    this.a = seed | 0;
    for (let i = 0; i < 12; i++) this.next();
  }

  next(): number {
    const t = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + t;
    this.c |= 0;
    return t >>> 0;
  }
}

/** Plays a list back, then zeros for ever: removing or lowering numbers makes a plainer case. */
export class Choices implements Source {
  private readonly list: readonly number[];
  private at = 0;

  constructor(list: readonly number[]) {
    this.list = list;
  }

  next(): number {
    return (this.list[this.at++] ?? 0) >>> 0;
  }
}

/** Draws values of many shapes from a source. */
export class Draw {
  private readonly source: Source;

  constructor(source: Source) {
    this.source = source;
  }

  /** 32 random bits. */
  u32(): number {
    return this.source.next();
  }

  /** 64 random bits. */
  u64(): bigint {
    return (BigInt(this.source.next()) << 32n) | BigInt(this.source.next());
  }

  /** 0 <= value < n, n at most 2^32. */
  below(n: number): number {
    return Math.floor((this.source.next() / 0x100000000) * n);
  }

  /** lo <= value <= hi. */
  between(lo: number, hi: number): number {
    return lo + this.below(hi - lo + 1);
  }

  /** True in `percent` of the draws; false is the plain choice. */
  chance(percent: number): boolean {
    return this.source.next() >= (1 - percent / 100) * 0x100000000;
  }

  /** One of a list; the first is the plain choice. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  /** One of [weight, value] pairs; the first is the plain choice. */
  weighted<T>(list: readonly (readonly [number, T])[]): T {
    let total = 0;
    for (const [weight] of list) total += weight;
    let at = this.below(total);
    for (const [weight, value] of list) {
      at -= weight;
      if (at < 0) return value;
    }
    return list[0][1];
  }

  /** A multiple of 2^align below 2^bits, as a number; bits at most 52. */
  address(bits: number, align: number): number {
    if (bits <= align) return 0;
    const units = bits - align;
    const high = units > 32 ? this.below(2 ** (units - 32)) * 2 ** 32 : 0;
    return (high + this.below(2 ** Math.min(32, units))) * 2 ** align;
  }
}
