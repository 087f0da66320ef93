// Typed calls over the ioctl front: what a VMM's iommufd backend does (QEMU 11.1
// backends/iommufd.c).
import { type ErrnoName, errnoName } from "../../spec/errno.ts";
import { type CMembers, type CStruct, type CValues, pack, unpack } from "../../spec/uapi.ts";
import * as uapi from "../../spec/uapi-iommufd.ts";
import { KernelError } from "../errno.ts";
import { COMMAND_BYTES } from "./convert.ts";
import type { CmdqvInfo, HwInfo } from "./driver.ts";
import type { IovaRange } from "./ioas.ts";
import type { Iommufd } from "./iommufd.ts";
import { vstePayload } from "./vste.ts";

/** Result of GET_HW_INFO of type ARM_SMMUV3. */
export interface DeviceInfo {
  readonly smmu: HwInfo;
  readonly maxPasidLog2: number;
  readonly capabilities: bigint;
}

/** A vEVENTQ as its maker holds it. */
export interface VeventqHandle {
  readonly id: number;
  readonly fd: number;
}

/**
 * Outcome of an invalidation: how many entries the kernel says it handled, and the errno if any.
 */
export interface InvalidateOutcome {
  readonly done: number;
  readonly error: ErrnoName | undefined;
}

/**
 * One process's calls into an iommufd. Every method throws the KernelError that the ioctl returned.
 */
export class IommufdClient {
  constructor(readonly kernel: Iommufd) {}

  /** Runs one ioctl with the members given and returns the structure afterwards. */
  call<M extends CMembers>(
    nr: number,
    layout: CStruct<M>,
    values: Partial<CValues<M>>,
  ): CValues<M> {
    const { out, error } = this.tryCall(nr, layout, values);
    if (error !== undefined) throw error;
    return out;
  }

  private tryCall<M extends CMembers>(
    nr: number,
    layout: CStruct<M>,
    values: Partial<CValues<M>>,
  ): { out: CValues<M>; error: KernelError | undefined } {
    const bytes = pack(layout, { size: layout.bytes, ...values });
    const code = errnoName(this.kernel.ioctl(nr, bytes));
    const reason = this.kernel.lastReason ?? "no reason given";
    const error = code === undefined ? undefined : new KernelError(code, reason);
    return { out: unpack(layout, bytes), error };
  }

  /** Runs `body` with a buffer mapped into the process; it is gone afterwards. */
  private withBuffer<T>(data: Uint8Array, body: (uptr: bigint) => T): T {
    const uptr = this.kernel.memory.place(data);
    try {
      return body(uptr);
    } finally {
      this.kernel.memory.remove(uptr);
    }
  }

  /** read() of a file that an ioctl gave; nothing when nothing is there. */
  read(fd: number, bytes: number): Uint8Array {
    return this.kernel.readFile(fd, bytes);
  }

  /** close() of such a file. */
  close(fd: number): void {
    this.kernel.closeFile(fd);
  }

  destroy(id: number): void {
    this.call(uapi.IOMMU_DESTROY, uapi.iommu_destroy, { id });
  }

  allocIoas(): number {
    return this.call(uapi.IOMMU_IOAS_ALLOC, uapi.iommu_ioas_alloc, {}).out_ioas_id;
  }

  /** Asks for the number of ranges first, then for the ranges. */
  iovaRanges(ioas: number): { ranges: IovaRange[]; alignment: bigint } {
    const { IOMMU_IOAS_IOVA_RANGES: nr, iommu_ioas_iova_ranges: layout } = uapi;
    const first = this.tryCall(nr, layout, { ioas_id: ioas });
    if (first.error !== undefined && first.error.code !== "EMSGSIZE") throw first.error;
    const count = first.out.num_iovas;
    const { bytes } = uapi.iommu_iova_range;
    const out = new Uint8Array(count * bytes);
    const answer = this.withBuffer(out, (allowed_iovas) =>
      this.call(nr, layout, { ...first.out, allowed_iovas }),
    );
    const ranges = Array.from({ length: count }, (_, i) =>
      unpack(uapi.iommu_iova_range, out, i * bytes),
    );
    return { ranges, alignment: answer.out_iova_alignment };
  }

  /** Maps user pages at a fixed IOVA, readable and, unless `readonly`, writable. */
  map(ioas: number, iova: bigint, length: bigint, userVa: bigint, readonly = false): void {
    const flags =
      uapi.IOMMU_IOAS_MAP_FIXED_IOVA |
      uapi.IOMMU_IOAS_MAP_READABLE |
      (readonly ? 0 : uapi.IOMMU_IOAS_MAP_WRITEABLE);
    const values = { flags, ioas_id: ioas, user_va: userVa, length, iova };
    this.call(uapi.IOMMU_IOAS_MAP, uapi.iommu_ioas_map, values);
  }

  /** Returns the bytes that were unmapped. */
  unmap(ioas: number, iova: bigint, length: bigint): bigint {
    const values = { ioas_id: ioas, iova, length };
    return this.call(uapi.IOMMU_IOAS_UNMAP, uapi.iommu_ioas_unmap, values).length;
  }

