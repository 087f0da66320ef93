// iommu-testdev: a function whose one DMA checks that a write through the SMMU lands where it
// should.

import type { PciFunction } from "../pci/function.ts";
import { type Endpoint, endpointFunction } from "./function.ts";

const ID = { vendor: 0x1b36, device: 0x0005, classCode: 0x00ff00, barBytes: 0x1000 };
/** Registers: 32 bits each. Reading TRIGGER runs an armed DMA. */
const REG = {
  trigger: 0x00,
  gvaLow: 0x04,
  gvaHigh: 0x08,
  length: 0x0c,
  result: 0x10,
  doorbell: 0x14,
  attributes: 0x18,
  gpaLow: 0x1c,
  gpaHigh: 0x20,
} as const;
const IDLE = 0xffffffff;
const BUSY = 0xfffffffe;
const BAD_LENGTH = 0xdead0001;
const WRITE_FAILED = 0xdead0002;
const READ_FAILED = 0xdead0003;
const MISMATCH = 0xdead0004;
const NOT_ARMED = 0xdead0005;
const BAD_ATTRIBUTES = 0xdead0006;
/** Security space of the attributes at reset: non-secure, not marked valid. */
const ATTRIBUTES_RESET = 2;
const PATTERN = [0x78, 0x56, 0x34, 0x12];
/** A longer DMA than this is refused: the machine has no more RAM. */
const LENGTH_MAX = 0x80000000;

/** How the function reaches memory. */
export interface TestdevPorts {
  /** Stores at an IOVA; false when any part of it failed. */
  dmaWrite(fn: PciFunction, iova: bigint, data: Uint8Array): boolean;
  /** Physical memory, not translated. */
  readPhysical(pa: bigint, bytes: number): Uint8Array | undefined;
}

/** Attribute bits: 0 secure, 2:1 space (0 secure, 1 non-secure), 3 space valid. */
function attributesAreBad(attributes: number): boolean {
  const secure = attributes % 2;
  const space = Math.floor(attributes / 2) % 4;
  const valid = Math.floor(attributes / 8) % 2;
  return valid === 1 && ((space === 0 && secure === 0) || (space === 1 && secure === 1));
}

/** Makes an iommu-testdev. */
export function testdev(devfn: number, multi: boolean, ports: TestdevPorts): Endpoint {
  const fn = endpointFunction(devfn, ID, multi);
  const state = new Map<number, number>();
  let armed = false;
  const get = (offset: number) => state.get(offset) ?? 0;
  const wide = (low: number) => BigInt(get(low + 4)) * 2n ** 32n + BigInt(get(low));
  const reset = () => {
    state.clear();
    state.set(REG.attributes, ATTRIBUTES_RESET);
    state.set(REG.result, IDLE);
    armed = false;
  };
  const run = (): number => {
    if (!armed) return NOT_ARMED;
    armed = false;
    const bytes = get(REG.length);
    if (bytes === 0 || bytes > LENGTH_MAX) return BAD_LENGTH;
    if (attributesAreBad(get(REG.attributes))) return BAD_ATTRIBUTES;
    const data = Uint8Array.from({ length: bytes }, (_, i) => PATTERN[i % PATTERN.length]);
    if (!ports.dmaWrite(fn, wide(REG.gvaLow), data)) return WRITE_FAILED;
    const found = ports.readPhysical(wide(REG.gpaLow), bytes);
    if (!found) return READ_FAILED;
    return found.every((byte, i) => byte === data[i]) ? 0 : MISMATCH;
  };
  const read = (offset: number): number => {
    if (offset === REG.trigger) state.set(REG.result, run());
    return offset === REG.trigger || offset === REG.doorbell ? 0 : get(offset);
  };
  const write = (offset: number, value: number): void => {
    if (offset === REG.doorbell) {
      armed = value % 2 === 1;
      state.set(REG.result, armed ? BUSY : IDLE);
    } else if (offset > REG.trigger && offset <= REG.gpaHigh && offset !== REG.result) {
      state.set(offset, value);
    }
  };
  reset();
  const registers = {
    read(offset: number, size: number): bigint {
      if (size === 8) return BigInt(read(offset)) + BigInt(read(offset + 4)) * 2n ** 32n;
      return size === 4 ? BigInt(read(offset)) : 0n;
    },
    write(offset: number, size: number, value: bigint): boolean {
      if (size < 4) return true;
      write(offset, Number(BigInt.asUintN(32, value)));
      if (size === 8) write(offset + 4, Number(value >> 32n));
      return true;
    },
  };
  return { fn, registers, reset };
}
