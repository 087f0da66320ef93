// A guest with an accelerated vSMMU on a host with a physical one: memory, devices, DMA,
// interrupts, all in one process.
import { AddressMap, HostMemory } from "../engine/memory.ts";
import { Smmu } from "../engine/smmu.ts";
import type { Compat, Translation } from "../engine/types.ts";
import { Its } from "../gic/its.ts";
import { GicV2m } from "../gic/v2m.ts";
import type { FixupContext } from "../kvm/fixup.ts";
import { type IrqchipEvent, KvmIrqchip } from "../kvm/irqchip.ts";
import { RcuReader } from "../kvm/rcu.ts";
import { packRouting } from "../kvm/route.ts";
import { KvmVm } from "../kvm/vm.ts";
import { requesterIdOf } from "../pci/bdf.ts";
import { PciBus } from "../pci/bus.ts";
import type { PciFunction } from "../pci/function.ts";
import { globalAddressSpace, type PCIIOMMUOps, sharedSystemMemory } from "../pci/iommu.ts";
import { AccelSmmu, type VmmReads } from "../smmu/accel.ts";
import { AccelOps, type FunctionModel } from "../smmu/accel-ops.ts";
import type { AccelEvent, HostIommuDevice } from "../smmu/accel-port.ts";
import {
  type AccelMachine as AccelMachineFacts,
  type AccelProperties,
  DEFAULT_PROPERTIES,
  refuseProperties,
} from "../smmu/accel-properties.ts";
import { plainViommu } from "../smmu/accel-viommu.ts";
import { CMDQV_BYTES, Cmdqv } from "../smmu/cmdqv.ts";
import { CMDQV_PAGE } from "../smmu/cmdqv-registers.ts";
import { emulatedSpace } from "../smmu/emulated-space.ts";
import { EngineGuest } from "../smmu/guest-smmu.ts";
import { MapMemory } from "../smmu/map-memory.ts";
import { VfioProcess } from "../vfio/container.ts";
import type { KernelVersion } from "../vfio/iommufd/convert.ts";
import type { HwInfo } from "../vfio/iommufd/driver.ts";
import { AccelFunction, type FunctionOptions } from "./accel-function.ts";
import { framesOf, ITS_BASE, type MsiController, V2M_BASE, viewOf } from "./frames.ts";
import { GuestIts } from "./guest-its.ts";
import { GuestSmmuDriver } from "./guest-smmu-driver.ts";
import { PhysicalHost } from "./physical-host.ts";

/** How the machine is made. */
export interface AccelMachineOptions {
  readonly compat?: Compat;
  /** Rules of the physical SMMU. Default "arch", as real hardware. */
  readonly hostCompat?: Compat;
  readonly kernel?: KernelVersion;
  readonly properties?: Partial<AccelProperties>;
  /** ID registers of the physical SMMU. */
  readonly host?: HwInfo;
  readonly ram?: { readonly base: bigint; readonly bytes: bigint };
  /** The guest's MSI controller. Default "its". */
  readonly controller?: MsiController;
  /** What passed-through functions see: the shared alias (default), or the global memory itself. */
  readonly space?: "shared" | "global";
  /** See FixupContext.doorbellFirst. */
  readonly doorbellFirst?: boolean;
  /** "walk": the vSMMU names no doorbell, so routes are translated by the VMM. Default "direct". */
  readonly doorbell?: "direct" | "walk";
  readonly keepCommands?: boolean;
  /** The host has a Tegra241 CMDQV. */
  readonly cmdqv?: boolean;
}

const RAM = { base: 0x4000_0000n, bytes: 0x200_0000n };
/** Where guest RAM is on the host and in the VMM. */
const RAM_HPA = 0x10_0000_0000n;
const RAM_VA = 0xffff_7000_0000n;
/** Where the guest sees its SMMU and the CMDQV. */
export const SMMU_BASE = 0x0c00_0000n;
export const CMDQV_BASE = 0x0c02_0000n;
const SMMU_BYTES = 0x2_0000n;
/** log2 of the commands in the smallest page of guest RAM. */
const PAGE_COMMANDS_LOG2 = 8;
/** The guest's drivers take memory for tables from the second half of RAM. */
const TABLES_SHARE = 2n;
const IOMMUFD = 18;

/** Everything that the VMM and the host did for the guest, in order. */
export type MachineEvent =
  | { readonly from: "smmu"; readonly event: AccelEvent }
  | { readonly from: "kvm"; readonly event: IrqchipEvent };

/** The machine. */
export class AccelMachine {
  /** Guest-physical addresses. */
  readonly map: AddressMap;
  readonly accel: AccelSmmu;
  readonly cmdqv: Cmdqv;
  /** Pulses of the CMDQV's interrupt. */
  cmdqvInterrupts = 0;
  /** Register accesses of the guest: those that trapped into the VMM, and those that did not. */
  readonly accesses = { trapped: 0, direct: 0 };
  readonly ops: AccelOps;
  readonly irqchip: KvmIrqchip;
  readonly fixup: FixupContext;
  readonly root = new PciBus("pcie.0", { number: 0 });
  readonly functions: AccelFunction[] = [];
  /** The VMM's model behind each function that is or was plugged. */
  readonly models = new Map<PciFunction, FunctionModel>();
  readonly events: MachineEvent[] = [];
  readonly process: VfioProcess;
  readonly v2m: GicV2m | undefined;
  /** Memory for the guest's own tables. */
  readonly tables: MapMemory;
  readonly properties: AccelProperties;
  private readonly ram: { readonly base: bigint; readonly bytes: bigint };
  private nextFd = 40;

