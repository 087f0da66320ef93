// e1000: a network controller as a DMA master. A write of TDT fetches descriptors at any IOVA,
// reads the buffers that they name, and stores their status (8254x manual, 3.4).
import type { PciFunction } from "../pci/function.ts";
import {
  E1000_CTRL,
  E1000_ICR,
  E1000_ICS,
  E1000_IMC,
  E1000_IMS,
  E1000_STATUS,
  E1000_TCTL,
  E1000_TDBAH,
  E1000_TDBAL,
  E1000_TDH,
  E1000_TDLEN,
  E1000_TDT,
  E1000_TX_LEGACY,
} from "../spec/e1000.ts";
import { bytesOf, getField, packFields, setField, wordsOf } from "../spec/word.ts";
import { PacketAssembler } from "./e1000-packet.ts";
import { type Endpoint, endpointFunction } from "./function.ts";

/** An 82540EM; its registers are in BAR 0, BAR 1 is an I/O window without a use. */
const ID = {
  vendor: 0x8086,
  device: 0x100e,
  revision: 0x03,
  classCode: 0x020000,
  barBytes: 0x20000,
  ioBytes: 0x40,
  interruptPin: 1,
};
/** What QEMU's reads as after a reset. */
const CTRL_RESET = 0x00140240n;
const STATUS_VALUE = 0x80080783n;
const REGISTER_BYTES = 4;
const DESCRIPTOR_BYTES = E1000_TX_LEGACY.bytes;
/** Where the status is in a descriptor, and how much of it is written back. */
const STATUS_AT = E1000_TX_LEGACY.field.DD.lo / 8;
const STATUS_BYTES = 4;
/**
 * 4-byte pieces that one write of TDT may ask for. A ring that asks for more stays where it is and
 * goes on at the next write, where QEMU would not come back for minutes.
 */
const WORK_MAX = 0x40000;

/** How the function reaches memory. */
export interface E1000Ports {
  dmaRead(fn: PciFunction, iova: bigint, bytes: number): Uint8Array;
  dmaWrite(fn: PciFunction, iova: bigint, data: Uint8Array): boolean;
}

/** The bytes that are written back: the status says done, and nothing went wrong. */
function written(words: readonly bigint[]): Uint8Array {
  const done = [...words];
  setField(E1000_TX_LEGACY, done, "DD", 1);
  for (const name of ["EC", "LC", "TU"] as const) setField(E1000_TX_LEGACY, done, name, 0);
  return bytesOf(done).subarray(STATUS_AT, STATUS_AT + STATUS_BYTES);
}

/** The registers and the transmitter behind them. */
class Controller {
  readonly #read: (iova: bigint, bytes: number) => Uint8Array;
  readonly #write: (iova: bigint, data: Uint8Array) => void;
  readonly #packet: PacketAssembler;
  #registers = new Map<number, bigint>();
  #busy = false;
  #work = 0;

