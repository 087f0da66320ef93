// Runs conformance programs on a machine behind qtest, QEMU's or ours, and records the answers.
import {
  e1000State,
  e1000Transmit,
  eduCopy,
  type Master,
  type ProgramTarget,
  RAM_BASE,
  RAM_BYTES,
  setUpBoard,
  testdevWrite,
} from "./board.ts";
import { hex, type Op, type Program, type ProgramRecord, toHex } from "./program.ts";
import { splitTrace } from "./trace.ts";

const EVENTQ_PROD = 0xa8n;
/** QEMU keeps these registers over a reset: back to their power-on values. */
const FORGET = [
  [0x28, 0, "l"],
  [0x2c, 0, "l"],
  [0x68, 0, "q"],
  [0x70, 0, "l"],
  [0x74, 0, "l"],
  [0x80, 0, "q"],
  [0x88, 0, "l"],
  [0x90, 0x13, "q"],
  [0xa0, 0x13, "q"],
] as const;
/** A place in RAM that no program uses, and the size of edu's buffer. */
const ZEROS = 0x5ff00000n;
const EDU_BUFFER_BYTES = 4096;
/** Offsets within the 128 KiB frame: the read that ends a DMA's part of the trace. */
const markerOf = (smmu: bigint) => `readl ${hex(smmu + EVENTQ_PROD)}`;

/** The requests of one step, and which of their answers count, in order. */
interface Requests {
  lines: string[];
  wanted: number[];
}

function masterOf(masters: Map<number, Master>, sid: number, ...kinds: Master["kind"][]): Master {
  const master = masters.get(sid);
  if (!master) throw new Error(`no device has StreamID ${sid}`);
  if (!kinds.includes(master.kind)) throw new Error(`the device of StreamID ${sid} cannot do this`);
  return master;
}

function requestsOf(op: Op, masters: Map<number, Master>, smmu: bigint): Requests {
  switch (op.op) {
    case "mem":
      return { lines: [`writeq ${op.at} ${op.value}`], wanted: [] };
    case "reg": {
      const size = op.size === 8 ? "q" : "l";
      return { lines: [`write${size} ${hex(smmu + BigInt(op.at))} ${op.value}`], wanted: [] };
    }
    case "get": {
      const size = op.size === 8 ? "q" : "l";
      return { lines: [`read${size} ${hex(smmu + BigInt(op.at))}`], wanted: [0] };
    }
    case "dma": {
      const kinds: Master["kind"][] = op.write ? ["edu", "testdev"] : ["edu"];
      const master = masterOf(masters, op.sid, ...kinds);
      const iova = BigInt(op.iova);
      const lines =
        master.kind === "edu"
          ? eduCopy(master, iova, op.bytes, op.write)
          : testdevWrite(master, iova, op.bytes);
      return { lines: [...lines, markerOf(smmu)], wanted: [lines.length] };
    }
    case "transmit": {
      const master = masterOf(masters, op.sid, "e1000");
      const lines = e1000Transmit(master, { ...op, iova: BigInt(op.iova) });
      const at = lines.length;
      lines.push(markerOf(smmu), ...e1000State(master));
      return { lines, wanted: [at, at + 1, at + 2] };
    }
  }
}

const inRam = (pa: bigint) => pa >= RAM_BASE && pa < RAM_BASE + BigInt(RAM_BYTES) - 32n;

/** Groups words into blocks of adjacent ones. */
function blocksOf(words: [bigint, bigint][]): { address: bigint; bytes: Buffer }[] {
  const sorted = [...new Map(words)].sort((a, b) => (a[0] < b[0] ? -1 : 1));
  const blocks: { address: bigint; values: bigint[] }[] = [];
  for (const [address, value] of sorted) {
    const last = blocks[blocks.length - 1];
    if (last && last.address + BigInt(last.values.length * 8) === address) last.values.push(value);
    else blocks.push({ address, values: [value] });
  }
  return blocks.map(({ address, values }) => {
    const bytes = Buffer.alloc(values.length * 8);
    values.forEach((value, i) => {
      bytes.writeBigUInt64LE(value, i * 8);
    });
    return { address, bytes };
  });
}

/** Bytes without the zeros at their end. */
function withoutZeros(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.subarray(0, end);
}

