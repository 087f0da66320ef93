// The register file: one word for each architected offset; page 1 shares page 0's words (IHI0070
// 6.2).
import { REGISTERS } from "./state";

/** Offsets wrap at the page size: page 1's registers alias page 0's. */
const PAGE_OFFSET: u32 = 0xffff;

/** Offset of a register within the file. */
export function fileOffset(offset: u32): u32 {
  return offset & PAGE_OFFSET;
}

export function reg32(offset: u32): u32 {
  return load<u32>(REGISTERS + (offset & PAGE_OFFSET));
}

export function reg64(offset: u32): u64 {
  return load<u64>(REGISTERS + (offset & PAGE_OFFSET));
}

export function setReg32(offset: u32, value: u32): void {
  store<u32>(REGISTERS + (offset & PAGE_OFFSET), value);
}

export function setReg64(offset: u32, value: u64): void {
  store<u64>(REGISTERS + (offset & PAGE_OFFSET), value);
}
