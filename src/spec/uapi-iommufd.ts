// iommufd structures and numbers: IOAS, HWPT, vIOMMU, vDEVICE, vEVENTQ (Linux 7.2 iommufd.h).
import { array, cstruct, s32, shared, u8, u16, u32, u64 } from "./uapi.ts";

export const iommu_destroy = cstruct("iommu_destroy", 8, {
  size: u32(0),
  id: u32(4),
});

export const iommu_ioas_alloc = cstruct("iommu_ioas_alloc", 12, {
  size: u32(0),
  flags: u32(4),
  out_ioas_id: u32(8),
});

export const iommu_iova_range = cstruct("iommu_iova_range", 16, {
  start: u64(0),
  last: u64(8),
});

export const iommu_ioas_iova_ranges = cstruct("iommu_ioas_iova_ranges", 32, {
  size: u32(0),
  ioas_id: u32(4),
  num_iovas: u32(8),
  __reserved: u32(12),
  allowed_iovas: u64(16),
  out_iova_alignment: u64(24),
});

export const iommu_ioas_allow_iovas = cstruct("iommu_ioas_allow_iovas", 24, {
  size: u32(0),
  ioas_id: u32(4),
  num_iovas: u32(8),
  __reserved: u32(12),
  allowed_iovas: u64(16),
});

export const iommu_ioas_map = cstruct("iommu_ioas_map", 40, {
  size: u32(0),
  flags: u32(4),
  ioas_id: u32(8),
  __reserved: u32(12),
  user_va: u64(16),
  length: u64(24),
  iova: u64(32),
});

export const iommu_ioas_map_file = cstruct("iommu_ioas_map_file", 40, {
  size: u32(0),
  flags: u32(4),
  ioas_id: u32(8),
  fd: s32(12),
  start: u64(16),
  length: u64(24),
  iova: u64(32),
});

export const iommu_ioas_copy = cstruct("iommu_ioas_copy", 40, {
  size: u32(0),
  flags: u32(4),
  dst_ioas_id: u32(8),
  src_ioas_id: u32(12),
  length: u64(16),
  dst_iova: u64(24),
  src_iova: u64(32),
});

export const iommu_ioas_unmap = cstruct("iommu_ioas_unmap", 24, {
  size: u32(0),
  ioas_id: u32(4),
  iova: u64(8),
  length: u64(16),
});

export const iommu_option = cstruct("iommu_option", 24, {
  size: u32(0),
  option_id: u32(4),
  op: u16(8),
  __reserved: u16(10),
  object_id: u32(12),
  val64: u64(16),
});

export const iommu_vfio_ioas = cstruct("iommu_vfio_ioas", 12, {
  size: u32(0),
  ioas_id: u32(4),
  op: u16(8),
  __reserved: u16(10),
});

export const iommu_hwpt_alloc = cstruct("iommu_hwpt_alloc", 48, {
  size: u32(0),
  flags: u32(4, "IOMMU_HWPT_ALLOC_* and IOMMU_HWPT_FAULT_ID_VALID."),
  dev_id: u32(8, "Device that the page table is for."),
  pt_id: u32(12, "IOAS or parent HWPT; a vIOMMU for a nested HWPT."),
  out_hwpt_id: u32(16),
  __reserved: u32(20),
  data_type: u32(24, "IOMMU_HWPT_DATA_*."),
  data_len: u32(28, "Bytes at data_uptr; 16 for ARM_SMMUV3."),
  data_uptr: u64(32, "For ARM_SMMUV3: an iommu_hwpt_arm_smmuv3."),
  fault_id: u32(40),
  __reserved2: u32(44),
});

export const iommu_hwpt_arm_smmuv3 = cstruct("iommu_hwpt_arm_smmuv3", 16, {
  ste: array("u64", 0, 2, "Words 0 and 1 of the guest STE, only the bits that a guest may set."),
});

export const iommu_hw_info = cstruct("iommu_hw_info", 40, {
  size: u32(0),
  flags: u32(4),
  dev_id: u32(8),
  data_len: u32(12),
  data_uptr: u64(16),
  in_data_type: shared(u32(24, "Type asked for, with IOMMU_HW_INFO_FLAG_INPUT_TYPE.")),
  out_data_type: u32(24, "IOMMU_HW_INFO_TYPE_*."),
  out_max_pasid_log2: u8(28),
  __reserved: array("u8", 29, 3),
  out_capabilities: u64(32, "IOMMU_HW_CAP_*."),
});

export const iommu_hw_info_arm_smmuv3 = cstruct("iommu_hw_info_arm_smmuv3", 40, {
  flags: u32(0),
  __reserved: u32(4),
  idr: array("u32", 8, 6, "IDR0 to IDR5 as the hardware has them."),
  iidr: u32(32, "IIDR as the hardware has it."),
  aidr: u32(36, "AIDR as the hardware has it."),
});

