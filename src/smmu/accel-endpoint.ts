// One function behind an accelerated vSMMU: what it is attached to, and how a guest STE gets there
// (QEMU 11.1).
import { STE } from "../spec/ste.ts";
import { getField } from "../spec/word.ts";
import { maskVste, VSTE_CONFIG } from "../vfio/iommufd/vste.ts";
import type { AccelEvent, HostIommuDevice, InstallType } from "./accel-port.ts";
import type { AccelQuirkName } from "./accel-quirks.ts";
import type { AccelViommu } from "./accel-viommu.ts";

/** Highest context pointer bit that every host kernel takes. */
const POINTER_BITS = 52n;

/** What an install needs to know about the vSMMU. */
export interface InstallContext {
  readonly viommu: AccelViommu;
  readonly quirks: ReadonlySet<AccelQuirkName>;
  /** SMMUEN as the guest reads it back. */
  readonly enabled: boolean;
  readonly gbpaAbort: boolean;
  findSte(sid: number): bigint[] | undefined;
  log(event: AccelEvent): void;
}

/** What a guest STE asks of the host. */
type Choice =
  | { readonly hwpt: number }
  | { readonly ste: readonly [bigint, bigint] }
  | { readonly refuse: string }
  | { readonly nothing: true };

/** A vfio-pci function with its objects in the iommufd. */
export class AccelEndpoint {
  /** Guest StreamID that the host knows the device by; set by the first install. */
  vdevice: { readonly id: number; readonly sid: number } | undefined;
  private nested: number | undefined;
  /** Page table it is attached to now. */
  attached: number;

  /** `sidNow` gives the StreamID that the guest's bus numbers give the function now. */
  constructor(
    readonly devfn: number,
    readonly host: HostIommuDevice,
    private readonly sidNow: () => number,
  ) {
    this.attached = host.s2HwptId;
  }

  /** StreamID of the function by the guest's bus numbers of now. */
  get sid(): number {
    return this.sidNow();
  }

  /** Moves the device to a page table. */
  attach(hwpt: number): void {
    this.host.attach(hwpt);
    this.attached = hwpt;
  }

  /** Frees the nested page table; nothing may be attached to it. */
  dropNested(): void {
    if (this.nested !== undefined) this.host.client.destroy(this.nested);
    this.nested = undefined;
  }

  /** Back to the plain nest parent, with every object of the vSMMU gone. */
  detach(): void {
    this.attach(this.host.s2HwptId);
    this.dropNested();
    if (this.vdevice !== undefined) this.host.client.destroy(this.vdevice.id);
    this.vdevice = undefined;
  }

  /**
   * Installs the STE of a StreamID as it is in guest memory: abort and bypass share a page table,
   * a stage 1 STE gets its own. Throws the KernelError or an Error that says what is wrong with it.
   */
  install(sid: number, context: InstallContext): void {
    const { client, devid } = this.host;
    // 1. The host must know the guest's name of the device; kept even when what follows fails.
    this.vdevice ??= { id: client.allocVdevice(context.viommu.id, devid, BigInt(sid)), sid };
    // 2. What the STE asks for.
    const choice = choose(sid, context);
    if ("nothing" in choice) return;
    if ("refuse" in choice) throw new Error(choice.refuse);
    if ("hwpt" in choice) {
      this.replace(sid, choice.hwpt, undefined, context);
      return;
    }
    // 3. Stage 1: a page table for exactly this STE.
    const { ste } = choice;
    const hwpt = client.allocNested(devid, context.viommu.id, ste);
    context.log({ kind: "translate", vsid: sid, hwpt, ste });
    try {
      this.replace(sid, hwpt, hwpt, context);
    } catch (error) {
      client.destroy(hwpt);
      throw error;
    }
  }

  /** Attaches, and only then frees the nested page table that was in use. */
  private replace(
    sid: number,
    hwpt: number,
    nested: number | undefined,
    context: InstallContext,
  ): void {
    this.attach(hwpt);
    const old = this.nested;
    this.nested = nested;
    if (old !== undefined) this.host.client.destroy(old);
    context.log({ kind: "install", vsid: sid, type: typeOf(hwpt, context.viommu), hwpt });
  }
}

function typeOf(hwpt: number, viommu: AccelViommu): InstallType {
  if (hwpt === viommu.abortHwpt) return "abort";
  return hwpt === viommu.bypassHwpt ? "bypass" : "translate";
}

/** Decides from the STE in guest memory. */
function choose(sid: number, context: InstallContext): Choice {
  const { viommu, quirks } = context;
  const abort = { hwpt: viommu.abortHwpt };
  const ste = context.findSte(sid);
  if (ste === undefined) return quirks.has("NO_STE_KEEPS_OLD") ? { nothing: true } : abort;
  if (!context.enabled) return { hwpt: viommu.gbpaHwpt(context.gbpaAbort) };
  const config = getField(STE, ste, "Config");
  if (getField(STE, ste, "V") === 0n || config < VSTE_CONFIG.bypass) return abort;
  if (config === VSTE_CONFIG.bypass) return { hwpt: viommu.bypassHwpt };
  if (config !== VSTE_CONFIG.s1)
    return quirks.has("STAGE2_CONFIG_FAILS")
      ? { refuse: `invalid STE config for sid 0x${sid.toString(16)}` }
      : abort;
  const beyond = getField(STE, ste, "S1ContextPtr") >> POINTER_BITS !== 0n;
  if (beyond && !quirks.has("POINTER_55_52")) return abort;
  return { ste: maskVste(ste[0], ste[1]) };
}
