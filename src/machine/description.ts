// What a machine is made of, independent of where it was read from.

import type { IdRegisters } from "../engine/identity.ts";
import type { AddressMap } from "../engine/memory.ts";
import type { PciFunctionOptions } from "../pci/function.ts";

/** One SMMU in the state to start from. */
export interface SmmuDescription {
  base: bigint;
  id: Partial<IdRegisters>;
  /** [offset, 32-bit value] of the registers. */
  registers: [number, number][];
}

/** One redistributor's LPI registers. */
export interface RedistributorDescription {
  typer: bigint;
  propbaser: bigint;
  pendbaser: bigint;
  ctlr: number;
}

/** An ITS in the state to start from; its tables are in memory. */
export interface ItsDescription {
  base: bigint;
  registers: ReadonlyMap<string, bigint>;
  redistributors: RedistributorDescription[];
}

/** A PCI function and the SMMU in front of it. */
export interface FunctionDescription extends PciFunctionOptions {
  /** Index of the SMMU; null: none. */
  smmu: number | null;
  /** StreamID, when it is known to be other than the requester ID. */
  sid?: number;
}

/** A `virt`-like machine. */
export interface MachineDescription {
  name: string;
  /** Maps the guest's memory into the machine's address map. */
  attachMemory(map: AddressMap): void;
  ram: { base: bigint; bytes: bigint }[];
  smmus: SmmuDescription[];
  /** The MSI controller: an ITS, or the base of a GICv2m frame; null: none. */
  msiController: { its: ItsDescription } | { v2m: bigint } | null;
  functions: FunctionDescription[];
}
