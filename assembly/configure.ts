// STE and CD to one decoded configuration for a stream and substream (IHI0070 3.4, 3.9, 5.2, 5.4).

import { overridesAllocation } from "./attributes";
import {
  cdGranule,
  cdIllegal,
  cdTtb,
  cdTxsz,
  effectiveIps,
  fetchCd,
  substreamBits,
  tableEnabled,
  tableIllegal,
} from "./context";
import { CONTEXT_STAGE2, contextEpoch, contextTag, nobodysTag, reserveContexts } from "./contextid";
import { faultType, raiseConfigFault, reportFaultAsRead } from "./fault";
import {
  e0pdPresent,
  epanPresent,
  fwbPresent,
  hadPresent,
  hasQuirk,
  oasBits,
  stage2Present,
} from "./features";
import { granuleOfTg0, ones, stage2StartLevel } from "./geometry";
import {
  CONFIG_BYTES,
  configAsid,
  configCached,
  configStage,
  configVmid,
  configWorld,
  STAGE_ABORT,
  STAGE_BYPASS,
  STAGE_NESTED,
  STAGE_S1,
  STAGE_S2,
  setConfigAbortS1,
  setConfigAffd,
  setConfigAlloccfg,
  setConfigAsid,
  setConfigBigEndian,
  setConfigCached,
  setConfigCut,
  setConfigE0pd0,
  setConfigE0pd1,
  setConfigEpan,
  setConfigEpd0,
  setConfigEpd1,
  setConfigEpoch,
  setConfigGranule0,
  setConfigGranule1,
  setConfigHad0,
  setConfigHad1,
  setConfigInstcfg,
  setConfigIpsBits,
  setConfigMair,
  setConfigMemAttr,
  setConfigMerge,
  setConfigMtcfg,
  setConfigPan,
  setConfigPrivcfg,
  setConfigRecordS1,
  setConfigRecordS2,
  setConfigS2affd,
  setConfigS2bigEndian,
  setConfigS2fwb,
  setConfigS2granule,
  setConfigS2level,
  setConfigS2psBits,
  setConfigS2ptw,
  setConfigS2tsz,
  setConfigS2ttb,
  setConfigShcfg,
  setConfigSid,
  setConfigSkipsStage1,
  setConfigStage,
  setConfigSubstream,
  setConfigTag,
  setConfigTagS2,
  setConfigTbi0,
  setConfigTbi1,
  setConfigTsz0,
  setConfigTsz1,
  setConfigTtb0,
  setConfigTtb1,
  setConfigView,
  setConfigVmid,
  setConfigWorld,
  setConfigWxn,
  TRACE_KIND_TT,
} from "./layout/abi";
import {
  cdA,
  cdAFFD,
  cdASID,
  cdE0PD0,
  cdE0PD1,
  cdENDI,
  cdEPAN,
  cdHAD0,
  cdHAD1,
  cdMAIR0,
  cdMAIR1,
  cdPAN,
  cdR,
  cdTBI0,
  cdTBI1,
  cdWXN,
} from "./layout/cd";
import {
  C_BAD_CD,
  C_BAD_STE,
  C_BAD_SUBSTREAMID,
  CLASS_TT,
  F_STREAM_DISABLED,
} from "./layout/event";
import { Q_CD_AT_CTXPTR, Q_S2PTW_IGNORED, Q_TTB_AT_DECODE } from "./layout/quirks";
import { cr2E2H, REG_CR2 } from "./layout/register";
import {
  STE_Config_BYPASS,
  STE_Config_NESTED,
  STE_S1DSS_BYPASS,
  STE_S1DSS_SSID0,
  STE_STRW_EL2,
  steALLOCCFG,
  steConfig,
  steINSTCFG,
  steMEV,
  steMemAttr,
  steMTCFG,
  stePRIVCFG,
  steS1DSS,
  steS2AFFD,
  steS2ENDI,
  steS2FWB,
  steS2PTW,
  steS2R,
  steS2SL0,
  steS2T0SZ,
  steS2TG,
  steS2VMID,
  steSHCFG,
  steSTRW,
  steV,
} from "./layout/ste";
import { requestviewSubstream, withRequestflagsSsid, withRequestflagsSsv } from "./layout/words";
import { reg32 } from "./regfile";
import { CD, STE } from "./state";
import {
  effectiveS2ps,
  stage2Table,
  steIllegal,
  strwUsed,
  translatesStage1,
  WORLD_EL1,
  WORLD_EL2,
  WORLD_EL2_E2H,
} from "./ste";
import { fetchSte } from "./stream";
import { translateStructure } from "./structure";
import { trace, tracing } from "./trace";

/** Config values below this abort. */
const CONFIG_ABORTS_BELOW: u32 = 4;
const WORD_BITS: u64 = 32;
const NO_ASID: i32 = -1;
const NO_VMID: i32 = -1;

