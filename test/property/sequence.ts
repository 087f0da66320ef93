// Programs for caches: translations, table edits and invalidations in random order.
import { command } from "../../src/tables/command.ts";
import type { QemuSmmu } from "../oracle/qemu-cache.ts";
import type { GeneratedCase } from "./generate.ts";
import type { Draw } from "./source.ts";

/** Bits worth flipping in any structure: validity, types, permissions, AF, low address bits. */
const EDIT_BITS = [0, 1, 6, 7, 10, 12, 13, 14, 16, 20, 21];

/** One word of memory and its new value. */
export interface Edit {
  address: bigint;
  value: bigint;
}

/** A random change of one word that the case wrote. */
export function drawEdit(draw: Draw, words: Map<bigint, bigint>): Edit {
  const address = draw.pick([...words.keys()]);
  let value = words.get(address) ?? 0n;
  for (let n = draw.pick([1, 1, 1, 2, 3]); n > 0; n--) {
    value ^= 1n << BigInt(draw.pick(EDIT_BITS));
  }
  return { address, value };
}

/** An invalidation for the engine, and the same for QEMU's caches as the oracle models them. */
export interface Invalidation {
  bytes: Uint8Array;
  apply(smmu: QemuSmmu): void;
}

/** log2 of the granule that TG 1, 2, 3 stand for; 0 means 4 KiB pages. */
const granuleOf = (tg: number): bigint => (tg === 0 ? 12n : BigInt(10 + 2 * tg));

/** [address, address + bytes) as aligned powers of two, the largest first that fit. */
export function alignedPieces(address: bigint, bytes: bigint): [at: bigint, size: bigint][] {
  const pieces: [bigint, bigint][] = [];
  for (let at = address, left = bytes; left > 0n; ) {
    let size = 1n;
    while (size * 2n <= left && (at === 0n || at % (size * 2n) === 0n)) size *= 2n;
    pieces.push([at, size]);
    at = BigInt.asUintN(64, at + size);
    left -= size;
  }
  return pieces;
}

interface Tags {
  s1p: boolean;
  s2p: boolean;
  vmid: number;
  asid: number;
}

/** An address invalidation: NH_VA, NH_VAA or S2_IPA, with or without a range. */
function drawByAddress(draw: Draw, tags: Tags, address: bigint): Invalidation {
  const kinds = [...(tags.s1p ? ["NH_VA", "NH_VAA"] : []), ...(tags.s2p ? ["S2_IPA"] : [])];
  const kind = draw.pick(kinds) as "NH_VA" | "NH_VAA" | "S2_IPA";
  const tg = draw.below(4);
  const num = tg ? draw.pick([0, 1, 7, 31]) : 0;
  const scale = tg ? draw.pick([0, 1, 4, 9]) : 0;
  const ttl = draw.below(4);
  const high = kind === "S2_IPA" ? 56 : 64;
  const aligned = draw.chance(70) ? draw.pick([12, 14, 16, 21, 25, 30]) : 12;
  const at = (BigInt.asUintN(high, address) >> BigInt(aligned)) << BigInt(aligned);
  const bytes = command(`CMD_TLBI_${kind}`, {
    "TLBI.NUM": num,
    "TLBI.SCALE": scale,
    "TLBI.VMID": tags.vmid,
    "TLBI.ASID": kind === "NH_VA" ? tags.asid : 0,
    "TLBI.Leaf": draw.below(2),
    "TLBI.TTL": ttl,
    "TLBI.TG": tg,
    "TLBI.Address": at,
  });
  const scope = {
    asid: kind === "NH_VA" ? tags.asid : -1,
    vmid: tags.s2p ? tags.vmid : -1,
    stage2Only: kind === "S2_IPA",
  };
  const apply = ({ iotlb }: QemuSmmu): void => {
    const granule = granuleOf(tg);
    const length = (BigInt(num + 1) << BigInt(scale)) << granule;
    const pieces = tg === 0 ? [[at, length] as const] : alignedPieces(at, length);
    for (const [from, size] of pieces) {
      iotlb.invalidateRange(scope, from, tg, size >> granule, ttl);
    }
  };
  return { bytes, apply };
}

