// Where builders put tables: 64-bit words by physical address, and fresh zeroed space.

/** Memory that a builder writes. Addresses are those the SMMU will use. */
export interface TableMemory {
  read64(pa: bigint): bigint;
  write64(pa: bigint, value: bigint): void;
  /** Fresh zeroed memory of `bytes` bytes, aligned to its size. */
  allocate(bytes: number): bigint;
  /** Gives memory back that `allocate` returned. */
  release(pa: bigint, bytes: number): void;
}

/** Plain words without an engine behind them: for what only has to be looked at. */
export class WordMemory implements TableMemory {
  private readonly words = new Map<bigint, bigint>();
  private next: bigint;

  /** Fresh memory is taken upwards from `base`. */
  constructor(base = 0x4000_0000n) {
    this.next = base;
  }

  read64(pa: bigint): bigint {
    return this.words.get(pa) ?? 0n;
  }

  write64(pa: bigint, value: bigint): void {
    this.words.set(pa, value);
  }

  allocate(bytes: number): bigint {
    const size = BigInt(bytes);
    const pa = ((this.next + size - 1n) / size) * size;
    this.next = pa + size;
    return pa;
  }

  release(pa: bigint, bytes: number): void {
    for (let at = pa; at < pa + BigInt(bytes); at += 8n) this.words.delete(at);
  }
}
