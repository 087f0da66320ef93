// QEMU's IOTLB: 256 entries flushed whole, probed at every level (QEMU 11.1, hw/arm/smmu-common).

import { mask } from "./bits.ts";
import { type QemuConfig, startLevelOf } from "./qemu-walk.ts";

/** One IOTLB entry. Permission: bit 0 read, bit 1 write. */
export interface IotlbEntry {
  iova: bigint;
  translated: bigint;
  pageBits: number;
  /** Stage 1's permission, or the only stage's. */
  perm: number;
  /** Stage 2's permission of a nested entry, else the same as `perm`. */
  parentPerm: number;
  level: number;
  granule: number;
}

/** What is visible of one insert or probe: the key. */
export type IotlbKey = [asid: number, vmid: number, address: bigint, tg: number, level: number];

/** The IOTLB as the walks use it. */
export interface QemuIotlb {
  lookup(
    cfg: QemuConfig,
    shape: { granule: number; tsz: number },
    address: bigint,
  ): IotlbEntry | undefined;
  insert(cfg: QemuConfig, entry: IotlbEntry): void;
}

/** An IOTLB that never hits: every translation is a walk. */
export const NO_IOTLB: QemuIotlb = {
  lookup: () => undefined,
  insert: () => {},
};

function tgOf(granule: number): number {
  return Math.trunc((granule - 10) / 2) & 0xff;
}

/** The 256-entry IOTLB. `inserts` and `lookups` list what happened, in order. */
export class Iotlb implements QemuIotlb {
  static readonly SIZE = 256;
  readonly inserts: IotlbKey[] = [];
  readonly lookups: { asid: number; vmid: number; address: bigint; hit: boolean }[] = [];
  private readonly entries = new Map<string, { key: IotlbKey; entry: IotlbEntry }>();

  lookup(
    cfg: QemuConfig,
    shape: { granule: number; tsz: number },
    address: bigint,
  ): IotlbEntry | undefined {
    let found = this.probe(cfg, shape.granule, shape.tsz, address);
    if (found === undefined && cfg.stage === 3 && cfg.s2.granule !== shape.granule) {
      found = this.probe(cfg, cfg.s2.granule, shape.tsz, address);
    }
    const { asid, vmid } = cfg;
    this.lookups.push({ asid, vmid, address, hit: found !== undefined });
    return found;
  }

  /** Tries every level from the start level of the input size down to 3. */
  private probe(
    cfg: QemuConfig,
    granule: number,
    tsz: number,
    address: bigint,
  ): IotlbEntry | undefined {
    for (let level = startLevelOf(64 - tsz, granule); level <= 3; level++) {
      const shift = granule + (3 - level) * (granule - 3);
      const page = address & ~mask(shift);
      const found = this.entries.get([cfg.asid, cfg.vmid, page, tgOf(granule), level].join());
      if (found !== undefined) return found.entry;
    }
    return undefined;
  }

  insert(cfg: QemuConfig, entry: IotlbEntry): void {
    if (this.entries.size >= Iotlb.SIZE) this.invalidateAll();
    const key: IotlbKey = [cfg.asid, cfg.vmid, entry.iova, tgOf(entry.granule), entry.level];
    this.inserts.push(key);
    this.entries.set(key.join(), { key, entry });
  }

  /** TLBI_NSNH_ALL, and what a full IOTLB does to itself. */
  invalidateAll(): void {
    this.entries.clear();
  }

  /** Drops the entries that a predicate selects. */
  invalidate(select: (key: IotlbKey, entry: IotlbEntry) => boolean): void {
    for (const [name, { key, entry }] of this.entries) {
      if (select(key, entry)) this.entries.delete(name);
    }
  }

  /**
   * One power-of-two piece of an address invalidation (NH_VA, NH_VAA, S2_IPA). `asid` -1 matches
   * any; `stage2Only` selects the entries of stage 2 alone. `tg` 0 counts 4 KiB pages. A level
   * hint for one page removes exactly that entry if it is there.
   */
  invalidateRange(
    scope: { asid: number; vmid: number; stage2Only: boolean },
    address: bigint,
    tg: number,
    pages: bigint,
    ttl: number,
  ): void {
    const { asid, vmid, stage2Only } = scope;
    if (ttl !== 0 && pages === 1n && (asid >= 0 || stage2Only)) {
      const key = [stage2Only ? -1 : asid, vmid, address, tg, ttl].join();
      if (this.entries.delete(key)) return;
    }
    const bytes = pages << BigInt(tg === 0 ? 12 : tg * 2 + 10);
    this.invalidate((key, entry) => {
      if (stage2Only ? key[0] >= 0 : asid >= 0 && key[0] !== asid) return false;
      if (vmid >= 0 && key[1] !== vmid) return false;
      const inEntry = (address & ~mask(entry.pageBits)) === entry.iova;
      return inEntry || (entry.iova & ~(bytes - 1n)) === address;
    });
  }
}