/** Key of a substream within a stream: 0 without one, else ssid + 1. */
export function substreamKey(ssv: bool, ssid: u32): u32 {
  return ssv ? ssid + 1 : 0;
}

/** REQUEST_VIEW.substream of a substream's requests. */
function viewOf(ssv: bool, ssid: u32): u32 {
  if (!ssv) return 0;
  return requestviewSubstream(withRequestflagsSsid(withRequestflagsSsv(0, 1), ssid));
}

/** World of the stream: STRW where it is used (3.3.4). */
function worldOf(config: u32): u32 {
  if (!strwUsed(config) || steSTRW(STE) != STE_STRW_EL2) return WORLD_EL1;
  return cr2E2H(reg32(REG_CR2)) ? WORLD_EL2_E2H : WORLD_EL2;
}

/** VMID tag: S2VMID whenever stage 2 exists and the world is EL1. */
function vmidOf(world: u32): i32 {
  if (world != WORLD_EL1) return 0;
  if (stage2Present) return <i32>steS2VMID(STE);
  return hasQuirk(Q_TTB_AT_DECODE) ? NO_VMID : 0;
}

/** What the STE says by itself. */
function applySte(p: usize): void {
  const config = steConfig(STE);
  const world = worldOf(config);
  setConfigWorld(p, world);
  setConfigVmid(p, vmidOf(world));
  setConfigAsid(p, NO_ASID);
  setConfigIpsBits(p, oasBits);
  setConfigInstcfg(p, steINSTCFG(STE));
  setConfigPrivcfg(p, stePRIVCFG(STE));
  setConfigMtcfg(p, steMTCFG(STE));
  setConfigMemAttr(p, steMemAttr(STE));
  setConfigShcfg(p, steSHCFG(STE));
  setConfigAlloccfg(p, steALLOCCFG(STE));
  setConfigMerge(p, steMEV(STE));
  // Hints of the stream are no part of a TLB entry: such a stream is walked every time.
  setConfigCached(p, u32(!overridesAllocation(steALLOCCFG(STE))));
}

/** The stage 2 half of the STE. */
function applyStage2(p: usize): void {
  const granule = granuleOfTg0(steS2TG(STE));
  setConfigS2granule(p, granule);
  setConfigS2tsz(p, steS2T0SZ(STE));
  setConfigS2level(p, <u32>stage2StartLevel(granule, steS2SL0(STE)));
  setConfigS2psBits(p, effectiveS2ps(STE));
  setConfigS2ttb(p, stage2Table(STE));
  setConfigS2affd(p, steS2AFFD(STE));
  const honoursPtw = configStage(p) == STAGE_NESTED && !hasQuirk(Q_S2PTW_IGNORED);
  setConfigS2ptw(p, honoursPtw ? steS2PTW(STE) : 0);
  setConfigS2fwb(p, fwbPresent ? steS2FWB(STE) : 0);
  setConfigS2bigEndian(p, steS2ENDI(STE));
  setConfigRecordS2(p, steS2R(STE));
}

/** What the CD says, tables apart. */
function applyCd(p: usize): void {
  setConfigAsid(p, configWorld(p) == WORLD_EL2 ? 0 : <i32>cdASID(CD));
  setConfigAffd(p, cdAFFD(CD));
  setConfigAbortS1(p, cdA(CD));
  setConfigTbi0(p, cdTBI0(CD));
  setConfigTbi1(p, cdTBI1(CD));
  setConfigWxn(p, cdWXN(CD));
  setConfigPan(p, cdPAN(CD));
  setConfigEpan(p, epanPresent ? cdEPAN(CD) : 0);
  setConfigE0pd0(p, e0pdPresent ? cdE0PD0(CD) : 0);
  setConfigE0pd1(p, e0pdPresent ? cdE0PD1(CD) : 0);
  setConfigHad0(p, hadPresent ? cdHAD0(CD) : 0);
  setConfigHad1(p, hadPresent ? cdHAD1(CD) : 0);
  setConfigBigEndian(p, cdENDI(CD));
  setConfigIpsBits(p, effectiveIps());
  setConfigMair(p, <u64>cdMAIR0(CD) | ((<u64>cdMAIR1(CD)) << WORD_BITS));
}

function applyTable(p: usize, half: u32, ttb: u64): void {
  if (half == 0) {
    setConfigTsz0(p, cdTxsz(0));
    setConfigGranule0(p, cdGranule(0));
    setConfigTtb0(p, ttb);
  } else {
    setConfigTsz1(p, cdTxsz(1));
    setConfigGranule1(p, cdGranule(1));
    setConfigTtb1(p, ttb);
  }
  if (!tracing) return;
  const had = half == 0 ? cdHAD0(CD) : cdHAD1(CD);
  trace(
    TRACE_KIND_TT,
    half,
    <i32>cdTxsz(half),
    had,
    0,
    0,
    cdGranule(half),
    ttb,
    <u64>effectiveIps(),
  );
}

