// Places and bits of the Tegra241 CMDQV's queue registers, as hardware and VMM share them
// (tegra241-cmdqv.c).
import { flag, res0, struct } from "../spec/field.ts";
import {
  TEGRA241_VCMDQ_BASE,
  TEGRA241_VCMDQ_CONFIG,
  TEGRA241_VCMDQ_CONS,
  TEGRA241_VCMDQ_CONS_INDX_BASE,
  TEGRA241_VCMDQ_GERROR,
  TEGRA241_VCMDQ_GERRORN,
  TEGRA241_VCMDQ_PROD,
  TEGRA241_VCMDQ_STATUS,
} from "../spec/tegra241.ts";
import { packFields } from "../spec/word.ts";

/** Errors of a queue; an error is active while GERROR and GERRORN differ in its bit. */
export const VCMDQ_ERRORS = struct("VCMDQ_ERRORS", 32, "tegra241-cmdqv.c", {
  CMDQ_ERR: flag(0, "A command was refused: CONS.ERR says why."),
  CONS_DRAM_WR_ABT: flag(1, "The consumer index could not be written to memory."),
  INIT_ERR: flag(2, "The queue could not be started."),
  _31: res0(31, 3),
});

export const CMDQ_ERR = Number(packFields(VCMDQ_ERRORS, { CMDQ_ERR: 1 })[0]);
export const INIT_ERR = Number(packFields(VCMDQ_ERRORS, { INIT_ERR: 1 })[0]);

/** Bytes from one queue's registers to the next queue's, in either page. */
export const QUEUE_STRIDE = TEGRA241_VCMDQ_CONS.stride ?? 0;

/** Bytes of one page of the frame. */
export const CMDQV_PAGE = TEGRA241_VCMDQ_CONS.offset;

/** Registers of page 0 by their offset within a queue. */
export const PAGE0 = {
  CONS: TEGRA241_VCMDQ_CONS.offset - CMDQV_PAGE,
  PROD: TEGRA241_VCMDQ_PROD.offset - CMDQV_PAGE,
  CONFIG: TEGRA241_VCMDQ_CONFIG.offset - CMDQV_PAGE,
  STATUS: TEGRA241_VCMDQ_STATUS.offset - CMDQV_PAGE,
  GERROR: TEGRA241_VCMDQ_GERROR.offset - CMDQV_PAGE,
  GERRORN: TEGRA241_VCMDQ_GERRORN.offset - CMDQV_PAGE,
} as const;

/** Registers of page 1, 64 bits each. */
export const PAGE1 = {
  BASE: TEGRA241_VCMDQ_BASE.offset - 2 * CMDQV_PAGE,
  CONS_INDX_BASE: TEGRA241_VCMDQ_CONS_INDX_BASE.offset - 2 * CMDQV_PAGE,
} as const;

/** Values of the registers of page 0. */
export interface QueueRegisters {
  cons: number;
  prod: number;
  config: number;
  status: number;
  gerror: number;
  gerrorn: number;
}

/** Registers of a queue after reset. */
export const resetQueue = (): QueueRegisters => ({
  cons: 0,
  prod: 0,
  config: 0,
  status: 0,
  gerror: 0,
  gerrorn: 0,
});

/** The member of a page 0 register; undefined where there is none. */
export function queueMember(offset: number): keyof QueueRegisters | undefined {
  const found = Object.entries(PAGE0).find(([, at]) => at === offset);
  return found?.[0].toLowerCase() as keyof QueueRegisters | undefined;
}
