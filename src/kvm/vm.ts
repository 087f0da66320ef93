// The kernel's side of one machine's interrupts: routes, irqfds, messages (Linux 7.2 eventfd.c).
import { SPI_FIRST } from "../gic/v2m.ts";
import { ERRNO } from "../spec/errno.ts";
import { unpack } from "../spec/uapi.ts";
import {
  KVM_IRQFD_FLAG_DEASSIGN,
  KVM_IRQFD_FLAG_RESAMPLE,
  KVM_MSI_VALID_DEVID,
  kvm_irqfd,
  kvm_msi,
} from "../spec/uapi-kvm.ts";
import { type Injection, type ItsFrame, injectCached, injectMessage } from "./inject.ts";
import { type MsiRoute, type Route, routeAddress } from "./route.ts";
import { IrqRoutingTable } from "./routing.ts";

/** What one signal of an irqfd did: an SPI, or a message. Nobody is told when it was lost. */
export type IrqfdSignal =
  | { readonly kind: "spi"; readonly spi: number }
  | { readonly kind: "message"; readonly route: MsiRoute; readonly injection: Injection }
  | { readonly kind: "no route" };

interface Irqfd {
  readonly gsi: number;
  readonly resample: boolean;
}

const LOW_WORD = 2n ** 32n;

/** True when no flag outside `allowed` (distinct powers of two) is set. */
const onlyFlags = (flags: number, allowed: readonly number[]): boolean =>
  allowed.reduce((rest, flag) => rest - (Math.floor(rest / flag) % 2) * flag, flags) === 0;

const hasFlag = (flags: number, flag: number): boolean => Math.floor(flags / flag) % 2 === 1;

/** One virtual machine with an in-kernel GICv3. */
export class KvmVm {
  /** The table that KVM_SET_GSI_ROUTING sets. */
  readonly routing = new IrqRoutingTable();
  /** ITSs by their place in guest-physical memory. */
  readonly itsFrames: ItsFrame[] = [];
  private readonly irqfds = new Map<number, Irqfd>();

  /** KVM_SET_GSI_ROUTING. See `IrqRoutingTable.set`. */
  setGsiRouting(argument: Uint8Array): number {
    return this.routing.set(argument);
  }

  /** KVM_SIGNAL_MSI with its 32 bytes: 1 delivered, 0 blocked, or a negative error number. */
  signalMsi(argument: Uint8Array): number {
    if (argument.length < kvm_msi.bytes) return -ERRNO.EFAULT;
    const msi = unpack(kvm_msi, argument);
    if (!onlyFlags(msi.flags, [KVM_MSI_VALID_DEVID])) return -ERRNO.EINVAL;
    const address = BigInt(msi.address_hi) * LOW_WORD + BigInt(msi.address_lo);
    return injectMessage(this.itsFrames, { ...msi, address }).result;
  }

  /**
   * KVM_IRQFD with its 32 bytes. 0, -EINVAL for unknown flags, -EBUSY for a second use of an fd.
   */
  irqfd(argument: Uint8Array): number {
    if (argument.length < kvm_irqfd.bytes) return -ERRNO.EFAULT;
    const { fd, gsi, flags } = unpack(kvm_irqfd, argument);
    if (!onlyFlags(flags, [KVM_IRQFD_FLAG_DEASSIGN, KVM_IRQFD_FLAG_RESAMPLE])) return -ERRNO.EINVAL;
    const known = this.irqfds.get(fd);
    if (hasFlag(flags, KVM_IRQFD_FLAG_DEASSIGN)) {
      if (known?.gsi === gsi) this.irqfds.delete(fd);
      return 0;
    }
    if (known !== undefined) return -ERRNO.EBUSY;
    this.irqfds.set(fd, { gsi, resample: hasFlag(flags, KVM_IRQFD_FLAG_RESAMPLE) });
    return 0;
  }

  /** GSI that an eventfd raises; undefined when it is no irqfd. */
  gsiOf(fd: number): number | undefined {
    return this.irqfds.get(fd)?.gsi;
  }

  /**
   * Somebody writes to the eventfd. What each route of its GSI did; undefined when the eventfd is
   * no irqfd of this machine.
   */
  signalIrqfd(fd: number): IrqfdSignal[] | undefined {
    const irqfd = this.irqfds.get(fd);
    return irqfd && this.raise(irqfd.gsi);
  }

  /** Raises a GSI once. */
  raise(gsi: number): IrqfdSignal[] {
    const routes = this.routing.routesOf(gsi);
    return routes.length === 0 ? [{ kind: "no route" }] : routes.map((r) => this.send(r));
  }

  private send(route: Route): IrqfdSignal {
    if (route.type === "irqchip") return { kind: "spi", spi: SPI_FIRST + route.pin };
    if (route.type === "other") return { kind: "no route" };
    const message = { ...route, address: routeAddress(route) };
    const atomic = injectCached(this.itsFrames, message);
    return {
      kind: "message",
      route,
      injection: atomic ?? injectMessage(this.itsFrames, message),
    };
  }
}
