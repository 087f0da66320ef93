// The MSI-X capability: table, masks, pending bits, and its listener (PCI Local Bus 3.0 6.8.2).
import { MSIX_CONTROL, MSIX_ENTRY, MSIX_POINTER } from "../spec/pci.ts";
import { bytesOf, getField, packFields, setField, wordsOf } from "../spec/word.ts";
import { barAddress } from "./bar.ts";
import { CAPABILITY, type ConfigSpace } from "./config.ts";
import type { MsiMessage } from "./msi.ts";

const CONTROL = 2;
const TABLE = 4;
const PENDING = 8;
/** Bytes of one table entry. */
export const MSIX_ENTRY_BYTES = MSIX_ENTRY.bytes;

/** Told when a vector becomes usable and when it stops being so. */
export interface VectorListener {
  /** The vector lost its last mask, or had none when the listener came. */
  use(vector: number, message: MsiMessage): void;
  /** The vector was masked, or the listener left while it was usable. */
  release(vector: number): void;
}

/** Table entries of these vectors, 16 bytes each, from vector 0 on. */
export function msixTableOf(vectors: readonly (MsiMessage & { masked: boolean })[]): Uint8Array {
  const table = new Uint8Array(vectors.length * MSIX_ENTRY_BYTES);
  vectors.forEach(({ address, data, masked }, v) => {
    const values = { MessageAddress: address, MessageData: data, Mask: masked ? 1 : 0 };
    table.set(bytesOf(packFields(MSIX_ENTRY, values)), v * MSIX_ENTRY_BYTES);
  });
  return table;
}

/**
 * MSI-X of one function: control word in its configuration space, table and pending bits beside it.
 */
export class MsixCapability {
  /** Offset of the capability. */
  readonly offset: number;
  /** Number of vectors, 1 to 2048. */
  readonly vectorCount: number;
  /** Where messages go: the function's bus sets it. */
  send: (message: MsiMessage) => void = () => {};
  private readonly config: ConfigSpace;
  private readonly table: Uint8Array;
  private readonly pending: Uint8Array;
  private functionMasked: boolean;
  private listener: VectorListener | undefined;

  private constructor(config: ConfigSpace, offset: number, table?: Uint8Array) {
    this.config = config;
    this.offset = offset;
    this.vectorCount = config.number(MSIX_CONTROL, offset + CONTROL, "TableSize") + 1;
    this.table = new Uint8Array(this.vectorCount * MSIX_ENTRY_BYTES);
    this.pending = new Uint8Array(Math.ceil(this.vectorCount / 64) * 8);
    for (let v = 0; v < this.vectorCount; v++) this.setMask(v, true);
    if (table !== undefined) this.table.set(table.subarray(0, this.table.length));
    config.allow(MSIX_CONTROL, offset + CONTROL, ["FunctionMask", "Enable"]);
    this.functionMasked = this.isFunctionMasked();
  }

  /**
   * The MSI-X capability, if the function has one. `table` holds the entries as they are now;
   * vectors beyond it are masked, as after reset.
   */
  static of(config: ConfigSpace, table?: Uint8Array): MsixCapability | undefined {
    const offset = config.find(CAPABILITY.MSIX);
    return offset === undefined ? undefined : new MsixCapability(config, offset, table);
  }

  get enabled(): boolean {
    return this.config.number(MSIX_CONTROL, this.offset + CONTROL, "Enable") === 1;
  }

  /** Guest-physical address of the vector table; 0 while its BAR holds no address. */
  get tableAddress(): bigint {
    return this.place(TABLE);
  }

  /** Guest-physical address of the pending bits. */
  get pendingAddress(): bigint {
    return this.place(PENDING);
  }

  /** Bytes of the vector table as they are now. */
  get tableBytes(): Uint8Array {
    return this.table.slice();
  }

  /**
   * Address and data of a vector as programmed. Throws a RangeError on a vector that is not there.
   */
  message(vector: number): MsiMessage {
    const words = this.entry(vector);
    return {
      address: getField(MSIX_ENTRY, words, "MessageAddress"),
      data: Number(getField(MSIX_ENTRY, words, "MessageData")),
    };
  }

  /** The vector's own mask bit. */
  isVectorMasked(vector: number): boolean {
    return getField(MSIX_ENTRY, this.entry(vector), "Mask") === 1n;
  }

  /**
   * True when the vector may not be signalled: its own mask, the function mask, or MSI-X disabled.
   */
  isMasked(vector: number): boolean {
    return this.functionMasked || this.isVectorMasked(vector);
  }

