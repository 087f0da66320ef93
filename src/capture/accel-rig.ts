// The model that an accelerated run is replayed on: vSMMU, VFIO, iommufd, host driver, KVM routes;
// every act is noted.
import { AddressMap, HostMemory } from "../engine/memory.ts";
import { Smmu } from "../engine/smmu.ts";
import type { Compat } from "../engine/types.ts";
import { type IrqchipEvent, KvmIrqchip } from "../kvm/irqchip.ts";
import { RcuReader } from "../kvm/rcu.ts";
import { KvmVm } from "../kvm/vm.ts";
import { endpointConfig } from "../machine/endpoint-config.ts";
import { framesOf, viewOf } from "../machine/frames.ts";
import { parseBdf, requesterIdOf } from "../pci/bdf.ts";
import { PciBus } from "../pci/bus.ts";
import { PciFunction } from "../pci/function.ts";
import { globalAddressSpace, sharedSystemMemory } from "../pci/iommu.ts";
import { AccelSmmu } from "../smmu/accel.ts";
import { AccelOps } from "../smmu/accel-ops.ts";
import type { AccelEvent } from "../smmu/accel-port.ts";
import { DEFAULT_PROPERTIES } from "../smmu/accel-properties.ts";
import { emulatedSpace } from "../smmu/emulated-space.ts";
import { EngineGuest } from "../smmu/guest-smmu.ts";
import { HostDriver } from "../smmu/host-driver.ts";
import { LogPort } from "../smmu/host-port.ts";
import { VfioCdev } from "../vfio/cdev.ts";
import { type VfioConnection, VfioProcess } from "../vfio/container.ts";
import { type VectorEvent, VfioPciDevice } from "../vfio/device.ts";
import { KernelError } from "../vfio/errno.ts";
import { IommufdClient } from "../vfio/iommufd/client.ts";
import type { HwInfo } from "../vfio/iommufd/driver.ts";
import { Iommufd } from "../vfio/iommufd/iommufd.ts";
import { UserMemory } from "../vfio/user-memory.ts";
import { describeIommufd, describeVfio, type ModelCall } from "./accel-calls.ts";
import type { MapLine } from "./accel-trace.ts";
import { ReplayMemory } from "./replay-memory.ts";

/** One thing that the model did, in order. */
export type Note =
  | { readonly kind: "call"; readonly bdf: string | undefined; readonly call: ModelCall }
  | { readonly kind: "smmu"; readonly event: AccelEvent }
  | { readonly kind: "kvm"; readonly event: IrqchipEvent }
  | { readonly kind: "vector"; readonly bdf: string; readonly event: VectorEvent };

/** What the record says about the machine before anything runs. */
export interface RigOptions {
  readonly compat: Compat;
  readonly host: HwInfo;
  readonly ram: { readonly base: bigint; readonly bytes: bigint };
  /** Guest-physical MSI doorbell. */
  readonly doorbell: bigint;
  /** Number of the root bus behind the vSMMU. */
  readonly bus: number;
  /** Descriptor of the iommufd, and those of event queues in order. */
  readonly iommufd: number;
  readonly eventFds: readonly number[];
}

/** What is plugged. */
export interface RigDevice {
  readonly hostBdf: string;
  readonly devfn: number;
  readonly vectors: number;
  readonly maps: readonly MapLine[];
}

interface Plugged {
  readonly fn: PciFunction;
  readonly vfio: VfioPciDevice | undefined;
}

/** The model of one recorded VMM. */
export class AccelRig {
  readonly notes: Note[] = [];
  readonly port = new LogPort();
  readonly driver: HostDriver;
  readonly accel: AccelSmmu;
  readonly irqchip: KvmIrqchip;
  private readonly user = new UserMemory();
  private readonly iommufd: Iommufd;
  private readonly client: IommufdClient;
  private readonly ops: AccelOps;
  private readonly bus: PciBus;
  private readonly process: VfioProcess;
  private readonly plugged = new Map<string, Plugged>();
  private maps: readonly MapLine[] = [];
  private ioas = 0;
  /** Function whose file the running call is about. */
  private current: string | undefined;
  private nextFd = 1000;

  private constructor(
    smmu: Smmu,
    readonly memory: ReplayMemory,
    private readonly options: RigOptions,
  ) {
    const { compat, host, ram, doorbell, bus } = options;
    this.driver = new HostDriver({ name: "smmu3.0", info: host, port: this.port });
    const fds = [...options.eventFds];
    this.iommufd = new Iommufd({ memory: this.user, nextFd: () => fds.shift() ?? this.nextFd++ });
    this.iommufd.onIoctl = (record) => this.noteCall(describeIommufd(record, this.user));
    this.client = new IommufdClient(this.iommufd);
    this.process = new VfioProcess(
      this.client,
      options.iommufd,
      (ioas) => this.populate(ioas),
      (call) => this.noteCall(describeVfio(call)),
    );
    this.accel = new AccelSmmu({
      guest: new EngineGuest(smmu),
      compat,
      onEvent: (event) => this.notes.push({ kind: "smmu", event }),
    });
    this.bus = new PciBus("pcie.0", { number: bus });
    const memorySpace = globalAddressSpace();
    this.ops = new AccelOps({
      smmu: this.accel,
      properties: DEFAULT_PROPERTIES,
      modelOf: () => ({ driver: "vfio-pci", iommufd: true }),
      shared: sharedSystemMemory(),
      emulated: ({ number }, devfn) =>
        emulatedSpace(smmu, () => requesterIdOf(number, devfn), "smmuv3-iommu"),
      msiGpa: doorbell,
      probeCmdqv: ({ devid }) => this.probeCmdqv(devid),
    });
    this.bus.iommuOps = this.ops;
    this.irqchip = new KvmIrqchip({
      vm: new KvmVm(),
      fixup: {
        memory: memorySpace,
        ranges: viewOf(framesOf(ram, "its")),
        rcu: new RcuReader(),
      },
      onEvent: (event) => this.notes.push({ kind: "kvm", event }),
    });
  }

