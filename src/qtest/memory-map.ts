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

/** [base, bytes] of the flash devices, which nothing has been written to. */
export const FLASHES: readonly (readonly [bigint, bigint])[] = [
  [0n, 0x04000000n],
  [0x04000000n, 0x04000000n],
];
/** [base, bytes] of the windows in which PCI functions answer; the rest of them reads as ones. */
export const PCI_WINDOWS: readonly (readonly [bigint, bigint])[] = [
  [0x10000000n, 0x2eff0000n],
  [0x8000000000n, 0x8000000000n],
];
/**
 * Where a fetch reads zero: the flash devices, and the frames of the interrupt controller, UART,
 * clock, GPIO, SMMU and virtio slots, none of which has a 64-bit register at the places that
 * matter. An address between them is an external abort.
 */
const ZERO_WINDOWS: readonly (readonly [bigint, bigint])[] = [
  ...FLASHES,
  [VIRT.gicd, 0x10000n],
  [VIRT.its, 0x20000n],
  [VIRT.gicr, 0x20000n],
  [0x09000000n, 0x1000n],
  [0x09010000n, 0x1000n],
  [0x09030000n, 0x1000n],
  [VIRT.smmu, 0x20000n],
  [0x0a000000n, 0x4000n],
];

/** Maps RAM, flash and the PCI windows; gives the linear address of RAM. */
export function mapVirt(map: AddressMap, ramBytes: number): number {
  const lin = map.mapRam(VIRT.ram, ramBytes);
  for (const [base, bytes] of ZERO_WINDOWS) map.mapZero(base, bytes);
  for (const [base, bytes] of PCI_WINDOWS) map.mapOnes(base, bytes);
  return lin;
}
