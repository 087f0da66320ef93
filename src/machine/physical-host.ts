// The host below an accelerated guest: its memory, its SMMU with the driver, and an iommufd.
import { AddressMap, type HostMemory } from "../engine/memory.ts";
import { Smmu } from "../engine/smmu.ts";
import type { CachePolicy, Compat, Translation } from "../engine/types.ts";
import { CmdqvHardware } from "../smmu/cmdqv-hardware.ts";
import { DriverPort } from "../smmu/driver-port.ts";
import { type EventOutcome, HostDriver } from "../smmu/host-driver.ts";
import { LogPort } from "../smmu/host-port.ts";
import { MapMemory } from "../smmu/map-memory.ts";
import { IommufdClient } from "../vfio/iommufd/client.ts";
import type { KernelVersion } from "../vfio/iommufd/convert.ts";
import type { HostDevice, HwInfo } from "../vfio/iommufd/driver.ts";
import { Iommufd } from "../vfio/iommufd/iommufd.ts";
import { UserMemory } from "../vfio/user-memory.ts";

/** A host SMMU with both stages, 44-bit addresses, all granules and range invalidation. */
const DEFAULT_HOST: HwInfo = {
  flags: 0,
  idr: [0xd44101b, 0x2730010, 0, 0x1414, 0, 0x74],
  iidr: 0,
  aidr: 1,
};

/** Where the host has its ITS's doorbell. */
export const HOST_DOORBELL = 0x0809_0040n;
/** Where the host kernel takes memory for tables and queues. */
const TABLES_BASE = 0x20_0000_0000n;

/** How a host is made. */
export interface PhysicalHostOptions {
  readonly memory: HostMemory;
  readonly info?: HwInfo;
  readonly compat?: Compat;
  readonly cache?: CachePolicy;
  readonly kernel?: KernelVersion;
  /** Keeps every command of the SMMU's queue. */
  readonly keepCommands?: boolean;
  /** The SMMU has a Tegra241 CMDQV. */
  readonly cmdqv?: boolean;
}

/** One host with one SMMU. */
export class PhysicalHost {
  readonly user = new UserMemory();
  readonly driver: HostDriver;
  readonly iommufd: Iommufd;
  readonly client: IommufdClient;

  private constructor(
    readonly map: AddressMap,
    readonly smmu: Smmu,
    readonly port: DriverPort,
    options: PhysicalHostOptions,
  ) {
    const { info = DEFAULT_HOST, kernel } = options;
    const cmdqv = options.cmdqv ? new CmdqvHardware({ smmu, map }) : undefined;
    this.driver = new HostDriver({ name: "smmu3.0", info, port, cmdqv });
    this.iommufd = new Iommufd({ memory: this.user, kernel });
    this.client = new IommufdClient(this.iommufd);
  }

  static async create(options: PhysicalHostOptions): Promise<PhysicalHost> {
    const { memory, info = DEFAULT_HOST, compat = "arch", cache } = options;
    const map = new AddressMap(memory);
    const [idr0, idr1, idr2, idr3, idr4, idr5] = info.idr;
    const { iidr, aidr } = info;
    const id = { idr0, idr1, idr2, idr3, idr4, idr5, iidr, aidr };
    const smmu = await Smmu.create(memory, map, { compat, cache, id });
    const tables = new MapMemory(map, TABLES_BASE);
    return new PhysicalHost(map, smmu, new DriverPort(smmu, tables, options.keepCommands), options);
  }

  /** A function of the host that vfio-pci owns. */
  device(name: string, sid: number, more: Partial<HostDevice> = {}): HostDevice {
    const fixed = { name, streams: [sid], smmu: this.driver };
    return { ...fixed, ats: false, pasidBits: 0, canwbs: true, ...more };
  }

  /**
   * Another SMMU of the same host, without memory of its own: for functions that only have to fit.
   */
  otherSmmu(info: HwInfo): HostDriver {
    return new HostDriver({ name: "smmu3.1", info, port: new LogPort() });
  }

  /** One access of a function: what its SMMU makes of the address, faults handled by the driver. */
  dma(device: HostDevice, iova: bigint, write: boolean): Translation {
    const [sid] = device.streams;
    return this.smmu.translate({ sid, iova, write, privileged: false });
  }

  /** Lets the driver read the event queue. */
  handleEvents(): EventOutcome[] {
    return this.port.takeEvents().map((record) => this.driver.handleEvent(record));
  }
}
