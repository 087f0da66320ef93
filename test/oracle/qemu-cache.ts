// QEMU's state over a sequence: the IOTLB and decoded configurations by StreamID (QEMU 11.1).

import type { OracleAnswer, OracleMemory, OracleRegisters, OracleRequest } from "./model.ts";
import { translateQemu } from "./qemu.ts";
import { Iotlb } from "./qemu-iotlb.ts";
import type { QemuConfig } from "./qemu-walk.ts";

/** A QEMU SMMU with its caches, for predicting a sequence of translations and invalidations. */
export class QemuSmmu {
  readonly iotlb = new Iotlb();
  readonly configs = new Map<number, QemuConfig>();
  private readonly memory: OracleMemory;
  readonly regs: OracleRegisters;

  constructor(memory: OracleMemory, regs: OracleRegisters) {
    this.memory = memory;
    this.regs = regs;
  }

  /** Translates one transaction; caches live on. */
  translate(request: OracleRequest): OracleAnswer {
    return translateQemu(this.memory, this.regs, request, this.iotlb, this.configs);
  }

  /** CFGI_STE and CFGI_CD of one StreamID. */
  invalidateConfig(sid: number): void {
    this.configs.delete(sid);
  }

  /** CFGI_STE_RANGE: StreamIDs first..last. CFGI_ALL covers all. */
  invalidateConfigRange(first: number, last: number): void {
    for (const sid of this.configs.keys()) {
      if (sid >= first && sid <= last) this.configs.delete(sid);
    }
  }

  /** TLBI_NSNH_ALL. */
  invalidateAll(): void {
    this.iotlb.invalidateAll();
  }

  /** TLBI_NH_ALL and TLBI_S12_VMALL: everything of a VMID, or its stage 1 entries alone. */
  invalidateVmid(vmid: number, stage1Only = false): void {
    this.iotlb.invalidate((key) => key[1] === vmid && !(stage1Only && key[0] < 0));
  }

  /** TLBI_NH_ASID. */
  invalidateAsid(vmid: number, asid: number): void {
    this.iotlb.invalidate((key) => key[0] === asid && key[1] === vmid);
  }
}

/**
 * The accesses that a device's transfer becomes once it faults: naturally aligned pieces of at
 * most 4 bytes, each translated and recorded for itself.
 */
export function faultingPieces(iova: bigint, bytes: number): bigint[] {
  const pieces: bigint[] = [];
  let at = iova;
  let left = bytes;
  while (left > 0) {
    let size = 4;
    while (size > left || at % BigInt(size) !== 0n) size >>= 1;
    pieces.push(at);
    at += BigInt(size);
    left -= size;
  }
  return pieces;
}
