// Where a PCI function sits: domain, bus, device and function (PCIe 2.2.6.2).

/** Functions on one bus: 32 devices of 8 functions. */
export const DEVFN_COUNT = 256;

const FUNCTIONS_PER_DEVICE = 8;

/** A function's place. `devfn` is device * 8 + function. */
export interface Bdf {
  readonly domain: number;
  readonly bus: number;
  readonly devfn: number;
}

/** Parses "0000:01:00.0" (or "01:00.0"). Throws a RangeError on anything else. */
export function parseBdf(text: string): Bdf {
  const match = /^(?:([0-9a-f]{4}):)?([0-9a-f]{2}):([01][0-9a-f])\.([0-7])$/i.exec(text);
  if (match === null) throw new RangeError(`not a PCI address: ${text}`);
  const [domain, bus, device, fn] = match.slice(1).map((part) => Number.parseInt(part ?? "0", 16));
  return { domain, bus, devfn: device * FUNCTIONS_PER_DEVICE + fn };
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

/** "0000:01:00.0". */
export function formatBdf({ domain, bus, devfn }: Bdf): string {
  const device = Math.floor(devfn / FUNCTIONS_PER_DEVICE);
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(device, 2)}.${devfn % FUNCTIONS_PER_DEVICE}`;
}

/** Requester ID: bus in bits 15:8, devfn in bits 7:0. The StreamID and DeviceID of a function. */
export const requesterIdOf = (bus: number, devfn: number): number => bus * DEVFN_COUNT + devfn;
