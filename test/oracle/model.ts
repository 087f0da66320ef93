// What the oracle takes and gives: memory, registers, a request, an answer (no chapter of its own).

/** Physical memory. Undefined stands for an external abort. `pa` is 8-byte aligned. */
export interface OracleMemory {
  read64(pa: bigint): bigint | undefined;
}

/** The registers a translation depends on (IHI0070 6.3); 64-bit ones as BigInt. */
export interface OracleRegisters {
  idr0: number;
  idr1: number;
  idr2: number;
  idr3: number;
  idr4: number;
  idr5: number;
  aidr: number;
  cr0: number;
  cr1?: number;
  cr2: number;
  gbpa: number;
  strtabBase: bigint;
  strtabBaseCfg: number;
  /**
   * `qemu` mode: SPLIT of an earlier STRTAB_BASE_CFG write with FMT=1 since reset. QEMU never goes
   * back to linear, and keeps this SPLIT while FMT is something else.
   */
  latchedSplit?: number;
}

/** One transaction. A missing `ssid` means that it carries no SubstreamID (SSV=0). */
export interface OracleRequest {
  sid: number;
  ssid?: number;
  iova: bigint;
  write?: boolean;
  privileged?: boolean;
  instruction?: boolean;
}

/**
 * How a transaction ended.
 * - `ok`: translated by at least one stage.
 * - `bypass`: passed with its address unchanged.
 * - `abort`: ended by STE.Config=0xx or by global bypass rules; never an event.
 * - `event`: faulted, aborted, and recorded.
 * - `silent`: faulted, aborted, and the record was suppressed.
 * - `razwi`: a stage 1 fault with CD.A=0; `recorded` tells whether the event was written.
 */
export type OracleStatus = "ok" | "bypass" | "abort" | "event" | "silent" | "razwi";

/** One memory access of the SMMU. `value` is the (first) 64-bit word, undefined if it aborted. */
export interface OracleRead {
  what: "l1std" | "ste" | "l1cd" | "cd" | "pte";
  /** 1 or 2 for a descriptor; 0 for a configuration structure. */
  stage: 0 | 1 | 2;
  /** Table level of a descriptor; 0 otherwise. */
  level: number;
  /** Physical address. */
  address: bigint;
  value: bigint | undefined;
}

export interface OracleAnswer {
  status: OracleStatus;
  /** Output address of `ok` and `bypass`. */
  pa?: bigint;
  /** log2 of the bytes that the combined mapping covers; contiguous hints do not count. */
  pageBits?: number;
  /**
   * bit 0 read, bit 1 write, bit 2 execute, of all stages together, for the privilege of the
   * request. In `qemu` mode the permission of the IOTLB entry (bits 0 and 1).
   */
  perm?: number;
  /** Output memory type as one MAIR byte, after the consistency rules of 13.1.7 (`arch` only). */
  memattr?: number;
  /** Output shareability: 0 NSH, 2 OSH, 3 ISH (`arch` only). */
  sh?: number;
  /** Which stages translated: 1, 2, or 3 for both. */
  stage?: 1 | 2 | 3;
  /** The 32 bytes of the event, also when they were suppressed. */
  record?: Uint8Array;
  /** True when `record` was written to the Event queue (taken as never full). */
  recorded: boolean;
  /** Every access of the SMMU, in order. */
  reads: OracleRead[];
}

/** Which behaviour to predict. */
export type OracleMode = "arch" | "qemu";

/** Reads physical memory for one transaction and keeps the list of accesses. */
export class Fetcher {
  readonly reads: OracleRead[] = [];
  readonly memory: OracleMemory;

  constructor(memory: OracleMemory) {
    this.memory = memory;
  }

  /** Reads one 64-bit word. */
  word(
    what: OracleRead["what"],
    stage: 0 | 1 | 2,
    level: number,
    address: bigint,
  ): bigint | undefined {
    const value = this.memory.read64(address);
    this.reads.push({ what, stage, level, address, value });
    return value;
  }

  /** Reads a 64-byte structure: undefined if any of its words aborts. One entry in the list. */
  structure(what: "ste" | "cd", address: bigint): bigint[] | undefined {
    const words: bigint[] = [];
    let whole = true;
    for (let i = 0n; i < 8n; i++) {
      const value = this.memory.read64(address + i * 8n);
      if (value === undefined) whole = false;
      else words.push(value);
    }
    this.reads.push({ what, stage: 0, level: 0, address, value: whole ? words[0] : undefined });
    return whole ? words : undefined;
  }
}
