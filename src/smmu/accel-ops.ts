// PCIIOMMUOps of an accelerated vSMMU: who may sit behind it, its address spaces, doorbell and host
// devices (QEMU 11.1).
import { requesterIdOf } from "../pci/bdf.ts";
import type { PciBus } from "../pci/bus.ts";
import type { PciFunction } from "../pci/function.ts";
import type { AddressSpace, PCIIOMMUOps } from "../pci/iommu.ts";
import type { ViommuFlags } from "../vfio/container.ts";
import type { AccelSmmu } from "./accel.ts";
import type { AccelEndpoint } from "./accel-endpoint.ts";
import type { HostIommuDevice } from "./accel-port.ts";
import {
  type AccelProperties,
  defaultsOf,
  guestIdRegisters,
  type ResolvedProperties,
} from "./accel-properties.ts";
import { incompatibilities, resolveAuto } from "./host-compat.ts";

/** What the machine knows of the driver behind a function. */
export interface FunctionModel {
  /** "vfio-pci", "pxb-pcie", "gpex-root", "virtio-net-pci", … */
  readonly driver: string;
  /** A vfio-pci function has an iommufd. */
  readonly iommufd?: boolean;
}

const ROOTS: readonly string[] = ["pxb-pcie", "gpex-root"];

/** How the operations are made. */
export interface AccelOpsOptions {
  readonly smmu: AccelSmmu;
  readonly properties: AccelProperties;
  /** The model behind a function. */
  readonly modelOf: (fn: PciFunction) => FunctionModel;
  /** Address space of passed-through functions: one for all accelerated vSMMUs of the process. */
  readonly shared: AddressSpace;
  /** Address space of the others: bridges and roots. */
  readonly emulated: (bus: PciBus, devfn: number) => AddressSpace;
  /** Guest-physical MSI doorbell; 0 in a machine without MSI controller. */
  readonly msiGpa: bigint;
  /** Asks for a Tegra241 CMDQV, if the host has one. */
  readonly probeCmdqv?: (device: HostIommuDevice) => string | undefined;
  /** log2 of the commands that fit into one page of guest memory, with a CMDQV. */
  readonly cmdqLog2?: number;
}

const keyOf = (bus: PciBus, devfn: number): number => requesterIdOf(bus.number, devfn);

/** The operations of one accelerated vSMMU. */
export class AccelOps implements PCIIOMMUOps<PciBus, HostIommuDevice> {
  /** Properties as the guest sees them; final with the first device. */
  resolved: ResolvedProperties;
  private readonly endpoints = new Map<string, AccelEndpoint>();
  /** Function whose device made the vIOMMU. */
  private creator: AccelEndpoint | undefined;
  private finalised = false;
  private cmdqv = false;

  constructor(private readonly options: AccelOpsOptions) {
    this.resolved = defaultsOf(options.properties);
    this.identify();
  }

  private identify(): void {
    const cmdqLog2 = this.cmdqv ? this.options.cmdqLog2 : undefined;
    this.options.smmu.guest.identify(guestIdRegisters(this.resolved, cmdqLog2));
  }

  /** Flags for the page table that VFIO allocates for devices behind this vSMMU. */
  get viommuFlags(): ViommuFlags {
    return { nestParent: true, pasid: this.resolved.ssidsize > 0 };
  }

  supportsAddressSpace(bus: PciBus, devfn: number): string | undefined {
    const fn = bus.find(devfn);
    if (fn === undefined || fn.isBridge) return undefined;
    const { driver, iommufd = false } = this.options.modelOf(fn);
    if (ROOTS.includes(driver)) return undefined;
    if (driver !== "vfio-pci")
      return `${fn.bdf}: an emulated function (${driver}) cannot sit behind accel=on`;
    return iommufd ? undefined : `${fn.bdf}: vfio-pci needs an iommufd behind accel=on`;
  }

  getAddressSpace(bus: PciBus, devfn: number): AddressSpace {
    const fn = bus.find(devfn);
    const passed = fn !== undefined && this.options.modelOf(fn).driver === "vfio-pci";
    return passed ? this.options.shared : this.options.emulated(bus, devfn);
  }

  /** The doorbell that the machine set. Throws when it set none: 0 is no answer. */
  getMsiDirectGpa(): bigint {
    const { msiGpa } = this.options;
    if (msiGpa === 0n) throw new Error("msi-gpa is not set: the machine has no MSI controller");
    return msiGpa;
  }

  /**
   * Takes a host device: compares the host with what the guest sees and makes the vIOMMU with the
   * first one, which also settles the auto properties. Returned text is the refusal.
   */
  setIommuDevice(bus: PciBus, devfn: number, device: HostIommuDevice): string | undefined {
    const key = `${bus.name} ${devfn}`;
    const known = this.endpoints.get(key);
    if (known !== undefined)
      return known.host === device ? undefined : "the function has another host device already";
    const refusal = this.fit(device);
    if (refusal !== undefined) return refusal;
    try {
      const made = this.options.smmu.viommuId === undefined;
      const endpoint = this.options.smmu.addDevice(devfn, device, () => keyOf(bus, devfn));
      if (made) this.creator = endpoint;
      this.endpoints.set(key, endpoint);
      return undefined;
    } catch (error) {
      if (error instanceof Error) return error.message;
      throw error;
    }
  }

  private fit(device: HostIommuDevice): string | undefined {
    const { smmu, properties, probeCmdqv } = this.options;
    const host = device.client.hwInfo(device.devid).smmu;
    const resolved = this.finalised ? this.resolved : resolveAuto(properties, host);
    const [first] = incompatibilities(guestIdRegisters(resolved), host);
    if (first !== undefined) return first.reason;
    if (smmu.viommuId === undefined && properties.cmdqv !== "off") {
      const missing = probeCmdqv === undefined ? "this VMM has no CMDQV" : probeCmdqv(device);
      this.cmdqv = missing === undefined;
      if (!this.cmdqv && properties.cmdqv === "on") return `cmdqv=on, but ${missing}`;
    }
    this.resolved = { ...resolved, cmdqv: this.cmdqv };
    this.finalised = true;
    this.identify();
    return undefined;
  }

  unsetIommuDevice(bus: PciBus, devfn: number): void {
    const key = `${bus.name} ${devfn}`;
    const endpoint = this.endpoints.get(key);
    if (endpoint === undefined) return;
    this.options.smmu.removeDevice(endpoint);
    this.endpoints.delete(key);
    if (endpoint === this.creator) this.creator = undefined;
  }

  /** The endpoint of a function; undefined before `setIommuDevice`. */
  endpointOf(bus: PciBus, devfn: number): AccelEndpoint | undefined {
    return this.endpoints.get(`${bus.name} ${devfn}`);
  }

  /** Why the function cannot be unplugged now, or undefined. */
  unplugBlocker(bus: PciBus, devfn: number): string | undefined {
    const endpoint = this.endpointOf(bus, devfn);
    if (!this.cmdqv || endpoint === undefined || endpoint !== this.creator) return undefined;
    return "the CMDQV is active: without the device that made the vIOMMU its queues would break";
  }

  /** Why the machine cannot be migrated, or undefined. */
  get migrationBlocker(): string | undefined {
    return this.options.properties.accel
      ? "state of an accelerated SMMUv3 is in the host's SMMU and cannot be migrated"
      : undefined;
  }
}
