// A host with one or two physical SMMUs and devices, without an engine: what iommufd tests stand
// on.
import { HostDriver } from "../../src/smmu/host-driver.ts";
import { LogPort } from "../../src/smmu/host-port.ts";
import { IommufdClient } from "../../src/vfio/iommufd/client.ts";
import type { KernelVersion } from "../../src/vfio/iommufd/convert.ts";
import type { CmdqvInfo, HostDevice, HostVintf, HwInfo } from "../../src/vfio/iommufd/driver.ts";
import { Iommufd } from "../../src/vfio/iommufd/iommufd.ts";
import { UserMemory } from "../../src/vfio/user-memory.ts";

/** ID registers of the physical SMMU in the recorded accelerated run. */
export const RECORDED_INFO: HwInfo = {
  flags: 0,
  idr: [0xd44101b, 0x2730010, 0, 0x1414, 0, 0x74],
  iidr: 0,
  aidr: 1,
};

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

export const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));

export const PAGE = 4096n;
/** Guest RAM in the VMM's address space and on the host. */
export const RAM_VA = 0xffff_7000_0000n;
export const RAM_PA = 0x8000_0000n;
export const RAM_BYTES = 0x40_0000n;

/** A VINTF that only keeps books. */
export class BookVintf implements HostVintf {
  readonly mmapOffset = 0x1000n;
  readonly mmapBytes = 0x10000n;
  readonly queues = 2;
  readonly maxLog2Entries = 8;
  readonly slots = new Map<number, { vsid: bigint; sid: number }>();
  readonly started: number[] = [];
  readonly page = { read: () => 0, write: () => {} };
  onErrors: ((map: Uint8Array) => void) | undefined;
  released = false;

  matchSid(vsid: bigint, sid: number): number {
    const slot = this.slots.size;
    this.slots.set(slot, { vsid, sid });
    return slot;
  }

  unmatchSid(slot: number): void {
    this.slots.delete(slot);
  }

  startQueue(index: number): void {
    this.started.push(index);
  }

  stopQueue(index: number): void {
    this.started.splice(this.started.indexOf(index), 1);
  }

  release(): void {
    this.released = true;
  }
}

/** A host, its iommufd, and a process that uses it. */
export class Host {
  readonly port = new LogPort();
  readonly memory = new UserMemory();
  readonly driver: HostDriver;
  readonly iommufd: Iommufd;
  readonly client: IommufdClient;
  readonly vintf = new BookVintf();

  constructor(options: { kernel?: KernelVersion; info?: HwInfo; cmdqv?: CmdqvInfo } = {}) {
    const cmdqv =
      options.cmdqv === undefined
        ? undefined
        : { info: options.cmdqv, allocate: () => this.vintf as HostVintf };
    this.driver = new HostDriver({
      name: "smmu0",
      info: options.info ?? RECORDED_INFO,
      port: this.port,
      cmdqv,
    });
    this.iommufd = new Iommufd({ memory: this.memory, kernel: options.kernel });
    this.client = new IommufdClient(this.iommufd);
    this.memory.mapPages(RAM_VA, RAM_BYTES, RAM_PA);
  }

  device(bdf: string, sid: number, more: Partial<HostDevice> = {}): HostDevice {
    return {
      name: bdf,
      streams: [sid],
      smmu: this.driver,
      ats: false,
      pasidBits: 0,
      canwbs: true,
      ...more,
    };
  }

  /** Commands since the last call, as hex. */
  takeCommands(): string[] {
    return this.port.commands.splice(0).map(hex);
  }
}

/** A host whose first device is attached to a nest parent under a vIOMMU. */
export function nestedHost(options: ConstructorParameters<typeof Host>[0] = {}) {
  const host = new Host(options);
  const device = host.iommufd.bind(host.device("0000:00:05.0", 0x28));
  const ioas = host.client.allocIoas();
  const parent = host.client.allocPaging(device.id, ioas, 1);
  host.iommufd.attach(device, parent);
  const viommu = host.client.allocViommu(device.id, parent);
  return { host, device, ioas, parent, viommu };
}
