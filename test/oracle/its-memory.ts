// What the ITS oracles share: memory with holes, and statuses that end a lookup.

/** A load or store outside every region. */
export class MemoryFault extends Error {}

/** A status that ends a lookup early; `stall` stops the command queue. */
export class Refusal extends Error {
  readonly status: string;
  readonly stall: boolean;
  constructor(status: string, stall = false) {
    super(status);
    this.status = status;
    this.stall = stall;
  }
}

interface Region {
  readonly base: bigint;
  readonly bytes: Uint8Array;
}

/** Byte-addressed memory with holes. */
export class OracleMemory {
  private readonly regions: Region[] = [];

  /** Adds a region, zero-filled, and gives its bytes. */
  add(base: bigint, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.regions.push({ base, bytes });
    return bytes;
  }

  /** True when a byte of memory is there. */
  has(address: bigint): boolean {
    return this.find(address) !== undefined;
  }

  load(address: bigint, size: number): bigint {
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) {
      const found = this.find(address + BigInt(i));
      if (found === undefined) throw new MemoryFault();
      value = (value << 8n) | BigInt(found.bytes[found.at]);
    }
    return value;
  }

  store(address: bigint, size: number, value: bigint): void {
    for (let i = 0; i < size; i++) {
      const found = this.find(address + BigInt(i));
      if (found === undefined) throw new MemoryFault();
      found.bytes[found.at] = Number((value >> BigInt(8 * i)) & 0xffn);
    }
  }

  private find(address: bigint): { bytes: Uint8Array; at: number } | undefined {
    for (const { base, bytes } of this.regions) {
      const at = address - base;
      if (at >= 0n && at < BigInt(bytes.length)) return { bytes, at: Number(at) };
    }
    return undefined;
  }
}
