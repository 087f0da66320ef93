// How the host driver reaches the machine: tables in host memory, commands on the SMMU's queue.
import { type TableMemory, WordMemory } from "../tables/memory.ts";

/** What a host driver needs of the hardware it drives. */
export interface HostPort {
  /** Host physical memory. */
  readonly memory: TableMemory;
  /**
   * Tells the SMMU where the stream table is: 2-level with this SPLIT, covering 2^log2 StreamIDs.
   */
  useStreamTable(base: bigint, log2: number, split: number): void;
  /** Puts commands on the command queue and waits until they are consumed. */
  issue(commands: readonly Uint8Array[]): void;
}

/** A port without an engine: it keeps the commands, and memory is plain words. */
export class LogPort implements HostPort {
  readonly memory = new WordMemory();
  /** Every command so far, in order. */
  readonly commands: Uint8Array[] = [];

  useStreamTable(): void {}

  issue(commands: readonly Uint8Array[]): void {
    this.commands.push(...commands);
  }
}
