// The kernel's interrupt routing table: replaced whole, or left as it was (Linux 7.2 irqchip.c).
import { ERRNO } from "../spec/errno.ts";
import { unpack } from "../spec/uapi.ts";
import { KVM_MSI_VALID_DEVID, kvm_irq_routing, kvm_irq_routing_entry } from "../spec/uapi-kvm.ts";
import { type Route, unpackRoute } from "./route.ts";

/**
 * Most entries that a table may have, and the limit of GSI numbers (KVM_MAX_IRQ_ROUTES on arm64).
 */
export const KVM_MAX_IRQ_ROUTES = 4096;
/** SPIs of the interrupt controller: 1020 - 32. */
const IRQCHIP_PINS = 988;
const IRQCHIPS = 1;

/** True when the kernel takes an entry of this type with these flags and members. */
function isLegal(route: Route): boolean {
  if (route.gsi >= KVM_MAX_IRQ_ROUTES) return false;
  if (route.type === "msi") return route.flags === 0 || route.flags === KVM_MSI_VALID_DEVID;
  if (route.flags !== 0 || route.type === "other") return false;
  return route.pin < IRQCHIP_PINS && route.irqchip < IRQCHIPS;
}

/** One GSI holds one message, or one pin of each interrupt controller. */
function isSecond(route: Route, others: readonly Route[]): boolean {
  return others.some(
    (other) =>
      other.type !== "irqchip" || route.type !== "irqchip" || other.irqchip === route.irqchip,
  );
}

/** The table that injections look at. */
export class IrqRoutingTable {
  private byGsi = new Map<number, Route[]>();
  private count = 0;
  private replaced = 0;

  /** How many entries there are. */
  get size(): number {
    return this.count;
  }

  /** How often the table was replaced. Every irqfd sees the new one from then on. */
  get generation(): number {
    return this.replaced;
  }

  /** Routes of a GSI; none when there are none. */
  routesOf(gsi: number): readonly Route[] {
    return this.byGsi.get(gsi) ?? [];
  }

  /** Every route, by GSI and in the order of the call that set them. */
  routes(): Route[] {
    return [...this.byGsi.values()].flat();
  }

  /**
   * KVM_SET_GSI_ROUTING with the bytes of its argument. 0, -EINVAL for a table that the kernel does
   * not take, -EFAULT for one that is shorter than it says. A refused table changes nothing.
   */
  set(argument: Uint8Array): number {
    if (argument.length < kvm_irq_routing.bytes) return -ERRNO.EFAULT;
    const { nr, flags, entries } = unpack(kvm_irq_routing, argument);
    if (nr > KVM_MAX_IRQ_ROUTES || flags !== 0) return -ERRNO.EINVAL;
    if (entries.length < nr * kvm_irq_routing_entry.bytes) return -ERRNO.EFAULT;
    const table = new Map<number, Route[]>();
    for (let i = 0; i < nr; i++) {
      const route = unpackRoute(entries, i * kvm_irq_routing_entry.bytes);
      const others = table.get(route.gsi) ?? [];
      if (!isLegal(route) || isSecond(route, others)) return -ERRNO.EINVAL;
      table.set(route.gsi, [...others, route]);
    }
    this.byGsi = table;
    this.count = nr;
    this.replaced++;
    return 0;
  }
}
