// The stage 1 walk: VA to IPA or PA, each table through stage 2 when nested (IHI0070 3.4, DDI0487
// D8).

import { neededPermission } from "./access";
import { mairAttribute } from "./attributes";
import {
  applyPan,
  applyWxn,
  descriptorKind,
  KIND_INVALID,
  KIND_TABLE,
  leafAddress,
  nextTable,
  PERM_ALL,
  PERM_PW,
  PERM_UR,
  PERM_UW,
  PERM_UX,
  singlePermissions,
  stage1Permissions,
  TABLE_PXN,
  TABLE_READ_ONLY,
  TABLE_UXN,
} from "./descriptor";
import { clearFault, faultType, raiseStage1Fault, raiseWalkAbort } from "./fault";
import { hasQuirk } from "./features";
import { fetchDescriptor } from "./fetch";
import { levelShift, ones, stage1StartLevel, strideBits } from "./geometry";
import { guestFault } from "./guest";
import { effectiveVa, granuleOf, halfDisabled, halfOf, inputBitsOf, inRange } from "./half";
import {
  configAffd,
  configBigEndian,
  configE0pd0,
  configE0pd1,
  configEpan,
  configHad0,
  configHad1,
  configIpsBits,
  configMair,
  configPan,
  configStage,
  configTtb0,
  configTtb1,
  configWorld,
  configWxn,
  STAGE_NESTED,
} from "./layout/abi";
import {
  s1leafAF,
  s1leafAttrIndx,
  s1leafNG,
  s1leafSH,
  s1tableAPTable,
  s1tablePXNTable,
  s1tableUXNTable,
} from "./layout/descriptor";
import {
  CLASS_IN,
  CLASS_TT,
  F_ACCESS,
  F_ADDR_SIZE,
  F_PERMISSION,
  F_TRANSLATION,
  F_WALK_EABT,
} from "./layout/event";
import {
  Q_APTABLE_AT_TABLE,
  Q_FAULT_ORDER,
  Q_NO_PRIVILEGE,
  Q_TABLE_BASE_ONLY,
} from "./layout/quirks";
import { requestflagsPrivileged, requestflagsWrite } from "./layout/words";
import { setStage1Leaf, setStage1Mapping } from "./mapping";
import { WORLD_EL2 } from "./ste";
import { translateStructure, translateTable } from "./structure";

const STAGE: u32 = 1;
const LAST_LEVEL: i32 = 3;
const DESCRIPTOR_BITS: u32 = 3;

/** E0PD: unprivileged accesses of EL1 and E2H worlds cannot use this half at all. */
function shutsOutUnprivileged(p: usize, half: u32): bool {
  const e0pd = half ? configE0pd1(p) : configE0pd0(p);
  return e0pd != 0 && configWorld(p) != WORLD_EL2;
}

/** Range, EPD and E0PD: the faults that need no descriptor. */
function unmappable(p: usize, va: u64, half: u32, access: u32): bool {
  if (halfDisabled(p, half) || !inRange(p, va, half)) return true;
  return shutsOutUnprivileged(p, half) && !requestflagsPrivileged(access);
}

/** Base of the first table: aligned to its size. */
export function firstTable(p: usize, half: u32, indexBits: u32): u64 {
  const ttb = half ? configTtb1(p) : configTtb0(p);
  const kept = hasQuirk(Q_TABLE_BASE_ONLY) ? ttb & ones(configIpsBits(p)) : ttb;
  return kept & ~ones(indexBits + DESCRIPTOR_BITS);
}

/** Permissions of a leaf under this CD and half. */
export function leafPermissions(p: usize, word: u64, tables: u32, half: u32): u32 {
  const world = configWorld(p);
  let perms =
    world == WORLD_EL2 ? singlePermissions(word, tables) : stage1Permissions(word, tables);
  if (hasQuirk(Q_NO_PRIVILEGE)) {
    return perms & PERM_PW ? PERM_ALL : PERM_ALL & ~(PERM_PW | PERM_UW);
  }
  if (configWxn(p)) perms = applyWxn(perms);
  if (world == WORLD_EL2) return perms;
  if (configPan(p)) perms = applyPan(perms, configEpan(p) != 0);
  return shutsOutUnprivileged(p, half) ? perms & ~(PERM_UR | PERM_UW | PERM_UX) : perms;
}

/** Hierarchical attributes of a table descriptor. */
function tableAttributes(word: u64): u32 {
  let attributes = s1tableAPTable(word);
  if (s1tablePXNTable(word)) attributes |= TABLE_PXN;
  if (s1tableUXNTable(word)) attributes |= TABLE_UXN;
  return attributes;
}

