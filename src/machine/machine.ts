// A `virt`-like machine: memory, SMMUs, PCI functions, an MSI controller, and KVM's routes.

import { AddressMap, HostMemory } from "../engine/memory.ts";
import { Smmu } from "../engine/smmu.ts";
import type { Compat, Step, StepWhat } from "../engine/types.ts";
import { ITS_FRAME_BYTES, Its, processorNumber } from "../gic/its.ts";
import { GicV2m } from "../gic/v2m.ts";
import type { FixupContext } from "../kvm/fixup.ts";
import { KvmIrqchip } from "../kvm/irqchip.ts";
import { RcuReader } from "../kvm/rcu.ts";
import { KvmVm } from "../kvm/vm.ts";
import { type PciBus, plugByBusNumber, requesterIdOfFunction } from "../pci/bus.ts";
import { PciFunction } from "../pci/function.ts";
import { type AddressSpace, globalAddressSpace, type PCIIOMMUOps } from "../pci/iommu.ts";
import type { ItsDescription, MachineDescription } from "./description.ts";

/** Which way a route's address takes: translated by walking, or named by the IOMMU. */
export type DoorbellPath = "walk" | "direct";

/** How a machine is made. */
export interface MachineOptions {
  /** The SMMUs' and the ITS's rules; default "arch". */
  compat?: Compat;
  /** Whether the memory that is created is shared between workers. */
  shared?: boolean;
  /** A memory to use instead of a new one. */
  memory?: HostMemory;
}

const V2M_FRAME_BYTES = 0x1000n;
const FETCHES: ReadonlySet<StepWhat> = new Set(["l1std", "ste", "l1cd", "cd", "pte"]);

/** How many of a translation's steps fetch a structure or a descriptor. */
export function countFetches(steps: readonly Step[]): number {
  return steps.filter((s) => FETCHES.has(s.what)).length;
}

/** A machine. */
export class Machine {
  readonly name: string;
  readonly host: HostMemory;
  readonly map: AddressMap;
  readonly smmus: Smmu[] = [];
  readonly functions: PciFunction[];
  readonly its: Its | undefined;
  readonly v2m: GicV2m | undefined;
  readonly irqchip: KvmIrqchip;
  /** What the fix-up of a route looks at. */
  readonly fixup: FixupContext;
  readonly #memory: AddressSpace;
  readonly #roots: PciBus[];
  readonly #smmuOf = new Map<PciFunction, number | null>();
  readonly #sids = new Map<PciFunction, number>();
  readonly #spaces = new Map<PciBus, Map<number, AddressSpace>>();

