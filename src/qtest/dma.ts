// How one DMA of a device reaches memory through an SMMU: the pieces that it falls into.
import type { Compat, TranslateRequest, Translation } from "../engine/types.ts";

/** QEMU's memory core hands out at most this many bytes at a time when RAM is not the target. */
const PIECE_MAX = 4;

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

/**
 * Splits a DMA as QEMU 11.1 does: whole mappings where RAM is the target, else naturally aligned
 * pieces of at most 4 bytes, each translated anew (and each with its own event). By the
 * architecture (`compat`) an access that faults is one transaction.
 */
export function* dmaPieces(
  access: Access,
  isRam: (pa: bigint) => boolean,
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
    else if (!isRam(pa)) bytes = pieceBytes(pa, left);
    else if (translation.status === "ok") {
      const size = translation.size ?? 1n;
      const room = size - (pa % size);
      if (room < BigInt(left)) bytes = Number(room);
    }
    yield { iova, bytes, pa };
    done += bytes;
  }
}
