// GICv2m frame: the MSI controller without an ITS; a message's data is the SPI itself (GICv2m 1.0).
import { V2M_MSI_IIDR, V2M_MSI_SETSPI, V2M_MSI_TYPER } from "../spec/v2m.ts";
import { getField, packFields } from "../spec/word.ts";

const FRAME_BYTES = 0x1000n;
/** INTID of the first SPI of a GIC; KVM counts its GSIs from here. */
export const SPI_FIRST = 32;
const SPI_LIMIT = 1020;
const PRODUCT_QEMU = 0x51;
const GSI_COUNT = 0x10000;

/** An SPI made pending, or why the message had no effect. */
export interface V2mDelivery {
  readonly outcome: "delivered" | "lost";
  readonly reason: string;
  readonly spi: number | undefined;
}

/** A GICv2m frame that owns the SPIs [firstSpi, firstSpi + count). */
export class GicV2m {
  readonly base: bigint;
  readonly firstSpi: number;
  readonly count: number;

  /**
   * QEMU's virt machine has its frame at 0x08020000 with 64 SPIs from 80 on. Throws a RangeError
   * when they are not SPIs.
   */
  constructor(base: bigint, firstSpi = 80, count = 64) {
    if (firstSpi < SPI_FIRST || count < 1 || firstSpi + count > SPI_LIMIT)
      throw new RangeError(`INTIDs ${firstSpi} to ${firstSpi + count - 1} are not all SPIs`);
    this.base = base;
    this.firstSpi = firstSpi;
    this.count = count;
  }

  /** Guest-physical address that devices write to. */
  get doorbell(): bigint {
    return this.base + BigInt(V2M_MSI_SETSPI.offset);
  }

  /** True for every address of the frame. */
  contains(gpa: bigint): boolean {
    return gpa >= this.base && gpa < this.base + FRAME_BYTES;
  }

  /** A 32-bit read at an offset of the frame. */
  read(offset: number): number {
    if (offset === V2M_MSI_IIDR.offset)
      return Number(packFields(V2M_MSI_IIDR, { ProductID: PRODUCT_QEMU })[0]);
    if (offset !== V2M_MSI_TYPER.offset) return 0;
    return Number(packFields(V2M_MSI_TYPER, { SPICount: this.count, BaseSPI: this.firstSpi })[0]);
  }

  /** A message written to the doorbell. */
  deliver(data: number): V2mDelivery {
    const spi = Number(getField(V2M_MSI_SETSPI, [BigInt(data)], "INTID"));
    if (spi < this.firstSpi || spi >= this.firstSpi + this.count)
      return { outcome: "lost", reason: "the SPI is not one of the frame's", spi: undefined };
    return { outcome: "delivered", reason: "the SPI is pending", spi };
  }
}

/** KVM's GSI for a message to a GICv2m frame: the SPI counted from 0. No route is made. */
export const gsiOfV2mData = (data: number): number =>
  (((data - SPI_FIRST) % GSI_COUNT) + GSI_COUNT) % GSI_COUNT;
