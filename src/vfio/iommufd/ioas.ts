// An IO address space: areas, reserved and allowed ranges, the domains that mirror it (Linux 7.2
// io_pagetable).
import { fail } from "../errno.ts";
import { greater, lesser, PAGE_BYTES, type PageRun, type UserMemory } from "../user-memory.ts";
import type { PagingDomain, Protection } from "./driver.ts";
import { IommufdObject } from "./object.ts";

/** Highest value of an unsigned long; the kernel refuses ranges that reach it. */
export const ULONG_MAX = (1n << 64n) - 1n;

/** User pages behind one or more areas. */
export interface AreaPages {
  readonly userVa: bigint;
  readonly memory: UserMemory;
  readonly writable: boolean;
}

/** One mapped range. `offset` is where it starts inside its pages. */
export interface Area {
  readonly iova: bigint;
  readonly bytes: bigint;
  readonly pages: AreaPages;
  readonly offset: bigint;
  readonly protection: Protection;
  /** Pinned runs while any domain or access needs them. */
  runs: PageRun[] | undefined;
  /** Hardware queues that live in it; UNMAP answers EBUSY while above 0. */
  locks: number;
}

/** A closed range of IOVAs. */
export interface IovaRange {
  readonly start: bigint;
  readonly last: bigint;
}

interface Reserved extends IovaRange {
  readonly owner: object;
}

const overlaps = (a: IovaRange, b: IovaRange): boolean => a.start <= b.last && b.start <= a.last;

const rangeOf = (area: Area): IovaRange => ({
  start: area.iova,
  last: area.iova + area.bytes - 1n,
});

/** The last IOVA of a range. EINVAL for no bytes, EOVERFLOW past the top. */
export function lastOf(iova: bigint, bytes: bigint): bigint {
  if (bytes === 0n) fail("EINVAL", "the range has no bytes");
  const last = iova + bytes - 1n;
  if (last > ULONG_MAX) fail("EOVERFLOW", "the range runs past the top of the address space");
  return last;
}

/** IOMMUFD_OBJ_IOAS. */
export class Ioas extends IommufdObject {
  override readonly type = "ioas";
  readonly domains: PagingDomain[] = [];
  private areas: Area[] = [];
  private reserved: Reserved[] = [];
  private allowed: IovaRange[] = [];
  largePages = true;

  /** Alignment that IOVAs, lengths and page offsets need now. */
  get alignment(): bigint {
    return this.domains.length > 0 || !this.largePages ? PAGE_BYTES : 1n;
  }

  /** Ranges that user space may map, in order: the holes between reserved ranges. */
  allowedRanges(): IovaRange[] {
    const holes: IovaRange[] = [];
    let next = 0n;
    for (const r of [...this.reserved].sort((a, b) => (a.start < b.start ? -1 : 1))) {
      if (r.start > next) holes.push({ start: next, last: r.start - 1n });
      if (r.last + 1n > next) next = r.last + 1n;
    }
    if (next <= ULONG_MAX) holes.push({ start: next, last: ULONG_MAX });
    return holes;
  }

  /** Reserves a range for a device or domain. EADDRINUSE when something is mapped there. */
  reserve(range: IovaRange, owner: object): void {
    if (this.areas.some((a) => overlaps(rangeOf(a), range)))
      fail(
        "EADDRINUSE",
        `something is mapped in the reserved range at 0x${range.start.toString(16)}`,
      );
    if (this.allowed.some((a) => overlaps(a, range)))
      fail("EADDRINUSE", "the reserved range was promised to user space");
    this.reserved.push({ ...range, owner });
  }

  /** Drops every reservation of a device or domain. */
  unreserve(owner: object): void {
    this.reserved = this.reserved.filter((r) => r.owner !== owner);
  }

  /** IOMMU_IOAS_ALLOW_IOVAS: where automatic allocation may look. */
  allow(ranges: readonly IovaRange[]): void {
    for (const [i, r] of ranges.entries()) {
      if (r.start >= r.last) fail("EINVAL", "an allowed range is empty or inverted");
      if (ranges.slice(0, i).some((o) => overlaps(o, r)))
        fail("EINVAL", "two allowed ranges overlap");
    }
    if (ranges.some((r) => this.reserved.some((o) => overlaps(o, r))))
      fail("EADDRINUSE", "an allowed range is reserved");
    this.allowed = [...ranges];
  }

  /**
   * Adds a mapping at a fixed IOVA, or at a free one when `iova` is undefined; returns the IOVA.
   */
  map(
    iova: bigint | undefined,
    bytes: bigint,
    pages: AreaPages,
    offset: bigint,
    protection: Protection,
  ): bigint {
    const mask = this.alignment - 1n;
    if (bytes === 0n || (bytes & mask) !== 0n) fail("EINVAL", "the length is 0 or not aligned");
    const start = iova ?? this.findFree(bytes, pages.userVa + offset);
    this.checkFixed(start, bytes);
    if (protection.write && !pages.writable) fail("EPERM", "the pages are not writable");
    if (((pages.userVa + offset) & (PAGE_BYTES - 1n) & mask) !== 0n)
      fail("EINVAL", "the user address is not aligned");
    const area: Area = { iova: start, bytes, pages, offset, protection, runs: undefined, locks: 0 };
    for (const domain of this.domains) this.fill(area, domain);
    this.areas.push(area);
    return start;
  }

  private checkFixed(iova: bigint, bytes: bigint): void {
    if ((iova & (this.alignment - 1n)) !== 0n) fail("EINVAL", "the IOVA is not aligned");
    const range = { start: iova, last: lastOf(iova, bytes) };
    if (this.reserved.some((r) => overlaps(r, range))) fail("EINVAL", "the IOVA is reserved");
    if (this.areas.some((a) => overlaps(rangeOf(a), range)))
      fail("EEXIST", "something is mapped there already");
  }

