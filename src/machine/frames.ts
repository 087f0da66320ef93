// What lies where in the guest-physical memory of QEMU's virt machine, as far as messages can hit
// it.
import { ITS_FRAME_BYTES } from "../gic/its.ts";
import type { FlatView } from "../kvm/fixup.ts";

/** A range of guest-physical memory. */
export interface Frame {
  readonly name: string;
  readonly base: bigint;
  readonly bytes: bigint;
}

export const ITS_BASE = 0x0808_0000n;
export const V2M_BASE = 0x0802_0000n;

const DISTRIBUTOR: Frame = { name: "gicv3_dist", base: 0x0800_0000n, bytes: 0x1_0000n };
const REDISTRIBUTORS: Frame = { name: "gicv3_redist", base: 0x080a_0000n, bytes: 0xf6_0000n };
const ITS: Frame = { name: "gicv3_its", base: ITS_BASE, bytes: ITS_FRAME_BYTES };
const V2M: Frame = { name: "gicv2m", base: V2M_BASE, bytes: 0x1000n };

/** The MSI controller of a machine. */
export type MsiController = "its" | "gicv2m" | "none";

/** RAM and interrupt frames of a machine. */
export function framesOf(
  ram: { readonly base: bigint; readonly bytes: bigint },
  controller: MsiController,
): Frame[] {
  const msi = { its: [ITS], gicv2m: [V2M], none: [] }[controller];
  return [{ name: "ram", ...ram }, DISTRIBUTOR, REDISTRIBUTORS, ...msi];
}

/** The frames as the route fix-up looks at them. */
export const viewOf = (frames: readonly Frame[]): FlatView => ({
  findRange: (gpa) => frames.find(({ base, bytes }) => gpa >= base && gpa < base + bytes),
});
