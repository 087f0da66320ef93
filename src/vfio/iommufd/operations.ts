// Which ioctl number has which structure and does what (Linux 7.2 iommufd/main.c).
import type { CMembers, CStruct, CValues } from "../../spec/uapi.ts";
import * as uapi from "../../spec/uapi-iommufd.ts";
import * as hwpt from "./ioctl-hwpt.ts";
import * as ioas from "./ioctl-ioas.ts";
import * as viommu from "./ioctl-viommu.ts";
import type { Iommufd } from "./iommufd.ts";

/** One ioctl: its structure, the bytes every caller must give, and what it does. */
export interface Operation {
  readonly name: string;
  readonly layout: CStruct;
  readonly minBytes: number;
  readonly run: (k: Iommufd, cmd: Record<string, unknown>) => void;
}

interface Details<M extends CMembers> {
  /** When it is not the name of the structure in capitals. */
  readonly name?: string;
  /** The first member that a caller may leave away; without it, all are needed. */
  readonly optionalFrom?: keyof M & string;
}

function op<M extends CMembers>(
  number: number,
  layout: CStruct<M>,
  run: NoInfer<(k: Iommufd, cmd: CValues<M>) => void>,
  details: NoInfer<Details<M>> = {},
): readonly [number, Operation] {
  const name = details.name ?? layout.name.toUpperCase();
  const last = details.optionalFrom;
  const minBytes = last === undefined ? layout.bytes : layout.members[last].offset;
  return [number, { name, layout, minBytes, run: run as Operation["run"] }];
}

/** Every ioctl of the model by its number. */
export const OPERATIONS: ReadonlyMap<number, Operation> = new Map([
  op(uapi.IOMMU_DESTROY, uapi.iommu_destroy, ioas.destroy),
  op(uapi.IOMMU_IOAS_ALLOC, uapi.iommu_ioas_alloc, ioas.ioasAlloc),
  op(uapi.IOMMU_IOAS_ALLOW_IOVAS, uapi.iommu_ioas_allow_iovas, ioas.ioasAllowIovas),
  op(uapi.IOMMU_IOAS_COPY, uapi.iommu_ioas_copy, ioas.ioasCopy),
  op(uapi.IOMMU_IOAS_IOVA_RANGES, uapi.iommu_ioas_iova_ranges, ioas.ioasIovaRanges),
  op(uapi.IOMMU_IOAS_MAP, uapi.iommu_ioas_map, ioas.ioasMap),
  op(uapi.IOMMU_IOAS_UNMAP, uapi.iommu_ioas_unmap, ioas.ioasUnmap),
  op(uapi.IOMMU_OPTION, uapi.iommu_option, ioas.option),
  op(uapi.IOMMU_HWPT_ALLOC, uapi.iommu_hwpt_alloc, hwpt.hwptAlloc, { optionalFrom: "data_type" }),
  op(uapi.IOMMU_GET_HW_INFO, uapi.iommu_hw_info, hwpt.getHwInfo, {
    name: "IOMMU_GET_HW_INFO",
    optionalFrom: "out_capabilities",
  }),
  op(
    uapi.IOMMU_HWPT_SET_DIRTY_TRACKING,
    uapi.iommu_hwpt_set_dirty_tracking,
    hwpt.hwptSetDirtyTracking,
  ),
  op(uapi.IOMMU_HWPT_GET_DIRTY_BITMAP, uapi.iommu_hwpt_get_dirty_bitmap, hwpt.hwptGetDirtyBitmap),
  op(uapi.IOMMU_HWPT_INVALIDATE, uapi.iommu_hwpt_invalidate, hwpt.hwptInvalidate),
  op(uapi.IOMMU_FAULT_QUEUE_ALLOC, uapi.iommu_fault_alloc, hwpt.faultQueueAlloc, {
    name: "IOMMU_FAULT_QUEUE_ALLOC",
  }),
  op(uapi.IOMMU_VIOMMU_ALLOC, uapi.iommu_viommu_alloc, viommu.viommuAlloc, {
    optionalFrom: "data_len",
  }),
  op(uapi.IOMMU_VDEVICE_ALLOC, uapi.iommu_vdevice_alloc, viommu.vdeviceAlloc),
  op(uapi.IOMMU_VEVENTQ_ALLOC, uapi.iommu_veventq_alloc, viommu.veventqAlloc, {
    optionalFrom: "__reserved",
  }),
  op(uapi.IOMMU_HW_QUEUE_ALLOC, uapi.iommu_hw_queue_alloc, viommu.hwQueueAlloc),
]);

/** Name of an iommufd ioctl that this model has. */
export const ioctlName = (nr: number): string | undefined => OPERATIONS.get(nr)?.name;
