// Transmit descriptors of e1000s in random programs: their words, and the step that runs a ring.
import { hex, type Op } from "../../src/conform/program.ts";
import type { Device } from "./devices.ts";
import type { DescriptorSpec, DmaSpec } from "./spec.ts";
import { put } from "./tables.ts";

const DESCRIPTOR_BYTES = 16n;
/** Guest RAM of the board. */
const RAM = [0x40000000n, 0x60000000n];

const bit = (flags: number, at: number) => (flags >> at) & 1;

/** One descriptor as two words: half of them legacy, the others data and context. */
function encodeDescriptor(spec: DescriptorSpec, device: Device): [bigint, bigint] {
  const page = device.pages[spec.page % device.pages.length];
  const words = [page.iova + BigInt(spec.offset), 0n];
  const f = spec.flags;
  put(words, 79, 64, spec.bytes);
  put(words, 88, 88, bit(f, 0));
  put(words, 91, 91, bit(f, 1) | bit(f, 2));
  put(words, 92, 92, bit(f, 3) & bit(f, 4));
  put(words, 93, 93, bit(f, 5));
  put(words, 127, 96, f);
  if (bit(f, 5)) {
    put(words, 84, 84, bit(f, 6) | bit(f, 7));
    put(words, 85, 85, bit(f, 11) & bit(f, 12));
    put(words, 90, 90, bit(f, 8));
    // Header and segment size of a context: small enough that a buffer is several segments.
    put(words, 111, 104, bit(f, 9) ? 54 : f & 7);
    put(words, 127, 112, bit(f, 10) ? 100 : f & 31);
  }
  return [words[0], words[1]];
}

/** Puts the descriptors where the ring's address should lead, then transmits. */
export function ringSteps(action: DmaSpec, device: Device, noise: bigint): Op[] {
  const { entries, head, count, descriptors } = action.ring;
  const page = device.pages[action.page % device.pages.length];
  const offset = BigInt(action.offset) & page.mask & 0xff0n;
  const ops: Op[] = [];
  descriptors.forEach((descriptor, i) => {
    const at = page.pa + offset + BigInt((head % 32) + i) * DESCRIPTOR_BYTES;
    if (at < RAM[0] || at >= RAM[1]) return;
    encodeDescriptor(descriptor, device).forEach((word, k) => {
      ops.push({ op: "mem", at: hex(at + BigInt(k * 8)), value: hex(word) });
    });
  });
  const iova = hex((page.iova + offset) ^ noise);
  const tail = (head + count) & 0xffff;
  ops.push({ op: "transmit", sid: device.sid, iova, entries, head, tail });
  return ops;
}
