// Turns the plain numbers of a program specification into memory, register writes and DMA.
import { hex, type Op, type Program } from "../../src/conform/program.ts";
import { encodeCommand } from "./commands.ts";
import { buildDevice, type Device, LAYOUT } from "./devices.ts";
import { ringSteps } from "./rings.ts";
import type { ActionSpec, ChangeSpec, DmaSpec, ProgramSpec, TableSpec } from "./spec.ts";
import { put, type Words } from "./tables.ts";

const STRTAB = 0x44000000n;
const L2_TABLES = 0x46000000n;
const CMDQ = 0x42000000n;
const EVENTQ = 0x42100000n;

/** Offsets that `get` reads: every register of page 0 in use, aliases, and holes. */
const READABLE = [
  0x0, 0x4, 0x8, 0xc, 0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x28, 0x2c, 0x40, 0x44, 0x48, 0x50, 0x54,
  0x60, 0x64, 0x68, 0x70, 0x74, 0x80, 0x84, 0x88, 0x90, 0x94, 0x98, 0x9c, 0xa0, 0xa4, 0xa8, 0xac,
  0xb0, 0xb8, 0xbc, 0xc0, 0xc8, 0xcc, 0xd0, 0xdc, 0x100, 0x108, 0x10c, 0x110, 0x160, 0x190, 0x200,
  0xe00, 0xfcc, 0xfd0, 0xfd4, 0xfe0, 0xff0, 0xffc, 0x10000, 0x10020, 0x10098, 0x1009c, 0x100a8,
  0x100ac, 0x10100, 0x1000c, 0x1f000,
];

/** Register writes that a guest might do at any time, right or wrong. */
function registerWrite(index: number, value: number, table: TableSpec): [number, number | bigint] {
  const log2 = table.log2 + (value % 3) - 1;
  const choices: [number, number | bigint][] = [
    [0x20, 0xd],
    [0x20, 0xc],
    [0x20, 0x9],
    [0x20, value & 0xf],
    [0x44, 0x80000000 | ((value & 1) << 20) | (value & 2 ? 0xf : 0)],
    [0x44, value],
    [0xac, value & ((2 << table.eventqLog2) - 1)],
    [0x100ac, value & ((2 << table.eventqLog2) - 1)],
    [0x2c, value & 7],
    [0x50, value & 7],
    [0x64, value & 0xff],
    [0x88, table.twoLevel ? 0x10000 | (table.split << 6) | log2 : log2],
    [0xb4, value],
    [0x98, 0],
    [0x28, value & 0xfff],
    [0x60, value],
  ];
  return choices[index % choices.length];
}

/** Writes the STEs, and the level 1 entries that lead to them. */
function streamTable(table: TableSpec, devices: Device[], words: Words): void {
  for (const device of devices) {
    let at = STRTAB + BigInt(device.sid) * 64n;
    if (table.twoLevel) {
      const l1 = BigInt(device.sid >> table.split);
      const l2 = L2_TABLES + l1 * (64n << BigInt(table.split));
      const span = table.span >= 20 ? table.span : table.split + 1 + table.span;
      words.set(STRTAB + l1 * 8n, l2 | BigInt(span & 31));
      at = l2 + (BigInt(device.sid) & ((1n << BigInt(table.split)) - 1n)) * 64n;
    }
    device.steAddress = at;
    device.ste.forEach((word, i) => {
      words.set(at + BigInt(i * 8), word);
    });
    device.cd.forEach((word, i) => {
      words.set(device.cdAddress + BigInt(i * 8), word);
    });
  }
}

/** Applies one change to memory; returns the word that it stored, or nothing. */
export function applyChange(
  device: Device,
  change: ChangeSpec,
  words: Words,
): [bigint, bigint] | undefined {
  let at: bigint;
  if (change.target === "ste") at = device.steAddress + BigInt((change.index % 4) * 8);
  else if (change.target === "cd") at = device.cdAddress + BigInt((change.index % 4) * 8);
  else {
    const lists = { leaf: device.leaves, s1: device.s1Words, s2: device.s2Words };
    const list = lists[change.target];
    if (list.length === 0) return undefined;
    at = list[change.index % list.length];
  }
  let value = words.get(at) ?? 0n;
  if (change.how === "flip") value ^= 1n << BigInt(change.bit);
  if (change.how === "zero") value = 0n;
  if (change.how === "access") value ^= change.bit & 1 ? 1n << 10n : 1n << 7n;
  if (change.how === "move") {
    value = (value & 0xfff0000000000fffn) | (LAYOUT.data + (BigInt(change.bit) << 20n));
  }
  value = withoutAbort(device, at, value, words);
  words.set(at, value);
  return [at, value];
}

/**
 * Two configurations make QEMU 10.0 and 11.1 abort: CD.IPS 6 or 7, and stage 2 with S2AA64=0.
 * A word that would give one of them is mended here.
 */
function withoutAbort(device: Device, at: bigint, value: bigint, words: Words): bigint {
  if (at === device.cdAddress) {
    const cd = [value];
    if (((value >> 32n) & 7n) > 5n) put(cd, 34, 34, 0);
    return cd[0];
  }
  const ste = [0, 1, 2].map((i) => words.get(device.steAddress + BigInt(i * 8)) ?? 0n);
  const i = Number(at - device.steAddress) / 8;
  if (i === 0 || i === 2) {
    ste[i] = value;
    if (((ste[0] >> 2n) & 3n) === 3n) put(ste, 179, 179, 1);
    if (i === 2) return ste[2];
    words.set(device.steAddress + 16n, ste[2]);
  }
  return value;
}

