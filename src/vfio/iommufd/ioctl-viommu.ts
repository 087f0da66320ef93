// IOMMU_VIOMMU_ALLOC, VDEVICE_ALLOC, VEVENTQ_ALLOC, HW_QUEUE_ALLOC: checks and effects (Linux 7.2
// iommufd/viommu.c).
import { pack } from "../../spec/uapi.ts";
import * as uapi from "../../spec/uapi-iommufd.ts";
import { fail } from "../errno.ts";
import type { IommufdDevice } from "./device.ts";
import type { HwptPaging } from "./hwpt.ts";
import { ULONG_MAX } from "./ioas.ts";
import type { Command } from "./ioctl-ioas.ts";
import type { Iommufd } from "./iommufd.ts";
import { Veventq } from "./veventq.ts";
import { HwQueue, Vdevice, Viommu } from "./viommu.ts";

/**
 * Refuses what the driver has no vIOMMU for: no nesting, no way to keep caches coherent, no CMDQV.
 */
function refuseUnsupported(device: IommufdDevice, type: number): void {
  const { smmu, canwbs, name } = device.host;
  if (!smmu.nesting) fail("EOPNOTSUPP", `${smmu.name} cannot nest`);
  if (!canwbs && !smmu.s2fwb)
    fail("EOPNOTSUPP", `neither CANWBS of ${name} nor S2FWB keeps the guest from bypassing caches`);
  const known =
    type === uapi.IOMMU_VIOMMU_TYPE_ARM_SMMUV3 ||
    (type === uapi.IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV && smmu.cmdqv !== undefined);
  if (!known) fail("EOPNOTSUPP", `${smmu.name} has no vIOMMU of type ${type}`);
}

export function viommuAlloc(k: Iommufd, cmd: Command<typeof uapi.iommu_viommu_alloc>): void {
  const type = cmd.type;
  if (cmd.flags !== 0 || type === uapi.IOMMU_VIOMMU_TYPE_DEFAULT)
    fail("EOPNOTSUPP", "unknown flags or type");
  const device = k.objects.get<IommufdDevice>(cmd.dev_id, "device");
  refuseUnsupported(device, type);
  const parent = k.objects.get<HwptPaging>(cmd.hwpt_id, "hwpt-paging");
  if (!parent.nestParent) fail("EINVAL", `HWPT ${parent.id} is no nest parent`);
  const { bytes } = uapi.iommu_viommu_tegra241_cmdqv;
  const tegra = type === uapi.IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV;
  if (tegra) {
    if (cmd.data_len === 0) fail("EINVAL", "a CMDQV vIOMMU needs its data structure");
    k.readExtensible(cmd.data_uptr, cmd.data_len, bytes);
  }
  const viommu = k.objects.add(new Viommu(type, device.host.smmu, parent));
  if (viommu.vintf !== undefined)
    k.memory.write(
      cmd.data_uptr,
      pack(uapi.iommu_viommu_tegra241_cmdqv, {
        out_vintf_mmap_offset: viommu.vintf.mmapOffset,
        out_vintf_mmap_length: viommu.vintf.mmapBytes,
      }),
    );
  cmd.out_viommu_id = viommu.id;
}

export function vdeviceAlloc(k: Iommufd, cmd: Command<typeof uapi.iommu_vdevice_alloc>): void {
  const viommu = k.objects.get<Viommu>(cmd.viommu_id, "viommu");
  const device = k.objects.get<IommufdDevice>(cmd.dev_id, "device");
  const vdevice = new Vdevice(viommu, device, cmd.virt_id);
  cmd.out_vdevice_id = k.objects.add(vdevice).id;
}

export function veventqAlloc(k: Iommufd, cmd: Command<typeof uapi.iommu_veventq_alloc>): void {
  const type = cmd.type;
  if (cmd.flags !== 0 || cmd.__reserved !== 0 || type === uapi.IOMMU_VEVENTQ_TYPE_DEFAULT)
    fail("EOPNOTSUPP", "unknown flags or type, or a reserved member is set");
  const depth = cmd.veventq_depth;
  Veventq.refuseDepth(depth);
  const viommu = k.objects.get<Viommu>(cmd.viommu_id, "viommu");
  viommu.refuseQueue(type);
  const queue = k.objects.add(new Veventq(viommu, type, depth));
  viommu.addQueue(queue);
  cmd.out_veventq_id = queue.id;
  cmd.out_veventq_fd = k.openFile(queue);
}

export function hwQueueAlloc(k: Iommufd, cmd: Command<typeof uapi.iommu_hw_queue_alloc>): void {
  const type = cmd.type;
  if (cmd.flags !== 0 || type === uapi.IOMMU_HW_QUEUE_TYPE_DEFAULT)
    fail("EOPNOTSUPP", "unknown flags or type");
  const [iova, length] = [cmd.nesting_parent_iova, cmd.length];
  if (length === 0n) fail("EINVAL", "the queue has no bytes");
  if (iova + length - 1n > ULONG_MAX) fail("EOVERFLOW", "the queue wraps");
  const viommu = k.objects.get<Viommu>(cmd.viommu_id, "viommu");
  if (viommu.vintf === undefined || type !== uapi.IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV)
    fail("EOPNOTSUPP", `vIOMMU ${viommu.id} has no hardware queues of type ${type}`);
  const queue = k.objects.add(new HwQueue(viommu, cmd.index, iova, length, k.objects));
  try {
    queue.start();
  } catch (error) {
    k.objects.remove(queue);
    throw error;
  }
  cmd.out_hw_queue_id = queue.id;
}
