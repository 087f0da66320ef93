// A passed-through function: host device, VFIO file, guest function, and the two ways of its
// interrupts.
import type { Translation } from "../engine/types.ts";
import type { IrqfdSignal } from "../kvm/vm.ts";
import { iommuAddressSpaceOf } from "../pci/bus.ts";
import { PciFunction } from "../pci/function.ts";
import type { MsiMessage } from "../pci/msi.ts";
import type { FunctionModel } from "../smmu/accel-ops.ts";
import { MSIX_ENTRY } from "../spec/pci.ts";
import { VFIO_PCI_MSIX_IRQ_INDEX } from "../spec/uapi-vfio.ts";
import { bytesOf, packFields } from "../spec/word.ts";
import { VfioCdev } from "../vfio/cdev.ts";
import type { VfioConnection } from "../vfio/container.ts";
import { type HardwareInterrupt, VfioPciDevice } from "../vfio/device.ts";
import type { HostDevice, HwInfo } from "../vfio/iommufd/driver.ts";
import type { AccelMachine } from "./accel-machine.ts";
import { type EndpointConfig, endpointConfig } from "./endpoint-config.ts";
import { HOST_DOORBELL } from "./physical-host.ts";

/** What is plugged, and where. */
export interface FunctionOptions {
  /** Place in the guest: "0000:00:01.0". */
  readonly bdf: string;
  /** Place on the host, and its StreamID there. */
  readonly hostBdf: string;
  readonly hostSid: number;
  /** The VMM's model; a vfio-pci function with an iommufd unless given. */
  readonly model?: FunctionModel;
  readonly config?: EndpointConfig;
  /** ID registers of another SMMU of the host, which this function is behind. */
  readonly otherHost?: HwInfo;
  readonly host?: Partial<HostDevice>;
}

/** A message that user space sent for the function, and where it landed. */
export interface UserSpaceStore {
  /** The address in the guest's table, used as a guest-physical one. */
  readonly gpa: bigint;
  readonly data: number;
  /** No IOMMU translated it: the VMM writes to untranslated memory. */
  readonly translated: boolean;
  /** What is at that address; undefined for nothing. */
  readonly range: string | undefined;
}

/** One hardware interrupt from the function to the guest. */
export interface InterruptOutcome {
  /** Address that the host programmed into the function, and what the physical SMMU made of it. */
  readonly physical: { readonly iova: bigint; readonly translation: Translation };
  /** The write reached the host's ITS. */
  readonly reachedHost: boolean;
  /** What came of the eventfd; undefined when the host got no interrupt. */
  readonly guest: HardwareInterrupt | undefined;
  readonly signals: readonly IrqfdSignal[];
  /** Stores that user space made instead of KVM. */
  readonly stores: readonly UserSpaceStore[];
}

/** One function of the guest that is one of the host. */
export class AccelFunction {
  /** Stores that user space made since the last interrupt. */
  stores: UserSpaceStore[] = [];
  private connection: VfioConnection | undefined;
  /** Undefined for a function without MSI-X. */
  readonly vfio: VfioPciDevice | undefined;

  private constructor(
    private readonly machine: AccelMachine,
    readonly fn: PciFunction,
    readonly host: HostDevice,
    readonly cdev: VfioCdev,
    openEventfd: () => number,
  ) {
    if (fn.msix === undefined) return;
    fn.msix.send = (message) => this.storeByUserSpace(message);
    this.vfio = new VfioPciDevice(fn, machine.irqchip, {
      setIrqs: (argument) => this.connection?.setIrqs(argument) ?? 0,
      openEventfd,
      closeEventfd: () => {},
    });
  }