  private constructor(
    readonly host: PhysicalHost,
    readonly smmu: Smmu,
    readonly its: Its | undefined,
    map: AddressMap,
    options: AccelMachineOptions,
  ) {
    this.map = map;
    this.ram = options.ram ?? RAM;
    this.properties = { ...DEFAULT_PROPERTIES, ...options.properties };
    const { base, bytes } = this.ram;
    this.tables = new MapMemory(map, base + bytes / TABLES_SHARE, base + bytes);
    this.v2m = options.controller === "gicv2m" ? new GicV2m(V2M_BASE) : undefined;
    this.cmdqv = new Cmdqv({
      mapPage: (offset, bytes) => host.iommufd.mmap(offset, bytes),
      interrupt: () => this.cmdqvInterrupts++,
    });
    this.accel = new AccelSmmu({
      guest: new EngineGuest(smmu),
      compat: options.compat,
      makeViommu: (device) =>
        this.ops.resolved.cmdqv ? this.cmdqv.makeViommu(device) : plainViommu(device),
      onEvent: (event) => this.events.push({ from: "smmu", event }),
    });
    const memory = globalAddressSpace();
    this.ops = new AccelOps({
      smmu: this.accel,
      properties: this.properties,
      modelOf: (fn) => this.models.get(fn) ?? { driver: "gpex-root" },
      shared: options.space === "global" ? memory : sharedSystemMemory(),
      emulated: ({ number }, devfn) =>
        emulatedSpace(smmu, () => requesterIdOf(number, devfn), "smmuv3-iommu"),
      msiGpa: this.doorbell ?? 0n,
      probeCmdqv: (device) => Cmdqv.probe(device),
      cmdqLog2: PAGE_COMMANDS_LOG2,
    });
    this.root.iommuOps = options.doorbell === "walk" ? this.walkingOps() : this.ops;
    this.fixup = {
      memory,
      ranges: viewOf(framesOf(this.ram, options.controller ?? "its")),
      rcu: new RcuReader(),
      doorbellFirst: options.doorbellFirst,
    };
    const vm = new KvmVm();
    if (its !== undefined) vm.itsFrames.push({ base: its.base, its });
    this.irqchip = new KvmIrqchip({
      vm,
      fixup: this.fixup,
      directMapping: this.v2m !== undefined,
      onEvent: (event) => this.events.push({ from: "kvm", event }),
    });
    // The kernel's own routes from the start: every SPI has its GSI.
    vm.setGsiRouting(packRouting(this.irqchip.routes));
    this.process = new VfioProcess(host.client, IOMMUFD, (ioas) =>
      host.client.map(ioas, base, bytes, RAM_VA),
    );
  }

  /** Builds the machine. Throws an Error with the refusal when the properties do not fit it. */
  static async create(options: AccelMachineOptions = {}): Promise<AccelMachine> {
    const { compat = "arch", controller = "its", ram = RAM, kernel } = options;
    const refusal = refuseProperties({ ...DEFAULT_PROPERTIES, ...options.properties }, FACTS);
    if (refusal !== undefined) throw new Error(refusal);
    const memory = HostMemory.create();
    const host = await PhysicalHost.create({
      memory,
      compat: options.hostCompat,
      kernel,
      info: options.host,
      keepCommands: options.keepCommands,
      cmdqv: options.cmdqv,
    });
    const map = new AddressMap(memory);
    const lin = map.mapRam(ram.base, ram.bytes);
    host.map.mapRam(RAM_HPA, ram.bytes, lin);
    host.user.mapPages(RAM_VA, ram.bytes, RAM_HPA);
    const smmu = await Smmu.create(memory, map, { compat });
    const its =
      controller === "its"
        ? await Its.create(memory, map, { base: ITS_BASE, model: "kvm", compat })
        : undefined;
    return new AccelMachine(host, smmu, its, map, options);
  }

  /**
   * The operations of a vSMMU that names no doorbell and lets the VMM translate for every function.
   */
  private walkingOps(): PCIIOMMUOps<PciBus, HostIommuDevice> {
    const { ops, smmu } = this;
    return {
      getAddressSpace: ({ number }, devfn) =>
        emulatedSpace(smmu, () => requesterIdOf(number, devfn), "smmuv3-iommu"),
      supportsAddressSpace: (bus, devfn) => ops.supportsAddressSpace(bus, devfn),
    };
  }

  /** Guest-physical MSI doorbell; undefined without an MSI controller. */
  get doorbell(): bigint | undefined {
    return this.its?.doorbell ?? this.v2m?.doorbell;
  }

