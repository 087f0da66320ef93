// An SMMUv3 translator from the architecture alone: one transaction, no caches (IHI0070 15).
//
// Choices where the architecture leaves one (UNPREDICTABLE, IMPDEF, CONSTRAINED UNPREDICTABLE):
// | place                                        | choice                                        |
// | STRTAB_BASE or L1STD.L2Ptr beyond OAS        | F_STE_FETCH                                   |
// | S1ContextPtr beyond IAS, nested              | C_BAD_STE                                     |
// | L1CD.L2Ptr beyond OAS or (nested) IAS        | C_BAD_SUBSTREAMID                             |
// | table base bits RES0 for alignment           | taken as zero (STRTAB, S1ContextPtr, L2Ptr)   |
// | S2TTB, TTBx                                  | all of bits [55:4] count in the range check   |
// | SMMUv3.0 variants                            | as SMMUv3.1 (out of range TxSZ is ILLEGAL)    |
// | S2SL0 legality                               | by T0SZ and granule; OAS is no condition      |
// | VMSAv8-32 LPAE                               | never legal, whatever TTF[0] says             |
// | Contiguous bit, STE.CONT, nT                 | hints: no effect on an uncached translation   |
// | SSV=0: SubstreamID field; stage 1 IPA field  | 0                                             |
// | C_BAD_SUBSTREAMID, F_STREAM_DISABLED         | bit 11 (SSV) is 0; 06 has no SubstreamID      |
// | TTRnW outside CLASS=TT                       | 0; 1 for a descriptor read                    |
// | incoming attributes                          | iWB-oWB RA WA NSH, unprivileged data if unset |
// | ALLOCCFG with MTCFG=0                        | applies                                       |
// | reserved MAIR, MemAttr, SH                   | as 5.4 says; Device-nGnRnE; non-shareable     |
// | S2FWB=1 with MemAttr[2:0]=4                  | as 5 (non-cacheable unless Device)            |
// | hints into stage 1, mixed cacheability       | merged per level where the input is cacheable |
// | S1DSS=1 without stage 2                      | status "bypass", limit IAS                    |
// | Event queue                                  | written if EVENTQEN; never full               |

import {
  DEFAULT_INPUT,
  gbpaOverrides,
  makeConsistent,
  override,
  steOverrides,
} from "./attributes.ts";
import { CLASS, EVENT, exceeds, field, structField } from "./bits.ts";
import { type Cd, decodeCd, fetchCd, selectContext } from "./context.ts";
import { type Access, type Fault, isFault, isTranslationRelated, makeRecord } from "./events.ts";
import { type Features, readFeatures } from "./features.ts";
import {
  Fetcher,
  type OracleAnswer,
  type OracleMemory,
  type OracleMode,
  type OracleRegisters,
  type OracleRequest,
} from "./model.ts";
import { translateQemu } from "./qemu.ts";
import { decodeSte, fetchSte, type Ste } from "./stream.ts";
import { contextAddress, type Mapped, translateStage1, translateStage2 } from "./walk.ts";

export type * from "./model.ts";

/** Translates one transaction from memory and registers alone. */
export function translateOracle(
  memory: OracleMemory,
  regs: OracleRegisters,
  request: OracleRequest,
  mode: OracleMode,
): OracleAnswer {
  if (mode === "qemu") return translateQemu(memory, regs, request);
  const fetcher = new Fetcher(memory);
  const f = readFeatures(regs);
  if ((regs.cr0 & 1) === 0) return globalBypass(f, regs, request, fetcher);
  return new Transaction(f, regs, request, fetcher).run();
}

/** SMMUEN=0: GBPA decides, and nothing is recorded (3.4, 13.2). */
function globalBypass(
  f: Features,
  regs: OracleRegisters,
  request: OracleRequest,
  fetcher: Fetcher,
): OracleAnswer {
  const reads = fetcher.reads;
  const abort = field(BigInt(regs.gbpa), 20, 20) === 1;
  if (abort || exceeds(request.iova, f.oas)) return { status: "abort", recorded: false, reads };
  const input = f.typesOverride ? override(DEFAULT_INPUT, gbpaOverrides(regs.gbpa)) : DEFAULT_INPUT;
  const out = makeConsistent(input);
  const { type: memattr, sh } = out;
  return { status: "bypass", pa: request.iova, memattr, sh, recorded: false, reads };
}

/** PRIVCFG and INSTCFG of an STE applied to the incoming attributes (2.4, 13.1.4). */
function accessOf(f: Features, request: OracleRequest, ste?: Ste): Access {
  const write = request.write === true;
  let privileged = request.privileged === true;
  let instruction = request.instruction === true;
  if (ste !== undefined && f.permsOverride) {
    const privcfg = structField(ste.words, 113, 112);
    const instcfg = structField(ste.words, 115, 114);
    if (privcfg >= 2) privileged = privcfg === 3;
    if (instcfg >= 2) instruction = instcfg === 3;
  }
  return { write, privileged, instruction: instruction && !write };
}

