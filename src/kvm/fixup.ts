// What a route's address becomes before KVM sees it: QEMU's kvm_arch_fixup_msi_route() on Arm.
import { iommuAddressSpaceOf, msiDirectGpaOf } from "../pci/bus.ts";
import type { PciFunction } from "../pci/function.ts";
import type { AddressSpace } from "../pci/iommu.ts";
import type { RcuReader } from "./rcu.ts";
import type { MsiRoute } from "./route.ts";

/** Guest-physical memory as a list of ranges: RAM, devices, interrupt frames. */
export interface FlatView {
  /** The range that holds this address, if there is one. */
  findRange(gpa: bigint): { readonly name: string } | undefined;
}

/** What the fix-up looks at besides the route and the function. */
export interface FixupContext {
  /** The machine's memory: the one address space object that counts as global. */
  readonly memory: AddressSpace;
  readonly ranges: FlatView;
  readonly rcu: RcuReader;
  /**
   * Asks for the doorbell before looking whether an IOMMU is in front. Default false, as in QEMU.
   */
  readonly doorbellFirst?: boolean;
}

/** Which way the address took, and what came of it. */
export interface FixupResult {
  /** 0: use the route. 1: it cannot be made; its GSI is given back and the caller gets -EINVAL. */
  readonly result: 0 | 1;
  /**
   * "global": no IOMMU. "direct": the IOMMU named its doorbell. "walk": the address was translated.
   */
  readonly branch: "global" | "direct" | "walk";
  /** The address in the guest's MSI message. */
  readonly address: bigint;
  /** The address that the route carries now; undefined when the fix-up failed. */
  readonly doorbell: bigint | undefined;
  /** Why it failed: the translation's fault, or no range of memory at the translated address. */
  readonly failure: string | undefined;
}

const LOW_WORD = 2n ** 32n;

function useDoorbell(
  route: MsiRoute,
  branch: "direct" | "walk",
  address: bigint,
  doorbell: bigint,
): FixupResult {
  route.addressHi = Number(doorbell / LOW_WORD);
  route.addressLo = Number(doorbell % LOW_WORD);
  return { result: 0, branch, address, doorbell, failure: undefined };
}

const failed = (address: bigint, failure: string): FixupResult => ({
  result: 1,
  branch: "walk",
  address,
  doorbell: undefined,
  failure,
});

/** Translates as a write, inside one RCU read section that every exit leaves exactly once. */
function walk(space: AddressSpace, address: bigint, context: FixupContext): bigint | string {
  context.rcu.lock();
  const answer = space.translate(address, true);
  if ("fault" in answer) {
    context.rcu.unlock();
    return answer.fault;
  }
  const range = context.ranges.findRange(answer.gpa);
  context.rcu.unlock();
  return range === undefined ? "no memory at the translated address" : answer.gpa;
}

/**
 * Puts the guest-physical doorbell into a route whose message carries the address that the guest
 * programmed.
 *
 * 1. No IOMMU in front of the function: the address is used as it is.
 * 2. The IOMMU names its doorbell: that is used; the guest's address is not looked at.
 * 3. Otherwise the address is translated as a write and must land in a range of memory.
 */
export function kvmArchFixupMsiRoute(
  route: MsiRoute,
  address: bigint,
  fn: PciFunction,
  context: FixupContext,
): FixupResult {
  const space = iommuAddressSpaceOf(fn, context.memory);
  if (space.isGlobal && !context.doorbellFirst)
    return { result: 0, branch: "global", address, doorbell: address, failure: undefined };
  const direct = msiDirectGpaOf(fn);
  if (direct !== undefined) return useDoorbell(route, "direct", address, direct);
  const doorbell = walk(space, address, context);
  if (typeof doorbell === "string") return failed(address, doorbell);
  return useDoorbell(route, "walk", address, doorbell);
}