/** TTB0 and TTB1 in turn: checked, and by QEMU translated at once. */
function applyTables(p: usize): u32 {
  setConfigEpd0(p, u32(!tableEnabled(p, 0)));
  setConfigEpd1(p, u32(!tableEnabled(p, 1)));
  const atDecode = hasQuirk(Q_TTB_AT_DECODE) && configStage(p) == STAGE_NESTED;
  for (let half: u32 = 0; half < 2; half++) {
    if (!tableEnabled(p, half)) continue;
    if (tableIllegal(half)) return raiseConfigFault(C_BAD_CD);
    let ttb = cdTtb(half);
    if (atDecode) {
      ttb = translateStructure(p, ttb, CLASS_TT);
      if (faultType) return asRead();
    }
    applyTable(p, half, ttb);
  }
  return 0;
}

/** QEMU reports faults of the decoding as reads. */
function asRead(): u32 {
  if (hasQuirk(Q_TTB_AT_DECODE)) reportFaultAsRead();
  return faultType;
}

/**
 * Which CD a transaction uses (3.9): sets `p`'s stage when stage 1 is skipped. 0, or the event
 * number with the fault raised.
 */
function selectSubstream(p: usize, ssv: bool, ssid: u32): u32 {
  const config = steConfig(STE);
  if (hasQuirk(Q_CD_AT_CTXPTR)) return 0;
  const cdBits = substreamBits(STE);
  const dss = steS1DSS(STE);
  // 1. A SubstreamID needs stage 1 and a table of CDs that reaches it.
  if (ssv) {
    if (!translatesStage1(config) || cdBits == 0) return raiseConfigFault(C_BAD_SUBSTREAMID);
    if (<u64>ssid > ones(cdBits)) return raiseConfigFault(C_BAD_SUBSTREAMID);
    if (ssid == 0 && dss == STE_S1DSS_SSID0) return raiseConfigFault(F_STREAM_DISABLED);
    return 0;
  }
  // 2. Without one, S1DSS decides where substreams are in use.
  if (!translatesStage1(config) || cdBits == 0 || dss == STE_S1DSS_SSID0) return 0;
  if (dss != STE_S1DSS_BYPASS) return raiseConfigFault(F_STREAM_DISABLED);
  setConfigStage(p, config == STE_Config_NESTED ? STAGE_S2 : STAGE_BYPASS);
  setConfigSkipsStage1(p, 1);
  return 0;
}

/** Ids of the contexts whose entries this configuration may use. */
export function bindContexts(p: usize): void {
  reserveContexts();
  const vmid = <u32>max(configVmid(p), 0);
  const stage2 = contextTag(CONTEXT_STAGE2, vmid, 0);
  setConfigTagS2(p, stage2);
  const asid = <u32>max(configAsid(p), 0);
  const own = configStage(p) == STAGE_S2 ? stage2 : contextTag(configWorld(p), vmid, asid);
  // A stream that is not cached, or does not translate: nothing is ever found under its tag.
  const translates = configStage(p) != STAGE_BYPASS && configStage(p) != STAGE_ABORT;
  setConfigTag(p, translates && configCached(p) ? own : nobodysTag());
  setConfigCut(p, 0);
  setConfigEpoch(p, contextEpoch);
}

/** Decodes the configuration of a stream into `p`. 0, or the event number with the fault raised. */
export function decodeConfiguration(p: usize, sid: u32, ssv: bool, ssid: u32): u32 {
  memory.fill(p, 0, CONFIG_BYTES);
  setConfigSid(p, sid);
  setConfigSubstream(p, substreamKey(ssv, ssid));
  setConfigView(p, viewOf(ssv, ssid));
  // 1. The STE: valid and legal.
  if (fetchSte(sid)) return faultType;
  if (!steV(STE)) return raiseConfigFault(C_BAD_STE);
  const config = steConfig(STE);
  if (config < CONFIG_ABORTS_BELOW) {
    setConfigStage(p, STAGE_ABORT);
    return 0;
  }
  if (steIllegal(STE)) return raiseConfigFault(C_BAD_STE);
  setConfigStage(p, config == STE_Config_BYPASS ? STAGE_BYPASS : config - CONFIG_ABORTS_BELOW);
  applySte(p);
  // 2. Substream rules come before anything of the CD.
  if (selectSubstream(p, ssv, ssid)) return faultType;
  const stage = configStage(p);
  if (stage & STAGE_S2) applyStage2(p);
  bindContexts(p);
  if (!(stage & STAGE_S1)) return 0;
  // 3. The CD: fetched, legal, then its tables.
  if (fetchCd(p, STE, ssv ? ssid : 0)) return asRead();
  if (cdIllegal(p, STE)) return raiseConfigFault(C_BAD_CD);
  applyCd(p);
  if (applyTables(p)) return faultType;
  setConfigRecordS1(p, cdR(CD));
  bindContexts(p);
  return 0;
}
