// Configuration space of a PCI Express endpoint made from scratch: identity, one BAR, MSI-X (PCI
// Local Bus 3.0 ch. 6).
import { CAPABILITY } from "../pci/config.ts";
import {
  MSIX_CONTROL,
  MSIX_POINTER,
  PCI_CAPABILITY,
  PCI_COMMAND,
  PCI_HEADER0,
  PCI_STATUS,
  PCIE_CAPABILITIES,
} from "../spec/pci.ts";
import { bytesOf, packFields } from "../spec/word.ts";

const CONFIG_BYTES = 256;
const EXPRESS_AT = 0x40;
const MSIX_AT = 0x80;
const BAR0_BASE = 0x1000_0000;
/** Where the pending bits lie in the BAR, behind the largest vector table. */
const PENDING_OFFSET = 0x8000;

/** What an endpoint is. */
export interface EndpointConfig {
  readonly vendor?: number;
  readonly device?: number;
  /** Vectors of MSI-X; 0 for a function without it. Default 4. */
  readonly vectors?: number;
  /** BAR and offset of the vector table. Default BAR 0, offset 0. */
  readonly table?: { readonly bar: number; readonly offset: number };
  /** False for a conventional PCI function. Default true. */
  readonly express?: boolean;
}

type Put = (at: number, bytes: Uint8Array) => void;

function putCapability(put: Put, at: number, id: number, next: number): void {
  put(at, bytesOf(packFields(PCI_CAPABILITY, { ID: id, Next: next })).subarray(0, 2));
}

/** The 256 bytes of configuration space of an endpoint after reset. */
export function endpointConfig(options: EndpointConfig = {}): Uint8Array {
  const { vendor = 0x1b36, device = 0x10, vectors = 4, express = true } = options;
  const { table = { bar: 0, offset: 0 } } = options;
  const config = new Uint8Array(CONFIG_BYTES);
  const put: Put = (at, bytes) => config.set(bytes, at);
  const list = [...(express ? [EXPRESS_AT] : []), ...(vectors > 0 ? [MSIX_AT] : [])];
  const status = packFields(PCI_STATUS, { CapabilitiesList: list.length > 0 ? 1 : 0 })[0];
  const command = packFields(PCI_COMMAND, { MemorySpace: 1, BusMaster: 1 })[0];
  put(
    0,
    bytesOf(
      packFields(PCI_HEADER0, {
        VendorID: vendor,
        DeviceID: device,
        Command: command,
        Status: status,
        BAR: BAR0_BASE,
        CapabilitiesPointer: list[0] ?? 0,
      }),
    ),
  );
  if (express) {
    putCapability(put, EXPRESS_AT, CAPABILITY.EXPRESS, list[1] ?? 0);
    const version = packFields(PCIE_CAPABILITIES, { Version: 2 });
    put(EXPRESS_AT + 2, bytesOf(version).subarray(0, 2));
  }
  if (vectors > 0) {
    putCapability(put, MSIX_AT, CAPABILITY.MSIX, 0);
    const control = packFields(MSIX_CONTROL, { TableSize: vectors - 1 });
    put(MSIX_AT + 2, bytesOf(control).subarray(0, 2));
    const at = (Offset: number) =>
      bytesOf(packFields(MSIX_POINTER, { BIR: table.bar, Offset })).subarray(0, 4);
    put(MSIX_AT + 4, at(table.offset));
    put(MSIX_AT + 8, at(table.offset + PENDING_OFFSET));
  }
  return config;
}
