// QEMU's SMMUv3: configuration decode, its order, and its event records (QEMU 11.1, hw/arm/smmuv3).

import {
  alignDown,
  CLASS,
  EVENT,
  exceeds,
  type FaultClass,
  field,
  inPlace,
  SIZE_BITS,
  structBit,
  structField,
  TG0_BITS,
  TG1_BITS,
} from "./bits.ts";
import { isTranslationRelated, recordBytes } from "./events.ts";
import { type Features, readFeatures } from "./features.ts";
import {
  Fetcher,
  type OracleAnswer,
  type OracleMemory,
  type OracleRegisters,
  type OracleRequest,
} from "./model.ts";
import { NO_IOTLB, type QemuIotlb } from "./qemu-iotlb.ts";
import {
  applyEntry,
  asStage2,
  concatenatedIndex,
  isWalkFault,
  lookupOrWalk,
  type QemuConfig,
  type QemuTable,
  type QemuWalker,
  READ_ONLY,
  stage2StartLevel,
  type WalkFault,
  WRITE_ONLY,
} from "./qemu-walk.ts";

/** An event on its way to the queue. `suppressed`: found, but not to be recorded. */
interface QemuEvent {
  event: number;
  /** Second address word pair: IPA or FetchAddr. */
  address2?: bigint;
  /** First address word pair, when it is not the input address. */
  address?: bigint;
  stage2?: boolean;
  class?: FaultClass;
  read?: boolean;
  suppressed?: boolean;
}

function isEvent(x: object): x is QemuEvent {
  return "event" in x;
}

/** Turns a walk's fault into an event, by the class of the access that met it. */
function toEvent(cfg: QemuConfig, fault: WalkFault, perm: number, asked: FaultClass): QemuEvent {
  const klass = fault.tableIpa ? CLASS.TT : asked;
  const stage2 = fault.stage === 2;
  const abort = fault.event === EVENT.F_WALK_EABT;
  const record = stage2 ? cfg.s2.recordFaults : cfg.recordFaults;
  return {
    event: fault.event,
    address2: fault.address,
    stage2,
    class: abort && !stage2 ? CLASS.TT : klass,
    read: (perm & READ_ONLY) !== 0,
    suppressed: !abort && !record,
  };
}

/** The record: full addresses, no SubstreamID, no PnU or InD. */
function eventRecord(e: QemuEvent, sid: number, iova: bigint): Uint8Array {
  const words = [BigInt(e.event) | (BigInt(sid) << 32n), 0n, 0n, 0n];
  const walk = e.event === EVENT.F_WALK_EABT || isTranslationRelated(e.event);
  if (walk) {
    words[1] |= BigInt(e.read === true) << 35n;
    words[1] |= BigInt(e.stage2 === true) << 39n;
    words[1] |= BigInt(e.class ?? 0) << 40n;
    words[2] = iova;
  } else {
    words[2] = e.address ?? 0n;
  }
  words[3] = e.address2 ?? 0n;
  return recordBytes(words);
}

/** Finds and reads the STE. Span counts twice as many entries. */
function fetchSte(
  f: Features,
  regs: OracleRegisters,
  fetcher: Fetcher,
  sid: number,
): readonly bigint[] | QemuEvent {
  const cfg = BigInt(regs.strtabBaseCfg);
  const log2Size = field(cfg, 5, 0);
  if (sid >= 2 ** Math.min(log2Size, f.sidBits)) return { event: EVENT.C_BAD_STREAMID };
  const base = inPlace(regs.strtabBase, 51, 6);
  let address: bigint;
  const written = field(cfg, 17, 16) === 1 ? field(cfg, 10, 6) : regs.latchedSplit;
  const split = written === undefined || written === 8 || written === 10 ? written : 6;
  if (split !== undefined) {
    const l1 = alignDown(base, Math.max(6, log2Size - split + 3));
    const at = l1 + BigInt(Math.floor(sid / 2 ** split)) * 8n;
    const l1std = fetcher.word("l1std", 0, 0, at);
    if (l1std === undefined) return { event: EVENT.F_STE_FETCH, address2: at };
    const span = field(l1std, 4, 0);
    if (span === 0 || span > split + 1) return { event: EVENT.C_BAD_STREAMID };
    const index = sid % 2 ** split;
    if (index > 2 ** span - 1) return { event: EVENT.C_BAD_STE };
    address = inPlace(l1std, 63, 5) + BigInt(index) * 64n;
  } else {
    address = alignDown(base, log2Size + 6) + BigInt(sid) * 64n;
  }
  return fetcher.structure("ste", address) ?? { event: EVENT.F_STE_FETCH, address2: address };
}

