// The PCI side of the machine: ECAM, the memory windows, buses made from -device options.
import { barAddress } from "../pci/bar.ts";
import { DEVFN_COUNT } from "../pci/bdf.ts";
import { PciBus } from "../pci/bus.ts";
import type { PciFunction } from "../pci/function.ts";
import { PCI_COMMAND } from "../spec/pci.ts";
import type { Spec } from "./arguments.ts";
import type { MmioDevice } from "./bus.ts";
import { type Endpoint, endpointFunction, resetConfig, rootPortFunction } from "./function.ts";

const CONFIG_BYTES = 4096;
const BUSES = 256;
/** Bytes of the ECAM window: every configuration space of 256 buses. */
export const ECAM_BYTES = BUSES * DEVFN_COUNT * CONFIG_BYTES;
const COMMAND = 4;
const FUNCTIONS = 8;
const HOST_BRIDGE = { vendor: 0x1b36, device: 0x0008, classCode: 0x060000, barBytes: 0x80000000 };

/** Makes an endpoint of a -device option; undefined for a driver that it does not know. */
export type Factory = (spec: Spec, devfn: number, multi: boolean) => Endpoint | undefined;

/** The addresses of one BAR. */
interface Decoder {
  bar: bigint;
  end: bigint;
  registers: MmioDevice;
}

/** `01.2` or `1` → devfn */
function parseDevfn(text: string): number {
  const match = /^(?:0x)?([0-9a-f]{1,2})(?:\.([0-7]))?$/i.exec(text);
  if (!match) throw new Error(`addr=${text}: not a slot`);
  return Number.parseInt(match[1], 16) * FUNCTIONS + Number(match[2] ?? 0);
}

/** All functions of the machine. */
export class PciHost {
  readonly root = new PciBus("pcie.0", { number: 0 });
  readonly #buses = new Map<string, PciBus>([["pcie.0", this.root]]);
  readonly #endpoints: Endpoint[] = [];
  readonly #functions: PciFunction[] = [];
  #decoding: Decoder[] | undefined;

  constructor() {
    const host = endpointFunction(0, HOST_BRIDGE, false);
    host.config.writable.fill(0, 0x10, 0x14);
    this.root.plug(host);
    this.#functions.push(host);
  }

  /** Plugs the function of a -device option. Throws when it cannot be made. */
  add(spec: Spec, make: Factory): void {
    const bus = this.#buses.get(spec.props.bus ?? "pcie.0");
    if (!bus) throw new Error(`-device ${spec.name}: bus ${spec.props.bus} is not there`);
    const devfn = spec.props.addr === undefined ? freeSlot(bus) : parseDevfn(spec.props.addr);
    const multi = spec.props.multifunction === "on";
    if (spec.name === "pcie-root-port") {
      const port = rootPortFunction(devfn, multi);
      bus.plug(port);
      this.#functions.push(port);
      const id = spec.props.id ?? `rp${this.#buses.size}`;
      this.#buses.set(id, new PciBus(id, { parent: port }));
      return;
    }
    const endpoint = make(spec, devfn, multi);
    if (!endpoint) throw new Error(`-device ${spec.name}: no such device`);
    bus.plug(endpoint.fn);
    this.#functions.push(endpoint.fn);
    this.#endpoints.push(endpoint);
  }

  reset(): void {
    this.#decoding = undefined;
    for (const fn of this.#functions) resetConfig(fn);
    for (const endpoint of this.#endpoints) endpoint.reset();
  }

  /** A configuration access; an absent function reads as ones. */
  readonly ecam: MmioDevice = {
    read: (offset, size) => {
      const fn = this.#at(Math.floor(offset / CONFIG_BYTES));
      const at = offset % CONFIG_BYTES;
      if (!fn) return BigInt.asUintN(size * 8, -1n);
      if (size !== 8) return BigInt(fn.config.read(at, size as 1 | 2 | 4));
      return BigInt(fn.config.read(at, 4)) + BigInt(fn.config.read(at + 4, 4)) * 2n ** 32n;
    },
    write: (offset, size, value) => {
      this.#decoding = undefined;
      const fn = this.#at(Math.floor(offset / CONFIG_BYTES));
      const at = offset % CONFIG_BYTES;
      fn?.writeConfig(at, Math.min(size, 4) as 1 | 2 | 4, Number(BigInt.asUintN(32, value)));
      if (size === 8) fn?.writeConfig(at + 4, 4, Number(value >> 32n));
      return true;
    },
  };

  /** The memory window that starts at `base`: BARs of functions that decode memory, else ones. */
  window(base: bigint): MmioDevice {
    const decode = (offset: number) => {
      const address = base + BigInt(offset);
      const found = this.#decoders().find(({ bar, end }) => address >= bar && address < end);
      return found && { registers: found.registers, at: Number(address - found.bar) };
    };
    return {
      read(offset, size) {
        const found = decode(offset);
        return found ? found.registers.read(found.at, size) : BigInt.asUintN(size * 8, -1n);
      },
      write(offset, size, value) {
        const found = decode(offset);
        return found ? found.registers.write(found.at, size, value) : true;
      },
    };
  }

  /** Who decodes which addresses, until the next configuration write. */
  #decoders(): Decoder[] {
    this.#decoding ??= this.#endpoints.flatMap(({ fn, registers }) => {
      const bar = barAddress(fn.config, 0);
      if (bar === 0n || !decodesMemory(fn)) return [];
      return [{ bar, end: bar + barBytes(fn), registers }];
    });
    return this.#decoding;
  }

  #at(id: number): PciFunction | undefined {
    const number = Math.floor(id / DEVFN_COUNT);
    const bus = [...this.#buses.values()].find((b) => b.number === number && isReachable(b));
    return bus?.find(id % DEVFN_COUNT);
  }
}

/** A bus behind a bridge exists once software has numbered it. */
const isReachable = (bus: PciBus): boolean => bus.parent === undefined || bus.number !== 0;

function freeSlot(bus: PciBus): number {
  const taken = new Set(bus.functions.map((fn) => Math.floor(fn.devfn / FUNCTIONS)));
  let slot = bus.parent === undefined ? 1 : 0;
  while (taken.has(slot)) slot++;
  return slot * FUNCTIONS;
}

const barBytes = (fn: PciFunction): bigint => {
  const mask = new DataView(fn.config.writable.buffer).getUint32(0x10, true);
  return 2n ** 32n - BigInt(mask);
};

/** Whether memory accesses get through to the function: its own switch and those of the bridges. */
function decodesMemory(fn: PciFunction): boolean {
  for (let at: PciFunction | undefined = fn; at; at = at.bus?.parent) {
    if (at.config.number(PCI_COMMAND, COMMAND, "MemorySpace") !== 1) return false;
  }
  return true;
}
