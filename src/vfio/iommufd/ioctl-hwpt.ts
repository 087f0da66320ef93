// IOMMU_HWPT_*, IOMMU_GET_HW_INFO, IOMMU_FAULT_QUEUE_ALLOC: checks and effects (Linux 7.2
// iommufd/hw_pagetable.c).
import { pack } from "../../spec/uapi.ts";
import * as uapi from "../../spec/uapi-iommufd.ts";
import { fail } from "../errno.ts";
import { COMMAND_BYTES } from "./convert.ts";
import type { IommufdDevice } from "./device.ts";
import { FaultQueue, HwptNested, HwptPaging } from "./hwpt.ts";
import type { Ioas } from "./ioas.ts";
import type { Command } from "./ioctl-ioas.ts";
import type { Iommufd } from "./iommufd.ts";
import type { IommufdObject } from "./object.ts";
import type { Viommu } from "./viommu.ts";
import { acceptVste } from "./vste.ts";

const FLAG = {
  NEST_PARENT: uapi.IOMMU_HWPT_ALLOC_NEST_PARENT,
  DIRTY_TRACKING: uapi.IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
  FAULT_ID_VALID: uapi.IOMMU_HWPT_FAULT_ID_VALID,
  PASID: uapi.IOMMU_HWPT_ALLOC_PASID,
};

/** One place of the kernel where flags choose the kind of paging domain. */
function pagingKind(device: IommufdDevice, flags: number): { stage: 1 | 2; nestParent: boolean } {
  const kind = flags & ~FLAG.FAULT_ID_VALID;
  if (kind === FLAG.NEST_PARENT || kind === (FLAG.NEST_PARENT | FLAG.PASID)) {
    if (!device.host.smmu.nesting) fail("EOPNOTSUPP", "the SMMU cannot nest");
    return { stage: 2, nestParent: true };
  }
  if (kind === 0 || kind === FLAG.PASID) return { stage: 1, nestParent: false };
  return fail("EOPNOTSUPP", `HWPT flags 0x${flags.toString(16)}`);
}

function allocPaging(
  device: IommufdDevice,
  ioas: Ioas,
  flags: number,
  hasData: boolean,
): HwptPaging {
  const known = FLAG.NEST_PARENT | FLAG.DIRTY_TRACKING | FLAG.FAULT_ID_VALID | FLAG.PASID;
  if ((flags & ~known) !== 0) fail("EOPNOTSUPP", `HWPT flags 0x${flags.toString(16)}`);
  if ((flags & FLAG.DIRTY_TRACKING) !== 0)
    fail("EOPNOTSUPP", "the SMMU does not track dirty pages");
  if ((flags & FLAG.FAULT_ID_VALID) !== 0 && (flags & FLAG.NEST_PARENT) !== 0)
    fail("EOPNOTSUPP", "a nest parent takes no faults");
  if (hasData) fail("EOPNOTSUPP", "a paging HWPT takes no driver data");
  const { stage, nestParent } = pagingKind(device, flags);
  const domain = device.host.smmu.allocPaging(stage, nestParent);
  try {
    return new HwptPaging(ioas, domain, (flags & FLAG.PASID) !== 0);
  } catch (error) {
    domain.destroy();
    throw error;
  }
}

/** The page table that the kernel makes when a device attaches to an address space itself. */
export const allocPagingFor = (device: IommufdDevice, ioas: Ioas): HwptPaging =>
  allocPaging(device, ioas, 0, false);

function allocNested(
  k: Iommufd,
  device: IommufdDevice,
  viommu: Viommu,
  cmd: Command<typeof uapi.iommu_hwpt_alloc>,
): HwptNested {
  const flags = cmd.flags;
  if (viommu.smmu !== device.host.smmu) fail("EINVAL", "the vIOMMU is on another SMMU");
  if ((flags & ~(FLAG.FAULT_ID_VALID | FLAG.PASID)) !== 0)
    fail("EOPNOTSUPP", `HWPT flags 0x${flags.toString(16)}`);
  if (cmd.data_len === 0) fail("EOPNOTSUPP", "a nested HWPT needs a vSTE");
  if ((flags & FLAG.PASID) !== 0) fail("EOPNOTSUPP", "a vSTE already holds its PASIDs");
  const { bytes } = uapi.iommu_hwpt_arm_smmuv3;
  const payload = k.readPayload(cmd.data_type, uapi.IOMMU_HWPT_DATA_ARM_SMMUV3, cmd, bytes);
  const host = {
    is: "nested" as const,
    smmu: viommu.smmu,
    parent: viommu.parent.host,
    ...acceptVste(payload),
  };
  return new HwptNested(viommu, host, false);
}

export function hwptAlloc(k: Iommufd, cmd: Command<typeof uapi.iommu_hwpt_alloc>): void {
  if (cmd.__reserved !== 0) fail("EOPNOTSUPP", "a reserved member is set");
  const hasData = cmd.data_len !== 0;
  if ((cmd.data_type !== uapi.IOMMU_HWPT_DATA_NONE) !== hasData)
    fail("EINVAL", "data type and data length do not fit");
  const device = k.objects.get<IommufdDevice>(cmd.dev_id, "device");
  const parent = k.find(cmd.pt_id);
  const flags = cmd.flags;
  const fault = (flags & FLAG.FAULT_ID_VALID) === 0 ? undefined : k.find(cmd.fault_id, "fault");
  if (parent === undefined) fail("EINVAL", `no object has id ${cmd.pt_id}`);
  const hwpt = allocUnder(k, device, parent, cmd, hasData);
  if ((flags & FLAG.FAULT_ID_VALID) !== 0) {
    if (fault === undefined) {
      hwpt.destroy();
      fail("ENOENT", `no fault queue has id ${cmd.fault_id}`);
    }
    hwpt.fault = fault as FaultQueue;
    fault.users++;
  }
  cmd.out_hwpt_id = k.objects.add(hwpt).id;
}

