// Configuration space: 4 KiB of bytes, what software may change, capability lists (PCIe 7).

import type { Field } from "../spec/field.ts";
import {
  PCI_CAPABILITY,
  PCI_COMMAND,
  PCI_HEADER0,
  PCI_HEADER1,
  PCI_POINTER,
  PCI_STATUS,
  PCIE_EXTENDED_CAPABILITY,
} from "../spec/pci.ts";
import { bytesOf, getField, type Layout, setField, wordsOf } from "../spec/word.ts";

/** Size of PCI Express configuration space in bytes; the first 256 are conventional. */
export const CONFIG_BYTES = 4096;
const CONVENTIONAL_BYTES = 256;
const HEADER_BYTES = 64;

/** Capability IDs that this model looks at. */
export const CAPABILITY = { MSI: 5, EXPRESS: 16, MSIX: 17 } as const;

/** One entry of a capability list. `offset` is its first byte in configuration space. */
export interface Capability {
  readonly id: number;
  readonly offset: number;
}

const COMMAND_OFFSET = PCI_HEADER0.field.Command.lo / 8;
const HEADER_FIELDS = ["CacheLineSize", "LatencyTimer", "InterruptLine"] as const;
const COMMAND_FIELDS = [
  "IOSpace",
  "MemorySpace",
  "BusMaster",
  "ParityErrorResponse",
  "SERREnable",
  "InterruptDisable",
] as const;

/** More entries than fit into the space mean that the list loops. */
const CAPABILITIES_MAX = (CONVENTIONAL_BYTES - HEADER_BYTES) / 4;
const EXTENDED_CAPABILITIES_MAX = (CONFIG_BYTES - CONVENTIONAL_BYTES) / 8;

/** The bytes of a function's configuration space and which of them software may write. */
export class ConfigSpace {
  /** All 4096 bytes, as the function presents them. */
  readonly bytes = new Uint8Array(CONFIG_BYTES);
  /** Bits that a configuration write may change. */
  readonly writable = new Uint8Array(CONFIG_BYTES);

  /**
   * `conventional` are the first 256 bytes, `extended` those from 0x100 on (absent: none, reads as
   * the end of the list). Throws a RangeError when either does not fit.
   */
  constructor(conventional: Uint8Array, extended?: Uint8Array) {
    if (conventional.length < HEADER_BYTES || conventional.length > CONFIG_BYTES)
      throw new RangeError(`configuration space of ${conventional.length} bytes`);
    this.bytes.set(conventional);
    if (extended !== undefined) {
      if (extended.length > CONFIG_BYTES - CONVENTIONAL_BYTES)
        throw new RangeError(`extended configuration space of ${extended.length} bytes`);
      this.bytes.set(extended, CONVENTIONAL_BYTES);
    }
    this.allowHeaderWrites();
  }

  /** Little-endian value of 1, 2 or 4 bytes. */
  read(offset: number, size: 1 | 2 | 4): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.bytes[offset + i];
    return value;
  }

  /** A configuration write: changes only the bits that software may change. */
  write(offset: number, size: 1 | 2 | 4, value: number): void {
    for (let i = 0; i < size && offset + i < CONFIG_BYTES; i++) {
      const mask = this.writable[offset + i];
      const byte = Math.floor(value / 256 ** i) % 256;
      this.bytes[offset + i] = (this.bytes[offset + i] & ~mask) | (byte & mask);
    }
  }

  /** Value of a declared field of the structure at `offset`. */
  get<N extends string>(layout: Layout<N>, offset: number, name: N, index = 0): bigint {
    return getField(layout, wordsOf(this.slice(layout, offset)), name, index);
  }

  /** The same as a number, for fields of at most 32 bits. */
  number<N extends string>(layout: Layout<N>, offset: number, name: N, index = 0): number {
    return Number(this.get(layout, offset, name, index));
  }

  /** Changes a field as the hardware does, whatever software may write. */
  set<N extends string>(layout: Layout<N>, offset: number, name: N, value: bigint | number): void {
    const words = wordsOf(this.slice(layout, offset));
    setField(layout, words, name, value);
    this.bytes.set(bytesOf(words, layout.bytes), offset);
  }

  /** Lets configuration writes change the named fields of the structure at `offset`. */
  allow<N extends string>(layout: Layout<N>, offset: number, names: readonly N[]): void {
    const words = wordsOf(new Uint8Array(layout.bytes));
    for (const name of names) {
      const field: Field = layout.field[name];
      for (let i = 0; i < field.count; i++) setField(layout, words, name, -1n, i);
    }
    bytesOf(words, layout.bytes).forEach((byte, i) => {
      this.writable[offset + i] |= byte;
    });
  }

  /** True for a PCI-to-PCI bridge (header type 1). */
  get isBridge(): boolean {
    return this.number(PCI_HEADER0, 0, "HeaderType") === 1;
  }

  /** The capability list, in list order; a list that loops or leaves the space ends there. */
  capabilities(): Capability[] {
    const status = [this.get(PCI_HEADER0, 0, "Status")];
    if (getField(PCI_STATUS, status, "CapabilitiesList") === 0n) return [];
    const pointer = [this.get(PCI_HEADER0, 0, "CapabilitiesPointer")];
    let offset = Number(getField(PCI_POINTER, pointer, "Offset"));
    const found: Capability[] = [];
    while (offset >= HEADER_BYTES && found.length < CAPABILITIES_MAX) {
      found.push({ id: this.number(PCI_CAPABILITY, offset, "ID"), offset });
      offset = this.number(PCI_CAPABILITY, offset, "Next");
    }
    return found;
  }

  /** The extended capability list, in list order, with the same bounds. */
  extendedCapabilities(): Capability[] {
    const found: Capability[] = [];
    let offset = CONVENTIONAL_BYTES;
    while (offset >= CONVENTIONAL_BYTES && found.length < EXTENDED_CAPABILITIES_MAX) {
      const id = this.number(PCIE_EXTENDED_CAPABILITY, offset, "ID");
      if (id === 0 || id === 0xffff) break;
      found.push({ id, offset });
      offset = this.number(PCIE_EXTENDED_CAPABILITY, offset, "Next");
    }
    return found;
  }

  /** Offset of the first capability with this ID. */
  find(id: number): number | undefined {
    return this.capabilities().find((c) => c.id === id)?.offset;
  }

  private slice(layout: Layout, offset: number): Uint8Array {
    return this.bytes.subarray(offset, offset + layout.bytes);
  }

  private allowHeaderWrites(): void {
    this.allow(PCI_COMMAND, COMMAND_OFFSET, COMMAND_FIELDS);
    this.allow(PCI_HEADER0, 0, HEADER_FIELDS);
    if (this.isBridge) this.allow(PCI_HEADER1, 0, ["PrimaryBus", "SecondaryBus", "SubordinateBus"]);
  }
}
