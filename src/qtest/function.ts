// PCI functions of the machine: configuration space as software finds it, registers behind BAR 0.
import { PciFunction } from "../pci/function.ts";
import { PCI_HEADER0, PCI_HEADER1 } from "../spec/pci.ts";
import { bytesOf, packFields, setField } from "../spec/word.ts";
import type { MmioDevice } from "./bus.ts";

/** What a function is, for its header. */
export interface Identity {
  vendor: number;
  device: number;
  revision?: number;
  classCode: number;
  /** Bytes of BAR 0, a power of two. */
  barBytes: number;
  /** Bytes of BAR 1, an I/O window; absent: there is none. */
  ioBytes?: number;
  /** 1: INTA#. */
  interruptPin?: number;
  /** The function can signal by MSI. */
  msi?: boolean;
}

/** An endpoint with registers. */
export interface Endpoint {
  fn: PciFunction;
  registers: MmioDevice;
  /** Back to power-on state. */
  reset(): void;
}

/** Subsystem that QEMU gives every function without one. */
const SUBSYSTEM = { SubsystemVendorID: 0x1af4, SubsystemID: 0x1100 };
const BAR0 = 0x10;
const BAR1 = 0x14;
const COMMAND = 4;
const LATENCY_TIMER = 0x0d;
const STATUS_CAPABILITIES = 0x10;
const CAPABILITY_AT = 0x40;
/** An MSI capability for one vector with a 64-bit address; it is the whole list. */
const MSI_CAPABILITY = [0x05, 0x00, 0x80, 0x00];
const MSI_BYTES = 14;
/** End of conventional configuration space. */
const HEADER_END = 0x100;
/** A root port's Express capability: version 2, port type 4, slot. */
const ROOT_PORT_CAPABILITY = [0x10, 0x00, 0x42, 0x01];
const BRIDGE_CLASS = 0x060400;

const place = (devfn: number): string =>
  `0000:00:${Math.floor(devfn / 8)
    .toString(16)
    .padStart(2, "0")}.${devfn % 8}`;

/** Makes an endpoint's function. `multi` marks function 0 of a device with several. */
export function endpointFunction(devfn: number, id: Identity, multi: boolean): PciFunction {
  const config = new Uint8Array(256);
  const words = packFields(PCI_HEADER0, {
    VendorID: id.vendor,
    DeviceID: id.device,
    RevisionID: id.revision ?? 0,
    ClassCode: id.classCode,
    MultiFunction: multi ? 1 : 0,
    ...SUBSYSTEM,
    InterruptPin: id.interruptPin ?? 0,
    ...(id.msi ? { Status: STATUS_CAPABILITIES, CapabilitiesPointer: CAPABILITY_AT } : {}),
  });
  if (id.ioBytes) setField(PCI_HEADER0, words, "BAR", 1, 1);
  config.set(bytesOf(words, PCI_HEADER0.bytes));
  if (id.msi) config.set(MSI_CAPABILITY, CAPABILITY_AT);
  const fn = new PciFunction({ bdf: place(devfn), config });
  const writable = new DataView(fn.config.writable.buffer);
  writable.setUint32(BAR0, 2 ** 32 - id.barBytes, true);
  if (id.ioBytes) writable.setUint32(BAR1, 2 ** 32 - id.ioBytes, true);
  // I/O and memory space, bus mastering; SERR#, INTx disable.
  fn.config.writable.set([0x07, 0x05], COMMAND);
  fn.config.writable[LATENCY_TIMER] = 0;
  if (id.msi) {
    // One vector: nothing but Enable can be granted. Messages go to whole words.
    fn.config.writable[CAPABILITY_AT + 2] = 0x01;
    fn.config.writable[CAPABILITY_AT + 4] = 0xfc;
  }
  // What no capability takes is scratch space.
  fn.config.writable.fill(0xff, id.msi ? CAPABILITY_AT + MSI_BYTES : CAPABILITY_AT, HEADER_END);
  return fn;
}

/** Makes a PCI Express root port. */
export function rootPortFunction(devfn: number, multi: boolean): PciFunction {
  const config = new Uint8Array(256);
  const words = packFields(PCI_HEADER1, {
    VendorID: 0x1b36,
    DeviceID: 0x000c,
    ClassCode: BRIDGE_CLASS,
    HeaderType: 1,
    MultiFunction: multi ? 1 : 0,
    Status: STATUS_CAPABILITIES,
    CapabilitiesPointer: CAPABILITY_AT,
    InterruptPin: 1,
  });
  config.set(bytesOf(words, PCI_HEADER1.bytes));
  config.set(ROOT_PORT_CAPABILITY, CAPABILITY_AT);
  const fn = new PciFunction({ bdf: place(devfn), config });
  // Memory, I/O and prefetchable windows in units of their granularity.
  fn.config.writable.set([0xf0, 0xf0], 0x1c);
  fn.config.writable.set([0xf0, 0xff, 0xf0, 0xff], 0x20);
  return fn;
}

/** Clears what software wrote into configuration space. */
export function resetConfig(fn: PciFunction): void {
  const { bytes, writable } = fn.config;
  for (let i = 0; i < bytes.length; i++) bytes[i] &= ~writable[i];
}