function allocUnder(
  k: Iommufd,
  device: IommufdDevice,
  parent: IommufdObject,
  cmd: Command<typeof uapi.iommu_hwpt_alloc>,
  hasData: boolean,
): HwptPaging | HwptNested {
  if (parent.type === "ioas") return allocPaging(device, parent as Ioas, cmd.flags, hasData);
  if (parent.type === "viommu") return allocNested(k, device, parent as Viommu, cmd);
  if (parent.type === "hwpt-paging")
    fail("EOPNOTSUPP", "this driver nests under a vIOMMU, not under an HWPT");
  return fail("EINVAL", `object ${parent.id} is a ${parent.type}`);
}

const PASID_CAPABILITIES = uapi.IOMMU_HW_CAP_PCI_PASID_EXEC | uapi.IOMMU_HW_CAP_PCI_PASID_PRIV;

export function getHwInfo(k: Iommufd, cmd: Command<typeof uapi.iommu_hw_info>): void {
  const flags = cmd.flags;
  if ((flags & ~uapi.IOMMU_HW_INFO_FLAG_INPUT_TYPE) !== 0) fail("EOPNOTSUPP", "unknown flags");
  if (cmd.__reserved.some((b) => b !== 0)) fail("EOPNOTSUPP", "a reserved member is set");
  const wanted = flags === 0 ? uapi.IOMMU_HW_INFO_TYPE_NONE : cmd.in_data_type;
  const { host } = k.objects.get<IommufdDevice>(cmd.dev_id, "device");
  const [type, data] = hwInfoData(host.smmu, wanted);
  const room = cmd.data_len;
  if (room > 0) {
    const out = new Uint8Array(room);
    out.set(data.subarray(0, room));
    k.memory.write(cmd.data_uptr, out);
  }
  cmd.data_len = data.length;
  cmd.out_data_type = type;
  cmd.out_max_pasid_log2 = host.pasidBits;
  cmd.out_capabilities = BigInt(
    (host.pasidBits > 0 ? PASID_CAPABILITIES : 0) |
      (host.ats ? 0 : uapi.IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED),
  );
}

function hwInfoData(smmu: IommufdDevice["host"]["smmu"], wanted: number): [number, Uint8Array] {
  if (wanted === uapi.IOMMU_HW_INFO_TYPE_NONE || wanted === uapi.IOMMU_HW_INFO_TYPE_ARM_SMMUV3) {
    const info = pack(uapi.iommu_hw_info_arm_smmuv3, smmu.info);
    return [uapi.IOMMU_HW_INFO_TYPE_ARM_SMMUV3, info];
  }
  if (wanted !== uapi.IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV || smmu.cmdqv === undefined)
    fail("EOPNOTSUPP", `${smmu.name} has no hardware information of type ${wanted}`);
  const info = pack(uapi.iommu_hw_info_tegra241_cmdqv, smmu.cmdqv);
  return [uapi.IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV, info];
}

export function hwptInvalidate(k: Iommufd, cmd: Command<typeof uapi.iommu_hwpt_invalidate>): void {
  const [entries, length, uptr] = [cmd.entry_num, cmd.entry_len, cmd.data_uptr];
  const reserved = cmd.__reserved;
  cmd.entry_num = 0;
  k.alwaysRespond();
  if (reserved !== 0) fail("EOPNOTSUPP", "reserved member is set");
  if (entries !== 0 && (uptr === 0n || length === 0)) fail("EINVAL", "there is no array");
  const target = k.objects.get(cmd.hwpt_id);
  if (target.type === "hwpt-nested")
    fail("EOPNOTSUPP", "this driver invalidates through the vIOMMU");
  if (target.type !== "viommu") fail("EINVAL", `object ${target.id} is a ${target.type}`);
  if (cmd.data_type !== uapi.IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3)
    fail("EINVAL", `invalidation data type ${cmd.data_type}`);
  if (entries === 0) fail("EINVAL", "the array has no entries");
  const commands = Array.from({ length: entries }, (_, i) =>
    k.readExtensible(uptr + BigInt(i * length), length, COMMAND_BYTES),
  );
  (target as Viommu).invalidate(commands, k.kernel, (done) => {
    cmd.entry_num = done;
  });
}

export function hwptSetDirtyTracking(
  k: Iommufd,
  cmd: Command<typeof uapi.iommu_hwpt_set_dirty_tracking>,
): void {
  if ((cmd.flags & ~1) !== 0) fail("EOPNOTSUPP", "unknown flags");
  k.objects.get(cmd.hwpt_id, "hwpt-paging");
  fail("EOPNOTSUPP", "the SMMU does not track dirty pages");
}

export function hwptGetDirtyBitmap(
  k: Iommufd,
  cmd: Command<typeof uapi.iommu_hwpt_get_dirty_bitmap>,
): void {
  if ((cmd.flags & ~1) !== 0 || cmd.__reserved !== 0)
    fail("EOPNOTSUPP", "unknown flags or a reserved member is set");
  k.objects.get(cmd.hwpt_id, "hwpt-paging");
  fail("EOPNOTSUPP", "the SMMU does not track dirty pages");
}

export function faultQueueAlloc(k: Iommufd, cmd: Command<typeof uapi.iommu_fault_alloc>): void {
  if (cmd.flags !== 0) fail("EOPNOTSUPP", "unknown flags");
  const queue = k.objects.add(new FaultQueue());
  cmd.out_fault_id = queue.id;
  cmd.out_fault_fd = k.openFile(queue);
}