  private constructor(d: MachineDescription, host: HostMemory, map: AddressMap, its?: Its) {
    this.name = d.name;
    this.host = host;
    this.map = map;
    this.its = its;
    const controller = d.msiController;
    this.v2m = controller && "v2m" in controller ? new GicV2m(controller.v2m) : undefined;
    this.#memory = globalAddressSpace();
    this.functions = d.functions.map((f) => {
      const fn = new PciFunction(f);
      if (f.sid !== undefined) this.#sids.set(fn, f.sid);
      this.#smmuOf.set(fn, f.smmu !== null && f.smmu < d.smmus.length ? f.smmu : null);
      return fn;
    });
    this.#roots = plugByBusNumber(this.functions);
    this.fixup = {
      memory: this.#memory,
      rcu: new RcuReader(),
      ranges: { findRange: (gpa) => this.#rangeOf(d, gpa) },
    };
    const vm = new KvmVm();
    if (its) vm.itsFrames.push({ base: its.base, its });
    this.irqchip = new KvmIrqchip({
      vm,
      fixup: this.fixup,
      directMapping: this.v2m !== undefined,
    });
    this.takePath("direct");
  }

  /** Puts a machine together. Throws a RangeError when a function's configuration is malformed. */
  static async create(d: MachineDescription, options: MachineOptions = {}): Promise<Machine> {
    const compat = options.compat ?? "arch";
    const host = options.memory ?? HostMemory.create({ shared: options.shared });
    const map = new AddressMap(host);
    d.attachMemory(map);
    const controller = d.msiController;
    const its =
      controller && "its" in controller
        ? await createIts(host, map, controller.its, compat)
        : undefined;
    const machine = new Machine(d, host, map, its);
    for (const s of d.smmus) {
      const smmu = await Smmu.create(host, map, { compat, cache: "none", id: s.id });
      smmu.restoreRegisters(s.registers);
      machine.smmus.push(smmu);
    }
    return machine;
  }

  /** Guest-physical address of the MSI doorbell; undefined without an MSI controller. */
  get doorbell(): bigint | undefined {
    return this.its?.doorbell ?? this.v2m?.doorbell;
  }

  /** StreamID of a function; its DeviceID too, where no firmware table says otherwise. */
  sidOf(fn: PciFunction): number {
    return this.#sids.get(fn) ?? requesterIdOfFunction(fn);
  }

  /** Index of the SMMU in front of a function; null when there is none. */
  smmuOf(fn: PciFunction): number | null {
    return this.#smmuOf.get(fn) ?? null;
  }

  /** Decides whether the buses' IOMMU operations offer the direct doorbell. */
  takePath(path: DoorbellPath): void {
    const { doorbell } = this;
    const walking: PCIIOMMUOps<PciBus> = {
      getAddressSpace: (bus, devfn) => this.#spaceOf(bus, devfn),
    };
    const ops =
      path === "direct" && doorbell !== undefined
        ? { ...walking, getMsiDirectGpa: () => doorbell }
        : walking;
    for (const root of this.#roots) root.iommuOps = ops;
  }

  /** Structures and descriptors that a walk of this address fetches; 0 without an SMMU. */
  countFetches(fn: PciFunction, iova: bigint, write: boolean): number {
    const index = this.smmuOf(fn);
    const smmu = index === null ? undefined : this.smmus[index];
    if (!smmu) return 0;
    const { steps } = smmu.explain({ sid: this.sidOf(fn), iova, write, privileged: false });
    return countFetches(steps);
  }

  /** The address space of the function at (bus, devfn): always the same object. */
  #spaceOf(bus: PciBus, devfn: number): AddressSpace {
    const onBus = this.#spaces.get(bus) ?? new Map<number, AddressSpace>();
    this.#spaces.set(bus, onBus);
    const known = onBus.get(devfn);
    if (known) return known;
    const space = this.#makeSpace(bus, devfn);
    onBus.set(devfn, space);
    return space;
  }

  /** Without an SMMU in front of the function: the machine's own memory. */
  #makeSpace(bus: PciBus, devfn: number): AddressSpace {
    const fn = this.functions.find((f) => f.bus === bus && f.devfn === devfn);
    const index = fn ? this.smmuOf(fn) : null;
    if (!fn || index === null) return this.#memory;
    return {
      name: `smmuv3-${index}-${fn.bdf}`,
      isGlobal: false,
      translate: (iova, write) => {
        const smmu = this.smmus[index];
        const t = smmu.translate({ sid: this.sidOf(fn), iova, write, privileged: false });
        if (t.pa !== undefined) return { gpa: t.pa, mask: (t.size ?? 4096n) - 1n };
        return { fault: t.event?.name ?? t.status };
      },
    };
  }

  #rangeOf(d: MachineDescription, gpa: bigint): { name: string } | undefined {
    if (this.its && gpa >= this.its.base && gpa < this.its.base + ITS_FRAME_BYTES) {
      return { name: "its" };
    }
    if (this.v2m && gpa >= this.v2m.base && gpa < this.v2m.base + V2M_FRAME_BYTES) {
      return { name: "gicv2m" };
    }
    const ram = d.ram.some((r) => gpa >= r.base && gpa < r.base + r.bytes);
    return ram || this.map.lin(gpa) >= 0 ? { name: "ram" } : undefined;
  }
}

async function createIts(
  host: HostMemory,
  map: AddressMap,
  d: ItsDescription,
  compat: Compat,
): Promise<Its> {
  const its = await Its.create(host, map, { base: d.base, model: "qemu", compat });
  its.restoreRegisters(d.registers);
  for (const r of d.redistributors) its.setRedistributor(processorNumber(r.typer), r);
  return its;
}