/** A function of the board: its StreamID, and what its DMA can be. */
export interface MasterChoice {
  sid: number;
  does: "writes" | "reads and writes" | "rings";
}

/** Builds the program of a specification for the given masters. */
export function materialize(kind: string, spec: ProgramSpec, masters: MasterChoice[]): Program {
  const words: Words = new Map();
  const taken = new Set<number>();
  const devices = spec.devices.map((device, i) => {
    let master = device.master % masters.length;
    while (taken.has(master)) master = (master + 1) % masters.length;
    taken.add(master);
    return buildDevice(device, i, masters[master].sid, words);
  });
  streamTable(spec.table, devices, words);
  spec.devices.forEach((device, i) => {
    for (const fault of device.faults) applyChange(devices[i], fault, words);
  });
  const memory = [...words].filter(([, value]) => value !== 0n);
  const ops = [...setUp(spec.table)];
  const state: State = {
    table: spec.table,
    devices,
    words,
    does: new Map(masters.map((m) => [m.sid, m.does])),
    prod: 0,
    error: 0,
  };
  for (const action of spec.actions) ops.push(...act(kind, action, state));
  return {
    kind,
    memory: memory.map(([a, v]) => [hex(a), hex(v)]),
    ops,
    eventq: { base: hex(EVENTQ), bytes: 32 << spec.table.eventqLog2 },
  };
}

interface State {
  table: TableSpec;
  devices: Device[];
  words: Words;
  does: Map<number, MasterChoice["does"]>;
  /** Entries ever queued. */
  prod: number;
  /** What the next acknowledgement writes to GERRORN. */
  error: number;
}

const reg = (at: number, value: bigint | number, size: 4 | 8 = 4): Op => ({
  op: "reg",
  at: hex(at),
  value: hex(value),
  size,
});
const get = (at: number, size: 4 | 8 = 4): Op => ({ op: "get", at: hex(at), size });
const mem = (at: bigint, value: bigint): Op => ({ op: "mem", at: hex(at), value: hex(value) });

function setUp(table: TableSpec): Op[] {
  const config = table.twoLevel ? 0x10000 | (table.split << 6) | table.log2 : table.log2;
  const [strtab, cmdq, eventq] = table.low;
  return [
    reg(0x28, 0xd75),
    reg(0x2c, table.cr2),
    reg(0x90, CMDQ | cmdq | BigInt(table.cmdqLog2), 8),
    reg(0xa0, EVENTQ | eventq | BigInt(table.eventqLog2), 8),
    reg(0x88, config),
    reg(0x80, STRTAB | strtab, 8),
    reg(0x20, 0xd),
  ];
}

/** Queues commands and moves CMDQ_PROD. */
function queue(entries: [bigint, bigint][], state: State): Op[] {
  const size = 1 << state.table.cmdqLog2;
  const ops: Op[] = [];
  for (const [low, high] of entries) {
    const at = CMDQ + BigInt((state.prod % size) * 16);
    ops.push(mem(at, low), mem(at + 8n, high));
    state.prod = (state.prod + 1) % (2 * size);
  }
  ops.push(reg(0x98, state.prod), get(0x9c), get(0x60));
  return ops;
}

/** Replaces the newest commands by CMD_SYNC and acknowledges the error. */
function recover(state: State): Op[] {
  const size = 1 << state.table.cmdqLog2;
  const ops: Op[] = [];
  for (let i = 1; i <= Math.min(size, 4); i++) {
    const at = CMDQ + BigInt(((state.prod - i + 2 * size) % size) * 16);
    ops.push(mem(at, 0x46n), mem(at + 8n, 0n));
  }
  state.error ^= 1;
  ops.push(reg(0x64, state.error), get(0x9c), get(0x60));
  return ops;
}

function dmaSteps(action: DmaSpec, device: Device, state: State): Op[] {
  const noise = action.noise >= 0 ? 1n << BigInt(action.noise) : 0n;
  const does = state.does.get(device.sid);
  if (does === "rings") return ringSteps(action, device, noise);
  const page = device.pages[action.page % device.pages.length];
  const iova = (page.iova + (BigInt(action.offset) & (page.mask & 0xfffn))) ^ noise;
  const write = !(action.read && does === "reads and writes");
  return [{ op: "dma", sid: device.sid, iova: hex(iova), bytes: action.bytes, write }];
}

function act(kind: string, action: ActionSpec, state: State): Op[] {
  const device =
    "device" in action ? state.devices[action.device % state.devices.length] : undefined;
  switch (action.do) {
    case "dma":
      return dmaSteps(action, device!, state);
    case "command": {
      const faulty = kind === "commands" || kind === "registers";
      const entries: [bigint, bigint][] = [encodeCommand(action, device!, faulty)];
      if (action.sync) entries.push([0x46n, 0n]);
      return queue(entries, state);
    }
    case "change": {
      const before = state.words.get(device!.steAddress + 16n);
      const stored = applyChange(device!, action.change, state.words);
      const after = state.words.get(device!.steAddress + 16n);
      const ops = stored ? [mem(...stored)] : [];
      if (after !== undefined && after !== before)
        ops.unshift(mem(device!.steAddress + 16n, after));
      return ops;
    }
    case "get":
      return [get(READABLE[action.register % READABLE.length], action.size)];
    case "reg": {
      const [at, value] = registerWrite(action.register, action.value, state.table);
      return [reg(at, BigInt.asUintN(32, BigInt(value)))];
    }
    case "recover":
      return recover(state);
  }
}
