// A conformance program: what a guest and its devices do to one SMMU, and what came of it.

/** A 64-bit value in JSON: "0x" and hexadecimal digits. */
export type Hex = string;

/**
 * One step. The machine is QEMU's `virt` with 512 MiB of RAM at 0x40000000, out of reset.
 * - `mem`: the guest stores one 64-bit word
 * - `reg`: the guest writes an SMMU register (offset within page 0; 4 or 8 bytes)
 * - `get`: the guest reads an SMMU register
 * - `dma`: a device moves `bytes` bytes at `iova`
 * - `transmit`: an e1000 works on the ring of `entries` descriptors at `iova`, from entry `head` up
 *   to entry `tail`: it reads each descriptor and its buffer, and writes the status back if asked
 */
export type Op =
  | { op: "mem"; at: Hex; value: Hex }
  | { op: "reg"; at: Hex; value: Hex; size: 4 | 8 }
  | { op: "get"; at: Hex; size: 4 | 8 }
  | { op: "dma"; sid: number; iova: Hex; bytes: number; write: boolean }
  | { op: "transmit"; sid: number; iova: Hex; entries: number; head: number; tail: number };

/** Everything that one program needs, in order. */
export interface Program {
  kind: string;
  /** Words of RAM that are there before the first step, [address, value]; all others are zero. */
  memory: [Hex, Hex][];
  ops: Op[];
  /** The event queue to look at when the program has ended: address and bytes. */
  eventq: { base: Hex; bytes: number };
}

/** What a device's DMA did. */
export interface DmaAnswer {
  trace: string[];
  prod: Hex;
  icr?: Hex;
  tdh?: Hex;
}

/**
 * What a program did. `answers` has one entry for each step:
 * - `mem`, `reg`: null
 * - `get`: the value
 * - `dma`: the trace of all its translations, in order, and EVENTQ_PROD after it
 * - `transmit`: the same, and what ICR and TDH then read
 *
 * A trace line is one of
 * - `cfg hit|miss`: the configuration cache
 * - `l1std ADDRESS`, `ste ADDRESS`, `cd ADDRESS`: where a structure is read
 * - `look ASID VMID ADDRESS hit|miss`, `ins ASID VMID ADDRESS TG LEVEL`: the IOTLB; ASID -1 is an
 *   entry of stage 2 alone
 * - `pte STAGE LEVEL ADDRESS VALUE`: a descriptor read; STAGE 3 is stage 1 of a nested walk
 * - `ok PA PERM STAGE`, `bypass`, `abort`, `disabled`: the outcome when there is no fault
 */
export interface ProgramRecord {
  answers: (null | Hex | DmaAnswer)[];
  /** The event queue's bytes afterwards, without trailing zeros. */
  events: Hex;
  /** Non-zero RAM at the places that DMA reached: [address, 16 bytes in hexadecimal]. */
  data: [Hex, string][];
}

/** A program with the answers of the machine that `by` names. */
export interface RecordedProgram {
  program: Program;
  by: string;
  record: ProgramRecord;
}

/** A number as JSON carries it. */
export const hex = (value: bigint | number): Hex => `0x${value.toString(16)}`;

/** Bytes as hexadecimal digits. */
export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
