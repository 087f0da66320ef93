// The physical address space of the machine: RAM and constant windows in the map, devices by range.
import type { AddressMap } from "../engine/memory.ts";

/** Something that answers at addresses. Offsets are relative to where it was added. */
export interface MmioDevice {
  /** Value of `size` bytes (1, 2, 4 or 8), or undefined when nothing answers. */
  read(offset: number, size: number): bigint | undefined;
  /** False when nothing answers. `requester` is the requester ID of a DMA. */
  write(offset: number, size: number, value: bigint, requester?: number): boolean;
}

interface Placed {
  base: bigint;
  bytes: bigint;
  device: MmioDevice;
}

interface MemoryRange {
  base: bigint;
  end: bigint;
  writable: boolean;
}

const ACCESS_MAX = 8;

/** Little-endian value of at most 8 bytes. */
export function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = value * 256n + BigInt(bytes[i]);
  return value;
}

/** The low `size` bytes of a value, little-endian. */
export function bytesFrom(value: bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return bytes.subarray(0, size);
}

/** Memory and devices behind physical addresses. */
export class Bus {
  readonly map: AddressMap;
  readonly #devices: Placed[] = [];
  readonly #memories: MemoryRange[] = [];

  constructor(map: AddressMap) {
    this.map = map;
  }

  /** Lets a device answer in a range; it goes before memory that is mapped there. */
  add(base: bigint, bytes: bigint | number, device: MmioDevice): void {
    this.#devices.push({ base, bytes: BigInt(bytes), device });
  }

  #find(address: bigint): Placed | undefined {
    return this.#devices.find((d) => address >= d.base && address - d.base < d.bytes);
  }

  /** Declares memory: what a DMA reads, or stores unless it is flash, in one go. */
  addMemory(base: bigint, bytes: bigint | number, writable: boolean): void {
    this.#memories.push({ base, end: base + BigInt(bytes), writable });
  }

  /** Bytes of memory from an address on; 0 where a device answers. */
  directBytes(address: bigint, write: boolean): bigint {
    const found = this.#memories.find(
      ({ base, end, writable }) => address >= base && address < end && (writable || !write),
    );
    return found ? found.end - address : 0n;
  }

  /** Bytes at an address; undefined when some of them are nowhere. */
  read(address: bigint, length: number): Uint8Array | undefined {
    const out = new Uint8Array(length);
    let complete = true;
    for (let done = 0; done < length; ) {
      const at = address + BigInt(done);
      const placed = this.#find(at);
      const size = placed ? accessSize(at, length - done) : this.#run(at, length - done);
      const bytes = placed
        ? answer(placed.device.read(Number(at - placed.base), size), size)
        : this.map.readBytes(at, size);
      if (bytes) out.set(bytes, done);
      complete &&= bytes !== undefined;
      done += size;
    }
    return complete ? out : undefined;
  }

  /** As `read`, with zeros where nothing is: what a CPU without aborts would see. */
  readOrZero(address: bigint, length: number): Uint8Array {
    const whole = this.read(address, length);
    if (whole) return whole;
    const out = new Uint8Array(length);
    for (let i = 0; i < length; i++) out.set(this.read(address + BigInt(i), 1) ?? [0], i);
    return out;
  }

  /**
   * Stores bytes; false when some of them went nowhere. `requester` names the function of a DMA.
   */
  write(address: bigint, data: Uint8Array, requester?: number): boolean {
    let complete = true;
    for (let done = 0; done < data.length; ) {
      const at = address + BigInt(done);
      const placed = this.#find(at);
      const left = data.length - done;
      const size = placed ? accessSize(at, left) : this.#run(at, left);
      const part = data.subarray(done, done + size);
      const taken = placed
        ? placed.device.write(Number(at - placed.base), size, littleEndian(part), requester)
        : this.map.writeBytes(at, part);
      complete &&= taken;
      done += size;
    }
    return complete;
  }

  /** Bytes from `at` before a device answers. */
  #run(at: bigint, left: number): number {
    let run = BigInt(left);
    for (const { base } of this.#devices) {
      if (base > at && base - at < run) run = base - at;
    }
    return Number(run);
  }
}

/** Naturally aligned size of the next device access. */
function accessSize(address: bigint, left: number): number {
  let size = ACCESS_MAX;
  while (size > 1 && (size > left || address % BigInt(size) !== 0n)) size /= 2;
  return size;
}

function answer(value: bigint | undefined, size: number): Uint8Array | undefined {
  return value === undefined ? undefined : bytesFrom(value, size);
}
