// The route fix-up's RCU read section: every exit leaves it once, and a scope guard that is jumped
// over would not.
import { type FixupContext, kvmArchFixupMsiRoute } from "../kvm/fixup.ts";
import { RcuReader } from "../kvm/rcu.ts";
import { msiRoute } from "../kvm/route.ts";
import { endpointConfig } from "../machine/endpoint-config.ts";
import { PciBus } from "../pci/bus.ts";
import { PciFunction } from "../pci/function.ts";
import {
  type AddressSpace,
  globalAddressSpace,
  type PCIIOMMUOps,
  sharedSystemMemory,
} from "../pci/iommu.ts";

const MESSAGE = 0xffff_f040n;
const DOORBELL = 0x0809_0040n;

/** The exits of the fix-up behind an IOMMU. */
export type RcuExit = "doorbell" | "translated" | "no translation" | "no memory there";

const walking = (gpa: bigint | undefined): AddressSpace => ({
  name: "smmuv3-iommu",
  isGlobal: false,
  translate: () => (gpa === undefined ? { fault: "F_TRANSLATION" } : { gpa, mask: 0xfffn }),
});

const OPS: Readonly<Record<RcuExit, PCIIOMMUOps<PciBus>>> = {
  doorbell: { getAddressSpace: () => sharedSystemMemory(), getMsiDirectGpa: () => DOORBELL },
  translated: { getAddressSpace: () => walking(DOORBELL) },
  "no translation": { getAddressSpace: () => walking(undefined) },
  "no memory there": { getAddressSpace: () => walking(0xdead_0000n) },
};

function functionBehind(ops: PCIIOMMUOps<PciBus>): PciFunction {
  const bus = new PciBus("pcie.0", { number: 0 });
  bus.iommuOps = ops;
  const fn = new PciFunction({ bdf: "0000:00:01.0", config: endpointConfig() });
  bus.plug(fn);
  return fn;
}

/** Takes every exit `rounds` times and gives the depth of the read section after each. */
export function rcuDepths(rounds = 1): Record<RcuExit, number> {
  const depths = {} as Record<RcuExit, number>;
  for (const exit of Object.keys(OPS) as RcuExit[]) {
    const context: FixupContext = {
      memory: globalAddressSpace(),
      ranges: { findRange: (gpa) => (gpa === DOORBELL ? { name: "its" } : undefined) },
      rcu: new RcuReader(),
    };
    const fn = functionBehind(OPS[exit]);
    for (let i = 0; i < rounds; i++)
      kvmArchFixupMsiRoute(msiRoute(0, MESSAGE, 0), MESSAGE, fn, context);
    depths[exit] = context.rcu.depth;
  }
  return depths;
}

/**
 * The fix-up as it would be with the read section held by a scope guard: leaving the function runs
 * the guard's end, also on the path that jumped over its beginning. Gives what goes wrong there.
 */
export function jumpOverGuard(): string | undefined {
  const rcu = new RcuReader();
  const guarded = (knowsDoorbell: boolean): void => {
    try {
      // The jump: the guard's beginning below is not reached.
      if (knowsDoorbell) return;
      rcu.lock();
    } finally {
      rcu.unlock();
    }
  };
  guarded(false);
  try {
    guarded(true);
    return undefined;
  } catch (error) {
    if (error instanceof Error) return error.message;
    throw error;
  }
}
