// Memory as the engine needs it: linear memory, and maps of addresses onto it.
export { AddressMap, type MapRoot, type Region, type RegionKind } from "./address-map.ts";
export { HostMemory, type HostMemoryOptions } from "./host-memory.ts";
