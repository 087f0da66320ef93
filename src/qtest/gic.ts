// The interrupt controller's frames as far as LPIs need them: distributor, one redistributor, ITS.
import type { Its } from "../gic/its.ts";
import { GITS_TRANSLATER } from "../spec/its-register.ts";
import { bytesFrom, littleEndian, type MmioDevice } from "./bus.ts";

export const GICD_BYTES = 0x10000;
export const GICR_BYTES = 0x20000;

const GICD = { ctlr: 0x0, typer: 0x4, iidr: 0x8 };
/** One security state, affinity routing. */
const GICD_CTLR_FIXED = 0x50n;
const GICD_CTLR_ENABLES = 0x7n;
const GICD_TYPER = 0x037a0008n;
const IIDR = 0x43bn;
const PIDR2 = { offset: 0xffe8, value: 0x3bn };

const GICR = { ctlr: 0x0, iidr: 0x4, typer: 0x8, propbaser: 0x70, pendbaser: 0x78 };
/** The only redistributor, processor 0, with physical LPIs. */
const GICR_TYPER = 0x01000011n;
/** EnableLPIs can be cleared again. */
const GICR_CTLR_FIXED = 2n;

/** Registers in a byte array, with values that reads replace. */
class RegisterFile implements MmioDevice {
  readonly bytes: Uint8Array;
  readonly #fixed: Map<number, bigint>;
  readonly #written: (offset: number) => void;

  constructor(size: number, fixed: [number, bigint][], written: (offset: number) => void) {
    this.bytes = new Uint8Array(size);
    this.#fixed = new Map(fixed);
    this.#written = written;
  }

  get(offset: number, size: number): bigint {
    return littleEndian(this.bytes.subarray(offset, offset + size));
  }

  read(offset: number, size: number): bigint {
    const low = this.#fixed.get(offset);
    if (low !== undefined) return BigInt.asUintN(size * 8, low);
    return this.get(offset, size);
  }

  write(offset: number, size: number, value: bigint): boolean {
    if (!this.#fixed.has(offset)) this.bytes.set(bytesFrom(value, size), offset);
    this.#written(offset);
    return true;
  }
}

/** The distributor and the redistributor; the latter tells the ITS about its LPI tables. */
export class GicFrames {
  readonly distributor: MmioDevice;
  readonly redistributor: MmioDevice;
  readonly #gicd: RegisterFile;
  readonly #gicr: RegisterFile;
  readonly #its: Its;

  constructor(its: Its) {
    this.#its = its;
    const gicd = new RegisterFile(
      GICD_BYTES,
      [
        [GICD.typer, GICD_TYPER],
        [GICD.iidr, IIDR],
        [PIDR2.offset, PIDR2.value],
      ],
      () => {},
    );
    const gicr = new RegisterFile(
      GICR_BYTES,
      [
        [GICR.iidr, IIDR],
        [GICR.typer, GICR_TYPER],
        [PIDR2.offset, PIDR2.value],
      ],
      () => this.#tellIts(),
    );
    this.#gicd = gicd;
    this.#gicr = gicr;
    this.distributor = {
      read: (offset, size) =>
        offset === GICD.ctlr
          ? GICD_CTLR_FIXED | (gicd.get(GICD.ctlr, 4) & GICD_CTLR_ENABLES)
          : gicd.read(offset, size),
      write: (offset, size, value) => gicd.write(offset, size, value),
    };
    this.redistributor = {
      read: (offset, size) =>
        offset === GICR.ctlr ? GICR_CTLR_FIXED | this.#ctlr() : gicr.read(offset, size),
      write: (offset, size, value) => gicr.write(offset, size, value),
    };
    this.#tellIts();
  }

  /** GICR_CTLR.EnableLPIs. */
  #ctlr(): bigint {
    return this.#gicr.get(GICR.ctlr, 4) % 2n;
  }

  #tellIts(): void {
    this.#its.setRedistributor(0, {
      typer: GICR_TYPER,
      propbaser: this.#gicr.get(GICR.propbaser, 8),
      pendbaser: this.#gicr.get(GICR.pendbaser, 8),
      ctlr: Number(this.#ctlr()),
    });
  }

  reset(): void {
    this.#gicd.bytes.fill(0);
    this.#gicr.bytes.fill(0);
    this.#tellIts();
  }
}

/** The two frames of the ITS. A write of a DMA to GITS_TRANSLATER is a message. */
export function itsFrames(its: Its): MmioDevice {
  return {
    read: (offset, size) => (size === 4 || size === 8 ? its.readRegister(offset, size) : 0n),
    write(offset, size, value, requester) {
      if (offset === GITS_TRANSLATER.offset && size <= 4)
        its.deliver(requester ?? 0, Number(value));
      else if (size !== 1) its.writeRegister(offset, value, size as 2 | 4 | 8);
      return true;
    },
  };
}
