// Host physical memory for tables: fresh space taken from a range of an address map.
import type { AddressMap } from "../engine/memory.ts";
import type { TableMemory } from "../tables/memory.ts";

const PAGE = 4096n;

/** Table memory over an address map; freed blocks are used again for the same size. */
export class MapMemory implements TableMemory {
  private next: bigint;
  private mapped: bigint;
  private readonly free = new Map<number, bigint[]>();

  /**
   * Fresh memory is taken upwards from `base`, a multiple of 4096. Memory up to `backed` is there
   * already, zeroed; from there on nothing is mapped yet.
   */
  constructor(
    readonly map: AddressMap,
    base: bigint,
    backed = base,
  ) {
    this.next = base;
    this.mapped = backed;
  }

  read64(pa: bigint): bigint {
    return this.map.readU64(pa) ?? 0n;
  }

  write64(pa: bigint, value: bigint): void {
    this.map.writeU64(pa, value);
  }

  allocate(bytes: number): bigint {
    const again = this.free.get(bytes)?.pop();
    if (again !== undefined) return again;
    const size = BigInt(bytes);
    const pa = ((this.next + size - 1n) / size) * size;
    this.next = pa + size;
    if (this.next > this.mapped) {
      const end = ((this.next + PAGE - 1n) / PAGE) * PAGE;
      this.map.mapRam(this.mapped, end - this.mapped);
      this.mapped = end;
    }
    return pa;
  }

  release(pa: bigint, bytes: number): void {
    for (let at = pa; at < pa + BigInt(bytes); at += 8n) this.write64(at, 0n);
    const list = this.free.get(bytes) ?? [];
    list.push(pa);
    this.free.set(bytes, list);
  }
}
