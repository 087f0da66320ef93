// Tables of the ITS and of LPIs in memory, in the formats of QEMU and KVM (IHI0069 5.1, 5.2).
import { address, bits, enumeration, flag, res0, struct } from "./field.ts";

const V4 = "GICv4";

/** One byte of the LPI configuration table. */
export const LPI_CONFIG = struct("LPI_CONFIG", 8, "5.1", {
  Enable: flag(0, "The LPI is enabled."),
  "Group1/RES1": flag(1, "Written as 1."),
  Priority: bits(7, 2, undefined, "Bits [7:2] of the priority."),
});

/** Level 1 entry of an indirect device or collection table. */
export const L1_TABLE_ENTRY = struct("L1_TABLE_ENTRY", 64, "5.2", {
  _11: res0(11, 0),
  Address: address(51, 12, "Page of the level 2 table, aligned to GITS_BASER.Page_Size."),
  _62: res0(62, 52),
  Valid: flag(63, "The level 2 page exists."),
});

/** Device table entry of KVM, written when tables are saved. */
export const KVM_DTE = struct("KVM_DTE", 64, "KVM ABI revision 0", {
  size: bits(4, 0, undefined, "EventID bits, minus 1."),
  itt_addr: address(48, 5, { meaning: "Base of the interrupt translation table.", low: 8 }),
  next: bits(62, 49, undefined, "How many DeviceIDs further the next valid entry is; 0: last."),
  valid: flag(63, "The device is mapped."),
});

/** Collection table entry of KVM, written when tables are saved. */
export const KVM_CTE = struct("KVM_CTE", 64, "KVM ABI revision 0", {
  icid: bits(15, 0, undefined, "Collection."),
  rdbase: bits(51, 16, undefined, "Processor number of the target."),
  _62: res0(62, 52),
  valid: flag(63, "The collection is mapped."),
});

/** Interrupt translation entry of KVM, written when tables are saved. */
export const KVM_ITE = struct("KVM_ITE", 64, "KVM ABI revision 0", {
  icid: bits(15, 0, undefined, "Collection."),
  pINTID: bits(47, 16, undefined, "LPI; 0 marks an entry that is not valid."),
  next: bits(63, 48, undefined, "How many EventIDs further the next valid entry is; 0: last."),
});

/** Device table entry of QEMU, read again for each message. */
export const QEMU_DTE = struct("QEMU_DTE", 64, "QEMU 10.0", {
  valid: flag(0, "The device is mapped."),
  size: bits(5, 1, undefined, "EventID bits, minus 1."),
  itt_addr: address(49, 6, { meaning: "Base of the interrupt translation table.", low: 8 }),
  _63: res0(63, 50),
});

/** Collection table entry of QEMU, read again for each message. */
export const QEMU_CTE = struct("QEMU_CTE", 64, "QEMU 10.0", {
  valid: flag(0, "The collection is mapped."),
  rdbase: bits(16, 1, undefined, "Processor number of the target."),
  _63: res0(63, 17),
});

export const INTTYPE = enumeration("INTTYPE", { 0: "VIRTUAL", 1: "PHYSICAL" });

/** Interrupt translation entry of QEMU: 12 bytes, read again for each message. */
export const QEMU_ITE = struct("QEMU_ITE", 96, "QEMU 10.0", {
  valid: flag(0, "The event is mapped."),
  inttype: bits(1, 1, INTTYPE, "Physical or virtual LPI."),
  intid: bits(25, 2, undefined, "LPI."),
  _31: res0(31, 26),
  icid: bits(47, 32, undefined, "Collection."),
  vpeid: bits(63, 48, undefined, { meaning: "Virtual PE.", gate: V4 }),
  doorbell: bits(87, 64, undefined, { meaning: "Doorbell LPI of a virtual LPI.", gate: V4 }),
  _95: res0(95, 88),
});

/** vPE table entry of QEMU. */
export const QEMU_VTE = struct("QEMU_VTE", 64, "QEMU 10.0", {
  valid: flag(0, { meaning: "The vPE is mapped.", gate: V4 }),
  vptsize: bits(5, 1, undefined, { meaning: "vINTID bits, minus 1.", gate: V4 }),
  vptaddr: address(41, 6, { meaning: "Virtual pending table.", gate: V4, low: 16 }),
  rdbase: bits(57, 42, undefined, { meaning: "Processor number of the target.", gate: V4 }),
  _63: res0(63, 58),
});