/** QEMU refuses a write at the table that has APTable[1] set. */
function refusedAtTable(word: u64, access: u32): bool {
  if (!hasQuirk(Q_APTABLE_AT_TABLE) || !requestflagsWrite(access)) return false;
  return (s1tableAPTable(word) & TABLE_READ_ONLY) != 0;
}

/** PA of a stage 1 descriptor: through stage 2 when nested, unless its table already went. */
function descriptorPa(p: usize, at: u64): u64 {
  if (configStage(p) != STAGE_NESTED || hasQuirk(Q_TABLE_BASE_ONLY)) return at;
  return translateStructure(p, at, CLASS_TT);
}

/** The address checks of a leaf, in the architecture's order or QEMU's. */
function checkLeaf(p: usize, word: u64, address: u64, perms: u32, access: u32): u32 {
  const tooLarge = (address & ~ones(configIpsBits(p))) != 0;
  if (tooLarge && !hasQuirk(Q_FAULT_ORDER)) return raiseStage1Fault(F_ADDR_SIZE, CLASS_IN);
  if (!s1leafAF(word) && !configAffd(p)) return raiseStage1Fault(F_ACCESS, CLASS_IN);
  if (!(perms & neededPermission(access))) return raiseStage1Fault(F_PERMISSION, CLASS_IN);
  return tooLarge ? raiseStage1Fault(F_ADDR_SIZE, CLASS_IN) : 0;
}

/**
 * Walks stage 1 of configuration `p` for `iova`. 0 with the mapping set, or the event number with
 * the fault raised.
 */
export function walkStage1(p: usize, iova: u64, access: u32): u32 {
  clearFault();
  // 1. Half, range, EPD, E0PD.
  const half = halfOf(p, iova);
  const va = effectiveVa(p, iova, half);
  if (unmappable(p, va, half, access)) return raiseStage1Fault(F_TRANSLATION, CLASS_IN);
  // 2. Geometry and the first table.
  const granule = granuleOf(p, half);
  const inputBits = inputBitsOf(p, half);
  const had = half ? configHad1(p) : configHad0(p);
  const input = va & ones(inputBits);
  let level = stage1StartLevel(granule, inputBits);
  let table = firstTable(p, half, inputBits - levelShift(granule, level));
  let tables: u32 = 0;
  for (; level <= LAST_LEVEL; level++) {
    // 3. One descriptor.
    const shift = levelShift(granule, level);
    const at =
      table + (((input >> <u64>shift) & ones(strideBits(granule))) << (<u64>DESCRIPTOR_BITS));
    const pa = descriptorPa(p, at);
    if (faultType) return faultType;
    const word = fetchDescriptor(pa, STAGE, level, configBigEndian(p));
    if (guestFault) return raiseWalkAbort(F_WALK_EABT, STAGE, CLASS_TT, pa);
    const kind = descriptorKind(word, granule, level);
    if (kind == KIND_INVALID) return raiseStage1Fault(F_TRANSLATION, CLASS_IN);
    // 4. A table.
    if (kind == KIND_TABLE) {
      if (!had) {
        if (refusedAtTable(word, access)) return raiseStage1Fault(F_PERMISSION, CLASS_IN);
        tables |= tableAttributes(word);
      }
      table = enterTable(p, nextTable(word, granule));
      if (faultType) return faultType;
      continue;
    }
    // 5. A leaf.
    const address = leafAddress(word, shift);
    const perms = leafPermissions(p, word, hasQuirk(Q_APTABLE_AT_TABLE) ? 0 : tables, half);
    if (checkLeaf(p, word, address, perms, access)) return faultType;
    const attr = mairAttribute(configMair(p), s1leafAttrIndx(word));
    setStage1Mapping(address | (va & ones(shift)), shift, perms, attr, s1leafSH(word));
    setStage1Leaf(level, granule, configWorld(p) != WORLD_EL2 && !s1leafNG(word));
    return 0;
  }
  return raiseStage1Fault(F_TRANSLATION, CLASS_IN);
}

/** Address of the next table: checked against IPS, or sent through stage 2 at once by QEMU. */
function enterTable(p: usize, table: u64): u64 {
  if (!hasQuirk(Q_FAULT_ORDER) && table & ~ones(configIpsBits(p))) {
    raiseStage1Fault(F_ADDR_SIZE, CLASS_IN);
    return 0;
  }
  if (configStage(p) != STAGE_NESTED || !hasQuirk(Q_TABLE_BASE_ONLY)) return table;
  return translateTable(p, table);
}
