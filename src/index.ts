// The public API: the engine, the devices around it, machines, captures and layouts.

export { type Capture, openCapture } from "./capture/capture.ts";
export { InputError } from "./capture/errors.ts";
export { type CaptureFiles, memoryFiles, webFiles } from "./capture/files.ts";
export { machineOf } from "./capture/machine.ts";
export { type BatchAnswer, BatchRing } from "./engine/batch.ts";
export { FULL_ID, type IdRegisters, QEMU_ID } from "./engine/identity.ts";
export {
  AddressMap,
  HostMemory,
  type HostMemoryOptions,
  type Region,
  type RegionKind,
} from "./engine/memory.ts";
export { loadModule } from "./engine/module.ts";
export { EnginePool, type EnginePoolOptions } from "./engine/pool/pool.ts";
export { Smmu, type SmmuOptions } from "./engine/smmu.ts";
export type {
  Attributes,
  CachePolicy,
  Compat,
  Counters,
  Explanation,
  FaultEvent,
  Interrupts,
  SmmuMsi,
  Step,
  StepWhat,
  TranslateRequest,
  TranslateStatus,
  Translation,
} from "./engine/types.ts";
export type { Delivery, ItsStatus } from "./gic/delivery.ts";
export { Its, type ItsOptions, type Redistributor } from "./gic/its.ts";
export { MessageRing } from "./gic/message-ring.ts";
export { GicV2m, type V2mDelivery } from "./gic/v2m.ts";
export {
  type FixupContext,
  type FixupResult,
  kvmArchFixupMsiRoute,
} from "./kvm/fixup.ts";
export { KvmVm } from "./kvm/vm.ts";
export type { AccelFunction, FunctionOptions } from "./machine/accel-function.ts";
export { AccelMachine, type AccelMachineOptions } from "./machine/accel-machine.ts";
export type { MachineDescription } from "./machine/description.ts";
export { GuestSmmuDriver } from "./machine/guest-smmu-driver.ts";
export { Machine, type MachineOptions } from "./machine/machine.ts";
export { PhysicalHost } from "./machine/physical-host.ts";
export { type RouteReport, resolveVector, resolveVectors } from "./machine/route.ts";
export { PciBus } from "./pci/bus.ts";
export { PciFunction, type PciFunctionOptions } from "./pci/function.ts";
export type { AddressSpace, PCIIOMMUOps } from "./pci/iommu.ts";
export { BUILTIN_SCENARIOS } from "./scenario/builtin/index.ts";
export { runScenario } from "./scenario/run.ts";
export { SCENARIO_SCHEMA } from "./scenario/schema.ts";
export type { Scenario, ScenarioResult } from "./scenario/types.ts";
export { AccelSmmu } from "./smmu/accel.ts";
export { HostDriver, type HostDriverOptions } from "./smmu/host-driver.ts";
export { type HostPort, LogPort } from "./smmu/host-port.ts";
export { MapMemory } from "./smmu/map-memory.ts";
export * as spec from "./spec/index.ts";
export { command } from "./tables/command.ts";
export type { TableMemory } from "./tables/memory.ts";
export { type Geometry, PageTable } from "./tables/page-table.ts";
export { VfioCdev } from "./vfio/cdev.ts";
export { KernelError } from "./vfio/errno.ts";
export { IommufdClient } from "./vfio/iommufd/client.ts";
export type { HostDevice, HwInfo } from "./vfio/iommufd/driver.ts";
export { Iommufd, type IommufdOptions } from "./vfio/iommufd/iommufd.ts";
export { UserMemory } from "./vfio/user-memory.ts";
