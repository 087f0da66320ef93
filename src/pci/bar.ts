// Base address registers: where registers and the MSI-X table appear (PCI Local Bus 3.0 6.2.5.1).
import { PCI_HEADER0, PCI_IO_BAR, PCI_MEMORY_BAR } from "../spec/pci.ts";
import { getField } from "../spec/word.ts";
import type { ConfigSpace } from "./config.ts";

const ENDPOINT_BARS = 6;
const BRIDGE_BARS = 2;

/**
 * One base address register as programmed. A 64-bit BAR takes two registers; `index` is the first.
 */
export interface Bar {
  readonly index: number;
  readonly kind: "memory32" | "memory64" | "io";
  readonly address: bigint;
}

const register = (config: ConfigSpace, index: number): bigint =>
  index < ENDPOINT_BARS ? config.get(PCI_HEADER0, 0, "BAR", index) : 0n;

function decode(config: ConfigSpace, index: number): Bar {
  const low = register(config, index);
  if (getField(PCI_IO_BAR, [low], "IOSpace") === 1n)
    return { index, kind: "io", address: getField(PCI_IO_BAR, [low], "Address") };
  const wide = getField(PCI_MEMORY_BAR, [low], "Type") === 2n;
  const word = wide ? low + register(config, index + 1) * 2n ** 32n : low;
  const address = getField(PCI_MEMORY_BAR, [word], "Address");
  return { index, kind: wide ? "memory64" : "memory32", address };
}

/** Every base address register that holds an address, in order of its index. */
export function barsOf(config: ConfigSpace): Bar[] {
  const bars: Bar[] = [];
  const count = config.isBridge ? BRIDGE_BARS : ENDPOINT_BARS;
  for (let index = 0; index < count; index++) {
    const bar = decode(config, index);
    if (bar.address !== 0n) bars.push(bar);
    if (bar.kind === "memory64") index++;
  }
  return bars;
}

/** Address that BAR `index` holds; 0 when it holds none. */
export const barAddress = (config: ConfigSpace, index: number): bigint =>
  barsOf(config).find((bar) => bar.index === index)?.address ?? 0n;
