// KVM structures and numbers: routing, irqfd, MSI, devices, memory (Linux 7.2 kvm.h, arm64).
import { array, cstruct, s32, shared, u32, u64 } from "./uapi.ts";

export const kvm_irq_level = cstruct("kvm_irq_level", 8, {
  irq: u32(0),
  status: shared(s32(0, "Result of KVM_IRQ_LINE_STATUS.")),
  level: u32(4),
});

export const kvm_irq_routing_irqchip = cstruct("kvm_irq_routing_irqchip", 8, {
  irqchip: u32(0),
  pin: u32(4),
});

export const kvm_irq_routing_msi = cstruct("kvm_irq_routing_msi", 16, {
  address_lo: u32(0),
  address_hi: u32(4),
  data: u32(8),
  pad: u32(12),
  devid: shared(u32(12, "DeviceID.")),
});

export const kvm_irq_routing_s390_adapter = cstruct("kvm_irq_routing_s390_adapter", 32, {
  ind_addr: u64(0),
  summary_addr: u64(8),
  ind_offset: u64(16),
  summary_offset: u32(24),
  adapter_id: u32(28),
});

export const kvm_irq_routing_hv_sint = cstruct("kvm_irq_routing_hv_sint", 8, {
  vcpu: u32(0),
  sint: u32(4),
});

export const kvm_irq_routing_xen_evtchn = cstruct("kvm_irq_routing_xen_evtchn", 12, {
  port: u32(0),
  vcpu: u32(4),
  priority: u32(8),
});

export const kvm_irq_routing_entry = cstruct("kvm_irq_routing_entry", 48, {
  gsi: u32(0, "Interrupt number that irqfds use."),
  type: u32(4, "KVM_IRQ_ROUTING_*: what the union holds."),
  flags: u32(8, "For MSI: KVM_MSI_VALID_DEVID; other bits are refused with EINVAL."),
  pad: u32(12),
  "u.irqchip.irqchip": shared(u32(16)),
  "u.irqchip.pin": shared(u32(20)),
  "u.msi.address_lo": shared(u32(16, "Doorbell GPA [31:0], inside the ITS frames.")),
  "u.msi.address_hi": shared(u32(20, "Doorbell GPA [63:32].")),
  "u.msi.data": shared(u32(24, "EventID.")),
  "u.msi.pad": shared(u32(28)),
  "u.msi.devid": shared(u32(28, "DeviceID; QEMU gives the PCI requester id.")),
  "u.adapter.ind_addr": shared(u64(16)),
  "u.adapter.summary_addr": shared(u64(24)),
  "u.adapter.ind_offset": shared(u64(32)),
  "u.adapter.summary_offset": shared(u32(40)),
  "u.adapter.adapter_id": shared(u32(44)),
  "u.hv_sint.vcpu": shared(u32(16)),
  "u.hv_sint.sint": shared(u32(20)),
  "u.xen_evtchn.port": shared(u32(16)),
  "u.xen_evtchn.vcpu": shared(u32(20)),
  "u.xen_evtchn.priority": shared(u32(24)),
  "u.pad": array("u32", 16, 8),
});

export const kvm_irq_routing = cstruct("kvm_irq_routing", 8, {
  nr: u32(0, "Number of entries that follow."),
  flags: u32(4, "Must be 0."),
  entries: array("u8", 8, 0, "Entries, 48 bytes each."),
});

export const kvm_irqfd = cstruct("kvm_irqfd", 32, {
  fd: u32(0, "eventfd that raises the interrupt."),
  gsi: u32(4, "Interrupt number in the routing table."),
  flags: u32(8, "KVM_IRQFD_FLAG_*."),
  resamplefd: u32(12, "eventfd that is signalled at end of interrupt, with RESAMPLE."),
  pad: array("u8", 16, 16),
});

export const kvm_msi = cstruct("kvm_msi", 32, {
  address_lo: u32(0, "Doorbell GPA [31:0]."),
  address_hi: u32(4, "Doorbell GPA [63:32]."),
  data: u32(8, "EventID."),
  flags: u32(12, "KVM_MSI_VALID_DEVID; an ITS refuses a message without it with EINVAL."),
  devid: u32(16, "DeviceID."),
  pad: array("u8", 20, 12),
});

export const kvm_create_device = cstruct("kvm_create_device", 12, {
  type: u32(0),
  fd: u32(4),
  flags: u32(8),
});

export const kvm_device_attr = cstruct("kvm_device_attr", 24, {
  flags: u32(0),
  group: u32(4),
  attr: u64(8),
  addr: u64(16),
});

export const kvm_enable_cap = cstruct("kvm_enable_cap", 104, {
  cap: u32(0),
  flags: u32(4),
  args: array("u64", 8, 4),
  pad: array("u8", 40, 64),
});

export const kvm_ioeventfd = cstruct("kvm_ioeventfd", 64, {
  datamatch: u64(0),
  addr: u64(8),
  len: u32(16),
  fd: s32(20),
  flags: u32(24),
  pad: array("u8", 28, 36),
});

export const kvm_userspace_memory_region = cstruct("kvm_userspace_memory_region", 32, {
  slot: u32(0),
  flags: u32(4),
  guest_phys_addr: u64(8),
  memory_size: u64(16),
  userspace_addr: u64(24),
});

