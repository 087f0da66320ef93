// VFIO structures and numbers: devices, regions, interrupts, type 1 IOMMU (Linux 7.2 vfio.h).
import { array, cstruct, s32, shared, u8, u16, u32, u64 } from "./uapi.ts";

export const vfio_info_cap_header = cstruct("vfio_info_cap_header", 8, {
  id: u16(0),
  version: u16(2),
  next: u32(4),
});

export const vfio_group_status = cstruct("vfio_group_status", 8, {
  argsz: u32(0),
  flags: u32(4),
});

export const vfio_device_info = cstruct("vfio_device_info", 24, {
  argsz: u32(0),
  flags: u32(4),
  num_regions: u32(8),
  num_irqs: u32(12),
  cap_offset: u32(16),
  pad: u32(20),
});

export const vfio_region_info = cstruct("vfio_region_info", 32, {
  argsz: u32(0),
  flags: u32(4),
  index: u32(8),
  cap_offset: u32(12),
  size: u64(16),
  offset: u64(24),
});

export const vfio_region_info_cap_sparse_mmap = cstruct("vfio_region_info_cap_sparse_mmap", 16, {
  "header.id": u16(0),
  "header.version": u16(2),
  "header.next": u32(4),
  nr_areas: u32(8),
  reserved: u32(12),
  areas: array("u8", 16, 0),
});

export const vfio_region_info_cap_type = cstruct("vfio_region_info_cap_type", 16, {
  "header.id": u16(0),
  "header.version": u16(2),
  "header.next": u32(4),
  type: u32(8),
  subtype: u32(12),
});

export const vfio_irq_info = cstruct("vfio_irq_info", 16, {
  argsz: u32(0, "Bytes of this structure."),
  flags: u32(4, "VFIO_IRQ_INFO_*."),
  index: u32(8, "VFIO_PCI_*_IRQ_INDEX."),
  count: u32(12, "Vectors of the index."),
});

export const vfio_irq_set = cstruct("vfio_irq_set", 20, {
  argsz: u32(0, "Bytes of this structure and its data."),
  flags: u32(4, "One VFIO_IRQ_SET_DATA_* and one VFIO_IRQ_SET_ACTION_*."),
  index: u32(8, "VFIO_PCI_*_IRQ_INDEX."),
  start: u32(12, "First vector."),
  count: u32(16, "Vectors; 0 with DATA_NONE and TRIGGER turns the index off."),
  data: array("u8", 20, 0, "eventfds as 32-bit numbers (-1 removes one), or one byte each."),
});

export const vfio_device_feature = cstruct("vfio_device_feature", 8, {
  argsz: u32(0),
  flags: u32(4),
  data: array("u8", 8, 0),
});

export const vfio_device_bind_iommufd = cstruct("vfio_device_bind_iommufd", 24, {
  argsz: u32(0),
  flags: u32(4),
  iommufd: s32(8),
  out_devid: u32(12),
  token_uuid_ptr: u64(16),
});

export const vfio_device_attach_iommufd_pt = cstruct("vfio_device_attach_iommufd_pt", 16, {
  argsz: u32(0),
  flags: u32(4),
  pt_id: u32(8),
  pasid: u32(12),
});

export const vfio_device_detach_iommufd_pt = cstruct("vfio_device_detach_iommufd_pt", 12, {
  argsz: u32(0),
  flags: u32(4),
  pasid: u32(8),
});

export const vfio_iommu_type1_info = cstruct("vfio_iommu_type1_info", 24, {
  argsz: u32(0),
  flags: u32(4),
  iova_pgsizes: u64(8),
  cap_offset: u32(16),
  pad: u32(20),
});

export const vfio_iommu_type1_info_cap_iova_range = cstruct(
  "vfio_iommu_type1_info_cap_iova_range",
  16,
  {
    "header.id": u16(0),
    "header.version": u16(2),
    "header.next": u32(4),
    nr_iovas: u32(8),
    reserved: u32(12),
    iova_ranges: array("u8", 16, 0),
  },
);

export const vfio_iommu_type1_dma_map = cstruct("vfio_iommu_type1_dma_map", 32, {
  argsz: u32(0),
  flags: u32(4),
  vaddr: u64(8),
  iova: u64(16),
  size: u64(24),
});

export const vfio_iommu_type1_dma_unmap = cstruct("vfio_iommu_type1_dma_unmap", 24, {
  argsz: u32(0),
  flags: u32(4),
  iova: u64(8),
  size: u64(16),
  data: array("u8", 24, 0),
});

export const vfio_pci_dependent_device = cstruct("vfio_pci_dependent_device", 8, {
  group_id: u32(0),
  devid: shared(u32(0, "iommufd device id.")),
  segment: u16(4),
  bus: u8(6),
  devfn: u8(7),
});

export const vfio_pci_hot_reset_info = cstruct("vfio_pci_hot_reset_info", 12, {
  argsz: u32(0),
  flags: u32(4),
  count: u32(8),
  devices: array("u8", 12, 0),
});