export const iommu_hw_info_tegra241_cmdqv = cstruct("iommu_hw_info_tegra241_cmdqv", 8, {
  flags: u32(0),
  version: u8(4),
  log2vcmdqs: u8(5),
  log2vsids: u8(6),
  __reserved: u8(7),
});

export const iommu_hwpt_set_dirty_tracking = cstruct("iommu_hwpt_set_dirty_tracking", 16, {
  size: u32(0),
  flags: u32(4),
  hwpt_id: u32(8),
  __reserved: u32(12),
});

export const iommu_hwpt_get_dirty_bitmap = cstruct("iommu_hwpt_get_dirty_bitmap", 48, {
  size: u32(0),
  hwpt_id: u32(4),
  flags: u32(8),
  __reserved: u32(12),
  iova: u64(16),
  length: u64(24),
  page_size: u64(32),
  data: u64(40),
});

export const iommu_hwpt_invalidate = cstruct("iommu_hwpt_invalidate", 32, {
  size: u32(0),
  hwpt_id: u32(4, "HWPT or vIOMMU whose caches are invalidated."),
  data_uptr: u64(8),
  data_type: u32(16, "IOMMU_*_INVALIDATE_DATA_*."),
  entry_len: u32(20, "Bytes of one entry; 16 for SMMUv3."),
  entry_num: u32(24, "In: entries; out: entries done, up to the first failure."),
  __reserved: u32(28),
});

export const iommu_viommu_arm_smmuv3_invalidate = cstruct(
  "iommu_viommu_arm_smmuv3_invalidate",
  16,
  {
    cmd: array("u64", 0, 2, "One SMMU command; VMID and StreamID are replaced by the kernel."),
  },
);

export const iommu_hwpt_pgfault = cstruct("iommu_hwpt_pgfault", 40, {
  flags: u32(0),
  dev_id: u32(4),
  pasid: u32(8),
  grpid: u32(12),
  perm: u32(16),
  __reserved: u32(20),
  addr: u64(24),
  length: u32(32),
  cookie: u32(36),
});

export const iommu_hwpt_page_response = cstruct("iommu_hwpt_page_response", 8, {
  cookie: u32(0),
  code: u32(4),
});

export const iommu_fault_alloc = cstruct("iommu_fault_alloc", 16, {
  size: u32(0),
  flags: u32(4),
  out_fault_id: u32(8),
  out_fault_fd: u32(12),
});

export const iommu_viommu_alloc = cstruct("iommu_viommu_alloc", 40, {
  size: u32(0),
  flags: u32(4),
  type: u32(8, "IOMMU_VIOMMU_TYPE_*."),
  dev_id: u32(12, "Physical device behind the IOMMU."),
  hwpt_id: u32(16, "Nesting parent HWPT."),
  out_viommu_id: u32(20, "The new vIOMMU."),
  data_len: u32(24),
  __reserved: u32(28),
  data_uptr: u64(32),
});

export const iommu_viommu_tegra241_cmdqv = cstruct("iommu_viommu_tegra241_cmdqv", 16, {
  out_vintf_mmap_offset: u64(0),
  out_vintf_mmap_length: u64(8),
});

export const iommu_vdevice_alloc = cstruct("iommu_vdevice_alloc", 24, {
  size: u32(0),
  viommu_id: u32(4, "vIOMMU that the device belongs to."),
  dev_id: u32(8, "Physical device; for SMMUv3 it must have one StreamID."),
  out_vdevice_id: u32(12, "The new vDEVICE."),
  virt_id: u64(16, "Guest StreamID."),
});

export const iommu_ioas_change_process = cstruct("iommu_ioas_change_process", 8, {
  size: u32(0),
  __reserved: u32(4),
});

export const iommufd_vevent_header = cstruct("iommufd_vevent_header", 8, {
  flags: u32(0, "IOMMU_VEVENTQ_FLAG_LOST_EVENTS when events were dropped."),
  sequence: u32(4, "Counts events; a jump tells how many were lost."),
});

export const iommu_vevent_arm_smmuv3 = cstruct("iommu_vevent_arm_smmuv3", 32, {
  evt: array("u64", 0, 4, "Event record with the guest StreamID."),
});

export const iommu_vevent_tegra241_cmdqv = cstruct("iommu_vevent_tegra241_cmdqv", 16, {
  lvcmdq_err_map: array("u64", 0, 2),
});

