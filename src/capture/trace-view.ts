// Reads the engine's trace records in place, without an object for each (engine ABI TRACE).

import { offsetOf } from "../spec/abi.ts";
import { TRACE_FLAG as FLAGS, TRACE_KIND as KINDS, TRACE } from "../spec/abi-records.ts";
import type { Int } from "./json.ts";

const WORDS = TRACE.bytes / 4;
const ASID = offsetOf(TRACE, "asid") / 4;
const VMID = offsetOf(TRACE, "vmid") / 4;
const AUX = offsetOf(TRACE, "aux") / 4;
const ADDRESS = offsetOf(TRACE, "address") / 4;
const VALUE = offsetOf(TRACE, "value") / 4;
const BYTE = {
  what: offsetOf(TRACE, "what"),
  stage: offsetOf(TRACE, "stage"),
  level: offsetOf(TRACE, "level"),
  flags: offsetOf(TRACE, "flags"),
};
const WORD = 2 ** 32;

const numbers = (set: { values: Readonly<Record<number, string>> }) =>
  Object.fromEntries(Object.entries(set.values).map(([n, name]) => [name, Number(n)]));

/** Numbers of the record kinds by name. */
export const TRACE_KIND = numbers(KINDS);

/** Numbers of the record flags by name. */
export const TRACE_FLAG = numbers(FLAGS);

/** A window on the trace buffer of one engine. */
export class TraceView {
  readonly #memory: WebAssembly.Memory;
  readonly #lin: number;
  #bytes: Uint8Array;
  #words: Uint32Array;
  #ints: Int32Array;

  /** @param lin linear address of the first record */
  constructor(memory: WebAssembly.Memory, lin: number) {
    this.#memory = memory;
    this.#lin = lin;
    this.#bytes = new Uint8Array(0);
    this.#words = new Uint32Array(0);
    this.#ints = new Int32Array(0);
  }

  /** Call before reading: memory may have grown. */
  refresh(): void {
    const { buffer } = this.#memory;
    if (this.#bytes.buffer === buffer) return;
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer);
    this.#ints = new Int32Array(buffer);
  }

  what(i: number): number {
    return this.#bytes[this.#lin + i * TRACE.bytes + BYTE.what];
  }

  stage(i: number): number {
    return this.#bytes[this.#lin + i * TRACE.bytes + BYTE.stage];
  }

  level(i: number): number {
    return this.#bytes[this.#lin + i * TRACE.bytes + BYTE.level];
  }

  flags(i: number): number {
    return this.#bytes[this.#lin + i * TRACE.bytes + BYTE.flags];
  }

  asid(i: number): number {
    return this.#ints[this.#at(i) + ASID];
  }

  vmid(i: number): number {
    return this.#ints[this.#at(i) + VMID];
  }

  aux(i: number): number {
    return this.#words[this.#at(i) + AUX];
  }

  address(i: number): bigint {
    return this.#wide(this.#at(i) + ADDRESS);
  }

  value(i: number): bigint {
    return this.#wide(this.#at(i) + VALUE);
  }

  /** Whether the address equals `expected`, bit for bit. */
  addressIs(i: number, expected: Int): boolean {
    return this.#equals(this.#at(i) + ADDRESS, expected);
  }

  /** Whether the value equals `expected`, bit for bit. */
  valueIs(i: number, expected: Int): boolean {
    return this.#equals(this.#at(i) + VALUE, expected);
  }

  #at(i: number): number {
    return this.#lin / 4 + i * WORDS;
  }

  #equals(at: number, expected: Int): boolean {
    const low = this.#words[at];
    const high = this.#words[at + 1];
    // A safe number cannot equal the rounded value of a wider one: that is at least 2^53.
    if (typeof expected === "number") return high * WORD + low === expected;
    return this.#wide(at) === expected;
  }

  #wide(at: number): bigint {
    return (BigInt(this.#words[at + 1]) << 32n) | BigInt(this.#words[at]);
  }
}
