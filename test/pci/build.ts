// Configuration spaces built by hand for tests.

/** Bytes of a function: a header and the capabilities given, linked in order from 0x40 on. */
export function configOf(options: {
  readonly bridge?: { secondary: number };
  readonly capabilities?: readonly (readonly number[])[];
}): Uint8Array {
  const config = new Uint8Array(256);
  config[0x0e] = options.bridge ? 1 : 0;
  if (options.bridge) config[0x19] = options.bridge.secondary;
  const capabilities = options.capabilities ?? [];
  let at = 0x40;
  if (capabilities.length > 0) {
    config[0x06] = 0x10;
    config[0x34] = at;
  }
  capabilities.forEach((capability, i) => {
    const next = at + Math.ceil(Math.max(capability.length, 4) / 4) * 4;
    config.set(capability, at);
    config[at + 1] = i + 1 < capabilities.length ? next : 0;
    at = next;
  });
  return config;
}

/** A PCI Express capability of a port type (7: PCIe-to-PCI bridge). */
export const express = (portType: number): number[] => [0x10, 0, 2 + portType * 16, 0];

/** An MSI-X capability of `vectors` vectors, enabled or not, table in BAR 0. */
export const msix = (vectors: number, control: "on" | "off" | "masked"): number[] => {
  const high = { on: 0x80, off: 0, masked: 0xc0 }[control];
  return [0x11, 0, vectors - 1, high, 0, 0, 0, 0, 0, 8, 0, 0];
};

/** A table entry: address, data and mask. */
export function entry(address: bigint, data: number, mask = 0): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, address, true);
  view.setUint32(8, data, true);
  view.setUint32(12, mask, true);
  return bytes;
}

/** Several table entries in a row. */
export const tableOf = (...entries: Uint8Array[]): Uint8Array =>
  Uint8Array.from(entries.flatMap((e) => [...e]));
