// The VMM's side of routes: GSI numbers, the list it commits, the fix-up (QEMU kvm-all.c).
import { gsiOfV2mData } from "../gic/v2m.ts";
import { requesterIdOfFunction } from "../pci/bus.ts";
import type { PciFunction } from "../pci/function.ts";
import type { MsiMessage } from "../pci/msi.ts";
import { ERRNO } from "../spec/errno.ts";
import { pack } from "../spec/uapi.ts";
import { KVM_IRQFD_FLAG_DEASSIGN, kvm_irqfd } from "../spec/uapi-kvm.ts";
import { type FixupContext, type FixupResult, kvmArchFixupMsiRoute } from "./fixup.ts";
import { type MsiRoute, msiRoute, packRouting, type Route, sameRoute } from "./route.ts";
import { KVM_MAX_IRQ_ROUTES } from "./routing.ts";
import type { KvmVm } from "./vm.ts";

/** What the VMM did, in the order in which it did it. */
export type IrqchipEvent =
  | { readonly kind: "fixup"; readonly bdf: string; readonly fixup: FixupResult }
  | { readonly kind: "add"; readonly bdf: string; readonly vector: number; readonly gsi: number }
  | { readonly kind: "update"; readonly gsi: number }
  | { readonly kind: "release"; readonly gsi: number }
  | { readonly kind: "commit"; readonly argument: Uint8Array; readonly result: number };

/** How the machine uses KVM's interrupts. */
export interface KvmIrqchipOptions {
  readonly vm: KvmVm;
  readonly fixup: FixupContext;
  /** SPIs that get a fixed GSI each at start: 256 on QEMU's virt machine. */
  readonly spis?: number;
  /** One more than the largest GSI: one less than the entries that the kernel takes. */
  readonly gsis?: number;
  /** The MSI controller is a GICv2m: a message's data is its GSI, and no routes are made. */
  readonly directMapping?: boolean;
  readonly onEvent?: (event: IrqchipEvent) => void;
}

/** The route list of one VMM process. */
export class KvmIrqchip {
  readonly vm: KvmVm;
  private readonly fixup: FixupContext;
  private readonly gsis: number;
  private readonly directMapping: boolean;
  private readonly onEvent: (event: IrqchipEvent) => void;
  private readonly list: Route[] = [];
  private readonly used = new Set<number>();

  constructor(options: KvmIrqchipOptions) {
    this.vm = options.vm;
    this.fixup = options.fixup;
    this.gsis = options.gsis ?? KVM_MAX_IRQ_ROUTES - 1;
    this.directMapping = options.directMapping ?? false;
    this.onEvent = options.onEvent ?? (() => {});
    for (let pin = 0; pin < (options.spis ?? 256); pin++)
      this.append({ type: "irqchip", gsi: pin, flags: 0, irqchip: 0, pin });
  }

  /** Routes as the next commit will set them. */
  get routes(): readonly Route[] {
    return this.list;
  }

  /**
   * Adds a route for a vector of a function; `commitRoutes` makes it known. The GSI, -ENOSPC when
   * none is free, or -EINVAL when the fix-up fails (the GSI is free again then).
   */
  addMsiRoute(fn: PciFunction, vector: number, message: MsiMessage): number {
    if (this.directMapping) return gsiOfV2mData(message.data);
    const gsi = this.freeGsi();
    if (gsi === undefined) return -ERRNO.ENOSPC;
    this.used.add(gsi);
    const route = this.fixedRoute(gsi, fn, message);
    if (route === undefined) {
      this.releaseGsi(gsi);
      return -ERRNO.EINVAL;
    }
    this.append(route);
    this.onEvent({ kind: "add", bdf: fn.bdf, vector, gsi });
    return gsi;
  }

  /**
   * Gives a route a new message. 0 when the route changed, 1 when it says the same as before,
   * -EINVAL
   * when the fix-up fails, -ESRCH without such a route.
   */
  updateMsiRoute(gsi: number, fn: PciFunction, message: MsiMessage): number {
    if (this.directMapping) return 0;
    const route = this.fixedRoute(gsi, fn, message);
    if (route === undefined) return -ERRNO.EINVAL;
    this.onEvent({ kind: "update", gsi });
    const index = this.list.findIndex((r) => r.gsi === gsi);
    if (index < 0) return -ERRNO.ESRCH;
    if (sameRoute(this.list[index], route)) return 1;
    this.list[index] = route;
    return 0;
  }

  /**
   * Frees a GSI and drops its routes; the last route of the list takes the place of a dropped one.
   */
  releaseGsi(gsi: number): void {
    if (this.directMapping) return;
    for (let i = 0; i < this.list.length; i++) {
      if (this.list[i].gsi !== gsi) continue;
      const last = this.list.pop() as Route;
      if (i < this.list.length) this.list[i] = last;
    }
    this.used.delete(gsi);
    this.onEvent({ kind: "release", gsi });
  }

  /** Hands the whole list to the kernel. Throws when the kernel refuses what this class made. */
  commitRoutes(): void {
    if (this.directMapping) return;
    const argument = packRouting(this.list);
    const result = this.vm.setGsiRouting(argument);
    this.onEvent({ kind: "commit", argument, result });
    if (result !== 0) throw new Error(`KVM_SET_GSI_ROUTING: ${result}`);
  }

  /** Ties an eventfd to a GSI, or unties it. The result of KVM_IRQFD. */
  assignIrqfd(fd: number, gsi: number): number {
    return this.vm.irqfd(pack(kvm_irqfd, { fd, gsi }));
  }

  deassignIrqfd(fd: number, gsi: number): number {
    return this.vm.irqfd(pack(kvm_irqfd, { fd, gsi, flags: KVM_IRQFD_FLAG_DEASSIGN }));
  }

  private freeGsi(): number | undefined {
    for (let gsi = 0; gsi < this.gsis; gsi++) if (!this.used.has(gsi)) return gsi;
    return undefined;
  }

  private append(route: Route): void {
    this.list.push(route);
    this.used.add(route.gsi);
  }

  private fixedRoute(gsi: number, fn: PciFunction, message: MsiMessage): MsiRoute | undefined {
    const route = msiRoute(gsi, message.address, message.data, requesterIdOfFunction(fn));
    const fixup = kvmArchFixupMsiRoute(route, message.address, fn, this.fixup);
    this.onEvent({ kind: "fixup", bdf: fn.bdf, fixup });
    return fixup.result === 0 ? route : undefined;
  }
}
