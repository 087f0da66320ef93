// Registers of a GICv2m frame (Arm Server Base System Architecture, appendix on GICv2m).
import { bits, register, res0 } from "./field.ts";

export const V2M_MSI_TYPER = register("V2M_MSI_TYPER", 0x008, 32, "GICv2m", {
  SPICount: bits(9, 0, undefined, "How many SPIs the frame owns."),
  _15: res0(15, 10),
  BaseSPI: bits(25, 16, undefined, "INTID of the first."),
  _31: res0(31, 26),
});

export const V2M_MSI_SETSPI = register(
  "V2M_MSI_SETSPI",
  0x040,
  32,
  "GICv2m",
  { INTID: bits(9, 0, undefined, "The SPI to make pending."), _31: res0(31, 10) },
  { meaning: "The doorbell.", access: "WO" },
);

export const V2M_MSI_IIDR = register("V2M_MSI_IIDR", 0xfcc, 32, "GICv2m", {
  Implementer: bits(11, 0),
  Revision: bits(15, 12),
  Architecture: bits(19, 16),
  ProductID: bits(31, 20, undefined, "0x51 is QEMU."),
});
