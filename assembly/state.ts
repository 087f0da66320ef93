// Where an instance keeps its own state: one block of linear memory, given to it at start.

/** Register file, indexed by the architected page 0 offset. */
export const REGISTER_FILE_BYTES: usize = 0x1000;
const RESULT_OFFSET: usize = 0x1000;
const EVENT_OFFSET: usize = 0x1040;
const LAST_EVENT_OFFSET: usize = 0x1080;
const STE_OFFSET: usize = 0x1100;
const CD_OFFSET: usize = 0x1140;
const COMMAND_OFFSET: usize = 0x1180;
const MSI_OFFSET: usize = 0x1200;
const CONFIG_SCRATCH_OFFSET: usize = 0x1800;
const TRACE_OFFSET: usize = 0x2000;
const CONFIG_OFFSET: usize = 0x10000;
const INTERN_OFFSET: usize = 0x50000;
const TLB_OFFSET: usize = 0x80000;
const VMID_OFFSET: usize = 0xc0000;
const IOTLB_OFFSET: usize = 0x140000;
const LANES_OFFSET: usize = 0x148000;
const IPA_LANES_OFFSET: usize = 0x14c000;

/** Bytes that one instance needs; the owner of the memory allocates them zeroed. */
export const STATE_BYTES: u32 = 0x150000;

/** Trace records kept for one operation; later ones are counted but not written. */
export const TRACE_CAPACITY: u32 = 512;
/** SMMU-generated MSIs that no RAM took, waiting for their owner. */
export const MSI_CAPACITY: u32 = 64;

/** Registers by offset. */
export let REGISTERS: usize = 0;
/** RESULT record of the last single translation. */
export let RESULT: usize = 0;
/** The event record under construction: 32 bytes. */
export let EVENT: usize = 0;
/** The previous record written, for merging. */
export let LAST_EVENT: usize = 0;
/** Private copies of the entries being decoded. */
export let STE: usize = 0;
export let CD: usize = 0;
export let COMMAND: usize = 0;
/** Outbox of MSIs: 16 bytes each {address u64, data u32, source u32}. */
export let MSI: usize = 0;
/** A configuration that is being decoded and is not cached yet. */
export let CONFIG_SCRATCH: usize = 0;
/** TRACE records. */
export let TRACE: usize = 0;
/** Configuration cache, context-id table, IOTLB, VMID generations, QEMU's IOTLB. */
export let CONFIG_CACHE: usize = 0;
export let INTERN: usize = 0;
export let TLB: usize = 0;
export let VMID_GENERATIONS: usize = 0;
export let IOTLB: usize = 0;
/** LANE and IPA_LANE records of the group of a batch that is being walked. */
export let LANES: usize = 0;
export let IPA_LANES: usize = 0;

/** Places every part of the state inside the block at `at`. */
export function placeState(at: usize): void {
  REGISTERS = at;
  RESULT = at + RESULT_OFFSET;
  EVENT = at + EVENT_OFFSET;
  LAST_EVENT = at + LAST_EVENT_OFFSET;
  STE = at + STE_OFFSET;
  CD = at + CD_OFFSET;
  COMMAND = at + COMMAND_OFFSET;
  MSI = at + MSI_OFFSET;
  CONFIG_SCRATCH = at + CONFIG_SCRATCH_OFFSET;
  TRACE = at + TRACE_OFFSET;
  CONFIG_CACHE = at + CONFIG_OFFSET;
  INTERN = at + INTERN_OFFSET;
  TLB = at + TLB_OFFSET;
  VMID_GENERATIONS = at + VMID_OFFSET;
  IOTLB = at + IOTLB_OFFSET;
  LANES = at + LANES_OFFSET;
  IPA_LANES = at + IPA_LANES_OFFSET;
}
