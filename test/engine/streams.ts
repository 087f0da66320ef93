// Streams over page tables that tests can change: stage 1, stage 2, nested; EL1, EL2 and E2H
// worlds.
import type { Translation } from "../../src/engine/types.ts";
import { command, sync } from "../../src/tables/command.ts";
import { type GranuleShift, PageTable, startOf } from "../../src/tables/page-table.ts";
import type { Rig } from "./rig.ts";

export const PAGE = 0x1000n;
/** Where the first version of every mapping points, and the second. */
export const OLD = 0x10_0000_0000n;
export const NEW = 0x20_0000_0000n;

const TG0 = { 12: 0, 16: 1, 14: 2 } as const;
const TG1 = { 14: 1, 12: 2, 16: 3 } as const;
/** S2SL0 by start level: 4 KiB counts from level 2, the others from level 3 (IHI0070 5.2). */
const sl0 = (granule: GranuleShift, level: number): number => (granule === 12 ? 2 : 3) - level;

/** What one stage of a stream is like. */
export interface Stage {
  granule?: GranuleShift;
  /** Bits of the input address. Default 39. */
  inputBits?: number;
}

/** A stage 1 stream. */
export interface Stage1 extends Stage {
  sid: number;
  asid?: number;
  vmid?: number;
  /** STE.STRW: 0 EL1, 2 EL2 or EL2-E2H. */
  strw?: number;
  tbi?: number;
  /** Through TTB1: input addresses have their upper bits set. */
  upper?: boolean;
}

export interface Stage2 extends Stage {
  sid: number;
  vmid: number;
}

const s1Leaf = (fields: object): Record<string, number> => ({
  "AP[1]": 1,
  nG: 1,
  SH: 3,
  ...fields,
});
const s2Leaf = { "S2AP[0]": 1, "S2AP[1]": 1, MemAttr: 15, SH: 3 };

/** A table whose mappings move from OLD to NEW. */
export class Space {
  readonly table: PageTable;
  readonly stage: 1 | 2;
  private readonly fields: Record<string, number>;

  constructor(rig: Rig, stage: 1 | 2, shape: Stage = {}, fields: object = {}) {
    const { granule = 12, inputBits = 39 } = shape;
    this.table = new PageTable(rig, { stage, granule, inputBits });
    this.stage = stage;
    this.fields = stage === 1 ? s1Leaf(fields) : { ...s2Leaf, ...fields };
  }

  /** Maps a range to the same offset of OLD, or of another base. */
  map(input: bigint, bytes = PAGE, base = OLD, fields: object = {}): void {
    const output = base + BigInt.asUintN(36, input);
    const { inputBits } = this.table.geometry;
    this.table.map(BigInt.asUintN(inputBits, input), output, bytes, { ...this.fields, ...fields });
  }

  /** Makes a range point to NEW; no command is sent. */
  move(input: bigint, bytes = PAGE): void {
    this.map(input, bytes, NEW);
  }

  unmap(input: bigint, bytes = PAGE): void {
    this.table.unmap(BigInt.asUintN(this.table.geometry.inputBits, input), bytes);
  }
}

/** The CD of a stage 1 table. */
export function contextOf(rig: Rig, space: Space, s: Omit<Stage1, "sid">, at?: bigint): bigint {
  const { granule = 12, inputBits = 39, asid = 0, tbi = 0, upper = false } = s;
  const size = 64 - inputBits;
  const TTB = space.table.root;
  const fields = upper
    ? { T1SZ: size, TG1: TG1[granule], TTB1: TTB, EPD0: 1, EPD1: 0, TBI1: tbi }
    : { T0SZ: size, TG0: TG0[granule], TTB0: TTB, TBI0: tbi };
  return rig.cd({ ...fields, ASID: asid }, at);
}

/** Makes a stage 1 stream and gives its table. */
export function stage1(rig: Rig, s: Stage1, leaf: object = {}): Space {
  const space = new Space(rig, 1, s, leaf);
  const S1ContextPtr = contextOf(rig, space, s);
  rig.ste(s.sid, { Config: 5, S1ContextPtr, STRW: s.strw ?? 0, S2VMID: s.vmid ?? 0 });
  return space;
}

const stage2Fields = (space: Space, s: Stage2) => {
  const { granule = 12, inputBits = 39 } = s;
  const { level } = startOf({ stage: 2, granule, inputBits });
  return {
    S2T0SZ: 64 - inputBits,
    S2TG: TG0[granule],
    S2SL0: sl0(granule, level),
    S2PS: 5,
    S2AA64: 1,
    S2R: 1,
    S2TTB: space.table.root,
    S2VMID: s.vmid,
  };
};

/** Makes a stage 2 stream, over `space` if that exists already. */
export function stage2(rig: Rig, s: Stage2, space = new Space(rig, 2, s)): Space {
  rig.ste(s.sid, { Config: 6, ...stage2Fields(space, s) });
  return space;
}

/** RAM below this is mapped one to one by the stage 2 of nested streams. */
const IDENTITY = 0x4000_0000n;
const IDENTITY_BYTES = 1n << 30n;

/**
 * Makes a nested stream. Its structures lie at IPA = PA; `OLD` and `NEW` IPAs have still to be
 * mapped in the second space.
 */
export function nested(rig: Rig, s: Stage1 & Stage2, shape2: Stage = {}): [Space, Space] {
  const first = new Space(rig, 1, s);
  const second = new Space(rig, 2, { inputBits: 39, ...shape2 });
  second.map(IDENTITY, IDENTITY_BYTES, 0n);
  const S1ContextPtr = contextOf(rig, first, s);
  const two = stage2Fields(second, { ...shape2, sid: s.sid, vmid: s.vmid });
  rig.ste(s.sid, { Config: 7, S1ContextPtr, ...two });
  return [first, second];
}

/** Which version of a mapping an answer shows; the event's name when it faults. */
export function version(t: Translation): "old" | "new" | string {
  if (t.status === "ok") return t.pa! >= NEW ? "new" : "old";
  return t.event?.name ?? t.status;
}

/** Translates and tells which version came. */
export const look = (rig: Rig, sid: number, iova: bigint, ssid?: number): string =>
  version(rig.smmu.translate({ sid, iova, ...(ssid !== undefined && { ssid }) }));

/** Sends invalidations and the CMD_SYNC that completes them. */
export const invalidate = (rig: Rig, ...commands: Uint8Array[]): void =>
  rig.run(...commands, sync());

type Name = Parameters<typeof command>[0];

/** A TLBI by its name without CMD_TLBI_, with the operands that matter. */
export function tlbi(
  name: string,
  o: {
    vmid?: number;
    asid?: number;
    at?: bigint;
    leaf?: number;
    tg?: number;
    num?: number;
    scale?: number;
    ttl?: number;
  } = {},
): Uint8Array {
  return command(`CMD_TLBI_${name}` as Name, {
    "TLBI.VMID": o.vmid ?? 0,
    "TLBI.ASID": o.asid ?? 0,
    "TLBI.Address": o.at ?? 0n,
    "TLBI.Leaf": o.leaf ?? 0,
    "TLBI.TG": o.tg ?? 0,
    "TLBI.NUM": o.num ?? 0,
    "TLBI.SCALE": o.scale ?? 0,
    "TLBI.TTL": o.ttl ?? 0,
  });
}