  private hwInfoOf<M extends CMembers>(
    layout: CStruct<M>,
    wanted: { flags?: number; dev_id: number; in_data_type?: number },
  ): { head: CValues<typeof uapi.iommu_hw_info.members>; info: CValues<M> } {
    const out = new Uint8Array(layout.bytes);
    const { in_data_type: type, ...values } = wanted;
    const head = this.withBuffer(out, (data_uptr) =>
      this.call(uapi.IOMMU_GET_HW_INFO, uapi.iommu_hw_info, {
        ...values,
        ...(type === undefined ? {} : { in_data_type: type }),
        data_len: layout.bytes,
        data_uptr,
      }),
    );
    return { head, info: unpack(layout, out) };
  }

  /** GET_HW_INFO of the SMMU in front of a device. */
  hwInfo(device: number): DeviceInfo {
    const { head, info } = this.hwInfoOf(uapi.iommu_hw_info_arm_smmuv3, { dev_id: device });
    if (head.out_data_type !== uapi.IOMMU_HW_INFO_TYPE_ARM_SMMUV3)
      throw new Error(`hardware information of type ${head.out_data_type}`);
    return {
      smmu: info,
      maxPasidLog2: head.out_max_pasid_log2,
      capabilities: head.out_capabilities,
    };
  }

  /** GET_HW_INFO of a Tegra241 CMDQV. */
  cmdqvInfo(device: number): CmdqvInfo {
    return this.hwInfoOf(uapi.iommu_hw_info_tegra241_cmdqv, {
      flags: uapi.IOMMU_HW_INFO_FLAG_INPUT_TYPE,
      dev_id: device,
      in_data_type: uapi.IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV,
    }).info;
  }

  /** Allocates a page table that mirrors an address space. */
  allocPaging(device: number, ioas: number, flags: number): number {
    const values = { flags, dev_id: device, pt_id: ioas };
    return this.call(uapi.IOMMU_HWPT_ALLOC, uapi.iommu_hwpt_alloc, values).out_hwpt_id;
  }

  /** Allocates a nested page table from words 0 and 1 of a guest STE. */
  allocNested(device: number, viommu: number, vste: readonly [bigint, bigint]): number {
    const payload = vstePayload(vste);
    const answer = this.withBuffer(payload, (data_uptr) =>
      this.call(uapi.IOMMU_HWPT_ALLOC, uapi.iommu_hwpt_alloc, {
        dev_id: device,
        pt_id: viommu,
        data_type: uapi.IOMMU_HWPT_DATA_ARM_SMMUV3,
        data_len: payload.length,
        data_uptr,
      }),
    );
    return answer.out_hwpt_id;
  }

  /** Invalidates with 16-byte guest commands; the outcome is returned even when the call failed. */
  invalidate(viommu: number, commands: readonly Uint8Array[]): InvalidateOutcome {
    const data = new Uint8Array(commands.length * COMMAND_BYTES);
    for (const [i, command] of commands.entries()) data.set(command, i * COMMAND_BYTES);
    const { out, error } = this.withBuffer(data, (data_uptr) =>
      this.tryCall(uapi.IOMMU_HWPT_INVALIDATE, uapi.iommu_hwpt_invalidate, {
        hwpt_id: viommu,
        data_uptr,
        data_type: uapi.IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3,
        entry_len: COMMAND_BYTES,
        entry_num: commands.length,
      }),
    );
    return { done: out.entry_num, error: error?.code };
  }

  allocViommu(device: number, hwpt: number): number {
    const type = uapi.IOMMU_VIOMMU_TYPE_ARM_SMMUV3;
    const values = { type, dev_id: device, hwpt_id: hwpt };
    return this.call(uapi.IOMMU_VIOMMU_ALLOC, uapi.iommu_viommu_alloc, values).out_viommu_id;
  }

  /** A vIOMMU with a Tegra241 VINTF; also tells where the VINTF's page 0 can be mapped. */
  allocCmdqvViommu(device: number, hwpt: number): { id: number; mmapOffset: bigint } {
    const { iommu_viommu_tegra241_cmdqv: layout } = uapi;
    const data = new Uint8Array(layout.bytes);
    const answer = this.withBuffer(data, (data_uptr) =>
      this.call(uapi.IOMMU_VIOMMU_ALLOC, uapi.iommu_viommu_alloc, {
        type: uapi.IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV,
        dev_id: device,
        hwpt_id: hwpt,
        data_len: layout.bytes,
        data_uptr,
      }),
    );
    return { id: answer.out_viommu_id, mmapOffset: unpack(layout, data).out_vintf_mmap_offset };
  }

  allocVdevice(viommu: number, device: number, virtId: bigint): number {
    const values = { viommu_id: viommu, dev_id: device, virt_id: virtId };
    return this.call(uapi.IOMMU_VDEVICE_ALLOC, uapi.iommu_vdevice_alloc, values).out_vdevice_id;
  }

  allocVeventq(viommu: number, type: number, depth: number): VeventqHandle {
    const values = { viommu_id: viommu, type, veventq_depth: depth };
    const out = this.call(uapi.IOMMU_VEVENTQ_ALLOC, uapi.iommu_veventq_alloc, values);
    return { id: out.out_veventq_id, fd: out.out_veventq_fd };
  }

  allocHwQueue(viommu: number, type: number, index: number, iova: bigint, bytes: bigint): number {
    const values = { viommu_id: viommu, type, index, nesting_parent_iova: iova, length: bytes };
    return this.call(uapi.IOMMU_HW_QUEUE_ALLOC, uapi.iommu_hw_queue_alloc, values).out_hw_queue_id;
  }
}
