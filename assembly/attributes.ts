// Memory attributes: MAIR bytes, STE overrides, combination of stages (IHI0070 13, DDI0487 D8.5).

import { typesOverride } from "./features";
import { configAlloccfg, configMemAttr, configMtcfg, configShcfg } from "./layout/abi";
import { S1LEAF_SH_ISH, S1LEAF_SH_NSH, S1LEAF_SH_OSH } from "./layout/descriptor";

/** MAIR bytes: Device types have a zero high nibble; Normal types an outer and an inner nibble. */
const DEVICE_NGNRNE: u32 = 0x00;
const DEVICE_FIELD: u32 = 0x0c;
const NORMAL_NC: u32 = 0x44;
const NORMAL_WB: u32 = 0xff;
const NIBBLE: u32 = 0x0f;
const NIBBLE_BITS: u32 = 4;
/** log2 of the bits of one attribute of a MAIR. */
const MAIR_SHIFT: u64 = 3;
const NC: u32 = 0x4;
const WT: u32 = 0x8;
const WB: u32 = 0xc;
/** Read and write allocation of a nibble. */
const ALLOCATE: u32 = 0x3;
/** Within a cacheable nibble: non-transient, and write-back rather than write-through. */
const NON_TRANSIENT: u32 = 0x8;
const WRITE_BACK: u32 = 0x4;

/** Cacheabilities in order of strength: the weaker number wins a combination. */
const RANK_NC: u32 = 1;
const RANK_WT: u32 = 2;
const RANK_WB: u32 = 3;

/** Low bits of a FWB=1 MemAttr. */
const FWB_FIELD: u32 = 7;
const FWB_WB: u32 = 6;
const FWB_STAGE1: u32 = 7;
const MEMATTR_INNER: u32 = 3;
/** ALLOCCFG: bit 3 overrides; bits 2:1 are RA and WA, bit 0 is transient. */
const ALLOC_OVERRIDE: u32 = 8;
const ALLOC_TRANSIENT: u32 = 1;

const SHCFG_INCOMING: u32 = 1;

/** Whether a MAIR byte is a Device type. */
export function isDevice(attr: u32): bool {
  return attr >> NIBBLE_BITS == 0;
}

/** A reserved inner nibble of a Normal type counts as write-through transient (5.4). */
function normalNibble(nibble: u32): u32 {
  return nibble == 0 ? ALLOCATE : nibble;
}

/** Attr<index> of a MAIR, brought to one encoding for each type. */
export function mairAttribute(mair: u64, index: u32): u32 {
  const byte = <u32>(<u8>(mair >> ((<u64>index) << MAIR_SHIFT)));
  if (isDevice(byte)) return byte & DEVICE_FIELD;
  return (byte & ~NIBBLE) | normalNibble(byte & NIBBLE);
}

/** Whether a stage 2 MemAttr is a Device type by itself. */
export function stage2IsDevice(memAttr: u32, fwb: bool): bool {
  return fwb ? (memAttr & FWB_FIELD) <= MEMATTR_INNER : isDevice(memAttrByte(memAttr));
}

/** MAIR byte of a stage 2 MemAttr without FWB; its reserved encodings are Device-nGnRnE. */
export function memAttrByte(memAttr: u32): u32 {
  const outer = memAttr >> 2;
  const inner = memAttr & MEMATTR_INNER;
  if (outer == 0) return inner << 2;
  if (inner == 0) return DEVICE_NGNRNE;
  return (nibbleOfRank(outer) << NIBBLE_BITS) | nibbleOfRank(inner);
}

function nibbleOfRank(rank: u32): u32 {
  if (rank == RANK_NC) return NC;
  return rank == RANK_WT ? WT | ALLOCATE : WB | ALLOCATE;
}

function rankOf(nibble: u32): u32 {
  if (nibble == NC) return RANK_NC;
  return nibble & WRITE_BACK ? RANK_WB : RANK_WT;
}

/** The weaker cacheability, with the allocation hints of stage 1. */
function combineNibble(first: u32, second: u32): u32 {
  const rank = min(rankOf(first), rankOf(second));
  if (rank == rankOf(first)) return first;
  return rank == RANK_NC ? NC : first & ~WRITE_BACK;
}

/** FWB's write-back: hints of a cacheable level stay, anything else allocates. */
function forceWriteBack(attr: u32): u32 {
  if (isDevice(attr)) return NORMAL_WB;
  const outer = writeBackNibble(attr >> NIBBLE_BITS);
  return (outer << NIBBLE_BITS) | writeBackNibble(attr & NIBBLE);
}

function writeBackNibble(nibble: u32): u32 {
  return nibble == NC ? WB | ALLOCATE : nibble | WRITE_BACK;
}

