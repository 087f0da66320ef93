// What an SMMU implements, read from its ID registers (IHI0070 6.3.1-6.3.6).

import { bit, field, SIZE_BITS } from "./bits.ts";
import type { OracleRegisters } from "./model.ts";

/** The ID fields that matter for a translation. Sizes are in bits. */
export interface Features {
  s1p: boolean;
  s2p: boolean;
  /** VMSAv8-64 tables (TTF[1]). */
  aa64: boolean;
  ttEndian: number;
  stallModel: number;
  termModel: boolean;
  ats: boolean;
  ns1ats: boolean;
  hyp: boolean;
  asid16: boolean;
  vmid16: boolean;
  twoLevelStreams: boolean;
  twoLevelCds: boolean;
  httu: number;
  sidBits: number;
  ssidBits: number;
  typesOverride: boolean;
  permsOverride: boolean;
  had: boolean;
  xnx: boolean;
  fwb: boolean;
  stt: boolean;
  e0pd: boolean;
  epan: boolean;
  granule4k: boolean;
  granule16k: boolean;
  granule64k: boolean;
  /** Output address size, capped at 48: larger sizes are not modelled. */
  oas: number;
  /** Intermediate address size: max(40 if TTF[0], OAS if TTF[1]) (3.4). */
  ias: number;
}

/** Decodes the ID registers. */
export function readFeatures(regs: OracleRegisters): Features {
  const idr0 = BigInt(regs.idr0);
  const idr1 = BigInt(regs.idr1);
  const idr3 = BigInt(regs.idr3);
  const idr5 = BigInt(regs.idr5);
  const oas = Math.min(48, SIZE_BITS[field(idr5, 2, 0)]);
  const ttf = field(idr0, 3, 2);
  return {
    s1p: bit(idr0, 1),
    s2p: bit(idr0, 0),
    aa64: (ttf & 2) !== 0,
    ttEndian: field(idr0, 22, 21),
    stallModel: field(idr0, 25, 24),
    termModel: bit(idr0, 26),
    ats: bit(idr0, 10),
    ns1ats: bit(idr0, 11),
    hyp: bit(idr0, 9),
    asid16: bit(idr0, 12),
    vmid16: bit(idr0, 18),
    twoLevelStreams: field(idr0, 28, 27) !== 0,
    twoLevelCds: bit(idr0, 19),
    httu: field(idr0, 7, 6),
    sidBits: field(idr1, 5, 0),
    ssidBits: field(idr1, 10, 6),
    typesOverride: bit(idr1, 27),
    permsOverride: bit(idr1, 26),
    had: bit(idr3, 2),
    xnx: bit(idr3, 4),
    fwb: bit(idr3, 8),
    stt: bit(idr3, 9),
    e0pd: bit(idr3, 13),
    epan: bit(idr3, 17),
    granule4k: bit(idr5, 4),
    granule16k: bit(idr5, 5),
    granule64k: bit(idr5, 6),
    oas,
    ias: Math.max(ttf & 1 ? 40 : 0, ttf & 2 ? oas : 0),
  };
}

/** True when the SMMU has this granule (log2 of bytes; 0 stands for a reserved encoding). */
export function granuleSupported(f: Features, granule: number): boolean {
  if (granule === 12) return f.granule4k;
  if (granule === 14) return f.granule16k;
  return granule === 16 && f.granule64k;
}