  /** Host-physical address behind a guest-physical one. */
  hpaOf(gpa: bigint): bigint | undefined {
    const { base, bytes } = this.ram;
    return gpa >= base && gpa < base + bytes ? RAM_HPA + (gpa - base) : undefined;
  }

  /** Guest-physical address behind a host-physical one. */
  gpaOf(hpa: bigint): bigint | undefined {
    const { base, bytes } = this.ram;
    return hpa >= RAM_HPA && hpa < RAM_HPA + bytes ? base + (hpa - RAM_HPA) : undefined;
  }

  /** Loads of guest memory that the VMM made. */
  get vmmReads(): VmmReads {
    return this.accel.vmmReads;
  }

  /**
   * Plugs a function, cold or hot: admission, VFIO, host comparison. Throws an Error with the
   * refusal when it may not sit there; nothing of it is left then.
   */
  plug(options: FunctionOptions): AccelFunction {
    const fn = AccelFunction.plug(this, options, () => this.nextFd++);
    this.functions.push(fn);
    return fn;
  }

  /** Unplugs a function. Throws an Error with the reason when it is blocked. */
  unplug(fn: AccelFunction): void {
    fn.unplug();
    this.functions.splice(this.functions.indexOf(fn), 1);
  }

  /** The iommufd behind the VMM's file descriptor. */
  iommufdOf(fd: number): PhysicalHost["iommufd"] | undefined {
    return fd === IOMMUFD ? this.host.iommufd : undefined;
  }

  /**
   * One access of a passed-through function: translated by the physical SMMU. Faults go through the
   * host driver to the guest's event queue.
   */
  dma(fn: AccelFunction, iova: bigint, write = false): Translation {
    const translation = this.host.dma(fn.host, iova, write);
    this.host.handleEvents();
    this.accel.pollEvents();
    return translation;
  }

  /** A store of the guest's CPU to a device register. */
  guestWrite(gpa: bigint, value: bigint | number, size: 4 | 8 = 4): void {
    const direct = this.directOffset(gpa);
    if (direct !== undefined) {
      this.accesses.direct++;
      this.cmdqv.directPage?.write(direct, Number(value));
    } else {
      this.accesses.trapped++;
      this.trappedWrite(gpa, value, size);
    }
    this.accel.pollEvents();
    this.cmdqv.pollErrors();
  }

  private trappedWrite(gpa: bigint, value: bigint | number, size: 4 | 8): void {
    const smmu = offsetIn(gpa, SMMU_BASE, SMMU_BYTES);
    const cmdqv = offsetIn(gpa, CMDQV_BASE, BigInt(CMDQV_BYTES));
    if (smmu !== undefined) this.accel.writeRegister(smmu, value, size);
    else if (cmdqv !== undefined) this.cmdqv.write(cmdqv, value, size);
  }

  /** A load of the guest's CPU from a device register. */
  guestRead(gpa: bigint, size: 4 | 8 = 4): bigint {
    const direct = this.directOffset(gpa);
    if (direct !== undefined) {
      this.accesses.direct++;
      return BigInt(this.cmdqv.directPage?.read(direct) ?? 0);
    }
    this.accesses.trapped++;
    const smmu = offsetIn(gpa, SMMU_BASE, SMMU_BYTES);
    if (smmu !== undefined) return this.accel.readRegister(smmu, size);
    const cmdqv = offsetIn(gpa, CMDQV_BASE, BigInt(CMDQV_BYTES));
    return cmdqv === undefined ? 0n : this.cmdqv.read(cmdqv, size);
  }

  /**
   * Offset in the page that the guest reaches without a trap; undefined for every other address.
   */
  private directOffset(gpa: bigint): number | undefined {
    if (this.cmdqv.directPage === undefined) return undefined;
    return offsetIn(gpa, CMDQV_BASE + BigInt(Cmdqv.directOffset), BigInt(CMDQV_PAGE));
  }

  /** System reset. */
  reset(): void {
    this.accel.reset();
    this.cmdqv.reset();
  }

  /** The guest's SMMU driver: enables the vSMMU. */
  startGuestDriver(): GuestSmmuDriver {
    const registers = {
      readRegister: (offset: number, size?: 4 | 8) =>
        this.guestRead(SMMU_BASE + BigInt(offset), size),
      writeRegister: (offset: number, value: bigint | number, size?: 4 | 8) =>
        this.guestWrite(SMMU_BASE + BigInt(offset), value, size),
    };
    return new GuestSmmuDriver(registers, this.tables);
  }

  /** The guest's GIC driver. Throws without an ITS. */
  startGuestIts(): GuestIts {
    if (this.its === undefined) throw new Error("the machine has no ITS");
    return new GuestIts(this.its, this.tables);
  }
}

const FACTS: AccelMachineFacts = {
  kvmIrqchip: true,
  bootsWithDeviceTree: false,
  coldPluggedVfio: true,
};

/** Offset of an address in a range; undefined outside. */
const offsetIn = (gpa: bigint, base: bigint, bytes: bigint): number | undefined =>
  gpa >= base && gpa < base + bytes ? Number(gpa - base) : undefined;