  /** Plugs the function. Throws with the refusal, and nothing of it is left. */
  static plug(
    machine: AccelMachine,
    options: FunctionOptions,
    openEventfd: () => number,
  ): AccelFunction {
    const config = endpointConfig(options.config);
    const fn = new PciFunction({ bdf: options.bdf, config });
    machine.models.set(fn, options.model ?? { driver: "vfio-pci", iommufd: true });
    machine.root.plug(fn);
    const smmu = options.otherHost && machine.host.otherSmmu(options.otherHost);
    const other = smmu === undefined ? {} : { smmu };
    const more = { ...options.host, ...other };
    const host = machine.host.device(options.hostBdf, options.hostSid, more);
    const cdev = new VfioCdev({
      host,
      iommufdOf: (fd) => machine.iommufdOf(fd),
      msixVectors: fn.msix?.vectorCount ?? 0,
    });
    const made = new AccelFunction(machine, fn, host, cdev, openEventfd);
    try {
      made.connect();
      return made;
    } catch (error) {
      machine.root.unplug(fn);
      throw error;
    }
  }

  private connect(): void {
    const { machine, fn, cdev } = this;
    const { root, ops, process } = machine;
    const space = ops.getAddressSpace(root, fn.devfn);
    const connection = process.connect(cdev, space, ops.viommuFlags);
    const refusal = ops.setIommuDevice(root, fn.devfn, connection);
    if (refusal !== undefined) {
      connection.close();
      throw new Error(refusal);
    }
    this.connection = connection;
  }

  /** Takes the function away. Throws with the reason when that is blocked. */
  unplug(): void {
    const { ops, root } = this.machine;
    const blocker = ops.unplugBlocker(root, this.fn.devfn);
    if (blocker !== undefined) throw new Error(blocker);
    ops.unsetIommuDevice(root, this.fn.devfn);
    this.connection?.close();
    root.unplug(this.fn);
  }

  /** StreamID and DeviceID in the guest. */
  get sid(): number {
    return this.fn.busNumber * 256 + this.fn.devfn;
  }

  /** The guest switches MSI-X on (masked as a whole or not) or off. */
  setMsix(state: "on" | "masked" | "off"): void {
    this.vfio?.setEnabled(state !== "off", state === "masked");
  }

  /** The guest programs a vector: address and data, then the mask. */
  setVector(vector: number, message: MsiMessage, masked = false): void {
    const entry = bytesOf(
      packFields(MSIX_ENTRY, {
        MessageAddress: message.address,
        MessageData: message.data,
        Mask: masked ? 1 : 0,
      }),
    );
    const view = new DataView(entry.buffer);
    for (let i = 0; i < MSIX_ENTRY.bytes; i += 4)
      this.fn.msix?.writeTable(vector * MSIX_ENTRY.bytes + i, 4, BigInt(view.getUint32(i, true)));
  }

  /** The guest masks or unmasks a vector. */
  maskVector(vector: number, masked: boolean): void {
    const at = vector * MSIX_ENTRY.bytes + 12;
    this.fn.msix?.writeTable(at, 4, masked ? 1n : 0n);
  }

  /** The hardware raises a vector: the write to the host's doorbell, then everything behind it. */
  interrupt(vector: number): InterruptOutcome {
    const { machine, cdev } = this;
    const device = cdev.device;
    if (device === undefined) throw new Error(`${this.host.name} is not bound`);
    const iova = machine.host.iommufd.msiIova(device, HOST_DOORBELL);
    const translation = machine.dma(this, iova, true);
    const reachedHost = translation.pa === HOST_DOORBELL;
    const fd = cdev.irqs.eventfdOf(VFIO_PCI_MSIX_IRQ_INDEX, vector);
    const physical = { iova, translation };
    if (!reachedHost || fd === undefined)
      return { physical, reachedHost, guest: undefined, signals: [], stores: [] };
    this.stores = [];
    const guest = this.vfio?.interrupt(vector);
    const signals = guest?.path === "kvm" ? guest.signals : [];
    return { physical, reachedHost, guest, signals, stores: this.stores };
  }

  /** User space writes a message to the address space of the function. */
  private storeByUserSpace({ address, data }: MsiMessage): void {
    const { fixup } = this.machine;
    const space = iommuAddressSpaceOf(this.fn, fixup.memory);
    const answer = space.translate(address, true);
    const gpa = "gpa" in answer ? answer.gpa : undefined;
    if (gpa === undefined) return;
    const range = fixup.ranges.findRange(gpa)?.name;
    this.stores.push({ gpa, data, translated: gpa !== address, range });
  }
}