  /** True when a message waits for the vector to be unmasked. */
  isPending(vector: number): boolean {
    this.check(vector);
    return Math.floor(this.pending[Math.floor(vector / 8)] / 2 ** (vector % 8)) % 2 === 1;
  }

  /** A 4- or 8-byte read of the table, little-endian; other offsets read as 0. */
  readTable(offset: number, size: number): bigint {
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = value * 256n + BigInt(this.table[offset + i] ?? 0);
    return value;
  }

  /** A read of the pending bits. */
  readPending(offset: number, size: number): bigint {
    let value = 0n;
    for (let i = size - 1; i >= 0; i--)
      value = value * 256n + BigInt(this.pending[offset + i] ?? 0);
    return value;
  }

  /** A write to the table. A vector whose mask goes away is handed to the listener. */
  writeTable(offset: number, size: number, value: bigint): void {
    for (let i = 0; i < size; ) {
      const vector = Math.floor((offset + i) / MSIX_ENTRY_BYTES);
      if (vector >= this.vectorCount) return;
      const was = this.isMasked(vector);
      const end = (vector + 1) * MSIX_ENTRY_BYTES;
      for (; i < size && offset + i < end; i++)
        this.table[offset + i] = Number((value >> BigInt(8 * i)) & 0xffn);
      this.maskChanged(vector, was);
    }
  }

  /**
   * Follows a change of the control word: call after every configuration write that may touch it.
   * Turning MSI-X off tells the listener nothing: who turned it off releases the vectors.
   */
  controlChanged(): void {
    const was = this.functionMasked;
    this.functionMasked = this.isFunctionMasked();
    if (!this.enabled || this.functionMasked === was) return;
    for (let v = 0; v < this.vectorCount; v++) this.maskChanged(v, was || this.isVectorMasked(v));
  }

  /**
   * The device signals a vector: the message is sent, or its pending bit is set when the vector is
   * masked. With MSI-X disabled nothing happens.
   */
  signal(vector: number): "sent" | "pending" | "disabled" {
    this.check(vector);
    if (!this.enabled) return "disabled";
    if (this.isMasked(vector)) {
      this.setPending(vector, true);
      return "pending";
    }
    this.send(this.message(vector));
    return "sent";
  }

  /** Hands every usable vector to the listener, and later changes too. */
  listen(listener: VectorListener): void {
    this.listener = listener;
    for (let v = 0; v < this.vectorCount; v++)
      if (!this.isMasked(v)) listener.use(v, this.message(v));
  }

  /** Takes the listener away; it is told to release every usable vector. */
  unlisten(): void {
    const listener = this.listener;
    this.listener = undefined;
    if (listener === undefined) return;
    for (let v = 0; v < this.vectorCount; v++) if (!this.isMasked(v)) listener.release(v);
  }

  private maskChanged(vector: number, was: boolean): void {
    const masked = this.isMasked(vector);
    if (masked === was) return;
    if (masked) {
      this.listener?.release(vector);
      return;
    }
    this.listener?.use(vector, this.message(vector));
    if (!this.isPending(vector)) return;
    this.setPending(vector, false);
    this.send(this.message(vector));
  }

  private isFunctionMasked(): boolean {
    const mask = this.config.number(MSIX_CONTROL, this.offset + CONTROL, "FunctionMask");
    return !this.enabled || mask === 1;
  }

  private place(pointer: number): bigint {
    const bir = this.config.number(MSIX_POINTER, this.offset + pointer, "BIR");
    const base = barAddress(this.config, bir);
    return base === 0n ? 0n : base + this.config.get(MSIX_POINTER, this.offset + pointer, "Offset");
  }

  private check(vector: number): void {
    if (!Number.isInteger(vector) || vector < 0 || vector >= this.vectorCount)
      throw new RangeError(`vector ${vector} of ${this.vectorCount}`);
  }

  private entry(vector: number): bigint[] {
    this.check(vector);
    const at = vector * MSIX_ENTRY_BYTES;
    return wordsOf(this.table.subarray(at, at + MSIX_ENTRY_BYTES));
  }

  private setMask(vector: number, masked: boolean): void {
    const words = setField(MSIX_ENTRY, this.entry(vector), "Mask", masked ? 1 : 0);
    this.table.set(bytesOf(words), vector * MSIX_ENTRY_BYTES);
  }

  private setPending(vector: number, pending: boolean): void {
    if (this.isPending(vector) === pending) return;
    this.pending[Math.floor(vector / 8)] += (pending ? 1 : -1) * 2 ** (vector % 8);
  }
}
