// What a batch wants to know of a configuration at once: first tables, limits, needed permissions
// (IHI0070 3.4).

import { effectiveAccess, neededPermission } from "./access";
import { levelShift, stage1StartLevel } from "./geometry";
import { granuleOf, halfDisabled, inputBitsOf } from "./half";
import {
  configBigEndian,
  configCached,
  configE0pd0,
  configIpsBits,
  configS2bigEndian,
  configS2granule,
  configS2level,
  configS2psBits,
  configS2ptw,
  configS2tsz,
  configStage,
  STAGE_ABORT,
  STAGE_BYPASS,
  STAGE_S1,
  STAGE_S2,
  setConfigInputBits,
  setConfigInputBitsS2,
  setConfigMeta,
  setConfigNeeds,
  setConfigRoot,
  setConfigRootS2,
  setConfigShape,
} from "./layout/abi";
import {
  withAnswermetaStage,
  withLaneshapeGranule1,
  withLaneshapeGranule2,
  withLaneshapeLevel1,
  withLaneshapeLevel2,
  withLaneshapeOutput1,
  withLaneshapeOutput2,
  withLaneshapeStage,
} from "./layout/words";
import { firstTable } from "./stage1";
import { startTable } from "./stage2";

/** Accesses that REQUEST_VIEW.access can name. */
const ACCESSES: u32 = 8;

/** Whether tables are read plainly: little-endian, and the half of TTB0 open to everyone. */
function isPlain(p: usize): bool {
  const stage = configStage(p);
  if (stage & STAGE_S1) {
    if (halfDisabled(p, 0) || configBigEndian(p) || configE0pd0(p)) return false;
  }
  return !(stage & STAGE_S2) || (!configS2bigEndian(p) && !configS2ptw(p));
}

function shapeStage1(p: usize, shape: u32): u32 {
  const granule = granuleOf(p, 0);
  const inputBits = inputBitsOf(p, 0);
  const level = stage1StartLevel(granule, inputBits);
  setConfigInputBits(p, inputBits);
  setConfigRoot(p, firstTable(p, 0, inputBits - levelShift(granule, level)));
  const placed = withLaneshapeLevel1(withLaneshapeGranule1(shape, granule), <u32>level);
  return withLaneshapeOutput1(placed, configIpsBits(p));
}

function shapeStage2(p: usize, shape: u32): u32 {
  const level = configS2level(p);
  setConfigInputBitsS2(p, 64 - configS2tsz(p));
  setConfigRootS2(p, startTable(p, 0, <i32>level));
  const placed = withLaneshapeLevel2(withLaneshapeGranule2(shape, configS2granule(p)), level);
  return withLaneshapeOutput2(placed, configS2psBits(p));
}

/** Completes a configuration that was decoded. What lanes cannot do has shape 0. */
export function prepareForLanes(p: usize): void {
  for (let access: u32 = 0; access < ACCESSES; access++) {
    setConfigNeeds(p, access, neededPermission(effectiveAccess(p, access)));
  }
  const stage = configStage(p);
  setConfigMeta(p, withAnswermetaStage(0, stage));
  if (stage == STAGE_BYPASS || stage == STAGE_ABORT || !configCached(p) || !isPlain(p)) return;
  let shape = withLaneshapeStage(0, stage);
  if (stage & STAGE_S1) shape = shapeStage1(p, shape);
  if (stage & STAGE_S2) shape = shapeStage2(p, shape);
  setConfigShape(p, shape);
}
