// A guest's memory as a core holds it: sparse pages; an address outside every segment is unknown.

import { type ByteSource, PAGE_BYTES, readCore, type Segment } from "./elf.ts";
import { InputError } from "./errors.ts";

const PAGE = BigInt(PAGE_BYTES);
const CHUNK_BYTES = 1 << 20;
const ATTACH_BYTES_MAX = 3n << 30n;

/** Where an image's pages go: the address map of one engine (see engine AddressMap). */
export interface PageTarget {
  mapRam(base: bigint, bytes: bigint | number, lin?: number): number;
  lin(pa: bigint): number;
  writeBytes(pa: bigint, bytes: Uint8Array): boolean;
}

/** A sparse physical memory image backed by a core's bytes. */
export class MemoryImage {
  readonly name: string;
  /** Sorted by base, disjoint, page aligned. */
  readonly segments: readonly Segment[];
  readonly #source: ByteSource;

  constructor(source: ByteSource) {
    this.name = source.name;
    this.#source = source;
    this.segments = readCore(source);
  }

  /** Bytes of memory that the image describes. */
  get bytes(): bigint {
    return this.segments.reduce((sum, s) => sum + s.bytes, 0n);
  }

  /** Whether the image knows the page that holds `pa`. */
  has(pa: bigint): boolean {
    return this.#find(pa) !== undefined;
  }

  /** A copy of the 4 KiB page that holds `pa`; undefined when the image does not know it. */
  page(pa: bigint): Uint8Array | undefined {
    const segment = this.#find(pa);
    if (!segment) return undefined;
    const page = new Uint8Array(PAGE_BYTES);
    const skip = pa - (pa % PAGE) - segment.base;
    if (skip < BigInt(segment.fileBytes)) {
      const at = Number(skip);
      const length = Math.min(PAGE_BYTES, segment.fileBytes - at);
      page.set(this.#source.read(segment.fileOffset + at, length));
    }
    return page;
  }

  /**
   * Maps every page of the image into `target`.
   * @throws InputError when the image is larger than linear memory can hold
   */
  attach(target: PageTarget): void {
    if (this.bytes > ATTACH_BYTES_MAX) {
      throw new InputError(
        this.name,
        `the segments describe 0x${this.bytes.toString(16)} bytes of memory`,
        { offset: this.segments[0].header },
        `at most 0x${ATTACH_BYTES_MAX.toString(16)} can be held`,
      );
    }
    for (const s of this.segments) {
      target.mapRam(s.base, s.bytes);
      for (let at = 0; at < s.fileBytes; at += CHUNK_BYTES) {
        const length = Math.min(CHUNK_BYTES, s.fileBytes - at);
        target.writeBytes(s.base + BigInt(at), this.#source.read(s.fileOffset + at, length));
      }
    }
  }

  /** Maps the page of `pa` if the image knows it and `target` does not; false when unknown. */
  pageIn(target: PageTarget, pa: bigint): boolean {
    if (target.lin(pa) >= 0) return true;
    const page = this.page(pa);
    if (!page) return false;
    const base = pa - (pa % PAGE);
    target.mapRam(base, PAGE_BYTES);
    target.writeBytes(base, page);
    return true;
  }

  #find(pa: bigint): Segment | undefined {
    let low = 0;
    let high = this.segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const s = this.segments[middle];
      if (pa < s.base) high = middle;
      else if (pa >= s.base + s.bytes) low = middle + 1;
      else return s;
    }
    return undefined;
  }
}
