// edu: a function with a 4 KiB buffer, DMA both ways on a timer, and an interrupt on demand.
import type { PciFunction } from "../pci/function.ts";
import { type Endpoint, endpointFunction } from "./function.ts";

const ID = {
  vendor: 0x1234,
  device: 0x11e8,
  revision: 0x10,
  classCode: 0x00ff00,
  barBytes: 0x100000,
  interruptPin: 1,
  msi: true,
};
const REG = {
  id: 0x00,
  live: 0x04,
  factorial: 0x08,
  status: 0x20,
  irqStatus: 0x24,
  irqRaise: 0x60,
  irqAck: 0x64,
  source: 0x80,
  destination: 0x88,
  count: 0x90,
  command: 0x98,
} as const;
const ID_VALUE = 0x010000ed;
const BUFFER_AT = 0x40000n;
const BUFFER_BYTES = 4096;
/** Where registers of 8 bytes start; below, only 4-byte accesses are answered. */
const WIDE_FROM = 0x80;
/** Virtual nanoseconds from the command to the copy. */
const DELAY_NS = 100_000_000n;
const NOTHING = 0xffffffffn;
const IRQ_DMA = 0x100n;

/** How the function reaches the world. */
export interface EduPorts {
  /** The properties of -device: `dma_mask` bounds the addresses of DMA. */
  dmaMask: bigint;
  dmaRead(fn: PciFunction, iova: bigint, bytes: number): Uint8Array;
  dmaWrite(fn: PciFunction, iova: bigint, data: Uint8Array): boolean;
  /** Signals MSI vector 0, when the function may. */
  signal(fn: PciFunction): void;
  /** Calls back when the virtual clock has advanced by this much. */
  after(ns: bigint, run: () => void): void;
}

const bit = (value: bigint, at: number) => (value >> BigInt(at)) % 2n === 1n;

/** Makes an edu. */
export function edu(devfn: number, multi: boolean, ports: EduPorts): Endpoint {
  const fn = endpointFunction(devfn, ID, multi);
  const buffer = new Uint8Array(BUFFER_BYTES);
  let registers = new Map<number, bigint>();
  let epoch = 0;
  const get = (offset: number) => registers.get(offset) ?? 0n;
  const reset = () => {
    registers = new Map();
    buffer.fill(0);
    epoch++;
  };
  const raise = (bits: bigint) => {
    const status = get(REG.irqStatus);
    registers.set(REG.irqStatus, status | bits);
    if (get(REG.irqStatus) !== 0n) ports.signal(fn);
  };
  const copy = () => {
    const command = get(REG.command);
    if (!bit(command, 0)) return;
    const toMemory = bit(command, 1);
    const inside = get(toMemory ? REG.source : REG.destination) - BUFFER_AT;
    const outside = get(toMemory ? REG.destination : REG.source) & ports.dmaMask;
    const bytes = Number(get(REG.count));
    if (inside >= 0n && inside + BigInt(bytes) <= BigInt(BUFFER_BYTES)) {
      const at = Number(inside);
      if (toMemory) ports.dmaWrite(fn, outside, buffer.slice(at, at + bytes));
      else buffer.set(ports.dmaRead(fn, outside, bytes), at);
    }
    registers.set(REG.command, command - 1n);
    if (bit(command, 2)) raise(IRQ_DMA);
  };
  const writeWide = (offset: number, value: bigint) => {
    if (bit(get(REG.command), 0)) return;
    registers.set(offset, value);
    if (offset !== REG.command || !bit(value, 0)) return;
    const started = epoch;
    ports.after(DELAY_NS, () => {
      if (started === epoch) copy();
    });
  };
  const writeNarrow = (offset: number, value: bigint) => {
    if (offset === REG.live) registers.set(REG.live, BigInt.asUintN(32, ~value));
    else if (offset === REG.factorial) registers.set(REG.factorial, factorial(value));
    else if (offset === REG.status) registers.set(REG.status, value & 0x80n);
    else if (offset === REG.irqRaise) raise(value);
    else if (offset === REG.irqAck) registers.set(REG.irqStatus, get(REG.irqStatus) & ~value);
  };
  return {
    fn,
    reset,
    registers: {
      read(offset, size) {
        if (offset >= WIDE_FROM) return size < 4 || offset % 8 ? NOTHING : get(offset);
        if (size !== 4) return NOTHING;
        if (offset === REG.id) return BigInt(ID_VALUE);
        const readable = [REG.live, REG.factorial, REG.status, REG.irqStatus] as number[];
        return readable.includes(offset) ? get(offset) : NOTHING;
      },
      write(offset, size, value) {
        if (offset < WIDE_FROM && size === 4) writeNarrow(offset, value);
        else if (offset >= WIDE_FROM && size >= 4 && offset <= REG.command)
          writeWide(offset, value);
        return true;
      },
    },
  };
}

/** n! modulo 2^32. */
function factorial(n: bigint): bigint {
  let result = 1n;
  for (let i = 2n; i <= n && result !== 0n; i++) result = BigInt.asUintN(32, result * i);
  return result;
}
