// Which accesses a descriptor permits (IHI0070 13.4, DDI0487 D8.4).

import { bit, field } from "./bits.ts";
import type { Cd } from "./context.ts";
import type { Access } from "./events.ts";

/** Permission bits of the answer. */
export const READ = 1;
export const WRITE = 2;
export const EXECUTE = 4;

/** Hierarchical restrictions gathered from table descriptors. */
export interface Hierarchy {
  noUnprivileged: boolean;
  noWrite: boolean;
  uxn: boolean;
  pxn: boolean;
}

export const UNRESTRICTED: Hierarchy = {
  noUnprivileged: false,
  noWrite: false,
  uxn: false,
  pxn: false,
};

/** Adds the restrictions of one stage 1 table descriptor. */
export function restrict(h: Hierarchy, table: bigint): Hierarchy {
  return {
    noUnprivileged: h.noUnprivileged || bit(table, 61),
    noWrite: h.noWrite || bit(table, 62),
    uxn: h.uxn || bit(table, 60),
    pxn: h.pxn || bit(table, 59),
  };
}

function combine(read: boolean, write: boolean, execute: boolean): number {
  return (read ? READ : 0) | (write ? WRITE : 0) | (execute ? EXECUTE : 0);
}

/** What a stage 1 leaf permits to an access of this privilege. */
export function stage1Permission(cd: Cd, leaf: bigint, h: Hierarchy, privileged: boolean): number {
  const readOnly = bit(leaf, 7) || h.noWrite;
  const uxn = bit(leaf, 54) || h.uxn;
  if (cd.singlePrivilege) {
    return combine(true, !readOnly, !uxn && !(cd.wxn && !readOnly));
  }
  const ur = bit(leaf, 6) && !h.noUnprivileged;
  const uw = ur && !readOnly;
  const ux = !uxn && !(cd.wxn && uw);
  if (!privileged) return combine(ur, uw, ux);
  const pw = !readOnly;
  const px = !(bit(leaf, 53) || h.pxn || uw || (cd.wxn && pw));
  const pan = cd.pan && (ur || (cd.epan && ux));
  return combine(!pan, pw && !pan, px);
}

/** What a stage 2 leaf permits to an access of this privilege. */
export function stage2Permission(leaf: bigint, xnx: boolean, privileged: boolean): number {
  const xn = field(leaf, 54, 53);
  let execute: boolean;
  if (!xnx) execute = xn < 2;
  else if (privileged) execute = xn === 0 || xn === 3;
  else execute = xn === 0 || xn === 1;
  return combine(bit(leaf, 6), bit(leaf, 7), execute);
}

/** The permission that an access needs. */
export function needed(access: Access): number {
  if (access.write) return WRITE;
  return access.instruction ? EXECUTE : READ;
}
