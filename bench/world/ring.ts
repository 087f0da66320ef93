// Requests and answers of a timed batch, and the streams of addresses that fill them.
import type { HostMemory } from "../../src/engine/memory.ts";
import { ANSWER, REQUEST } from "../../src/spec/abi-records.ts";
import { REQUEST_FLAGS } from "../../src/spec/abi-words.ts";
import { packFields } from "../../src/spec/word.ts";

/** Flags of the requests that devices make: unprivileged data reads and writes. */
export const READ = 0;
export const WRITE = Number(packFields(REQUEST_FLAGS, { write: 1 })[0]);

const WORDS = REQUEST.bytes / 4;
const TWO_32 = 2 ** 32;

/** A small random generator: the same stream of numbers for every contestant. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / TWO_32;
  };
}

/** Numbers 0 to n-1 in random order. */
export function shuffled(n: number, random: () => number): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const other = order[j];
    order[j] = order[i];
    order[i] = other;
  }
  return order;
}

/** `count` requests with room for their answers in linear memory. */
export class Ring {
  constructor(
    readonly memory: HostMemory,
    readonly count: number,
    readonly requests = memory.alloc(count * REQUEST.bytes, 64),
    readonly answers = memory.alloc(count * ANSWER.bytes, 64),
  ) {}

  /** Requests from `first` on as a ring of their own. */
  part(first: number, count: number): Ring {
    const requests = this.requests + first * REQUEST.bytes;
    return new Ring(this.memory, count, requests, this.answers + first * ANSWER.bytes);
  }

  /** Writes request `index`; `iova` is a plain number. */
  set(index: number, sid: number, iova: number, flags: number): void {
    const words = new Uint32Array(this.memory.memory.buffer, this.requests + index * REQUEST.bytes);
    words[0] = iova % TWO_32;
    words[1] = Math.floor(iova / TWO_32);
    words[2] = sid;
    words[3] = flags;
  }

  /** Fills the ring: `make` gives the stream, address and flags of each request. */
  fill(make: (index: number) => readonly [sid: number, iova: number, flags: number]): void {
    const { buffer } = this.memory.memory;
    const words = new Uint32Array(buffer, this.requests, this.count * WORDS);
    for (let i = 0; i < this.count; i++) {
      const [sid, iova, flags] = make(i);
      words[i * WORDS] = iova % TWO_32;
      words[i * WORDS + 1] = Math.floor(iova / TWO_32);
      words[i * WORDS + 2] = sid;
      words[i * WORDS + 3] = flags;
    }
  }

  /** Forgets the answers, so that a contestant cannot live on another's. */
  clear(): void {
    this.memory.bytes(this.answers, this.count * ANSWER.bytes).fill(0);
  }

  /** A checksum of all answers. */
  checksum(): number {
    return checksumOf(this.memory.memory.buffer, this.answers, this.count * ANSWER.bytes);
  }
}

/** A checksum of linear memory; bench/native/server.c computes the same. */
export function checksumOf(memory: ArrayBufferLike, at: number, bytes: number): number {
  const view = new Uint32Array(memory, at, bytes / 4);
  let sum = 0x811c9dc5;
  for (let i = 0; i < view.length; i++) {
    sum = Math.imul(sum ^ view[i], 0x01000193);
    sum ^= sum >>> 15;
  }
  return sum >>> 0;
}
