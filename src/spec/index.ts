// Layouts of the SMMUv3, the GICv3 ITS and kernel interfaces as data, and how to read them.
export * from "./abi.ts";
export * from "./abi-its.ts";
export * from "./abi-records.ts";
export * from "./cd.ts";
export * from "./command.ts";
export * from "./descriptor.ts";
export { MemAttr } from "./encoding.ts";
export * from "./event.ts";
export * from "./field.ts";
export * from "./its.ts";
export * from "./priq.ts";
export * from "./quirks.ts";
export * from "./register.ts";
export * from "./register-secure.ts";
export * from "./register-secure-like.ts";
export * from "./ste.ts";
export * from "./tegra241.ts";
export {
  type CMember,
  type CMembers,
  type CScalar,
  type CStruct,
  type CValues,
  pack,
  unpack,
} from "./uapi.ts";
export * from "./uapi-iommufd.ts";
export * from "./uapi-kvm.ts";
export * from "./uapi-vfio.ts";
export * from "./word.ts";