  private findFree(bytes: bigint, userVa: bigint): bigint {
    if (bytes >= ULONG_MAX / 2n) fail("EOVERFLOW", "the length is too large");
    const offset = userVa & (PAGE_BYTES - 1n);
    const limit = { start: PAGE_BYTES, last: ULONG_MAX - PAGE_BYTES };
    for (const window of this.allowed.length > 0 ? this.allowed : [limit]) {
      let at = alignUp(greater(window.start, PAGE_BYTES)) | offset;
      while (at + bytes - 1n <= window.last) {
        const range = { start: at, last: at + bytes - 1n };
        const busy =
          this.reserved.find((r) => overlaps(r, range)) ??
          this.areas.map(rangeOf).find((r) => overlaps(r, range));
        if (busy === undefined) return at;
        at = alignUp(busy.last + 1n) | offset;
      }
    }
    return fail("ENOSPC", "no free range is large enough");
  }

  private pinned(area: Area): PageRun[] {
    area.runs ??= area.pages.memory.pin(
      area.pages.userVa + area.offset,
      area.bytes,
      area.protection.write,
    );
    return area.runs;
  }

  private fill(area: Area, domain: PagingDomain): void {
    let iova = area.iova;
    for (const run of this.pinned(area)) {
      domain.map(iova, run.pa, run.bytes, area.protection);
      iova += run.bytes;
    }
  }

  /**
   * Removes every mapping inside the range; returns the bytes removed. ENOENT when there is none.
   */
  unmap(iova: bigint, bytes: bigint): bigint {
    const range = { start: iova, last: lastOf(iova, bytes) };
    const hit = this.areas.filter((a) => overlaps(rangeOf(a), range));
    let removed = 0n;
    for (const area of hit.sort((a, b) => (a.iova < b.iova ? -1 : 1))) {
      const { start, last } = rangeOf(area);
      if (start < range.start || last > range.last)
        fail("ENOENT", `the range cuts the mapping at 0x${area.iova.toString(16)}`);
      if (area.locks > 0) fail("EBUSY", "a hardware queue lives in the mapping");
      for (const domain of this.domains) domain.unmap(area.iova, area.bytes);
      this.areas = this.areas.filter((a) => a !== area);
      removed += area.bytes;
    }
    if (removed === 0n) fail("ENOENT", "nothing is mapped in the range");
    return removed;
  }

  /** Removes everything; an empty address space is no error. */
  unmapAll(): bigint {
    return this.areas.length === 0 ? 0n : this.unmap(0n, ULONG_MAX);
  }

  /** The areas that cover a range without a hole. ENOENT otherwise. */
  contiguous(iova: bigint, bytes: bigint): Area[] {
    const last = lastOf(iova, bytes);
    const found: Area[] = [];
    for (let at = iova; at <= last; ) {
      const area = this.areas.find((a) => at >= a.iova && at < a.iova + a.bytes);
      if (area === undefined) fail("ENOENT", `nothing is mapped at IOVA 0x${at.toString(16)}`);
      found.push(area);
      at = area.iova + area.bytes;
    }
    return found;
  }

  /**
   * Pins the pages of a range for the kernel's own use and returns their physical runs; `locked`
   * areas refuse UNMAP until `unlock`.
   */
  lock(iova: bigint, bytes: bigint): { runs: PageRun[]; unlock: () => void } {
    const areas = this.contiguous(iova, bytes);
    const runs: { pa: bigint; bytes: bigint }[] = [];
    for (const area of areas) {
      if (!area.protection.read) fail("EPERM", "the mapping is not readable");
      for (const run of slice(this.pinned(area), area, iova, bytes)) {
        const before = runs.at(-1);
        if (before !== undefined && before.pa + before.bytes === run.pa) before.bytes += run.bytes;
        else runs.push({ ...run });
      }
    }
    for (const area of areas) area.locks++;
    return {
      runs,
      unlock: () => {
        for (const area of areas) area.locks--;
      },
    };
  }

  /**
   * Starts mirroring the address space into a domain. EADDRINUSE when a mapping is beyond its
   * aperture.
   */
  addDomain(domain: PagingDomain): void {
    if (
      this.areas.some((a) => (a.iova | a.bytes | (a.pages.userVa + a.offset)) & (PAGE_BYTES - 1n))
    )
      fail("EADDRINUSE", "a mapping is not aligned to the domain's pages");
    this.reserve({ start: domain.apertureLast + 1n, last: ULONG_MAX }, domain);
    try {
      for (const area of this.areas) this.fill(area, domain);
    } catch (error) {
      this.unreserve(domain);
      throw error;
    }
    this.domains.push(domain);
  }

  removeDomain(domain: PagingDomain): void {
    const at = this.domains.indexOf(domain);
    if (at >= 0) this.domains.splice(at, 1);
    this.unreserve(domain);
  }

  /** Mappings in the order of their IOVAs. */
  mappings(): readonly Area[] {
    return [...this.areas].sort((a, b) => (a.iova < b.iova ? -1 : 1));
  }

  override destroy(): void {
    for (const area of this.areas) area.locks = 0;
    this.unmapAll();
  }
}

const alignUp = (iova: bigint): bigint => (iova + PAGE_BYTES - 1n) & ~(PAGE_BYTES - 1n);

function* slice(runs: PageRun[], area: Area, iova: bigint, bytes: bigint): Generator<PageRun> {
  let at = area.iova;
  for (const run of runs) {
    const start = at > iova ? at : iova;
    const end = lesser(at + run.bytes, iova + bytes);
    if (start < end) yield { pa: run.pa + (start - at), bytes: end - start };
    at += run.bytes;
  }
}