/** Stage 2 fields of the STE; undefined for C_BAD_STE. */
function decodeStage2(f: Features, words: readonly bigint[]): QemuConfig["s2"] | undefined {
  // S2AA64=0 ends the QEMU process; the oracle answers C_BAD_STE instead.
  if (!structBit(words, 179)) return undefined;
  const granule = TG0_BITS[structField(words, 175, 174)];
  const sl0 = structField(words, 167, 166);
  if (granule === 0 || sl0 === 3) return undefined;
  const outputBits = Math.min(SIZE_BITS[structField(words, 178, 176)], f.oas);
  const ttb = inPlace(words[3], 51, 4);
  if (exceeds(ttb, outputBits)) return undefined;
  const tsz = structField(words, 165, 160);
  const smallest = granule === 16 ? 64 - outputBits : Math.max(64 - outputBits, 16);
  if (tsz > 39 || tsz < smallest) return undefined;
  const largest = (1n << BigInt(64 - tsz)) - 1n;
  const level = stage2StartLevel(sl0, granule);
  if (concatenatedIndex(level, granule, largest) + 1n > 16n) return undefined;
  if (structBit(words, 180) || structBit(words, 185)) return undefined;
  const affd = structBit(words, 181);
  return { granule, tsz, sl0, ttb, outputBits, affd, recordFaults: structBit(words, 186) };
}

const NO_STAGE2 = {
  granule: 0,
  tsz: 0,
  sl0: 0,
  ttb: 0n,
  outputBits: 0,
  affd: false,
  recordFaults: false,
};

function emptyTable(): QemuTable {
  return { disabled: false, tsz: 0, granule: 0, ttb: 0n, had: false };
}

/** Checks the STE and starts a configuration. */
function decodeSte(f: Features, words: readonly bigint[]): QemuConfig | QemuEvent {
  const bad = { event: EVENT.C_BAD_STE };
  if (!structBit(words, 0)) return bad;
  const config = structField(words, 3, 1);
  const cfg: QemuConfig = {
    aborted: config < 4,
    bypassed: config === 4,
    stage: (config & 3) as 1 | 2 | 3,
    oas: f.oas,
    asid: -1,
    vmid: f.s2p ? structField(words, 143, 128) : -1,
    tbi: 0,
    affd: false,
    recordFaults: false,
    tables: [emptyTable(), emptyTable()],
    s2: NO_STAGE2,
  };
  if (config <= 4) return cfg;
  if ((config & 1) !== 0 && !f.s1p) return bad;
  if ((config & 2) !== 0) {
    if (!f.s2p) return bad;
    const s2 = decodeStage2(f, words);
    if (s2 === undefined) return bad;
    cfg.s2 = s2;
  }
  if (structField(words, 63, 59) !== 0 || structBit(words, 91)) return bad;
  return cfg;
}

/** Translates an address of the SMMU's own by stage 2, while a configuration is decoded. */
function throughStage2(
  w: QemuWalker,
  cfg: QemuConfig,
  address: bigint,
  klass: FaultClass,
): bigint | QemuEvent {
  if (cfg.stage !== 3) return address;
  const entry = lookupOrWalk(w, asStage2(cfg), address, READ_ONLY);
  if (isWalkFault(entry)) return toEvent(cfg, entry, READ_ONLY, klass);
  return applyEntry(entry, address);
}

