// A vfio-pci function: unmasked MSI-X vectors become KVM routes and eventfds (QEMU vfio/pci.c).
import type { KvmIrqchip } from "../kvm/irqchip.ts";
import type { IrqfdSignal } from "../kvm/vm.ts";
import type { PciFunction } from "../pci/function.ts";
import type { MsiMessage } from "../pci/msi.ts";
import type { MsixCapability, VectorListener } from "../pci/msix.ts";
import { MSIX_CONTROL } from "../spec/pci.ts";
import { VFIO_PCI_MSIX_IRQ_INDEX } from "../spec/uapi-vfio.ts";
import { packFields } from "../spec/word.ts";
import { disableIndex, packIrqSet, triggerEventfds } from "./irqset.ts";

/** The calls that the device makes of its host. */
export interface VfioHost {
  /** VFIO_DEVICE_SET_IRQS. 0, or a negative error number. */
  setIrqs(argument: Uint8Array): number;
  /** A new eventfd. */
  openEventfd(): number;
  closeEventfd(fd: number): void;
}

/** Offset of the control word in the MSI-X capability. */
const CONTROL_AT = 2;

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

/** How a device behaves. */
export interface VfioPciOptions {
  /** The host cannot add vectors to MSI-X while it is on (VFIO_IRQ_INFO_NORESIZE). Default true. */
  readonly noresize?: boolean;
  /** QEMU 11.1 hands the table to KVM again for a message that changed nothing. Default false. */
  readonly commitEqual?: boolean;
  readonly onVector?: (event: VectorEvent) => void;
}

/** What happened to a vector, in order. */
export interface VectorEvent {
  readonly kind: "use" | "release";
  readonly vector: number;
}

/** A passed-through function. */
export class VfioPciDevice implements VectorListener {
  readonly fn: PciFunction;
  private readonly irqchip: KvmIrqchip;
  private readonly host: VfioHost;
  private readonly noresize: boolean;
  private readonly commitEqual: boolean;
  private readonly onVector: (event: VectorEvent) => void;
  private readonly vectors = new Map<number, VectorState>();
  /** Vectors that wait for the one commit of MSI-X being switched on. */
  private deferred: number[] | undefined;
  /** Vectors that the host has allocated. */
  private allocated = 0;
  private active = false;

  /** Throws when the function has no MSI-X. */
  constructor(fn: PciFunction, irqchip: KvmIrqchip, host: VfioHost, options: VfioPciOptions = {}) {
    if (fn.msix === undefined) throw new Error(`${fn.bdf} has no MSI-X`);
    this.fn = fn;
    this.irqchip = irqchip;
    this.host = host;
    this.noresize = options.noresize ?? true;
    this.commitEqual = options.commitEqual ?? false;
    this.onVector = options.onVector ?? (() => {});
  }

  /** GSI of the vector's route; undefined while user space handles the vector. */
  gsiOf(vector: number): number | undefined {
    return this.vectors.get(vector)?.gsi;
  }

  /** The guest switches MSI-X on, with or without the mask of the whole function, or off. */
  setEnabled(on: boolean, masked = false): void {
    const at = this.msix.offset + CONTROL_AT;
    const [low] = packFields(MSIX_CONTROL, { Enable: on ? 1 : 0, FunctionMask: masked ? 1 : 0 });
    this.writeConfig(at, 2, Number(low));
  }

  /** A configuration write by the guest; switches MSI-X of the host on and off with it. */
  writeConfig(offset: number, size: 1 | 2 | 4, value: number): void {
    this.fn.writeConfig(offset, size, value);
    if (this.msix.enabled === this.active) return;
    if (this.active) this.disableMsix();
    else this.enableMsix();
  }

  /**
   * A vector became usable: route it, tie the eventfds, tell the host. While MSI-X is being
   * switched
   * on, only the route is added: commit, irqfds and the host follow for all vectors at once.
   */
  use(vector: number, message: MsiMessage): void {
    this.onVector({ kind: "use", vector });
    const state = this.stateOf(vector);
    if (state.gsi !== undefined) this.updateRoute(state.gsi, message);
    else if (this.addRoute(vector, state, message) && this.deferred === undefined) {
      this.irqchip.commitRoutes();
      this.connect(state);
    }
    const resizing = vector >= this.allocated;
    this.allocated = Math.max(this.allocated, vector + 1);
    if (this.deferred !== undefined) this.deferred.push(vector);
    else if (resizing && this.noresize) {
      this.setIrqs(disableIndex(VFIO_PCI_MSIX_IRQ_INDEX));
      this.enableVectors();
    } else this.trigger(vector, [this.eventfdOf(vector, state)]);
  }

  /** A vector was masked: its route stays, its interrupts go to user space. */
  release(vector: number): void {
    this.onVector({ kind: "release", vector });
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
    this.deferred = [];
    this.msix.listen(this);
    const used = this.deferred.map((vector) => this.stateOf(vector));
    this.deferred = undefined;
    const routed = used.filter(({ gsi }) => gsi !== undefined);
    if (routed.length > 0) this.irqchip.commitRoutes();
    for (const state of routed) this.connect(state);
    if (this.allocated > 0) this.enableVectors();
    else this.trigger(0, [-1]);
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

  /** False when the vector gets no route: user space handles it. */
  private addRoute(vector: number, state: VectorState, message: MsiMessage): boolean {
    const gsi = this.irqchip.addMsiRoute(this.fn, vector, message);
    if (gsi < 0) return false;
    state.gsi = gsi;
    return true;
  }

  /** Ties the route to an eventfd of its own; without one the route is given back. */
  private connect(state: VectorState): void {
    if (state.gsi === undefined) return;
    const kvmFd = this.host.openEventfd();
    if (this.irqchip.assignIrqfd(kvmFd, state.gsi) === 0) {
      state.kvmFd = kvmFd;
      return;
    }
    this.host.closeEventfd(kvmFd);
    this.irqchip.releaseGsi(state.gsi);
    state.gsi = undefined;
  }

  private updateRoute(gsi: number, message: MsiMessage): void {
    const result = this.irqchip.updateMsiRoute(gsi, this.fn, message);
    if (result === 0 || this.commitEqual) this.irqchip.commitRoutes();
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
