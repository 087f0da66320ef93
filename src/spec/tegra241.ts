// Registers of the Tegra241 CMDQV: command queues of its own for a guest (tegra241-cmdqv.c).
import { address, bits, enumeration, flag, register, res0 } from "./field.ts";

/** Distances in the CMDQV frame: between VINTFs, and between VCMDQs. */
export const TEGRA241 = enumeration("TEGRA241", { 256: "VINTF_STRIDE", 128: "VCMDQ_STRIDE" });

const DRIVER = "tegra241-cmdqv.c";
const VINTF = { count: 240, stride: 0x100 };
const VCMDQ = { count: 512, stride: 0x80 };

export const TEGRA241_CMDQV_CONFIG = register(
  "TEGRA241_CMDQV_CONFIG",
  0x0000,
  32,
  DRIVER,
  { CMDQV_EN: flag(0, "Turns the CMDQV on."), _31: res0(31, 1) },
  { frame: "CMDQV", meaning: "Control of the CMDQV." },
);

export const TEGRA241_CMDQV_PARAM = register(
  "TEGRA241_CMDQV_PARAM",
  0x0004,
  32,
  DRIVER,
  {
    VER: bits(3, 0, undefined, "Version."),
    NUM_VCMDQ_LOG2: bits(7, 4, undefined, "log2 of the number of VCMDQs."),
    NUM_VINTF_LOG2: bits(11, 8, undefined, "log2 of the number of VINTFs."),
    NUM_SID_PER_VM_LOG2: bits(15, 12, undefined, "log2 of the number of StreamIDs per VM."),
    _31: res0(31, 16),
  },
  {
    frame: "CMDQV",
    meaning: "How much the CMDQV has of everything.",
    access: "RO",
    reset: "fixed",
  },
);

export const TEGRA241_CMDQV_STATUS = register(
  "TEGRA241_CMDQV_STATUS",
  0x0008,
  32,
  DRIVER,
  { CMDQV_ENABLED: flag(0, "The CMDQV is on."), _31: res0(31, 1) },
  { frame: "CMDQV", meaning: "Status of the CMDQV.", access: "RO" },
);

export const TEGRA241_CMDQV_VINTF_ERR_MAP = register(
  "TEGRA241_CMDQV_VINTF_ERR_MAP",
  0x0014,
  32,
  DRIVER,
  { MAP: bits(31, 0, undefined, "One bit for each VINTF with an error.") },
  { frame: "CMDQV", meaning: "Which VINTFs have an error.", access: "RO" },
);

export const TEGRA241_CMDQV_VINTF_INT_MASK = register(
  "TEGRA241_CMDQV_VINTF_INT_MASK",
  0x001c,
  32,
  DRIVER,
  { MASK: bits(31, 0, undefined, "One bit for each VINTF whose interrupt is masked.") },
  { frame: "CMDQV", meaning: "Which VINTFs do not interrupt." },
);

export const TEGRA241_CMDQV_CMDQ_ERR_MAP = register(
  "TEGRA241_CMDQV_CMDQ_ERR_MAP",
  0x0024,
  32,
  DRIVER,
  { MAP: bits(31, 0, undefined, "One bit for each VCMDQ with an error.") },
  { frame: "CMDQV", meaning: "Which VCMDQs have an error.", access: "RO", count: 16, stride: 4 },
);

export const TEGRA241_CMDQV_CMDQ_ALLOC = register(
  "TEGRA241_CMDQV_CMDQ_ALLOC",
  0x0200,
  32,
  DRIVER,
  {
    ALLOCATED: flag(0, "The VCMDQ belongs to a VINTF."),
    LVCMDQ: bits(7, 1, undefined, "Number of the VCMDQ within the VINTF."),
    _14: res0(14, 8),
    VINTF: bits(20, 15, undefined, "The VINTF."),
    _31: res0(31, 21),
  },
  { frame: "CMDQV", meaning: "Which VINTF a VCMDQ belongs to.", count: 512, stride: 4 },
);

export const TEGRA241_VINTF_CONFIG = register(
  "TEGRA241_VINTF_CONFIG",
  0x1000,
  32,
  DRIVER,
  {
    EN: flag(0, "Turns the VINTF on."),
    VMID: bits(16, 1, undefined, "VMID that replaces the one in commands."),
    HYP_OWN: flag(17, "The host owns the VINTF: all commands are allowed, none is changed."),
    _31: res0(31, 18),
  },
  { frame: "CMDQV", meaning: "Control of a VINTF.", ...VINTF },
);

