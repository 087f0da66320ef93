// How a DMA falls into pieces: the counts that QEMU's event queues show.
import { describe, expect, test } from "vitest";
import type { Translation } from "../../src/engine/types.ts";
import { dmaPieces } from "../../src/qtest/dma.ts";

const fault: Translation = { status: "event", fetches: 0 };
const page = (pa: bigint, perm = 3): Translation => ({
  status: "ok",
  pa,
  size: 0x1000n,
  perm,
  stage: 1,
  fetches: 0,
});

/** Sizes of the pieces of an access whose translations all come out as `answer` says. */
function pieces(
  iova: bigint,
  bytes: number,
  answer: (iova: bigint) => Translation,
  { write = true, memory = 1n << 40n, compat = "qemu" as "arch" | "qemu" } = {},
): number[] {
  const access = { sid: 8, iova, bytes, write };
  const found = dmaPieces(
    access,
    () => memory,
    (r) => answer(r.iova),
    compat,
  );
  return [...found].map((piece) => piece.bytes);
}

describe("an access that faults", () => {
  test.each([
    [0x1000n, 4, [4]],
    [0x1001n, 4, [1, 2, 1]],
    [0x1000n, 3, [2, 1]],
    [0x1000n, 16, [4, 4, 4, 4]],
    [0x1000n, 64, new Array(16).fill(4)],
    [0x1001n, 64, [1, 2, ...new Array(15).fill(4), 1]],
  ])("%s, %s bytes", (iova, bytes, expected) => {
    expect(pieces(iova, bytes, () => fault)).toEqual(expected);
  });

  test("is one transaction by the architecture", () => {
    expect(pieces(0x1001n, 64, () => fault, { compat: "arch" })).toEqual([64]);
  });
});

describe("an access that gets through", () => {
  test("takes whole mappings of RAM", () => {
    expect(pieces(0x1ff8n, 16, (iova) => page(0x40000000n + iova))).toEqual([8, 8]);
    expect(pieces(0x1000n, 4096, (iova) => page(0x40000000n + iova))).toEqual([4096]);
  });

  test("goes on page by page through a bypass, for reads and writes", () => {
    const bypass = (iova: bigint): Translation => ({
      status: "bypass",
      pa: iova,
      perm: 3,
      fetches: 0,
    });
    expect(pieces(0x50000000n, 4096, bypass)).toEqual([4096]);
    expect(pieces(0x50000000n, 5000, bypass)).toEqual([4096, 904]);
    expect(pieces(0x50000800n, 20000, bypass, { write: false })).toEqual([
      0x800,
      ...new Array(4).fill(4096),
      1568,
    ]);
    expect(pieces(0x50000ffdn, 5, bypass)).toEqual([3, 2]);
  });

  test("ends where the memory behind it ends", () => {
    const bypass: Translation = { status: "bypass", pa: 0x5ffffff8n, perm: 3, fetches: 0 };
    expect(pieces(0x5ffffff8n, 24, () => bypass, { memory: 8n })).toEqual([8, 8, 8]);
    expect(pieces(0x1000n, 24, (iova) => page(0x40000000n + iova), { memory: 16n })).toEqual([
      16, 8,
    ]);
  });

  test("takes pieces of at most 4 bytes of anything else", () => {
    const answer = (iova: bigint) => page(0x70000000n + iova);
    expect(pieces(0x1002n, 8, answer, { memory: 0n })).toEqual([2, 4, 2]);
  });

  test("is stopped by the memory core where the entry has no such permission", () => {
    const writeOnly = (iova: bigint) => page(0x40000000n + iova, 2);
    expect(pieces(0x1000n, 8, writeOnly)).toEqual([8]);
    expect(pieces(0x1000n, 8, writeOnly, { write: false })).toEqual([4, 4]);
  });

  test("wraps at the end of the address space", () => {
    const last = (1n << 64n) - 2n;
    const seen: bigint[] = [];
    pieces(last, 4, (iova) => {
      seen.push(iova);
      return fault;
    });
    expect(seen).toEqual([last, 0n]);
  });
});