  static async create(options: RigOptions): Promise<AccelRig> {
    const host = HostMemory.create();
    const map = new AddressMap(host);
    const memory = new ReplayMemory(map, host.memory, [options.ram]);
    const smmu = await Smmu.create(host, map, { compat: options.compat });
    return new AccelRig(smmu, memory, options);
  }

  private noteCall(call: ModelCall | undefined): void {
    if (call !== undefined) this.notes.push({ kind: "call", bdf: this.current, call });
  }

  private probeCmdqv(devid: number): string | undefined {
    try {
      this.client.cmdqvInfo(devid);
      return undefined;
    } catch (error) {
      if (error instanceof KernelError) return "the host has none";
      throw error;
    }
  }

  private populate(ioas: number): void {
    this.ioas = ioas;
    for (const map of this.maps) this.map(map);
  }

  /** IOMMU_IOAS_MAP; the record says whether the pages could be pinned. */
  map({ iova, bytes, va, failed }: MapLine): void {
    if (failed) this.user.mapDevice(va, bytes);
    else this.user.mapPages(va, bytes, va);
    this.attempt(() => this.client.map(this.ioas, iova, bytes, va));
    if (failed) this.user.remove(va);
  }

  unmap(iova: bigint, bytes: bigint): void {
    this.attempt(() => this.client.unmap(this.ioas, iova, bytes));
  }

  private attempt(call: () => void): void {
    try {
      call();
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
    }
  }

  /** Plugs a function. Throws with the refusal. */
  plug({ hostBdf, devfn, vectors, maps }: RigDevice): void {
    const slot = `${Math.floor(devfn / 8)
      .toString(16)
      .padStart(2, "0")}.${devfn % 8}`;
    const busNumber = this.options.bus.toString(16).padStart(2, "0");
    const config = endpointConfig({ vectors });
    const fn = new PciFunction({ bdf: `0000:${busNumber}:${slot}`, config });
    this.bus.plug(fn);
    const { bus, devfn: hostDevfn } = parseBdf(hostBdf);
    const host = {
      name: hostBdf,
      streams: [requesterIdOf(bus, hostDevfn)],
      smmu: this.driver,
      ats: false,
      pasidBits: 0,
      canwbs: true,
    };
    const iommufdOf = (fd: number) => (fd === this.options.iommufd ? this.iommufd : undefined);
    const cdev = new VfioCdev({ host, iommufdOf, msixVectors: vectors });
    this.maps = maps;
    const connection = this.about(hostBdf, () => {
      const made = this.process.connect(
        cdev,
        this.ops.getAddressSpace(this.bus, devfn),
        this.ops.viommuFlags,
      );
      const named = this.naming(made, hostBdf);
      const refusal = this.ops.setIommuDevice(this.bus, devfn, named);
      if (refusal !== undefined) throw new Error(refusal);
      return made;
    });
    this.plugged.set(hostBdf, { fn, vfio: this.interrupts(fn, connection, hostBdf) });
  }

  /** A connection whose attach calls are noted with its function. */
  private naming(connection: VfioConnection, bdf: string) {
    const { client, devid, s2HwptId } = connection;
    const attach = (hwpt: number): void => this.about(bdf, () => connection.attach(hwpt));
    return { client, devid, s2HwptId, attach };
  }

  private about<T>(bdf: string, call: () => T): T {
    const before = this.current;
    this.current = bdf;
    try {
      return call();
    } finally {
      this.current = before;
    }
  }

  private interrupts(
    fn: PciFunction,
    connection: VfioConnection,
    bdf: string,
  ): VfioPciDevice | undefined {
    if (fn.msix === undefined) return undefined;
    return new VfioPciDevice(
      fn,
      this.irqchip,
      {
        setIrqs: (argument) => connection.setIrqs(argument),
        openEventfd: () => this.nextFd++,
        closeEventfd: () => {},
      },
      {
        commitEqual: this.options.compat === "qemu",
        onVector: (event) => this.notes.push({ kind: "vector", bdf, event }),
      },
    );
  }

  /** The function and its interrupts, by its host address; undefined for an unknown one. */
  find(hostBdf: string): Plugged | undefined {
    return this.plugged.get(hostBdf);
  }

  /** Host StreamIDs of the functions. */
  get hostSids(): ReadonlySet<number> {
    const sids = [...this.plugged.keys()].map((bdf) => {
      const { bus, devfn } = parseBdf(bdf);
      return requesterIdOf(bus, devfn);
    });
    return new Set(sids);
  }

  /** What the model did since the last call. */
  takeNotes(): Note[] {
    return this.notes.splice(0);
  }
}
