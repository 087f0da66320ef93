// One access: direction, privilege, instruction or data, and the STE's overrides (IHI0070 3.3.4,
// 5.2).

import { PERM_PR, PERM_PW, PERM_PX, PERM_UR, PERM_UW, PERM_UX } from "./descriptor";
import { hasQuirk, permsOverride } from "./features";
import { configInstcfg, configPrivcfg } from "./layout/abi";
import { Q_NO_PRIVILEGE } from "./layout/quirks";
import {
  requestflagsInstruction,
  requestflagsPrivileged,
  requestflagsWrite,
  withRequestflagsInstruction,
  withRequestflagsPrivileged,
} from "./layout/words";

/** INSTCFG and PRIVCFG encodings. */
const OVERRIDE_LOW: u32 = 2;
const OVERRIDE_HIGH: u32 = 3;

/** A read by the SMMU itself, for stage 1 tables and CDs. */
export const ACCESS_READ: u32 = 0;

/** The access after the STE's overrides; writes are always data. */
export function effectiveAccess(p: usize, flags: u32): u32 {
  let access = flags;
  if (hasQuirk(Q_NO_PRIVILEGE)) {
    return withRequestflagsInstruction(withRequestflagsPrivileged(access, 1), 0);
  }
  if (permsOverride) {
    const inst = configInstcfg(p);
    if (inst == OVERRIDE_LOW) access = withRequestflagsInstruction(access, 0);
    else if (inst == OVERRIDE_HIGH) access = withRequestflagsInstruction(access, 1);
    const priv = configPrivcfg(p);
    if (priv == OVERRIDE_LOW) access = withRequestflagsPrivileged(access, 0);
    else if (priv == OVERRIDE_HIGH) access = withRequestflagsPrivileged(access, 1);
  }
  return requestflagsWrite(access) ? withRequestflagsInstruction(access, 0) : access;
}

/** The permission bit that an access needs. */
export function neededPermission(access: u32): u32 {
  const privileged = requestflagsPrivileged(access) != 0;
  if (requestflagsWrite(access)) return privileged ? PERM_PW : PERM_UW;
  if (requestflagsInstruction(access)) return privileged ? PERM_PX : PERM_UX;
  return privileged ? PERM_PR : PERM_UR;
}

/** Read, write and execute (1, 2, 4) that `perms` gives to the privilege of `access`. */
export function grantedPermissions(perms: u32, access: u32): u32 {
  const read = requestflagsPrivileged(access) ? PERM_PR : PERM_UR;
  let granted: u32 = perms & read ? 1 : 0;
  if (perms & (read << 1)) granted |= 2;
  if (perms & (read << 2)) granted |= 4;
  return granted;
}
