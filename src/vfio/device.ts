// A vfio-pci function: its unmasked MSI-X vectors become KVM routes, its interrupts eventfds (QEMU vfio/pci.c).
import type { KvmIrqchip } from "../kvm/irqchip.ts";
import type { IrqfdSignal } from "../kvm/vm.ts";
import type { PciFunction } from "../pci/function.ts";
import type { MsiMessage } from "../pci/msi.ts";
import type { MsixCapability, VectorListener } from "../pci/msix.ts";
import { VFIO_PCI_MSIX_IRQ_INDEX } from "../spec/uapi-vfio.ts";
import { disableIndex, packIrqSet, triggerEventfds } from "./irqset.ts";

/** The calls that the device makes of its host. */
export interface VfioHost {
  /** VFIO_DEVICE_SET_IRQS. 0, or a negative error number. */
  setIrqs(argument: Uint8Array): number;
  /** A new eventfd. */
  openEventfd(): number;
  closeEventfd(fd: number): void;
}

/** A vector that was used since MSI-X was enabled. */
interface VectorState {
  /** Signals user space, which sends the message itself. */
  readonly userFd: number;
  /** Signals KVM directly; undefined while there is no route. */
  kvmFd: number | undefined;
  /** GSI of its route; undefined while there is none. */
  gsi: number | undefined;
}

/** How one hardware interrupt reached the guest, or did not. */
export type HardwareInterrupt =
  | { readonly path: "kvm"; readonly signals: readonly IrqfdSignal[] }
  /** User space writes the message to the function's own address space. */
  | { readonly path: "user space"; readonly result: "sent" | "pending" | "disabled" }
  | { readonly path: "none" };

/** A passed-through function. */
export class VfioPciDevice implements VectorListener {
  readonly fn: PciFunction;
  private readonly irqchip: KvmIrqchip;
  private readonly host: VfioHost;
  /** The host cannot add vectors to MSI-X while it is on (VFIO_IRQ_INFO_NORESIZE). */
  private readonly noresize: boolean;
  private readonly vectors = new Map<number, VectorState>();
  /** Vectors that the host has allocated. */
  private allocated = 0;
  private active = false;

  /** Throws when the function has no MSI-X. */
  constructor(fn: PciFunction, irqchip: KvmIrqchip, host: VfioHost, noresize = true) {
    if (fn.msix === undefined) throw new Error(`${fn.bdf} has no MSI-X`);
    this.fn = fn;
    this.irqchip = irqchip;
    this.host = host;
    this.noresize = noresize;
  }

  /** GSI of the vector's route; undefined while user space handles the vector. */
  gsiOf(vector: number): number | undefined {
    return this.vectors.get(vector)?.gsi;
  }

  /** A configuration write by the guest; switches MSI-X of the host on and off with it. */
  writeConfig(offset: number, size: 1 | 2 | 4, value: number): void {
    this.fn.writeConfig(offset, size, value);
    if (this.msix.enabled === this.active) return;
    if (this.active) this.disableMsix();
    else this.enableMsix();
  }

  /** A vector became usable: route it, tie the eventfds, tell the host. */
  use(vector: number, message: MsiMessage): void {
    const state = this.stateOf(vector);
    if (state.gsi === undefined) this.addRoute(vector, state, message);
    else this.updateRoute(state.gsi, message);
    const resizing = vector >= this.allocated;
    this.allocated = Math.max(this.allocated, vector + 1);
    if (resizing && this.noresize) {
      this.setIrqs(disableIndex(VFIO_PCI_MSIX_IRQ_INDEX));
      this.enableVectors();
    } else this.trigger(vector, [this.eventfdOf(vector, state)]);
  }

  /** A vector was masked: its route stays, its interrupts go to user space. */
  release(vector: number): void {
    const state = this.vectors.get(vector);
    if (state?.gsi !== undefined) this.trigger(vector, [state.userFd]);
  }

  /** The hardware raises a vector: what its eventfd did. */
  interrupt(vector: number): HardwareInterrupt {
    const state = this.vectors.get(vector);
    if (state === undefined || vector >= this.allocated) return { path: "none" };
    const fd = this.eventfdOf(vector, state);
    const signals = this.irqchip.vm.signalIrqfd(fd);
    if (signals !== undefined) return { path: "kvm", signals };
    return { path: "user space", result: this.msix.signal(vector) };
  }

  private get msix(): MsixCapability {
    return this.fn.msix as MsixCapability;
  }

  private enableMsix(): void {
    this.active = true;
    this.msix.listen(this);
    if (this.allocated === 0) this.trigger(0, [-1]);
  }

  private disableMsix(): void {
    this.active = false;
    this.msix.unlisten();
    for (const vector of this.vectors.keys()) this.release(vector);
    this.setIrqs(disableIndex(VFIO_PCI_MSIX_IRQ_INDEX));
    for (const state of this.vectors.values()) this.close(state);
    this.vectors.clear();
    this.allocated = 0;
  }

  private stateOf(vector: number): VectorState {
    const known = this.vectors.get(vector);
    if (known !== undefined) return known;
    const state = { userFd: this.host.openEventfd(), kvmFd: undefined, gsi: undefined };
    this.vectors.set(vector, state);
    return state;
  }

  private addRoute(vector: number, state: VectorState, message: MsiMessage): void {
    const gsi = this.irqchip.addMsiRoute(this.fn, vector, message);
    if (gsi < 0) return;
    this.irqchip.commitRoutes();
    const kvmFd = this.host.openEventfd();
    if (this.irqchip.assignIrqfd(kvmFd, gsi) === 0) {
      state.gsi = gsi;
      state.kvmFd = kvmFd;
      return;
    }
    this.host.closeEventfd(kvmFd);
    this.irqchip.releaseGsi(gsi);
  }

  private updateRoute(gsi: number, message: MsiMessage): void {
    this.irqchip.updateMsiRoute(gsi, this.fn, message);
    this.irqchip.commitRoutes();
  }

  private close(state: VectorState): void {
    if (state.gsi !== undefined && state.kvmFd !== undefined) {
      this.irqchip.deassignIrqfd(state.kvmFd, state.gsi);
      this.irqchip.releaseGsi(state.gsi);
      this.host.closeEventfd(state.kvmFd);
    }
    this.host.closeEventfd(state.userFd);
  }

  /** A masked vector, or one without a route, signals user space. */
  private eventfdOf(vector: number, state: VectorState): number {
    if (state.kvmFd === undefined || this.msix.isMasked(vector)) return state.userFd;
    return state.kvmFd;
  }

  private enableVectors(): void {
    const fds = Array.from({ length: this.allocated }, (_, vector) => {
      const state = this.vectors.get(vector);
      return state === undefined ? -1 : this.eventfdOf(vector, state);
    });
    this.trigger(0, fds);
  }

  private trigger(start: number, eventfds: readonly number[]): void {
    this.setIrqs(triggerEventfds(VFIO_PCI_MSIX_IRQ_INDEX, start, eventfds));
  }

  private setIrqs(set: Parameters<typeof packIrqSet>[0]): void {
    this.host.setIrqs(packIrqSet(set));
  }
}
