// Small random machines for the contestants of the benchmarks: two streams, broken tables, requests
// of every kind.
import { type Ring, randomNumbers } from "../../bench/world/ring.ts";
import { Tables } from "../../bench/world/tables.ts";
import { World } from "../../bench/world/world.ts";

const PAGE = 4096;
const MIB = 2 ** 20;
const TWO_32 = 2 ** 32;
/** A stream of stage 1, and one of both stages. */
const STREAMS = [3, 9];
const REQUESTS = 512;
/**
 * Bits of a descriptor that are turned: valid, type, AP or S2AP, AF, PXN and UXN or XN; the upper
 * word begins at 32. Bits 8 and 9 are turned together: shareability 3 becomes 0.
 */
const FLIPS = [[0], [1], [6], [7], [8, 9], [10], [53], [54]];

/** A machine and requests of its streams. */
export interface Machine {
  readonly world: World;
  readonly ring: Ring;
}

/** Maps pages and blocks of all sizes around a few places; gives inputs that meet them. */
function mapSome(first: Tables, second: Tables | undefined, random: () => number): number[] {
  const below = (n: number) => Math.floor(random() * n);
  const inputs: number[] = [];
  for (let i = 0; i < 24; i++) {
    const level = [1, 2, 3, 3, 3, 3][below(6)];
    // Each place has a GiB of its own, so that no block hides a table.
    const at = (i + 1) * 2 ** 30 + (level === 3 ? below(512) * PAGE : 0);
    const output = 2 ** 40 + i * 2 ** 30 + (level === 3 ? below(512) * PAGE : 0);
    first.map(at, output, level);
    const input = at + (level === 3 ? 0 : below(2 ** (level === 2 ? 21 : 30)));
    inputs.push(input);
    const ipa = output + (input - at);
    const size = [2 ** 21, PAGE][below(2)];
    second?.map(ipa - (ipa % size), 2 ** 41 + i * 2 ** 30, size === PAGE ? 3 : 2);
  }
  return inputs;
}

/** Turns bits of descriptors between two addresses. */
function breakSome(world: World, from: number, to: number, random: () => number): void {
  const words = new Uint32Array(world.memory.memory.buffer, world.lin(from), (to - from) / 4);
  const used = [...words.keys()].filter((i) => i % 2 === 0 && words[i] !== 0);
  for (let i = 0; i < 12; i++) {
    const at = used[Math.floor(random() * used.length)];
    for (const bit of FLIPS[Math.floor(random() * FLIPS.length)]) {
      words[at + (bit >> 5)] ^= 2 ** (bit % 32);
    }
  }
}

/** A machine; `flagsMax` bounds the kinds of accesses (REQUEST_FLAGS). */
export function randomMachine(seed: number, flagsMax: number): Machine {
  const random = randomNumbers(seed);
  const world = new World(4 * MIB);
  const start = world.top;
  const second = new Tables(world, 2);
  const streams = STREAMS.map((sid, i) => {
    const first = new Tables(world, 1);
    const inputs = mapSome(first, i === 1 ? second : undefined, random);
    return { sid, root: first.root, inputs };
  });
  const end = world.top;
  streams.forEach(({ sid, root }, i) => {
    const stage2 = i === 1 ? second.root : undefined;
    world.addStream({ sid, asid: 5, vmid: i + 1, stage1: root, stage2 });
  });
  for (let pa = world.base; pa < world.base + 4 * MIB; pa += 2 * MIB) second.map(pa, pa, 2);
  breakSome(world, start, end, random);
  const ring = world.ring(REQUESTS);
  ring.fill(() => {
    const { sid, inputs } = streams[Math.floor(random() * 2)];
    const input = inputs[Math.floor(random() * inputs.length)];
    const stray = random() < 0.1 ? Math.floor(random() * 2 ** 52) : 0;
    const flags = Math.floor(random() * (flagsMax + 1));
    return [sid, (input + stray + Math.floor(random() * 64)) % (TWO_32 * TWO_32), flags];
  });
  return { world, ring };
}