/** Checks the CD, half by half; when nested, each TTB is translated after its own checks. */
function decodeCd(
  f: Features,
  w: QemuWalker,
  cfg: QemuConfig,
  words: readonly bigint[],
): QemuConfig | QemuEvent {
  const bad = { event: EVENT.C_BAD_CD };
  if (!structBit(words, 31) || !structBit(words, 41)) return bad;
  if (!structBit(words, 46) || structBit(words, 44)) return bad;
  if (structBit(words, 43) || structBit(words, 42)) return bad;
  cfg.oas = Math.min(SIZE_BITS[structField(words, 34, 32)], f.oas);
  cfg.tbi = structField(words, 39, 38);
  cfg.asid = structField(words, 63, 48);
  cfg.affd = structBit(words, 35);
  for (const half of [0, 1] as const) {
    const table = cfg.tables[half];
    const low = 16 * half;
    table.disabled = structBit(words, low + 14);
    if (table.disabled) continue;
    const tsz = structField(words, low + 5, low);
    if (tsz < 16 || tsz > 39) return bad;
    table.granule = (half === 0 ? TG0_BITS : TG1_BITS)[structField(words, low + 7, low + 6)];
    if (table.granule === 0 || structBit(words, 15)) return bad;
    if (table.granule !== 16) cfg.oas = Math.min(cfg.oas, 48);
    table.tsz = tsz;
    table.ttb = inPlace(words[1 + half], 51, 4);
    if (exceeds(table.ttb, cfg.oas)) return bad;
    const ttb = throughStage2(w, cfg, table.ttb, CLASS.TT);
    if (typeof ttb !== "bigint") return ttb;
    table.ttb = ttb;
    table.had = structBit(words, 65 + 64 * half);
  }
  cfg.recordFaults = structBit(words, 45);
  return cfg;
}

/** Decodes the configuration of a StreamID from memory. The CD is always that of SSID 0. */
function decodeConfig(
  f: Features,
  regs: OracleRegisters,
  w: QemuWalker,
  sid: number,
): QemuConfig | QemuEvent {
  const ste = fetchSte(f, regs, w.fetcher, sid);
  if (isEvent(ste)) return ste;
  const cfg = decodeSte(f, ste);
  if (isEvent(cfg) || cfg.aborted || cfg.bypassed || cfg.stage === 2) return cfg;
  const address = throughStage2(w, cfg, inPlace(ste[0], 55, 6), CLASS.CD);
  if (typeof address !== "bigint") return address;
  const cd = w.fetcher.structure("cd", address);
  if (cd === undefined) return { event: EVENT.F_CD_FETCH, address };
  return decodeCd(f, w, cfg, cd);
}

/**
 * Translates one transaction as QEMU does. Without `iotlb` and `configs` nothing is cached.
 * A failed decode is not cached.
 */
export function translateQemu(
  memory: OracleMemory,
  regs: OracleRegisters,
  request: OracleRequest,
  iotlb: QemuIotlb = NO_IOTLB,
  configs?: Map<number, QemuConfig>,
): OracleAnswer {
  const fetcher = new Fetcher(memory);
  const { reads } = fetcher;
  const { sid, iova } = request;
  const done = (status: "abort" | "bypass"): OracleAnswer => {
    const pa = status === "bypass" ? { pa: iova } : {};
    return { status, ...pa, recorded: false, reads };
  };
  const fail = (e: QemuEvent): OracleAnswer => {
    const recorded = !e.suppressed && (regs.cr0 & 4) !== 0;
    const record = eventRecord(e, sid, iova);
    return { status: recorded ? "event" : "silent", record, recorded, reads };
  };
  if ((regs.cr0 & 1) === 0) {
    return done(field(BigInt(regs.gbpa), 20, 20) === 1 ? "abort" : "bypass");
  }
  const f = readFeatures(regs);
  const w: QemuWalker = { fetcher, iotlb };
  let cfg = configs?.get(sid);
  if (cfg === undefined) {
    const decoded = decodeConfig(f, regs, w, sid);
    if (isEvent(decoded)) return fail(decoded);
    cfg = decoded;
    configs?.set(sid, cfg);
  }
  if (cfg.aborted) return done("abort");
  if (cfg.bypassed) return done("bypass");
  const perm = request.write === true ? WRITE_ONLY : READ_ONLY;
  const entry = lookupOrWalk(w, cfg, iova, perm);
  if (isWalkFault(entry)) return fail(toEvent(cfg, entry, perm, CLASS.IN));
  return {
    status: "ok",
    pa: applyEntry(entry, iova),
    pageBits: entry.pageBits,
    perm: entry.perm,
    stage: cfg.stage,
    recorded: false,
    reads,
  };
}
