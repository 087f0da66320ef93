// Interrupt routes and their bytes: kvm_irq_routing_entry and its table (Linux 7.2 kvm.h).

import { pack, unpack } from "../spec/uapi.ts";
import {
  KVM_IRQ_ROUTING_IRQCHIP,
  KVM_IRQ_ROUTING_MSI,
  KVM_MSI_VALID_DEVID,
  kvm_irq_routing,
  kvm_irq_routing_entry,
} from "../spec/uapi-kvm.ts";

/** A GSI that sends a message. The fix-up changes the address of one in place. */
export interface MsiRoute {
  readonly type: "msi";
  readonly gsi: number;
  /** KVM_MSI_VALID_DEVID, or 0. */
  readonly flags: number;
  addressLo: number;
  addressHi: number;
  data: number;
  devid: number;
}

/** A GSI that raises a pin of the interrupt controller: on arm64, SPI 32 + pin. */
export interface IrqchipRoute {
  readonly type: "irqchip";
  readonly gsi: number;
  readonly flags: number;
  readonly irqchip: number;
  readonly pin: number;
}

/** A route of a type that arm64 does not have. */
export interface OtherRoute {
  readonly type: "other";
  readonly gsi: number;
  readonly flags: number;
  readonly kind: number;
}

export type Route = MsiRoute | IrqchipRoute | OtherRoute;

const LOW_WORD = 2n ** 32n;

/** Address of an MSI route: a guest-physical doorbell once it is fixed up. */
export const routeAddress = (route: Pick<MsiRoute, "addressHi" | "addressLo">): bigint =>
  BigInt(route.addressHi) * LOW_WORD + BigInt(route.addressLo);

/** An MSI route. Without `devid` the entry does not claim to know the DeviceID. */
export function msiRoute(gsi: number, address: bigint, data: number, devid?: number): MsiRoute {
  return {
    type: "msi",
    gsi,
    flags: devid === undefined ? 0 : KVM_MSI_VALID_DEVID,
    addressLo: Number(address % LOW_WORD),
    addressHi: Number(address / LOW_WORD),
    data,
    devid: devid ?? 0,
  };
}

/** True when two routes have the same bytes. */
export function sameRoute(a: Route, b: Route): boolean {
  const left = packRoute(a);
  return packRoute(b).every((byte, i) => byte === left[i]);
}

/** The 48 bytes of an entry. */
export function packRoute(route: Route): Uint8Array {
  const { gsi, flags } = route;
  if (route.type === "irqchip")
    return pack(kvm_irq_routing_entry, {
      gsi,
      flags,
      type: KVM_IRQ_ROUTING_IRQCHIP,
      "u.irqchip.irqchip": route.irqchip,
      "u.irqchip.pin": route.pin,
    });
  if (route.type === "other") return pack(kvm_irq_routing_entry, { gsi, flags, type: route.kind });
  return pack(kvm_irq_routing_entry, {
    gsi,
    flags,
    type: KVM_IRQ_ROUTING_MSI,
    "u.msi.address_lo": route.addressLo,
    "u.msi.address_hi": route.addressHi,
    "u.msi.data": route.data,
    "u.msi.devid": route.devid,
  });
}

/** The entry at byte `offset`. Throws a RangeError when there are fewer than 48 bytes. */
export function unpackRoute(bytes: Uint8Array, offset = 0): Route {
  const entry = unpack(kvm_irq_routing_entry, bytes, offset);
  const { gsi, flags } = entry;
  if (entry.type === KVM_IRQ_ROUTING_IRQCHIP) {
    const irqchip = entry["u.irqchip.irqchip"];
    return { type: "irqchip", gsi, flags, irqchip, pin: entry["u.irqchip.pin"] };
  }
  if (entry.type !== KVM_IRQ_ROUTING_MSI) return { type: "other", gsi, flags, kind: entry.type };
  return {
    type: "msi",
    gsi,
    flags,
    addressLo: entry["u.msi.address_lo"],
    addressHi: entry["u.msi.address_hi"],
    data: entry["u.msi.data"],
    devid: entry["u.msi.devid"],
  };
}

/** Argument of KVM_SET_GSI_ROUTING: header and entries. */
export function packRouting(routes: readonly Route[]): Uint8Array {
  const entries = new Uint8Array(routes.length * kvm_irq_routing_entry.bytes);
  routes.forEach((route, i) => {
    entries.set(packRoute(route), i * kvm_irq_routing_entry.bytes);
  });
  return pack(kvm_irq_routing, { nr: routes.length, flags: 0, entries });
}
