// What a leaf makes of an IOTLB entry, remembered by its attribute bits: most leaves of a stream
// agree (DDI0487 D8.3).

import {
  combineShareability,
  combineType,
  effectiveShareability,
  mairAttribute,
  mergeHints,
  streamShareability,
  streamType,
} from "./attributes";
import { stage2Permissions } from "./descriptor";
import {
  configAffd,
  configLeaf,
  configLeafData,
  configLeafDataS2,
  configLeafS2,
  configMair,
  configPairData,
  configPairFirst,
  configPairSecond,
  configS2affd,
  configS2fwb,
  configWorld,
  setConfigLeaf,
  setConfigLeafData,
  setConfigLeafDataS2,
  setConfigLeafS2,
  setConfigPairData,
  setConfigPairFirst,
  setConfigPairSecond,
} from "./layout/abi";
import {
  s1leafAF,
  s1leafAttrIndx,
  s1leafNG,
  s1leafOA,
  s1leafSH,
  s2leafAF,
  s2leafMemAttr,
  s2leafSH,
} from "./layout/descriptor";
import {
  tlbdataAttr,
  tlbdataGlobal,
  tlbdataPerms,
  tlbdataSh,
  tlbdataSize,
  withTlbdataAttr,
  withTlbdataFractured,
  withTlbdataGlobal,
  withTlbdataPerms,
  withTlbdataSh,
  withTlbdataSize,
} from "./layout/words";
import { leafPermissions } from "./stage1";
import { WORLD_EL2 } from "./ste";

/** TLB_DATA of a stage 1 leaf without address and size; 0 where the access flag faults. */
function makeStage1(p: usize, word: u64): u64 {
  if (!s1leafAF(word) && !configAffd(p)) return 0;
  const attr = mergeHints(p, mairAttribute(configMair(p), s1leafAttrIndx(word)));
  const sh = effectiveShareability(attr, s1leafSH(word));
  const global = configWorld(p) != WORLD_EL2 && !s1leafNG(word);
  const data = withTlbdataPerms(0, leafPermissions(p, word, 0, 0));
  return withTlbdataGlobal(withTlbdataSh(withTlbdataAttr(data, attr), sh), u32(global));
}

/** The same of a stage 2 leaf; attributes stay as the descriptor has them. */
function makeStage2(p: usize, word: u64): u64 {
  if (!s2leafAF(word) && !configS2affd(p)) return 0;
  const data = withTlbdataPerms(0, stage2Permissions(word));
  return withTlbdataSh(withTlbdataAttr(data, s2leafMemAttr(word)), s2leafSH(word));
}

/** TLB_DATA of a stage 1 leaf of TTB0, without address and size; 0 where it faults. */
export function stage1Data(p: usize, word: u64): u64 {
  const kind = word ^ s1leafOA(word);
  if (kind != configLeaf(p)) {
    setConfigLeaf(p, kind);
    setConfigLeafData(p, makeStage1(p, word));
  }
  return configLeafData(p);
}

/** TLB_DATA of a stage 2 leaf, without address and size; 0 where it faults. */
export function stage2Data(p: usize, word: u64): u64 {
  const kind = word ^ s1leafOA(word);
  if (kind != configLeafS2(p)) {
    setConfigLeafS2(p, kind);
    setConfigLeafDataS2(p, makeStage2(p, word));
  }
  return configLeafDataS2(p);
}

/** Both stages, or with `first` 0 the stream's own type under stage 2. */
function combine(p: usize, first: u64, second: u64): u64 {
  const attr = first ? tlbdataAttr(first) : streamType(p);
  const sh = first ? tlbdataSh(first) : streamShareability(p);
  const type = combineType(attr, tlbdataAttr(second), configS2fwb(p) != 0);
  const wide = combineShareability(effectiveShareability(attr, sh), tlbdataSh(second));
  const typed = withTlbdataSh(withTlbdataAttr(second, type), effectiveShareability(type, wide));
  if (first == 0) return typed;
  const perms = tlbdataPerms(first) & tlbdataPerms(second);
  const size = min(tlbdataSize(first), tlbdataSize(second));
  const fractured = u32(tlbdataSize(second) < tlbdataSize(first));
  const data = withTlbdataSize(withTlbdataPerms(typed, perms), size);
  return withTlbdataFractured(withTlbdataGlobal(data, tlbdataGlobal(first)), fractured);
}

/**
 * TLB_DATA of an output behind stage 2, without an address: `first` of stage 1 (0 when the stream
 * has stage 2 alone), `second` of stage 2, both without addresses and with sizes.
 */
export function pairData(p: usize, first: u64, second: u64): u64 {
  if (second != configPairSecond(p) || first != configPairFirst(p)) {
    setConfigPairFirst(p, first);
    setConfigPairSecond(p, second);
    setConfigPairData(p, combine(p, first, second));
  }
  return configPairData(p);
}