export const kvm_userspace_memory_region2 = cstruct("kvm_userspace_memory_region2", 160, {
  slot: u32(0),
  flags: u32(4),
  guest_phys_addr: u64(8),
  memory_size: u64(16),
  userspace_addr: u64(24),
  guest_memfd_offset: u64(32),
  guest_memfd: u32(40),
  pad1: u32(44),
  pad2: array("u64", 48, 14),
});

export const kvm_arm_device_addr = cstruct("kvm_arm_device_addr", 16, {
  id: u64(0),
  addr: u64(8),
});

export const kvm_vcpu_init = cstruct("kvm_vcpu_init", 32, {
  target: u32(0),
  features: array("u32", 4, 7),
});

export const KVM_GET_API_VERSION = 0xae00;
export const KVM_CREATE_VM = 0xae01;
export const KVM_CHECK_EXTENSION = 0xae03;
export const KVM_CREATE_IRQCHIP = 0xae60;
export const KVM_IRQ_LINE = 0x4008ae61;
export const KVM_SET_GSI_ROUTING = 0x4008ae6a;
export const KVM_IRQFD = 0x4020ae76;
export const KVM_SIGNAL_MSI = 0x4020aea5;
export const KVM_IOEVENTFD = 0x4040ae79;
export const KVM_CREATE_DEVICE = 0xc00caee0;
export const KVM_SET_DEVICE_ATTR = 0x4018aee1;
export const KVM_GET_DEVICE_ATTR = 0x4018aee2;
export const KVM_HAS_DEVICE_ATTR = 0x4018aee3;
export const KVM_ENABLE_CAP = 0x4068aea3;
export const KVM_SET_USER_MEMORY_REGION = 0x4020ae46;
export const KVM_IRQ_ROUTING_IRQCHIP = 1;
export const KVM_IRQ_ROUTING_MSI = 2;
export const KVM_IRQ_ROUTING_S390_ADAPTER = 3;
export const KVM_IRQ_ROUTING_HV_SINT = 4;
export const KVM_IRQ_ROUTING_XEN_EVTCHN = 5;
export const KVM_MSI_VALID_DEVID = 1;
export const KVM_IRQFD_FLAG_DEASSIGN = 1;
export const KVM_IRQFD_FLAG_RESAMPLE = 2;
export const KVM_CAP_IRQ_ROUTING = 25;
export const KVM_CAP_IRQFD = 32;
export const KVM_CAP_IRQFD_RESAMPLE = 82;
export const KVM_CAP_SIGNAL_MSI = 77;
export const KVM_CAP_MSI_DEVID = 131;
export const KVM_DEV_TYPE_ARM_VGIC_V2 = 5;
export const KVM_DEV_TYPE_ARM_VGIC_V3 = 7;
export const KVM_DEV_TYPE_ARM_VGIC_ITS = 8;
export const KVM_DEV_TYPE_VFIO = 4;
export const KVM_DEV_VFIO_FILE = 1;
export const KVM_DEV_VFIO_FILE_ADD = 1;
export const KVM_DEV_VFIO_FILE_DEL = 2;
export const KVM_DEV_VFIO_GROUP = 1;
export const KVM_DEV_VFIO_GROUP_ADD = 1;
export const KVM_DEV_VFIO_GROUP_DEL = 2;
export const KVM_DEV_ARM_VGIC_GRP_ADDR = 0;
export const KVM_DEV_ARM_VGIC_GRP_DIST_REGS = 1;
export const KVM_DEV_ARM_VGIC_GRP_NR_IRQS = 3;
export const KVM_DEV_ARM_VGIC_GRP_CTRL = 4;
export const KVM_DEV_ARM_VGIC_GRP_REDIST_REGS = 5;
export const KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS = 6;
export const KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO = 7;
export const KVM_DEV_ARM_VGIC_GRP_ITS_REGS = 8;
export const KVM_DEV_ARM_VGIC_GRP_MAINT_IRQ = 9;
export const KVM_DEV_ARM_VGIC_CTRL_INIT = 0;
export const KVM_DEV_ARM_ITS_SAVE_TABLES = 1;
export const KVM_DEV_ARM_ITS_RESTORE_TABLES = 2;
export const KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES = 3;
export const KVM_DEV_ARM_ITS_CTRL_RESET = 4;
export const KVM_VGIC_V3_ADDR_TYPE_DIST = 2;
export const KVM_VGIC_V3_ADDR_TYPE_REDIST = 3;
export const KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION = 5;
export const KVM_VGIC_ITS_ADDR_TYPE = 4;
export const KVM_VGIC_V3_DIST_SIZE = 0x10000;
export const KVM_VGIC_V3_REDIST_SIZE = 0x20000;
export const KVM_VGIC_V3_ITS_SIZE = 0x20000;
export const KVM_ARM_IRQ_TYPE_SHIFT = 24;
export const KVM_ARM_IRQ_VCPU_SHIFT = 16;
export const KVM_ARM_IRQ_NUM_SHIFT = 0;
export const KVM_ARM_IRQ_TYPE_SPI = 1;
export const KVM_ARM_IRQ_TYPE_PPI = 2;
export const KVM_ARM_IRQ_TYPE_CPU = 0;