export const iommu_veventq_alloc = cstruct("iommu_veventq_alloc", 32, {
  size: u32(0),
  flags: u32(4),
  viommu_id: u32(8),
  type: u32(12, "IOMMU_VEVENTQ_TYPE_*."),
  veventq_depth: u32(16, "Most events that may wait."),
  out_veventq_id: u32(20, "The new queue."),
  out_veventq_fd: u32(24, "File to read events from: header, then record."),
  __reserved: u32(28),
});

export const iommu_hw_queue_alloc = cstruct("iommu_hw_queue_alloc", 40, {
  size: u32(0),
  flags: u32(4),
  viommu_id: u32(8),
  type: u32(12),
  index: u32(16),
  out_hw_queue_id: u32(20),
  nesting_parent_iova: u64(24),
  length: u64(32),
});

export const IOMMU_DESTROY = 0x3b80;
export const IOMMU_IOAS_ALLOC = 0x3b81;
export const IOMMU_IOAS_ALLOW_IOVAS = 0x3b82;
export const IOMMU_IOAS_COPY = 0x3b83;
export const IOMMU_IOAS_IOVA_RANGES = 0x3b84;
export const IOMMU_IOAS_MAP = 0x3b85;
export const IOMMU_IOAS_UNMAP = 0x3b86;
export const IOMMU_OPTION = 0x3b87;
export const IOMMU_VFIO_IOAS = 0x3b88;
export const IOMMU_HWPT_ALLOC = 0x3b89;
export const IOMMU_GET_HW_INFO = 0x3b8a;
export const IOMMU_HWPT_SET_DIRTY_TRACKING = 0x3b8b;
export const IOMMU_HWPT_GET_DIRTY_BITMAP = 0x3b8c;
export const IOMMU_HWPT_INVALIDATE = 0x3b8d;
export const IOMMU_FAULT_QUEUE_ALLOC = 0x3b8e;
export const IOMMU_IOAS_MAP_FILE = 0x3b8f;
export const IOMMU_VIOMMU_ALLOC = 0x3b90;
export const IOMMU_VDEVICE_ALLOC = 0x3b91;
export const IOMMU_IOAS_CHANGE_PROCESS = 0x3b92;
export const IOMMU_VEVENTQ_ALLOC = 0x3b93;
export const IOMMU_HW_QUEUE_ALLOC = 0x3b94;
export const IOMMU_IOAS_MAP_FIXED_IOVA = 1;
export const IOMMU_IOAS_MAP_WRITEABLE = 2;
export const IOMMU_IOAS_MAP_READABLE = 4;
export const IOMMU_OPTION_RLIMIT_MODE = 0;
export const IOMMU_OPTION_HUGE_PAGES = 1;
export const IOMMU_OPTION_OP_SET = 0;
export const IOMMU_OPTION_OP_GET = 1;
export const IOMMU_HWPT_ALLOC_NEST_PARENT = 1;
export const IOMMU_HWPT_ALLOC_DIRTY_TRACKING = 2;
export const IOMMU_HWPT_FAULT_ID_VALID = 4;
export const IOMMU_HWPT_ALLOC_PASID = 8;
export const IOMMU_HWPT_DATA_NONE = 0;
export const IOMMU_HWPT_DATA_VTD_S1 = 1;
export const IOMMU_HWPT_DATA_ARM_SMMUV3 = 2;
export const IOMMU_HWPT_DATA_AMD_GUEST = 3;
export const IOMMU_HW_INFO_TYPE_NONE = 0;
export const IOMMU_HW_INFO_TYPE_INTEL_VTD = 1;
export const IOMMU_HW_INFO_TYPE_ARM_SMMUV3 = 2;
export const IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV = 3;
export const IOMMU_HW_INFO_TYPE_AMD = 4;
export const IOMMU_HW_INFO_FLAG_INPUT_TYPE = 1;
export const IOMMU_HW_CAP_DIRTY_TRACKING = 1;
export const IOMMU_HW_CAP_PCI_PASID_EXEC = 2;
export const IOMMU_HW_CAP_PCI_PASID_PRIV = 4;
export const IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED = 8;
export const IOMMU_HWPT_INVALIDATE_DATA_VTD_S1 = 0;
export const IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3 = 1;
export const IOMMU_VIOMMU_TYPE_DEFAULT = 0;
export const IOMMU_VIOMMU_TYPE_ARM_SMMUV3 = 1;
export const IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV = 2;
export const IOMMU_VEVENTQ_TYPE_DEFAULT = 0;
export const IOMMU_VEVENTQ_TYPE_ARM_SMMUV3 = 1;
export const IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV = 2;
export const IOMMU_VEVENTQ_FLAG_LOST_EVENTS = 1;
export const IOMMU_HW_QUEUE_TYPE_DEFAULT = 0;
export const IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV = 1;
