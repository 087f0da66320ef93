// How one DMA of a device reaches memory through an SMMU: the pieces that it falls into.
import type { Compat, TranslateRequest, Translation } from "../engine/types.ts";

/** QEMU's memory core hands out at most this many bytes at a time when RAM is not the target. */
const PIECE_MAX = 4;
/** What a bypass maps: QEMU gives out one page of its own at a time, whatever the granule. */
const BYPASS_BYTES = 0x1000n;

/** One DMA. */
export interface Access {
  /** StreamID of the device. */
  sid: number;
  iova: bigint;
  bytes: number;
  write: boolean;
}

/**
 * A part of a DMA with a translation of its own. `pa` is undefined when it does not get through.
 */
export interface Piece {
  iova: bigint;
  bytes: number;
  pa: bigint | undefined;
}

/** Largest naturally aligned power of two, at most PIECE_MAX, that starts at `address`. */
function pieceBytes(address: bigint, left: number): number {
  let bytes = PIECE_MAX;
  while (bytes > 1 && (bytes > left || address % BigInt(bytes) !== 0n)) bytes /= 2;
  return bytes;
}

/** Address that a translation leads to, or undefined when this direction may not use it. */
function target(translation: Translation, write: boolean): bigint | undefined {
  if (translation.status !== "ok" && translation.status !== "bypass") return undefined;
  // QEMU's memory core looks at the entry's permission once more: bit 0 read, bit 1 write.
  const perm = translation.perm ?? 3;
  const allowed = write ? perm % 4 >= 2 : perm % 2 === 1;
  return allowed ? translation.pa : undefined;
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** Bytes from the output address up to the end of its page or block. */
function restOfMapping({ status, pa = 0n, size = 1n }: Translation): bigint {
  const mapped = status === "bypass" ? BYPASS_BYTES : size;
  return mapped - (pa % mapped);
}

/**
 * Splits a DMA as QEMU 11.1 does: whole mappings (of a bypass, pages) where memory is the target,
 * else naturally aligned pieces of at most 4 bytes, each translated anew (and each with its own
 * event). By the architecture (`compat`) an access that faults is one transaction.
 *
 * `direct` tells how many bytes of memory lie from an address on; 0 where a device answers.
 */
export function* dmaPieces(
  access: Access,
  direct: (pa: bigint) => bigint,
  translate: (request: TranslateRequest) => Translation,
  compat: Compat,
): Generator<Piece> {
  const { sid, write } = access;
  for (let done = 0; done < access.bytes; ) {
    const iova = BigInt.asUintN(64, access.iova + BigInt(done));
    const left = access.bytes - done;
    const translation = translate({ sid, iova, write });
    const pa = target(translation, write);
    let bytes = left;
    if (pa === undefined) bytes = compat === "qemu" ? pieceBytes(iova, left) : left;
    else {
      const room = least(direct(pa), restOfMapping(translation));
      bytes = room === 0n ? pieceBytes(pa, left) : Number(least(room, BigInt(left)));
    }
    yield { iova, bytes, pa };
    done += bytes;
  }
}
