// What one VMSAv8-64 descriptor means: kind, addresses, permissions (DDI0487 D8.3, D8.4).

import { hasQuirk, xnxPresent } from "./features";
import { blockAllowed, ones } from "./geometry";
import {
  S2LEAF_XN_EXEC,
  S2LEAF_XN_EXEC_EL0,
  S2LEAF_XN_EXEC_EL1,
  S2LEAF_XN_NONE,
  s1leafAP1,
  s1leafAP2,
  s1leafOA,
  s1leafPXN,
  s1leafType,
  s1leafUXN,
  s1leafValid,
  s1tableNLTA,
  s2leafS2AP0,
  s2leafS2AP1,
  s2leafXN,
} from "./layout/descriptor";
import { Q_BLOCK_ANY_LEVEL } from "./layout/quirks";

export const KIND_INVALID: u32 = 0;
export const KIND_TABLE: u32 = 1;
export const KIND_LEAF: u32 = 2;

const LAST_LEVEL: i32 = 3;

/** Permission bits of a mapping, for privileged and unprivileged accesses. */
export const PERM_PR: u32 = 1;
export const PERM_PW: u32 = 2;
export const PERM_PX: u32 = 4;
export const PERM_UR: u32 = 8;
export const PERM_UW: u32 = 16;
export const PERM_UX: u32 = 32;
export const PERM_ALL: u32 = 63;

/** Hierarchical attributes that the tables above a leaf have collected. */
export const TABLE_NO_UNPRIVILEGED: u32 = 1;
export const TABLE_READ_ONLY: u32 = 2;
export const TABLE_PXN: u32 = 4;
export const TABLE_UXN: u32 = 8;

/** Invalid, table, or leaf (block or page). Stage 1 and stage 2 agree on these bits. */
export function descriptorKind(word: u64, granule: u32, level: i32): u32 {
  if (!s1leafValid(word)) return KIND_INVALID;
  if (level == LAST_LEVEL) return s1leafType(word) ? KIND_LEAF : KIND_INVALID;
  if (s1leafType(word)) return KIND_TABLE;
  if (blockAllowed(granule, level) || hasQuirk(Q_BLOCK_ANY_LEVEL)) return KIND_LEAF;
  return KIND_INVALID;
}

/** Address of the next table. */
export function nextTable(word: u64, granule: u32): u64 {
  return s1tableNLTA(word) & ~ones(granule);
}

/** Output address of a leaf that maps 2^shift bytes. */
export function leafAddress(word: u64, shift: u32): u64 {
  return s1leafOA(word) & ~ones(shift);
}

/** Stage 1 permissions with two privilege levels, before WXN and PAN. */
export function stage1Permissions(word: u64, tables: u32): u32 {
  const readOnly = s1leafAP2(word) != 0 || (tables & TABLE_READ_ONLY) != 0;
  const unprivileged = s1leafAP1(word) != 0 && !(tables & TABLE_NO_UNPRIVILEGED);
  let perms = PERM_PR;
  if (!readOnly) perms |= PERM_PW;
  if (unprivileged) perms |= readOnly ? PERM_UR : PERM_UR | PERM_UW;
  // Memory that unprivileged code can write is never executable for privileged code.
  if (!s1leafPXN(word) && !(tables & TABLE_PXN) && !(perms & PERM_UW)) perms |= PERM_PX;
  if (!s1leafUXN(word) && !(tables & TABLE_UXN)) perms |= PERM_UX;
  return perms;
}

/** Stage 1 permissions with one privilege level (NS-EL2): the same for both. */
export function singlePermissions(word: u64, tables: u32): u32 {
  let perms = PERM_PR | PERM_UR;
  if (!s1leafAP2(word) && !(tables & TABLE_READ_ONLY)) perms |= PERM_PW | PERM_UW;
  if (!s1leafUXN(word) && !(tables & TABLE_UXN)) perms |= PERM_PX | PERM_UX;
  return perms;
}

/** WXN: what can be written is not executed. */
export function applyWxn(perms: u32): u32 {
  if (perms & PERM_PW) perms &= ~PERM_PX;
  if (perms & PERM_UW) perms &= ~PERM_UX;
  return perms;
}

/** PAN: no privileged data access to memory that unprivileged code can access. */
export function applyPan(perms: u32, epan: bool): u32 {
  const reachable = epan ? PERM_UR | PERM_UX : PERM_UR;
  return perms & reachable ? perms & ~(PERM_PR | PERM_PW) : perms;
}

/** Stage 2 permissions: S2AP, and XN with or without the EL0/EL1 distinction. */
export function stage2Permissions(word: u64): u32 {
  let perms: u32 = 0;
  if (s2leafS2AP0(word)) perms |= PERM_PR | PERM_UR;
  if (s2leafS2AP1(word)) perms |= PERM_PW | PERM_UW;
  const xn = xnxPresent ? s2leafXN(word) : s2leafXN(word) & S2LEAF_XN_NONE;
  if (xn == S2LEAF_XN_EXEC || xn == S2LEAF_XN_EXEC_EL1) perms |= PERM_PX;
  if (xn == S2LEAF_XN_EXEC || xn == S2LEAF_XN_EXEC_EL0) perms |= PERM_UX;
  return perms;
}
