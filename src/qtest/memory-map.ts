// What QEMU's `virt` machine puts where in physical memory, as far as a walk can touch it.
import type { AddressMap } from "../engine/memory.ts";

/** Places of the machine's parts. */
export const VIRT = {
  gicd: 0x08000000n,
  its: 0x08080000n,
  gicr: 0x080a0000n,
  smmu: 0x09050000n,
  /** First arm-smmuv3 that was created with -device. */
  dynamicSmmu: 0x0c000000n,
  ram: 0x40000000n,
  ecam: 0x4010000000n,
} as const;

/** [base, bytes] of the windows in which PCI functions answer; the rest of them reads as ones. */
export const PCI_WINDOWS: readonly (readonly [bigint, bigint])[] = [
  [0x10000000n, 0x2eff0000n],
  [0x8000000000n, 0x8000000000n],
];
/** Two flash devices that read as zero, and the machine's MMIO, which reads as zero mostly. */
const ZERO_WINDOW = [0n, 0x08000000n] as const;

/** Maps RAM, flash and the PCI windows; gives the linear address of RAM. */
export function mapVirt(map: AddressMap, ramBytes: number): number {
  const lin = map.mapRam(VIRT.ram, ramBytes);
  map.mapZero(...ZERO_WINDOW);
  for (const [base, bytes] of PCI_WINDOWS) map.mapOnes(base, bytes);
  return lin;
}
