// A PCI function: its place, configuration space, MSI and MSI-X (PCI Local Bus 3.0 ch. 6).
import { PCI_COMMAND, PCI_HEADER0, PCI_HEADER1, PCIE_CAPABILITIES } from "../spec/pci.ts";
import { type Bar, barsOf } from "./bar.ts";
import { formatBdf, parseBdf } from "./bdf.ts";
import type { PciBus } from "./bus.ts";
import { CAPABILITY, ConfigSpace } from "./config.ts";
import { MsiCapability, type MsiMessage } from "./msi.ts";
import { MsixCapability } from "./msix.ts";

/** What a function is made of. */
export interface PciFunctionOptions {
  /** "0000:01:00.0": where the function was found. */
  readonly bdf: string;
  /** The first 256 bytes of configuration space (or all 4096). */
  readonly config: Uint8Array;
  /** Configuration space from 0x100 on. */
  readonly extended?: Uint8Array;
  /** The MSI-X table as it is now, 16 bytes a vector. */
  readonly msixTable?: Uint8Array;
}

/** One interrupt vector of a function. */
export interface Vector {
  readonly type: "msi" | "msix";
  readonly vector: number;
  readonly message: MsiMessage;
  readonly masked: boolean;
}

/** Offset of the PCI Express Capabilities Register within its capability. */
const EXPRESS_REGISTER = 2;
const COMMAND_OFFSET = PCI_HEADER0.field.Command.lo / 8;
const SECONDARY_BUS_OFFSET = PCI_HEADER1.field.SecondaryBus.lo / 8;

/** A function on a bus. */
export class PciFunction {
  readonly config: ConfigSpace;
  readonly domain: number;
  /** Device * 8 + function. */
  readonly devfn: number;
  readonly msi: MsiCapability | undefined;
  readonly msix: MsixCapability | undefined;
  /** The bus it is plugged into; undefined until `PciBus.plug`. */
  bus: PciBus | undefined;
  /** "ROOT_PORT", "PCIE_TO_PCI_BRIDGE", …; undefined for a conventional PCI function. */
  readonly expressPortType: string | undefined;
  private readonly firstBus: number;

  /** Throws a RangeError when the place or the configuration space is malformed. */
  constructor(options: PciFunctionOptions) {
    const place = parseBdf(options.bdf);
    this.domain = place.domain;
    this.devfn = place.devfn;
    this.firstBus = place.bus;
    this.config = new ConfigSpace(options.config, options.extended);
    this.expressPortType = expressPortTypeOf(this.config);
    this.msi = MsiCapability.of(this.config);
    this.msix = MsixCapability.of(this.config, options.msixTable);
  }

  /** Number of its bus now (software may renumber the buses behind a bridge). */
  get busNumber(): number {
    return this.bus?.number ?? this.firstBus;
  }

  /** "0000:01:00.0", with the bus number of now. */
  get bdf(): string {
    return formatBdf({ domain: this.domain, bus: this.busNumber, devfn: this.devfn });
  }

  get isBridge(): boolean {
    return this.config.isBridge;
  }

  /** Number of the bus behind a bridge, as software programmed it. */
  get secondaryBus(): number {
    return this.config.read(SECONDARY_BUS_OFFSET, 1);
  }

  /** True when software lets the function write to memory. */
  get isBusMaster(): boolean {
    return this.config.number(PCI_COMMAND, COMMAND_OFFSET, "BusMaster") === 1;
  }

  get bars(): Bar[] {
    return barsOf(this.config);
  }

  /** Every vector of the enabled MSI or MSI-X capability, masked ones included. */
  vectors(): Vector[] {
    const of = (type: "msi" | "msix", count: number, capability: MsiCapability | MsixCapability) =>
      Array.from({ length: count }, (_, vector) => ({
        type,
        vector,
        message: capability.message(vector),
        masked: capability.isMasked(vector),
      }));
    if (this.msix?.enabled) return of("msix", this.msix.vectorCount, this.msix);
    if (this.msi?.enabled) return of("msi", this.msi.vectorCount, this.msi);
    return [];
  }

  /** A configuration write by software, with its effect on the vectors. */
  writeConfig(offset: number, size: 1 | 2 | 4, value: number): void {
    this.config.write(offset, size, value);
    this.msix?.controlChanged();
  }
}

/** The capability's registers are read-only: the type never changes. */
function expressPortTypeOf(config: ConfigSpace): string | undefined {
  const offset = config.find(CAPABILITY.EXPRESS);
  if (offset === undefined) return undefined;
  const type = config.number(PCIE_CAPABILITIES, offset + EXPRESS_REGISTER, "PortType");
  return PCIE_CAPABILITIES.field.PortType.values?.[type] ?? `PORT_TYPE_${type}`;
}
