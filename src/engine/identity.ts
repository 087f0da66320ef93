// ID registers of the SMMUs that can be built: QEMU's, and one with everything the engine has
// (IHI0070 6.3.1-6.3.6).
import { AIDR, IDR0, IDR1, IDR3, IDR5 } from "../spec/register.ts";
import { packFields } from "../spec/word.ts";

/** Identification of an SMMU, as its registers read. */
export interface IdRegisters {
  idr0: number;
  idr1: number;
  idr2: number;
  idr3: number;
  idr4: number;
  idr5: number;
  iidr: number;
  aidr: number;
}

const word = (words: bigint[]): number => Number(words[0]);

/** QEMU 11.1 with stage=nested: stages 1, 2 and both, OAS 44, no substreams, no MSIs, no stalls. */
export const QEMU_ID: Readonly<IdRegisters> = {
  idr0: word(
    packFields(IDR0, {
      ST_LEVEL: 1,
      TERM_MODEL: 1,
      STALL_MODEL: 1,
      TTENDIAN: 2,
      VMID16: 1,
      ASID16: 1,
      COHACC: 1,
      TTF: 2,
      S1P: 1,
      S2P: 1,
    }),
  ),
  idr1: word(packFields(IDR1, { SIDSIZE: 16, CMDQS: 19, EVENTQS: 19 })),
  idr2: 0,
  idr3: word(packFields(IDR3, { HAD: 1, XNX: 1, RIL: 1, BBML: 2 })),
  idr4: 0,
  idr5: word(packFields(IDR5, { OAS: 4, GRAN4K: 1, GRAN16K: 1, GRAN64K: 1 })),
  iidr: 0,
  aidr: word(packFields(AIDR, { ArchMinorRev: 1 })),
};

/** Every feature that the engine models, with 48-bit addresses. */
export const FULL_ID: Readonly<IdRegisters> = {
  idr0: word(
    packFields(IDR0, {
      ST_LEVEL: 1,
      STALL_MODEL: 1,
      TTENDIAN: 2,
      CD2L: 1,
      VMID16: 1,
      VMW: 1,
      SEV: 1,
      MSI: 1,
      ASID16: 1,
      Hyp: 1,
      COHACC: 1,
      TTF: 2,
      S1P: 1,
      S2P: 1,
    }),
  ),
  idr1: word(
    packFields(IDR1, {
      ATTR_TYPES_OVR: 1,
      ATTR_PERMS_OVR: 1,
      CMDQS: 19,
      EVENTQS: 19,
      SSIDSIZE: 20,
      SIDSIZE: 32,
    }),
  ),
  idr2: 0,
  idr3: word(
    packFields(IDR3, {
      EPAN: 1,
      E0PD: 1,
      BBML: 2,
      RIL: 1,
      STT: 1,
      FWB: 1,
      XNX: 1,
      HAD: 1,
    }),
  ),
  idr4: 0,
  idr5: word(packFields(IDR5, { OAS: 5, GRAN4K: 1, GRAN16K: 1, GRAN64K: 1 })),
  iidr: 0,
  aidr: word(packFields(AIDR, { ArchMinorRev: 3 })),
};
