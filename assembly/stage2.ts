// The stage 2 walk: IPA to PA (IHI0070 3.4, DDI0487 D8.2-D8.4).

import { stage2IsDevice } from "./attributes";
import {
  descriptorKind,
  KIND_INVALID,
  KIND_TABLE,
  leafAddress,
  nextTable,
  stage2Permissions,
} from "./descriptor";
import { raiseStage2Fault, raiseWalkAbort } from "./fault";
import { hasQuirk } from "./features";
import { fetchDescriptor } from "./fetch";
import { levelShift, ones, startIndexBits, strideBits } from "./geometry";
import { guestFault } from "./guest";
import {
  configS2affd,
  configS2bigEndian,
  configS2fwb,
  configS2granule,
  configS2level,
  configS2psBits,
  configS2ptw,
  configS2tsz,
  configS2ttb,
} from "./layout/abi";
import { s2leafAF, s2leafMemAttr, s2leafSH } from "./layout/descriptor";
import {
  CLASS_IN,
  F_ACCESS,
  F_ADDR_SIZE,
  F_PERMISSION,
  F_TRANSLATION,
  F_WALK_EABT,
} from "./layout/event";
import { Q_CONCAT_MASKED, Q_FAULT_ORDER } from "./layout/quirks";
import { setStage2Leaf, setStage2Mapping } from "./mapping";

const STAGE: u32 = 2;
const LAST_LEVEL: i32 = 3;
const DESCRIPTOR_BITS: u32 = 3;
/** QEMU's mask exponent is taken modulo 64. */
const EXPONENT_BITS: u32 = 6;

/** Base of the start table, aligned to the size of the table or of the concatenated ones. */
export function startTable(p: usize, ipa: u64, level: i32): u64 {
  const granule = configS2granule(p);
  const bits = startIndexBits(granule, 64 - configS2tsz(p), level);
  const ttb = configS2ttb(p);
  if (!hasQuirk(Q_CONCAT_MASKED)) return ttb & ~ones(<u32>bits + DESCRIPTOR_BITS);
  // QEMU adds the offset of the concatenated table, then masks it away.
  const tableBytes = granule;
  const shift = levelShift(granule, level - 1);
  const concatenated = shift < 64 ? ipa >> <u64>shift : 0;
  const exponent = <u32>(bits + <i32>DESCRIPTOR_BITS) & <u32>ones(EXPONENT_BITS);
  return ((ttb & ones(configS2psBits(p))) + (concatenated << (<u64>tableBytes))) & ~ones(exponent);
}

/** Whether the leaf refuses the access; the PTW bit forbids walks through Device memory. */
function refuses(p: usize, word: u64, perms: u32, need: u32, fetchClass: u32): bool {
  if (!(perms & need)) return true;
  if (fetchClass == CLASS_IN || !configS2ptw(p)) return false;
  return stage2IsDevice(s2leafMemAttr(word), configS2fwb(p) != 0);
}

/**
 * Walks stage 2 of configuration `p` for an access of class `fetchClass` that needs the PERM_ bit
 * `need`. 0 with the mapping set, or the event number with the fault raised.
 */
export function walkStage2(p: usize, ipa: u64, need: u32, fetchClass: u32): u32 {
  const granule = configS2granule(p);
  const inputBits = 64 - configS2tsz(p);
  const limit = ones(configS2psBits(p));
  const qemuOrder = hasQuirk(Q_FAULT_ORDER);
  // 1. Input range.
  if (ipa & ~ones(inputBits)) return raiseStage2Fault(F_TRANSLATION, fetchClass, ipa);
  // 2. Start table: concatenated tables are one array.
  let level = <i32>configS2level(p);
  let table = startTable(p, ipa, level);
  let indexMask = hasQuirk(Q_CONCAT_MASKED) ? ones(strideBits(granule)) : ~(<u64>0);
  for (; level <= LAST_LEVEL; level++) {
    // 3. One descriptor.
    const shift = levelShift(granule, level);
    const at = table + (((ipa >> <u64>shift) & indexMask) << (<u64>DESCRIPTOR_BITS));
    const word = fetchDescriptor(at, STAGE, level, configS2bigEndian(p));
    if (guestFault) return raiseWalkAbort(F_WALK_EABT, STAGE, fetchClass, at);
    const kind = descriptorKind(word, granule, level);
    if (kind == KIND_INVALID) return raiseStage2Fault(F_TRANSLATION, fetchClass, ipa);
    // 4. A table: its address is checked before the next fetch.
    if (kind == KIND_TABLE) {
      table = nextTable(word, granule);
      if (!qemuOrder && table & ~limit) return raiseStage2Fault(F_ADDR_SIZE, fetchClass, ipa);
      indexMask = ones(strideBits(granule));
      continue;
    }
    // 5. A leaf: address size, access flag, permission; QEMU checks the size last.
    const address = leafAddress(word, shift);
    const tooLarge = (address & ~limit) != 0;
    if (tooLarge && !qemuOrder) return raiseStage2Fault(F_ADDR_SIZE, fetchClass, ipa);
    if (!s2leafAF(word) && !configS2affd(p)) return raiseStage2Fault(F_ACCESS, fetchClass, ipa);
    const perms = stage2Permissions(word);
    if (refuses(p, word, perms, need, fetchClass)) {
      return raiseStage2Fault(F_PERMISSION, fetchClass, ipa);
    }
    if (tooLarge) return raiseStage2Fault(F_ADDR_SIZE, fetchClass, ipa);
    const pa = address | (ipa & ones(shift));
    setStage2Mapping(pa, shift, perms, s2leafMemAttr(word), s2leafSH(word));
    setStage2Leaf(level, granule);
    return 0;
  }
  return raiseStage2Fault(F_TRANSLATION, fetchClass, ipa);
}
