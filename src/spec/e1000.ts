// The transmit side of Intel's 8254x network controllers (8254x manual, chapters 3 and 13).
import { address, bits, flag, register, res0, struct } from "./field.ts";

const whole = { Value: bits(31, 0) };

/** A 32-bit register whose bits have no names here. */
const plain = (name: string, offset: number, section: string) =>
  register(name, offset, 32, section, whole);

export const E1000_CTRL = register("E1000_CTRL", 0x0000, 32, "13.4.1", {
  Low: bits(25, 0),
  RST: flag(26, "device reset; reads as zero"),
  High: bits(31, 27),
});
export const E1000_STATUS = plain("E1000_STATUS", 0x0008, "13.4.2");

const causes = {
  TXDW: flag(0, "a descriptor was written back"),
  TXQE: flag(1, "the transmit queue is empty"),
  Others: bits(31, 2),
};

export const E1000_ICR = register("E1000_ICR", 0x00c0, 32, "13.4.17", causes);
export const E1000_ICS = register("E1000_ICS", 0x00c8, 32, "13.4.19", causes);
export const E1000_IMS = register("E1000_IMS", 0x00d0, 32, "13.4.20", causes);
export const E1000_IMC = register("E1000_IMC", 0x00d8, 32, "13.4.21", causes);

export const E1000_TCTL = register("E1000_TCTL", 0x0400, 32, "13.4.33", {
  _0: res0(0, 0),
  EN: flag(1, "the transmitter runs"),
  Others: bits(31, 2),
});

export const E1000_TDBAL = register("E1000_TDBAL", 0x3800, 32, "13.4.36", {
  _3: res0(3, 0),
  Address: address(31, 4),
});
export const E1000_TDBAH = plain("E1000_TDBAH", 0x3804, "13.4.37");
export const E1000_TDLEN = register("E1000_TDLEN", 0x3808, 32, "13.4.38", {
  _6: res0(6, 0),
  Bytes: address(19, 7, "bytes of the ring, a multiple of 128"),
  _31: res0(31, 20),
});

const index = { Index: bits(15, 0), _31: res0(31, 16) };

export const E1000_TDH = register("E1000_TDH", 0x3810, 32, "13.4.39", index);
export const E1000_TDT = register("E1000_TDT", 0x3818, 32, "13.4.40", index);

/** Bits of the command byte that every descriptor has at the same place. */
const command = {
  EOP: flag(88, "last descriptor of a packet"),
  IFCS: flag(89),
  RS: flag(91, "write the status back"),
  RPS: flag(92, "write the status back once the packet has left"),
  DEXT: flag(93, "0: legacy; 1: context or data, as DTYP says"),
  VLE: flag(94),
  IDE: flag(95),
};

const status = {
  DD: flag(96, "the controller is done with the descriptor"),
  EC: flag(97),
  LC: flag(98),
  TU: flag(99),
  _103: res0(103, 100),
};

export const E1000_TX_LEGACY = struct("E1000_TX_LEGACY", 128, "3.3.3", {
  Address: bits(63, 0),
  Length: bits(79, 64),
  CSO: bits(87, 80),
  ...command,
  IC: flag(90),
  ...status,
  CSS: bits(111, 104),
  Special: bits(127, 112),
});

export const E1000_TX_CONTEXT = struct("E1000_TX_CONTEXT", 128, "3.3.6", {
  IPCSS: bits(7, 0),
  IPCSO: bits(15, 8),
  IPCSE: bits(31, 16),
  TUCSS: bits(39, 32),
  TUCSO: bits(47, 40),
  TUCSE: bits(63, 48),
  PAYLEN: bits(83, 64),
  DTYP: bits(87, 84, { 0: "CONTEXT", 1: "DATA" }),
  TCP: flag(88),
  IP: flag(89),
  TSE: flag(90, "the context is for segmentation"),
  RS: flag(91),
  _92: res0(92, 92),
  DEXT: flag(93),
  _94: res0(94, 94),
  IDE: flag(95),
  ...status,
  HDRLEN: bits(111, 104, undefined, "bytes of the header that every segment repeats"),
  MSS: bits(127, 112, undefined, "bytes of payload of a segment"),
});

export const E1000_TX_DATA = struct("E1000_TX_DATA", 128, "3.3.7", {
  Address: bits(63, 0),
  DTALEN: bits(83, 64),
  DTYP: bits(87, 84, { 0: "CONTEXT", 1: "DATA" }),
  ...command,
  TSE: flag(90, "cut the packet into segments"),
  ...status,
  POPTS: bits(111, 104),
  Special: bits(127, 112),
});
