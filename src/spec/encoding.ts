// Encodings that several structures and registers share (IHI0070 3.13, 5.2, 6.3).
import { enumeration, type Values } from "./field.ts";

/** Shareability where 1 is reserved and acts as NSH. */
export const SHAREABILITY: Values = { 0: "NSH", 2: "OSH", 3: "ISH" };

/** Shareability of STE and GBPA, where 1 keeps what came in. */
export const SHCFG: Values = { 0: "NSH", 1: "INCOMING", 2: "OSH", 3: "ISH" };

/** Override of the privilege attribute; 1 is reserved and acts as INCOMING. */
export const PRIVCFG: Values = { 0: "INCOMING", 2: "UNPRIVILEGED", 3: "PRIVILEGED" };

/** Override of the instruction attribute of reads; 1 is reserved and acts as INCOMING. */
export const INSTCFG: Values = { 0: "INCOMING", 2: "DATA", 3: "INSTRUCTION" };

/** Cacheability of translation table walks. */
export const WALK_CACHE: Values = { 0: "NC", 1: "WBRAWA", 2: "WTRA", 3: "WBRA" };

/** Address sizes in bits. */
export const ADDRESS_SIZE: Values = {
  0: "32",
  1: "36",
  2: "40",
  3: "42",
  4: "44",
  5: "48",
  6: "52",
  7: "56",
};

/** Memory types of STE, GBPA and MSI attributes; other values act as nGnRnE. */
export const MemAttr = enumeration("MemAttr", {
  0: "DEVICE_nGnRnE",
  1: "DEVICE_nGnRE",
  2: "DEVICE_nGRE",
  3: "DEVICE_GRE",
  5: "ONC_INC",
  6: "ONC_IWT",
  7: "ONC_IWB",
  9: "OWT_INC",
  10: "OWT_IWT",
  11: "OWT_IWB",
  13: "OWB_INC",
  14: "OWB_IWT",
  15: "OIWB",
});