/** Everything of one VMID or ASID, or of all. */
function drawByTag(draw: Draw, { s1p, s2p, vmid, asid }: Tags): Invalidation {
  const tag = { "TLBI.VMID": vmid, "TLBI.ASID": asid };
  const all = { bytes: command("CMD_TLBI_NSNH_ALL"), apply: (q: QemuSmmu) => q.invalidateAll() };
  switch (draw.below(4)) {
    case 0:
      if (!s1p) return all;
      return {
        bytes: command("CMD_TLBI_NH_ASID", tag),
        apply: (q) => q.invalidateAsid(s2p ? vmid : -1, asid),
      };
    case 1:
      if (!s1p) return all;
      return {
        bytes: command("CMD_TLBI_NH_ALL", tag),
        apply: (q) => (s2p ? q.invalidateVmid(vmid, true) : q.invalidateAll()),
      };
    case 2:
      if (!s2p) return all;
      return {
        bytes: command("CMD_TLBI_S12_VMALL", tag),
        apply: (q) => q.invalidateVmid(vmid),
      };
    default:
      return all;
  }
}

/** A configuration invalidation of a stream, or of a range of streams. */
function drawConfig(draw: Draw, sid: number, s1p: boolean): Invalidation {
  if (draw.chance(40)) {
    const range = draw.pick([0, 3, 7, 15, 31]);
    const count = 2 ** (range + 1);
    const first = sid - (sid % count);
    return {
      bytes: command("CMD_CFGI_STE_RANGE", { StreamID: sid, "CFGI.Range": range }),
      apply: (q) => q.invalidateConfigRange(first, first + count - 1),
    };
  }
  const any = draw.pick(["CMD_CFGI_STE", "CMD_CFGI_CD", "CMD_CFGI_CD_ALL"] as const);
  // Without stage 1 there are no CDs, and the commands are illegal.
  const name = s1p ? any : "CMD_CFGI_STE";
  return { bytes: command(name, { StreamID: sid }), apply: (q) => q.invalidateConfig(sid) };
}

/** A random invalidation that has something to do with the case. */
export function drawInvalidation(draw: Draw, c: GeneratedCase, seen: Tags[]): Invalidation {
  const { idr0 } = c.registers;
  const found = draw.pick(seen);
  const tags = {
    s1p: (idr0 & 2) !== 0,
    s2p: (idr0 & 1) !== 0,
    vmid: draw.chance(10) ? draw.below(0x10000) : found.vmid,
    asid: draw.chance(10) ? draw.below(0x10000) : found.asid,
  };
  const request = draw.pick(c.requests);
  const { sid } = request;
  const near = request.iova ^ (draw.chance(20) ? 1n << BigInt(draw.below(40)) : 0n);
  switch (draw.below(4)) {
    case 0:
      return drawConfig(draw, draw.chance(80) ? sid : sid ^ draw.below(64), tags.s1p);
    case 1:
      return drawByTag(draw, tags);
    default:
      return drawByAddress(draw, tags, near);
  }
}

/** ASIDs and VMIDs that QEMU's IOTLB has held. */
export function seenTags(smmu: QemuSmmu): Tags[] {
  const tags = smmu.iotlb.inserts.map(([asid, vmid]) => ({
    s1p: true,
    s2p: true,
    asid: Math.max(asid, 0),
    vmid: Math.max(vmid, 0),
  }));
  return tags.length ? tags : [{ s1p: true, s2p: true, asid: 0, vmid: 0 }];
}

/** Commands that empty every cache of an SMMU. */
export function invalidateEverything(idr0: number): Uint8Array[] {
  const hyp = (idr0 & 0x200) !== 0;
  return [
    command("CMD_CFGI_STE_RANGE", { "CFGI.Range": 31 }),
    command("CMD_TLBI_NSNH_ALL"),
    ...(hyp ? [command("CMD_TLBI_EL2_ALL")] : []),
    command("CMD_SYNC"),
  ];
}