export const vfio_pci_hot_reset = cstruct("vfio_pci_hot_reset", 12, {
  argsz: u32(0),
  flags: u32(4),
  count: u32(8),
  group_fds: array("s32", 12, 0),
});

export const vfio_device_ioeventfd = cstruct("vfio_device_ioeventfd", 32, {
  argsz: u32(0),
  flags: u32(4),
  offset: u64(8),
  data: u64(16),
  fd: s32(24),
  reserved: u32(28),
});

export const VFIO_TYPE = 59;
export const VFIO_BASE = 100;
export const VFIO_GET_API_VERSION = 0x3b64;
export const VFIO_CHECK_EXTENSION = 0x3b65;
export const VFIO_SET_IOMMU = 0x3b66;
export const VFIO_GROUP_GET_STATUS = 0x3b67;
export const VFIO_GROUP_SET_CONTAINER = 0x3b68;
export const VFIO_GROUP_UNSET_CONTAINER = 0x3b69;
export const VFIO_GROUP_GET_DEVICE_FD = 0x3b6a;
export const VFIO_DEVICE_GET_INFO = 0x3b6b;
export const VFIO_DEVICE_GET_REGION_INFO = 0x3b6c;
export const VFIO_DEVICE_GET_IRQ_INFO = 0x3b6d;
export const VFIO_DEVICE_SET_IRQS = 0x3b6e;
export const VFIO_DEVICE_RESET = 0x3b6f;
export const VFIO_DEVICE_GET_PCI_HOT_RESET_INFO = 0x3b70;
export const VFIO_DEVICE_PCI_HOT_RESET = 0x3b71;
export const VFIO_DEVICE_IOEVENTFD = 0x3b74;
export const VFIO_DEVICE_FEATURE = 0x3b75;
export const VFIO_DEVICE_BIND_IOMMUFD = 0x3b76;
export const VFIO_DEVICE_ATTACH_IOMMUFD_PT = 0x3b77;
export const VFIO_DEVICE_DETACH_IOMMUFD_PT = 0x3b78;
export const VFIO_IOMMU_GET_INFO = 0x3b70;
export const VFIO_IOMMU_MAP_DMA = 0x3b71;
export const VFIO_IOMMU_UNMAP_DMA = 0x3b72;
export const VFIO_TYPE1_IOMMU = 1;
export const VFIO_TYPE1v2_IOMMU = 3;
export const VFIO_DMA_CC_IOMMU = 4;
export const VFIO_UNMAP_ALL = 9;
export const VFIO_DMA_MAP_FLAG_READ = 1;
export const VFIO_DMA_MAP_FLAG_WRITE = 2;
export const VFIO_DMA_MAP_FLAG_VADDR = 4;
export const VFIO_DEVICE_FLAGS_RESET = 1;
export const VFIO_DEVICE_FLAGS_PCI = 2;
export const VFIO_DEVICE_FLAGS_PLATFORM = 4;
export const VFIO_DEVICE_FLAGS_CAPS = 128;
export const VFIO_REGION_INFO_FLAG_READ = 1;
export const VFIO_REGION_INFO_FLAG_WRITE = 2;
export const VFIO_REGION_INFO_FLAG_MMAP = 4;
export const VFIO_REGION_INFO_FLAG_CAPS = 8;
export const VFIO_IRQ_INFO_EVENTFD = 1;
export const VFIO_IRQ_INFO_MASKABLE = 2;
export const VFIO_IRQ_INFO_AUTOMASKED = 4;
export const VFIO_IRQ_INFO_NORESIZE = 8;
export const VFIO_IRQ_SET_DATA_NONE = 1;
export const VFIO_IRQ_SET_DATA_BOOL = 2;
export const VFIO_IRQ_SET_DATA_EVENTFD = 4;
export const VFIO_IRQ_SET_ACTION_MASK = 8;
export const VFIO_IRQ_SET_ACTION_UNMASK = 16;
export const VFIO_IRQ_SET_ACTION_TRIGGER = 32;
export const VFIO_IRQ_SET_DATA_TYPE_MASK = 7;
export const VFIO_IRQ_SET_ACTION_TYPE_MASK = 56;
export const VFIO_PCI_BAR0_REGION_INDEX = 0;
export const VFIO_PCI_CONFIG_REGION_INDEX = 7;
export const VFIO_PCI_NUM_REGIONS = 9;
export const VFIO_PCI_INTX_IRQ_INDEX = 0;
export const VFIO_PCI_MSI_IRQ_INDEX = 1;
export const VFIO_PCI_MSIX_IRQ_INDEX = 2;
export const VFIO_PCI_ERR_IRQ_INDEX = 3;
export const VFIO_PCI_REQ_IRQ_INDEX = 4;
export const VFIO_PCI_NUM_IRQS = 5;
export const VFIO_REGION_INFO_CAP_SPARSE_MMAP = 1;
export const VFIO_REGION_INFO_CAP_TYPE = 2;
export const VFIO_REGION_INFO_CAP_MSIX_MAPPABLE = 3;