  constructor(fn: PciFunction, ports: E1000Ports) {
    this.#read = (iova, bytes) => {
      this.#work += Math.ceil(bytes / 4);
      return ports.dmaRead(fn, iova, bytes);
    };
    this.#write = (iova, data) => ports.dmaWrite(fn, iova, data);
    this.#packet = new PacketAssembler(this.#read);
    this.reset();
  }

  reset(): void {
    this.#registers = new Map([
      [E1000_CTRL.offset, CTRL_RESET],
      [E1000_STATUS.offset, STATUS_VALUE],
    ]);
    this.#packet.reset();
  }

  /** While the controller does DMA its own registers do not answer that DMA. */
  read(offset: number): bigint {
    if (this.#busy) return 0n;
    if (offset === E1000_ICS.offset) return this.#get(E1000_ICR);
    const value = this.#get({ offset });
    if (offset === E1000_ICR.offset) this.#set(E1000_ICR, 0n);
    return value;
  }

  write(offset: number, value: bigint): void {
    if (!this.#busy) this.#writes.get(offset)?.(value);
  }

  readonly #writes = new Map<number, (value: bigint) => void>([
    [E1000_CTRL.offset, (v) => this.#set(E1000_CTRL, setField(E1000_CTRL, [v], "RST", 0)[0])],
    [E1000_ICR.offset, (v) => this.#set(E1000_ICR, this.#get(E1000_ICR) & ~v)],
    [E1000_ICS.offset, (v) => this.#cause(v)],
    [E1000_IMS.offset, (v) => this.#set(E1000_IMS, this.#get(E1000_IMS) | v)],
    [E1000_IMC.offset, (v) => this.#set(E1000_IMS, this.#get(E1000_IMS) & ~v)],
    [E1000_TDBAL.offset, (v) => this.#set(E1000_TDBAL, v)],
    [E1000_TDBAH.offset, (v) => this.#set(E1000_TDBAH, v)],
    [E1000_TDLEN.offset, (v) => this.#set(E1000_TDLEN, getField(E1000_TDLEN, [v], "Bytes"))],
    [E1000_TDH.offset, (v) => this.#set(E1000_TDH, getField(E1000_TDH, [v], "Index"))],
    [E1000_TDT.offset, (v) => this.#start(E1000_TDT, getField(E1000_TDT, [v], "Index"))],
    [E1000_TCTL.offset, (v) => this.#start(E1000_TCTL, v)],
  ]);

  #get({ offset }: { offset: number }): bigint {
    return this.#registers.get(offset) ?? 0n;
  }

  #set({ offset }: { offset: number }, value: bigint): void {
    this.#registers.set(offset, value);
  }

  #cause(bits: bigint): void {
    this.#set(E1000_ICR, this.#get(E1000_ICR) | bits);
  }

  /** Both TDT and TCTL make the transmitter look for work. */
  #start(register: { offset: number }, value: bigint): void {
    this.#set(register, value);
    if (getField(E1000_TCTL, [this.#get(E1000_TCTL)], "EN") === 0n) return;
    this.#busy = true;
    try {
      const wrote = this.#transmit();
      this.#cause(packFields(E1000_ICR, { TXQE: 1, TXDW: wrote ? 1 : 0 })[0]);
    } finally {
      this.#busy = false;
    }
  }

  /** Runs descriptors from TDH up to TDT; says whether a status was stored. */
  #transmit(): boolean {
    const ring = Number(this.#get(E1000_TDLEN)) / DESCRIPTOR_BYTES;
    const first = Number(this.#get(E1000_TDH));
    let wrote = false;
    this.#work = 0;
    while (this.#get(E1000_TDH) !== this.#get(E1000_TDT) && this.#work < WORK_MAX) {
      const head = Number(this.#get(E1000_TDH));
      wrote = this.#descriptor(head) || wrote;
      const next = head + 1 >= ring ? 0 : head + 1;
      this.#set(E1000_TDH, BigInt(next));
      // All the way round, or outside the ring: TDT cannot be reached.
      if (next === first || first >= ring) break;
    }
    return wrote;
  }

  #descriptor(index: number): boolean {
    const base = this.#get(E1000_TDBAH) * 2n ** 32n;
    const low = getField(E1000_TDBAL, [this.#get(E1000_TDBAL)], "Address");
    const at = BigInt.asUintN(64, base + low + BigInt(index * DESCRIPTOR_BYTES));
    const words = wordsOf(this.#read(at, DESCRIPTOR_BYTES));
    this.#packet.take(words);
    const wanted = (["RS", "RPS"] as const).some((b) => getField(E1000_TX_LEGACY, words, b) === 1n);
    if (wanted) this.#write(BigInt.asUintN(64, at + BigInt(STATUS_AT)), written(words));
    return wanted;
  }
}

/**
 * Makes an e1000: the transmit side of it, all other registers read as zero. It asks for no
 * interrupt; the causes are in ICR.
 */
export function e1000(devfn: number, multi: boolean, ports: E1000Ports): Endpoint {
  const fn = endpointFunction(devfn, ID, multi);
  const controller = new Controller(fn, ports);
  // An access of less than a register, wherever it starts, stands for all of it.
  const aligned = (offset: number) => offset - (offset % REGISTER_BYTES);
  return {
    fn,
    reset: () => controller.reset(),
    registers: {
      read(offset, size) {
        const low = controller.read(aligned(offset));
        if (size === 8) return low + controller.read(offset + REGISTER_BYTES) * 2n ** 32n;
        return BigInt.asUintN(8 * size, low);
      },
      write(offset, size, value) {
        controller.write(aligned(offset), BigInt.asUintN(32, value));
        if (size === 8) controller.write(offset + REGISTER_BYTES, value >> 32n);
        return true;
      },
    },
  };
}
