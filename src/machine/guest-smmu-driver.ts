// The guest's SMMU driver: Linux's own, over trapped registers and guest memory, with the MSI
// windows it maps.
import { DriverPort, type RegisterPort } from "../smmu/driver-port.ts";
import type { SteWords } from "../smmu/entry-writer.ts";
import { HostDriver, type HostPagingDomain } from "../smmu/host-driver.ts";
import { AIDR, IDR0, IDR1, IDR2, IDR3, IDR4, IDR5, IIDR } from "../spec/register.ts";
import { STE } from "../spec/ste.ts";
import { packFields } from "../spec/word.ts";
import type { TableMemory } from "../tables/memory.ts";
import type { HostDevice, HwInfo, Protection } from "../vfio/iommufd/driver.ts";
import { VSTE_CONFIG } from "../vfio/iommufd/vste.ts";

const MEMORY: Protection = { read: true, write: true };
const REGISTERS: Protection = { read: true, write: true, device: true };
/** The window that firmware reserves for MSIs of passed-through functions (IORT RMR). */
const RMR_BASE = 0x0800_0000n;
const RMR_BYTES = 0x10_0000n;
const PAGE = 4096n;

/** What the driver learns from the ID registers. */
function readInfo(smmu: RegisterPort): HwInfo {
  const read = (register: { readonly offset: number }): number =>
    Number(smmu.readRegister(register.offset));
  const idr = [IDR0, IDR1, IDR2, IDR3, IDR4, IDR5].map(read);
  return { flags: 0, idr, iidr: read(IIDR), aidr: read(AIDR) };
}

/** One guest kernel's SMMU driver. */
export class GuestSmmuDriver {
  readonly port: DriverPort;
  private readonly driver: HostDriver;
  private readonly devices = new Map<number, HostDevice>();

  /** Probes and enables the SMMU; tables are taken from `memory`. */
  constructor(
    smmu: RegisterPort,
    readonly memory: TableMemory,
  ) {
    this.port = new DriverPort(smmu, this.memory, true);
    this.driver = new HostDriver({
      name: "guest smmu3.0",
      info: readInfo(smmu),
      port: this.port,
      swMsiStart: null,
    });
  }

  /** A function as the driver knows it. */
  device(sid: number): HostDevice {
    const known = this.devices.get(sid);
    if (known !== undefined) return known;
    const made: HostDevice = {
      name: `sid 0x${sid.toString(16)}`,
      streams: [sid],
      smmu: this.driver,
      ats: false,
      pasidBits: 0,
      canwbs: true,
    };
    this.devices.set(sid, made);
    return made;
  }

  /** An empty stage 1 domain. */
  domain(): HostPagingDomain {
    return this.driver.allocPaging(1, false) as HostPagingDomain;
  }

  /** Translates a function with a domain. */
  attach(sid: number, domain: HostPagingDomain): void {
    this.driver.attach(this.device(sid), domain);
  }

  /** Lets a function through untranslated. */
  bypass(sid: number): void {
    this.install(sid, packFields(STE, { V: 1, Config: VSTE_CONFIG.bypass }));
  }

  /** Blocks a function. */
  block(sid: number): void {
    this.driver.attach(this.device(sid), undefined);
  }

  /** Writes an STE in the driver's order and invalidates after each stage. */
  install(sid: number, ste: SteWords): void {
    this.driver.install(this.device(sid), ste);
  }

  /** Where the STE of a function is in guest memory. */
  steAddress(sid: number): bigint {
    return this.driver.steAddress(sid);
  }

  /** Puts commands on the queue and a CMD_SYNC after them. */
  issue(...commands: Uint8Array[]): void {
    this.driver.issue(commands);
  }

  map(domain: HostPagingDomain, iova: bigint, gpa: bigint, bytes: bigint, access = MEMORY): void {
    domain.map(iova, gpa, bytes, access);
  }

  /** Removes a mapping: table entries, TLBI, SYNC. */
  unmap(domain: HostPagingDomain, iova: bigint, bytes: bigint): void {
    domain.unmap(iova, bytes);
  }

  /** Maps the window that is reserved for messages one to one. */
  mapWindow(domain: HostPagingDomain): void {
    domain.map(RMR_BASE, RMR_BASE, RMR_BYTES, REGISTERS);
  }

  /** Maps a page to that of the guest's own doorbell. */
  mapDoorbell(domain: HostPagingDomain, page: bigint, doorbell: bigint): void {
    domain.map(page, doorbell - (doorbell % PAGE), PAGE, REGISTERS);
  }
}
