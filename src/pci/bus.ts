// Buses: functions on them, the IOMMU in front, and the requester ID that leaves (PCIe 2.2.6).
import { requesterIdOf } from "./bdf.ts";
import type { PciFunction } from "./function.ts";
import type { AddressSpace, PCIIOMMUOps } from "./iommu.ts";

/** A function as its IOMMU sees it: bridges to conventional PCI hide what is behind them. */
interface IommuView {
  readonly ops: PCIIOMMUOps<PciBus> | undefined;
  readonly bus: PciBus;
  readonly devfn: number;
}

const isExpressToPci = (bridge: PciFunction): boolean =>
  bridge.expressPortType === "PCIE_TO_PCI_BRIDGE";

/** A PCI bus: a root of the machine, or the far side of a bridge. */
export class PciBus {
  readonly name: string;
  /** The bridge that leads here; undefined on a root bus. */
  readonly parent: PciFunction | undefined;
  /** Operations of the IOMMU in front of this bus. */
  iommuOps: PCIIOMMUOps<PciBus> | undefined;
  /** On a root bus: true when everything below goes around the IOMMU. */
  bypassIommu = false;
  private readonly rootNumber: number;
  private readonly slots = new Map<number, PciFunction>();

  /** A root bus with its number, or the bus behind `parent` (then the bridge says the number). */
  constructor(name: string, place: { number: number } | { parent: PciFunction }) {
    this.name = name;
    this.parent = "parent" in place ? place.parent : undefined;
    this.rootNumber = "parent" in place ? 0 : place.number;
  }

  get number(): number {
    return this.parent?.secondaryBus ?? this.rootNumber;
  }

  /** True for a PCI Express bus; false behind a bridge to conventional PCI. */
  get isExpress(): boolean {
    if (this.parent === undefined) return true;
    const type = this.parent.expressPortType;
    return type !== undefined && type !== "PCIE_TO_PCI_BRIDGE";
  }

  /** Functions in order of devfn. */
  get functions(): PciFunction[] {
    return [...this.slots.values()].sort((a, b) => a.devfn - b.devfn);
  }

  /**
   * Puts a function on the bus. Throws when the slot is taken or the IOMMU refuses the function.
   */
  plug(fn: PciFunction): void {
    if (this.slots.has(fn.devfn)) throw new Error(`${this.name}: ${fn.bdf} is already there`);
    fn.bus = this;
    this.slots.set(fn.devfn, fn);
    const view = iommuViewOf(fn);
    const refusal = view.ops?.supportsAddressSpace?.(view.bus, view.devfn);
    if (refusal === undefined) return;
    this.unplug(fn);
    throw new Error(refusal);
  }

  unplug(fn: PciFunction): void {
    if (this.slots.get(fn.devfn) === fn) this.slots.delete(fn.devfn);
    fn.bus = undefined;
  }

  /** The function at a devfn of this bus. */
  find(devfn: number): PciFunction | undefined {
    return this.slots.get(devfn);
  }
}

function busOf(fn: PciFunction): PciBus {
  if (fn.bus === undefined) throw new Error(`${fn.bdf} is not plugged into a bus`);
  return fn.bus;
}

function rootOf(bus: PciBus): PciBus {
  return bus.parent === undefined ? bus : rootOf(busOf(bus.parent));
}

/**
 * Climbs from the function to the bus that has an IOMMU. A bridge from Express to conventional PCI
 * stands in for all that is behind it as (secondary bus, 0); a conventional bridge as itself.
 */
function iommuViewOf(fn: PciFunction): IommuView {
  let bus = busOf(fn);
  let devfn = fn.devfn;
  let at = bus;
  while (at.iommuOps === undefined && at.parent !== undefined) {
    const bridge = at.parent;
    if (!at.isExpress && isExpressToPci(bridge)) {
      devfn = 0;
      bus = at;
    } else if (!at.isExpress) {
      devfn = bridge.devfn;
      bus = busOf(bridge);
    }
    at = busOf(bridge);
  }
  return { ops: rootOf(bus).bypassIommu ? undefined : at.iommuOps, bus, devfn };
}

/**
 * The address space that the function's accesses go through; `memory` when no IOMMU is in front.
 */
export function iommuAddressSpaceOf(fn: PciFunction, memory: AddressSpace): AddressSpace {
  const { ops, bus, devfn } = iommuViewOf(fn);
  return ops?.getAddressSpace(bus, devfn) ?? memory;
}

/**
 * The MSI doorbell that the function's IOMMU knows without a walk, or undefined when there is no
 * IOMMU or it does not offer this. Throws when the IOMMU answers 0, which its contract forbids.
 */
export function msiDirectGpaOf(fn: PciFunction): bigint | undefined {
  const { ops, bus, devfn } = iommuViewOf(fn);
  const doorbell = ops?.getMsiDirectGpa?.(bus, devfn);
  if (doorbell === 0n) throw new Error(`${fn.bdf}: the IOMMU's direct MSI doorbell is not set`);
  return doorbell;
}

/**
 * Requester ID with which the function's writes leave the bus tree: its StreamID and DeviceID.
 * Conventional bridges replace it with their own.
 */
export function requesterIdOfFunction(fn: PciFunction): number {
  let id = requesterIdOf(busOf(fn).number, fn.devfn);
  for (let bus = busOf(fn); bus.parent !== undefined; bus = busOf(bus.parent)) {
    const bridge = bus.parent;
    if (bridge.expressPortType === undefined)
      id = requesterIdOf(busOf(bridge).number, bridge.devfn);
    else if (isExpressToPci(bridge)) id = requesterIdOf(bus.number, 0);
  }
  return id;
}

/**
 * Plugs functions into a tree of buses by their numbers: a bus behind a bridge has the bridge's
 * secondary number, every other bus is a root. Returns the root buses in order of their number.
 */
export function plugByBusNumber(functions: readonly PciFunction[]): PciBus[] {
  const behind = new Map(functions.filter((f) => f.isBridge).map((f) => [f.secondaryBus, f]));
  const buses = new Map<number, PciBus>();
  for (const fn of [...functions].sort((a, b) => a.busNumber - b.busNumber)) {
    const number = fn.busNumber;
    const parent = number === 0 ? undefined : behind.get(number);
    const made = buses.get(number);
    const bus = made ?? new PciBus(`pci.${number}`, parent ? { parent } : { number });
    buses.set(number, bus);
    bus.plug(fn);
  }
  return [...buses.values()].filter((bus) => bus.parent === undefined);
}