/** Type after stage 2: `attr` is the stage 1 MAIR byte, `memAttr` the raw stage 2 field. */
export function combineType(attr: u32, memAttr: u32, fwb: bool): u32 {
  let second = memAttrByte(memAttr);
  if (fwb) {
    const form = memAttr & FWB_FIELD;
    if (form == FWB_STAGE1) return attr;
    if (form == FWB_WB) return forceWriteBack(attr);
    // The reserved encoding acts like Non-cacheable.
    if (form > MEMATTR_INNER) return isDevice(attr) ? attr : NORMAL_NC;
    second = memAttrByte(form);
  }
  // 1. Device dominates, and the stronger Device type wins.
  if (isDevice(attr)) return isDevice(second) ? min(attr, second) : attr;
  if (isDevice(second)) return second;
  // 2. Outer and inner cacheability each.
  const outer = combineNibble(attr >> NIBBLE_BITS, second >> NIBBLE_BITS);
  return (outer << NIBBLE_BITS) | combineNibble(attr & NIBBLE, second & NIBBLE);
}

/** Shareability of an output type: Device and Normal iNC-oNC are outer shareable. */
export function effectiveShareability(attr: u32, sh: u32): u32 {
  if (isDevice(attr) || attr == NORMAL_NC) return S1LEAF_SH_OSH;
  return sh == S1LEAF_SH_OSH || sh == S1LEAF_SH_ISH ? sh : S1LEAF_SH_NSH;
}

/** The wider of two shareabilities. */
export function combineShareability(first: u32, second: u32): u32 {
  if (first == S1LEAF_SH_OSH || second == S1LEAF_SH_OSH) return S1LEAF_SH_OSH;
  return first == S1LEAF_SH_ISH || second == S1LEAF_SH_ISH ? S1LEAF_SH_ISH : S1LEAF_SH_NSH;
}

/** ALLOCCFG applied to one cacheable nibble. */
function allocateNibble(nibble: u32, alloccfg: u32): u32 {
  if (nibble == NC) return nibble;
  const hints = (alloccfg >> 1) & ALLOCATE;
  const type = nibble & WRITE_BACK;
  // A transient type needs an allocation hint; without one it is encoded as non-transient.
  return alloccfg & ALLOC_TRANSIENT && hints ? type | hints : NON_TRANSIENT | type | hints;
}

/** Hints of one level behind stage 1: both sides must allocate, either makes it transient. */
function mergeNibble(input: u32, first: u32): u32 {
  if (input == NC || first == NC) return first;
  const hints = input & first & ALLOCATE;
  const lasting = input & first & NON_TRANSIENT;
  const type = first & WRITE_BACK;
  return lasting || hints == 0 ? NON_TRANSIENT | type | hints : type | hints;
}

/** Whether ALLOCCFG replaces the incoming hints, which then reach through stage 1 (13.4.2). */
export function overridesAllocation(alloccfg: u32): bool {
  return typesOverride && (alloccfg & ALLOC_OVERRIDE) != 0;
}

/** Stage 1 type with the stream's own allocation hints merged in. */
export function mergeHints(p: usize, attr: u32): u32 {
  const input = streamType(p);
  if (!overridesAllocation(configAlloccfg(p)) || isDevice(input) || isDevice(attr)) return attr;
  const outer = mergeNibble(input >> NIBBLE_BITS, attr >> NIBBLE_BITS);
  return (outer << NIBBLE_BITS) | mergeNibble(input & NIBBLE, attr & NIBBLE);
}

/** Type that enters stage 2 or leaves a bypass: incoming Normal WB, with the STE's overrides. */
export function inputType(mtcfg: u32, memAttr: u32, alloccfg: u32): u32 {
  if (!typesOverride) return NORMAL_WB;
  let attr = mtcfg ? memAttrByte(memAttr) : NORMAL_WB;
  if (alloccfg & ALLOC_OVERRIDE && !isDevice(attr)) {
    const outer = allocateNibble(attr >> NIBBLE_BITS, alloccfg);
    attr = (outer << NIBBLE_BITS) | allocateNibble(attr & NIBBLE, alloccfg);
  }
  return attr;
}

/** Shareability that enters with the transaction: Non-shareable, or SHCFG. */
export function inputShareability(shcfg: u32): u32 {
  return typesOverride && shcfg != SHCFG_INCOMING ? shcfg : S1LEAF_SH_NSH;
}

/** Input type of a stream whose stage 1 does not translate. */
export function streamType(p: usize): u32 {
  return inputType(configMtcfg(p), configMemAttr(p), configAlloccfg(p));
}

export function streamShareability(p: usize): u32 {
  return inputShareability(configShcfg(p));
}
