// Address-based TLBI commands: tags, ranges, levels (IHI0070 4.4.1).

import { cachePolicy } from "./cache";
import { CONTEXT_EL1, CONTEXT_EL2, CONTEXT_EL2_E2H, CONTEXT_STAGE2 } from "./contextid";
import { asid16, hasQuirk, rangeInvalidation, stage2Present, vmid16, vmwPresent } from "./features";
import { GRANULE_4K, granuleOfCommandTg, ones } from "./geometry";
import { invalidateAllVmids, invalidateRange, qemuInvalidateRange } from "./invalidate";
import { CACHE_QEMU } from "./layout/abi";
import {
  CERROR_ILL,
  CERROR_NONE,
  CMD_TLBI_EL2_VA,
  CMD_TLBI_NH_VA,
  CMD_TLBI_S2_IPA,
  cmdTLBI_Address,
  cmdTLBI_ASID,
  cmdTLBI_Leaf,
  cmdTLBI_NUM,
  cmdTLBI_SCALE,
  cmdTLBI_TG,
  cmdTLBI_TTL,
  cmdTLBI_VMID,
  TLBI_TG_16K,
} from "./layout/command";
import { Q_RIL_ZERO } from "./layout/quirks";
import { cr0VMW, cr2E2H, REG_CR0, REG_CR2 } from "./layout/register";
import { reg32 } from "./regfile";
import { beginScans, VA_LAST } from "./tlb";

/** Without 52-bit addresses SCALE has five bits. */
const SCALE_BITS: u32 = 5;
const TAG8_MAX: u32 = 255;
const VMW_MAX: u32 = 4;
const ANY: i32 = -1;
const STAGE_1: u32 = 1;
const STAGE_2: u32 = 2;

/** Whether CR0.VMW makes VMIDs match in groups; we then drop every VMID (allowed). */
export let vmidWildcard: bool = false;

/** A run of commands begins: no register changes while it lasts. */
export function beginInvalidations(): void {
  const vmw = vmwPresent ? cr0VMW(reg32(REG_CR0)) : 0;
  vmidWildcard = vmw != 0 && vmw <= VMW_MAX;
  beginScans();
}

/** A tag beyond 8 bits on an SMMU with 8-bit tags affects nothing. */
export function ignoredTag(c: usize, usesAsid: bool): bool {
  if (usesAsid && !asid16 && cmdTLBI_ASID(c) > TAG8_MAX) return true;
  return stage2Present && !vmid16 && cmdTLBI_VMID(c) > TAG8_MAX;
}

/** World that NS-EL2 commands address. */
export function el2World(): u32 {
  return cr2E2H(reg32(REG_CR2)) ? CONTEXT_EL2_E2H : CONTEXT_EL2;
}

/** Number of pages of a command with TG: (NUM + 1) * 2^SCALE. */
function rangePages(c: usize): u64 {
  const scale = cmdTLBI_SCALE(c) & <u32>ones(SCALE_BITS);
  return (<u64>(cmdTLBI_NUM(c) + 1)) << (<u64>scale);
}

/** TG without any of NUM, SCALE and TTL is illegal; 16 KiB has no level 1 leaf. */
function rangeIllegal(c: usize, tg: u32): bool {
  if (hasQuirk(Q_RIL_ZERO)) return false;
  const ttl = cmdTLBI_TTL(c);
  const level = tg == TLBI_TG_16K && ttl == 1 ? 0 : ttl;
  return cmdTLBI_NUM(c) == 0 && cmdTLBI_SCALE(c) == 0 && level == 0;
}

/** NH_VA, NH_VAA, EL2_VA, EL2_VAA and S2_IPA in `world`. */
export function executeByAddress(c: usize, opcode: u32, world: u32): u32 {
  const tg = rangeInvalidation ? cmdTLBI_TG(c) : 0;
  if (tg && rangeIllegal(c, tg)) return CERROR_ILL;
  const pages = tg ? rangePages(c) : 1;
  const at = cmdTLBI_Address(c);
  const first = at & VA_LAST;
  const granule = <u64>(tg ? granuleOfCommandTg(tg) : GRANULE_4K);
  // Nothing wraps: the range ends where addresses do.
  const last = min(first + (pages << granule) - 1, VA_LAST);
  const vmid = cmdTLBI_VMID(c);
  const byIpa = opcode == CMD_TLBI_S2_IPA;
  const byAsid = opcode == CMD_TLBI_NH_VA || opcode == CMD_TLBI_EL2_VA;
  const asid = byAsid ? <i32>cmdTLBI_ASID(c) : ANY;
  if (cachePolicy == CACHE_QEMU && world == CONTEXT_EL1) {
    const tag = stage2Present ? <i32>vmid : ANY;
    const stage = byIpa ? STAGE_2 : STAGE_1;
    qemuInvalidateRange(stage, asid, tag, at, tg, pages, cmdTLBI_TTL(c), cmdTLBI_Leaf(c));
  } else if (world == CONTEXT_EL1 && vmidWildcard) {
    invalidateAllVmids();
  } else if (!ignoredTag(c, byAsid)) {
    invalidateRange(byIpa ? CONTEXT_STAGE2 : world, vmid, asid, first, last);
  }
  return CERROR_NONE;
}
