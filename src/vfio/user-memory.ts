// The VMM process's address space, as far as the kernel reads, writes or pins it (Linux mm).
import { fail } from "./errno.ts";

/** Bytes of a page of the host kernel. */
export const PAGE_BYTES = 4096n;

/** A run of physically contiguous pinned pages. */
export interface PageRun {
  readonly pa: bigint;
  readonly bytes: bigint;
}

/**
 * Something mapped into the process: plain bytes, host pages (guest RAM), or device memory that
 * cannot be pinned.
 */
interface Mapping {
  readonly va: bigint;
  readonly bytes: bigint;
  readonly data?: Uint8Array;
  readonly pa?: bigint;
  readonly writable: boolean;
}

const SCRATCH_BASE = 0xffff_0000_0000n;

/**
 * A process address space. Buffers hold the payloads that UAPI structures point to; host pages
 * stand for guest RAM, which the kernel pins. Addresses outside every mapping fault (-EFAULT).
 */
export class UserMemory {
  private readonly mappings: Mapping[] = [];
  private nextScratch = SCRATCH_BASE;

  /** Maps `data` somewhere and returns its address; the bytes are shared, not copied. */
  place(data: Uint8Array): bigint {
    const va = this.nextScratch;
    this.nextScratch += roundUp(BigInt(data.length) + 1n);
    this.mappings.push({ va, bytes: BigInt(data.length), data, writable: true });
    return va;
  }

  /** Maps `bytes` bytes of host physical memory from `pa` at `va`: what a VMM's guest RAM is. */
  mapPages(va: bigint, bytes: bigint, pa: bigint, writable = true): void {
    this.mappings.push({ va, bytes, pa, writable });
  }

  /** Maps device memory at `va`: it exists, but the kernel cannot pin it. */
  mapDevice(va: bigint, bytes: bigint): void {
    this.mappings.push({ va, bytes, writable: true });
  }

  /** Takes away the mapping that starts at `va`. */
  remove(va: bigint): void {
    const at = this.mappings.findIndex((m) => m.va === va);
    if (at >= 0) this.mappings.splice(at, 1);
  }

  /** Copies `bytes` bytes out (copy_from_user). EFAULT outside every buffer. */
  read(va: bigint, bytes: number): Uint8Array {
    const { data, offset } = this.buffer(va, bytes);
    return data.slice(offset, offset + bytes);
  }

  /** Copies bytes in (copy_to_user). EFAULT outside every buffer. */
  write(va: bigint, bytes: Uint8Array): void {
    const { data, offset } = this.buffer(va, bytes.length);
    data.set(bytes, offset);
  }

  /**
   * Pins the pages of a range and returns them as physical runs. EFAULT where a page cannot be
   * pinned.
   */
  pin(va: bigint, bytes: bigint, write: boolean): PageRun[] {
    const runs: { pa: bigint; bytes: bigint }[] = [];
    for (let at = va; at < va + bytes; ) {
      const m = this.find(at);
      if (m?.pa === undefined)
        fail("EFAULT", `user address 0x${at.toString(16)} has no page that can be pinned`);
      if (write && !m.writable) fail("EFAULT", `user address 0x${at.toString(16)} is not writable`);
      const end = lesser(va + bytes, m.va + m.bytes);
      const pa = m.pa + (at - m.va);
      const last = runs.at(-1);
      if (last !== undefined && last.pa + last.bytes === pa) last.bytes += end - at;
      else runs.push({ pa, bytes: end - at });
      at = end;
    }
    return runs;
  }

  private find(va: bigint): Mapping | undefined {
    return this.mappings.find((m) => va >= m.va && va < m.va + m.bytes);
  }

  private buffer(va: bigint, bytes: number): { data: Uint8Array; offset: number } {
    const m = this.find(va);
    if (m?.data === undefined || va + BigInt(bytes) > m.va + m.bytes)
      fail("EFAULT", `${bytes} bytes at user address 0x${va.toString(16)} are not mapped`);
    return { data: m.data, offset: Number(va - m.va) };
  }
}

/** The smaller of two addresses or lengths. */
export function lesser(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}

/** The larger of two addresses or lengths. */
export function greater(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}

const roundUp = (bytes: bigint): bigint => ((bytes + PAGE_BYTES - 1n) / PAGE_BYTES) * PAGE_BYTES;