/** Where a DMA may have stored something if its addresses went through as they are. */
function ownPlaces(op: Op): bigint[] {
  if (op.op === "dma" && op.write) {
    const iova = BigInt(op.iova);
    return [iova & ~15n, (iova + BigInt(op.bytes) - 1n) & ~15n];
  }
  if (op.op !== "transmit") return [];
  const entries = [op.head, ...Array.from({ length: op.entries }, (_, i) => i)];
  return entries.map((i) => (BigInt(op.iova) & ~15n) + BigInt(i * 16));
}

const passed = (line: string) => line === "bypass" || line === "disabled";

/** The places in RAM, 16 bytes each, that the DMA of a program may have written. */
function reached(ops: Op[], answers: ProgramRecord["answers"]): bigint[] {
  const places = new Set<bigint>();
  ops.forEach((op, i) => {
    const answer = answers[i];
    if (answer === null || typeof answer === "string") return;
    for (const line of answer.trace) {
      if (!line.startsWith("ok ")) continue;
      const pa = BigInt(line.split(" ")[1]) & ~15n;
      for (const place of [pa, pa + 16n]) places.add(place);
    }
    if (answer.trace.some(passed)) for (const place of ownPlaces(op)) places.add(place);
  });
  return [...places].filter(inRam);
}

/** What each step gives: the values that it read, and its part of the trace. */
function answersOf(
  program: Program,
  values: string[][],
  parts: string[][],
): ProgramRecord["answers"] {
  let next = 0;
  return program.ops.map((op, i) => {
    const [first, ...state] = values[i];
    switch (op.op) {
      case "get":
        // A `get` of EVENTQ_PROD ends a part as well; such a part is empty and is skipped.
        if ((BigInt(op.at) & 0xffffn) === EVENTQ_PROD) next++;
        return first;
      case "dma":
        return { trace: parts[next++], prod: first };
      case "transmit": {
        const [icr, tdh] = state;
        return { trace: parts[next++], prod: first, icr, tdh };
      }
      default:
        return null;
    }
  });
}

/** Runs one program on a machine fresh out of reset, and leaves RAM zero where it was used. */
export async function runProgram(machine: ProgramTarget, program: Program): Promise<ProgramRecord> {
  await machine.reset();
  const { smmu } = machine;
  await machine.send(
    FORGET.map(([at, value, size]) => `write${size} ${hex(smmu + BigInt(at))} ${hex(value)}`),
  );
  const masters = new Map((await setUpBoard(machine)).map((m) => [m.sid, m]));
  // edu's buffer lives through a reset: filled from RAM that is zero, while the SMMU is off.
  // (On a board of rings it never moves data.)
  const edu = [...masters.values()].filter((m) => m.kind === "edu" && machine.dma !== "rings");
  await machine.send(edu.flatMap((m) => eduCopy(m, ZEROS, EDU_BUFFER_BYTES, false)));
  const memory = program.memory.map(([a, v]): [bigint, bigint] => [BigInt(a), BigInt(v)]);
  await machine.writeRam(blocksOf(memory));
  machine.takeTrace();
  const requests: string[] = [];
  const wanted: number[][] = [];
  for (const op of program.ops) {
    const step = requestsOf(op, masters, smmu);
    wanted.push(step.wanted.map((i) => requests.length + i));
    requests.push(...step.lines);
  }
  const lines = await machine.send(requests);
  const parts = splitTrace(machine.takeTrace());
  const answers = answersOf(
    program,
    wanted.map((list) => list.map((i) => hex(BigInt(lines[i])))),
    parts,
  );
  const base = BigInt(program.eventq.base);
  const queue = withoutZeros(await machine.readRam(base, program.eventq.bytes));
  const data: ProgramRecord["data"] = [];
  const places = reached(program.ops, answers);
  for (const place of places) {
    const bytes = await machine.readRam(place, 16);
    if (bytes.some((b) => b !== 0)) data.push([hex(place), toHex(bytes)]);
  }
  const stores = program.ops.flatMap((op) => (op.op === "mem" ? [BigInt(op.at)] : []));
  const dirty = [...memory.map(([a]) => a), ...stores, ...places.flatMap((p) => [p, p + 8n])];
  await machine.writeRam(blocksOf(dirty.map((a) => [a, 0n])));
  await machine.writeRam([{ address: base, bytes: new Uint8Array(program.eventq.bytes) }]);
  return { answers, events: `0x${toHex(queue)}`, data };
}
