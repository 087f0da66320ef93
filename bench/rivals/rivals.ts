// The contestants: the engine in WebAssembly, the same engine in C, one shaped like QEMU's model,
// and two in plain JavaScript.

import type { Compiler } from "../native/build.ts";
import type { Native, Pages } from "../native/process.ts";
import { cpuTimeNs } from "../rounds.ts";
import { batchPass } from "../world/batch.ts";
import type { Case } from "../world/cases.ts";
import type { Ring } from "../world/ring.ts";
import { PlainBigInt } from "./plain-bigint.ts";
import { PlainUint32 } from "./plain-uint32.ts";
import { startTwin } from "./twin.ts";

/** What the contestants of a case are called. */
export type RivalName = "engine" | "serial" | "batch" | "huge" | "qemu" | "bigint" | "uint32";

/** One contestant over a case's machine, or over a copy of it. */
export interface Rival {
  readonly name: RivalName;
  /** Empties its caches. */
  flush(): unknown;
  /** Translates a ring; gives nanoseconds of processor time per request. */
  pass(ring: Ring): number | Promise<number>;
  /** Forgets the answers, and sums them up. */
  clear(ring: Ring): unknown;
  checksum(ring: Ring): number | Promise<number>;
  end(): void;
}

/** What contestants of this process have in common: they share rings. */
const inProcess = {
  clear: (ring: Ring) => ring.clear(),
  checksum: (ring: Ring) => ring.checksum(),
  end: () => {},
};

async function wasmRival(c: Case, name: RivalName, policy: Case["policy"]): Promise<Rival> {
  const engine = await c.world.engine(policy);
  const pass = (ring: Ring) => batchPass(engine, ring, cpuTimeNs);
  return { ...inProcess, name, flush: () => engine.flushCaches(), pass };
}

/** The walk without any cache, which says what is right. */
export const referenceOf = (c: Case): Promise<Rival> => wasmRival(c, "engine", "none");

function plainRival(name: RivalName, plain: PlainBigInt | PlainUint32): Rival {
  const pass = (ring: Ring) => cpuTimeNs(() => plain.translateAll(ring)) / ring.count;
  return { ...inProcess, name, flush: () => plain.flush(), pass };
}

/** Batch call of a native contestant, and the call that empties its caches. */
const NATIVE_CALLS = {
  serial: ["translateSerially", "flushCaches"],
  huge: ["translateSerially", "flushCaches"],
  batch: ["translateBatch", "flushCaches"],
  qemu: ["qemuTranslate", "qemuFlush"],
} as const;

/** A process over a copy of the case's memory, ready to translate. */
async function nativeOf(c: Case, compiler: Compiler, stateAt: number, pages: Pages) {
  const { world } = c;
  const native = await startTwin(world, compiler, c.policy, stateAt, pages);
  await native.ask("call", "qemuAttach", world.streamTable, world.base, world.bytes, world.ramLin);
  return native;
}

function nativeRival(name: keyof typeof NATIVE_CALLS, native: Native): Rival {
  const [call, flush] = NATIVE_CALLS[name];
  return {
    name,
    flush: () => native.ask("call", flush),
    pass: (ring) => native.pass(call, ring),
    clear: (ring) => native.clear(ring),
    checksum: (ring) => native.checksum(ring),
    end: () => native.end(),
  };
}

const isNative = (name: RivalName): name is keyof typeof NATIVE_CALLS => name in NATIVE_CALLS;

/** The contestants of a case; the native ones are left out without a compiler. */
export async function rivalsOf(
  c: Case,
  names: readonly RivalName[],
  compiler: Compiler | undefined,
): Promise<Rival[]> {
  const twinState = await c.world.stateAt();
  const engine = await wasmRival(c, "engine", c.policy);
  const rivals: Rival[] = [engine];
  const natives = new Map<Pages, Native>();
  for (const name of names) {
    if (name === "bigint") rivals.push(plainRival(name, new PlainBigInt(c.world)));
    if (name === "uint32") rivals.push(plainRival(name, new PlainUint32(c.world)));
    if (!isNative(name) || !compiler) continue;
    const pages = name === "huge" ? "huge" : "small";
    const native = natives.get(pages) ?? (await nativeOf(c, compiler, twinState, pages));
    natives.set(pages, native);
    rivals.push(nativeRival(name, native));
  }
  return rivals;
}