export const TEGRA241_VINTF_STATUS = register(
  "TEGRA241_VINTF_STATUS",
  0x1004,
  32,
  DRIVER,
  {
    ENABLED: flag(0, "The VINTF is on."),
    STATUS: bits(3, 1, undefined, "State of the VINTF."),
    _31: res0(31, 4),
  },
  { frame: "CMDQV", meaning: "Status of a VINTF.", access: "RO", ...VINTF },
);

/** Of VINTF 0; VINTF v has its own 16 at 0x100 * v further. */
export const TEGRA241_VINTF_SID_MATCH = register(
  "TEGRA241_VINTF_SID_MATCH",
  0x1040,
  32,
  DRIVER,
  {
    ENABLE: flag(0, "The pair is used."),
    VIRT_SID: bits(20, 1, undefined, "StreamID that the guest uses."),
    _31: res0(31, 21),
  },
  { frame: "CMDQV", meaning: "Guest StreamIDs that a VINTF accepts.", count: 16, stride: 4 },
);

/** Of VINTF 0; VINTF v has its own 16 at 0x100 * v further. */
export const TEGRA241_VINTF_SID_REPLACE = register(
  "TEGRA241_VINTF_SID_REPLACE",
  0x1080,
  32,
  DRIVER,
  { SID: bits(31, 0, undefined, "StreamID that takes its place.") },
  { frame: "CMDQV", meaning: "Physical StreamIDs that take their place.", count: 16, stride: 4 },
);

export const TEGRA241_VCMDQ_CONS = register(
  "TEGRA241_VCMDQ_CONS",
  0x10000,
  32,
  DRIVER,
  {
    RD: bits(19, 0, undefined, "Index and wrap bit, as CMDQ_CONS.RD."),
    _23: res0(23, 20),
    ERR: bits(30, 24, undefined, { meaning: "Error code, as CMDQ_CONS.ERR.", access: "RO" }),
    _31: res0(31, 31),
  },
  { frame: "CMDQV", meaning: "How far a VCMDQ has been taken.", ...VCMDQ },
);

export const TEGRA241_VCMDQ_PROD = register(
  "TEGRA241_VCMDQ_PROD",
  0x10004,
  32,
  DRIVER,
  { WR: bits(19, 0, undefined, "Index and wrap bit, as CMDQ_PROD.WR."), _31: res0(31, 20) },
  { frame: "CMDQV", meaning: "How far software has filled a VCMDQ.", ...VCMDQ },
);

export const TEGRA241_VCMDQ_CONFIG = register(
  "TEGRA241_VCMDQ_CONFIG",
  0x10008,
  32,
  DRIVER,
  { EN: flag(0, "Turns the VCMDQ on."), _31: res0(31, 1) },
  { frame: "CMDQV", meaning: "Control of a VCMDQ.", ...VCMDQ },
);

export const TEGRA241_VCMDQ_STATUS = register(
  "TEGRA241_VCMDQ_STATUS",
  0x1000c,
  32,
  DRIVER,
  { ENABLED: flag(0, "The VCMDQ is on."), _31: res0(31, 1) },
  { frame: "CMDQV", meaning: "Status of a VCMDQ.", access: "RO", ...VCMDQ },
);

export const TEGRA241_VCMDQ_GERROR = register(
  "TEGRA241_VCMDQ_GERROR",
  0x10010,
  32,
  DRIVER,
  { ERRORS: bits(31, 0, undefined, "Errors of the VCMDQ, one bit each, as in GERROR.") },
  { frame: "CMDQV", meaning: "Errors of a VCMDQ.", access: "RO", ...VCMDQ },
);

export const TEGRA241_VCMDQ_GERRORN = register(
  "TEGRA241_VCMDQ_GERRORN",
  0x10014,
  32,
  DRIVER,
  { ERRORS: bits(31, 0, undefined, "Acknowledged errors, one bit each, as in GERRORN.") },
  { frame: "CMDQV", meaning: "Acknowledge of the errors of a VCMDQ.", ...VCMDQ },
);

export const TEGRA241_VCMDQ_BASE = register(
  "TEGRA241_VCMDQ_BASE",
  0x20000,
  64,
  DRIVER,
  {
    LOG2SIZE: bits(4, 0, undefined, "log2 of the number of entries."),
    ADDR: address(47, 5, "Base of the queue."),
    _63: res0(63, 48),
  },
  { frame: "CMDQV", meaning: "Where a VCMDQ is.", ...VCMDQ },
);

export const TEGRA241_VCMDQ_CONS_INDX_BASE = register(
  "TEGRA241_VCMDQ_CONS_INDX_BASE",
  0x20008,
  64,
  DRIVER,
  { ADDR: address(63, 0, "Where the hardware also writes CONS.") },
  { frame: "CMDQV", meaning: "Where a VCMDQ reports its consumer index.", ...VCMDQ },
);
