// Resolves one vector: by walking and by the direct doorbell, through KVM, to its interrupt.

import { kvmArchFixupMsiRoute } from "../kvm/fixup.ts";
import { msiRoute, routeAddress } from "../kvm/route.ts";
import { iommuAddressSpaceOf } from "../pci/bus.ts";
import type { PciFunction, Vector } from "../pci/function.ts";
import { ERRNO } from "../spec/errno.ts";
import type { Machine } from "./machine.ts";

/** What a message becomes. */
export interface RouteDelivery {
  /**
   * "delivered"; "pending": at a redistributor that has it disabled; "masked": the function may not
   * send it now; "lost": nothing would remember it.
   */
  status: "delivered" | "pending" | "masked" | "lost";
  reason: string;
  deviceId: number | null;
  eventId: number | null;
  /** LPI, or the SPI of a GICv2m. */
  lpi: number | null;
  /** Number of the target redistributor. */
  target: number | null;
  icid: number | null;
  /** The LPI's configuration byte. */
  config: number | null;
}

/** One vector's way. Addresses are bigints. */
export interface RouteReport {
  bdf: string;
  sid: number;
  type: "msi" | "msix";
  vector: number;
  masked: boolean;
  /** The address and data that the guest programmed. */
  iova: bigint;
  data: number;
  /** null: no SMMU in front of the function. */
  walk: { gpa: bigint | null; fetches: number; event: string | null } | null;
  direct: { gpa: bigint };
  /** Whether both ways lead to the same doorbell. */
  agree: boolean;
  /** KVM's route; null when none could be made. */
  route: { gsi: number; address: bigint; data: number; devid: number } | null;
  delivery: RouteDelivery;
}

/** Every vector that software has programmed: its address is not zero. */
export function programmedVectors(machine: Machine): { fn: PciFunction; vector: Vector }[] {
  return machine.functions.flatMap((fn) =>
    fn
      .vectors()
      .filter((vector) => vector.message.address !== 0n)
      .map((vector) => ({ fn, vector })),
  );
}

/** Resolves every programmed vector: all routes are made, the table is committed, all are sent. */
export function resolveVectors(machine: Machine): RouteReport[] {
  const routes = programmedVectors(machine).map(({ fn, vector }) => prepare(machine, fn, vector));
  machine.irqchip.commitRoutes();
  return routes.map((send) => send());
}

/** Resolves one vector both ways and sends its message through KVM. */
export function resolveVector(machine: Machine, fn: PciFunction, vector: Vector): RouteReport {
  const send = prepare(machine, fn, vector);
  machine.irqchip.commitRoutes();
  return send();
}

/** Makes a vector's route; what comes back sends its message once the table is committed. */
function prepare(machine: Machine, fn: PciFunction, vector: Vector): () => RouteReport {
  const { address, data } = vector.message;
  const global = iommuAddressSpaceOf(fn, machine.fixup.memory).isGlobal;
  const walk = global ? null : walkDoorbell(machine, fn, address);
  machine.takePath("direct");
  const direct = { gpa: fixed(machine, fn, address) ?? address };
  const { route, gsi } = makeRoute(machine, fn, vector, direct.gpa);
  return () => ({
    bdf: fn.bdf,
    sid: machine.sidOf(fn),
    type: vector.type,
    vector: vector.vector,
    masked: vector.masked,
    iova: address,
    data,
    walk,
    direct,
    agree: walk === null || walk.gpa === direct.gpa,
    route,
    delivery: maskedOr(vector, deliver(machine, gsi, route !== null, data)),
  });
}

function walkDoorbell(machine: Machine, fn: PciFunction, address: bigint): RouteReport["walk"] {
  machine.takePath("walk");
  const route = msiRoute(0, address, 0);
  const { doorbell, failure } = kvmArchFixupMsiRoute(route, address, fn, machine.fixup);
  return {
    gpa: doorbell ?? null,
    fetches: machine.countFetches(fn, address, true),
    event: failure ?? null,
  };
}

function fixed(machine: Machine, fn: PciFunction, address: bigint): bigint | undefined {
  const route = msiRoute(0, address, 0);
  return kvmArchFixupMsiRoute(route, address, fn, machine.fixup).doorbell;
}

/** Adds the vector's KVM route; a GICv2m needs none: the GSI is the SPI. */
function makeRoute(
  machine: Machine,
  fn: PciFunction,
  vector: Vector,
  doorbell: bigint,
): { gsi: number; route: RouteReport["route"] } {
  const { irqchip } = machine;
  const { data } = vector.message;
  const gsi = irqchip.addMsiRoute(fn, vector.vector, vector.message);
  if (gsi < 0) return { gsi, route: null };
  const found = irqchip.routes.find((r) => r.type === "msi" && r.gsi === gsi);
  if (found?.type !== "msi") {
    return { gsi, route: { gsi, address: doorbell, data, devid: machine.sidOf(fn) } };
  }
  const route = { gsi, address: routeAddress(found), data: found.data, devid: found.devid };
  return { gsi, route };
}

const NOWHERE = {
  deviceId: null,
  eventId: null,
  lpi: null,
  target: null,
  icid: null,
  config: null,
};

function deliver(machine: Machine, gsi: number, routed: boolean, data: number): RouteDelivery {
  if (!routed) {
    const reason = gsi === -ERRNO.ENOSPC ? "no GSI is free" : "the route could not be fixed up";
    return { status: "lost", reason, ...NOWHERE };
  }
  if (machine.v2m) {
    const { outcome, reason, spi } = machine.v2m.deliver(data);
    return { ...NOWHERE, status: outcome, reason, eventId: data, lpi: spi ?? null };
  }
  const [signal] = machine.irqchip.vm.raise(gsi);
  if (signal?.kind !== "message") {
    return { status: "lost", reason: "the GSI has no message route", ...NOWHERE };
  }
  const { outcome, text, delivery } = signal.injection;
  return {
    status: outcome,
    reason: text,
    deviceId: delivery?.deviceId ?? signal.route.devid,
    eventId: delivery?.eventId ?? signal.route.data,
    lpi: delivery?.lpi ?? null,
    target: delivery?.rdbase ?? null,
    icid: delivery?.icid ?? null,
    config: delivery?.config ?? null,
  };
}

function maskedOr(vector: Vector, delivery: RouteDelivery): RouteDelivery {
  if (!vector.masked) return delivery;
  return { ...delivery, status: "masked", reason: "the vector is masked: nothing is sent" };
}