/** One transaction on its way through an enabled SMMU. */
class Transaction {
  private readonly f: Features;
  private readonly regs: OracleRegisters;
  private readonly request: OracleRequest;
  private readonly fetcher: Fetcher;
  private access: Access;
  private ste: Ste | undefined;
  private cd: Cd | undefined;

  constructor(f: Features, regs: OracleRegisters, request: OracleRequest, fetcher: Fetcher) {
    this.f = f;
    this.regs = regs;
    this.request = request;
    this.fetcher = fetcher;
    this.access = accessOf(f, request);
  }

  /** The steps of chapter 15, in order. */
  run(): OracleAnswer {
    const { f, regs, request, fetcher } = this;
    const words = fetchSte(f, regs, fetcher, request.sid);
    if (isFault(words)) return this.fault(words);
    const ste = decodeSte(f, regs, words);
    if (isFault(ste)) return this.fault(ste);
    if (ste.config < 4) return { status: "abort", recorded: false, reads: fetcher.reads };
    this.ste = ste;
    this.access = accessOf(f, request, ste);
    const selected = selectContext(f, ste, request.ssid);
    if (isFault(selected)) return this.fault(selected);
    if (!selected.stage1) return this.skipStage1(ste);
    const walker = { features: f, fetcher, s2: ste.s2 };
    const cdWords = fetchCd(f, fetcher, ste, selected.index, (address) =>
      contextAddress(walker, address, this.access),
    );
    if (isFault(cdWords)) return this.fault(cdWords);
    const cd = decodeCd(f, ste, cdWords);
    if (isFault(cd)) return this.fault(cd);
    this.cd = cd;
    const first = translateStage1(walker, cd, request.iova, this.access, this.input());
    if (isFault(first)) return this.fault(first);
    if (ste.s2 === undefined) return this.translated(first, 1);
    const why = { class: CLASS.IN, access: this.access, input: first.attributes };
    const second = translateStage2(walker, ste.s2, first.pa, why);
    if (isFault(second)) return this.fault(second);
    const pageBits = Math.min(first.pageBits, second.pageBits);
    return this.translated({ ...second, pageBits, perm: first.perm & second.perm }, 3);
  }

  /** Config=1x0 or S1DSS=1: the input address is the IPA, or leaves as it is (3.4). */
  private skipStage1(ste: Ste): OracleAnswer {
    const { f, request, fetcher } = this;
    const limit = ste.config === 4 ? f.oas : f.ias;
    if (exceeds(request.iova, limit)) {
      return this.fault({ event: EVENT.F_ADDR_SIZE, class: CLASS.IN, forced: true });
    }
    const input = this.input();
    if (ste.s2 !== undefined) {
      const why = { class: CLASS.IN, access: this.access, input };
      const mapped = translateStage2({ features: f, fetcher }, ste.s2, request.iova, why);
      return isFault(mapped) ? this.fault(mapped) : this.translated(mapped, 2);
    }
    const { type: memattr, sh } = makeConsistent(input);
    const { reads } = fetcher;
    return { status: "bypass", pa: request.iova, memattr, sh, recorded: false, reads };
  }

  /** The attributes presented to the first enabled stage. */
  private input() {
    if (!this.f.typesOverride || this.ste === undefined) return DEFAULT_INPUT;
    return override(DEFAULT_INPUT, steOverrides(this.ste.words[1]));
  }

  private translated(mapped: Mapped, stage: 1 | 2 | 3): OracleAnswer {
    const { pa, pageBits, perm } = mapped;
    const { type: memattr, sh } = makeConsistent(mapped.attributes);
    const { reads } = this.fetcher;
    return { status: "ok", pa, pageBits, perm, memattr, sh, stage, recorded: false, reads };
  }

  /** Ends the transaction by a fault: who hears of it, and how the client sees it (5.5, 7.2). */
  private fault(fault: Fault): OracleAnswer {
    const { regs, request, fetcher } = this;
    const configurable = isTranslationRelated(fault.event) && !fault.forced;
    let wanted = true;
    if (configurable)
      wanted = fault.stage2 ? this.ste?.s2?.record === true : this.cd?.record === true;
    if (fault.event === EVENT.C_BAD_STREAMID) wanted = (regs.cr2 & 2) !== 0;
    const recorded = wanted && (regs.cr0 & 4) !== 0;
    const record = makeRecord(fault, request, this.access, this.f.oas);
    const razwi = configurable && !fault.stage2 && this.cd?.abort === false;
    const status = razwi ? "razwi" : recorded ? "event" : "silent";
    return { status, record, recorded, reads: fetcher.reads };
  }
}
